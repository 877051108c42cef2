//! Faults, scripts and limits, as a client meets them.

use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};

use crate::client::{exchange, get, get_with, gunzip, send};
use inat_sandbox::{Answer, Config, Fault, RetryAfter, Sandbox, Throttle};
use serde_json::{Value, json};

fn sandbox() -> Sandbox {
    Sandbox::start(Config { observations: 200, ..Config::default() }).unwrap()
}

fn meet(sandbox: &Sandbox, fault: &str) -> std::io::Result<crate::client::Reply> {
    exchange(sandbox.addr(), "GET", "/v1/taxa/48662", &[("X-Sandbox-Fault", fault)], b"")
}

#[test]
fn refusals() {
    let sandbox = sandbox();
    let throttled = meet(&sandbox, "429").unwrap();
    assert_eq!(
        (throttled.status, throttled.json(), throttled.header("retry-after")),
        (429, json!({ "error": "normal_throttling" }), None)
    );
    assert_eq!(meet(&sandbox, "429=30").unwrap().header("retry-after"), Some("30"));
    for fault in ["429-date=60", "maintenance=60"] {
        let at = meet(&sandbox, fault)
            .unwrap()
            .header("retry-after")
            .map(|at| httpdate::parse_http_date(at).unwrap())
            .unwrap();
        let ahead = at.duration_since(std::time::SystemTime::now()).unwrap();
        assert!(ahead <= Duration::from_secs(60) && ahead > Duration::from_secs(30), "{ahead:?}");
    }
    let page = meet(&sandbox, "429-html").unwrap();
    assert!(page.status == 429 && page.text().contains("nginx"));
    for (fault, status, kind) in [
        ("500", 500, "application/json"),
        ("502", 502, "text/html"),
        ("503", 503, "text/html"),
        ("504", 504, "text/html"),
        ("maintenance=5", 503, "text/plain"),
        ("blocked", 403, "text/html"),
        ("login", 200, "text/html"),
    ] {
        let reply = meet(&sandbox, fault).unwrap();
        assert_eq!(reply.status, status, "{fault}");
        assert!(reply.header("content-type").unwrap().starts_with(kind), "{fault}");
        assert!(reply.whole, "{fault}");
    }
    assert!(meet(&sandbox, "blocked").unwrap().text().contains("This IP has been blocked. Contact us"));
}

#[test]
fn a_fault_nobody_knows_is_said_to_be_unknown() {
    let reply = meet(&sandbox(), "503-date").unwrap();
    assert!(reply.status == 400 && reply.text().contains("maintenance=SECONDS"), "{}", reply.text());
}

#[test]
fn cut_bodies() {
    let sandbox = sandbox();
    let whole = meet(&sandbox, "pass").unwrap();
    let half = &whole.body[..whole.body.len() / 2];

    let matching = meet(&sandbox, "cut-body").unwrap();
    assert!(matching.whole && matching.body == half);
    let accepting = [("X-Sandbox-Fault", "cut-body"), ("Accept-Encoding", "gzip")];
    let packed = exchange(sandbox.addr(), "GET", "/v1/taxa/48662", &accepting, b"").unwrap();
    assert!(packed.whole && gunzip(&packed.body).unwrap() == half, "it unpacks, and half is missing");
    let short = meet(&sandbox, "cut-length").unwrap();
    assert!(!short.whole && short.body == half);
    assert_eq!(short.header("content-length"), Some(whole.body.len().to_string().as_str()));
    let chunked = meet(&sandbox, "cut-chunked").unwrap();
    assert_eq!(chunked.header("transfer-encoding"), Some("chunked"));
    assert!(!chunked.whole && chunked.body == half);
    let packed = meet(&sandbox, "cut-gzip").unwrap();
    assert!(packed.whole && packed.header("content-encoding") == Some("gzip"));
    assert!(gunzip(&packed.body).is_err());
    let typed = meet(&sandbox, "wrong-type=text/plain").unwrap();
    assert_eq!((typed.header("content-type"), typed.body == whole.body), (Some("text/plain"), true));
}

