//! Setting a session up: what each setting does to what goes out, and what is refused at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use inat_session::cache::{Entry, Key};
use inat_session::limit::{Limits, MemoryLedger};
use inat_session::store::{Listed, MemoryStore, Stats, Store, StoreError, Stored};
use inat_session::{Clock, Expiry, Kind, MockResponse, Request, Script, Session, SessionBuilder, Stage, Timestamp};

use crate::support::{BODY, JSON, Stub, always, offline, ok, scripted, secs, until_async, waits};

const TAXA: &str = "taxa/1";

type Build = fn(SessionBuilder) -> SessionBuilder;

#[test]
fn who_asks() {
    let clock = Clock::manual();
    let script = always(&[]);
    let builder = offline(script.clone(), &clock).user_agent("flutter-atlas/0.3 (+https://example.org/atlas)");
    waits(builder.header("X-Project", "atlas")).get(TAXA).unwrap();
    waits(offline(script.clone(), &clock)).get(TAXA).unwrap();
    waits(offline(script.clone(), &clock).plain()).get(TAXA).unwrap();
    let seen = script.seen();
    let agent =
        |number: usize| seen[number].headers().get("user-agent").map(|value| value.to_str().unwrap().to_owned());
    let own = agent(1).unwrap();
    assert!(own.starts_with("inat-session/"), "{own}");
    assert_eq!(agent(0).unwrap(), format!("{own} flutter-atlas/0.3 (+https://example.org/atlas)"));
    assert_eq!(
        (seen[0].headers()["accept"].as_bytes(), seen[0].headers()["x-project"].as_bytes()),
        (&b"application/json"[..], &b"atlas"[..])
    );
    assert_eq!((agent(2), seen[2].headers().contains_key("accept")), (None, false), "a gateway adds nothing");
}

#[test]
fn the_base() {
    let clock = Clock::manual();
    for (base, path, expected) in [
        ("https://api.inaturalist.org/v2/", "taxa/1", "https://api.inaturalist.org/v2/taxa/1"),
        ("http://127.0.0.1:3000/v1", "taxa/1", "http://127.0.0.1:3000/v1/taxa/1"),
        ("http://127.0.0.1:3000/v1/", "http://elsewhere.example/a", "http://elsewhere.example/a"),
    ] {
        let script = always(&[]);
        waits(offline(script.clone(), &clock).base_url(base)).get(path).unwrap();
        assert_eq!(script.seen()[0].uri().to_string(), expected);
    }
}

#[test]
fn what_is_wrong_is_said_when_the_session_is_built() {
    let rows: [(Build, &str); 14] = [
        (|b| b.base_url("not a url"), "base URL"),
        (|b| b.base_url("ftp://h.example/"), "http"),
        (|b| b.per_second(f64::NAN), "per_second"),
        (|b| b.per_minute(-1.0), "per_minute"),
        (|b| b.per_day(f64::INFINITY), "per_day"),
        (|b| b.burst(0), "burst"),
        (|b| b.allowable_codes([200, 7]), "7"),
        (|b| b.limit_statuses([1429]), "1429"),
        (|b| b.limits(Limits { per_hour: -3.0, ..Limits::default() }), "per_hour"),
        (|b| b.timeout(Duration::ZERO), "timeout is 0"),
        (|b| b.write_timeout(Duration::ZERO), "write_timeout is 0"),
        (|b| b.backoff_factor(-0.5), "backoff_factor"),
        (|b| b.backoff_factor(f64::NAN), "backoff_factor"),
        (|b| b.backoff_jitter(f64::INFINITY), "backoff_jitter"),
    ];
    for (wrong, named) in rows {
        let error = wrong(offline(always(&[]), &Clock::manual())).build().unwrap_err();
        assert!(matches!(error.kind(), Kind::Config(_)), "{error:?}");
        assert!(error.stage() == Stage::Build && error.to_string().contains(named), "{error}");
        assert!(error.hint().is_some(), "{error}");
    }
}

#[test]
fn building_opens_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, budget) = (folder.path().join("cache.db"), folder.path().join("budget.db"));
    let inat = Session::builder().cache_file(&cache).ratelimit_path(&budget).build().unwrap();
    assert!(!cache.exists() && !budget.exists());
    drop(inat);
    assert!(!cache.exists() && !budget.exists());
}

#[test]
fn a_store_and_a_ledger_of_ones_own() {
    let clock = Clock::manual();
    let script = always(&[]);
    let inat = waits(
        Session::builder()
            .transport(script.clone())
            .clock(clock.clone())
            .store(MemoryStore::new(1 << 20))
            .ledger(MemoryLedger::new(clock.clone())),
    );
    inat.get(TAXA).unwrap();
    assert!(inat.get(TAXA).unwrap().is_from_cache());
    assert_eq!(inat.budget().unwrap()[0].windows[0].used, 1);
}

