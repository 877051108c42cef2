//! Where caches go wrong: what few servers send, and what a careless reading of the RFCs would let through.

use std::time::Duration;

use http::Method;
use inat_session::{Clock, Request, Script, Session, SessionBuilder, blocking};

use crate::script::{check, check_with};

/// Stores an answer with these fields, and asks again after so many seconds.
fn reused(rule: &str, fields: &str, wait: u32, is_reused: bool) -> (String, String) {
    let again = if is_reused { "= 200 one" } else { "< 200 two\n = 200 two" };
    (format!("{rule}: {fields} after {wait}"), format!("GET\n < 200 one{fields}\n = 200 one\n +{wait}\n GET\n {again}"))
}

fn run(rows: &[(String, String)]) {
    check(&rows.iter().map(|(name, script)| (name.as_str(), script.as_str())).collect::<Vec<_>>());
}

#[test]
fn directives() {
    let long = format!("x-{}=\"{}\", max-age=60", "y".repeat(3000), "z, no-store, ".repeat(500));
    let rows = [
        ("xno-store, max-age=60", true),
        ("no-storex, max-age=60", true),
        ("no-store-x=1, max-age=60", true),
        ("x=no-store, max-age=60", true),
        ("private=\"a, no-store\", max-age=60", true),
        ("community=\"UCI\", max-age=60", true),
        ("x=\"\", max-age=60", true),
        ("x=\"a\\\"b, max-age=0\", max-age=60", true),
        ("max-age=\"6\\0\"", true),
        ("max-age=60,", true),
        ("\t, max-age=60\t,\t", true),
        ("max-age=60, public, private", true),
        ("max-age=000000000000000000000000000060", true),
        ("max-age=60, s-maxage=0, proxy-revalidate", true),
        ("MUST-REVALIDATE, Max-Age=60", true),
        (long.as_str(), true),
        ("no-store=\"x\", max-age=60", false),
        ("no-store=x, max-age=60", false),
        ("NO-STORE,max-age=60", false),
        ("no-cache=, max-age=60", false),
        ("no-cache=\"\", max-age=60", false),
        ("no-cache=\"x, max-age=60", false),
        ("No-Cache, max-age=60", false),
        ("max-age=60 no-store", false),
        ("max-age=60; no-store", false),
        ("max-age=1e3", false),
        ("max-age=0x60", false),
        ("max-age='60'", false),
        ("max-age=\"60", false),
        ("max-age=60\"", false),
        ("max-age=\" 60\"", false),
        ("max-age=\"\"", false),
        ("max-age=\"6\"0", false),
        ("max-age=60 60", false),
        ("max-age==60", false),
        ("max-age =60", false),
        ("max-age=60.0", false),
        ("max-age=٦٠", false),
        ("max-age=60, max-age=abc", false),
        ("max-age=60, MAX-AGE=0", false),
        ("s-maxage=60, max-age=0", false),
        ("immutable", false),
        ("public", false),
        ("must-revalidate", false),
    ];
    let rows = rows.map(|(text, fresh)| reused("§5.2", &format!(" | cache-control: {text}"), 2, fresh));
    run(&rows);
    run(&[
        reused("RFC 9110 §5.3", " | cache-control: max-age=60 | cache-control: max-age=0", 1, false),
        reused("RFC 9110 §5.3", " | cache-control: max-age=0 | cache-control: max-age=60", 1, false),
        reused("RFC 9110 §5.3", " | cache-control: | cache-control: max-age=60", 1, true),
        reused("RFC 9110 §5.3", " | cache-control: x=\"a | cache-control: max-age=60 | cache-control: b\"", 1, true),
        reused("§5.3", " | cache-control: | expires: {+60}", 30, true),
        reused("§5.3: max-age that cannot be read", " | cache-control: max-age=x | expires: {+60}", 1, false),
        reused("§5.5: Warning is obsolete", " | cache-control: max-age=60 | warning: 110 - \"stale\"", 30, true),
    ]);
}

