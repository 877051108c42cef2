//! The budget on the path: who pays, who waits, and who is told to go away.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use inat_session::limit::BucketReport;
use inat_session::{
    Clock, Fault, Kind, Origin, Outgoing, Request, Script, Sending, Session, Stage, Transport, blocking,
};

use crate::support::{
    BODY, Gate, JSON, Stub, always, arriving, offline, ok, reply, scripted, secs, until_async, waits,
};

const TAXA: &str = "taxa/1";

fn used(buckets: &[BucketReport], name: &str) -> u64 {
    let windows = buckets.iter().filter(|bucket| bucket.bucket.contains(name)).flat_map(|bucket| &bucket.windows);
    windows.map(|window| window.used).max().unwrap_or(0)
}

fn spent(inat: &blocking::Session) -> u64 {
    used(&inat.budget().unwrap(), "")
}

#[test]
fn every_try_pays_and_hits_do_not() {
    let script = Script::new()
        .answer(503, &[], "")
        .answer(200, &[JSON], "{\"cut")
        .fail(Fault::Reset("gone".to_owned()))
        .busy(secs(1))
        .answer(200, &[JSON], BODY);
    let (inat, _) = scripted(&script);
    assert_eq!(inat.get(TAXA).unwrap().origin().attempts(), 5);
    for _ in 0..3 {
        inat.get(TAXA).unwrap();
    }
    assert_eq!(spent(&inat), 5);
}

#[test]
fn every_hop_of_a_redirect_pays() {
    let clock = Clock::manual();
    let stub = Stub::at_once(&clock, |number, _| {
        Ok(if number < 3 { reply(302, &[("location", &format!("/{number}"))], "") } else { ok(&[]) })
    });
    let inat = waits(offline(stub, &clock));
    inat.send(Request::get(TAXA).allow_redirects(true)).unwrap();
    assert_eq!(spent(&inat), 4);
}

#[test]
fn the_waits_of_all_hops_of_a_redirect_are_told() {
    let clock = Clock::manual();
    let stub = Stub::at_once(&clock, |number, _| {
        Ok(if number == 1 { reply(302, &[("location", "/x")], "") } else { ok(&[]) })
    });
    let inat = waits(offline(stub, &clock).per_second(0.0).per_minute(1.0));
    inat.send(Request::get(TAXA)).unwrap();
    let answer = inat.send(Request::get(TAXA).refresh().allow_redirects(true)).unwrap();
    assert!(matches!(answer.origin(), Origin::Network { waited, .. } if *waited > secs(119)), "{:?}", answer.origin());
}

#[test]
fn a_server_that_throttles_for_ever_is_given_up_after_an_hour() {
    for script in [Script::new().answer(429, &[JSON], "{}"), Script::new().busy(secs(60)), Script::new().busy(secs(0))]
    {
        let (inat, clock) = scripted(&script);
        let error = inat.get(TAXA).unwrap_err();
        assert!(matches!(error.kind(), Kind::Limited { .. } | Kind::Status(_)), "{error:?}");
        assert!(clock.slept() >= secs(3500) && clock.slept() < secs(3 * 3600), "{:?}", clock.slept());
        assert!(error.attempts() > 10 && error.attempts() < 5000, "{}", error.attempts());
        assert_eq!(error.attempts() as usize, script.seen().len());
    }
}

#[test]
fn throttling_is_no_failure() {
    // Ten 429s and two 503s with two retries: the 429s are waited out, not counted.
    let mut script = Script::new();
    for _ in 0..10 {
        script = script.busy(secs(1));
    }
    let script = script.answer(503, &[], "").busy(secs(1)).answer(503, &[], "").answer(200, &[JSON], BODY);
    let clock = Clock::manual();
    let inat = waits(offline(script.clone(), &clock).max_retries(2));
    assert_eq!(inat.get(TAXA).unwrap().origin().attempts(), 14);
}

#[test]
fn a_post_that_was_throttled_is_sent_again() {
    let script = Script::new().busy(secs(1)).answer(200, &[JSON], "{}");
    let (inat, _) = scripted(&script);
    inat.send(Request::post("observations").json(&serde_json::json!({"a": 1}))).unwrap();
    let bodies: Vec<_> = script.seen().iter().map(|seen| seen.body().clone()).collect();
    assert_eq!(bodies, ["{\"a\":1}", "{\"a\":1}"]);
}

