//! The acceptance rows: what the reference promises (and what it gets wrong, done right), one test for each, by number.
//! `docs/parity.md` says what each row is, and which are decided differently here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[allow(dead_code, reason = "the tests of the path use the rest")]
#[path = "path/support.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use inat_sandbox::{Answer, Config, Fault as Bad, Sandbox};
use inat_session::{
    Clock, Error, Expiry, Fault, Kind, Lifetime, MASK, Origin, Param, Request, RequestTimeout, Response, Script,
    Session, Timeouts, Token, Upload, blocking, format_request, format_response,
};
use support::{Actor, BODY, Gate, JSON, Stub, always, good_for, offline, ok, part, reply, scripted, secs, tell, waits};

const TAXA: &str = "taxa/48662";

fn get(session: &blocking::Session) -> Response {
    session.get(TAXA).unwrap()
}

fn used(session: &blocking::Session) -> u64 {
    session.budget().unwrap().iter().flat_map(|bucket| &bucket.windows).map(|window| window.used).max().unwrap_or(0)
}

#[test]
fn row_01_twenty_identical_gets_are_one_request_and_one_slot() {
    let script = always(&[]);
    let (inat, _) = scripted(&script);
    for _ in 0..20 {
        assert_eq!(get(&inat).text().unwrap(), BODY);
    }
    assert_eq!((script.seen().len(), used(&inat)), (1, 1));
}

fn lifetime_of(session: &blocking::Session, clock: &Clock, request: Request) -> Option<u64> {
    good_for(session.send(request).unwrap().expiry(), clock.now())
}

#[test]
fn row_02_url_patterns_in_order() {
    let clock = Clock::manual();
    let inat = waits(
        offline(always(&[]), &clock)
            .expire_url("*.site_1.com/resource", secs(7200))
            .expire_url("*.site_1.com", secs(3600))
            .expire_url("*", secs(1)),
    );
    let of = |url: &str| lifetime_of(&inat, &clock, Request::get(url));
    assert_eq!(of("https://img.site_1.com/resource/1"), Some(7200));
    assert_eq!(of("https://img.site_1.com/image.jpeg"), Some(3600));
    assert_eq!(of("https://elsewhere.example/resource"), Some(1));
}

#[test]
fn row_03_a_pattern_with_a_path_needs_the_path() {
    let clock = Clock::manual();
    let inat = waits(offline(always(&[]), &clock).expire_url("site_2.com/static", secs(7)).expire_after(secs(9)));
    let of = |url: &str| lifetime_of(&inat, &clock, Request::get(url));
    assert_eq!(of("http://site_2.com/static/img.jpg"), Some(7));
    assert_eq!(of("http://site_2.com/"), Some(9));
}

#[test]
fn row_04_request_before_url_before_session() {
    let rows = [
        (Some(2), Some(3), Some(1), 2),
        (Some(2), None, Some(1), 2),
        (Some(2), None, None, 2),
        (None, Some(3), Some(1), 3),
        (None, Some(3), None, 3),
        (None, None, Some(1), 1),
    ];
    for (request, url, session, expected) in rows {
        let clock = Clock::manual();
        let mut builder = offline(always(&[]), &clock);
        if let Some(seconds) = url {
            builder = builder.expire_url("h.example/*", secs(seconds));
        }
        if let Some(seconds) = session {
            builder = builder.expire_after(secs(seconds));
        }
        let mut asked = Request::get("https://h.example/a");
        if let Some(seconds) = request {
            asked = asked.expire_after(secs(seconds));
        }
        let found = lifetime_of(&waits(builder), &clock, asked);
        assert_eq!(found, Some(expected), "{request:?} {url:?} {session:?}");
    }
}

/// Decided differently: what the caller says about one request beats what the server says about everybody's.
#[test]
fn row_05_a_lifetime_of_the_request_beats_the_headers() {
    for (obey, own, expected) in [(true, Some(5), 5), (false, Some(5), 5), (true, None, 300)] {
        let clock = Clock::manual();
        let inat = waits(offline(always(&[("cache-control", "max-age=300")]), &clock).cache_control(obey));
        let mut request = Request::get("https://h.example/a");
        if let Some(seconds) = own {
            request = request.expire_after(secs(seconds));
        }
        assert_eq!(lifetime_of(&inat, &clock, request), Some(expected), "{obey} {own:?}");
    }
}

#[test]
fn row_06_immutable_never_expires_and_expires_in_the_past_is_not_reused() {
    let script = always(&[("cache-control", "immutable, max-age=60")]);
    let (inat, clock) = scripted(&script);
    assert_eq!(get(&inat).expiry(), Expiry::Never);
    clock.advance(secs(10 * 365 * 86_400));
    assert!(get(&inat).is_from_cache());
    assert_eq!(script.seen().len(), 1);
    for expires in ["0", "-1"] {
        let script = always(&[("expires", expires)]);
        let (inat, _) = scripted(&script);
        assert!(!get(&inat).is_from_cache() && !get(&inat).is_from_cache(), "{expires}");
        assert_eq!(script.seen().len(), 2, "{expires}");
    }
}

#[test]
fn row_07_expiring_at_once_keeps_only_what_can_be_validated() {
    let script = always(&[]);
    let (inat, _) = scripted(&script);
    let at_once = || Request::get(TAXA).expire_after(Lifetime::Immediately);
    assert_eq!(inat.send(at_once()).unwrap().expiry(), Expiry::NotStored);
    assert_eq!(inat.cache().stats().unwrap().entries, 0);

    let script = Script::new().answer(200, &[JSON, ("etag", "\"1\"")], BODY).answer(304, &[("etag", "\"1\"")], "");
    let (inat, _) = scripted(&script);
    inat.send(at_once()).unwrap();
    for _ in 0..2 {
        let again = inat.send(at_once()).unwrap();
        assert!(matches!(again.origin(), Origin::Revalidated { .. }));
        assert_eq!((again.status().as_u16(), &*again.text().unwrap()), (200, BODY));
    }
    assert_eq!(script.seen().len(), 3);
    assert!(script.seen()[1..].iter().all(|seen| seen.headers()["if-none-match"] == "\"1\""));
}

