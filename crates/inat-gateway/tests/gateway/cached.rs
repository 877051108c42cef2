//! The session's cache and budget as a client of the port sees them.

use std::collections::HashSet;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use inat_gateway::Upstream;
use inat_session::Session;

use crate::support::{Answer, Origin, Say, before, by_the_librarys_rules, config, gate, nobody, plain, start};

#[test]
fn hits_say_that_they_are() {
    // What is left of 6053 seconds begins with 60 for most of a minute.
    let origin = Origin::start(|_| Say::ok("Cache-Control: max-age=6060\r\nETag: \"e\"\r\nAge: 7\r\n", "0123456789"));
    let gateway = before(&origin);
    let first = gateway.get("/v1/taxa/1");
    assert!(
        first.cache().starts_with("inat; fwd=") && first.cache().contains("; fwd-status=200; stored; ttl=60"),
        "{}",
        first.cache()
    );
    let hit = gateway.get("/v1/taxa/1");
    assert_eq!((hit.status, hit.text().as_str()), (200, "0123456789"));
    assert!(hit.cache().starts_with("inat; hit; ttl=60"), "{}", hit.cache());
    let age: u64 = hit.field("age").unwrap().parse().unwrap();
    assert!((7..60).contains(&age), "{age}");
    let unchanged = gateway.get_with("/v1/taxa/1", "If-None-Match: \"e\"\r\n");
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    let part = gateway.get_with("/v1/taxa/1", "Range: bytes=2-4\r\n");
    assert_eq!((part.status, part.text().as_str()), (206, "234"));
    assert_eq!(part.field("content-range").as_deref(), Some("bytes 2-4/10"));
    let head = gateway.request("HEAD", "/v1/taxa/1", "", "");
    assert_eq!((head.status, head.field("content-length").as_deref()), (200, Some("10")));
    assert_eq!(origin.count(), 1);
    assert!(gateway.metric("inat_upstream_requests_total") == 1);
    assert!(gateway.metric("inat_requests_total{status=\"200\",cache=\"hit\"}") >= 2);
}

#[test]
fn only_if_cached_and_stale_answers() {
    let down = Arc::new(AtomicBool::new(false));
    let is_down = down.clone();
    let origin = Origin::start(move |seen| match (is_down.load(Ordering::SeqCst), seen.target()) {
        (true, "/failing") => Say::raw("HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n"),
        (true, _) => Say::close(""),
        (false, _) => Say::ok("Cache-Control: max-age=0, stale-if-error=600\r\nETag: \"e\"\r\n", "kept"),
    });
    let gateway = before(&origin);
    let refused = gateway.get_with("/s", "Cache-Control: only-if-cached\r\n");
    assert_eq!((refused.status, refused.json()["status"].as_u64()), (504, Some(504)));
    assert_eq!(origin.count(), 0);
    assert_eq!((gateway.get("/s").text(), gateway.get("/failing").text()), ("kept".to_owned(), "kept".to_owned()));
    down.store(true, Ordering::SeqCst);
    for (target, expected) in [("/s", "inat; fwd=stale; ttl="), ("/failing", "inat; fwd=stale; fwd-status=503; ttl=")] {
        let stale = gateway.get(target);
        assert_eq!((stale.status, stale.text().as_str()), (200, "kept"));
        let says = stale.cache();
        assert!(says.starts_with(expected) && says.ends_with("; detail=stale-if-error"), "{says}");
    }
    assert_eq!(gateway.get("/never").status, 502);
}

#[test]
fn what_is_stored_and_may_not_be_served_is_a_504_and_nothing_a_502() {
    let down = Arc::new(AtomicBool::new(false));
    let is_down = down.clone();
    let origin = Origin::start(move |seen| {
        if is_down.load(Ordering::SeqCst) {
            return Say::close("");
        }
        let directives = seen.target().trim_start_matches('/').replace('+', ", ").replace('_', "=");
        Say::ok(&format!("Cache-Control: {directives}\r\nETag: \"e\"\r\n"), "kept")
    });
    let gateway = before(&origin);
    let must = ["/max-age_0+must-revalidate", "/no-cache", "/max-age_0+proxy-revalidate", "/max-age_0"];
    for target in must.iter().chain(&["/max-age_0+stale-if-error_60", "/max-age_600"]) {
        assert_eq!(gateway.get(target).status, 200, "{target}");
    }
    down.store(true, Ordering::SeqCst);
    for target in must {
        let answer = gateway.get(target);
        assert_eq!((answer.status, answer.json()["status"].as_u64()), (504, Some(504)), "{target}");
    }
    let insists = gateway.get_with("/max-age_0+must-revalidate", "Cache-Control: max-stale\r\n");
    assert_eq!(insists.status, 504, "RFC 9111 §5.2.2.2: whatever the client would take");
    assert_eq!(gateway.get_with("/max-age_600", "Cache-Control: no-cache\r\n").status, 504);
    assert_eq!(gateway.get("/max-age_600").status, 200);
    assert_eq!(gateway.get("/max-age_0+stale-if-error_60").status, 200);
    assert_eq!(gateway.get("/nothing").status, 502);
}

