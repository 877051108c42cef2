//! What `Cache-Control` and `Pragma` say besides lifetimes (RFC 9111 §5.2, §5.4, RFC 8246).

use crate::script::check;

#[test]
fn of_responses() {
    check(&[
        (
            "§5.2.2.5 MUST NOT",
            "
            GET
            < 200 one | cache-control: no-store, max-age=60 | etag: \"1\"
            GET
            ? !if-none-match
            < 200 two
            = 200 two",
        ),
        (
            "§5.2.2.5 MUST NOT, in any letter case",
            "
            GET
            < 200 one | cache-control: max-age=60, No-Store
            GET
            < 200 two
            = 200 two",
        ),
        (
            "§5.2.2.3: must-understand, understood",
            "
            GET
            < 200 one | cache-control: no-store, must-understand, max-age=60
            GET
            = 200 one",
        ),
        (
            "§5.2.2.3 MUST NOT: must-understand, not understood",
            "
            GET
            < 299 one | cache-control: must-understand, max-age=60
            GET
            < 200 two
            = 200 two",
        ),
        (
            "§5.2.2.4 MUST NOT without validation",
            "
            GET
            < 200 one | cache-control: no-cache, max-age=60 | etag: \"1\"
            GET
            ? if-none-match: \"1\"
            < 304 | etag: \"1\"
            = 200 one",
        ),
        (
            "§5.2.2.4 MUST NOT without validation, without validator",
            "
            GET
            < 200 one | cache-control: no-cache, max-age=60
            GET
            < 200 two
            = 200 two",
        ),
        (
            "§5.2.2.4 MAY: without the fields it names",
            "
            GET
            < 200 one | cache-control: no-cache=\"x, set-cookie\", max-age=60 | x: 1 | y: 2 | set-cookie: a=b
            = 200 one | x: 1
            GET
            = 200 one | !x | !set-cookie | y: 2",
        ),
        (
            "§5.2.2.7: private is for this cache",
            "
            GET
            < 200 one | cache-control: private, max-age=60
            GET
            = 200 one",
        ),
        (
            "§5.2.2.7: private fields are for this cache",
            "
            GET
            < 200 one | cache-control: private=\"x\", max-age=60 | x: 1
            GET
            = 200 one | x: 1",
        ),
        (
            "§5.2.2.2: must-revalidate while fresh",
            "
            GET
            < 200 one | cache-control: must-revalidate, max-age=60
            +59
            GET
            = 200 one",
        ),
        (
            "§5.2.2.2 MUST: must-revalidate when stale, whatever the request says",
            "
            GET
            < 200 one | cache-control: must-revalidate, max-age=60
            +61
            GET | cache-control: max-stale
            < 200 two
            = 200 two",
        ),
        (
            "§5.2.2.8: proxy-revalidate is for shared caches",
            "
            GET
            < 200 one | cache-control: proxy-revalidate, max-age=60
            +61
            GET | cache-control: max-stale=10
            = 200 one",
        ),
        (
            "§5.2.2.6: no-transform",
            "
            GET
            < 200 one | cache-control: no-transform, max-age=60 | content-encoding: x
            GET
            = 200 one | content-encoding: x | cache-control: no-transform, max-age=60",
        ),
        (
            "RFC 8246 §2: immutable says nothing once stale",
            "
            GET
            < 200 one | cache-control: immutable, max-age=60
            +61
            GET
            < 200 two
            = 200 two",
        ),
        (
            "RFC 8246 §2: immutable is no lifetime",
            "
            GET
            < 200 one | cache-control: immutable
            GET
            < 200 two
            = 200 two",
        ),
        (
            "§5.2.3: unknown ones are ignored",
            "
            GET
            < 200 one | cache-control: foo, bar=\"no-store\", max-age=60, baz=no-cache
            GET
            = 200 one",
        ),
        (
            "§3: a newer answer that is not stored replaces what is",
            "
            GET
            < 200 one | cache-control: max-age=1
            +2
            GET
            < 200 two | cache-control: no-store
            = 200 two
            GET | cache-control: max-stale
            < 200 three
            = 200 three",
        ),
    ]);
}

#[test]
fn of_requests() {
    let stored = |request: &str, after: u32, asked: bool| {
        let end = if asked { "< 200 two\n = 200 two" } else { "= 200 one" };
        (
            format!("§5.2.1: {request} after {after}"),
            format!("GET\n < 200 one | cache-control: max-age=60 | age: 10\n +{after}\n GET | {request}\n {end}"),
        )
    };
    let rows = [
        stored("cache-control: max-age=0", 0, true),
        stored("cache-control: max-age=0, max-stale", 0, true),
        stored("cache-control: max-age=30", 19, false),
        stored("cache-control: max-age=30", 21, true),
        stored("cache-control: max-age=3600", 51, true),
        stored("cache-control: max-age=\"30\"", 19, false),
        stored("cache-control: max-age=x", 1, true),
        stored("cache-control: min-fresh=10", 39, false),
        stored("cache-control: min-fresh=10", 41, true),
        stored("cache-control: max-stale", 5000, false),
        stored("cache-control: max-stale=10", 59, false),
        stored("cache-control: max-stale=10", 61, true),
        stored("cache-control: max-stale=x", 51, true),
        stored("cache-control: max-age=3600, max-stale=10", 59, false),
        stored("cache-control: no-cache", 1, true),
        stored("cache-control: No-Cache", 1, true),
        stored("cache-control: foo, no-cache", 1, true),
        stored("pragma: no-cache", 1, true),
        stored("pragma: No-Cache", 1, true),
        stored("pragma: foo", 1, false),
        stored("pragma: no-cache | cache-control: max-age=600", 1, false),
        stored("cache-control: no-transform", 1, false),
        stored("cache-control: foo", 1, false),
        stored("cache-control: only-if-cached", 1, false),
        stored("cache-control: stale-if-error=60", 51, true),
    ];
    check(&rows.iter().map(|(name, script)| (name.as_str(), script.as_str())).collect::<Vec<_>>());
    check(&[
        (
            "§5.2.1.7 SHOULD: 504",
            "
            GET | cache-control: only-if-cached
            = 504",
        ),
        (
            "§5.2.1.7 SHOULD: 504 when stale",
            "
            GET
            < 200 one | cache-control: max-age=60
            +61
            GET | cache-control: only-if-cached
            = 504",
        ),
        (
            "§5.2.1.7: consistent with the rest of the request",
            "
            GET
            < 200 one | cache-control: max-age=60
            +61
            GET | cache-control: only-if-cached, max-stale
            = 200 one",
        ),
        (
            "§5.2.1.5 MUST NOT store",
            "
            GET | cache-control: no-store
            < 200 one | cache-control: max-age=60
            = 200 one
            GET
            < 200 two
            = 200 two",
        ),
        (
            "§5.2.1.4: no-cache goes on to the origin, and what comes is stored",
            "
            GET
            < 200 one | cache-control: max-age=60
            GET | cache-control: no-cache
            ? cache-control: no-cache
            < 200 two | cache-control: max-age=60
            = 200 two
            GET
            = 200 two",
        ),
        (
            "§5.4: Pragma goes on to the origin",
            "
            GET
            < 200 one | cache-control: max-age=60
            GET | pragma: no-cache
            ? pragma: no-cache
            < 200 two | cache-control: max-age=60
            = 200 two
            GET
            = 200 two",
        ),
    ]);
}
