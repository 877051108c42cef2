//! How fast reservations are. Not a promise about a machine, so ignored by default; run with
//! `cargo test --release -p inat-session --test limit_speed -- --ignored --nocapture --test-threads 1`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use inat_session::Clock;
use inat_session::limit::{Ask, Ledger, Limiter, Limits, MemoryLedger, Patience, Reserved, SqliteLedger};

const CHILD: &str = "LIMIT_SPEED_CHILD";

/// Three windows, all far from full.
fn far_away() -> Limits {
    Limits { per_second: 1e8, burst: 1, per_minute: 1e8, per_day: 1e8, ..Limits::default() }
}

/// How long this thread has been on a processor, where the system tells: on a busy machine the better measure.
fn on_cpu() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(told.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

fn rate(ledger: &dyn Ledger, time: Duration) -> f64 {
    let windows = far_away().windows(false);
    let ask = Ask::new("inaturalist", &windows);
    let (start, cpu, mut done) = (Instant::now(), on_cpu(), 0u32);
    while start.elapsed() < time {
        for _ in 0..64 {
            assert!(matches!(ledger.reserve(&ask).unwrap(), Reserved::Slot(slot) if slot.wait.is_zero()));
        }
        done += 64;
    }
    let took = start.elapsed().as_secs_f64();
    println!("\n{:.1} µs of processor each", (on_cpu().saturating_sub(cpu)).as_secs_f64() * 1e6 / f64::from(done));
    f64::from(done) / took
}

#[test]
#[ignore = "measures"]
fn memory() {
    println!("memory: {:.0}/s", rate(&MemoryLedger::new(Clock::system()), Duration::from_secs(1)));
}

#[test]
#[ignore = "measures"]
fn one_process() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = SqliteLedger::at(folder.path().join("ratelimit.db"), Clock::system());
    for _ in 0..3 {
        println!("one process: {:.0}/s", rate(&ledger, Duration::from_secs(1)));
    }
}

#[test]
#[ignore = "measures"]
fn with_a_past() {
    let past = |slots: u32| {
        let folder = tempfile::tempdir().unwrap();
        let ledger = SqliteLedger::at(folder.path().join("ratelimit.db"), Clock::system());
        // A window that looks back as far as the past reaches.
        let windows = Limits { per_day: f64::from(slots + 40_000), ..far_away() }.windows(false);
        for _ in 0..slots {
            ledger.reserve(&Ask::new("inaturalist", &windows)).unwrap();
        }
        let cpu = on_cpu();
        for _ in 0..40_000 {
            ledger.reserve(&Ask::new("inaturalist", &windows)).unwrap();
        }
        (on_cpu().saturating_sub(cpu)).as_secs_f64() * 1e6 / 40_000.0
    };
    for slots in [0, 10_000, 1_000_000, 0, 10_000] {
        println!("{slots} past slots: {:.1} µs of processor each", past(slots));
    }
}

/// 20 a second for ten seconds, four processes that always want more.
#[test]
#[ignore = "measures"]
fn fidelity() {
    let limits = Limits { per_second: 20.0, burst: 1, ..Limits::unlimited() };
    if let Ok(path) = std::env::var(CHILD) {
        let limiter =
            Limiter::new(limits, Arc::new(SqliteLedger::at(Path::new(&path), Clock::system())), Clock::system());
        let url = url::Url::parse("https://api.inaturalist.org/").unwrap();
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let end = Instant::now() + Duration::from_secs(12);
            while Instant::now() < end {
                let permit = limiter.acquire(&url, Patience::default(), &|_| {}).await.unwrap();
                println!("\ngrant {}", permit.at.as_micros());
            }
        });
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut grants: Vec<i64> = children("fidelity", &folder.path().join("ratelimit.db"))
        .iter()
        .flat_map(|output| {
            output.lines().filter_map(|line| line.strip_prefix("grant ")?.parse().ok()).collect::<Vec<_>>()
        })
        .collect();
    grants.sort_unstable();
    let first = grants[0];
    let inside = grants.iter().filter(|at| **at < first + 10_000_000).count();
    let closest = grants.windows(21).map(|some| some[20] - some[0]).min().unwrap();
    println!("fidelity: {inside} of 200 in ten seconds; 21 grants are never closer than {closest} µs");
    assert!(closest >= 1_000_000);
}

#[test]
#[ignore = "measures"]
fn four_processes() {
    if let Ok(path) = std::env::var(CHILD) {
        let ledger = SqliteLedger::at(Path::new(&path), Clock::system());
        println!("\nrate {}", rate(&ledger, Duration::from_secs(3)));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let outputs = children("four_processes", &folder.path().join("ratelimit.db"));
    let rate = |output: &String| -> f64 {
        output.lines().find_map(|line| line.strip_prefix("rate ")).unwrap().parse().unwrap()
    };
    let rates: Vec<f64> = outputs.iter().map(rate).collect();
    let (least, most) = rates.iter().fold((f64::MAX, 0f64), |(least, most), rate| (least.min(*rate), most.max(*rate)));
    println!(
        "four processes: {:.0}/s together, slowest/fastest {:.2} {rates:.0?}",
        rates.iter().sum::<f64>(),
        least / most
    );
}

/// Four processes that run `test` as children; what they print.
fn children(test: &str, file: &Path) -> Vec<String> {
    let spawn = |_| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--ignored", "--nocapture"])
            .env(CHILD, file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..4).map(spawn).collect();
    let output = |child: std::process::Child| String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    children.into_iter().map(output).collect()
}