#[test]
fn beyond_the_cap_nobody_sends_until_then() {
    let script = Script::new().busy(secs(7200)).answer(200, &[JSON], BODY);
    let (inat, clock) = scripted(&script);
    for _ in 0..3 {
        let error = inat.get(TAXA).unwrap_err();
        assert!(matches!(error.kind(), Kind::RetryAfter { .. }), "{error:?}");
        assert!(error.is_transient() && error.hint().is_some());
    }
    assert_eq!((script.seen().len(), clock.slept()), (1, Duration::ZERO));
    clock.advance(secs(7201));
    assert_eq!(inat.get(TAXA).unwrap().status(), 200);

    let clock = Clock::manual();
    let script = Script::new().busy(secs(7200)).answer(200, &[JSON], BODY);
    let inat = waits(offline(script, &clock).retry_after_cap(secs(8000)));
    assert_eq!(inat.get(TAXA).unwrap().status(), 200);
    assert!(clock.slept() >= secs(7200));
}

/// Whoever does not retry still tells everybody else to stop.
#[test]
fn a_refusal_that_is_not_retried_stops_the_bucket_all_the_same() {
    let busy = || Script::new().answer(429, &[("retry-after", "30")], "").answer(200, &[JSON], BODY);
    let unwell = || Script::new().answer(503, &[("retry-after", "30")], "").answer(200, &[JSON], BODY);
    for (script, request) in [
        (busy(), Request::get(TAXA).retries(0)),
        (unwell(), Request::get(TAXA).retries(0)),
        (unwell(), Request::post(TAXA)),
    ] {
        let (inat, clock) = scripted(&script);
        let error = inat.send(request).unwrap_err();
        assert!(matches!(error.kind(), Kind::Status(_)), "{error:?}");
        assert_eq!(clock.slept(), Duration::ZERO);
        inat.get("taxa/2").unwrap();
        assert!(clock.slept() >= secs(30), "{:?}", clock.slept());
    }
}

#[test]
fn a_block_page_ends_everything_for_a_while() {
    let page = "<html><p>This IP has been blocked. Contact us</p></html>";
    let script = Script::new().answer(403, &[("content-type", "text/html")], page).answer(200, &[JSON], BODY);
    let (inat, clock) = scripted(&script);
    for _ in 0..2 {
        let error = inat.get(TAXA).unwrap_err();
        assert!(matches!(error.kind(), Kind::Blocked { .. }), "{error:?}");
    }
    assert_eq!(script.seen().len(), 1, "asking again makes it worse");
    inat.get("https://elsewhere.example/").unwrap();
    clock.advance(secs(3700));
    assert_eq!(inat.get(TAXA).unwrap().status(), 200);
}

#[test]
fn a_wait_longer_than_allowed_takes_nothing() {
    let clock = Clock::manual();
    let script = always(&[]);
    let inat = waits(offline(script.clone(), &clock).per_second(0.0).per_minute(1.0).max_delay(secs(10)));
    inat.get("taxa/1").unwrap();
    for _ in 0..3 {
        let error = inat.get("taxa/2").unwrap_err();
        assert!(matches!(error.kind(), Kind::Limited { .. }), "{error:?}");
        assert_eq!(error.stage(), Stage::Limit);
    }
    assert_eq!((script.seen().len(), clock.slept(), spent(&inat)), (1, Duration::ZERO, 1));
    assert!(inat.get("taxa/1").unwrap().is_from_cache(), "what is cached needs no slot");
    let mut patient = Request::get("taxa/2");
    patient.options.max_delay = Some(secs(1000));
    assert!(matches!(inat.send(&patient).unwrap_err().kind(), Kind::Limited { .. }), "the shorter one counts");
    clock.advance(secs(55));
    inat.get("taxa/2").unwrap();
    assert!(clock.slept() < secs(10));
}

#[test]
fn a_deadline_that_a_wait_would_break_is_known_at_once() {
    let clock = Clock::manual();
    let script = always(&[]);
    let inat = waits(offline(script.clone(), &clock).per_second(0.0).per_minute(1.0));
    inat.get("taxa/1").unwrap();
    let error = inat.send(Request::get("taxa/2").deadline(secs(10))).unwrap_err();
    assert!(matches!(error.kind(), Kind::Limited { .. } | Kind::Deadline(_)), "{error:?}");
    assert_eq!((script.seen().len(), clock.slept(), spent(&inat)), (1, Duration::ZERO, 1));
    inat.send(Request::get("taxa/2").deadline(secs(100))).unwrap();
    assert_eq!(script.seen().len(), 2);
}