#[test]
fn a_write_outdates_what_its_answer_names_by_the_gateways_name() {
    let origin = Origin::start(|seen| match seen.field("x-names") {
        Some(names) => Say::ok(&names.replace('|', "\r\n"), ""),
        None => Say::ok("Cache-Control: max-age=600\r\n", "x"),
    });
    let gateway = before(&origin);
    let (own, upstream) = (gateway.addr, origin.addr);
    let rows = [
        (format!("Location: http://{own}/new|"), true),
        (format!("Content-Location: http://{own}/new|"), true),
        (format!("Location: //{own}/new#top|"), true),
        (format!("Location: HTTP://LocalHost:{}/new?q=1|", own.port()), true),
        (format!("Location: http://{upstream}/new|"), true),
        ("Location: /new|".to_owned(), true),
        ("Location: http://example.org/new|".to_owned(), false),
        (format!("Location: http://localhost:{}/new|", u32::from(own.port()) ^ 1), false),
        ("Location: http://[|".to_owned(), false),
    ];
    for (names, outdates) in rows {
        gateway.get("/new");
        assert!(gateway.get("/new").cache().contains("; hit"));
        assert_eq!(gateway.request("POST", "/all", &format!("X-Names: {names}\r\n"), "body").status, 200);
        assert_eq!(!gateway.get("/new").cache().contains("; hit"), outdates, "{names}");
    }
}

#[test]
fn another_servers_post_is_a_post_whatever_it_calls_itself() {
    let origin = Origin::start(|seen| Say::ok("Cache-Control: max-age=600\r\n", &seen.line));
    let gateway = before(&origin);
    let disguised = || gateway.request("POST", "/x", "X-HTTP-Method-Override: GET\r\nContent-Length: 0\r\n", "");
    assert_eq!(disguised().text(), "POST /x HTTP/1.1");
    assert_eq!(gateway.get("/x").text(), "GET /x HTTP/1.1", "it is not taken for the answer to a GET");
    assert!(gateway.get("/x").cache().contains("; hit"));
    assert_eq!(disguised().text(), "POST /x HTTP/1.1", "nor answered by one");
    assert!(gateway.get("/x").cache().contains("fwd="), "and it outdates what is stored");
    let upstreams = Upstream::api(&format!("http://{}", origin.addr)).unwrap();
    let api = start(config(upstreams), by_the_librarys_rules());
    let long = || api.request("POST", "/v1/x", "X-HTTP-Method-Override: GET\r\n", "q=1");
    assert_eq!(long().text(), "POST /v1/x HTTP/1.1");
    assert!(long().cache().contains("; hit"), "for the API it is a GET with a long query");
}

#[test]
fn failures_speak_the_dialect_of_the_api() {
    let (_kept, gone) = nobody();
    let gateway = start(config(Upstream::api(&format!("http://{gone}")).unwrap()), plain());
    let v1 = gateway.get("/v1/taxa");
    assert_eq!((v1.status, v1.json()["status"].as_u64()), (502, Some(502)));
    assert!(v1.json()["error"].as_str().unwrap().contains("connection"), "{}", v1.text());
    let v2 = gateway.get("/v2/taxa");
    assert_eq!((v2.status, v2.json()["status"].as_str()), (502, Some("502")));
    assert_eq!(v2.json()["errors"][0]["errorCode"], "502");
    assert_eq!(v1.field("cache-control").as_deref(), Some("no-store"));
    let none = gateway.get("/v3/taxa");
    assert_eq!((none.status, none.json()["status"].as_u64()), (404, Some(404)));
    assert_eq!(gateway.get("/v1/../oauth/token").status, 400);
    let head = gateway.request("HEAD", "/v2/taxa", "", "");
    assert_eq!((head.status, head.body.len()), (502, 0));
}

