//! What the session adds to a request that has to be sent: lookup, budget, checks.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use inat_session::Session;
use tempfile::TempDir;

use crate::body::{MEDIUM, SMALL};
use crate::origin::Origin;
use crate::repeat::repeat;
use crate::report::{Row, Target, micros, per_second};
use crate::{Effort, Fallible, peers, usage};

const IN_FLIGHT: usize = 8;

pub fn run(effort: Effort) -> Fallible<Vec<Row>> {
    let (folder, origin) = (TempDir::new()?, Origin::start()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let paced = session(&folder.path().join("paced.db"), true)?;
    let free = session(&folder.path().join("free.db"), false)?;
    let (bare, redb) = (peers::bare()?, peers::redb(&folder.path().join("cache.redb"))?);
    let mut rows = Vec::new();
    for size in [SMALL, MEDIUM] {
        let next = AtomicUsize::new(0);
        let url = || format!("{}?no-store", origin.url(size, next.fetch_add(1, Ordering::Relaxed)));
        let taken = repeat(effort.repetitions, |_| {
            let ours = |session: &Session| {
                runtime.block_on(cost(effort, async || {
                    session.get(&url()).await?;
                    Ok(())
                }))
            };
            let (with_all, without_limits) = (ours(&paced)?, ours(&free)?);
            let bare = runtime.block_on(cost(effort, async || {
                bare.get(url()).send().await?.bytes().await?;
                Ok(())
            }))?;
            let redb = runtime.block_on(cost(effort, async || peers::fetch(&redb, &url(), size).await))?;
            Ok([with_all, without_limits, redb, bare])
        })?;
        let of = |at: usize| -> Vec<f64> { taken.iter().map(|costs| costs[at].micros).collect() };
        for (at, case, target) in [
            (0, "miss, all windows on", Target::AtMost(60.0)),
            (1, "miss, no limits", Target::None),
            (2, "miss of http-cache redb", Target::None),
        ] {
            let added: Vec<f64> = taken.iter().map(|costs| costs[at].micros - costs[3].micros).collect();
            let mut row = Row::alone(
                format!("{case}, {}: processor time on top of bare reqwest", size.name),
                &added,
                "µs",
                target,
            );
            row.figure = format!("{} in all", micros(&of(at)));
            row.yardstick = micros(&of(3));
            rows.push(row);
        }
        let rates = |at: usize| -> Vec<f64> { taken.iter().map(|costs| costs[at].per_second).collect() };
        let ratios: Vec<f64> = taken.iter().map(|costs| costs[0].per_second / costs[3].per_second).collect();
        rows.push(Row::ratio(
            format!("miss, all windows on, {}: requests a second vs bare reqwest", size.name),
            per_second(&rates(0)),
            per_second(&rates(3)),
            &ratios,
            Target::None,
        ));
    }
    Ok(rows)
}

/// Cache on; every window on with a limit far away, or none.
fn session(file: &Path, limits: bool) -> Fallible<Session> {
    let builder = Session::builder().cache_file(file).ratelimit_path(file.with_extension("budget")).unlimited();
    Ok(if limits {
        builder.per_second(1e6).burst(5).per_minute(1e7).per_hour(1e8).per_day(1e9).per_month(1e9).build()?
    } else {
        builder.build()?
    })
}

#[derive(Clone, Copy)]
struct Cost {
    /// Processor time of this process for one request.
    micros: f64,
    per_second: f64,
}

/// Sends for about the span, several at a time.
async fn cost(effort: Effort, send: impl AsyncFn() -> Fallible<()>) -> Fallible<Cost> {
    send().await?;
    let (begun, before) = (Instant::now(), usage::own()?);
    let span = effort.span * 3;
    let one = async || -> Fallible<usize> {
        let mut sent = 0;
        while begun.elapsed() < span {
            send().await?;
            sent += 1;
        }
        Ok(sent)
    };
    let sent: usize = futures_util::future::try_join_all((0..IN_FLIGHT).map(|_| one())).await?.into_iter().sum();
    let used = usage::own()?.saturating_sub(before);
    Ok(Cost { micros: used.as_secs_f64() * 1e6 / sent as f64, per_second: sent as f64 / begun.elapsed().as_secs_f64() })
}