#[test]
fn row_08_do_not_cache_neither_reads_nor_writes_and_says_nothing_to_the_server() {
    let script = always(&[]);
    let (inat, _) = scripted(&script);
    let uncached = || Request::get(TAXA).expire_after(Lifetime::DoNotCache);
    inat.send(uncached()).unwrap();
    assert_eq!(inat.cache().stats().unwrap().entries, 0);
    get(&inat);
    assert!(!inat.send(uncached()).unwrap().is_from_cache());
    assert_eq!(script.seen().len(), 3);
    let plain = script.seen()[1].headers().clone();
    for seen in script.seen() {
        assert_eq!(seen.headers(), &plain);
    }
}

#[test]
fn row_09_the_sessions_lifetime_counts() {
    let clock = Clock::manual();
    let inat = waits(offline(always(&[]), &clock).expire_after(secs(86_400)));
    assert_eq!(lifetime_of(&inat, &clock, Request::get("observations")), Some(86_400));
    let inat = waits(offline(always(&[]), &clock));
    assert_eq!(lifetime_of(&inat, &clock, Request::get("observations")), Some(1800));
}

#[test]
fn row_10_patterns_stay_in_their_session() {
    let clock = Clock::manual();
    let custom = waits(offline(always(&[]), &clock).expire_url("custom-domain/*", secs(3600)));
    let other = waits(offline(always(&[]), &clock));
    let request = || Request::get("http://custom-domain/a");
    assert_eq!(lifetime_of(&custom, &clock, request()), Some(3600));
    assert_eq!(lifetime_of(&other, &clock, request()), Some(1800));
    assert_eq!(lifetime_of(&waits(offline(always(&[]), &clock)), &clock, request()), Some(1800));
}

#[test]
fn row_11_refresh_asks_with_the_validator_and_renews() {
    let script = Script::new().answer(200, &[JSON, ("etag", "\"1\""), ("cache-control", "max-age=100")], BODY).answer(
        304,
        &[("etag", "\"1\""), ("cache-control", "max-age=100")],
        "",
    );
    let (inat, clock) = scripted(&script);
    let first = get(&inat);
    clock.advance(secs(50));
    let fresh = inat.send(Request::get(TAXA).refresh()).unwrap();
    assert_eq!(script.seen()[1].headers()["if-none-match"], "\"1\"");
    assert_eq!((fresh.status().as_u16(), &*fresh.text().unwrap(), fresh.is_from_cache()), (200, BODY, true));
    assert!(matches!(fresh.origin(), Origin::Revalidated { .. }));
    assert_eq!(good_for(fresh.expiry(), clock.now()), Some(100));
    assert!(fresh.expiry() != first.expiry());
}

/// Decided: the documentation's promise. "Refresh" asks the server, also where nothing but asking anew is possible.
#[test]
fn row_12_refresh_without_a_validator_asks_once() {
    let script = always(&[]);
    let (inat, _) = scripted(&script);
    get(&inat);
    assert!(!inat.send(Request::get(TAXA).refresh()).unwrap().is_from_cache());
    assert_eq!(script.seen().len(), 2);
}

#[test]
fn row_13_force_refresh_asks_plainly_and_replaces() {
    let script = Script::new()
        .answer(200, &[JSON, ("etag", "\"1\"")], "1")
        .answer(200, &[JSON, ("etag", "\"2\"")], "2")
        .answer(200, &[JSON, ("etag", "\"3\"")], "3");
    let (inat, _) = scripted(&script);
    get(&inat);
    for expected in ["2", "3"] {
        assert_eq!(inat.send(Request::get(TAXA).force_refresh()).unwrap().text().unwrap(), expected);
    }
    assert_eq!(get(&inat).text().unwrap(), "3");
    let seen = script.seen();
    assert_eq!(seen.len(), 3);
    for forced in &seen[1..] {
        assert_eq!(forced.headers()["cache-control"], "no-cache");
        assert!(!forced.headers().contains_key("if-none-match"));
    }
}

#[test]
fn row_14_only_if_cached() {
    let script = always(&[]);
    let (inat, _) = scripted(&script);
    let only = || Request::get(TAXA).only_if_cached();
    let missing = inat.send(only().raise_for_status(false)).unwrap();
    assert_eq!((missing.status().as_u16(), missing.reason()), (504, "Not Cached"));
    assert!(matches!(inat.send(only()).unwrap_err().kind(), Kind::NotCached));
    assert_eq!((script.seen().len(), used(&inat)), (0, 0));
    get(&inat);
    assert_eq!(inat.send(only()).unwrap().status(), 200);
    // What is there beats a wish to ask about it, in whatever order they are said.
    for both in [only().refresh(), Request::get(TAXA).refresh().only_if_cached(), only().force_refresh()] {
        assert_eq!(inat.send(both).unwrap().status(), 200);
    }
    assert_eq!(script.seen().len(), 1);
}

#[test]
fn row_15_only_if_cached_serves_what_has_expired() {
    let script = always(&[("cache-control", "max-age=10")]);
    let (inat, clock) = scripted(&script);
    get(&inat);
    clock.advance(secs(20));
    let stale = inat.send(Request::get(TAXA).only_if_cached()).unwrap();
    assert!(matches!(stale.origin(), Origin::Stale { .. }));
    assert_eq!((stale.status().as_u16(), script.seen().len()), (200, 1));
}

fn expired_then(script: Script) -> (blocking::Session, Clock, Script) {
    let (inat, clock) = scripted(&script);
    get(&inat);
    clock.advance(secs(20));
    (inat, clock, script)
}

fn short_lived() -> Script {
    Script::new().answer(200, &[JSON, ("cache-control", "max-age=10")], BODY)
}

#[test]
fn row_16_a_server_in_trouble_does_not_hide_what_was_kept() {
    for script in [
        short_lived().answer(503, &[], ""),
        short_lived().answer(500, &[], ""),
        short_lived().fail(Fault::Connect("refused".to_owned())),
        short_lived().fail(Fault::Dns("no such host".to_owned())),
        short_lived().cut(200, &[JSON], "{\"a\""),
    ] {
        let (inat, _, _) = expired_then(script);
        let old = get(&inat);
        assert!(matches!(old.origin(), Origin::Stale { .. }), "{:?}", old.origin());
        assert_eq!((old.status().as_u16(), &*old.text().unwrap(), old.is_from_cache()), (200, BODY, true));
    }
}