#[test]
fn broken_connections() {
    let sandbox = sandbox();
    for fault in ["reset", "close", "lost"] {
        assert!(meet(&sandbox, fault).is_err(), "{fault}");
    }
    assert!(sandbox.log().iter().all(|seen| seen.status.is_none() && seen.fault.is_some()));
    let reset = meet(&sandbox, "reset-mid").unwrap();
    assert!(!reset.whole && reset.status == 200);

    let mut stream = crate::client::connect(sandbox.addr());
    stream.write_all(b"GET /v1/taxa/3?X-Sandbox-Fault=reset HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let error = stream.read(&mut [0; 10]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn slow_replies_come_whole() {
    let sandbox = sandbox();
    let start = Instant::now();
    assert_eq!(meet(&sandbox, "slow=60").unwrap().status, 200);
    assert!(start.elapsed() >= Duration::from_millis(60));
    let start = Instant::now();
    let dripped = exchange(sandbox.addr(), "GET", "/v1/ping", &[("X-Sandbox-Fault", "drip=2")], b"").unwrap();
    assert_eq!(dripped.json()["status"], "available");
    assert!(start.elapsed() >= Duration::from_millis(2 * dripped.body.len() as u64));
}

#[test]
fn scripts_are_played_in_order_then_all_is_well() {
    let sandbox = sandbox();
    sandbox.script("/v1/taxa", [Fault::Status(503), Fault::Pass, Fault::Throttled(RetryAfter::Seconds(2))]);
    sandbox.script(
        "/v1/places",
        [
            Answer::new(200).header("ETag", "\"a\"").header("Vary", "X-Name").header("Vary", "Accept").body("one"),
            Answer::new(204),
        ],
    );
    let statuses: Vec<u16> = (0..4).map(|_| get(sandbox.addr(), "/v1/taxa/3").status).collect();
    assert_eq!(statuses, [503, 200, 429, 200]);
    let reply = get(sandbox.addr(), "/v1/places/1");
    assert_eq!((reply.status, reply.text().as_str(), reply.header("etag")), (200, "one", Some("\"a\"")));
    assert_eq!(reply.headers.iter().filter(|(name, _)| name == "Vary").count(), 2);
    assert_eq!(reply.header("date"), None, "a scripted answer is sent as it stands");
    assert_eq!(get(sandbox.addr(), "/v1/places/1").status, 204);
    sandbox.script("/", [Fault::raw("HTTP/1.1 200 OK\r\nX: y\r\n\r\nrest")]);
    let raw = get(sandbox.addr(), "/anything");
    assert_eq!((raw.header("x"), raw.text().as_str()), (Some("y"), "rest"));
}

#[test]
fn a_request_may_ask_for_a_few_failures() {
    let sandbox = sandbox();
    let statuses: Vec<u16> = (0..4).map(|_| get(sandbox.addr(), "/v1/taxa/3?X-Sandbox-Fault=503*2").status).collect();
    assert_eq!(statuses, [503, 503, 200, 200]);
}

#[test]
fn chance_follows_the_seed() {
    let run = |seed: u64| {
        let config = Config { seed, observations: 10, ..Config::default() }.with_faults("503@0.3,429=1@0.2").unwrap();
        let sandbox = Sandbox::start(config).unwrap();
        let statuses: Vec<u16> = (0..200).map(|_| get(sandbox.addr(), "/v1/ping").status).collect();
        assert_eq!(get(sandbox.addr(), "/__sandbox/status/200").status, 200);
        statuses
    };
    let first = run(5);
    assert_eq!(first, run(5));
    assert_ne!(first, run(6));
    let count = |status| first.iter().filter(|one| **one == status).count();
    assert!((35..85).contains(&count(503)) && (20..65).contains(&count(429)), "{} {}", count(503), count(429));
}

#[test]
fn a_handler_plays_the_origin() {
    let sandbox = Sandbox::start(Config::handler(|seen| {
        (seen.path() == "/mine")
            .then(|| Answer::new(200).header("Cache-Control", "max-age=9").body(seen.param("say").unwrap_or_default()))
    }))
    .unwrap();
    let reply = get(sandbox.addr(), "/mine?say=a%20b");
    assert_eq!((reply.text().as_str(), reply.header("cache-control")), ("a b", Some("max-age=9")));
    assert_eq!(get(sandbox.addr(), "/v1/taxa/3").status, 200);
    let log = sandbox.log();
    assert_eq!((log[0].status, log[0].target.as_str(), log[0].number), (Some(200), "/mine?say=a%20b", 1));
}

#[test]
fn a_handler_that_panics_costs_one_reply() {
    let sandbox = Sandbox::start(Config::handler(|seen| {
        assert_ne!(seen.path(), "/bad", "on purpose");
        None
    }))
    .unwrap();
    assert_eq!(get(sandbox.addr(), "/bad").status, 500);
    assert_eq!(get(sandbox.addr(), "/v1/ping").status, 200);
}

#[test]
fn the_throttle_counts_before_anything_else() {
    let throttle = Throttle { limit: 3, per_day: Some(5), retry_after: RetryAfter::Seconds(9), ..Throttle::default() };
    let sandbox = Sandbox::start(Config { throttle: Some(throttle), observations: 10, ..Config::default() }).unwrap();
    let statuses =
        |count: usize| -> Vec<u16> { (0..count).map(|_| get(sandbox.addr(), "/v1/no/such").status).collect() };
    assert_eq!(statuses(5), [404, 404, 404, 429, 429]);
    assert_eq!(get(sandbox.addr(), "/v1/ping").header("retry-after"), Some("9"));
    sandbox.advance(Duration::from_secs(61));
    assert_eq!(statuses(3), [404, 404, 403]);
    assert!(get(sandbox.addr(), "/v1/ping").text().contains("This IP has been blocked"));
    sandbox.advance(Duration::from_secs(86_400));
    assert_eq!(statuses(1), [404]);
}

#[test]
fn a_reply_lost_after_commit_leaves_one_record() {
    let sandbox = sandbox();
    let token = crate::client::bearer(7);
    let body = json!({ "observation": { "uuid": "11111111-2222-4333-8444-555555555555", "species_guess": "Monarch" } })
        .to_string();
    let headers = [("Authorization", token.as_str()), ("Content-Type", "application/json")];
    sandbox.script("/v1/observations", [Fault::Lost]);
    assert!(exchange(sandbox.addr(), "POST", "/v1/observations", &headers, body.as_bytes()).is_err());
    assert_eq!(sandbox.created_observations(), 1);
    let again = send(sandbox.addr(), "POST", "/v1/observations", &headers, body.as_bytes());
    assert_eq!((again.status, sandbox.created_observations()), (200, 1));
    let found = get_with(sandbox.addr(), &format!("/v1/observations/{}", again.json()["id"]), &[]).json();
    assert_eq!(found["results"][0]["uuid"], Value::from("11111111-2222-4333-8444-555555555555"));
}