#[test]
fn what_the_reference_needs_and_this_does_not() {
    let clock = Clock::manual();
    for use_it in [true, false] {
        let inat = waits(offline(always(&[]), &clock).use_file_lock(use_it));
        assert_eq!(inat.get(TAXA).unwrap().status(), 200);
    }
}

#[test]
fn hours_and_months() {
    for (build, length) in [((|b| b.per_hour(2.0)) as Build, 3600), (|b| b.per_month(2.0), 30 * 86_400)] {
        let clock = Clock::manual();
        let stub = Stub::at_once(&clock, |_, _| Ok(ok(&[])));
        let inat = waits(build(offline(stub.clone(), &clock).unlimited()));
        for id in 1..=3 {
            inat.send(Request::get("taxa").ids([id])).unwrap();
        }
        let seen = stub.seen();
        assert!(seen[1].at.since(seen[0].at) < secs(1));
        assert!(seen[2].at.since(seen[0].at) >= secs(length), "{length}");
    }
}

#[test]
fn statuses_that_mean_slow_down() {
    let clock = Clock::manual();
    let script = Script::new().answer(420, &[], "enhance your calm").answer(200, &[JSON], BODY);
    let inat = waits(offline(script.clone(), &clock).limit_statuses([420, 429]));
    assert_eq!(inat.get(TAXA).unwrap().origin().attempts(), 2);
    assert!(clock.slept() >= secs(1));
    let script = Script::new().answer(420, &[], "enhance your calm");
    assert!(scripted(&script).0.get(TAXA).is_err());
    assert_eq!(script.seen().len(), 1, "not by default");
}

#[test]
fn buckets_with_a_name_are_counted_apart() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual();
    let open = |name: Option<&str>| {
        let builder = offline(always(&[]), &clock)
            .ratelimit_path(folder.path().join("budget.db"))
            .unlimited()
            .per_minute(1.0)
            .max_delay(Duration::ZERO);
        waits(match name {
            Some(name) => builder.bucket_name(name),
            None => builder,
        })
    };
    for name in [Some("a"), Some("b"), None] {
        open(name).get(TAXA).unwrap();
    }
    for name in [Some("a"), Some("b"), None] {
        assert!(open(name).get("taxa/2").is_err(), "{name:?}");
    }
}

#[test]
fn the_answer_of_a_dry_run_can_be_made_by_hand() {
    let (inat, clock) = scripted(&always(&[]));
    let request = Request::get(TAXA);
    let (prepared, plan) = (inat.prepare(&request).unwrap(), inat.plan(&request).unwrap());
    let mock = MockResponse::default().status(http::StatusCode::CREATED).body(serde_json::json!({"id": 7}));
    let answer = mock.answer(&prepared, plan, clock.now());
    assert_eq!((answer.status().as_u16(), answer.reason(), answer.get("id")), (201, "DRY_RUN", 7.into()));
    assert_eq!(
        (answer.elapsed(), answer.expiry(), answer.received()),
        (Duration::ZERO, Expiry::NotStored, clock.now())
    );
    assert!(answer.history().is_empty() && !answer.is_from_cache());
    assert_eq!(answer.url(), &prepared.url);
}

/// A store whose writes wait until the other end of a channel is dropped.
#[derive(Debug)]
struct Slow {
    store: MemoryStore,
    begun: Arc<AtomicUsize>,
    door: Mutex<Receiver<()>>,
}

impl Store for Slow {
    fn variants(&self, key: &Key, now: Timestamp) -> Result<Vec<Stored>, StoreError> {
        self.store.variants(key, now)
    }
    fn body(&self, stored: &Stored) -> Result<Option<Bytes>, StoreError> {
        self.store.body(stored)
    }
    fn put(&self, key: &Key, entry: &Entry, body: &Bytes, now: Timestamp) -> Result<(), StoreError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let _ = self.door.lock().unwrap().recv_timeout(secs(30));
        self.store.put(key, entry, body, now)
    }
    fn freshen(&self, key: &Key, id: i64, entry: &Entry, now: Timestamp) -> Result<bool, StoreError> {
        self.store.freshen(key, id, entry, now)
    }
    fn remove(&self, key: &Key, id: i64) -> Result<(), StoreError> {
        self.store.remove(key, id)
    }
    fn invalidate(&self, resources: &[String]) -> Result<u64, StoreError> {
        self.store.invalidate(resources)
    }
    fn lease(&self, key: &Key, holder: u64, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        self.store.lease(key, holder, now, until)
    }
    fn release(&self, key: &Key, holder: u64) -> Result<(), StoreError> {
        self.store.release(key, holder)
    }
    fn list(&self, pattern: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.store.list(pattern, limit)
    }
    fn clear(&self, pattern: Option<&str>) -> Result<u64, StoreError> {
        self.store.clear(pattern)
    }
    fn prune(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.store.prune(now)
    }
    fn stats(&self) -> Result<Stats, StoreError> {
        self.store.stats()
    }
    fn close(&self) {
        self.store.close();
    }
}