#[test]
fn dates() {
    let heuristic = " | last-modified: {-100000}";
    let rows = [
        (" | expires: {+60} | expires: {+60}", true),
        (" | expires: {+60} | expires: {-60}", false),
        (" | expires: {-60} | expires: {+60}", false),
        (" | expires: {+60}, {+60}", false),
        (" | expires: Mon, 01 Jan 2049 00:00:00 GMT", true),
        (" | expires: Fri, 01 Jan 2049 00:00:00 gmt", true),
        (" | expires: Fri, 31 Dec 9999 23:59:59 GMT", true),
        (" | expires: Friday, 01-Jan-99 00:00:00 GMT", false),
        (" | expires: Fri, 01-Jan-2049 00:00:00 GMT", false),
        (" | expires: Fri, 01 Jan 2049 00:00:00", false),
        (" | expires: Fri, 01 Jan 2049 00:00:00 UTC", false),
        (" | expires: Fri, 01 Jan 2049 00:00:00 +0000", false),
        (" | expires: Fri, 01 Jan 49 00:00:00 GMT", false),
        (" | expires: Fri, 1 Jan 2049 00:00:00 GMT", false),
        (" | expires: 01 Jan 2049 00:00:00 GMT", false),
        (" | expires: Fri, 01 Jan 12049 00:00:00 GMT", false),
        (" | expires: 2049-01-01T00:00:00Z", false),
        (" | expires: 4000000000", false),
        (" | expires: -1", false),
        (" | expires:", false),
        (" | expires: {+60} | date: junk", true),
        (" | expires: {+60} | date: {-60}", true),
        (" | expires: {+60} | date: {+120}", false),
        (" | last-modified: junk", false),
        (" | last-modified: {-100000} | last-modified: {-5}", false),
        (" | last-modified: Friday, 01-Jan-99 00:00:00 GMT", true),
        (" | last-modified: Fri Jan  1 00:00:00 1999", true),
    ];
    run(&rows.map(|(fields, fresh)| reused("§4.2.1, §5.3, RFC 9110 §5.6.7", fields, 2, fresh)));
    run(&[
        reused(
            "§4.2.2: must-revalidate is no lifetime",
            &format!("{heuristic} | cache-control: must-revalidate"),
            30,
            true,
        ),
        reused("§4.2.2: nor is an unknown one", &format!("{heuristic} | cache-control: foo"), 30, true),
        reused("§4.2.2: s-maxage is none of ours", &format!("{heuristic} | cache-control: s-maxage=0"), 30, true),
        reused("§4.2.2 MUST NOT", &format!("{heuristic} | expires: 0"), 0, false),
        reused("§4.2.2 MUST NOT", &format!("{heuristic} | cache-control: max-age=x"), 0, false),
        reused("§5.2.2.4", &format!("{heuristic} | cache-control: no-cache"), 0, false),
    ]);
}

#[test]
fn ages() {
    let stored = " | cache-control: max-age=60";
    let rows = [
        ("50, 0", 11, false),
        ("50 , 0", 11, false),
        ("0, 50", 30, true),
        ("50;x=1", 30, true),
        ("+50", 30, true),
        ("", 30, true),
        ("5 0", 30, true),
        ("050", 11, false),
        ("50, junk", 11, false),
        ("junk, 50", 30, true),
        ("2147483647", 0, false),
        ("99999999999999999999999999", 0, false),
    ];
    run(&rows.map(|(age, wait, fresh)| reused("§5.1", &format!("{stored} | age: {age}"), wait, fresh)));
    check(&[
        (
            "§4.2.3: Age stays when nothing can be read",
            "
            GET
            < 200 one | cache-control: max-age=60 | age: junk
            +5
            GET
            = 200 one | age: 5",
        ),
        (
            "§5.1: as far as numbers reach, and on",
            "
            GET
            < 200 one | cache-control: max-age=1 | age: 99999999999999
            +5
            GET | cache-control: max-stale
            = 200 one | age: 2147483653",
        ),
    ]);
}

#[test]
fn vary() {
    let row = |vary: &str, one: &str, other: &str, same: bool| {
        let end = if same { "= 200 one" } else { "< 200 two\n = 200 two" };
        (
            format!("§4.1: {vary:?}, {one:?} and {other:?}"),
            format!("GET{one}\n < 200 one | cache-control: max-age=60 | vary:{vary}\n GET{other}\n {end}"),
        )
    };
    run(&[
        row("", "", " | foo: 1", true),
        row(" ,", "", " | foo: 1", true),
        row(" foo,,foo", " | foo: 1", " | foo: 1", true),
        row(" foo | vary: FOO", " | foo: 1", " | foo: 2", false),
        row(" \"foo\"", " | foo: 1", " | foo: 1", false),
        row(" foo bar", " | foo: 1", " | foo: 1", false),
        row(" ,*", "", "", false),
        row(" foo", " | foo: 1, 2", " | foo: 1 | foo: 2", true),
        row(" foo", " | foo: 1 ,  2", " | foo: 1,2", true),
        row(" foo", " | foo: a;  b", " | foo: a; b", false),
        row(" foo", " | foo:", " | foo:", true),
        row(" foo", " | foo:", "", false),
        row(" cookie", " | cookie: a=1", " | cookie: a=2", false),
        row(" user-agent", " | user-agent: a", " | user-agent: b", false),
        row(" accept-encoding", "", " | accept-encoding: gzip", false),
        row(" accept", " | accept: a/b;q=0.5", " | accept: a/b", false),
        row(" accept-language", " | accept-language: en;q=1", " | accept-language: en", true),
        row(" accept-language", " | accept-language: en;q=0", " | accept-language: en", false),
    ]);
    check(&[
        (
            "§4.1: what came without Vary is for everybody, until something newer is not",
            "
            GET | foo: 1
            < 200 one | cache-control: max-age=60
            GET | foo: 2
            = 200 one
            +1
            GET | foo: 2 | cache-control: no-cache
            < 200 two | cache-control: max-age=60 | vary: foo
            GET | foo: 2
            = 200 two",
        ),
        (
            "§4.1: of those that match, the latest by Date",
            "
            GET | foo: 1
            < 200 one | cache-control: max-age=600 | vary: foo | date: {-10}
            GET | foo: 1 | bar: 1 | cache-control: no-cache
            < 200 two | cache-control: max-age=600 | vary: bar | date: {-100}
            GET | foo: 1 | bar: 1
            = 200 one",
        ),
        (
            "§4.1: a 304 for one variant leaves the other as it was",
            "
            GET | foo: 1
            < 200 one | cache-control: max-age=1 | vary: foo | etag: \"1\"
            GET | foo: 2
            < 200 two | cache-control: max-age=1 | vary: foo | etag: \"2\"
            +2
            GET | foo: 1
            < 304 | etag: \"1\" | cache-control: max-age=60
            = 200 one
            GET | foo: 2
            < 304 | etag: \"2\"
            = 200 two",
        ),
        (
            "§4.3.4: the 304 picks the other variant",
            "
            GET | foo: 1
            < 200 one | cache-control: max-age=1 | vary: foo | etag: \"1\"
            GET | foo: 2
            < 200 two | cache-control: max-age=1 | vary: foo | etag: \"2\"
            +2
            GET | foo: 1
            < 304 | etag: \"2\" | cache-control: max-age=60 | vary: foo
            = 200 two
            GET | foo: 1
            = 200 two",
        ),
    ]);
}

