//! Looking up and storing: what a cache must never do to a caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use inat_session::{Clock, Expiry, Fault, Kind, Origin, Request, Response, Script, Token};

use crate::support::{BODY, JSON, Stub, always, good_for, offline, ok, reply, scripted, secs, waits};

const TAXA: &str = "taxa/1";

#[test]
fn a_head_has_no_body_however_long_it_says_it_is() {
    let script = Script::new().answer(200, &[("content-length", "400000000")], "");
    let (inat, _) = scripted(&script);
    for request in [Request::head(TAXA), Request::head("taxa/2").stream()] {
        let head = inat.send(request).unwrap();
        assert_eq!(head.header("content-length"), Some("400000000"));
        assert!(head.bytes().unwrap().is_empty());
    }
}

/// RFC 9110 §8.6: what is no length is not passed on.
#[test]
fn a_head_passes_on_no_length_that_is_none() {
    for (length, kept) in [("7", true), ("abc", false), ("-1", false), ("+2", false), ("", false), ("2, 3", false)] {
        let script = Script::new().answer(200, &[("content-length", length), ("cache-control", "max-age=60")], "");
        let (inat, _) = scripted(&script);
        for _ in 0..2 {
            let head = inat.send(Request::head(TAXA)).unwrap();
            assert_eq!(head.headers().contains_key("content-length"), kept, "{length}");
        }
    }
}

/// RFC 9211 §2.4: negative where it is stale, by as much as it is.
#[test]
fn what_came_expired_says_since_when() {
    let (inat, clock) =
        scripted(&always(&[("cache-control", "max-age=10, stale-while-revalidate=9000"), ("age", "2000")]));
    inat.get(TAXA).unwrap();
    clock.advance(secs(5));
    let stale = inat.send(Request::get(TAXA).header("Cache-Control", "max-stale")).unwrap();
    let status = stale.cache_status(clock.now());
    assert!(status.contains("ttl=-1995"), "{status}");
}

#[test]
fn a_server_that_always_says_304_is_not_asked_for_ever() {
    let script = Script::new().answer(200, &[JSON, ("etag", "\"1\""), ("cache-control", "max-age=1")], BODY).answer(
        304,
        &[("etag", "\"another\"")],
        "",
    );
    let (inat, clock) = scripted(&script);
    inat.get(TAXA).unwrap();
    clock.advance(secs(10));
    let answer = inat.get(TAXA).unwrap();
    assert_eq!(answer.status(), 304);
    assert_eq!(script.seen().len(), 3, "once with the condition, once without");
    assert!(!script.seen()[2].headers().contains_key("if-none-match"));
}

#[test]
fn a_304_for_a_body_that_is_not_to_be_used_is_asked_again() {
    let clock = Clock::manual();
    let script = Script::new()
        .answer(200, &[JSON, ("etag", "\"1\""), ("x-kind", "good"), ("cache-control", "max-age=1")], BODY)
        .answer(304, &[("etag", "\"1\""), ("x-kind", "bad")], "")
        .answer(200, &[JSON, ("etag", "\"2\"")], "2");
    let good = |answer: &Response| answer.header("x-kind") != Some("bad");
    let inat = waits(offline(script.clone(), &clock).filter(good));
    inat.get(TAXA).unwrap();
    clock.advance(secs(10));
    assert_eq!(inat.get(TAXA).unwrap().text().unwrap(), "2");
    assert_eq!(script.seen().len(), 3);
}

