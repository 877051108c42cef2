//! The server itself: connections, framing, bounds, garbage, stopping.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::client::{connect, get, parse, request};
use inat_sandbox::{Answer, Config, Sandbox};
use proptest::prelude::*;

fn sandbox() -> Sandbox {
    Sandbox::start(Config { observations: 50, ..Config::default() }).unwrap()
}

fn talk(sandbox: &Sandbox, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(sandbox.addr());
    // The server may hang up on the rest of a refused request.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut out = Vec::new();
    let _ = stream.read_to_end(&mut out);
    out
}

#[test]
fn connections_are_kept_and_pipelined() {
    let sandbox = sandbox();
    let mut bytes = request("GET", "/v1/ping", &[], b"", true);
    bytes.extend(request("POST", "/__sandbox/echo", &[], b"abc", true));
    bytes.extend(request("HEAD", "/v1/taxa/3", &[], b"", true));
    bytes.extend(request("GET", "/v1/taxa/3", &[], b"", false));
    let raw = talk(&sandbox, &bytes);
    let (ping, used) = parse(&raw, false).unwrap();
    let (echo, more) = parse(&raw[used..], false).unwrap();
    let (head, most) = parse(&raw[used + more..], true).unwrap();
    let (taxon, last) = parse(&raw[used + more + most..], false).unwrap();
    assert_eq!((ping.status, head.status, taxon.status), (200, 200, 200));
    assert_eq!(echo.json()["body"], "abc");
    assert_eq!((taxon.header("connection"), used + more + most + last), (Some("close"), raw.len()));
    let log = sandbox.log();
    assert!(log.iter().all(|seen| seen.connection == 1));
    assert_eq!(log.iter().map(|seen| seen.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn request_bodies_in_chunks() {
    let sandbox = sandbox();
    let head = "POST /__sandbox/echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let raw = talk(&sandbox, format!("{head}3;ext=1\r\nabc\r\n5\r\ndefgh\r\n0\r\nTrailer: x\r\n\r\n").as_bytes());
    assert_eq!(parse(&raw, false).unwrap().0.json()["body"], "abcdefgh");
    assert_eq!(&sandbox.log()[0].body[..], b"abcdefgh");
    for bad in ["x\r\nabc", "3\r\nabcd\r\n0\r\n\r\n", "ffffffffffffffff\r\n", "-1\r\n"] {
        let raw = talk(&sandbox, format!("{head}{bad}").as_bytes());
        let status = parse(&raw, false).map(|(reply, _)| reply.status);
        assert!(matches!(status, Some(400 | 413)), "{bad:?} {status:?}");
    }
}

#[test]
fn a_client_that_waits_is_told_to_go_on() {
    let sandbox = sandbox();
    let mut stream = connect(sandbox.addr());
    stream.write_all(b"POST /__sandbox/echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 3\r\n\r\n").unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"abc").unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(parse(&rest, false).unwrap().0.json()["body"], "abc");
}

#[test]
fn malformed_and_oversized_requests_are_refused() {
    let sandbox = sandbox();
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(70_000));
    let wide = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(200));
    for (bytes, expected) in [
        ("nonsense\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\na", 400),
        ("POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (long.as_str(), 431),
        (wide.as_str(), 431),
        ("GET / HT", 400),
    ] {
        let raw = talk(&sandbox, bytes.as_bytes());
        let status = parse(&raw, false).map(|(reply, _)| reply.status);
        assert_eq!(status, Some(expected), "{}", &bytes[..bytes.len().min(60)]);
    }
    assert_eq!(get(sandbox.addr(), "/v1/ping").status, 200);
    assert_eq!(get(sandbox.addr(), "http://other/v1/ping").status, 200, "absolute form");
}

#[test]
fn garbage_never_takes_it_down() {
    let sandbox = sandbox();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let targets = "/(v1|v2|__sandbox|photos|oauth)/(observations|taxa|places|projects|identifications|users|search|bytes|json|redirect)?/?[a-zA-Z0-9,%/.&=?_\\[\\]!(){}:'-]{0,60}";
    runner
        .run(&(targets, any::<Vec<u8>>()), |(target, noise)| {
            let raw = talk(
                &sandbox,
                &request("GET", &target, &[("Authorization", "Bearer x.y.z"), ("Range", "bytes=5-1")], b"", false),
            );
            prop_assert!(parse(&raw, false).is_some(), "{target}");
            let token = crate::client::bearer(1);
            let raw = talk(&sandbox, &request("POST", &target, &[("Authorization", &token)], &noise, false));
            prop_assert!(parse(&raw, false).is_some(), "{target}");
            talk(&sandbox, &noise);
            Ok(())
        })
        .unwrap();
    assert!(sandbox.log().iter().all(|seen| seen.status.is_some()));
    assert_eq!(get(sandbox.addr(), "/v1/ping").status, 200);
}

#[test]
fn many_connections_at_once() {
    let sandbox = Arc::new(sandbox());
    let idle: Vec<TcpStream> = (0..200).map(|_| connect(sandbox.addr())).collect();
    let threads: Vec<_> = (0..16)
        .map(|number| {
            let sandbox = Arc::clone(&sandbox);
            thread::spawn(move || {
                for round in 0..20 {
                    assert_eq!(get(sandbox.addr(), &format!("/v1/taxa/{}", 1 + number * 20 + round)).status, 200);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(sandbox.count("/v1/taxa/"), 320);
    drop(idle);
    sandbox.clear_log();
    assert_eq!(sandbox.log().len(), 0);
}

#[test]
fn waiting_for_arrivals_and_stopping_in_their_midst() {
    let (open, closed) = std::sync::mpsc::channel::<()>();
    let closed = std::sync::Mutex::new(closed);
    let sandbox = Sandbox::start(Config::handler(move |_| {
        // Held until the test lets go of its end.
        let _ = closed.lock().unwrap().recv_timeout(Duration::from_secs(60));
        Some(Answer::new(200))
    }))
    .unwrap();
    assert!(!sandbox.wait_for("/", 1, Duration::from_millis(1)));
    let mut stream = connect(sandbox.addr());
    stream.write_all(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(sandbox.wait_for("/held", 1, Duration::from_secs(30)));
    assert_eq!(sandbox.log()[0].status, None);
    let addr = sandbox.addr();
    let start = Instant::now();
    sandbox.stop();
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(TcpStream::connect(addr).is_err());
    drop(open);
}

#[test]
fn it_starts_and_stops_inside_an_async_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let sandbox = sandbox();
        assert!(sandbox.base_url().ends_with("/v1/"));
        drop(sandbox);
    });
}
