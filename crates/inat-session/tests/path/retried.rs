//! The verdicts, seen from outside: what is sent again, how often, and what the caller gets in the end.

use std::time::Duration;

use inat_session::{Clock, Fault, Kind, Phase, Request, Script, Stage};

use crate::support::{BODY, JSON, Stub, offline, ok, reply, scripted, secs, waits};

const TAXA: &str = "taxa/1";

fn sent(request: &Request, script: &Script) -> (usize, Kind) {
    let (inat, _) = scripted(script);
    let error = inat.send(request).unwrap_err();
    assert_eq!(error.attempts() as usize, script.seen().len(), "{error:?}");
    (script.seen().len(), error.kind().clone())
}

#[test]
fn faults_by_method() {
    let lost = || Fault::Reset("lost".to_owned());
    let slow = |phase| Fault::Timeout { phase, after: secs(1) };
    let rows = [
        (Fault::Connect("refused".to_owned()), 6, 6),
        (Fault::Dns("unknown".to_owned()), 6, 6),
        (slow(Phase::Connecting), 6, 6),
        (slow(Phase::Sending), 6, 1),
        (slow(Phase::Reading), 6, 1),
        (lost(), 6, 1),
        (Fault::Truncated("half".to_owned()), 6, 1),
        (Fault::Certificate("expired".to_owned()), 1, 1),
        (Fault::Unsendable("nonsense".to_owned()), 1, 1),
    ];
    for (fault, read, write) in rows {
        for (method, tries) in [
            ("GET", read),
            ("HEAD", read),
            ("PUT", read),
            ("DELETE", read),
            ("OPTIONS", read),
            ("POST", write),
            ("PATCH", write),
            ("REPORT", write),
        ] {
            let (count, kind) = sent(&Request::new(method, TAXA), &Script::new().fail(fault.clone()));
            assert_eq!(count, tries, "{method} {fault:?}");
            assert!(matches!(kind, Kind::Network(got) if got == fault), "{method} {fault:?}");
        }
        let (count, _) = sent(&Request::post(TAXA).idempotent(), &Script::new().fail(fault.clone()));
        assert_eq!(count, read, "{fault:?}");
    }
}

#[test]
fn statuses_that_are_answers_at_once() {
    for status in [400, 401, 402, 403, 404, 405, 406, 409, 410, 412, 413, 414, 415, 422, 451, 501, 505] {
        let (count, kind) = sent(&Request::get(TAXA), &Script::new().answer(status, &[], "no"));
        assert_eq!(count, 1, "{status}");
        assert!(matches!(kind, Kind::Status(answer) if answer.text().unwrap() == "no"));
    }
}

#[test]
fn too_far_into_the_results_is_said_once() {
    let body = "{\"error\":\"Result window is too large, from + size must be less than or equal to: [10000]\"}";
    for status in [403, 500] {
        let (count, kind) = sent(&Request::get(TAXA), &Script::new().answer(status, &[JSON], body));
        assert_eq!(count, 1);
        assert!(kind.to_string().contains("Result window is too large"), "{kind}");
    }
}

#[test]
fn no_retries_means_one_try() {
    for script in [
        Script::new().answer(503, &[], ""),
        Script::new().answer(429, &[], ""),
        Script::new().fail(Fault::Connect("refused".to_owned())),
        Script::new().cut(200, &[JSON], "{"),
        Script::new().answer(200, &[JSON], "{"),
    ] {
        let (inat, clock) = scripted(&script);
        let error = inat.send(Request::get(TAXA).retries(0)).unwrap_err();
        assert_eq!((script.seen().len(), error.attempts(), clock.slept()), (1, 1, Duration::ZERO), "{error:?}");
        let clock = Clock::manual();
        let inat = waits(offline(script.clone(), &clock).max_retries(0));
        inat.send(Request::get("taxa/2")).unwrap_err();
        assert_eq!(script.seen().len(), 2);
    }
}

#[test]
fn one_allowance_for_failures_of_every_kind() {
    let script = Script::new()
        .answer(503, &[], "")
        .cut(200, &[JSON], "{")
        .answer(200, &[JSON], "{\"a\":")
        .fail(Fault::Reset("gone".to_owned()))
        .fail(Fault::Connect("refused".to_owned()))
        .answer(504, &[], "")
        .answer(200, &[JSON], BODY);
    let (inat, _) = scripted(&script);
    let error = inat.get(TAXA).unwrap_err();
    assert_eq!((script.seen().len(), error.status().unwrap().as_u16()), (6, 504));
    assert_eq!(inat.send(Request::get(TAXA).retries(7)).unwrap().status(), 200);
}