/// The answer to a write was lost or broken: the write may have happened, so what is stored is not to be trusted.
#[test]
fn a_write_that_may_have_happened_makes_what_is_stored_outdated() {
    let stored = || Script::new().answer(200, &[JSON], BODY);
    let rows = [
        (Request::post(TAXA), stored().answer(200, &[JSON], "{\"cut").answer(200, &[JSON], BODY), true),
        (Request::post(TAXA), stored().fail(Fault::Reset("lost".to_owned())).answer(200, &[JSON], BODY), true),
        (
            Request::post(TAXA),
            stored().fail(Fault::Timeout { phase: inat_session::Phase::Reading, after: secs(1) }).answer(
                200,
                &[JSON],
                BODY,
            ),
            true,
        ),
        // Deleted, the answer lost; the second try finds nothing to delete.
        (
            Request::delete(TAXA),
            stored().fail(Fault::Reset("lost".to_owned())).answer(404, &[], "").answer(200, &[JSON], BODY),
            true,
        ),
        // Never sent, or refused: nothing happened.
        (Request::post(TAXA).retries(0), stored().fail(Fault::Connect("refused".to_owned())), false),
        (Request::post(TAXA), stored().answer(422, &[], ""), false),
        (Request::post(TAXA), stored().answer(429, &[], "").answer(422, &[], ""), false),
    ];
    for (i, (write, script, dropped)) in rows.into_iter().enumerate() {
        let (inat, _) = scripted(&script);
        inat.get(TAXA).unwrap();
        inat.send(write).unwrap_err();
        assert_eq!(inat.cache().stats().unwrap().entries == 0, dropped, "row {i}");
    }
}

#[test]
fn a_prepared_request_is_the_same_after_it_was_sent() {
    let script = Script::new()
        .answer(200, &[JSON, ("etag", "\"1\""), ("cache-control", "max-age=1")], BODY)
        .answer(304, &[("etag", "\"1\""), ("cache-control", "max-age=1")], "")
        .answer(200, &[JSON], "2");
    let (inat, clock) = scripted(&script);
    let prepared = inat.prepare(&Request::get(TAXA).refresh()).unwrap();
    let before = prepared.headers.clone();
    for _ in 0..2 {
        inat.send(&prepared).unwrap();
        clock.advance(secs(10));
    }
    assert_eq!(prepared.headers, before);
    inat.cache().clear().unwrap();
    assert_eq!(inat.send(&prepared).unwrap().text().unwrap(), "2");
    assert!(!script.seen()[2].headers().contains_key("if-none-match"), "no validator is left over");
}

#[test]
fn maintenance_does_not_hide_what_was_kept() {
    // 503 that says when it will be over, later than anybody waits: the old answer is better than none.
    let script = Script::new().answer(200, &[JSON, ("cache-control", "max-age=1")], BODY).answer(
        503,
        &[("retry-after", "7200")],
        "maintenance",
    );
    let (inat, clock) = scripted(&script);
    inat.get(TAXA).unwrap();
    clock.advance(secs(10));
    for _ in 0..2 {
        let old = inat.get(TAXA).unwrap();
        assert!(matches!(old.origin(), Origin::Stale { .. }), "{:?}", old.origin());
        assert_eq!(old.text().unwrap(), BODY);
    }
    assert_eq!(script.seen().len(), 2, "the server is left alone until then");
    assert!(matches!(inat.get("taxa/2").unwrap_err().kind(), Kind::RetryAfter { .. }));
}

#[test]
fn a_deadline_does_not_hide_what_was_kept() {
    let script = Script::new().answer(200, &[JSON, ("cache-control", "max-age=1")], BODY).answer(503, &[], "");
    let (inat, clock) = scripted(&script);
    inat.get(TAXA).unwrap();
    clock.advance(secs(10));
    let old = inat.send(Request::get(TAXA).deadline(secs(2))).unwrap();
    assert!(matches!(old.origin(), Origin::Stale { .. }));
}

#[test]
fn an_answer_larger_than_the_cache_takes_is_served_and_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual();
    let noise: Bytes = (0..3u32 << 20).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    let script = Script::new().answer(200, &[("content-type", "image/jpeg")], noise.clone());
    let inat = waits(offline(script.clone(), &clock).cache_file(folder.path().join("cache.db")).cache_size(1 << 20));
    for requests in 1..3 {
        let answer = inat.get(TAXA).unwrap();
        assert_eq!((answer.bytes().unwrap() == &noise, answer.expiry()), (true, Expiry::NotStored));
        assert_eq!(script.seen().len(), requests);
    }
}