#[test]
fn silence_upstream_is_a_504() {
    let origin = Origin::start(|_| {
        std::thread::sleep(Duration::from_secs(3));
        Say::close("")
    });
    let gateway = start(config(vec![origin.upstream()]), plain().timeout(Duration::from_millis(200)));
    let answer = gateway.get("/slow");
    assert_eq!(answer.status, 504, "{}", answer.text());
}

#[test]
fn patience_has_an_end_and_says_when_to_come_back() {
    let origin = Origin::start(|_| Say::ok("", "x"));
    let session = Session::builder()
        .cache_in_memory()
        .budget_in_memory()
        .max_retries(0)
        .per_second(0.0)
        .per_minute(2.0)
        .per_day(0.0);
    let gateway = start(config(vec![origin.upstream()]), session);
    assert_eq!((gateway.get("/1").status, gateway.get("/2").status), (200, 200));
    let limited = gateway.get_with("/3", "Prefer: wait=1\r\n");
    assert_eq!(limited.status, 429, "{}", limited.text());
    let wait: u64 = limited.field("retry-after").unwrap().parse().unwrap();
    assert!((30..=61).contains(&wait), "{wait}");
    assert_eq!(limited.json()["status"], 429);
    assert_eq!(origin.count(), 2);
    let budget = gateway.get("/-/budget").json();
    assert_eq!(budget["buckets"][0]["windows"][0]["left"], 0, "{budget}");
}

/// The server has seen the request that was lost on a connection it was about to close.
#[test]
fn what_is_sent_a_second_time_pays_a_second_time() {
    let before = Mutex::new(HashSet::new());
    let origin = Origin::by_hand(move |seen, stream| {
        let is_first = before.lock().unwrap().insert(seen.connection);
        is_first && stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_ok()
    });
    let session = Session::builder()
        .cache_in_memory()
        .budget_in_memory()
        .max_retries(0)
        .per_second(0.0)
        .per_minute(3.0)
        .per_day(0.0);
    let gateway = start(config(vec![origin.upstream()]), session);
    assert_eq!((gateway.get("/1").text(), gateway.get("/2").text()), ("ok".to_owned(), "ok".to_owned()));
    assert_eq!(gateway.get_with("/3", "Prefer: wait=1\r\n").status, 429);
    assert_eq!(origin.count(), 3, "one of them came to nothing");
}

#[test]
fn twins_share_one_request() {
    let (go, gate) = gate();
    let origin = Origin::start(move |_| {
        // The first waits for its twins to be in the gateway.
        gate.pass();
        Say::ok("Cache-Control: max-age=600\r\n", "one for all")
    });
    let gateway = before(&origin);
    let twins: Vec<_> =
        (0..8).map(|agent| gateway.ask("/twins", &format!("User-Agent: script-{}\r\n", agent % 3))).collect();
    gateway.until("all are waiting", |gateway| gateway.metric("inat_requests_waiting") == 8);
    drop(go);
    for mut twin in twins {
        assert_eq!(Answer::read(&mut twin).unwrap().text(), "one for all");
    }
    assert_eq!(origin.count(), 1);
    assert!(gateway.metric("inat_requests_total{status=\"200\",cache=\"collapsed\"}") >= 1);
}

#[test]
fn a_full_house_answers_from_the_cache_only() {
    let (go, gate) = gate();
    let origin = Origin::start(move |seen| {
        if seen.target() == "/held" {
            gate.pass();
        }
        Say::ok("Cache-Control: max-age=600\r\n", "x")
    });
    let mut config = config(vec![origin.upstream()]);
    config.max_waiting = 1;
    let gateway = start(config, plain());
    assert_eq!(gateway.get("/known").status, 200);
    let mut held = gateway.ask("/held", "");
    gateway.until("one waits", |gateway| gateway.metric("inat_requests_waiting") == 1);
    let refused = gateway.get("/new");
    assert_eq!((refused.status, refused.field("retry-after").as_deref()), (503, Some("1")));
    assert_eq!(gateway.get("/known").status, 200);
    drop(go);
    assert_eq!(Answer::read(&mut held).unwrap().status, 200);
    assert_eq!(origin.count(), 2);
}

#[test]
fn queries_are_told_apart_byte_by_byte() {
    let origin = Origin::start(|seen| Say::ok("Cache-Control: max-age=600\r\n", seen.target()));
    let gateway = before(&origin);
    let targets = ["/?q='", "/?q=%27", "/?q=a+b", "/?q=a%20b", "/?q=%7e", "/?q=~", "/?a&b", "/?b&a", "/?", "/"];
    for again in [false, true] {
        for target in targets {
            let answer = gateway.get(target);
            assert_eq!(
                (answer.text().as_str(), answer.cache().contains("; hit")),
                (target, again),
                "{}",
                answer.cache()
            );
        }
    }
    assert_eq!(origin.count(), targets.len());
}

