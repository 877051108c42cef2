//! The budget as a caller sees it, on a clock that is moved by hand: every figure is exact.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_cmp, reason = "tests")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use http::StatusCode;
use inat_session::Clock;
use inat_session::limit::{
    Account, Ask, ByteAsk, ByteLimits, ByteSlot, Confirmed, Ledger, LedgerError, Limiter, Limits, MemoryLedger,
    Outcome, Patience, Penalty, Rates, Refusal, Reserved, ReservedBytes, RetryAfter, Slot, SqliteLedger, Stop, Wait,
    WaitReason, WindowName,
};
use tempfile::TempDir;
use url::Url;

const SECOND: Duration = Duration::from_secs(1);

fn url() -> Url {
    Url::parse("https://api.inaturalist.org/v1/taxa").unwrap()
}

fn quiet(_: &Wait) {}

/// A limiter over a file, and one in memory: both keep the same promises.
fn both(limits: &Limits) -> Vec<(Limiter, Clock, Option<TempDir>)> {
    let clock = Clock::manual();
    let memory = Limiter::new(limits.clone(), Arc::new(MemoryLedger::new(clock.clone())), clock.clone());
    let folder = tempfile::tempdir().unwrap();
    let (on_file, other) = file(limits, &folder, None);
    vec![(memory, clock, None), (on_file, other, Some(folder))]
}

fn file(limits: &Limits, folder: &TempDir, clock: Option<&Clock>) -> (Limiter, Clock) {
    let clock = clock.cloned().unwrap_or_else(Clock::manual);
    let ledger = SqliteLedger::at(folder.path().join("ratelimit.db"), clock.clone());
    (Limiter::new(limits.clone(), Arc::new(ledger), clock.clone()), clock)
}

/// When `count` requests one after the other leave, in seconds after the first moment.
async fn departures(limiter: &Limiter, clock: &Clock, count: usize) -> Vec<f64> {
    let start = clock.monotonic();
    let mut all = Vec::new();
    for _ in 0..count {
        let _ = limiter.acquire(&url(), Patience::default(), &quiet).await.unwrap();
        all.push((clock.monotonic().saturating_sub(start)).as_secs_f64());
    }
    all
}

#[tokio::test]
async fn defaults_pace_as_the_original_does() {
    for (limiter, clock, _folder) in both(&Limits::default()) {
        let left = departures(&limiter, &clock, 61).await;
        assert_eq!(left[..5], [0.0; 5]);
        assert!(left[5] >= 5.0 && left[5] < 5.2, "{left:?}");
        assert_eq!(left[5], left[6]);
        assert!(left[60] >= 60.0 && left[60] < 61.5, "{left:?}");
    }
}

#[tokio::test]
async fn fractions_and_long_bursts() {
    let only = |per_second, burst| Limits { per_second, burst, ..Limits::unlimited() };
    let table: [(Limits, usize, f64, f64); 5] = [
        // Requests to send, then when the last two of them leave.
        (only(0.5, 5), 6, 0.0, 10.0),
        (only(1.0 / 3.0, 1), 2, 0.0, 3.0),
        (Limits { per_day: 60.0, ..Limits::unlimited() }, 61, 0.0, 86_400.0),
        (only(2.0, 60), 121, 0.0, 60.0),
        (Limits { per_minute: 60.0, ..only(2.0, 60) }, 61, 0.0, 60.0),
    ];
    for (limits, count, before, last) in table {
        for (limiter, clock, _folder) in both(&limits) {
            let left = departures(&limiter, &clock, count).await;
            assert!((left[count - 2] - before).abs() < f64::EPSILON, "{limits:?}: {left:?}");
            assert!(left[count - 1] >= last && left[count - 1] <= last * 1.021, "{limits:?}: {left:?}");
        }
    }
}

