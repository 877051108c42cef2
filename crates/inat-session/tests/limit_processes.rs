//! Real processes on one file, racing, killed and stopped.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod children;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use children::{Actor, hear, part, tell};
use inat_session::limit::{Ask, Ledger, LedgerError, Limiter, Limits, Patience, Reserved, SqliteLedger};
use inat_session::{Clock, Timestamp};
use url::Url;

const FILE: &str = "LIMIT_TEST_FILE";

fn limits() -> Limits {
    Limits { per_second: 40.0, burst: 1, per_minute: 200.0, ..Limits::unlimited() }
}

/// A process that takes slots, and says when it did.
struct Racer(Actor);

impl Racer {
    fn start(test: &str, file: &Path, tasks: u32) -> Self {
        Self(Actor::start(test, &tasks.to_string(), &[(FILE, file.to_str().unwrap())]))
    }

    /// The next grant it reports; `None` when it has ended.
    fn grant(&mut self) -> Option<i64> {
        self.0.word().map(|stamp| stamp.parse().unwrap())
    }

    fn rest(mut self) -> Vec<i64> {
        let all = std::iter::from_fn(|| self.grant()).collect();
        self.0.ends_well();
        all
    }

    /// Kills it, and returns what it had said until then.
    fn kill(mut self) -> Vec<i64> {
        self.0.kill();
        std::iter::from_fn(|| self.grant()).collect()
    }
}

/// In a child: sends as many requests as told from concurrent tasks, and reports each. In the parent: `false`.
fn race_if_child() -> bool {
    let (Some(tasks), Ok(file)) = (part(), std::env::var(FILE)) else { return false };
    let tasks: u32 = tasks.parse().unwrap();
    let limiter = Limiter::new(limits(), Arc::new(SqliteLedger::at(file, Clock::system())), Clock::system());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let send = async |limiter: Limiter| {
            let url = Url::parse("https://api.inaturalist.org/v1/taxa").unwrap();
            let permit = limiter.acquire(&url, Patience::default(), &|_| {}).await.unwrap();
            tell(&permit.at.as_micros().to_string());
        };
        let all: Vec<_> = (0..tasks).map(|_| tokio::spawn(send(limiter.clone()))).collect();
        for task in all {
            task.await.unwrap();
        }
    });
    true
}

fn check(grants: &mut [i64]) {
    grants.sort_unstable();
    for window in limits().windows(false) {
        let (limit, length) = (usize::try_from(window.limit).unwrap(), window.length);
        for (first, one_more) in grants.iter().zip(grants.iter().skip(limit)) {
            let apart = Timestamp::from_micros(*one_more).since(Timestamp::from_micros(*first));
            assert!(apart >= length, "{} grants within {apart:?} of {length:?}", limit + 1);
        }
    }
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ratelimit.db");
    (folder, file)
}

#[test]
fn four_processes_share_one_limit() {
    if race_if_child() {
        return;
    }
    let (_folder, file) = folder();
    let racers: Vec<_> = (0..4).map(|_| Racer::start("four_processes_share_one_limit", &file, 35)).collect();
    let mut grants: Vec<i64> = racers.into_iter().flat_map(Racer::rest).collect();
    assert_eq!(grants.len(), 140);
    check(&mut grants);
    // Nothing is wasted: 140 at 40 a second take three full windows and a bit.
    let took = grants[139] - grants[0];
    assert!(took >= 3_000_000, "{took} µs");
}

#[test]
fn killed_processes_take_their_slots_with_them() {
    if race_if_child() {
        return;
    }
    let (_folder, file) = folder();
    let start = || Racer::start("killed_processes_take_their_slots_with_them", &file, 60);
    let steady = start();
    let mut grants = Vec::new();
    for until in [1, 7, 20, 3, 11] {
        let mut racer = start();
        grants.extend((0..until).map_while(|_| racer.grant()));
        grants.extend(racer.kill());
    }
    grants.extend(steady.rest());
    assert!(grants.len() >= 60 + 42);
    check(&mut grants);
}

#[test]
fn a_stopped_process_that_holds_the_lock_stops_nobody_for_ever() {
    if let Ok(file) = std::env::var(FILE) {
        let lock = std::fs::File::create(format!("{file}.lock")).unwrap();
        lock.lock().unwrap();
        tell("0");
        while hear().is_some() {}
        return;
    }
    let (_folder, file) = folder();
    let mut holder = Racer::start("a_stopped_process_that_holds_the_lock_stops_nobody_for_ever", &file, 0);
    assert_eq!(holder.grant(), Some(0));
    let stop = Command::new("kill").args(["-STOP", &holder.0.id().to_string()]).status().unwrap();
    assert!(stop.success());
    let bound = Duration::from_millis(200);
    let ledger = SqliteLedger::at(&file, Clock::system()).lock_bound(bound);
    let windows = limits().windows(false);
    let ask = Ask::new("b", &windows);
    assert_eq!(ledger.reserve(&ask), Err(LedgerError::Locked { path: file, bound }));
    assert_eq!(ledger.reserve(&Ask { at_once: true, ..ask }), Err(LedgerError::Busy));
    holder.kill();
    assert!(matches!(ledger.reserve(&ask), Ok(Reserved::Slot(_))));
}

#[test]
fn threads_share_one_limit() {
    let (_folder, file) = folder();
    let ledger = SqliteLedger::at(&file, Clock::system());
    let windows = Limits { per_second: 1.0, burst: 5, ..Limits::unlimited() }.windows(false);
    let at_once = Ask { max_wait: Some(Duration::ZERO), ..Ask::new("b", &windows) };
    let granted: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    (0..20).filter(|_| matches!(ledger.reserve(&at_once).unwrap(), Reserved::Slot(_))).count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(granted, 5);
}