#[test]
fn row_17_a_refusal_is_the_answer_and_not_trouble() {
    for status in [401, 403, 404, 410, 422] {
        let (inat, _, _) = expired_then(short_lived().answer(status, &[], ""));
        let error = inat.get(TAXA).unwrap_err();
        assert_eq!(error.status().unwrap().as_u16(), status);
        // Nor does a later call bring the old body back.
        assert_eq!(inat.get(TAXA).unwrap_err().status().unwrap().as_u16(), status);
    }
}

#[test]
fn row_18_how_stale_it_may_be_when_the_server_fails() {
    for (allowed, served) in [(15, true), (5, false)] {
        let clock = Clock::manual();
        let script = short_lived().answer(503, &[], "");
        let inat = waits(offline(script, &clock).stale_if_error(secs(allowed)).max_retries(0));
        get(&inat);
        clock.advance(secs(20));
        assert_eq!(inat.get(TAXA).is_ok(), served, "{allowed}");
    }
}

#[test]
fn row_19_what_the_request_accepts() {
    for (directive, age, hit) in
        [("max-stale=15", 20, true), ("max-stale=5", 20, false), ("min-fresh=5", 0, true), ("min-fresh=15", 0, false)]
    {
        let script = short_lived();
        let (inat, clock) = scripted(&script);
        get(&inat);
        clock.advance(secs(age));
        inat.send(Request::get(TAXA).header("Cache-Control", directive)).unwrap();
        assert_eq!(script.seen().len() == 1, hit, "{directive}");
    }
}

#[tokio::test]
async fn row_20_stale_while_revalidate_refreshes_once() {
    let (clock, gate) = (Clock::manual(), Gate::shut());
    let stub = Stub::gated(&clock, &gate, |_, _| ok(&[("cache-control", "max-age=10")]));
    let inat = offline(stub.clone(), &clock).stale_while_revalidate(true).build().unwrap();
    gate.let_one();
    inat.get(TAXA).await.unwrap();
    clock.advance(secs(20));
    for _ in 0..4 {
        let stale = inat.get(TAXA).await.unwrap();
        assert!(matches!(stale.origin(), Origin::Stale { .. }), "{:?}", stale.origin());
    }
    gate.open();
    inat.close().await;
    assert_eq!(stub.count(), 2);
}

#[test]
fn row_21_urls_that_are_equal_and_urls_that_are_not() {
    let same = [
        "https://h.example/a?x=1&y=2",
        "https://h.example/a?y=2&x=1",
        "https://h.example:443/a?x=1&y=2",
        "https://H.EXAMPLE/a?x=1&y=2",
        "https://h.example/%61?x=%31&y=2",
    ];
    let script = always(&[]);
    let (inat, _) = scripted(&script);
    for url in same {
        inat.get(url).unwrap();
        assert_eq!(script.seen().len(), 1, "{url}");
    }
    let others = [
        "https://h.example/a?x=1&y=2#top",
        "https://h.example/a/?x=1&y=2",
        "https://h.example/a?x=1&x=1&y=2",
        "https://h.example/a?x=1&y=2&z=",
        "http://h.example/a?x=1&y=2",
        "https://h.example:8443/a?x=1&y=2",
        "https://h.example/A?x=1&y=2",
        "https://h.example/a?id=1,2",
        "https://h.example/a?id=2,1",
    ];
    for (i, url) in others.into_iter().enumerate() {
        inat.get(url).unwrap();
        assert_eq!(script.seen().len(), i + 2, "{url}");
    }
    inat.get("https://h.example/a?id=1%2C2").unwrap();
    assert_eq!(script.seen().len(), others.len() + 1);
}

#[test]
fn row_22_blank_values_tell_requests_apart() {
    let script = always(&[]);
    let (inat, _) = scripted(&script);
    let search = || Request::get("observations").query("q", "x");
    for _ in 0..2 {
        for request in [search(), search().query("field:a", ""), search().query("field:b", "")] {
            inat.send(request).unwrap();
        }
    }
    assert_eq!(script.seen().len(), 3);
    assert!(script.seen()[1].uri().query().unwrap().contains("field%3Aa="));
}

#[test]
fn row_23_nobody_gets_the_answer_of_another() {
    let script = always(&[("cache-control", "public, max-age=600")]);
    let (inat, _) = scripted(&script);
    let (a, b) = (Token::new("token-of-a"), Token::new("token-of-b"));
    let asked = || Request::get("observations/1");
    inat.send(asked().token(&a)).unwrap();
    inat.send(asked().token(&b)).unwrap();
    inat.send(asked()).unwrap();
    assert_eq!(script.seen().len(), 3);
    for request in [asked().token(&a), asked().token(&b), asked(), asked().header("authorization", "Bearer token-of-a")]
    {
        assert!(inat.send(request).unwrap().is_from_cache());
    }
    assert_eq!(script.seen().len(), 3);
}

#[test]
fn row_24_secrets_in_parameters_tell_nothing_and_reach_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let script = always(&[]);
    let clock = Clock::manual();
    let inat = waits(
        offline(script.clone(), &clock)
            .cache_file(folder.path().join("cache.db"))
            .ratelimit_path(folder.path().join("budget.db")),
    );
    for request in [
        Request::get("https://h.example/a?access_token=S3CR3T-1"),
        Request::get("https://h.example/a?access_token=S3CR3T-2"),
        Request::get("https://h.example/a"),
    ] {
        inat.send(request).unwrap();
    }
    assert_eq!(script.seen().len(), 2);
    inat.send(Request::get("https://h.example/b?Access_Token=S3CR3T-3").header("authorization", "Bearer S3CR3T-4"))
        .unwrap();
    inat.close().unwrap();
    let files = support::files(folder.path());
    assert!(
        files.iter().any(|(name, bytes)| name.contains("cache.db") && bytes.len() > 1000),
        "the cache file is there"
    );
    for (name, bytes) in files {
        assert!(!support::contains(&bytes, "S3CR3T"), "{name}");
    }
}

