//! Redirects: where they lead, what goes along, and when it is enough.

use http::Method;
use inat_session::{Clock, Kind, Origin, Request, Response, Token};

use crate::support::{BODY, Seen, Stub, offline, ok, reply, scripted, secs, waits};

/// Follows `status` to `location` once; what was sent, and the answer.
fn follow(request: Request, status: u16, location: &str) -> (Vec<Seen>, Response) {
    let clock = Clock::manual();
    let location = location.to_owned();
    let stub = Stub::at_once(&clock, move |number, _| {
        Ok(if number == 0 { reply(status, &[("location", &location)], "moved") } else { ok(&[]) })
    });
    let inat = waits(offline(stub.clone(), &clock));
    let answer = inat.send(request.allow_redirects(true)).unwrap();
    (stub.seen(), answer)
}

#[test]
fn nobody_is_led_anywhere_unasked() {
    let script = inat_session::Script::new().answer(302, &[("location", "/b")], "moved");
    let (inat, _) = scripted(&script);
    let answer = inat.get("a").unwrap();
    assert_eq!((answer.status().as_u16(), answer.header("location")), (302, Some("/b")));
    assert!(answer.history().is_empty());
    assert_eq!(script.seen().len(), 1);
}

#[test]
fn locations_are_resolved() {
    for (location, expected) in [
        ("/b", "https://h.example/b"),
        ("b", "https://h.example/x/b"),
        ("../b?q=1", "https://h.example/b?q=1"),
        ("?q=2", "https://h.example/x/y?q=2"),
        ("//other.example/b", "https://other.example/b"),
        ("http://other.example:8080/b#part", "http://other.example:8080/b"),
        ("/b%20c?d=%2F", "https://h.example/b%20c?d=%2F"),
        ("/schön", "https://h.example/sch%C3%B6n"),
    ] {
        let clock = Clock::manual();
        let script = inat_session::Script::new().answer(301, &[("location", location)], "").answer(200, &[], BODY);
        let inat = waits(offline(script.clone(), &clock));
        let answer = inat.send(Request::get("https://h.example/x/y").allow_redirects(true)).unwrap();
        assert_eq!(script.seen()[1].uri().to_string(), expected, "{location}");
        assert_eq!((answer.url().as_str(), answer.history().len()), (expected, 1));
    }
}

#[test]
fn credentials_stay_with_their_host() {
    let rows = [
        ("https://api.inaturalist.org/v1/x", "https://api.inaturalist.org/v1/y", true),
        ("https://api.inaturalist.org/v1/x", "/v1/y", true),
        ("https://api.inaturalist.org/v1/x", "https://evil.example/y", false),
        ("https://api.inaturalist.org/v1/x", "https://api.inaturalist.org.evil.example/y", false),
        ("https://api.inaturalist.org/v1/x", "http://api.inaturalist.org/v1/y", false),
        ("https://api.inaturalist.org/v1/x", "https://api.inaturalist.org:8443/v1/y", false),
        ("https://api.inaturalist.org/v1/x", "https://static.inaturalist.org/photos/1.jpg", false),
        ("http://127.0.0.1:9/x", "http://127.0.0.1:10/x", false),
    ];
    for (from, to, stays) in rows {
        let request = Request::get(from)
            .token(&Token::new("S3CR3T"))
            .header("Cookie", "session=S3CR3T")
            .header("Proxy-Authorization", "Basic S3CR3T")
            .header("X-Mine", "kept");
        let (seen, _) = follow(request, 302, to);
        assert!(seen[0].headers.contains_key("authorization"), "{from}");
        for name in ["authorization", "cookie", "proxy-authorization"] {
            assert_eq!(seen[1].headers.contains_key(name), stays, "{name}: {from} → {to}");
        }
        assert_eq!(seen[1].field("x-mine"), Some("kept"));
    }
}

#[test]
fn what_was_lost_on_the_way_is_not_found_again() {
    // There and back: the token does not come back, and the answer is nobody's in particular.
    let clock = Clock::manual();
    let stub = Stub::at_once(&clock, |number, _| {
        Ok(match number {
            0 => reply(302, &[("location", "https://elsewhere.example/")], ""),
            1 => reply(302, &[("location", "https://api.inaturalist.org/v1/me")], ""),
            _ => ok(&[]),
        })
    });
    let inat = waits(offline(stub.clone(), &clock));
    let token = Token::new("S3CR3T");
    inat.send(Request::get("https://api.inaturalist.org/v1/start").token(&token).allow_redirects(true)).unwrap();
    assert!(!stub.seen()[2].headers.contains_key("authorization"));
    // The anonymous answer is kept as such, and not as the owner's.
    assert!(inat.send(Request::get("https://api.inaturalist.org/v1/me")).unwrap().is_from_cache());
    assert!(!inat.send(Request::get("https://api.inaturalist.org/v1/me").token(&token)).unwrap().is_from_cache());
}