#[test]
fn a_cache_that_cannot_be_written_costs_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a file");
    std::fs::write(&file, "not a folder").unwrap();
    for path in [file.join("cache.db"), folder.path().to_owned(), "/proc/nowhere/cache.db".into()] {
        let clock = Clock::manual();
        let inat = waits(offline(always(&[]), &clock).cache_file(&path));
        for _ in 0..2 {
            assert_eq!(inat.get(TAXA).unwrap().text().unwrap(), BODY, "{}", path.display());
        }
        inat.send(Request::put(TAXA)).unwrap();
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"not a folder");
}

#[test]
fn a_database_of_somebody_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("theirs.db");
    let theirs = rusqlite::Connection::open(&file).unwrap();
    theirs.execute_batch("CREATE TABLE photos (id INTEGER); INSERT INTO photos VALUES (7);").unwrap();
    let clock = Clock::manual();
    let inat = waits(offline(always(&[]), &clock).cache_file(&file));
    assert_eq!(inat.get(TAXA).unwrap().status(), 200);
    inat.close().unwrap();
    let kept: i64 = theirs.query_row("SELECT id FROM photos", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 7);
}

#[test]
fn a_second_session_on_the_file_finds_what_the_first_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, script) = (Clock::manual(), always(&[]));
    let open = || waits(offline(script.clone(), &clock).cache_file(folder.path().join("cache.db")));
    let (one, two) = (open(), open());
    one.get(TAXA).unwrap();
    assert!(two.get(TAXA).unwrap().is_from_cache());
    // What one changes the other does not serve from memory.
    one.send(Request::put(TAXA)).unwrap();
    assert!(!two.get(TAXA).unwrap().is_from_cache());
    one.clear_cache().unwrap();
    assert!(!two.get(TAXA).unwrap().is_from_cache());
}