#[test]
fn row_25_vary() {
    let clock = Clock::manual();
    let stub = Stub::at_once(&clock, |_, _| Ok(ok(&[("vary", "Accept")])));
    let inat = waits(offline(stub.clone(), &clock));
    for accept in ["application/json", "text/csv", "application/json", "text/csv"] {
        inat.send(Request::get(TAXA).header("Accept", accept)).unwrap();
    }
    assert_eq!(stub.count(), 2);
    let script = always(&[("vary", "*"), ("cache-control", "max-age=600")]);
    let (inat, _) = scripted(&script);
    for expected in 1..4 {
        assert!(!get(&inat).is_from_cache());
        assert_eq!(script.seen().len(), expected);
    }
}

#[test]
fn row_26_statuses_the_user_allows() {
    for (status, requests) in [(404, 1), (500, 2)] {
        let clock = Clock::manual();
        let script = Script::new().answer(status, &[], "");
        let inat = waits(offline(script.clone(), &clock).allowable_codes([200, 404]).max_retries(0));
        for _ in 0..2 {
            let answer = inat.send(Request::get(TAXA).raise_for_status(false)).unwrap();
            assert_eq!(answer.status().as_u16(), status);
        }
        assert_eq!(script.seen().len(), requests, "{status}");
    }
}

#[test]
fn row_27_redirects_are_kept_with_their_history() {
    let clock = Clock::manual();
    let stub = Stub::at_once(&clock, |_, seen| {
        Ok(if seen.url.ends_with("/a") { reply(302, &[("location", "/b")], "") } else { ok(&[]) })
    });
    let inat = waits(offline(stub.clone(), &clock));
    let follow =
        |path: &str| inat.send(Request::get(format!("https://h.example{path}")).allow_redirects(true)).unwrap();
    let first = follow("/a");
    assert_eq!((first.status().as_u16(), first.history().len()), (200, 1));
    let second = follow("/a");
    assert_eq!((second.is_from_cache(), second.history().len()), (true, 1));
    assert_eq!((second.history()[0].status.as_u16(), second.url().path()), (302, "/b"));
    assert!(follow("/b").is_from_cache());
    assert_eq!(stub.count(), 2);
}

#[test]
fn row_28_a_write_makes_what_is_stored_outdated() {
    for write in [Request::put(TAXA), Request::post(TAXA), Request::delete(TAXA), Request::patch(TAXA)] {
        let script = Script::new().answer(200, &[JSON], "1").answer(200, &[JSON], "{}").answer(200, &[JSON], "2");
        let (inat, _) = scripted(&script);
        get(&inat);
        inat.send(Request::get(TAXA).query("locale", "de")).ok();
        inat.send(write).unwrap();
        assert!(!get(&inat).is_from_cache());
    }
}

#[test]
fn row_29_five_at_once_then_one_a_second_and_sixty_a_minute() {
    let clock = Clock::manual();
    let stub = Stub::at_once(&clock, |_, _| Ok(ok(&[])));
    let inat = waits(offline(stub.clone(), &clock));
    let start = clock.now();
    for id in 0..61 {
        inat.send(Request::get("taxa").ids([id + 1])).unwrap();
    }
    let starts: Vec<Duration> = stub.seen().iter().map(|seen| seen.at.since(start)).collect();
    assert!(starts[4] < Duration::from_millis(10), "{starts:?}");
    assert!(starts[5] >= secs(5) && starts[6] >= secs(5) && starts[6] < secs(6), "{starts:?}");
    assert!(starts[60].saturating_sub(starts[0]) >= secs(60), "{starts:?}");
    for window in starts.windows(6) {
        assert!(window[5].saturating_sub(window[0]) >= secs(5));
    }
}

#[test]
fn row_30_a_429_without_a_time_is_waited_out() {
    let script = Script::new().answer(429, &[JSON], "{\"error\":\"normal_throttling\"}").answer(200, &[JSON], BODY);
    let (inat, clock) = scripted(&script);
    let answer = get(&inat);
    assert_eq!((answer.status().as_u16(), answer.origin().attempts()), (200, 2));
    assert!(clock.slept() >= secs(1), "{:?}", clock.slept());
}

#[test]
fn row_31_retry_after_is_obeyed_up_to_a_cap() {
    let script = Script::new().busy(secs(2)).answer(200, &[JSON], BODY);
    let (inat, clock) = scripted(&script);
    assert_eq!(get(&inat).origin().attempts(), 2);
    assert!(clock.slept() >= secs(2) && clock.slept() < secs(10), "{:?}", clock.slept());
    assert_eq!(used(&inat), 2);

    let script = Script::new().busy(secs(7200)).answer(200, &[JSON], BODY);
    let (inat, clock) = scripted(&script);
    let before = clock.now();
    let Kind::RetryAfter { until } = inat.get(TAXA).unwrap_err().kind().clone() else { panic!("another kind") };
    assert!(until.since(before) >= secs(7200) && until.since(before) < secs(7210), "{until}");
    assert_eq!((script.seen().len(), clock.slept()), (1, Duration::ZERO));
}

fn pace(builder: impl Fn(inat_session::SessionBuilder) -> inat_session::SessionBuilder, count: usize) -> Vec<Duration> {
    let clock = Clock::manual();
    let stub = Stub::at_once(&clock, |_, _| Ok(ok(&[])));
    let inat = waits(builder(offline(stub.clone(), &clock)));
    let start = clock.now();
    for id in 0..count {
        inat.send(Request::get("taxa").ids([id + 1])).unwrap();
    }
    stub.seen().iter().map(|seen| seen.at.since(start)).collect()
}

#[test]
fn row_32_rates_the_reference_refuses() {
    let slow = pace(|b| b.per_second(0.5).burst(1).per_minute(0.0), 3);
    assert!(slow[1] >= secs(2) && slow[1] < secs(3) && slow[2] >= secs(4), "{slow:?}");
    let daily = pace(|b| b.per_second(0.0).per_minute(0.0).per_day(60.0), 61);
    assert!(daily[59] < secs(1) && daily[60] >= secs(86_400), "{:?}", &daily[58..]);
    let free = pace(|b| b.per_second(0.0).per_minute(0.0).per_day(0.0), 500);
    assert_eq!(free[499], Duration::ZERO);
}