#[test]
fn methods_are_what_they_say() {
    let disguised = |field: &str| {
        (
            format!("RFC 9110 §9: {field}"),
            format!(
                "POST | {field}: GET\n < 200 one | cache-control: max-age=60\n = 200 one
                 GET\n < 200 two | cache-control: max-age=60\n = 200 two
                 POST | {field}: GET\n < 200 three\n = 200 three
                 GET\n < 200 four\n = 200 four"
            ),
        )
    };
    run(&["x-http-method-override", "x-http-method", "x-method-override"].map(disguised));
    check(&[(
        "RFC 9110 §9: a GET in disguise is a GET",
        "
        GET
        < 200 one | cache-control: max-age=60
        GET | x-http-method-override: DELETE
        = 200 one",
    )]);
}

#[test]
fn only_if_cached() {
    check(&[
        (
            "§5.2.1.7, RFC 5861 §4: nothing has failed",
            "
            GET
            < 200 one | cache-control: max-age=10, stale-if-error=600
            +11
            GET | cache-control: only-if-cached
            = 504
            GET
            < 503 x
            = 200 one",
        ),
        (
            "§5.2.1.7, RFC 5861 §4: not by the request either",
            "
            GET
            < 200 one | cache-control: max-age=10
            +11
            GET | cache-control: only-if-cached, stale-if-error=600
            = 504",
        ),
        (
            "§5.2.1.7, RFC 5861 §3: what may be served while it is refreshed may be served",
            "
            GET
            < 200 one | cache-control: max-age=10, stale-while-revalidate=600
            +11
            GET | cache-control: only-if-cached
            = 200 one | age: 11",
        ),
        (
            "§5.2.1.7: consistent with the rest: max-stale",
            "
            GET
            < 200 one | cache-control: max-age=10
            +15
            GET | cache-control: only-if-cached, max-stale=10
            = 200 one
            GET | cache-control: only-if-cached, max-stale=1
            = 504
            GET | cache-control: only-if-cached, max-age=5, max-stale
            = 504",
        ),
        (
            "§5.2.1.7: consistent with the rest: min-fresh, no-cache, another variant",
            "
            GET | foo: 1
            < 200 one | cache-control: max-age=10 | vary: foo | etag: \"1\"
            +5
            GET | foo: 1 | cache-control: only-if-cached, min-fresh=9
            = 504
            GET | foo: 1 | cache-control: only-if-cached, no-cache
            = 504
            GET | foo: 2 | cache-control: only-if-cached
            = 504
            GET | foo: 1 | cache-control: only-if-cached | if-none-match: \"1\"
            = 304
            GET | foo: 1 | cache-control: Only-If-Cached
            = 200 one",
        ),
        (
            "§5.2.2.2: must-revalidate",
            "
            GET
            < 200 one | cache-control: max-age=10, must-revalidate
            +15
            GET | cache-control: only-if-cached, max-stale
            = 504",
        ),
    ]);
    check_with(
        &[(
            "a session that goes on without the network does so when it is told to",
            "
            GET
            < 200 one | cache-control: max-age=10
            +11
            GET | cache-control: only-if-cached
            = 200 one",
        )],
        |builder: SessionBuilder| builder.stale_if_error(true),
    );
}

#[test]
fn fields_that_need_validation() {
    check(&[
        (
            "§5.2.2.4: a 304 validates what it brings, for this once",
            "
            GET
            < 200 one | cache-control: max-age=1, no-cache=\"x\" | etag: \"1\" | x: 1 | y: 1
            = 200 one | x: 1
            +2
            GET
            < 304 | etag: \"1\" | cache-control: max-age=60, no-cache=\"x\" | x: 2 | y: 2
            = 200 one | x: 2 | y: 2
            GET
            = 200 one | !x | y: 2",
        ),
        (
            "§5.2.2.4: … named only by what is stored",
            "
            GET
            < 200 one | cache-control: max-age=1, no-cache=\"x\" | etag: \"1\" | x: 1
            +2
            GET
            < 304 | etag: \"1\" | x: 2 | x: 3
            = 200 one | x: 2 | x: 3
            +0
            GET
            = 200 one | !x",
        ),
        (
            "§5.2.2.4: … named only by the 304",
            "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\" | x: 1
            +2
            GET
            < 304 | etag: \"1\" | cache-control: max-age=60, no-cache=x
            = 200 one | x: 1
            GET
            = 200 one | !x",
        ),
        (
            "§5.2.2.5: what says no-store is for this once",
            "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\" | x: 1
            +2
            GET
            < 304 | etag: \"1\" | cache-control: no-store | x: 2
            = 200 one | x: 2 | age: 0
            GET
            ? if-none-match: \"1\"
            < 200 two
            = 200 two",
        ),
        (
            "§5.2.2.7: private fields are ours",
            "
            GET
            < 200 one | cache-control: private=\"x, set-cookie\", max-age=60 | x: 1 | set-cookie: a=b
            GET
            = 200 one | x: 1 | set-cookie: a=b",
        ),
    ]);
}

