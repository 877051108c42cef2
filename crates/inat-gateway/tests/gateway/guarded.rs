//! What is refused at the gate.

use std::io::{Read, Write};

use inat_gateway::{Config, Error, Upstream, serve};
use inat_session::Session;

use crate::support::{Answer, Origin, Say, before, config, nobody, plain, start, try_to_start};

#[test]
fn malformed_and_hostile_shapes_are_refused_and_reach_nobody() {
    let origin = Origin::start(|_| Say::ok("", "x"));
    let gateway = before(&origin);
    let rows: [(&str, &[u16]); 32] = [
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", &[421]),
        ("GET / HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", &[421]),
        ("GET / HTTP/1.1\r\n\r\n", &[400]),
        ("GET /x#y HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]),
        ("\x16\x03\x01\x02 \r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost: u@localhost\r\n\r\n", &[400]),
        ("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", &[421]),
        ("CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", &[400]),
        ("GET evil.example:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]),
        (
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            &[400],
        ),
        (
            "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
            &[400],
        ),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", &[400]),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +5\r\n\r\nabcde", &[400]),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0x5\r\n\r\nabcde", &[400]),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length : 5\r\n\r\nabcde", &[400]),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", &[400, 501]),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", &[501]),
        (
            "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
            &[400, 501],
        ),
        ("POST / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", &[400]),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\n folded\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nX\0A: 1\r\n\r\n", &[400]),
        ("GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]),
        ("GET / HTTP/3.7\r\nHost: localhost\r\n\r\n", &[400, 505]),
        ("GET / HTTP/1.1\r\nHost: localhost:abc\r\n\r\n", &[400]),
        ("GET / HTTP/1.1\r\nHost: localhost:99999\r\n\r\n", &[400]),
        ("GET ftp://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]),
        ("GET http://u:p@localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer_Encoding: chunked\r\n\r\n", &[400]),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent_Length: 3\r\n\r\n", &[400]),
    ];
    for (bytes, expected) in rows {
        let answer = gateway.say(bytes);
        assert!(expected.contains(&answer.status), "{bytes:?}: {}", answer.status);
        assert_eq!(answer.json()["status"], answer.status, "{bytes:?} is told why");
    }
    assert_eq!(origin.count(), 0);
    assert_eq!(gateway.say(format!("GET http://{}/x HTTP/1.1\r\nHost: x.example\r\n\r\n", origin.addr)).status, 200);
    assert_eq!(gateway.say(format!("GET http://{}/x HTTP/1.1\r\nHost: x.example\r\n\r\n", gateway.addr)).status, 200);
    assert_eq!(gateway.say("GET /x HTTP/1.0\r\n\r\n").status, 200);
    assert_eq!(origin.count(), 3);
}

#[test]
fn what_follows_a_refused_body_is_no_request() {
    let origin = Origin::start(|_| Say::ok("", "x"));
    let gateway = before(&origin);
    let mut stream = gateway.connect();
    let smuggled = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(smuggled.as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut stream).unwrap().status, 400);
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    assert_eq!(origin.count(), 0);
    // Nor does it help to hide it behind empty lines, or behind another request.
    for before in ["\r\n\r\n", "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let mut stream = gateway.connect();
        stream.write_all(format!("{before}{smuggled}").as_bytes()).unwrap();
        if before.starts_with("GET") {
            assert_eq!(Answer::read(&mut stream).unwrap().status, 200);
        }
        assert_eq!(Answer::read(&mut stream).unwrap().status, 400);
        assert!(Answer::read(&mut stream).is_none());
    }
    assert_eq!(origin.count(), 1);
    // Requests in a row, each with one clear end, are fine, and chunks are when one waits for the answer before.
    let mut stream = gateway.connect();
    stream.write_all(b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nabGET /b HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(Answer::read(&mut stream).unwrap().status, 200);
    assert_eq!(Answer::read(&mut stream).unwrap().status, 200);
    for _ in 0..3 {
        let chunked = b"POST /c HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
        stream.write_all(chunked).unwrap();
        assert_eq!(Answer::read(&mut stream).unwrap().status, 200);
    }
}

#[test]
fn sizes_are_bounded() {
    let origin = Origin::start(|seen| Say::ok("", &seen.body.len().to_string()));
    let mut config = config(vec![origin.upstream()]);
    (config.max_body, config.max_head) = (100_000, 16 << 10);
    let gateway = start(config, plain());
    let huge = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Huge: {}\r\n\r\n", "a".repeat(40 << 10));
    let refused = gateway.say(huge);
    assert_eq!((refused.status, refused.json()["status"].as_u64()), (431, Some(431)));
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "A: b\r\n".repeat(500));
    assert_eq!(gateway.say(many).status, 431);
    let body = |length: usize| gateway.request("POST", "/", "", &"b".repeat(length));
    assert_eq!(body(100_000).text(), "100000");
    let refused = body(100_001);
    assert_eq!((refused.status, refused.json()["status"].as_u64()), (413, Some(413)));
    let declared = gateway
        .say("POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n");
    assert_eq!(declared.status, 413, "before anything is sent");
    let mut chunked = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..3 {
        chunked.extend_from_slice(format!("{:x}\r\n{}\r\n", 50_000, "c".repeat(50_000)).as_bytes());
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(gateway.say(chunked).status, 413);
    assert_eq!(origin.count(), 1);
}

#[test]
fn a_loop_is_seen() {
    // Its own port has to be known before it listens there. Should another program be quicker, the next one will do.
    let before_itself = || {
        let (_, addr) = nobody();
        let mut config = config(vec![Upstream::origin(&format!("http://{addr}")).unwrap()]);
        config.listen = vec![addr.to_string().parse().unwrap()];
        try_to_start(config, plain()).ok()
    };
    let gateway = (0..20).find_map(|_| before_itself()).unwrap();
    let answer = gateway.get("/round");
    assert_eq!((answer.status, answer.json()["status"].as_u64()), (508, Some(508)));
    assert_eq!(gateway.metric("inat_upstream_requests_total"), 1);
}

#[test]
fn it_opens_no_door_to_others_unless_told() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut config = Config::default();
        config.listen = vec!["0.0.0.0:0".parse().unwrap()];
        let session = || Session::builder().cache_in_memory().budget_in_memory();
        assert!(matches!(serve(config.clone(), session()).await, Err(Error::Config(_))));
        config.allow_remote = true;
        assert!(serve(config, session()).await.is_ok());
        let mut config = Config::default();
        config.listen = vec!["[::1]:0".parse().unwrap(), "127.0.0.1:0".parse().unwrap()];
        if let Ok(gateway) = serve(config, session()).await {
            assert_eq!(gateway.listening().len(), 2);
        }
        let mut config = Config::default();
        config.hosts = vec!["lab.example:80".to_owned()];
        assert!(matches!(serve(config, session()).await, Err(Error::Config(_))), "it would never be heard");
        let mut config = Config::default();
        config.upstreams.push(Upstream::origin("http://127.0.0.1:9").unwrap().under("/v1").unwrap());
        assert!(matches!(serve(config, session()).await, Err(Error::Config(_))), "one of them would never be asked");
    });
}