#[cfg(unix)]
#[test]
fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual();
    let inat = waits(
        offline(always(&[]), &clock)
            .cache_file(folder.path().join("cache/http.db"))
            .ratelimit_path(folder.path().join("state/budget.db")),
    );
    inat.get(TAXA).unwrap();
    let names = ["cache/http.db", "state/budget.db"];
    for name in names {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn switches_of_the_session() {
    let clock = Clock::manual();
    let off = always(&[]);
    let inat = waits(offline(off.clone(), &clock).cache_disabled(true));
    inat.get(TAXA).unwrap();
    assert!(!inat.get(TAXA).unwrap().is_from_cache());

    let inat = waits(offline(off.clone(), &clock).only_if_cached(true));
    assert!(matches!(inat.get(TAXA).unwrap_err().kind(), Kind::NotCached));

    let revalidated = Script::new().answer(200, &[JSON, ("etag", "\"1\"")], BODY).answer(304, &[("etag", "\"1\"")], "");
    let inat = waits(offline(revalidated.clone(), &clock).always_revalidate(true));
    inat.get(TAXA).unwrap();
    assert!(matches!(inat.get(TAXA).unwrap().origin(), Origin::Revalidated { .. }));

    let picky = Script::new().answer(200, &[JSON], "1");
    let inat = waits(offline(picky.clone(), &clock).filter(|answer| answer.text().is_ok_and(|text| text != "1")));
    assert_eq!(inat.get(TAXA).unwrap().expiry(), Expiry::NotStored);
    inat.get(TAXA).unwrap();
    assert_eq!(picky.seen().len(), 2);

    let strict = Arc::new(AtomicBool::new(false));
    let (kept, refuses) = (always(&[]), strict.clone());
    let inat = waits(offline(kept.clone(), &clock).filter(move |_| !refuses.load(Ordering::SeqCst)));
    inat.get(TAXA).unwrap();
    strict.store(true, Ordering::SeqCst);
    let refused = inat.send(Request::get(TAXA).only_if_cached());
    assert!(matches!(refused.unwrap_err().kind(), Kind::NotCached), "and the server is not asked instead");
    assert_eq!(kept.seen().len(), 1);

    let by_path = always(&[]);
    let inat = waits(offline(by_path.clone(), &clock).key(|prepared| prepared.url.path().to_owned()));
    inat.send(Request::get(TAXA).query("q", "a")).unwrap();
    assert!(inat.send(Request::get(TAXA).query("q", "b")).unwrap().is_from_cache());
    inat.send(Request::get(TAXA).token(&Token::new("t"))).unwrap();
    assert_eq!(by_path.seen().len(), 2, "whose it is counts whatever the key says");

    let language = always(&[]);
    let inat = waits(
        offline(language.clone(), &clock)
            .match_headers(inat_session::cache::MatchHeaders::These(vec![http::header::ACCEPT_LANGUAGE])),
    );
    for tongue in ["de", "en", "de"] {
        inat.send(Request::get(TAXA).header("Accept-Language", tongue)).unwrap();
    }
    assert_eq!(language.seen().len(), 2);

    let posts = always(&[("cache-control", "max-age=60")]);
    let inat = waits(offline(posts.clone(), &clock).allowable_methods([http::Method::GET, http::Method::POST]));
    for body in ["1", "2", "1"] {
        inat.send(Request::post("https://h.example/search").bytes("text/plain", body)).unwrap();
    }
    assert_eq!(posts.seen().len(), 2);

    let ignored = always(&[]);
    let inat = waits(offline(ignored.clone(), &clock).ignored_parameters(["Session_Id"]));
    for id in ["1", "2"] {
        inat.send(Request::get("https://h.example/a").query("session_id", id)).unwrap();
    }
    assert_eq!(ignored.seen().len(), 1);
}

#[test]
fn read_only_reads_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cache.db");
    let (clock, script) = (Clock::manual(), always(&[]));
    waits(offline(script.clone(), &clock).cache_file(&file)).get(TAXA).unwrap();
    let inat = waits(offline(script.clone(), &clock).cache_file(&file).read_only(true));
    assert!(inat.get(TAXA).unwrap().is_from_cache());
    for _ in 0..2 {
        assert!(!inat.get("taxa/2").unwrap().is_from_cache());
    }
    inat.send(Request::put(TAXA)).unwrap();
    // RFC 9111 §4.4: what it has outdated it uses no more. It removes nothing.
    for _ in 0..2 {
        assert!(!inat.get(TAXA).unwrap().is_from_cache());
    }
    let other = waits(offline(script.clone(), &clock).cache_file(&file));
    assert!(other.get(TAXA).unwrap().is_from_cache());
}

#[test]
fn nothing_but_sound_answers_is_kept() {
    let html = ("content-type", "text/html");
    for script in [
        Script::new().answer(200, &[html], "<html>log in</html>"),
        Script::new().answer(200, &[JSON, ("cache-control", "no-store")], BODY),
        Script::new().answer(203, &[JSON], BODY),
        Script::new().answer(302, &[("location", "/b")], ""),
        Script::new().answer(404, &[JSON], "{}"),
        Script::new().answer(206, &[JSON, ("content-range", "bytes 0-1/9")], "{}"),
    ] {
        let (inat, _) = scripted(&script);
        for _ in 0..2 {
            inat.send(Request::get(TAXA).raise_for_status(false)).unwrap();
        }
        assert_eq!((script.seen().len(), inat.cache().stats().unwrap().entries), (2, 0));
    }
}

#[test]
fn the_answer_of_one_session_says_how_old_it_is() {
    let (inat, clock) = scripted(&always(&[("cache-control", "max-age=100"), ("age", "10")]));
    assert_eq!(good_for(inat.get(TAXA).unwrap().expiry(), clock.now()), Some(90));
    clock.advance(secs(30));
    let Origin::Cached { age, fresh_for } = inat.get(TAXA).unwrap().origin().clone() else { panic!("not cached") };
    assert_eq!((age, fresh_for), (secs(40), Some(secs(60))));
}