#[test]
fn validators() {
    check(&[
        (
            "§4.3.4: a weak tag names the strong one it is made of",
            "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\"
            +2
            GET
            < 304 | etag: W/\"1\" | cache-control: max-age=60
            = 200 one
            GET
            = 200 one",
        ),
        (
            "§4.3.4 MUST NOT: a strong tag names no weak one",
            "
            GET
            < 200 one | cache-control: max-age=1 | etag: W/\"1\"
            +2
            GET
            < 304 | etag: \"1\" | cache-control: max-age=60
            ? !if-none-match
            < 200 two
            = 200 two",
        ),
        (
            "§4.3.4 MUST NOT: another date",
            "
            GET
            < 200 one | cache-control: max-age=1 | last-modified: {-60}
            +2
            GET
            < 304 | last-modified: {-30} | cache-control: max-age=60
            ? !if-modified-since
            < 200 two
            = 200 two",
        ),
        (
            "RFC 9110 §8.8.2: dates in any form",
            "
            GET
            < 200 one | cache-control: max-age=60 | last-modified: Sun, 06 Nov 1994 08:49:37 GMT
            GET | if-modified-since: Sunday, 06-Nov-94 08:49:37 GMT
            = 304
            GET | if-modified-since: Sun Nov  6 08:49:37 1994
            = 304
            GET | if-modified-since: Sun Nov  6 08:49:36 1994
            = 200 one
            GET | if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT | if-modified-since: Sun, 06 Nov 1995 08:49:37 GMT
            = 200 one
            GET | if-modified-since: 784111777
            = 200 one
            GET | if-none-match: \"1\" | if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT
            = 200 one",
        ),
        (
            "§4.3.2: a 304 about something else, to a question that was the client's alone",
            "
            GET | if-none-match: \"1\"
            < 304 | etag: \"1-gzip\"
            = 304 | etag: \"1-gzip\"
            GET | if-modified-since: {-60}
            < 304 | last-modified: {-90}
            = 304",
        ),
        (
            "§4.3.2: … when the client asks what we would ask",
            "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\"
            +2
            GET | if-none-match: \"1\"
            < 304 | etag: \"1-gzip\"
            = 304",
        ),
        (
            "§4.3.2: … when both ask, and the second answer is 304 again",
            "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\"
            +2
            GET | if-none-match: \"2\"
            ? if-none-match: \"1\", \"2\"
            < 304 | etag: \"3\"
            ? if-none-match: \"2\"
            < 304 | etag: \"3\"
            = 304",
        ),
        (
            "RFC 9110 §13.1.2: tags as they are",
            "
            GET
            < 200 one | cache-control: max-age=60 | etag: \"a\\\"
            GET | if-none-match: \"a\\\"
            = 304
            GET | if-none-match: \"b\", \"a\\\", \"c\"
            = 304
            GET | if-none-match: \"A\\\"
            = 200 one
            GET | if-none-match: a\\
            = 200 one
            GET | if-none-match: w/\"a\\\"
            = 304
            GET | if-none-match:
            = 200 one",
        ),
        (
            "RFC 9110 §13.1.2: an empty tag is a tag",
            "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"\"
            +2
            GET
            ? if-none-match: \"\"
            < 304 | etag: \"\" | cache-control: max-age=60
            = 200 one
            GET | if-none-match: \"\"
            = 304",
        ),
        (
            "§4.3.3: an error in answer to our question is not ours to hide",
            "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\"
            +2
            GET
            < 412
            = 412
            GET
            ? if-none-match: \"1\"
            < 403 no
            = 403 no",
        ),
        (
            "§3.2: the coding under a tag that stands for several",
            "
            GET
            < 200 one | cache-control: max-age=1 | etag: W/\"1\" | content-encoding: x
            +2
            GET
            < 304 | etag: W/\"1\" | content-encoding: y | cache-control: max-age=60
            = 200 one | content-encoding: x
            GET
            = 200 one | content-encoding: x",
        ),
        (
            "§3.2: Content-Type, Content-Location, ETag and Last-Modified go with the 304",
            "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\" | content-type: a/b | content-location: /x | content-range: bytes 0-2/3
            +2
            GET
            < 304 | etag: W/\"1\" | last-modified: {-60} | content-type: c/d | content-location: /y | content-encoding: z | content-length: 99 | content-range: bytes 0-9/10 | cache-control: max-age=60
            = 200 one | etag: W/\"1\" | last-modified: {-60} | content-type: c/d | content-location: /y | !content-encoding | !content-length | content-range: bytes 0-2/3
            GET
            = 200 one | etag: W/\"1\" | last-modified: {-60} | content-type: c/d | content-location: /y | !content-encoding | !content-length | content-range: bytes 0-2/3",
        ),
    ]);
}