#[test]
fn methods_and_bodies() {
    let rows = [
        ("POST", 303, "GET", false),
        ("PUT", 303, "GET", false),
        ("DELETE", 303, "GET", false),
        ("HEAD", 303, "HEAD", true),
        ("POST", 301, "GET", false),
        ("POST", 302, "GET", false),
        ("PUT", 302, "PUT", true),
        ("POST", 307, "POST", true),
        ("POST", 308, "POST", true),
        ("GET", 307, "GET", true),
    ];
    for (method, status, expected, body) in rows {
        let request = Request::new(method, "https://h.example/x").bytes("text/plain", "hello");
        let (seen, _) = follow(request, status, "/y");
        assert_eq!(seen[1].method, expected, "{method} {status}");
        assert_eq!(seen[1].body.is_empty(), !body, "{method} {status}");
        assert_eq!(seen[1].headers.contains_key("content-type"), body, "{method} {status}");
        assert!(Method::from_bytes(seen[1].method.as_bytes()).is_ok());
    }
}

#[test]
fn loops_end() {
    let script = inat_session::Script::new().answer(302, &[("location", "/x?access_token=S3CR3T")], "");
    let (kept, _) = scripted(&script);
    kept.send(Request::get("https://h.example/x").allow_redirects(true)).unwrap_err();
    assert_eq!(script.seen().len(), 2, "a loop that is kept costs no more requests");

    let script = inat_session::Script::new().answer(302, &[("location", "/x?access_token=S3CR3T")], "");
    let inat = waits(offline(script.clone(), &Clock::manual()).cache_disabled(true));
    let error = inat.send(Request::get("https://h.example/x").allow_redirects(true)).unwrap_err();
    assert!(matches!(error.kind(), Kind::Redirect(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("S3CR3T"), "{error:?}");
    assert_eq!(script.seen().len(), 11);
    let mut twice = Request::get("https://h.example/y");
    twice.options.redirects = 2;
    assert!(inat.send(twice).is_err());
    assert_eq!(script.seen().len(), 14);
}

#[test]
fn redirects_that_lead_nowhere() {
    for location in ["ftp://h.example/", "http://[::bad", "javascript:alert(1)", "https://", "file:///etc/passwd"] {
        let script = inat_session::Script::new().answer(302, &[("location", location)], "");
        let (inat, _) = scripted(&script);
        let error = inat.send(Request::get("https://h.example/x").allow_redirects(true)).unwrap_err();
        assert!(matches!(error.kind(), Kind::Redirect(_)), "{location}: {error:?}");
        assert_eq!(script.seen().len(), 1);
    }
    for fields in [&[][..], &[("location", "/y")][..]] {
        // Without a place to go to, or not a redirect: an answer like others.
        let status = if fields.is_empty() { 302 } else { 300 };
        let script = inat_session::Script::new().answer(status, fields, "choose");
        let (inat, _) = scripted(&script);
        let answer = inat.send(Request::get("https://h.example/x").allow_redirects(true)).unwrap();
        assert_eq!((answer.status().as_u16(), script.seen().len()), (status, 1));
    }
}

#[test]
fn the_history_is_masked_and_the_deadline_is_for_all_of_it() {
    let (_, answer) = follow(Request::get("https://h.example/x?token=S3CR3T"), 302, "/y");
    assert_eq!(answer.history()[0].url, "https://h.example/x?token=[REDACTED]");
    assert_eq!(answer.history()[0].status, 302);
    assert!(matches!(answer.history()[0].origin, Origin::Network { attempts: 1, .. }));

    let clock = Clock::manual();
    let moving = clock.clone();
    let stub = Stub::at_once(&clock, move |number, _| {
        moving.advance(secs(4));
        Ok(reply(302, &[("location", &format!("/{number}"))], ""))
    });
    let inat = waits(offline(stub.clone(), &clock).unlimited());
    let error = inat.send(Request::get("https://h.example/x").allow_redirects(true).deadline(secs(10))).unwrap_err();
    assert!(matches!(error.kind(), Kind::Deadline(_)), "{error:?}");
    assert_eq!(stub.count(), 3);
}
