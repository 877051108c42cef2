//! What only shows on a real connection (RFC 9112).

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::mpsc;

use inat_session::{Fault, Kind, Request, Response, Session, blocking};

/// An origin that answers each connection with these bytes, in turn, and closes it.
fn origin(answers: Vec<Vec<u8>>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a", listener.local_addr().unwrap());
    let (tell, seen) = mpsc::channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut socket, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && socket.read(&mut byte).unwrap() > 0 {
                head.push(byte[0]);
            }
            tell.send(String::from_utf8(head).unwrap()).ok();
            socket.write_all(&answer).unwrap();
            socket.shutdown(Shutdown::Write).ok();
            while socket.read(&mut byte).is_ok_and(|read| read > 0) {}
        }
    });
    (url, seen)
}

fn session() -> blocking::Session {
    let builder = Session::builder().headers_only().plain().check_json(false).max_retries(0).unlimited();
    builder.cache_in_memory().budget_in_memory().build().unwrap().into()
}

fn get(session: &blocking::Session, url: &str) -> Result<Response, inat_session::Error> {
    session.send(Request::get(url).raise_for_status(false))
}

#[test]
fn what_comes_whole_is_stored_and_what_does_not_is_not() {
    let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nConnection: close\r\n";
    let second = format!("{head}Content-Length: 3\r\n\r\ntwo");
    for (name, first, stored) in [
        ("RFC 9112 §6.3: counted", format!("{head}Content-Length: 3\r\n\r\none"), true),
        ("RFC 9112 §7.1: in chunks", format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n"), true),
        (
            "RFC 9112 §7.1.2: trailers",
            format!("{head}Trailer: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\nT: 1\r\n\r\n"),
            true,
        ),
        ("RFC 9112 §8: up to the end of the connection", format!("{head}\r\none"), true),
        ("RFC 9111 §3.3 MUST NOT: too short", format!("{head}Content-Length: 4\r\n\r\none"), false),
        (
            "RFC 9111 §3.3 MUST NOT: no last chunk",
            format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n"),
            false,
        ),
        ("RFC 9111 §3.3 MUST NOT: half a chunk", format!("{head}Transfer-Encoding: chunked\r\n\r\n9\r\none"), false),
    ] {
        let (url, _seen) = origin(vec![first.into_bytes(), second.clone().into_bytes()]);
        let session = session();
        let answer = get(&session, &url);
        assert_eq!(answer.as_ref().is_ok_and(|answer| answer.text().unwrap() == "one"), stored, "{name}: {answer:?}");
        let again = get(&session, &url).unwrap();
        assert_eq!(again.text().unwrap(), if stored { "one" } else { "two" }, "{name}");
        assert!(!again.headers().contains_key("transfer-encoding"), "{name}");
        assert_eq!(again.is_from_cache(), stored, "{name}");
    }
}

/// RFC 9112 §4: they mean nothing, but people read them.
#[test]
fn the_words_after_the_status() {
    for (words, usual) in [("OK", true), ("All Is Well", false), ("", false)] {
        let answer = format!(
            "HTTP/1.1 200 {words}\r\nCache-Control: max-age=60\r\nContent-Length: 3\r\nConnection: close\r\n\r\none"
        );
        let (url, _seen) = origin(vec![answer.into_bytes()]);
        let session = session();
        let answer = get(&session, &url).unwrap();
        assert_eq!((answer.reason(), answer.unusual_reason().is_none()), (words, usual));
        assert_eq!(get(&session, &url).unwrap().reason(), "OK", "they are not stored");
    }
}

/// RFC 9110 §15.2: interim answers are not the answer.
#[test]
fn interim_answers_are_not_stored() {
    for interim in ["100 Continue", "102 Processing", "103 Early Hints", "150 Whatever"] {
        let answer = format!(
            "HTTP/1.1 {interim}\r\nCache-Control: max-age=600\r\nX: 1\r\n\r\nHTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\
             Content-Length: 3\r\nConnection: close\r\n\r\none"
        );
        let (url, _seen) = origin(vec![answer.into_bytes()]);
        let session = session();
        for from_cache in [false, true] {
            let answer = get(&session, &url).unwrap();
            assert_eq!((answer.status().as_u16(), answer.text().unwrap().as_ref()), (200, "one"), "{interim}");
            assert_eq!(answer.header("cache-control"), Some("max-age=60"), "{interim}");
            assert!(answer.header("x").is_none(), "{interim}");
            assert_eq!(answer.is_from_cache(), from_cache, "{interim}");
        }
    }
}

/// RFC 9110 §5.1, §5.5: names in any letter case, values with bytes beyond ASCII, empty ones, folded ones.
#[test]
fn fields_as_they_come() {
    let answer =
        b"HTTP/1.1 200 OK\r\ncAcHe-CoNtRoL: MAX-age=60\r\nX-Odd: \xe9\xff\r\nX-Empty:\r\nX-Two: b\r\nX-Two: a\r\n\
        X-Folded: a,\r\n b\r\n\tc\r\nX-Spaced : 1\r\nContent-Length: 3\r\nConnection: close, X-Gone\r\n\
        X-Gone: 1\r\n\r\none";
    let (url, seen) = origin(vec![answer.to_vec()]);
    let session = session();
    get(&session, &url).unwrap();
    let stored = get(&session, &url).unwrap();
    assert!(stored.is_from_cache());
    let all =
        |name: &str| stored.headers().get_all(name).iter().map(|value| value.as_bytes().to_vec()).collect::<Vec<_>>();
    assert_eq!(all("x-odd"), [b"\xe9\xff".to_vec()]);
    assert_eq!(all("x-empty"), [b"".to_vec()]);
    assert_eq!(stored.header("x-folded").unwrap().split_whitespace().collect::<Vec<_>>(), ["a,", "b", "c"]);
    assert_eq!(all("x-spaced"), [b"1".to_vec()]);
    assert_eq!(all("x-two"), [b"b".to_vec(), b"a".to_vec()]);
    assert!(all("x-gone").is_empty() && all("connection").is_empty());
    assert_eq!(seen.iter().count(), 1);
}

/// RFC 9112 §4: any three digits, any reason.
#[test]
fn odd_statuses() {
    for status in ["299 Fine", "404 ", "599 Whatever", "200", "799 Beyond"] {
        let answer = format!(
            "HTTP/1.1 {status}\r\nCache-Control: max-age=60\r\nContent-Length: 3\r\nConnection: close\r\n\r\none"
        );
        let (url, _seen) = origin(vec![answer.into_bytes()]);
        let session = session();
        for _ in 0..2 {
            let answer = get(&session, &url).unwrap();
            assert_eq!((&status[..3], answer.text().unwrap().as_ref()), (answer.status().as_str(), "one"), "{status}");
        }
    }
}

/// Some servers send more than a hundred.
#[test]
fn many_fields() {
    let fields = (0..300).fold(String::new(), |fields, number| fields + &format!("X-{number}: {number}\r\n"));
    let (url, _seen) = origin(vec![
        format!(
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 3\r\nConnection: close\r\n{fields}\r\none"
        )
        .into(),
    ]);
    let session = session();
    for from_cache in [false, true] {
        let answer = get(&session, &url).unwrap();
        assert_eq!((answer.header("x-299"), answer.is_from_cache()), (Some("299"), from_cache));
    }
}

/// `one`, packed with gzip.
const PACKED: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff\xcb\xcfK\x05\0\xf1\x86lz\x03\0\0\0";

fn packed(status: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nCache-Control: max-age=1\r\nETag: \"1\"\r\nContent-Encoding: gzip\r\nConnection: close\r\n{fields}\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// RFC 9110 §8.4: a body arrives as it was before it was packed, and so do the fields that speak of it.
#[test]
fn packed_bodies() {
    let length = format!("Content-Length: {}\r\n", PACKED.len());
    let (url, seen) = origin(vec![
        packed("200 OK", &length, PACKED),
        packed("304 Not Modified", "", b""),
        packed("200 OK", &length, b""),
    ]);
    let session = session();
    for (freshness, from_cache) in [(Request::get(&url), false), (Request::get(&url).refresh(), true)] {
        let answer = session.send(freshness.raise_for_status(false)).unwrap();
        assert_eq!((answer.status().as_u16(), answer.text().unwrap().as_ref()), (200, "one"));
        assert!(answer.header("content-encoding").is_none() && answer.header("content-length").is_none());
        assert_eq!(answer.is_from_cache(), from_cache);
    }
    let head = session.send(Request::head(&url).refresh()).unwrap();
    assert_eq!((head.status().as_u16(), head.text().unwrap().as_ref()), (200, ""));
    assert!(seen.iter().all(|request| request.to_ascii_lowercase().contains("accept-encoding: gzip")));
}

/// RFC 9110 §14.4: where a part belongs is counted in the bytes that are sent. So for ranges nothing packed is asked for, and what
/// comes packed all the same is handed on as it is, and not kept.
#[test]
fn packed_parts() {
    let parts = [("bytes 5-9/23", &PACKED[5..10]), ("bytes 0-22/23", PACKED)];
    let plain = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 3\r\nConnection: close\r\n\r\none";
    for (range, bytes) in parts {
        let fields = format!("Content-Range: {range}\r\nContent-Length: {}\r\n", bytes.len());
        let part = packed("206 Partial Content", &fields, bytes);
        let (url, seen) = origin(vec![part, plain.as_bytes().to_vec()]);
        let session = session();
        let asked = format!("bytes={}", range.split(['/', ' ']).nth(1).unwrap());
        let answer = session.send(Request::get(&url).header("range", &asked)).unwrap();
        assert_eq!((answer.status().as_u16(), &answer.bytes().unwrap()[..]), (206, bytes));
        assert_eq!((answer.header("content-encoding"), answer.header("content-range")), (Some("gzip"), Some(range)));
        assert!(seen.iter().next().unwrap().to_ascii_lowercase().contains("accept-encoding: identity"));
        let whole = get(&session, &url).unwrap();
        assert!(!whole.is_from_cache() && whole.text().unwrap() == "one");
    }
}

/// A body that is not what its fields say is an error that says so, and is not stored.
#[test]
fn falsely_labelled_bodies() {
    let plain = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 3\r\nConnection: close\r\n\r\ntwo";
    for (name, body, is_cut) in [
        ("plain", &b"one"[..], false),
        ("nearly", b"\x1f\x8b\x08 and so on, but not packed at all", false),
        ("cut", &PACKED[..PACKED.len() - 3], true),
        ("cut on the way", &PACKED[..PACKED.len() - 4], true),
    ] {
        let length = if name == "cut on the way" { PACKED.len() } else { body.len() };
        let fields = format!("Content-Length: {length}\r\n");
        let (url, _seen) = origin(vec![packed("200 OK", &fields, body), plain.as_bytes().to_vec()]);
        let session = session();
        let error = get(&session, &url).unwrap_err();
        let is_told = match error.kind() {
            Kind::Network(Fault::Truncated(_)) => is_cut,
            Kind::Network(Fault::Undecodable(_)) => !is_cut && error.hint().unwrap().contains("identity"),
            _ => false,
        };
        assert!(is_told, "{name}: {error:?}");
        assert_eq!(get(&session, &url).unwrap().text().unwrap(), "two", "{name}");
    }
}

/// Nothing in HTTP says that a client gets only what it asked for, so a session that goes by HTTP alone keeps it.
#[test]
fn html_is_kept_like_anything_else() {
    let answer = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Type: text/html\r\nContent-Length: 3\r\nConnection: close\r\n\r\none";
    let (url, seen) = origin(vec![answer.into()]);
    let builder = Session::builder().headers_only().max_retries(0).unlimited().cache_in_memory().budget_in_memory();
    let session: blocking::Session = builder.build().unwrap().into();
    assert!(!get(&session, &url).unwrap().is_from_cache());
    assert!(get(&session, &url).unwrap().is_from_cache());
    assert!(seen.iter().next().unwrap().to_ascii_lowercase().contains("accept: application/json"));
}