#[test]
fn row_33_a_burst_as_long_as_a_minute() {
    let starts = pace(|b| b.per_second(2.0).burst(60).per_minute(0.0), 260);
    assert!(starts[119] < secs(1), "{:?}", starts[119]);
    for window in starts.windows(121) {
        assert!(window[120].saturating_sub(window[0]) >= secs(60));
    }
}

/// Ten an hour, and thirty-two threads in four processes who take what they can without waiting for the next hour.
/// A thread that wakes up late for its slot moves it by that much; it may.
#[test]
fn row_34_processes_and_threads_share_one_limit() {
    if let Some(file) = part() {
        let stub = Stub::at_once(&Clock::system(), |_, _| Ok(ok(&[])));
        let inat = waits(
            Session::builder()
                .transport(stub.clone())
                .cache_disabled(true)
                .ratelimit_path(file)
                .per_second(0.0)
                .per_minute(0.0)
                .per_hour(10.0)
                .max_delay(Duration::from_secs(60)),
        );
        tell("ready");
        support::hear();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..2 {
                        match inat.get(TAXA) {
                            Ok(_) => {}
                            Err(error) => assert!(matches!(error.kind(), Kind::Limited { .. }), "{error:?}"),
                        }
                    }
                });
            }
        });
        tell(&stub.count().to_string());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("budget.db").display().to_string();
    let start = || Actor::start("row_34_processes_and_threads_share_one_limit", &file, &[]);
    let mut actors: Vec<Actor> = (0..4).map(|_| start()).collect();
    for actor in &mut actors {
        assert_eq!(actor.told(), "ready");
    }
    for actor in &mut actors {
        actor.say("go");
    }
    let sent: usize = actors.iter_mut().map(|actor| actor.told().parse::<usize>().unwrap()).sum();
    assert_eq!(sent, 10);
    actors.into_iter().for_each(Actor::ends_well);
}

#[test]
fn row_35_server_errors_are_retried_where_that_is_safe() {
    let rows = [
        (Request::get(TAXA), 4, 3),
        (Request::post(TAXA), 1, 0),
        (Request::patch(TAXA), 1, 0),
        (Request::put(TAXA), 4, 3),
    ];
    for (request, attempts, slept) in rows {
        let clock = Clock::manual();
        let script = Script::new().answer(503, &[], "");
        let inat = waits(offline(script.clone(), &clock).unlimited().max_retries(3).backoff_factor(0.5));
        let error = inat.send(&request).unwrap_err();
        assert_eq!((error.status().unwrap().as_u16(), error.attempts()), (503, attempts), "{}", request.method);
        assert_eq!((script.seen().len(), clock.slept()), (attempts as usize, secs(slept)), "{}", request.method);
    }
}

#[test]
fn row_36_a_disconnect_is_six_requests_and_not_thirty_six() {
    let sandbox = Sandbox::start(Config::default()).unwrap();
    sandbox.script("/v1/taxa", vec![Bad::Close; 100]);
    let inat = waits(
        Session::builder()
            .base_url(&format!("{}/v1/", sandbox.url()))
            .cache_in_memory()
            .budget_in_memory()
            .unlimited()
            .backoff_factor(0.0)
            .backoff_jitter(0.0),
    );
    let error = inat.get(TAXA).unwrap_err();
    assert!(matches!(error.kind(), Kind::Network(Fault::Reset(_))), "{error:?}");
    assert_eq!((sandbox.count("/v1/taxa"), error.attempts()), (6, 6));
}

#[test]
fn row_37_a_post_is_sent_once_unless_the_caller_vouches_for_it() {
    for (request, sent) in [(Request::post("observations"), 1), (Request::post("observations").idempotent(), 6)] {
        let script = Script::new().fail(Fault::Reset("closed".to_owned()));
        let (inat, _) = scripted(&script);
        inat.send(request.json(&serde_json::json!({"uuid": "x"}))).unwrap_err();
        assert_eq!(script.seen().len(), sent);
    }
}

#[test]
fn row_38_a_cut_body_is_fetched_again() {
    for fault in ["cut-length", "cut-chunked", "cut-gzip", "reset-mid"] {
        let sandbox = Sandbox::start(Config::default()).unwrap();
        sandbox.script("/v1/taxa", [fault.parse::<Bad>().unwrap()]);
        let inat =
            waits(Session::builder().base_url(&format!("{}/v1/", sandbox.url())).cache_in_memory().budget_in_memory());
        let answer = get(&inat);
        assert_eq!(answer.origin().attempts(), 2, "{fault}");
        assert!(answer.text().unwrap().contains("Danaus plexippus"), "{fault}");
        assert_eq!(inat.cache().stats().unwrap().entries, 1, "{fault}");
        assert_eq!(get(&inat).text().unwrap(), answer.text().unwrap(), "{fault}");
        assert_eq!(sandbox.count("/v1/taxa"), 2, "{fault}");
    }
}

#[test]
fn row_39_truncated_json_is_retried_and_never_kept() {
    let script = Script::new().answer(200, &[JSON], &BODY[..20]).answer(200, &[JSON], BODY);
    let (inat, _) = scripted(&script);
    assert_eq!(get(&inat).origin().attempts(), 2);

    let clock = Clock::manual();
    let script = Script::new().answer(200, &[JSON, ("etag", "\"1\"")], &BODY[..20]);
    let inat = waits(offline(script.clone(), &clock).unlimited().max_retries(7));
    let error = inat.get(TAXA).unwrap_err();
    assert!(matches!(error.kind(), Kind::BadBody(_)), "{error:?}");
    assert_eq!((script.seen().len(), error.attempts()), (8, 8));
    // 0, 1, 2, 4, 8, 16, 32: six that are not zero.
    assert_eq!(clock.slept(), secs(1 + 2 + 4 + 8 + 16 + 32));
    assert_eq!(inat.cache().stats().unwrap().entries, 0);
    assert!(script.seen().iter().all(|seen| !seen.headers().contains_key("if-none-match")));
}