#[test]
fn parts_that_do_not_fit() {
    check(&[
        (
            "§3.4 MUST NOT: the length of the whole differs",
            "
            GET | range: bytes=0-4
            < 206 01234 | cache-control: max-age=60 | etag: \"1\" | content-range: bytes 0-4/10
            GET | range: bytes=5-9
            < 206 56789 | cache-control: max-age=60 | etag: \"1\" | content-range: bytes 5-9/11
            GET
            < 200 0123456789",
        ),
        (
            "§3.4 MUST NOT: a gap is no whole",
            "
            GET | range: bytes=0-2
            < 206 012 | cache-control: max-age=60 | etag: \"1\" | content-range: bytes 0-2/10
            GET | range: bytes=5-9
            < 206 56789 | cache-control: max-age=60 | etag: \"1\" | content-range: bytes 5-9/10
            GET
            < 200 0123456789",
        ),
        (
            "RFC 9110 §14.4: more bytes than it says",
            "
            GET | range: bytes=0-4
            < 206 0123456 | cache-control: max-age=60 | etag: \"1\" | content-range: bytes 0-4/10
            GET | range: bytes=0-4
            < 206 01234
            = 206 01234",
        ),
        (
            "RFC 9110 §14.6: several parts in one answer are not a part",
            "
            GET | range: bytes=0-1,4-5
            < 206 -- | cache-control: max-age=60 | etag: \"1\" | content-type: multipart/byteranges; boundary=x
            GET | range: bytes=0-1,4-5
            < 200 0123456789",
        ),
        (
            "RFC 9110 §14.4: an unknown length",
            "
            GET | range: bytes=0-4
            < 206 01234 | cache-control: max-age=60 | etag: \"1\" | content-range: bytes 0-4/*
            GET | range: bytes=0-4
            < 206 01234
            = 206 01234",
        ),
        (
            "RFC 9110 §13.1.5: If-Range goes to the origin with the range",
            "
            GET | range: bytes=0-4 | if-range: \"1\"
            ? range: bytes=0-4 | if-range: \"1\"
            < 206 01234 | cache-control: max-age=60 | etag: \"1\" | content-range: bytes 0-4/10
            GET | range: bytes=0-4 | if-range: \"1\"
            = 206 01234
            GET | range: bytes=0-4 | if-range: \"2\"
            ? range: bytes=0-4 | if-range: \"2\"
            < 200 abcdefghij | etag: \"2\" | cache-control: max-age=60
            = 200 abcdefghij
            GET
            = 200 abcdefghij",
        ),
        (
            "RFC 9110 §14.2: a HEAD with a range is a HEAD",
            "
            HEAD | range: bytes=0-4
            < 200 | cache-control: max-age=60 | content-length: 10
            = 200 - | content-length: 10",
        ),
    ]);
}

#[test]
fn heads() {
    check(&[
        (
            "§4.3.5: a HEAD that must not be stored outdates nothing it describes, and is not stored",
            "
            GET
            < 200 one | cache-control: max-age=60 | etag: \"1\"
            HEAD | cache-control: no-cache
            < 200 | etag: \"1\" | cache-control: no-store | x: 1
            = 200 - | x: 1
            GET
            ? if-none-match: \"1\"
            < 304 | etag: \"1\"
            = 200 one | !x",
        ),
        (
            "§4.3.5: errors say nothing",
            "
            GET
            < 200 one | cache-control: max-age=60
            HEAD | cache-control: no-cache
            < 404 | cache-control: max-age=60
            = 404 -
            GET
            = 200 one",
        ),
        (
            "RFC 9110 §9.3.2: the length of a body nobody sent",
            "
            HEAD
            < 200 | cache-control: max-age=60 | content-length: 1000
            HEAD
            = 200 - | content-length: 1000
            GET
            < 200 one | content-length: 3
            = 200 one | content-length: 3",
        ),
    ]);
}

#[test]
fn allowances() {
    check(&[
        (
            "RFC 5861 §3: no number, no allowance",
            "
            GET
            < 200 one | cache-control: max-age=10, stale-while-revalidate
            +11
            GET
            < 200 two | cache-control: max-age=10, stale-while-revalidate=x
            +11
            GET
            < 200 three | cache-control: max-age=10, stale-while-revalidate=0
            +11
            GET
            < 200 four",
        ),
        (
            "RFC 5861 §3: counted from when it expired, Age included",
            "
            GET
            < 200 one | cache-control: max-age=10, stale-while-revalidate=5 | age: 9
            +5
            GET
            ~ 200 two | cache-control: max-age=10
            = 200 one | age: 14",
        ),
        (
            "RFC 5861 §4: a network failure, and the request's own no-cache",
            "
            GET
            < 200 one | cache-control: max-age=10, stale-if-error=60
            +11
            GET | cache-control: no-cache
            < 503 x
            = 503 x
            GET
            < refused
            = 200 one",
        ),
        (
            "RFC 5861 §4: not for a write",
            "
            GET
            < 200 one | cache-control: max-age=10, stale-if-error=60
            +11
            POST
            < 503 x
            = 503 x",
        ),
        (
            "RFC 5861 §4: not beyond what the request bears",
            "
            GET | foo: 1
            < 200 one | cache-control: max-age=10, stale-if-error=60 | vary: foo
            +11
            GET | foo: 2
            < 503 x
            = 503 x",
        ),
    ]);
}

