//! Fetching what is not there yet, and keeping it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tempfile::TempDir;

use crate::body::{LARGE, MEDIUM, SMALL};
use crate::origin::Origin;
use crate::repeat::repeat;
use crate::report::{Row, Target, per_second};
use crate::{Effort, Fallible, peers};

pub fn run(effort: Effort) -> Fallible<Vec<Row>> {
    let (folder, origin, runtime) = (TempDir::new()?, Origin::start()?, peers::runtime()?);
    let ours = peers::ours(&folder.path().join("cache.db"), peers::TIER)?;
    let redb = peers::redb(&folder.path().join("cache.redb"))?;
    let mut rows = Vec::new();
    let next = AtomicUsize::new(0);
    for (size, in_flight) in [SMALL, MEDIUM, LARGE].into_iter().flat_map(|size| [(size, 1), (size, 8)]) {
        let new = || origin.url(size, next.fetch_add(1, Ordering::Relaxed));
        let taken = repeat(effort.repetitions, |_| {
            let session = ours.as_async();
            let ours = runtime.block_on(rate(effort, in_flight, async || {
                let response = session.get(&new()).await?;
                if response.is_from_cache() { Err("a hit where none can be".into()) } else { Ok(()) }
            }))?;
            let theirs = runtime.block_on(rate(effort, in_flight, async || peers::fetch(&redb, &new(), size).await))?;
            Ok((ours, theirs))
        })?;
        let (ours, theirs): (Vec<f64>, Vec<f64>) = taken.iter().copied().unzip();
        let ratios: Vec<f64> = taken.iter().map(|(ours, theirs)| ours / theirs).collect();
        rows.push(Row::ratio(
            format!("fetch and store, {}, {in_flight} in flight, vs http-cache redb", size.name),
            per_second(&ours),
            per_second(&theirs),
            &ratios,
            Target::AtLeast(1.0),
        ));
    }
    Ok(rows)
}

async fn rate(effort: Effort, in_flight: usize, fetch: impl AsyncFn() -> Fallible<()>) -> Fallible<f64> {
    fetch().await?;
    let begun = Instant::now();
    let one = async || -> Fallible<usize> {
        let mut done = 0;
        while begun.elapsed() < effort.span * 2 {
            fetch().await?;
            done += 1;
        }
        Ok(done)
    };
    let done: usize = futures_util::future::try_join_all((0..in_flight).map(|_| one())).await?.into_iter().sum();
    Ok(done as f64 / begun.elapsed().as_secs_f64())
}