#[test]
fn row_40_empty_answers_are_not_broken_ones() {
    for (request, status) in [
        (Request::head(TAXA), 200),
        (Request::get(TAXA), 204),
        (Request::get(TAXA), 200),
        (Request::get(TAXA), 401),
        (Request::delete(TAXA), 204),
    ] {
        let script = Script::new().answer(status, &[JSON], "");
        let (inat, _) = scripted(&script);
        let answer = inat.send(request.raise_for_status(false)).unwrap();
        assert_eq!((answer.status().as_u16(), script.seen().len()), (status, 1));
        assert!(answer.bytes().unwrap().is_empty());
    }
}

fn timeouts_of(
    build: impl Fn(inat_session::SessionBuilder) -> inat_session::SessionBuilder,
    request: Request,
) -> Timeouts {
    let clock = Clock::manual();
    let stub = Stub::at_once(&clock, |_, _| Ok(ok(&[])));
    waits(build(offline(stub.clone(), &clock))).send(request).unwrap();
    stub.seen()[0].timeouts
}

#[test]
fn row_41_timeouts_by_method() {
    let all = |limit: Option<u64>| Timeouts { connect: limit.map(secs), send: limit.map(secs), read: limit.map(secs) };
    for method in ["GET", "HEAD", "DELETE", "OPTIONS"] {
        let limits = timeouts_of(|b| b, Request::new(method, TAXA));
        assert_eq!((limits.connect, limits.read), (Some(secs(5)), Some(secs(20))), "{method}");
        assert_eq!(timeouts_of(|b| b.timeout(secs(7)), Request::new(method, TAXA)).read, Some(secs(7)));
    }
    for method in ["POST", "PUT", "PATCH"] {
        assert_eq!(timeouts_of(|b| b, Request::new(method, TAXA)), all(Some(60)), "{method}");
        assert_eq!(timeouts_of(|b| b.write_timeout(None), Request::new(method, TAXA)), all(None));
    }
    for method in ["GET", "POST"] {
        assert_eq!(timeouts_of(|b| b.timeout(None), Request::new(method, TAXA)), all(None), "{method}");
        assert_eq!(timeouts_of(|b| b, Request::new(method, TAXA).timeout(secs(10))), all(Some(10)), "{method}");
        assert_eq!(timeouts_of(|b| b, Request::new(method, TAXA).timeout(None::<Duration>)), all(None), "{method}");
    }
    assert_eq!(RequestTimeout::CONNECT, secs(5));
}

#[test]
fn row_42_a_slow_drip_ends_at_the_deadline() {
    let sandbox = Sandbox::start(Config::default()).unwrap();
    sandbox.script("/v1/taxa", vec![Bad::Drip(Duration::from_millis(100)); 10]);
    let inat = waits(
        Session::builder()
            .base_url(&format!("{}/v1/", sandbox.url()))
            .cache_in_memory()
            .budget_in_memory()
            .timeout(secs(5)),
    );
    // Each byte comes long before the timeout; all of them would take minutes.
    let error = inat.send(Request::get(TAXA).deadline(Duration::from_millis(600))).unwrap_err();
    assert!(matches!(error.kind(), Kind::Deadline(_)), "{error:?}");
    assert!(error.elapsed() >= Duration::from_millis(600) && error.elapsed() < secs(20), "{:?}", error.elapsed());
    assert_eq!(inat.cache().stats().unwrap().entries, 0);
}

fn is_dry(session: &blocking::Session, request: Request) -> bool {
    matches!(session.send(request).unwrap().origin(), Origin::DryRun(_))
}

/// Decided: `0`, `no` and `off` are off.
#[test]
fn row_43_when_a_run_is_dry() {
    if part().is_some() {
        let (inat, _) = scripted(&always(&[]));
        let said = [Request::get(TAXA), Request::post(TAXA)].map(|request| is_dry(&inat, request));
        let argument = is_dry(&inat, Request::get("taxa/1").dry_run(true));
        let refused = is_dry(&inat, Request::get("taxa/2").dry_run(false));
        tell(&format!("{} {} {argument} {refused}", said[0], said[1]));
        return;
    }
    // DRY_RUN_ENABLED, DRY_RUN_WRITE_ONLY, whether a GET and a POST are dry
    let rows = [
        (None, None, false, false),
        (Some(""), None, false, false),
        (Some("false"), Some("false"), false, false),
        (Some("False"), None, false, false),
        (Some("none"), Some("None"), false, false),
        (Some("0"), Some("off"), false, false),
        (Some("no"), Some("NO"), false, false),
        (Some("true"), None, true, true),
        (Some("True"), Some("false"), true, true),
        (Some("1"), None, true, true),
        (None, Some("true"), false, true),
        (Some("false"), Some("True"), false, true),
        (None, Some("1"), false, true),
    ];
    for (all, writes, get, post) in rows {
        let mut environment = Vec::new();
        environment.extend(all.map(|value| ("DRY_RUN_ENABLED", value)));
        environment.extend(writes.map(|value| ("DRY_RUN_WRITE_ONLY", value)));
        let mut actor = Actor::start("row_43_when_a_run_is_dry", "child", &environment);
        assert_eq!(actor.told(), format!("{get} {post} true false"), "{all:?} {writes:?}");
        actor.ends_well();
    }
}

#[test]
fn row_44_the_answer_of_a_dry_run() {
    let script = always(&[]);
    let (inat, clock) = scripted(&script);
    let dry = inat.send(Request::post(TAXA).dry_run(true)).unwrap();
    assert_eq!((dry.status().as_u16(), dry.reason()), (200, "DRY_RUN"));
    assert_eq!(dry.header("cache-control"), Some("no-store"));
    assert_eq!(
        dry.json::<serde_json::Value>().unwrap(),
        serde_json::json!({"results": [], "total_results": 0, "access_token": "", "id": "placeholder-id"})
    );
    assert_eq!((dry.get("id"), dry.get("never heard of it")), ("placeholder-id".into(), "".into()));
    assert_eq!((script.seen().len(), used(&inat), clock.slept()), (0, 0, Duration::ZERO));
}

#[test]
fn row_45_versions_that_get_past_the_servers_cache() {
    let (inat, clock) = scripted(&always(&[]));
    let versions: Vec<Option<u32>> =
        ["a", "b", "a", "a"].iter().map(|endpoint| inat.refresh_params(endpoint).unwrap()).collect();
    assert_eq!(versions, [None, None, Some(1), Some(2)]);
    clock.advance(secs(123));
    assert_eq!(inat.refresh_params("a").unwrap(), None);
    let newest = inat.newest(Request::get("projects/1")).unwrap();
    assert_eq!(newest.query.len(), 0);
    assert_eq!(newest.options.freshness, inat_session::Freshness::ForceRefresh);
    assert_eq!(inat.newest(Request::get("projects/1")).unwrap().query[0].0, "v");
}