/// The newer answer is too large for the cache; the older one must not come back.
#[test]
fn too_large_to_keep() {
    let large = "x".repeat(600_000);
    let row = |older: &str, newer: &str| {
        format!(
            "GET\n < 200 one | cache-control: max-age=60 | etag: \"1\"{older}
             GET | cache-control: no-cache\n < 200 {newer} | cache-control: max-age=60 | etag: \"2\"\n = 200
             GET\n ? !if-none-match\n < 200 three\n = 200 three"
        )
    };
    let rows = [row("", &large), row(" | vary: foo", &large)];
    let rows = rows.each_ref().map(|script| ("§4.3.3: a newer answer that cannot be stored", script.as_str()));
    check_with(&rows, |builder: SessionBuilder| builder.cache_size(1 << 20));
    // Nor when it is handed on as it arrives.
    check_with(&rows, |builder: SessionBuilder| builder.cache_size(1 << 20).read_whole(1000));
}

/// What RFC 9111 and its neighbours say in passing.
#[test]
fn in_passing() {
    let long = format!("/a?{}", "x".repeat(6000));
    check(&[
        (
            "§2: the scheme is part of the key",
            "
            GET http://origin.test/a
            < 200 one | cache-control: max-age=60
            GET https://origin.test/a
            < 200 two
            = 200 two",
        ),
        (
            "§2: dots and empty segments",
            "
            GET /b/../a
            < 200 one | cache-control: max-age=60
            GET /a
            = 200 one
            GET /a/
            < 200 two
            = 200 two
            GET //a
            < 200 three
            = 200 three",
        ),
        (
            "§2: letter case of paths and queries",
            "
            GET /A?b
            < 200 one | cache-control: max-age=60
            GET /a?b
            < 200 two
            = 200 two
            GET /A?B
            < 200 three
            = 200 three",
        ),
        (
            "§2: percent-encoding of what has a meaning",
            "
            GET /a%2Fb
            < 200 one | cache-control: max-age=60
            GET /a/b
            < 200 two
            = 200 two
            GET /a%2fb
            = 200 one",
        ),
        (
            "§2: queries as they are written",
            "
            GET /a?b=%41
            < 200 one | cache-control: max-age=60
            GET /a?b=A
            < 200 two
            = 200 two
            GET /a?b=%41&
            < 200 three
            = 200 three",
        ),
        (
            "§3: a request body is part of the question",
            "
            GET
            < 200 one | cache-control: max-age=60
            GET
            = 200 one",
        ),
        (
            "§3.2: what only the older one says goes on",
            "
            GET
            < 200 one | cache-control: max-age=1, stale-if-error=600 | etag: \"1\"
            +2
            GET
            < 304 | etag: \"1\"
            +2
            GET
            < 503 x
            = 200 one",
        ),
        (
            "§3.2: a 304 that allows less",
            "
            GET
            < 200 one | cache-control: max-age=60 | expires: {+600} | etag: \"1\"
            GET | cache-control: max-age=0
            < 304 | etag: \"1\" | cache-control: max-age=0, must-revalidate
            = 200 one | expires: {+600}
            GET
            ? if-none-match: \"1\"
            < 304 | etag: \"1\"
            = 200 one",
        ),
        (
            "§3.2: two lines become one, one becomes two",
            "
            GET
            < 200 one | cache-control: max-age=1 | cache-control: foo | etag: \"1\" | x: 1
            +2
            GET
            < 304 | etag: \"1\" | cache-control: max-age=60 | x: 2 | x: 3
            = 200 one | cache-control: max-age=60 | x: 2 | x: 3
            GET
            = 200 one | cache-control: max-age=60 | x: 2 | x: 3",
        ),
        (
            "§4: an answer with a later Date than now",
            "
            GET
            < 200 one | cache-control: max-age=60 | date: {+3600}
            +59
            GET
            = 200 one | age: 59
            +2
            GET
            < 200 two",
        ),
        (
            "§4.2.3: a slow clock at the origin",
            "
            GET
            < 200 one | cache-control: max-age=60 | date: {-3600} | expires: {+3600}
            GET
            < 200 two",
        ),
        (
            "§4.2.4: no answer, no permission",
            "
            GET
            < 200 one | cache-control: max-age=10 | etag: \"1\"
            +11
            GET
            < reset
            = error
            GET
            < 200 two
            = 200 two",
        ),
        (
            "§4.2.4 MUST NOT: max-stale=0",
            "
            GET
            < 200 one | cache-control: max-age=10
            +11
            GET | cache-control: max-stale=0
            < 200 two
            = 200 two",
        ),
        (
            "§5.2.1: duplicates, the stricter counts",
            "
            GET
            < 200 one | cache-control: max-age=60
            +10
            GET | cache-control: max-age=100, max-age=5
            < 200 two | cache-control: max-age=60
            +10
            GET | cache-control: min-fresh=5, min-fresh=55
            < 200 three | cache-control: max-age=60
            GET | cache-control: max-age=-1
            < 200 four",
        ),
        (
            "§5.2.1.4: no-cache with an argument is no-cache",
            "
            GET
            < 200 one | cache-control: max-age=60 | etag: \"1\"
            GET | cache-control: no-cache=\"x\"
            ? cache-control: no-cache=\"x\" | if-none-match: \"1\"
            < 304 | etag: \"1\"
            = 200 one",
        ),
        (
            "§5.4: Pragma only where there is no Cache-Control",
            "
            GET
            < 200 one | cache-control: max-age=60
            GET | pragma: x, no-cache
            < 200 two | cache-control: max-age=60
            GET | pragma: no-cache | cache-control:
            = 200 two",
        ),
        (
            "RFC 9110 §15.4: a permanent redirect is remembered, a temporary one is not",
            "
            GET
            < 301 | location: /b | last-modified: {-100000}
            GET
            = 301 | location: /b
            GET /c
            < 302 | location: /b | last-modified: {-100000}
            GET /c
            < 307 | location: /b | last-modified: {-100000}
            GET /c
            < 200 one",
        ),
        (
            "RFC 9110 §15.3.5, §15.3.6: no content",
            "
            GET
            < 204 | cache-control: max-age=60
            GET
            = 204 - | !content-length
            GET /b
            < 205 | cache-control: max-age=60 | content-length: 0
            GET /b
            = 205 - | content-length: 0",
        ),
        (
            "RFC 9110 §9.2.1: safe ones drop nothing, whatever they bring",
            "
            GET
            < 200 one | cache-control: max-age=60
            OPTIONS
            < 200 | location: /a | content-location: /a
            HEAD /b
            < 200 | location: /a
            GET
            = 200 one",
        ),
        (
            "§4.4: an answer that comes after the write is kept",
            "
            GET
            < 200 one | cache-control: max-age=60
            DELETE
            < 204
            GET
            < 404 gone | cache-control: max-age=60
            GET
            = 404 gone
            PUT
            < 201 | location: /a
            GET
            < 200 two | cache-control: max-age=60
            GET
            = 200 two",
        ),
        (
            "§2: long targets",
            &format!(
                "GET {long}\n < 200 one | cache-control: max-age=60\n GET {long}\n = 200 one\n GET {long}y\n < 200 two"
            ),
        ),
    ]);
}