#[test]
fn the_answer_to_a_post_that_says_where_it_belongs_answers_later_reads() {
    let origin =
        Origin::start(|seen| Say::ok(&seen.field("x-says").unwrap_or_default().replace('|', "\r\n"), &seen.line));
    let gateway = before(&origin);
    let post = |says: &str| gateway.request("POST", "/p?q=1", &format!("X-Says: {says}\r\n"), "body").status;
    for (says, kept) in [
        ("Cache-Control: max-age=60|Content-Location: /p?q=1|", true),
        ("Cache-Control: max-age=60|Content-Location: /p|", false),
        ("Cache-Control: max-age=60|", false),
        ("Content-Location: /p?q=1|ETag: \"1\"|Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT|", false),
        ("Cache-Control: max-age=0|Content-Location: /p?q=1|", false),
        ("Cache-Control: max-age=60, no-store|Content-Location: /p?q=1|", false),
    ] {
        assert_eq!(post(says), 200);
        assert_eq!(gateway.get("/p?q=1").text().starts_with("POST"), kept, "{says}");
        assert_eq!(gateway.request("HEAD", "/p?q=1", "", "").cache().contains("; hit"), kept, "{says}");
        let asked = origin.count();
        assert_eq!(post(says), 200);
        assert_eq!(origin.count(), asked + 1, "a POST is never answered by it: {says}");
        gateway.request("DELETE", "/p?q=1", "", "");
        assert!(gateway.get("/p?q=1").text().starts_with("GET"), "{says}");
    }
}

#[test]
fn paths_a_parser_would_rewrite_never_touch_the_cache() {
    let origin = Origin::start(|seen| Say::ok("Cache-Control: max-age=600\r\n", seen.target()));
    let gateway = before(&origin);
    for _ in 0..2 {
        let odd = gateway.get("/a/../b");
        assert_eq!((odd.text().as_str(), odd.cache().contains("fwd=bypass")), ("/a/../b", true), "{}", odd.cache());
        assert_eq!(gateway.get("/b").text(), "/b");
    }
    assert_eq!(origin.count(), 3);
}

#[test]
fn an_api_is_asked_for_gzip_and_all_clients_share_one_plain_answer() {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(b"{\"results\":[]}").unwrap();
    let packed = encoder.finish().unwrap();
    let origin = Origin::start(move |seen| {
        assert_eq!(seen.field("accept-encoding").as_deref(), Some("gzip"));
        assert!(seen.field("user-agent").is_some());
        let mut bytes = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nVary: Accept-Encoding\r\n\
             Cache-Control: public, max-age=300\r\nContent-Length: {}\r\n\r\n",
            packed.len()
        )
        .into_bytes();
        bytes.extend_from_slice(&packed);
        Say::raw(bytes)
    });
    let upstreams = Upstream::api(&format!("http://{}", origin.addr)).unwrap();
    let gateway = start(config(upstreams), plain().check_json(true));
    for accepts in [
        "",
        "Accept-Encoding: gzip, deflate\r\n",
        "Accept-Encoding: deflate, gzip, br, zstd\r\n",
        "Accept-Encoding: br\r\n",
    ] {
        let answer = gateway.get_with("/v1/taxa", accepts);
        assert_eq!((answer.status, answer.text().as_str()), (200, "{\"results\":[]}"));
        assert_eq!((answer.field("content-encoding"), answer.field("content-length").as_deref()), (None, Some("14")));
    }
    assert_eq!(origin.count(), 1);
}

#[test]
fn its_own_pages() {
    let origin = Origin::start(|_| Say::ok("Cache-Control: max-age=600\r\n", "x"));
    let gateway = before(&origin);
    gateway.get("/1");
    assert_eq!(gateway.get("/-/health").json()["status"], "ok");
    assert_eq!(gateway.get("/-/cache").json()["entries"], 1);
    assert!(gateway.get("/-/metrics").field("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    assert_eq!(gateway.request("HEAD", "/-/health", "", "").status, 200);
    let post = gateway.request("POST", "/-/health", "", "");
    assert_eq!((post.status, post.field("allow").as_deref()), (405, Some("GET, HEAD")));
    assert_eq!(gateway.get("/-/other").status, 404);
    assert_eq!(gateway.say("GET /-/budget HTTP/1.1\r\nHost: evil.example\r\n\r\n").status, 421);
    assert_eq!(origin.count(), 1);
}