#[tokio::test]
async fn no_limits_open_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let (limiter, clock) = file(&Limits::unlimited(), &folder, None);
    assert!(departures(&limiter, &clock, 1000).await.iter().all(|at| *at == 0.0));
    assert_eq!(limiter.refresh_version("projects").unwrap(), None);
    let _ = limiter.reserve_bytes(&url(), Some(1 << 40), Patience::default(), &quiet).await.unwrap();
    assert!(limiter.budget().is_ok());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    // The server is obeyed all the same.
    limiter
        .report(&url(), Outcome::Refused { status: StatusCode::TOO_MANY_REQUESTS, retry_after: None })
        .await
        .unwrap();
    assert!(departures(&limiter, &clock, 1).await[0] >= 60.0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn looking_makes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let (limiter, _) = file(&Limits::default(), &folder, None);
    assert_eq!(limiter.forecast(&url()).unwrap(), Duration::ZERO);
    assert!(limiter.budget().unwrap().is_empty());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_wait_too_long_consumes_nothing() {
    for (limiter, clock, _folder) in both(&Limits { max_delay: Some(3 * SECOND), ..Limits::default() }) {
        departures(&limiter, &clock, 5).await;
        let before = limiter.forecast(&url()).unwrap();
        let now = clock.now();
        for _ in 0..10 {
            let refusal = limiter.acquire(&url(), Patience::default(), &quiet).await.unwrap_err();
            assert_eq!(refusal, Refusal::TooLong { until: now.plus(before) });
        }
        let patience = Patience { until: Some(now.plus(SECOND)), ..Patience::default() };
        assert!(matches!(limiter.acquire(&url(), patience, &quiet).await, Err(Refusal::TooLong { .. })));
        assert_eq!(limiter.forecast(&url()).unwrap(), before);
        clock.advance(before);
        assert_eq!(departures(&limiter, &clock, 5).await, [0.0; 5]);
    }
}

#[tokio::test]
async fn a_dropped_wait_hands_its_slot_back() {
    for (limiter, clock, _folder) in both(&Limits::default()) {
        departures(&limiter, &clock, 5).await;
        let before = limiter.forecast(&url()).unwrap();
        assert!(before >= 5 * SECOND);
        let url = url();
        for _ in 0..20 {
            let mut waiting = Box::pin(limiter.acquire(&url, Patience::default(), &quiet));
            assert!(waiting.as_mut().now_or_never().is_none());
            drop(waiting);
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            assert_eq!(limiter.forecast(&url).unwrap(), before);
        }
        assert_eq!(clock.slept(), Duration::ZERO);
    }
}

/// A future that is waited for in a stream, say, is not polled while its neighbour's answer is worked on.
#[tokio::test]
async fn a_future_that_nobody_polls_holds_up_nobody() {
    for (limiter, clock, _folder) in both(&Limits { per_second: 1.0, burst: 1, ..Limits::unlimited() }) {
        departures(&limiter, &clock, 1).await;
        let url = url();
        let mut forgotten: Vec<_> =
            (0..3).map(|_| Box::pin(limiter.acquire(&url, Patience::default(), &quiet))).collect();
        for waiting in &mut forgotten {
            assert!(waiting.as_mut().now_or_never().is_none());
        }
        let mine = limiter.acquire(&url, Patience::default(), &quiet).await.unwrap();
        // Their slots came and went meanwhile; they are not sent late.
        for waiting in forgotten {
            assert!(waiting.await.unwrap().at.since(mine.at) >= SECOND);
        }
    }
}

/// Its slot is moved, not lost: with one an hour, another would be an hour off.
#[tokio::test]
async fn who_wakes_up_late_still_leaves() {
    for (limiter, clock, _folder) in both(&Limits { per_hour: 1.0, ..Limits::unlimited() }) {
        departures(&limiter, &clock, 1).await;
        let url = url();
        let mut waiting = Box::pin(limiter.acquire(&url, Patience::default(), &quiet));
        assert!(waiting.as_mut().now_or_never().is_none());
        clock.advance(7200 * SECOND);
        let permit = waiting.await.unwrap();
        assert_eq!(permit.waited, 7200 * SECOND);
        let next = limiter.forecast(&url).unwrap();
        assert!(next > 3600 * SECOND, "it counts from when it left: {next:?}");
        assert!(limiter.give_back(&url, permit).await.unwrap(), "also then it is the last one");
        assert_eq!(limiter.forecast(&url).unwrap(), Duration::ZERO);
    }
}

/// Connecting takes longer than a slot lasts: what leaves later than its slot says so, and others keep their distance from it.
#[tokio::test]
async fn a_permit_that_has_passed_is_renewed() {
    for (limiter, clock, _folder) in both(&Limits { per_second: 1.0, burst: 1, ..Limits::unlimited() }) {
        let (url, patience) = (url(), Patience::default());
        let acquire = || limiter.acquire(&url, patience, &quiet);
        let renew = |permit| limiter.renew(&url, permit, patience, &quiet);
        let first = acquire().await.unwrap();
        let same = renew(first.clone()).await.unwrap();
        assert_eq!((same.at, same.waited), (first.at, Duration::ZERO));
        clock.advance(Duration::from_millis(300));
        let moved = renew(same).await.unwrap();
        assert_eq!((moved.at, moved.waited), (clock.now(), Duration::ZERO));
        let second = acquire().await.unwrap();
        assert!(second.at.since(moved.at) >= SECOND, "{:?}", second.at.since(moved.at));
        // Somebody else has a slot already that the move would come too close to, so there has to be another.
        let mut third = Box::pin(acquire());
        assert!(third.as_mut().now_or_never().is_none());
        clock.advance(Duration::from_millis(300));
        let another = renew(second).await.unwrap();
        let third = third.await.unwrap();
        let apart = another.at.since(third.at).max(third.at.since(another.at));
        assert!(apart >= SECOND, "{apart:?}");
    }
}

#[tokio::test]
async fn an_unused_permit_can_be_given_back() {
    for (limiter, _clock, _folder) in both(&Limits { per_second: 1.0, burst: 1, ..Limits::unlimited() }) {
        for _ in 0..3 {
            let permit = limiter.acquire(&url(), Patience::default(), &quiet).await.unwrap();
            assert_eq!(permit.waited, Duration::ZERO);
            assert!(limiter.give_back(&url(), permit).await.unwrap());
        }
    }
}

#[tokio::test]
async fn hosts_have_buckets_of_their_own() {
    let limits = Limits {
        media_rates: Some(Rates {
            per_second: 3.0,
            burst: 1,
            per_minute: 0.0,
            per_hour: 0.0,
            per_day: 0.0,
            per_month: 0.0,
        }),
        ..Limits { per_second: 1.0, burst: 1, ..Limits::unlimited() }
    };
    for (limiter, clock, _folder) in both(&limits) {
        let wait = async |url: &str| {
            let url = Url::parse(url).unwrap();
            limiter.acquire(&url, Patience::default(), &quiet).await.unwrap().waited.as_secs()
        };
        assert_eq!(wait("https://api.inaturalist.org/v1/taxa").await, 0);
        assert_eq!(wait("https://example.org/").await, 0);
        for _ in 0..3 {
            assert_eq!(wait("https://static.inaturalist.org/1.jpg").await, 0);
        }
        assert_eq!(wait("https://static.inaturalist.org/1.jpg").await, 1);
        clock.advance(10 * SECOND);
        assert_eq!(wait("https://www.inaturalist.org/").await, 0);
        assert_eq!(wait("https://api.inaturalist.org/v2/taxa").await, 1);
    }
}

#[tokio::test]
async fn a_refusal_without_a_time_waits_a_minute_and_halves() {
    let limits = Limits { per_second: 2.0, burst: 5, ..Limits::unlimited() };
    for (limiter, clock, _folder) in both(&limits) {
        departures(&limiter, &clock, 1).await;
        let outcome = Outcome::Refused { status: StatusCode::TOO_MANY_REQUESTS, retry_after: None };
        let reported = limiter.report(&url(), outcome).await.unwrap();
        assert_eq!(reported.stopped_until, Some(clock.now().plus(60 * SECOND)));
        let heard = Mutex::new(Vec::new());
        let hear = |wait: &Wait| heard.lock().unwrap().push(wait.why);
        let permit = limiter.acquire(&url(), Patience::default(), &hear).await.unwrap();
        assert_eq!(permit.waited, 60 * SECOND);
        assert_eq!(*heard.lock().unwrap(), [WaitReason::Throttled(429)]);
        // Half of ten in five seconds.
        let left = departures(&limiter, &clock, 5).await;
        assert_eq!(left[3], 0.0);
        assert!(left[4] >= 5.0, "{left:?}");
        // Ten minutes of success bring all of it back.
        for _ in 0..630 {
            clock.advance(SECOND);
            limiter.report(&url(), Outcome::Fine).await.unwrap();
        }
        let left = departures(&limiter, &clock, 11).await;
        assert_eq!(left[9], 0.0);
        assert!(left[10] >= 5.0, "{left:?}");
    }
}

#[tokio::test]
async fn retry_after_is_obeyed_up_to_the_cap() {
    for (limiter, clock, _folder) in both(&Limits::default()) {
        let told = |retry_after| Outcome::Refused { status: StatusCode::TOO_MANY_REQUESTS, retry_after };
        let reported = limiter.report(&url(), told(Some(RetryAfter::In(2 * SECOND)))).await.unwrap();
        assert!(!reported.beyond_cap);
        assert_eq!(departures(&limiter, &clock, 1).await, [2.0]);

        let maintenance = clock.now().plus(300 * SECOND);
        let outcome = Outcome::Refused {
            status: StatusCode::SERVICE_UNAVAILABLE,
            retry_after: Some(RetryAfter::At(maintenance)),
        };
        assert_eq!(limiter.report(&url(), outcome).await.unwrap().stopped_until, Some(maintenance));
        assert_eq!(departures(&limiter, &clock, 1).await, [300.0]);

        let hour = 3600 * SECOND;
        let reported = limiter.report(&url(), told(Some(RetryAfter::In(hour)))).await.unwrap();
        let until = clock.now().plus(hour);
        assert!(reported.beyond_cap);
        let refusal = limiter.acquire(&url(), Patience::default(), &quiet).await.unwrap_err();
        assert_eq!(refusal, Refusal::RetryAfter { until, status: 429 });
        assert!(matches!(limiter.forecast(&url()), Err(Refusal::RetryAfter { .. })));
        clock.advance(hour);
        assert_eq!(departures(&limiter, &clock, 1).await, [0.0]);
    }
}

#[tokio::test]
async fn a_500_is_no_refusal() {
    for (limiter, clock, _folder) in both(&Limits::default()) {
        let outcome = Outcome::Refused { status: StatusCode::INTERNAL_SERVER_ERROR, retry_after: None };
        assert_eq!(limiter.report(&url(), outcome).await.unwrap().stopped_until, None);
        assert_eq!(departures(&limiter, &clock, 1).await, [0.0]);
    }
}

#[tokio::test]
async fn the_block_page_shuts_the_bucket_for_all() {
    let folder = tempfile::tempdir().unwrap();
    let (limiter, clock) = file(&Limits::default(), &folder, None);
    let (other, _) = file(&Limits::default(), &folder, Some(&clock));
    limiter.report(&url(), Outcome::Blocked).await.unwrap();
    let until = clock.now().plus(3600 * SECOND);
    let refusal = other.acquire(&url(), Patience::default(), &quiet).await.unwrap_err();
    assert_eq!(refusal, Refusal::Blocked { until });
    let elsewhere = Url::parse("https://example.org/").unwrap();
    assert!(other.acquire(&elsewhere, Patience::default(), &quiet).await.is_ok());
    clock.advance(3600 * SECOND);
    assert!(other.acquire(&url(), Patience::default(), &quiet).await.is_ok());
}

#[tokio::test]
async fn who_sleeps_already_hears_of_a_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { per_second: 1.0, burst: 1, ..Limits::unlimited() };
    let (limiter, clock) = file(&limits, &folder, None);
    let other = SqliteLedger::at(folder.path().join("ratelimit.db"), clock.clone());
    departures(&limiter, &clock, 1).await;
    let url = url();
    let mut waiting = Box::pin(limiter.acquire(&url, Patience::default(), &quiet));
    assert!(waiting.as_mut().now_or_never().is_none());
    let penalty = Penalty { stop: Stop::Told(429), length: 30 * SECOND, halve: false };
    other.refuse("inaturalist", &penalty).unwrap();
    let stopped_until = clock.now().plus(30 * SECOND);
    assert!(waiting.await.unwrap().at >= stopped_until);
}