fn prepared(request: &Request) -> Result<String, Error> {
    let (inat, _) = scripted(&always(&[]));
    Ok(inat.prepare(request)?.url.to_string().replace(Session::API, ""))
}

fn query(name: &str, value: impl Into<Param>) -> Result<String, Error> {
    let url = prepared(&Request::get("observations").query(name, value))?;
    Ok(url.split_once('=').map_or(String::new(), |(_, value)| value.to_owned()))
}

#[test]
fn row_46_ids() {
    assert_eq!(prepared(&Request::get("taxa").ids(["1,2,3"])).unwrap(), "taxa/1,2,3");
    assert_eq!(prepared(&Request::get("taxa").ids([1e5, 2e5])).unwrap(), "taxa/100000,200000");
    assert!(prepared(&Request::get("taxa").ids(["one"])).is_err());
    assert_eq!(prepared(&Request::get("taxa").ids(["one"]).allow_str_ids()).unwrap(), "taxa/one");
    let escaped = prepared(&Request::delete("taxa").ids(["../admin?x=1#f"]).allow_str_ids());
    assert!(
        escaped.is_err() || escaped.as_ref().is_ok_and(|url| url.starts_with("taxa/") && !url.contains("../")),
        "{escaped:?}"
    );
}

#[test]
fn row_47_ranks() {
    assert_eq!(query("rank", vec!["sub-species", "Genus"]).unwrap(), "subspecies%2Cgenus");
    assert_eq!(query("rank", "spp").unwrap(), "species");
    assert_eq!(query("rank", "fam").unwrap(), "family");
    assert!(matches!(query("rank", "sub").unwrap_err().kind(), Kind::Invalid(_)));
}

#[test]
fn row_48_dates_and_times() {
    if part().is_some() {
        tell(&query("created_d1", "19951231T235959").unwrap());
        return;
    }
    let mut actor = Actor::start("row_48_dates_and_times", "child", &[("TZ", "US/Pacific")]);
    assert_eq!(actor.told().replace("%3A", ":"), "1995-12-31T23:59:59-08:00");
    actor.ends_well();
    assert_eq!(query("d1", jiff::civil::date(1954, 2, 5)).unwrap(), "1954-02-05");
    assert_eq!(query("q", "not a datetime").unwrap(), "not+a+datetime");
}

#[test]
fn row_49_choices() {
    assert_eq!(query("identifications", "most agree").unwrap(), "most_agree");
    let request =
        Request::get("observations").query("identifications", "nobody agrees").query("quality_grade", "superb");
    let error = prepared(&request).unwrap_err().to_string();
    assert!(error.contains("identifications") && error.contains("quality_grade"), "{error}");
}

#[test]
fn row_50_a_body_goes_out_as_it_is() {
    let body = serde_json::json!({"observation": {"description": "", "private": true, "tags": [], "limit": null}});
    let request = Request::put("observations/1").json(&body);
    let before = format!("{:?}", request.body);
    let script = always(&[]);
    let (inat, _) = scripted(&script);
    inat.send(&request).unwrap();
    assert_eq!(script.seen()[0].body(), body.to_string().as_bytes());
    assert_eq!(format!("{:?}", request.body), before);
    assert_eq!(request.headers, Vec::<(String, String)>::new());
}

#[test]
fn row_51_uploads() {
    let picture = Bytes::from_static(b"\xff\xd8\xff the real bytes");
    let served = picture.clone();
    let sandbox = Sandbox::start(Config::handler(move |seen| match seen.path() {
        "/photo.jpg" => Some(Answer::new(200).header("Content-Type", "image/jpeg").body(served.clone())),
        "/v1/photos" => Some(Answer::json(&serde_json::json!({"id": 1}))),
        _ => None,
    }))
    .unwrap();
    let inat =
        waits(Session::builder().base_url(&format!("{}/v1/", sandbox.url())).cache_in_memory().budget_in_memory());
    for _ in 0..2 {
        inat.send(Request::post("photos").file(Upload::url(format!("{}/photo.jpg", sandbox.url())))).unwrap();
    }
    let posts: Vec<_> = sandbox.log().into_iter().filter(|seen| seen.method == "POST").collect();
    assert_eq!(posts.len(), 2);
    for post in &posts {
        assert!(post.body.windows(picture.len()).any(|window| window == picture), "the first time as the second");
        assert!(support::contains(&post.body, "name=\"file\"; filename=\"photo.jpg\""));
    }
    let error = inat.send(Request::post("photos").file(Upload::bytes("a.jpg", vec![0; 20_000_001]))).unwrap_err();
    assert!(matches!(error.kind(), Kind::Upload(_)), "{error:?}");
    assert_eq!(sandbox.log().iter().filter(|seen| seen.method == "POST").count(), 2);
}

#[test]
fn row_52_junk_in_the_cache_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cache.db");
    std::fs::write(&file, vec![b'x'; 50_000]).unwrap();
    let clock = Clock::manual();
    let script = always(&[]);
    let inat = waits(offline(script.clone(), &clock).cache_file(&file).memory_tier(0));
    assert_eq!(get(&inat).text().unwrap(), BODY);
    assert!(get(&inat).is_from_cache());
    inat.close().unwrap();

    // Every stored body replaced by garbage, then by nothing.
    for junk in [&b"garbage"[..], b""] {
        let connection = rusqlite::Connection::open(&file).unwrap();
        let tables: Vec<(String, String)> = connection
            .prepare("SELECT m.name, p.name FROM sqlite_schema m, pragma_table_info(m.name) p WHERE m.type = 'table' AND p.type = 'BLOB'")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let mut changed = 0;
        for (table, column) in tables
            .iter()
            .filter(|(_, column)| column == "body" || column == "bytes" || column == "frame" || column == "data")
        {
            changed += connection.execute(&format!("UPDATE {table} SET {column} = ?1"), [junk]).unwrap();
        }
        assert!(changed > 0, "{tables:?}");
        drop(connection);
        let inat = waits(offline(script.clone(), &clock).cache_file(&file).memory_tier(0));
        assert_eq!(get(&inat).text().unwrap(), BODY);
        let again = get(&inat);
        assert!(again.is_from_cache(), "the row was written anew");
        assert_eq!(again.text().unwrap(), BODY);
        inat.close().unwrap();
    }
}

