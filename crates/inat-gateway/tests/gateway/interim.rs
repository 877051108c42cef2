//! What upstream says before it answers (RFC 9110 §15.2).

use std::io::{Read, Write};

use super::support::{Answer, Origin, Say, before, gate};

const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n";

#[test]
fn it_is_handed_on_at_once() {
    let (go, gate) = gate();
    let origin = Origin::by_hand(move |_, stream| {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        stream.write_all(HINTS.as_bytes()).unwrap();
        gate.pass();
        stream.write_all(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_ok()
    });
    let gateway = before(&origin);
    let mut stream = gateway.connect();
    stream.write_all(b"GET /a HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl/8\r\n\r\n").unwrap();
    let mut first = Vec::new();
    while !first.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        first.push(byte[0]);
    }
    assert_eq!(String::from_utf8(first).unwrap(), "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n");
    go.send(()).unwrap();
    let answer = Answer::read(&mut stream).unwrap();
    assert_eq!(answer.interim, ["HTTP/1.1 102 Processing\r\n\r\n"]);
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
}

#[test]
fn all_twins_hear_it_and_those_who_cannot_do_not() {
    let (go, gate) = gate();
    let origin = Origin::by_hand(move |seen, stream| {
        gate.pass();
        stream.write_all(HINTS.as_bytes()).unwrap();
        let body = seen.field("authorization").unwrap_or_default();
        let text = format!("Cache-Control: max-age=60\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(format!("HTTP/1.1 200 OK\r\n{text}").as_bytes()).is_ok()
    });
    let gateway = before(&origin);
    let ask = |target: &str, version: &str, fields: &str| {
        let mut stream = gateway.connect();
        stream.write_all(format!("GET {target} HTTP/{version}\r\nHost: localhost\r\n{fields}\r\n").as_bytes()).unwrap();
        stream
    };
    let mut clients: Vec<_> = [
        ("/a", "1.1", "User-Agent: node\r\n"),
        ("/a", "1.1", "User-Agent: node\r\n"),
        ("/b", "1.0", "User-Agent: node\r\n"),
        ("/c", "1.1", "User-Agent: python-requests/2.32 pyinaturalist/0.20\r\n"),
        // As somebody else, that is something else.
        ("/a", "1.1", "User-Agent: node\r\nAuthorization: me\r\n"),
    ]
    .map(|(target, version, fields)| ask(target, version, fields))
    .into();
    gateway.until("all wait", |gateway| gateway.metric("inat_requests_waiting") == 5);
    for _ in 0..4 {
        go.send(()).unwrap();
    }
    let answers: Vec<Answer> = clients.iter_mut().map(|stream| Answer::read(stream).unwrap()).collect();
    for (answer, told) in answers.iter().zip([true, true, false, false, true]) {
        assert_eq!(answer.status, 200);
        let hints = answer.interim.iter().filter(|text| **text == "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n");
        assert_eq!(hints.count() == answer.interim.len() && !answer.interim.is_empty(), told, "{answer:?}");
    }
    assert_eq!((answers[4].text().as_str(), origin.count()), ("me", 4));
}

/// Two answers may not be torn apart by what is said before the second.
#[test]
fn it_stays_between_two_answers() {
    let origin = Origin::by_hand(|seen, stream| {
        let body = vec![b'x'; 3 << 20];
        let head = format!("HTTP/1.1 200 OK\r\nX-For: {}\r\nContent-Length: {}\r\n\r\n", seen.target(), body.len());
        stream.write_all(HINTS.as_bytes()).is_ok()
            && stream.write_all(head.as_bytes()).is_ok()
            && stream.write_all(&body).is_ok()
    });
    let gateway = before(&origin);
    let mut stream = gateway.connect();
    let all: Vec<String> =
        (0..5).map(|at| format!("GET /{at} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: node\r\n\r\n")).collect();
    stream.write_all(all.concat().as_bytes()).unwrap();
    for at in 0..5 {
        let answer = Answer::read(&mut stream).unwrap();
        assert_eq!((answer.status, answer.field("x-for").unwrap()), (200, format!("/{at}")));
        assert!(answer.whole && answer.body.iter().all(|byte| *byte == b'x'));
        assert!(at > 0 || answer.interim.len() == 1, "nothing is before the first");
    }
}

#[test]
fn the_words_after_the_status_are_upstreams() {
    let origin = Origin::start(|seen| {
        let words = match seen.target() {
            "/none" => "",
            _ => "All Is Well",
        };
        Say::raw(format!("HTTP/1.1 200 {words}\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok"))
    });
    let gateway = before(&origin);
    for (target, line) in [("/none", &b"HTTP/1.1 200 \r\n"[..]), ("/", b"HTTP/1.1 200 All Is Well\r\n")] {
        let answer = gateway.get(target);
        assert!(answer.head.starts_with(line), "{:?}", String::from_utf8_lossy(&answer.head));
        let stored = gateway.get(target);
        assert!(stored.cache().contains("hit") && stored.head.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
}

#[test]
fn a_write_hears_it_too() {
    let origin = Origin::by_hand(|seen, stream| {
        let text = format!("{HINTS}HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", seen.body.len());
        stream.write_all(text.as_bytes()).is_ok() && stream.write_all(&seen.body).is_ok()
    });
    let gateway = before(&origin);
    let answer = gateway.request("POST", "/a", "User-Agent: curl/8\r\n", "words");
    assert_eq!((answer.interim.len(), answer.text().as_str()), (1, "words"));
}