#[test]
fn a_deadline_ends_the_waiting_for_a_throttling_server() {
    let script = Script::new().busy(secs(30));
    let (inat, clock) = scripted(&script);
    inat.send(Request::get(TAXA).deadline(secs(100))).unwrap_err();
    assert!(clock.slept() <= secs(100), "{:?}", clock.slept());
    assert!(script.seen().len() <= 5);
}

#[test]
fn a_budget_that_cannot_be_kept_sends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a file");
    std::fs::write(&file, "not a folder").unwrap();
    let theirs = folder.path().join("theirs.db");
    rusqlite::Connection::open(&theirs).unwrap().execute_batch("CREATE TABLE photos (id INTEGER)").unwrap();
    for path in [file.join("budget.db"), folder.path().to_owned(), theirs] {
        let clock = Clock::manual();
        let script = always(&[]);
        let inat = waits(offline(script.clone(), &clock).ratelimit_path(&path));
        let error = inat.get(TAXA).unwrap_err();
        assert!(matches!(error.kind(), Kind::Budget(_)), "{}: {error:?}", path.display());
        assert!(error.hint().is_some());
        assert_eq!(script.seen().len(), 0, "{}", path.display());
    }
}

#[test]
fn a_locked_budget_is_waited_for_within_a_bound() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("budget.db");
    let clock = Clock::manual();
    let script = always(&[]);
    let inat = waits(offline(script.clone(), &clock).ratelimit_path(&file));
    inat.get("taxa/1").unwrap();
    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = inat.get("taxa/2").unwrap_err();
    assert!(matches!(error.kind(), Kind::Budget(_)), "{error:?}");
    assert_eq!(script.seen().len(), 1);
    other.execute_batch("ROLLBACK").unwrap();
    inat.get("taxa/2").unwrap();
}

#[test]
fn sessions_on_one_budget_file_share_it() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual();
    let script = always(&[]);
    let open = || {
        let budget = folder.path().join("budget.db");
        waits(
            offline(script.clone(), &clock)
                .ratelimit_path(budget)
                .per_second(0.0)
                .per_minute(3.0)
                .max_delay(Duration::ZERO),
        )
    };
    let (one, two) = (open(), open());
    for inat in [&one, &two, &one] {
        inat.send(Request::get(TAXA).force_refresh()).unwrap();
    }
    for inat in [&one, &two] {
        assert!(matches!(inat.send(Request::get(TAXA).force_refresh()).unwrap_err().kind(), Kind::Limited { .. }));
    }
}

#[test]
fn the_api_and_the_site_share_a_bucket_and_others_have_their_own() {
    let clock = Clock::manual();
    let inat = waits(offline(always(&[]), &clock).per_second(0.0).per_minute(2.0).max_delay(Duration::ZERO));
    inat.get("https://api.inaturalist.org/v1/taxa/1").unwrap();
    inat.get("https://www.inaturalist.org/places/1").unwrap();
    assert!(inat.get("https://api.inaturalist.org/v1/taxa/2").is_err());
    inat.get("https://elsewhere.example/1").unwrap();

    let inat =
        waits(offline(always(&[]), &clock).per_host(false).per_second(0.0).per_minute(2.0).max_delay(Duration::ZERO));
    inat.get("https://api.inaturalist.org/v1/taxa/1").unwrap();
    inat.get("https://elsewhere.example/1").unwrap();
    assert!(inat.get("https://third.example/1").is_err());
}

/// A caller who leaves while waiting for a slot leaves the slot behind.
#[tokio::test]
async fn leaving_while_waiting_hands_the_slot_back() {
    let clock = Clock::system();
    let stub = Stub::at_once(&clock, |_, _| Ok(ok(&[])));
    let inat = offline(stub.clone(), &clock).per_second(0.0).per_minute(0.0).per_hour(1.0).build().unwrap();
    inat.get("taxa/1").await.unwrap();
    let waiting = tokio::spawn({
        let inat = inat.clone();
        async move { inat.get("taxa/2").await }
    });
    until_async("the second slot is taken", || used(&inat.budget().unwrap(), "") == 2 || next_is_far(&inat)).await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    until_async("it is given back", || !next_is_far(&inat)).await;
    assert_eq!(stub.count(), 1);
}

/// Whether the next slot is more than one window away: somebody holds the one before.
fn next_is_far(inat: &Session) -> bool {
    inat.budget().unwrap().iter().any(|bucket| bucket.wait > secs(3700))
}