#[test]
fn the_last_answer_is_the_callers_whatever_it_is() {
    let script = Script::new().answer(503, &[("x-why", "tired")], "the server is tired");
    let (inat, _) = scripted(&script);
    let answer = inat.send(Request::get(TAXA).raise_for_status(false)).unwrap();
    assert_eq!((answer.status().as_u16(), answer.header("x-why")), (503, Some("tired")));
    assert_eq!(answer.text().unwrap(), "the server is tired");
    let error = inat.get(TAXA).unwrap_err();
    assert!(error.is_transient());
    assert_eq!(error.into_response().unwrap().text().unwrap(), "the server is tired");
}

#[test]
fn every_try_says_the_same() {
    let clock = Clock::manual();
    let stub = Stub::at_once(&clock, |number, _| {
        Ok(match number {
            0 => ok(&[("etag", "\"1\""), ("cache-control", "max-age=1")]),
            1..=2 => reply(503, &[], ""),
            _ => reply(304, &[("etag", "\"1\"")], ""),
        })
    });
    let inat = waits(offline(stub.clone(), &clock));
    inat.get(TAXA).unwrap();
    clock.advance(secs(10));
    assert_eq!(inat.get(TAXA).unwrap().text().unwrap(), BODY);
    let seen = stub.seen();
    assert_eq!(seen.len(), 4);
    assert!(seen[1..].iter().all(|seen| seen.headers == seen.headers && seen.field("if-none-match") == Some("\"1\"")));

    let stub = Stub::at_once(&clock, |number, _| Ok(if number < 2 { reply(502, &[], "") } else { ok(&[]) }));
    let inat = waits(offline(stub.clone(), &clock));
    inat.send(Request::put(TAXA).json(&serde_json::json!({"a": [1, 2]}))).unwrap();
    assert!(stub.seen().windows(2).all(|pair| pair[0].headers == pair[1].headers && pair[0].body == pair[1].body));
}

#[test]
fn retry_after_of_a_503_beats_the_backoff() {
    for after in ["7", "Thu, 01 Jan 2026 00:00:07 GMT"] {
        let script = Script::new().answer(503, &[("retry-after", after)], "").answer(200, &[JSON], BODY);
        let (inat, clock) = scripted(&script);
        inat.get(TAXA).unwrap();
        assert!(clock.slept() >= secs(7) && clock.slept() < secs(20), "{after}: {:?}", clock.slept());
    }
    let script = Script::new().answer(503, &[("retry-after", "soon")], "").answer(200, &[JSON], BODY);
    let (inat, clock) = scripted(&script);
    inat.get(TAXA).unwrap();
    assert_eq!(clock.slept(), Duration::ZERO);
}

/// Nobody sleeps for a day because a server says so, nor for longer than the caller would wait for a slot.
#[test]
fn a_pause_that_is_asked_for_has_its_bounds() {
    for status in [500, 502, 503, 504] {
        for (after, patience, limited) in [
            ("86400", None, false),
            ("99999999999999999999", None, false),
            ("300", Some(secs(1)), true),
            ("86400", Some(secs(1)), false),
        ] {
            let script = Script::new().answer(status, &[("retry-after", after)], "").answer(200, &[JSON], BODY);
            let (inat, clock) = scripted(&script);
            let mut prepared = inat.prepare(&Request::get(TAXA)).unwrap();
            prepared.options.max_delay = patience;
            let error = inat.send(&prepared).unwrap_err();
            let expected = if limited {
                matches!(error.kind(), Kind::Limited { until } if until.since(clock.now()) == secs(300))
            } else {
                matches!(error.kind(), Kind::RetryAfter { .. })
            };
            assert!(expected && clock.slept() == Duration::ZERO, "{status}, {after}: {error:?}");
        }
        let script = Script::new().answer(status, &[("retry-after", "300")], "").answer(200, &[JSON], BODY);
        let (inat, clock) = scripted(&script);
        let mut prepared = inat.prepare(&Request::get(TAXA)).unwrap();
        prepared.options.max_delay = Some(secs(400));
        inat.send(&prepared).unwrap();
        assert!(clock.slept() >= secs(300), "{status}");
    }
}

#[test]
fn broken_json_has_many_faces() {
    let json = |kind| ("content-type", kind);
    for (kind, body, broken) in [
        ("application/json", "{\"a\":1", true),
        ("Application/JSON; charset=utf-8", "{\"a\":1", true),
        ("application/geo+json", "[1,", true),
        ("application/json", "<html>", true),
        ("application/json", "{} trailing", true),
        ("application/json", "\u{feff}", true),
        ("application/json", "null", false),
        ("text/json-ish", "{\"a\":1", false),
        ("image/jpeg", "{", false),
    ] {
        let script = Script::new().answer(200, &[json(kind)], body);
        let (inat, _) = scripted(&script);
        match inat.send(Request::get(TAXA).retries(1)) {
            Ok(answer) => assert!(!broken && answer.text().unwrap() == body, "{kind} {body}"),
            Err(error) => {
                assert!(broken && matches!(error.kind(), Kind::BadBody(_)), "{error:?}");
                assert_eq!((script.seen().len(), error.stage()), (2, Stage::Validate));
            }
        }
    }
    let clock = Clock::manual();
    let script = Script::new().answer(200, &[JSON], "{\"a\":1");
    let inat = waits(offline(script, &clock).check_json(false));
    assert_eq!(inat.get(TAXA).unwrap().text().unwrap(), "{\"a\":1");
}

