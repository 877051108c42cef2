//! Fetching what is not there yet, and keeping it.

use tempfile::TempDir;

use crate::body::{LARGE, MEDIUM, SMALL};
use crate::origin::Origin;
use crate::repeat::repeat;
use crate::report::{Row, Target, per_second};
use crate::timing::timed_async;
use crate::{Effort, Fallible, peers};

pub fn run(effort: Effort) -> Fallible<Vec<Row>> {
    let (folder, origin, runtime) = (TempDir::new()?, Origin::start()?, peers::runtime()?);
    let ours = peers::ours(&folder.path().join("cache.db"), peers::TIER)?;
    let redb = peers::redb(&folder.path().join("cache.redb"))?;
    let mut rows = Vec::new();
    let mut next = 0;
    for size in [SMALL, MEDIUM, LARGE] {
        let taken = repeat(effort.repetitions, |_| {
            let session = ours.as_async();
            next += 1_000_000;
            let ours = runtime.block_on(timed_async(effort.span * 2, async |n| {
                let response = session.get(&origin.url(size, next + n)).await?;
                if response.is_from_cache() { Err("a hit where none can be".into()) } else { Ok(()) }
            }))?;
            let theirs = runtime.block_on(timed_async(effort.span * 2, async |n| {
                peers::fetch(&redb, &origin.url(size, next + n), size).await
            }))?;
            Ok((ours.per_second, theirs.per_second))
        })?;
        let (ours, theirs): (Vec<f64>, Vec<f64>) = taken.iter().copied().unzip();
        let ratios: Vec<f64> = taken.iter().map(|(ours, theirs)| ours / theirs).collect();
        rows.push(Row::ratio(
            format!("fetch and store, {}, vs http-cache redb", size.name),
            per_second(&ours),
            per_second(&theirs),
            &ratios,
            Target::AtLeast(1.0),
        ));
    }
    Ok(rows)
}