#[tokio::test]
async fn leaving_while_sending_leaves_the_next_one_in_peace() {
    let (clock, gate) = (Clock::manual(), Gate::shut());
    let stub = Stub::gated(&clock, &gate, |_, _| ok(&[]));
    let inat = offline(stub.clone(), &clock).build().unwrap();
    for round in 1..4 {
        let sending = tokio::spawn({
            let inat = inat.clone();
            async move { inat.get(TAXA).await }
        });
        until_async("it is sent", || stub.count() == round).await;
        sending.abort();
        assert!(sending.await.is_err());
    }
    gate.open();
    // The last one that was left may come to its end now, and be kept.
    assert_eq!(inat.send(Request::get(TAXA).force_refresh()).await.unwrap().text().unwrap(), BODY);
    assert_eq!(stub.count(), 4);
}

#[test]
fn the_listener_hears_why_it_waits() {
    let clock = Clock::manual();
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let ears = heard.clone();
    let script = Script::new().busy(secs(2)).answer(503, &[], "").answer(503, &[], "").answer(200, &[JSON], BODY);
    let inat = waits(offline(script, &clock).on_event(move |event| ears.lock().unwrap().push(event.clone())));
    inat.get(TAXA).unwrap();
    let heard = heard.lock().unwrap();
    let waits: Duration = heard.iter().filter_map(|event| event.wait).max().unwrap();
    assert!(waits >= secs(2) && waits < secs(5), "{heard:?}");
    let about = |event: &inat_session::Event| (event.method.to_string(), event.url.clone());
    let asked = ("GET".to_owned(), format!("{}{TAXA}", Session::API));
    assert!(heard.iter().all(|event| about(event) == asked), "{heard:?}");
    for stage in [Stage::Transport, Stage::Limit, Stage::Retry, Stage::Store] {
        assert!(heard.iter().any(|event| event.stage == stage), "{stage}: {heard:?}");
    }
}

/// Makes a connection for every request, which takes its time.
struct Connects {
    clock: Clock,
    takes: Duration,
    left: Arc<Mutex<Vec<Duration>>>,
}

impl Transport for Connects {
    fn send(&self, outgoing: Outgoing) -> Sending<'_> {
        Box::pin(async move {
            self.clock.advance(self.takes);
            if !outgoing.departure.may_leave().await {
                return Err(Fault::Connect("it may not leave".to_owned()));
            }
            self.left.lock().unwrap().push(self.clock.monotonic());
            Ok(reply(200, &[JSON], BODY))
        })
    }
}

#[test]
fn who_is_slow_to_connect_leaves_at_the_right_distance_all_the_same() {
    let (clock, left) = (Clock::manual(), Arc::<Mutex<Vec<Duration>>>::default());
    let transport = |takes| Connects { clock: clock.clone(), takes, left: left.clone() };
    let folder = tempfile::tempdir().unwrap();
    let session = |takes| {
        let builder = Session::builder().transport(transport(takes)).clock(clock.clone()).cache_disabled(true);
        waits(builder.ratelimit_path(folder.path().join("budget.db")).per_second(1.0).burst(1))
    };
    // Whoever is slow goes first, and whoever is not comes close.
    let (slow, quick) = (session(Duration::from_millis(700)), session(Duration::ZERO));
    for _ in 0..5 {
        assert!(slow.get(TAXA).unwrap().origin().attempts() == 1);
        quick.get(TAXA).unwrap();
    }
    let left = left.lock().unwrap().clone();
    assert!(left.windows(2).all(|pair| pair[1].saturating_sub(pair[0]) >= secs(1)), "{left:?}");
    assert!(left[9].saturating_sub(left[0]) < secs(20), "nothing is wasted: {left:?}");
}

#[test]
fn where_the_budget_cannot_say_whether_it_may_leave_nothing_is_sent() {
    let (clock, left) = (Clock::manual(), Arc::<Mutex<Vec<Duration>>>::default());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("budget.db");
    let connects = Connects { clock: clock.clone(), takes: secs(1), left: left.clone() };
    let locks = Locks { connects, file: file.clone() };
    let builder = Session::builder().transport(locks).clock(clock).cache_disabled(true).ratelimit_path(file);
    let error = waits(builder).get(TAXA).unwrap_err();
    assert!(matches!(error.kind(), Kind::Budget(_)) && error.attempts() == 0, "{error:?}");
    assert!(left.lock().unwrap().is_empty());
}

/// While this one connects, another program locks the budget.
struct Locks {
    connects: Connects,
    file: PathBuf,
}

