//! What a hit costs: from the memory tier, and from the file with the tier off.

use inat_session::blocking;
use tempfile::TempDir;

use crate::body::{SIZES, Size};
use crate::origin::Origin;
use crate::raw::Raw;
use crate::repeat::repeat;
use crate::report::{Row, Target, micros, per_second};
use crate::timing::{Timed, timed, timed_async};
use crate::{Effort, Fallible, peers};

/// The targets, by size: against moka; against the raw read; against redb.
const AGAINST_MOKA: [f64; 3] = [6.0, 15.0, 200.0];
const AGAINST_RAW: [f64; 3] = [0.30, 0.45, 0.60];
const AGAINST_REDB: [f64; 3] = [3.0, 4.0, 4.0];

/// Hits from the memory tier beside those of a peer whose cache is all in memory.
pub fn from_memory(effort: Effort) -> Fallible<Vec<Row>> {
    let (folder, origin, runtime) = (TempDir::new()?, Origin::start()?, peers::runtime()?);
    let mut rows = Vec::new();
    for (size, target) in SIZES.into_iter().zip(AGAINST_MOKA) {
        let urls = peers::urls(&origin, size);
        let ours = peers::ours(&folder.path().join(format!("{}.db", size.name)), peers::TIER)?;
        let moka = peers::moka()?;
        for url in urls.iter().chain(&urls) {
            ours.get(url)?;
            runtime.block_on(peers::fetch(&moka, url, size))?;
        }
        origin.arrivals()?;
        let taken = repeat(effort.repetitions, |_| {
            let blocking = timed(effort.span, |n| peers::hit(&ours, &urls[n % urls.len()], size))?;
            let theirs = runtime
                .block_on(timed_async(effort.span, async |n| peers::fetch(&moka, &urls[n % urls.len()], size).await))?;
            let session = ours.as_async();
            let awaited = runtime.block_on(timed_async(effort.span, async |n| {
                peers::hit_async(session, &urls[n % urls.len()], size).await
            }))?;
            Ok((blocking, awaited, theirs))
        })?;
        origin.was_left_alone()?;
        let name = size.name;
        for (how, of) in [("async", 1), ("blocking", 0)] {
            let ours: Vec<&Timed> = taken.iter().map(|(b, a, _)| if of == 1 { a } else { b }).collect();
            let theirs: Vec<f64> = taken.iter().map(|(_, _, theirs)| theirs.per_second).collect();
            let rates: Vec<f64> = ours.iter().map(|timed| timed.per_second).collect();
            let ratios: Vec<f64> = rates.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
            let medians: Vec<f64> = ours.iter().map(|timed| timed.p50).collect();
            rows.push(Row::alone(format!("memory hit, {name}, {how}: p50"), &medians, "µs", Target::AtMost(4.0)));
            rows.push(Row::ratio(
                format!("memory hit, {name}, {how}, vs http-cache moka"),
                per_second(&rates),
                per_second(&theirs),
                &ratios,
                Target::AtLeast(target),
            ));
        }
    }
    Ok(rows)
}

/// One side of the comparison on disk: a cache of ours, and its file read by SQLite alone.
struct Side {
    session: blocking::Session,
    raw: Raw,
    slots: Vec<i64>,
}

impl Side {
    fn fill(folder: &TempDir, origin: &Origin, size: Size, compress: bool) -> Fallible<Self> {
        let file = folder.path().join(format!("{}-{compress}.db", size.name));
        let session =
            blocking::Session::builder().cache_file(&file).memory_tier(0).compress(compress).unlimited().build()?;
        for url in peers::urls(origin, size) {
            session.get(&url)?;
        }
        let raw = Raw::open(&file)?;
        let slots = raw.slots()?;
        Ok(Self { session, raw, slots })
    }

    fn hits(&self, effort: Effort, urls: &[String], size: Size) -> Fallible<Timed> {
        timed(effort.span, |n| peers::hit(&self.session, &urls[n % urls.len()], size))
    }

    fn reads(&self, effort: Effort) -> Fallible<Timed> {
        let mut read = self.raw.reader()?;
        timed(effort.span, |n| read(self.slots[n % self.slots.len()]).map(|_| ()))
    }
}

/// Hits from the file beside SQLite alone and beside a peer that keeps its cache in a file.
pub fn from_sqlite(effort: Effort) -> Fallible<Vec<Row>> {
    let (folder, origin, runtime) = (TempDir::new()?, Origin::start()?, peers::runtime()?);
    let mut rows = Vec::new();
    for (at, size) in SIZES.into_iter().enumerate() {
        let urls = peers::urls(&origin, size);
        let packed = Side::fill(&folder, &origin, size, true)?;
        let plain = Side::fill(&folder, &origin, size, false)?;
        let redb = peers::redb(&folder.path().join(format!("{}.redb", size.name)))?;
        for url in urls.iter().chain(&urls) {
            runtime.block_on(peers::fetch(&redb, url, size))?;
        }
        origin.arrivals()?;
        let taken = repeat(effort.repetitions, |_| {
            Ok([
                packed.hits(effort, &urls, size)?,
                packed.reads(effort)?,
                plain.hits(effort, &urls, size)?,
                plain.reads(effort)?,
                runtime.block_on(timed_async(effort.span, async |n| {
                    peers::fetch(&redb, &urls[n % urls.len()], size).await
                }))?,
            ])
        })?;
        origin.was_left_alone()?;
        let rates = |side: usize| -> Vec<f64> { taken.iter().map(|sides| sides[side].per_second).collect() };
        let row = |case: String, ours: usize, theirs: usize, target| {
            let (ours, theirs) = (rates(ours), rates(theirs));
            let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
            Row::ratio(case, per_second(&ours), per_second(&theirs), &ratios, target)
        };
        let name = size.name;
        // The raw read of a packed row hands over packed bytes, which nobody can use yet; a medium body takes longer to unpack
        // than to read. So ours is also judged beside a raw read of the very bytes it hands over, and with compression off.
        let raw = Target::AtLeast(AGAINST_RAW[at]);
        rows.push(row(format!("SQLite hit, {name}, vs raw read of the same row, left packed"), 0, 1, raw));
        rows.push(row(format!("SQLite hit, {name}, vs raw read of the same body from a row not packed"), 0, 3, raw));
        rows.push(row(format!("SQLite hit, {name}, compression off, vs raw read of the same row"), 2, 3, raw));
        rows.push(row(format!("SQLite hit, {name}, vs http-cache redb"), 0, 4, Target::AtLeast(AGAINST_REDB[at])));
        let p50: Vec<f64> = taken.iter().map(|sides| sides[0].p50).collect();
        let p99: Vec<f64> = taken.iter().map(|sides| sides[0].p99).collect();
        let tails: Vec<f64> = p99.iter().zip(&p50).map(|(p99, p50)| p99 / p50).collect();
        rows.push(Row::ratio(
            format!("SQLite hit, {name}: p99 against p50"),
            micros(&p99),
            micros(&p50),
            &tails,
            Target::AtMost(3.0),
        ));
    }
    Ok(rows)
}
