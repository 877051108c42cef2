//! Hits from several threads on one session.

use std::sync::Barrier;
use std::time::Instant;

use inat_session::blocking;
use tempfile::TempDir;

use crate::body::{LARGE, MEDIUM, Size};
use crate::origin::Origin;
use crate::repeat::repeat;
use crate::report::{Row, Target, per_second};
use crate::{Effort, Fallible, peers};

pub fn run(effort: Effort) -> Fallible<Vec<Row>> {
    let (folder, origin) = (TempDir::new()?, Origin::start()?);
    let mut rows = Vec::new();
    for (size, tier, name) in [(MEDIUM, 0, "SQLite"), (LARGE, 0, "SQLite"), (MEDIUM, peers::TIER, "memory")] {
        let urls = peers::urls(&origin, size);
        let session = peers::ours(&folder.path().join(format!("{name}-{}.db", size.name)), tier)?;
        for url in urls.iter().chain(&urls) {
            session.get(url)?;
        }
        let taken = repeat(effort.repetitions, |_| {
            Ok([1, 2, 8].map(|threads| together(effort, &session, &urls, size, threads)))
        })?;
        let taken: Vec<[f64; 3]> = taken.into_iter().map(all).collect::<Fallible<_>>()?;
        let rates = |at: usize| -> Vec<f64> { taken.iter().map(|rates| rates[at]).collect() };
        for (more, fewer, case, least) in [(1, 0, "2 threads vs 1", 1.3), (2, 1, "8 threads vs 2", 0.9)] {
            let ratios: Vec<f64> = taken.iter().map(|rates| rates[more] / rates[fewer]).collect();
            rows.push(Row::ratio(
                format!("{name} hit, {}: {case}", size.name),
                per_second(&rates(more)),
                per_second(&rates(fewer)),
                &ratios,
                Target::AtLeast(least),
            ));
        }
    }
    Ok(rows)
}

fn all([one, two, eight]: [Fallible<f64>; 3]) -> Fallible<[f64; 3]> {
    Ok([one?, two?, eight?])
}

/// Hits a second of all threads together.
fn together(effort: Effort, session: &blocking::Session, urls: &[String], size: Size, threads: usize) -> Fallible<f64> {
    let start = Barrier::new(threads + 1);
    std::thread::scope(|scope| {
        let hitting: Vec<_> = (0..threads)
            .map(|thread| {
                let start = &start;
                scope.spawn(move || -> Fallible<usize> {
                    start.wait();
                    let begun = Instant::now();
                    let mut done = 0;
                    while begun.elapsed() < effort.span {
                        peers::hit(session, &urls[(done + thread * 7) % urls.len()], size)?;
                        done += 1;
                    }
                    Ok(done)
                })
            })
            .collect();
        start.wait();
        let begun = Instant::now();
        let mut done = 0;
        for thread in hitting {
            done += thread.join().map_err(|_| "a thread panicked")??;
        }
        Ok(done as f64 / begun.elapsed().as_secs_f64())
    })
}
