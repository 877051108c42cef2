//! `inat serve`: the same session for other programs.

use crate::home::{ENOUGH, Home, Started, sandbox};

/// A gateway that ends when the test does.
struct Gateway {
    #[cfg_attr(not(unix), expect(dead_code, reason = "only signals are sent to it; dropping it ends it"))]
    process: Started,
    url: String,
}

impl Gateway {
    fn start(home: &Home, words: &[&str]) -> Self {
        let mut process = home.start(&[&["serve", "--listen", "127.0.0.1:0"], words].concat());
        let line = process.line().unwrap_or_default();
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap_or_else(|| panic!("{line}"));
        Self { url: url.to_owned(), process }
    }
}

#[test]
fn one_cache_for_everybody() {
    let (served, home, sandbox) = (Home::new(), Home::new(), sandbox());
    let gateway = Gateway::start(&served, &["--upstream", sandbox.url(), "--no-limit"]);
    let base = format!("{}/v1/", gateway.url);
    for expected in ["cache-status: inat; fwd=uri-miss", "cache-status: inat; hit"] {
        let run = home.run(&["get", "taxa/48662", "--base-url", &base, "--cache-for", "off", "-vv"]).ok();
        assert!(run.err.contains(expected), "{expected}: {}", run.err);
    }
    assert_eq!(sandbox.count("/v1/taxa"), 1);
    assert_eq!(served.run(&["cache", "ls", "taxa"]).ok().out.lines().count(), 1);
}

#[test]
fn what_is_refused() {
    let home = Home::new();
    for words in [
        &["serve", "--listen", "0.0.0.0:0"][..],
        &["serve", "--listen", "8017"],
        &["serve", "--listen", "127.0.0.1:0", "--upstream", "ftp://h.org/"],
        &["serve", "--listen", "127.0.0.1:0", "--upstream", "http://h.org/", "--sandbox"],
        &["serve", "--listen", "127.0.0.1:0", "--per-second", "-1"],
        &["serve", "--listen", "127.0.0.1:0", "--force-refresh"],
        &["serve", "--listen", "127.0.0.1:0", "--base-url", "http://h.org/v1/"],
        &["serve", "--listen", "127.0.0.1:0", "--insecure"],
    ] {
        assert_eq!(home.run(words).code, 2, "{words:?}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let run = home.run(&["serve", "--listen", &taken.local_addr().unwrap().to_string()]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("hint: another program listens there"), "{}", run.err);
}

#[test]
fn freshness_of_all_answers() {
    let (served, home, sandbox) = (Home::new(), Home::new(), sandbox());
    let ask = |words: &[&str]| {
        let gateway = Gateway::start(&served, &[&["--upstream", sandbox.url(), "--no-limit"], words].concat());
        let base = format!("{}/v1/", gateway.url);
        home.run(&["get", "taxa/48662", "--base-url", &base, "--cache-for", "off", "--retries", "0"]).code
    };
    assert_ne!(ask(&["--offline"]), 0);
    assert_eq!((ask(&["--no-store"]), sandbox.count("/v1/taxa")), (0, 1));
    assert_ne!(ask(&["--offline"]), 0, "it was not kept");
    assert_eq!((ask(&[]), sandbox.count("/v1/taxa")), (0, 2));
    assert_eq!((ask(&["--offline"]), sandbox.count("/v1/taxa")), (0, 2));
    assert_eq!((ask(&["--no-store"]), sandbox.count("/v1/taxa")), (0, 2));
}

#[cfg(unix)]
#[test]
fn it_ends_in_order() {
    let (served, sandbox) = (Home::new(), sandbox());
    for signal in ["-TERM", "-INT"] {
        let gateway = Gateway::start(&served, &["--upstream", sandbox.url()]);
        gateway.process.signal(signal);
        assert_eq!(gateway.process.end().code, 0, "{signal}");
    }
}

/// A page for people, which an API has none of, is handed on and not kept, whatever the client accepts.
#[test]
fn a_login_page_is_no_answer_of_an_api() {
    let served = Home::new();
    let gateway = Gateway::start(&served, &["--sandbox", "--no-limit"]);
    let address = gateway.url.trim_start_matches("http://");
    let ask = |fields: &str| {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(ENOUGH)).unwrap();
        write!(stream, "GET /v1/taxa?q=st3 HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{fields}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.to_ascii_lowercase()
    };
    let page = ask("Accept: */*\r\nX-Sandbox-Fault: login\r\n");
    assert!(page.contains("content-type: text/html") && !page.contains("stored"), "{page}");
    assert!(ask("Accept: */*\r\n").contains("content-type: application/json"));
}

#[test]
fn a_gateway_may_be_told_to_let_wait_for_any_time() {
    let (served, home) = (Home::new(), Home::new());
    let refused = |words: &[&str]| {
        let gateway = Gateway::start(&served, &[&["--sandbox", "--rate", "1/h", "--burst", "1"], words].concat());
        let base = format!("{}/v1/", gateway.url);
        let ask = |target: &str, within: &str| {
            home.run(&["get", target, "--base-url", &base, "--cache-for", "off", "--retries", "0", "--timeout", within])
                .code
        };
        ask("taxa/1", "30s");
        ask("taxa/2", if words.is_empty() { "30s" } else { "1s" })
    };
    assert_eq!(refused(&[]), 4, "429, at once");
    assert_eq!(refused(&["--max-wait", "none"]), 6, "nothing, for as long as the command waits");
}
