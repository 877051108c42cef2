//! Whether the limit is kept, and used: counted where the requests arrive.

use std::time::{Duration, Instant};

use inat_session::Session;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::body::SMALL;
use crate::origin::Origin;
use crate::report::Row;
use crate::{Effort, Fallible, child};

const PER_SECOND: usize = 20;
const SECONDS: usize = 10;
const PROCESSES: usize = 4;

/// Arrivals within the ten seconds after the first, and the most in any one second.
pub fn run(_: Effort) -> Fallible<Vec<Row>> {
    let (folder, origin) = (TempDir::new()?, Origin::start()?);
    let file = folder.path().join("budget.db");
    let file = file.to_str().ok_or("a path that is not text")?;
    let url = format!("{}?no-store", origin.url(SMALL, 0));
    child::together("pace", &[file, &url], PROCESSES)?;
    let mut arrivals = origin.arrivals()?;
    arrivals.sort_unstable();
    let first = arrivals.first().copied().ok_or("nothing arrived")?;
    let within = arrivals.iter().filter(|stamp| **stamp < first + 1_000_000 * SECONDS as u64).count();
    let most = (0..arrivals.len())
        .map(|at| arrivals[at..].iter().take_while(|stamp| **stamp - arrivals[at] < 1_000_000).count())
        .max()
        .unwrap_or(0);
    let allowed = PER_SECOND * SECONDS;
    let used = within as f64 / allowed as f64;
    Ok(vec![
        Row::counted(
            format!("{PER_SECOND} a second, {PROCESSES} processes, {SECONDS} s: requests in time"),
            format!("{within} of {allowed}, {used:.3}"),
            "≥ 0.98",
            used >= 0.98,
        ),
        Row::counted(
            "the most that arrived in any second",
            format!("{most}"),
            &format!("≤ {PER_SECOND}"),
            most <= PER_SECOND,
        ),
    ])
}

/// The role: asks from several tasks for a little longer than is counted.
pub fn send(arguments: &[String]) -> Fallible<()> {
    let [file, url] = arguments else { return Err("file and URL are missing".into()) };
    let session = Session::builder()
        .cache_in_memory()
        .ratelimit_path(file)
        .unlimited()
        .per_second(PER_SECOND as f64)
        .burst(1)
        .build()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    child::ready()?;
    let until = Instant::now() + Duration::from_secs(SECONDS as u64) + Duration::from_millis(1500);
    let sent = runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let (session, url) = (session.clone(), url.clone());
            tasks.spawn(async move {
                let mut sent = 0;
                while Instant::now() < until && session.get(&url).await.is_ok() {
                    sent += 1;
                }
                sent
            });
        }
        tasks.join_all().await.into_iter().sum::<usize>()
    });
    println!("{sent}");
    Ok(())
}