#[test]
fn credentials_are_never_kept() {
    let script = always(&[("cache-control", "max-age=1000")]);
    let (inat, _) = scripted(&script);
    for url in ["https://www.inaturalist.org/users/api_token", "https://www.inaturalist.org/oauth/token"] {
        inat.get(url).unwrap();
    }
    assert_eq!(inat.cache().stats().unwrap().entries, 0);
}

#[test]
fn what_the_server_renews_stays_whole() {
    // A 304 that brings lies about the body changes nothing about the body.
    let clock = Clock::manual();
    let stub = Stub::at_once(&clock, |number, _| {
        Ok(match number {
            0 => ok(&[("etag", "\"1\""), ("cache-control", "max-age=1")]),
            _ => reply(304, &[("etag", "\"1\""), ("content-length", "99999999"), ("content-encoding", "gzip")], ""),
        })
    });
    let inat = waits(offline(stub, &clock));
    inat.get(TAXA).unwrap();
    clock.advance(secs(10));
    let renewed = inat.get(TAXA).unwrap();
    assert_eq!(renewed.text().unwrap(), BODY);
    assert_eq!(renewed.header("content-encoding"), None);
}

/// What one session keeps by its own rules another one, which goes by HTTP alone, does not take for fresh.
#[test]
fn lifetimes_of_another_session() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual();
    for (number, (fields, is_fresh)) in [
        (&[("etag", "\"1\"")][..], false),
        (&[("cache-control", "max-age=60")], true),
        (&[("cache-control", "max-age=60, immutable")], true),
        (&[("cache-control", "immutable")], false),
        (&[("expires", "0")], false),
        (&[("last-modified", "Thu, 01 Jan 2015 00:00:00 GMT")], true),
    ]
    .into_iter()
    .enumerate()
    {
        let script = always(fields);
        let file = folder.path().join("cache.db");
        let keeps = waits(offline(script.clone(), &clock).cache_file(&file).cache_control(number != 1));
        let plain = waits(offline(script.clone(), &clock).cache_file(&file).headers_only());
        let url = format!("https://h.example/{number}");
        keeps.get(&url).unwrap();
        assert_eq!(keeps.get(&url).unwrap().is_from_cache(), fields[0].0 != "expires", "{fields:?}");
        assert_eq!(plain.get(&url).unwrap().is_from_cache(), is_fresh, "{fields:?}");
        let lifetime = good_for(plain.get(&url).unwrap().expiry(), clock.now());
        assert!(lifetime.is_none_or(|seconds| seconds <= 86_400), "{fields:?}: {lifetime:?}");
    }
}

#[test]
fn the_lifetime_of_anothers_request_is_none_where_only_http_counts() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, file) = (Clock::manual(), folder.path().join("cache.db"));
    for (number, field) in ["no-cache", "max-age=1"].into_iter().enumerate() {
        let script = always(&[("cache-control", field)]);
        let url = format!("https://h.example/{number}");
        let for_an_hour = || Request::get(&url).expire_after(secs(3600));
        let keeps = waits(offline(script.clone(), &clock).cache_file(&file));
        let plain = waits(offline(script.clone(), &clock).cache_file(&file).headers_only());
        keeps.send(for_an_hour()).unwrap();
        clock.advance(secs(2));
        assert!(keeps.get(&url).unwrap().is_from_cache());
        assert!(plain.send(for_an_hour()).unwrap().is_from_cache(), "who names one wants one");
        assert!(!plain.get(&url).unwrap().is_from_cache(), "{field}");
    }
}

/// The server may have done what it was asked, whether or not somebody waits for its answer.
#[tokio::test]
async fn a_write_whose_caller_has_left_makes_what_is_stored_outdated() {
    let clock = Clock::manual();
    for (method, dropped) in [("DELETE", true), ("POST", true), ("GET", false)] {
        let gate = crate::support::Gate::shut();
        let held = gate.clone();
        let stub = Stub::new(&clock, move |number, _| {
            let held = held.clone();
            Box::pin(async move {
                if number > 0 {
                    held.pass().await;
                }
                Ok(ok(&[]))
            })
        });
        let inat = offline(stub.clone(), &clock).build().unwrap();
        inat.get(TAXA).await.unwrap();
        let request = Request::new(method, TAXA).force_refresh();
        let writer = tokio::spawn({
            let inat = inat.clone();
            async move { inat.send(request).await }
        });
        crate::support::until_async("it is sent", || stub.count() == 2).await;
        writer.abort();
        assert!(writer.await.unwrap_err().is_cancelled());
        let kept = || inat.cache().stats().unwrap().entries == 1;
        if dropped {
            crate::support::until_async("it is dropped", || !kept()).await;
        } else {
            crate::support::until_async("all is done", || inat.is_idle()).await;
            assert!(kept(), "{method}");
        }
    }
}

