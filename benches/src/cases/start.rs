//! A process that starts, gets one medium answer from the cache, and ends: the life of one command.

use std::path::Path;
use std::time::Duration;

use inat_session::blocking;
use tempfile::TempDir;

use crate::body::MEDIUM;
use crate::origin::Origin;
use crate::raw::Raw;
use crate::repeat::repeat;
use crate::report::{Row, Target, micros};
use crate::{Effort, Fallible, child, peers, usage};

/// Processes of a kind in one repetition.
const STARTS: u32 = 20;

pub fn run(effort: Effort) -> Fallible<Vec<Row>> {
    let (folder, origin) = (TempDir::new()?, Origin::start()?);
    let file = folder.path().join("cache.db");
    let url = origin.url(MEDIUM, 1);
    let session = peers::ours(&file, peers::TIER)?;
    session.get(&url)?;
    session.close()?;
    let slot = Raw::open(&file)?.slots()?.first().ok_or("nothing was stored")?.to_string();
    let name = file.to_str().ok_or("a path that is not text")?;
    let taken = repeat(effort.repetitions, |_| {
        let mut cost = [Duration::ZERO; 3];
        for _ in 0..STARTS {
            cost[0] += cost_of("start-ours", &[name, &url])?;
            cost[1] += cost_of("start-raw", &[name, &slot])?;
            cost[2] += cost_of("nothing", &[])?;
        }
        Ok(cost.map(|cost| cost.as_secs_f64() * 1e6 / f64::from(STARTS)))
    })?;
    let of = |at: usize| -> Vec<f64> { taken.iter().map(|cost| cost[at]).collect() };
    let ratios = |under: usize| -> Vec<f64> { taken.iter().map(|cost| cost[0] / cost[under]).collect() };
    let case = "start, one medium hit, exit: processor time";
    Ok(vec![
        Row::ratio(
            format!("{case}, vs SQLite reading one row"),
            micros(&of(0)),
            micros(&of(1)),
            &ratios(1),
            Target::AtMost(2.0),
        ),
        Row::ratio(format!("{case}, vs an empty process"), micros(&of(0)), micros(&of(2)), &ratios(2), Target::None),
    ])
}

/// Processor time of one child.
fn cost_of(role: &str, arguments: &[&str]) -> Fallible<Duration> {
    let before = usage::children()?;
    child::run(role, arguments)?;
    Ok(usage::children()?.saturating_sub(before))
}

/// The role: a program with a session as it comes, but for where its files are.
pub fn ours(arguments: &[String]) -> Fallible<()> {
    let [file, url] = arguments else { return Err("file and URL are missing".into()) };
    let budget = Path::new(file).with_file_name("budget.db");
    let session = blocking::Session::builder().cache_file(file).ratelimit_path(budget).build()?;
    peers::hit(&session, url, MEDIUM)
}

/// The role: a program that reads the same row.
pub fn raw(arguments: &[String]) -> Fallible<()> {
    let [file, slot] = arguments else { return Err("file and row are missing".into()) };
    let raw = Raw::open(Path::new(file))?;
    raw.reader()?(slot.parse()?)?;
    Ok(())
}