#[tokio::test]
async fn a_newcomer_waits_for_one_slot_per_other_process() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { per_second: 1.0, burst: 1, ..Limits::unlimited() };
    let (bulk, clock) = file(&limits, &folder, None);
    let (person, _) = file(&limits, &folder, Some(&clock));
    let url = url();
    departures(&bulk, &clock, 1).await;
    let mut tasks: Vec<_> = (0..100).map(|_| Box::pin(bulk.acquire(&url, Patience::default(), &quiet))).collect();
    for task in &mut tasks {
        let _ = task.as_mut().now_or_never();
    }
    // One of the hundred sleeps until its slot, the others wait in their process.
    let wait = person.forecast(&url).unwrap();
    assert!(wait <= Duration::from_millis(2100), "{wait:?}");
    // In their process a newcomer is behind all of them, and knows it.
    assert!(bulk.forecast(&url).unwrap() > 98 * SECOND);
    let patience = Patience { max_delay: Some(50 * SECOND), ..Patience::default() };
    assert!(matches!(bulk.acquire(&url, patience, &quiet).await, Err(Refusal::TooLong { .. })));
}

#[tokio::test]
async fn tasks_of_one_process_share_the_limit() {
    for (limiter, clock, _folder) in both(&Limits { per_second: 1.0, burst: 2, ..Limits::unlimited() }) {
        let tasks: Vec<_> = (0..30)
            .map(|_| {
                let limiter = limiter.clone();
                tokio::spawn(async move { limiter.acquire(&url(), Patience::default(), &quiet).await.unwrap().at })
            })
            .collect();
        let mut left = Vec::new();
        for task in tasks {
            left.push(task.await.unwrap());
        }
        left.sort_unstable();
        for pair in left.windows(3) {
            assert!(pair[2].since(pair[0]) >= 2 * SECOND);
        }
        assert!(clock.slept() >= 28 * SECOND);
    }
}