/// A caller who leaves while his answer is being written leaves a whole entry behind, or none.
#[tokio::test]
async fn leaving_while_storing() {
    let (clock, begun, (shut, door)) = (Clock::manual(), Arc::default(), channel());
    let store = Slow { store: MemoryStore::new(1 << 20), begun: Arc::clone(&begun), door: Mutex::new(door) };
    let stub = Stub::at_once(&clock, |_, _| Ok(ok(&[])));
    let inat = offline(stub.clone(), &clock).store(store).build().unwrap();
    let storing = tokio::spawn({
        let inat = inat.clone();
        async move { inat.get(TAXA).await }
    });
    until_async("it is being written", || begun.load(Ordering::SeqCst) == 1).await;
    storing.abort();
    assert!(storing.await.is_err());
    drop(shut);
    until_async("it is written", || inat.cache().stats().unwrap().entries == 1).await;
    let answer = inat.get(TAXA).await.unwrap();
    assert_eq!((answer.is_from_cache(), &*answer.text().unwrap(), stub.count()), (true, BODY, 1));
}

/// What no request could be sent with is refused at once, and not with the first request.
#[test]
fn settings_that_no_request_can_use_are_refused() {
    let refused: [Build; 4] = [
        |builder| builder.user_agent("a\nb"),
        |builder| builder.header("bad name", "x"),
        |builder| builder.header("X-Project", "a\r\nb: c"),
        |builder| builder.token(inat_session::Token::new("T0P\nS3CRET")),
    ];
    for (number, refused) in refused.into_iter().enumerate() {
        let error = refused(offline(always(&[]), &Clock::manual())).build().unwrap_err();
        assert!(matches!(error.kind(), Kind::Config(_)), "{number}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("S3CRET"));
    }
}

#[test]
fn a_session_may_rehearse_all_its_requests_or_those_that_write() {
    let rows: [(Build, [bool; 2]); 4] = [
        (|builder| builder, [false, false]),
        (|builder| builder.dry_run(true), [true, true]),
        (|builder| builder.dry_run(false), [false, false]),
        (|builder| builder.dry_run_write_only(true), [false, true]),
    ];
    for (number, (build, dry)) in rows.into_iter().enumerate() {
        let script = always(&[]);
        let inat = waits(build(offline(script.clone(), &Clock::manual())));
        for (request, dry) in [Request::get(TAXA), Request::delete(TAXA)].into_iter().zip(dry) {
            let is_dry =
                |request: Request| matches!(inat.send(request).unwrap().origin(), inat_session::Origin::DryRun(_));
            assert_eq!(is_dry(request.clone()), dry, "{number}");
            assert!(!is_dry(request.clone().dry_run(false)), "{number}: the request's own word counts");
            assert!(is_dry(request.dry_run(true)), "{number}");
        }
    }
}

#[test]
fn a_session_may_take_any_certificate() {
    let clock = Clock::manual();
    for (session, request, checked) in [(true, true, true), (true, false, false), (false, true, false)] {
        let stub = Stub::at_once(&clock, |_, _| Ok(ok(&[])));
        let inat = waits(offline(stub.clone(), &clock).verify(session));
        inat.send(Request::get(TAXA).verify(request)).unwrap();
        inat.send(inat.prepare(&Request::get("taxa/2").verify(request)).unwrap()).unwrap();
        assert!(stub.seen().iter().all(|seen| seen.verify == checked), "{session} {request}");
    }
}

#[test]
fn only_headers_takes_no_switch_back() {
    let clock = Clock::manual();
    let script = always(&[("cache-control", "max-age=60")]);
    let inat = waits(offline(script.clone(), &clock).cache_disabled(true).headers_only());
    inat.get(TAXA).unwrap();
    assert!(!inat.get(TAXA).unwrap().is_from_cache());
    let inat = waits(offline(script, &clock).only_if_cached(true).headers_only());
    assert!(matches!(inat.get(TAXA).unwrap_err().kind(), Kind::NotCached));
    let post = Script::new().answer(200, &[JSON, ("cache-control", "max-age=60")], BODY);
    let inat = waits(offline(post, &clock).allowable_methods([http::Method::POST]).headers_only());
    inat.send(Request::post(TAXA)).unwrap();
    assert!(inat.send(Request::post(TAXA)).unwrap().is_from_cache());
}