#[test]
fn row_53_a_locked_cache_costs_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cache.db");
    let clock = Clock::manual();
    let script = always(&[]);
    let inat = waits(offline(script.clone(), &clock).cache_file(&file));
    get(&inat);
    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let before = clock.now();
    assert_eq!(inat.get("taxa/2").unwrap().status(), 200);
    assert!(clock.now().since(before) < secs(15), "{:?}", clock.now().since(before));
    other.execute_batch("ROLLBACK").unwrap();
    assert!(!inat.get("taxa/3").unwrap().is_from_cache());
    assert!(inat.get("taxa/3").unwrap().is_from_cache(), "and then it goes on");
}

#[test]
fn row_54_headers_that_make_no_sense() {
    let junk: [&[(&str, &str)]; 7] = [
        &[("expires", "junk")],
        &[("expires", "")],
        &[("cache-control", "max-age=99999999999999")],
        &[("cache-control", "max-age=\"600\"")],
        &[("cache-control", "max-age=-1, ,=,;;")],
        &[("date", "yesterday"), ("age", "old"), ("last-modified", "long ago"), ("etag", "no quotes")],
        &[("vary", ",,"), ("retry-after", "soon"), ("content-type", ";;;")],
    ];
    for fields in junk {
        let script = Script::new().answer(200, fields, BODY);
        let (inat, clock) = scripted(&script);
        let answer = get(&inat);
        assert_eq!((answer.status().as_u16(), &*answer.text().unwrap()), (200, BODY), "{fields:?}");
        clock.advance(secs(30 * 86_400));
        assert_eq!(get(&inat).status(), 200, "{fields:?}");
    }
}

#[test]
fn row_55_requests_and_answers_as_text() {
    let (inat, clock) = scripted(&always(&[("access-control-allow-origin", "*"), ("set-cookie", "s=S3CR3T")]));
    let request = Request::post("https://api.inaturalist.org/v1/x?Access_Token=S3CR3T&q=a")
        .header("AUTHORIZATION", "Bearer S3CR3T")
        .header("cookie", "s=S3CR3T")
        .json(&serde_json::json!({"user": {"Password": "S3CR3T", "client_SECRET": "S3CR3T"}, "a": 1}));
    let text = format_request(&inat.prepare(&request).unwrap(), true, Some(secs(20)));
    assert!(!text.contains("S3CR3T"), "{text}");
    assert!(text.matches(MASK).count() >= 5, "{text}");
    assert!(
        text.starts_with(&format!(
            "Request: (DRY RUN)\nPOST https://api.inaturalist.org/v1/x?Access_Token={MASK}&q=a\n"
        ))
    );
    assert!(text.contains("\ntimeout=20\n\n{"), "{text}");
    let form = inat.prepare(&Request::post("x").bytes("image/jpeg", vec![0xff; 2540])).unwrap();
    assert!(format_request(&form, false, None).ends_with("\n\n(non-JSON request body (2.48 KB))"));

    let first = format_response(&get(&inat), clock.now());
    assert!(first.starts_with("Response (not cached):\n200 OK\nElapsed: 0.000s"), "{first}");
    assert!(!first.contains("access-control") && !first.contains("S3CR3T"), "{first}");
    clock.advance(secs(7 * 86_400 - 60));
    assert!(format_response(&get(&inat), clock.now()).starts_with("Response (cached; expires in 0:01:00):\n"));
}

#[tokio::test]
async fn row_56_eight_misses_are_one_request() {
    let (clock, gate) = (Clock::manual(), Gate::shut());
    let stub = Stub::gated(&clock, &gate, |_, _| ok(&[]));
    let inat = Arc::new(offline(stub.clone(), &clock).build().unwrap());
    let callers = (0..8).map(|_| {
        let inat = inat.clone();
        async move { inat.get(TAXA).await.unwrap() }
    });
    // The last to be polled opens the gate: by then all eight have missed.
    let (answers, ()) = tokio::join!(join_all(callers), async { gate.open() });
    assert_eq!(stub.count(), 1);
    assert_eq!(answers.iter().filter(|answer| matches!(answer.origin(), Origin::Network { .. })).count(), 1);
    assert!(answers.iter().all(|answer| answer.text().unwrap() == BODY));
    let used: u64 = inat.budget().unwrap()[0].windows.iter().map(|window| window.used).max().unwrap();
    assert_eq!(used, 1);
}

/// The table is kept honest: every test it names is there.
#[test]
fn the_table_names_tests_that_exist() {
    let home = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(home.join("../../docs/parity.md")).unwrap();
    let mut sources = std::collections::HashMap::new();
    for (folder, module) in [("tests", None), ("tests/path", None), ("src/prepare", Some("prepare"))] {
        for file in std::fs::read_dir(home.join(folder)).unwrap() {
            let path = file.unwrap().path();
            if let (Some("rs"), Some(stem)) = (path.extension().and_then(|e| e.to_str()), path.file_stem()) {
                let name = module.map_or_else(|| stem.to_string_lossy().into_owned(), str::to_owned);
                sources.entry(name).or_insert_with(String::new).push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut named = std::collections::HashSet::new();
    for word in table.split('`').skip(1).step_by(2) {
        let (module, start) = match word.split_once("::") {
            _ if word.starts_with("row_") && word[4..].parse::<u8>().is_ok() => ("parity", format!("fn {word}_")),
            Some((module, name)) if sources.contains_key(module) && name != "…" => (module, format!("fn {name}(")),
            _ => continue,
        };
        assert!(sources[module].contains(&start), "{word}");
        named.insert(word);
    }
    assert!(named.len() > 100, "{}", named.len());
    for row in 1..=56 {
        assert!(sources["parity"].contains(&format!("fn row_{row:02}_")), "row {row}");
    }
}