#[test]
fn a_reload_asks_also_for_what_is_kept_for_ever() {
    let (inat, clock) = scripted(&always(&[("cache-control", "max-age=60, immutable"), ("etag", "\"1\"")]));
    inat.get(TAXA).unwrap();
    clock.advance(secs(1000 * 86_400));
    assert!(inat.get(TAXA).unwrap().is_from_cache());
    assert!(!inat.send(Request::get(TAXA).refresh()).unwrap().is_from_cache());
}

/// The request's own lifetime counts before all others, those that keep nothing among them.
#[test]
fn a_request_may_keep_what_others_do_not() {
    let clock = Clock::manual();
    for forbid in [
        |builder: inat_session::SessionBuilder| {
            builder.expire_url("*/observations/1", inat_session::Lifetime::DoNotCache)
        },
        |builder: inat_session::SessionBuilder| builder.expire_after(inat_session::Lifetime::DoNotCache),
    ] {
        let inat = waits(forbid(offline(always(&[]), &clock)));
        // The library has lifetimes of its own for taxa, which come before the session's.
        let target = "observations/1";
        inat.get(target).unwrap();
        assert_eq!(inat.cache().stats().unwrap().entries, 0);
        for from_cache in [false, true] {
            let answer = inat.send(Request::get(target).expire_after(secs(60))).unwrap();
            assert_eq!(answer.is_from_cache(), from_cache);
        }
        assert!(!inat.get(target).unwrap().is_from_cache());
    }
}

/// A `POST` may say that its answer is what a `GET` would get, and for how long (RFC 9110 §9.3.3), however long its body.
#[tokio::test]
async fn an_answer_to_a_write_that_arrives_in_pieces_is_kept_for_reads() {
    let clock = Clock::manual();
    let here = "https://api.inaturalist.org/v1/taxa/1";
    let fields = [JSON, ("cache-control", "max-age=60"), ("content-location", here)];
    for bound in [1 << 20, 8] {
        let script = Script::new().answer(200, &fields, BODY);
        let inat = offline(script.clone(), &clock).headers_only().read_whole(bound).build().unwrap();
        let mut answer = inat.send(Request::post(TAXA)).await.unwrap();
        while answer.chunk().await.unwrap().is_some() {}
        assert!(inat.get(TAXA).await.unwrap().is_from_cache(), "{bound}");
    }
}

/// A token that expires on the way is answered as nobody is, and that is not what its owner is to get tomorrow.
#[test]
fn what_a_token_is_answered_after_it_expired_is_not_its_owners() {
    let clock = Clock::manual();
    let script = always(&[]);
    let inat = waits(offline(script.clone(), &clock));
    let token = |after: i64| {
        let claims = format!("{{\"user_id\":7,\"exp\":{}}}", clock.now().as_secs() + after);
        Token::new(format!("eyJh.{}.c2ln", data_encoding::BASE64URL_NOPAD.encode(claims.as_bytes())))
    };
    let prepared = inat.prepare(&Request::get("observations/1").token(&token(60))).unwrap();
    clock.advance(secs(100));
    inat.send(&prepared).unwrap();
    assert_eq!(inat.cache().stats().unwrap().entries, 0);
    let renewed = Request::get("observations/1").token(&token(60));
    for from_cache in [false, true] {
        assert_eq!(inat.send(&renewed).unwrap().is_from_cache(), from_cache);
    }
}