/// Many come, and many give up at some point on the way to their slot: at the front, in the line, while the file is used.
/// Whoever stays gets a slot, and nobody is left in the line.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_gives_up_keeps_nobody_waiting() {
    for (limiter, clock, _folder) in both(&Limits { per_second: 10.0, burst: 1, ..Limits::unlimited() }) {
        let tasks: Vec<_> = (0..40)
            .map(|task| {
                let limiter = limiter.clone();
                tokio::spawn(async move {
                    let url = url();
                    let mut granted = 0;
                    for round in 0..10 {
                        let patience = Patience { max_delay: (task % 4 == 0).then_some(SECOND), ..Patience::default() };
                        let mut waiting = Box::pin(limiter.acquire(&url, patience, &quiet));
                        let polls = (task * 7 + round) % 12;
                        if polls > 5 {
                            granted += u32::from(waiting.await.is_ok());
                            continue;
                        }
                        for _ in 0..polls {
                            match waiting.as_mut().now_or_never() {
                                Some(answer) => {
                                    granted += u32::from(answer.is_ok());
                                    break;
                                }
                                None => tokio::task::yield_now().await,
                            }
                        }
                    }
                    granted
                })
            })
            .collect();
        let all = tokio::time::timeout(60 * SECOND, futures_util::future::join_all(tasks)).await;
        let granted: u32 = all.expect("somebody waits for ever").into_iter().map(Result::unwrap).sum();
        assert!(granted >= 150 && clock.slept() >= SECOND * (granted / 10 - 1), "{granted} in {:?}", clock.slept());
        clock.advance(5 * SECOND);
        let free = async {
            while limiter.forecast(&url()).unwrap() > Duration::ZERO {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(60 * SECOND, free).await.expect("somebody who is gone is still in the line");
    }
}

/// The clock is set while requests wait that are ready to wait for ten minutes: their patience is not over by that.
#[tokio::test]
async fn a_step_of_the_wall_clock_is_no_lost_patience() {
    for step in [365 * 86_400 * SECOND, 3600 * SECOND] {
        for back in [true, false] {
            for (limiter, clock, _folder) in both(&Limits::default()) {
                departures(&limiter, &clock, 5).await;
                let patience = Patience { max_delay: Some(600 * SECOND), ..Patience::default() };
                let steps = Mutex::new(Some(clock.clone()));
                let set = |_: &Wait| {
                    if let Some(clock) = steps.lock().unwrap().take() {
                        clock.set(if back { clock.now().minus(step) } else { clock.now().plus(step) });
                    }
                };
                let url = url();
                let tasks = (0..20).map(|_| limiter.acquire(&url, patience, &set));
                for answer in futures_util::future::join_all(tasks).await {
                    assert!(answer.is_ok(), "{step:?} {back}: {answer:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn steps_of_the_wall_clock_change_nothing() {
    let day = Duration::from_secs(86_400);
    for (limiter, clock, folder) in both(&Limits::default()) {
        for step in [3600 * SECOND, day, 365 * day] {
            for back in [true, false] {
                departures(&limiter, &clock, 5).await;
                let now = clock.now();
                clock.set(if back { now.minus(step) } else { now.plus(step) });
                let left = departures(&limiter, &clock, 5).await;
                assert!(left[0] > 4.9 && left[0] < 5.2, "{back} {step:?}: {left:?}");
                // A process that starts now is not fooled either.
                if let Some(folder) = &folder {
                    clock.set(now);
                    let (fresh, _) = file(&Limits::default(), folder, Some(&clock));
                    let left = departures(&fresh, &clock, 5).await;
                    assert!(left[0] > 4.9 && left[0] < 5.2, "fresh, {back} {step:?}: {left:?}");
                }
                clock.advance(60 * SECOND);
            }
        }
    }
}

#[tokio::test]
async fn a_clock_that_was_a_year_ahead_blocks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (ahead, clock) = file(&Limits::default(), &folder, None);
    clock.set(clock.now().plus(365 * 86_400 * SECOND));
    departures(&ahead, &clock, 20).await;
    ahead.close();
    // The machine was restarted, and its clock put right.
    let (right, clock) = file(&Limits::default(), &folder, None);
    let left = departures(&right, &clock, 5).await;
    assert!(left[4] <= 6.0, "{left:?}");
}

#[tokio::test]
async fn refresh_versions() {
    for (limiter, clock, _folder) in both(&Limits::default()) {
        let ask = |endpoint| limiter.refresh_version(endpoint).unwrap();
        assert_eq!([ask("a"), ask("b"), ask("a"), ask("a")], [None, None, Some(1), Some(2)]);
        clock.advance(121 * SECOND);
        assert_eq!(ask("a"), Some(3));
        clock.advance(SECOND);
        assert_eq!([ask("a"), ask("a")], [None, Some(1)]);
    }
}

#[tokio::test]
async fn bytes_of_media_hosts() {
    let photo = Url::parse("https://static.inaturalist.org/photos/1/original.jpg").unwrap();
    let limits = Limits { bytes: ByteLimits { per_hour: 1000, per_day: 1500 }, ..Limits::default() };
    for (limiter, clock, _folder) in both(&limits) {
        let take = async |bytes, max_delay| {
            let patience = Patience { max_delay, until: None };
            limiter.reserve_bytes(&photo, Some(bytes), patience, &quiet).await
        };
        let first = take(900, None).await.unwrap();
        assert!(matches!(take(200, Some(60 * SECOND)).await, Err(Refusal::TooLong { .. })));
        limiter.settle_bytes(first, 300).await.unwrap();
        assert_eq!(take(700, None).await.unwrap().waited, Duration::ZERO);
        let late = take(500, None).await.unwrap();
        assert!(late.waited >= 3600 * SECOND && late.waited <= 3660 * SECOND, "{late:?}");
        let report = limiter.budget().unwrap().into_iter().find(|report| report.bucket == "media").unwrap();
        assert_eq!((report.bytes[1].used, report.bytes[1].left), (1500, 0));
        // What is looked up beforehand says so, and takes nothing.
        assert!(report.wait > 22 * 3600 * SECOND, "{report:?}");
        assert!(limiter.forecast(&photo).unwrap() > 22 * 3600 * SECOND);
        let tomorrow = take(1, None).await.unwrap();
        assert!(tomorrow.waited > 22 * 3600 * SECOND, "{tomorrow:?}");
        assert!(clock.slept() < 25 * 3600 * SECOND);
    }
}

/// Bytes that were reserved for somebody who has left count for nothing.
#[test]
fn bytes_that_nobody_waits_for_are_given_back() {
    let photo = Url::parse("https://static.inaturalist.org/photos/1/original.jpg").unwrap();
    let limits = Limits { bytes: ByteLimits { per_hour: 1000, per_day: 1500 }, ..Limits::default() };
    // One thread that waits, so that what is asked of it is done in order.
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    for (limiter, _clock, _folder) in both(&limits) {
        let used = || {
            let report = limiter.budget().unwrap().into_iter().find(|report| report.bucket == "media").unwrap();
            report.bytes[1].used
        };
        runtime.block_on(async {
            let _ = limiter.reserve_bytes(&photo, Some(900), Patience::default(), &quiet).await.unwrap();
            for _ in 0..3 {
                let (go, wait) = std::sync::mpsc::channel::<()>();
                let busy = tokio::task::spawn_blocking(move || wait.recv());
                let leaves = limiter.reserve_bytes(&photo, Some(50), Patience::default(), &quiet).now_or_never();
                assert!(leaves.is_none(), "it has to wait for the file");
                go.send(()).unwrap();
                busy.await.unwrap().unwrap();
                // Behind the reservation, and behind its end.
                for _ in 0..2 {
                    tokio::task::spawn_blocking(|| {}).await.unwrap();
                }
                assert_eq!(used(), 900);
            }
        });
    }
}

#[tokio::test]
async fn the_account() {
    for (limiter, clock, _folder) in both(&Limits::default()) {
        departures(&limiter, &clock, 7).await;
        let reports = limiter.budget().unwrap();
        let report = reports.iter().find(|report| report.bucket == "inaturalist").unwrap();
        let plain: Vec<_> = report
            .windows
            .iter()
            .map(|window| (window.name.as_str(), window.limit, window.used, window.left))
            .collect();
        assert_eq!(plain, [("second", 5, 2, 3), ("minute", 60, 7, 53), ("day", 10_000, 7, 9_993)]);
        assert_eq!((report.reserved, report.wait, report.stopped_until), (0, Duration::ZERO, None));
        limiter.report(&url(), Outcome::Blocked).await.unwrap();
        let report = limiter.budget().unwrap().into_iter().find(|report| report.bucket == "inaturalist").unwrap();
        assert_eq!(report.stopped_until, Some(clock.now().plus(3600 * SECOND)));
        assert!(report.stopped_because.as_deref().unwrap().contains("help@inaturalist.org"));
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["windows"][1]["left"], 53);
        assert_eq!(json["wait_seconds"], 3600.0);
        assert!(json["stopped_until"].as_str().unwrap().starts_with("2026-01-01T01:00:0"));
    }
}

/// A slot that somebody waits for has not been used: no window ever shows more than its limit.
#[test]
fn the_account_tells_used_from_reserved() {
    let folder = tempfile::tempdir().unwrap();
    let ledgers: [Box<dyn Ledger>; 2] = [
        Box::new(MemoryLedger::new(Clock::manual())),
        Box::new(SqliteLedger::at(folder.path().join("ratelimit.db"), Clock::manual())),
    ];
    let windows = Limits::default().windows(false);
    let ask = Ask::new("b", &windows);
    for ledger in ledgers {
        for _ in 0..7 {
            ledger.reserve(&ask).unwrap();
        }
        let account = ledger.account(&ask).unwrap();
        assert_eq!((account.used, account.reserved), (vec![5, 5, 5], 2));
    }
}

#[test]
fn the_first_of_all_windows_is_told() {
    let ledger = MemoryLedger::new(Clock::manual());
    let windows = Limits::default().windows(false);
    let ask = Ask { max_wait: Some(Duration::ZERO), ..Ask::new("b", &windows) };
    for _ in 0..5 {
        assert!(matches!(ledger.reserve(&ask).unwrap(), Reserved::Slot(_)));
    }
    let Reserved::TooLong { why, .. } = ledger.reserve(&ask).unwrap() else { panic!("granted") };
    assert_eq!(why, inat_session::limit::Why::Window(WindowName::Second));
}

/// A ledger whose clock is set back an hour when the first slot has come.
#[derive(Debug)]
struct SetBack(MemoryLedger, AtomicBool);

impl Ledger for SetBack {
    fn reserve(&self, ask: &Ask<'_>) -> Result<Reserved, LedgerError> {
        // Something has to be waited for, else nobody asks again.
        Ok(match self.0.reserve(ask)? {
            Reserved::Slot(slot) => Reserved::Slot(Slot { wait: slot.wait.max(Duration::from_secs(1)), ..slot }),
            other => other,
        })
    }
    fn confirm(&self, ask: &Ask<'_>, slot: &Slot) -> Result<Confirmed, LedgerError> {
        if self.1.swap(true, Ordering::SeqCst) {
            return self.0.confirm(ask, slot);
        }
        Ok(Confirmed::Early { wait: Duration::from_secs(3600) })
    }
    fn release(&self, bucket: &str, slot: &Slot, at_once: bool) -> Result<bool, LedgerError> {
        self.0.release(bucket, slot, at_once)
    }
    fn forecast(&self, ask: &Ask<'_>, ahead: u64) -> Result<Reserved, LedgerError> {
        self.0.forecast(ask, ahead)
    }
    fn refuse(&self, bucket: &str, penalty: &Penalty) -> Result<(Duration, f64), LedgerError> {
        self.0.refuse(bucket, penalty)
    }
    fn succeed(&self, bucket: &str) -> Result<f64, LedgerError> {
        self.0.succeed(bucket)
    }
    fn reserve_bytes(&self, ask: &ByteAsk<'_>) -> Result<ReservedBytes, LedgerError> {
        self.0.reserve_bytes(ask)
    }
    fn forecast_bytes(&self, ask: &ByteAsk<'_>) -> Result<Duration, LedgerError> {
        self.0.forecast_bytes(ask)
    }
    fn settle_bytes(&self, bucket: &str, slot: &ByteSlot, actual: u64) -> Result<(), LedgerError> {
        self.0.settle_bytes(bucket, slot, actual)
    }
    fn refresh_version(&self, endpoint: &str, hold: Duration) -> Result<Option<u32>, LedgerError> {
        self.0.refresh_version(endpoint, hold)
    }
    fn buckets(&self) -> Result<Vec<String>, LedgerError> {
        self.0.buckets()
    }
    fn account(&self, ask: &Ask<'_>) -> Result<Account, LedgerError> {
        self.0.account(ask)
    }
    fn close(&self) {
        self.0.close();
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_keep_anybody_beyond_what_he_would_wait() {
    let clock = Clock::manual();
    let ledger = Arc::new(SetBack(MemoryLedger::new(clock.clone()), AtomicBool::default()));
    let limiter = Limiter::new(Limits::default(), ledger, clock.clone());
    let patience = Patience { max_delay: Some(Duration::from_secs(60)), until: None };
    let refused = limiter.acquire(&url(), patience, &|_| {}).await.unwrap_err();
    assert!(matches!(refused, Refusal::TooLong { until } if until > clock.now()), "{refused:?}");
    assert!(clock.slept() < Duration::from_secs(60), "{:?}", clock.slept());
}