impl Transport for Locks {
    fn send(&self, outgoing: Outgoing) -> Sending<'_> {
        Box::pin(async move {
            let other = rusqlite::Connection::open(&self.file).unwrap();
            other.execute_batch("BEGIN IMMEDIATE").unwrap();
            self.connects.send(outgoing).await
        })
    }
}

/// Is told that it may not leave on the connection it makes, when it has left already on one that came free meanwhile.
struct LeavesAnyway {
    clock: Clock,
    file: PathBuf,
    told: Arc<Mutex<Vec<bool>>>,
}

impl Transport for LeavesAnyway {
    fn send(&self, outgoing: Outgoing) -> Sending<'_> {
        Box::pin(async move {
            let other = rusqlite::Connection::open(&self.file).unwrap();
            other.execute_batch("BEGIN IMMEDIATE").unwrap();
            self.clock.advance(secs(1));
            let may = outgoing.departure.may_leave().await;
            self.told.lock().unwrap().push(may);
            Ok(reply(201, &[JSON], BODY))
        })
    }
}

#[test]
fn an_answer_that_is_here_is_the_answer_whatever_the_budget_says_of_a_connection() {
    let (clock, told) = (Clock::manual(), Arc::<Mutex<Vec<bool>>>::default());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("budget.db");
    let transport = LeavesAnyway { clock: clock.clone(), file: file.clone(), told: told.clone() };
    let builder = Session::builder().transport(transport).clock(clock).cache_disabled(true).ratelimit_path(file);
    let answer = waits(builder).send(Request::post("observations")).unwrap();
    assert_eq!((answer.status().as_u16(), answer.origin().attempts()), (201, 1));
    assert_eq!(*told.lock().unwrap(), [false], "it was refused");
}

/// Who has an answer finds its bytes counted: the program may end now.
#[test]
fn bytes_are_counted_before_the_answer_is_handed_over() {
    let clock = Clock::manual();
    let photo = |number| format!("https://static.inaturalist.org/photos/{number}/original.jpg");
    let stub = Stub::at_once(&clock, |_, _| Ok(reply(200, &[("content-type", "image/jpeg")], "x".repeat(5000))));
    let inat = waits(offline(stub, &clock).cache_disabled(true));
    for number in 1..=20 {
        inat.get(&photo(number)).unwrap();
        let report = inat.budget().unwrap().into_iter().find(|report| report.bucket == "media").unwrap();
        assert_eq!(report.bytes[0].used, number * 5000);
    }
}

/// The length that an answer without a body may name is that of another's: no bytes are waited for.
#[test]
fn what_has_no_body_takes_no_bytes() {
    let clock = Clock::manual();
    let photo = "https://static.inaturalist.org/photos/1/original.jpg";
    let stub = Stub::at_once(&clock, |_, seen| match seen.field("if-none-match") {
        Some(_) => Ok(reply(304, &[("content-length", "4500000000")], "")),
        None => Ok(reply(200, &[("content-length", "4500000000")], "")),
    });
    let inat = waits(offline(stub.clone(), &clock).cache_disabled(true));
    for _ in 0..5 {
        inat.send(Request::head(photo)).unwrap();
        let unchanged = inat.send(Request::get(photo).header("If-None-Match", "\"1\"")).unwrap();
        assert!(unchanged.bytes().unwrap().is_empty());
    }
    let report = inat.budget().unwrap().into_iter().find(|report| report.bucket == "media");
    assert!(report.is_none_or(|report| report.bytes.iter().all(|window| window.used == 0)));
    assert!(clock.slept() < secs(60), "{:?}", clock.slept());
}

/// Who is asked too often may not have the time to say it whole.
#[tokio::test]
async fn a_refusal_whose_body_is_cut_is_a_refusal() {
    let clock = Clock::manual();
    let stub = Stub::at_once(&clock, |number, _| {
        let cut = || futures_util::stream::iter([Err(Fault::Truncated("half".to_owned()))]);
        Ok(if number < 5 { arriving(429, &[("retry-after", "30")], Box::pin(cut())) } else { ok(&[]) })
    });
    let inat = offline(stub.clone(), &clock).max_retries(1).build().unwrap();
    assert_eq!(inat.get(TAXA).await.unwrap().text().unwrap(), BODY);
    let seen = stub.seen();
    assert_eq!(seen.len(), 6, "they are waited out, and do not count as failures");
    for (one, next) in seen.iter().zip(&seen[1..]) {
        assert!(next.at.since(one.at) >= secs(30));
    }
}
