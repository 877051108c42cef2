//! Serving what has expired (RFC 9111 §4.2.4, RFC 5861).

use inat_session::SessionBuilder;

use crate::script::{check, check_with};

#[test]
fn while_it_is_refreshed() {
    check(&[
        (
            "RFC 5861 §3: one refresh, then it is fresh",
            "
            GET
            < 200 one | cache-control: max-age=10, stale-while-revalidate=30
            +11
            GET
            ~ 200 two | cache-control: max-age=10
            = 200 one | age: 11
            GET
            = 200 two",
        ),
        (
            "RFC 5861 §3: the refresh is conditional",
            "
            GET
            < 200 one | cache-control: max-age=10, stale-while-revalidate=30 | etag: \"1\"
            +11
            GET
            ? if-none-match: \"1\"
            ~ 304 | etag: \"1\" | cache-control: max-age=10
            = 200 one
            GET
            = 200 one | age: 0",
        ),
        (
            "RFC 5861 §3: what is stored is refreshed, whatever part of it was wanted",
            "
            GET
            < 200 0123 | cache-control: max-age=10, stale-while-revalidate=30 | etag: \"1\"
            +11
            GET | range: bytes=0-1 | if-range: \"1\"
            ? if-none-match: \"1\" | !range | !if-range
            ~ 200 abcd | cache-control: max-age=10, stale-while-revalidate=30 | etag: \"2\"
            = 206 01
            GET
            = 200 abcd
            +11
            GET | if-none-match: \"2\", \"3\"
            ? if-none-match: \"2\"
            ~ 200 efgh | cache-control: max-age=10 | etag: \"3\"
            = 304 -
            GET
            = 200 efgh",
        ),
        (
            "RFC 5861 §3: a part is refreshed as a part",
            "
            GET | range: bytes=0-1
            < 206 01 | cache-control: max-age=10, stale-while-revalidate=30 | content-range: bytes 0-1/4 | etag: \"1\"
            +11
            GET | range: bytes=0-1
            ? if-none-match: \"1\" | range: bytes=0-1
            ~ 304 | etag: \"1\" | cache-control: max-age=10
            = 206 01
            GET | range: bytes=0-1
            = 206 01 | age: 0",
        ),
        (
            "RFC 5861 §3 MUST NOT: beyond the window",
            "
            GET
            < 200 one | cache-control: max-age=10, stale-while-revalidate=30
            +41
            GET
            < 200 two
            = 200 two",
        ),
        (
            "§5.2.2.2 MUST NOT",
            "
            GET
            < 200 one | cache-control: max-age=10, stale-while-revalidate=30, must-revalidate
            +11
            GET
            < 200 two
            = 200 two",
        ),
        (
            "§5.2.2.4 MUST NOT",
            "
            GET
            < 200 one | cache-control: no-cache, max-age=10, stale-while-revalidate=30
            +11
            GET
            < 200 two
            = 200 two",
        ),
        (
            "§5.2.1.4: the request says no",
            "
            GET
            < 200 one | cache-control: max-age=10, stale-while-revalidate=30
            +11
            GET | cache-control: no-cache
            < 200 two
            = 200 two",
        ),
    ]);
}

#[test]
fn when_the_origin_fails() {
    let row = |rule: &str, stored: &str, after: u32, failure: &str, end: &str| {
        (
            format!("{rule}: {stored} after {after}, {failure}"),
            format!("GET\n < 200 one | cache-control: {stored}\n +{after}\n GET\n < {failure}\n = {end}"),
        )
    };
    let mut rows = Vec::new();
    for failure in ["500 x", "502 x", "503 x", "504 x", "refused", "reset", "cut o"] {
        let own = failure.split_once(' ').filter(|(status, _)| *status != "cut").map_or("error", |(status, _)| status);
        rows.push(row("RFC 5861 §4 MAY", "max-age=10, stale-if-error=60", 69, failure, "200 one | age: 69"));
        rows.push(row("RFC 5861 §4", "max-age=10, stale-if-error=60", 71, failure, own));
        rows.push(row("§5.2.2.2 MUST NOT", "max-age=10, stale-if-error=60, must-revalidate", 11, failure, own));
        rows.push(row("§5.2.2.4 MUST NOT", "no-cache, max-age=10, stale-if-error=60 | etag: \"1\"", 11, failure, own));
        rows.push(row("§4.2.4: nothing allows it", "max-age=10", 11, failure, own));
    }
    for status in [400, 401, 403, 404, 410, 501] {
        rows.push(row(
            "RFC 5861 §4: no failure",
            "max-age=10, stale-if-error=60",
            11,
            &format!("{status} x"),
            &format!("{status} x"),
        ));
    }
    check(&rows.iter().map(|(name, script)| (name.as_str(), script.as_str())).collect::<Vec<_>>());
    check(&[
        (
            "RFC 5861 §4: the request may say so too",
            "
            GET
            < 200 one | cache-control: max-age=10
            +11
            GET | cache-control: stale-if-error=60
            < 503 x
            = 200 one",
        ),
        (
            "§4.2.4: after the failure the origin is asked again",
            "
            GET
            < 200 one | cache-control: max-age=10, stale-if-error=60 | etag: \"1\"
            +11
            GET
            < 503 x
            = 200 one
            GET
            ? if-none-match: \"1\"
            < 304 | etag: \"1\"
            = 200 one",
        ),
        (
            "§4.3.3: a failure does not take the place of what is stored",
            "
            GET
            < 200 one | cache-control: max-age=10 | etag: \"1\"
            +11
            GET
            < 503 x
            = 503 x
            GET
            ? if-none-match: \"1\"
            < 304 | etag: \"1\" | cache-control: max-age=10
            = 200 one",
        ),
    ]);
}

#[test]
fn when_the_session_allows_it() {
    let always = |builder: SessionBuilder| builder.stale_if_error(true);
    check_with(
        &[
            (
                "§4.2.4 MAY: disconnected",
                "
                GET
                < 200 one | cache-control: max-age=10
                +1000
                GET
                < refused
                = 200 one | age: 1000",
            ),
            (
                "§5.2.2.2 MUST NOT",
                "
                GET
                < 200 one | cache-control: max-age=10, must-revalidate
                +1000
                GET
                < refused
                = error",
            ),
        ],
        always,
    );
}