#[test]
fn a_post_whose_answer_is_broken_is_not_sent_again() {
    let (count, kind) = sent(&Request::post(TAXA), &Script::new().answer(200, &[JSON], "{\"id\":"));
    assert_eq!(count, 1);
    assert!(matches!(kind, Kind::BadBody(_)));
}

#[test]
fn a_deadline_stops_the_retries_before_a_wait_it_would_not_survive() {
    let script = Script::new().answer(503, &[], "");
    let (inat, clock) = scripted(&script);
    let error = inat.send(Request::get(TAXA).deadline(secs(5))).unwrap_err();
    assert!(matches!(error.kind(), Kind::Deadline(within) if *within == secs(5)), "{error:?}");
    // 0, 1 and 2 seconds fit, 4 more do not.
    assert_eq!((script.seen().len(), clock.slept()), (4, secs(3)));
    let late = inat.send(Request::get("taxa/2").deadline(Duration::ZERO)).unwrap_err();
    assert!(matches!(late.kind(), Kind::Deadline(_)), "{late:?}");
    assert_eq!(script.seen().len(), 4, "no time, no request");
}

#[test]
fn an_error_says_what_where_how_often_and_what_next() {
    let script = Script::new().fail(Fault::Connect("refused".to_owned()));
    let (inat, clock) = scripted(&script);
    let error = inat.get("taxa/1?token=S3CR3T").unwrap_err();
    assert_eq!((error.stage(), error.attempts(), error.elapsed()), (Stage::Transport, 6, clock.slept()));
    assert_eq!(error.url(), Some("https://api.inaturalist.org/v1/taxa/1?token=[REDACTED]"));
    assert!(error.hint().unwrap().contains("check the network"), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("refused") && text.contains("after 6 tries and 15.0 s") && text.contains("GET"), "{text}");
}

/// What a server refuses is refused, also where it calls a page of HTML or a cut text JSON.
#[test]
fn a_refusal_in_bad_words_is_a_refusal() {
    let clock = Clock::manual();
    for status in [401, 403, 404, 410, 422] {
        for method in ["GET", "PUT", "POST"] {
            let (count, kind) = sent(&Request::new(method, TAXA), &Script::new().answer(status, &[JSON], "<html>no"));
            assert_eq!(count, 1, "{method} {status}");
            assert!(matches!(kind, Kind::Status(answer) if answer.text().unwrap() == "<html>no"), "{method} {status}");
        }
        let script = Script::new().answer(200, &[JSON, ("cache-control", "max-age=1")], BODY).answer(
            status,
            &[JSON],
            "<html>no",
        );
        let inat = waits(offline(script.clone(), &clock));
        inat.get(TAXA).unwrap();
        clock.advance(secs(10));
        let error = inat.get(TAXA).unwrap_err();
        assert_eq!(error.status().unwrap(), status, "what is stored does not stand in for it");
    }
    let throttled = Script::new().answer(429, &[JSON, ("retry-after", "30")], "slow").answer(200, &[JSON], BODY);
    let (inat, clock) = scripted(&throttled);
    assert_eq!(inat.get(TAXA).unwrap().origin().attempts(), 2);
    assert_eq!(clock.slept(), secs(30));
}

#[test]
fn a_server_in_trouble_that_says_at_once_is_not_hurried() {
    let (inat, clock) = scripted(&Script::new().answer(503, &[("retry-after", "0")], "").answer(503, &[], ""));
    inat.get(TAXA).unwrap_err();
    let (plain, usual) = scripted(&Script::new().answer(503, &[], ""));
    plain.get(TAXA).unwrap_err();
    assert_eq!(clock.slept(), usual.slept());
}

/// RFC 9110 §15.5.14.
#[test]
fn a_body_that_is_too_large_for_now_is_sent_again() {
    let script = Script::new().answer(413, &[("retry-after", "7")], "").answer(200, &[JSON], BODY);
    let (inat, clock) = scripted(&script);
    assert_eq!(inat.send(Request::put(TAXA)).unwrap().origin().attempts(), 2);
    assert_eq!(clock.slept(), secs(7));
}