/// RFC 9211 §2.
#[test]
fn cache_status() {
    let clock = Clock::manual();
    let fresh = [("cache-control", "max-age=60"), ("etag", "\"1\""), ("vary", "foo")];
    let origin = Script::new()
        .answer(200, &fresh, "one")
        .answer(304, &fresh, "")
        .answer(304, &fresh, "")
        .answer(503, &[], "")
        .answer(200, &fresh, "two")
        .answer(204, &[], "");
    let builder = Session::builder().headers_only().max_retries(0).unlimited().cache_in_memory().budget_in_memory();
    let session: blocking::Session = builder.transport(origin).clock(clock.clone()).build().unwrap().into();
    let get = || Request::get("http://origin.test/a").raise_for_status(false);
    for (request, wait, expected) in [
        (get().only_if_cached(), 0, "inat; detail=\"only-if-cached\""),
        (get(), 0, "inat; fwd=uri-miss; fwd-status=200; stored; ttl=60"),
        (get(), 10, "inat; hit; ttl=50"),
        (get().header("cache-control", "no-cache"), 0, "inat; fwd=request; fwd-status=304; stored; ttl=60"),
        (get(), 61, "inat; fwd=stale; fwd-status=304; stored; ttl=60"),
        (get().header("cache-control", "max-stale"), 61, "inat; hit; ttl=-1"),
        (get().header("cache-control", "stale-if-error=60"), 1, "inat; fwd=stale; fwd-status=503; ttl=-2"),
        (get().header("foo", "1"), 0, "inat; fwd=vary-miss; fwd-status=200; stored; ttl=60"),
        (Request::new(Method::POST.as_str(), "http://origin.test/a"), 0, "inat; fwd=method; fwd-status=204"),
    ] {
        clock.advance(Duration::from_secs(wait));
        let answer = session.send(request).unwrap();
        assert_eq!(answer.cache_status(clock.now()), expected);
    }
}

/// Several rules at once.
#[test]
fn together() {
    check(&[
        (
            "§4.1, RFC 5861 §3: one variant is refreshed, the other stays",
            "
            GET | foo: 1
            < 200 one | cache-control: max-age=10, stale-while-revalidate=60 | vary: foo
            +11
            GET | foo: 2
            < 200 two | cache-control: max-age=60 | vary: foo
            GET | foo: 1
            ~ 200 three | cache-control: max-age=60 | vary: foo
            = 200 one
            GET | foo: 1
            = 200 three
            GET | foo: 2
            = 200 two",
        ),
        (
            "RFC 9110 §14.2, RFC 5861 §4: a part of what is stale, while the origin fails",
            "
            GET
            < 200 0123456789 | cache-control: max-age=10, stale-if-error=60
            +11
            GET | range: bytes=2-3
            < 503 x
            = 206 23 | content-range: bytes 2-3/10
            HEAD
            < 502
            = 200 -
            GET | if-modified-since: {+0}
            < 504 x
            = 304",
        ),
        (
            "§3.4, §4.1: parts of one variant do not complete another",
            "
            GET | foo: 1 | range: bytes=0-4
            < 206 01234 | cache-control: max-age=60 | etag: \"1\" | vary: foo | content-range: bytes 0-4/10
            GET | foo: 2 | range: bytes=5-9
            < 206 56789 | cache-control: max-age=60 | etag: \"2\" | vary: foo | content-range: bytes 5-9/10
            GET | foo: 1
            < 200 0123456789
            GET | foo: 2
            < 200 abcdefghij",
        ),
        (
            "§3.4: the last part arrives first, parts overlap",
            "
            GET | range: bytes=-4
            < 206 6789 | cache-control: max-age=60 | etag: \"1\" | content-range: bytes 6-9/10
            GET | range: bytes=4-7
            < 206 4567 | cache-control: max-age=60 | etag: \"1\" | content-range: bytes 4-7/10
            GET | range: bytes=4-9
            = 206 456789 | content-range: bytes 4-9/10
            GET | range: bytes=0-5
            < 206 012345 | cache-control: max-age=60 | etag: \"1\" | content-range: bytes 0-5/10
            GET
            = 200 0123456789 | !content-range
            HEAD
            = 200 - | content-length: 10",
        ),
        (
            "§4.3.4, §14.2: 304 to a range, then another range",
            "
            GET
            < 200 0123456789 | cache-control: max-age=1 | etag: \"1\"
            +2
            GET | range: bytes=0-1
            ? if-none-match: \"1\" | range: bytes=0-1
            < 304 | etag: \"1\" | cache-control: max-age=60
            = 206 01
            GET | range: bytes=20-
            = 416",
        ),
        (
            "§4.4: a write drops parts and HEADs too",
            "
            GET | range: bytes=0-4
            < 206 01234 | cache-control: max-age=60 | etag: \"1\" | content-range: bytes 0-4/10
            HEAD /b
            < 200 | cache-control: max-age=60
            PUT
            < 204 | content-location: /b
            GET | range: bytes=0-4
            ? !if-none-match
            < 206 abcde
            = 206 abcde
            HEAD /b
            < 200
            = 200",
        ),
        (
            "§4.3.1: a stale HEAD is validated by HEAD",
            "
            HEAD
            < 200 | cache-control: max-age=1 | etag: \"1\" | x: 1
            +2
            HEAD
            ? if-none-match: \"1\"
            < 304 | etag: \"1\" | cache-control: max-age=60 | x: 2
            = 200 - | x: 2
            HEAD
            = 200 - | x: 2",
        ),
        (
            "§5.2.2.2, §4.3.3: must-revalidate and an origin that fails",
            "
            GET
            < 200 one | cache-control: max-age=10, must-revalidate, stale-if-error=60, stale-while-revalidate=60 | etag: \"1\"
            +11
            GET | cache-control: max-stale=100, stale-if-error=100
            ? if-none-match: \"1\"
            < 503 x
            = 503 x
            GET
            < reset
            = error
            GET
            < 304 | etag: \"1\"
            = 200 one",
        ),
        (
            "§4.1, §4.3.4: Vary: * that a 304 brings",
            "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\"
            +2
            GET
            < 304 | etag: \"1\" | cache-control: max-age=60 | vary: *
            = 200 one | vary: *
            GET
            ? if-none-match: \"1\"
            < 200 two
            = 200 two",
        ),
        (
            "§4.1, §4.3.4: a 304 that takes Vary away leaves one answer",
            "
            GET | foo: 1
            < 200 one | cache-control: max-age=1 | etag: \"1\" | vary: foo
            +2
            GET | foo: 2
            ? if-none-match: \"1\"
            < 304 | etag: \"1\" | cache-control: max-age=60 | vary: bar
            = 200 one | vary: bar
            GET | foo: 3
            = 200 one",
        ),
        (
            "§3: an answer to a conditional request of the client is the resource's",
            "
            GET | if-none-match: \"0\" | range: bytes=0-1
            ? if-none-match: \"0\" | range: bytes=0-1
            < 206 01 | etag: \"1\" | cache-control: max-age=60 | content-range: bytes 0-1/10
            GET | range: bytes=0-1
            = 206 01
            GET
            < 200 0123456789",
        ),
        (
            "§4: a client that insists gets what it insists on, and others profit",
            "
            GET
            < 200 one | cache-control: max-age=60 | etag: \"1\"
            +30
            GET | cache-control: no-cache
            ? if-none-match: \"1\" | cache-control: no-cache
            < 304 | etag: \"1\"
            = 200 one | age: 0
            +40
            GET
            = 200 one | age: 40",
        ),
        (
            "§4.2.1, §5.2.2.10: a day ahead for others, nothing for us",
            "
            GET
            < 200 one | cache-control: s-maxage=86400 | expires: {+10}
            +11
            GET
            < 200 two
            = 200 two",
        ),
    ]);
}
