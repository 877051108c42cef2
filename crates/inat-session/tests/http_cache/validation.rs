//! Asking whether what is stored still holds, and answering the client who asks that (RFC 9111 §4.3, RFC 9110 §13).

use crate::script::check;

#[test]
fn of_what_is_stored() {
    check(&[
        (
            "§4.3.1 MUST: the tag it has",
            "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\"
            +2
            GET
            ? if-none-match: \"1\" | !if-modified-since
            < 304 | cache-control: max-age=60 | etag: \"1\"
            = 200 one | etag: \"1\" | age: 0
            GET
            = 200 one",
        ),
        (
            "§4.3.1 SHOULD: a weak tag too",
            "
            GET
            < 200 one | cache-control: max-age=1 | etag: W/\"1\"
            +2
            GET
            ? if-none-match: W/\"1\"
            < 304 | etag: W/\"1\"
            = 200 one",
        ),
        (
            "§4.3.1: a tag without quotes, as it stands",
            "
            GET
            < 200 one | cache-control: max-age=1 | etag: 1
            +2
            GET
            ? if-none-match: 1
            < 304 | etag: 1
            = 200 one",
        ),
        (
            "§4.3.1 SHOULD: the date",
            "
            GET
            < 200 one | cache-control: max-age=1 | last-modified: {-60}
            +2
            GET
            ? if-modified-since: {-60} | !if-none-match
            < 304 | last-modified: {-60}
            = 200 one",
        ),
        (
            "§4.3.1 SHOULD: both",
            "
            GET
            < 200 one | cache-control: max-age=1 | last-modified: {-60} | etag: \"1\"
            +2
            GET
            ? if-modified-since: {-60} | if-none-match: \"1\"
            < 304
            = 200 one",
        ),
        (
            "§4.3.1: nothing to ask with",
            "
            GET
            < 200 one | cache-control: max-age=1
            +2
            GET
            ? !if-modified-since | !if-none-match
            < 200 two
            = 200 two",
        ),
        (
            "§4.3.3: a full answer takes its place",
            "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\"
            +2
            GET
            < 200 two | cache-control: max-age=60 | etag: \"2\"
            = 200 two | etag: \"2\"
            GET
            = 200 two",
        ),
        (
            "§4.3.3: 404 too",
            "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\"
            +2
            GET
            < 404 two | cache-control: max-age=60
            = 404 two
            GET
            = 404 two",
        ),
        (
            "§4.3.4 MUST NOT: a 304 about something else",
            "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\"
            +2
            GET
            < 304 | etag: \"2\"
            ? !if-none-match | !if-modified-since
            < 200 two | etag: \"2\" | cache-control: max-age=60
            = 200 two
            GET
            = 200 two",
        ),
        (
            "RFC 9110 §15.4.5: a 304 nobody asked for is the client's",
            "
            GET
            < 304 | etag: \"1\"
            = 304
            GET
            < 200 two
            = 200 two",
        ),
        (
            "§4.3: a stored 404 is validated",
            "
            GET
            < 404 one | cache-control: max-age=1 | etag: \"1\"
            +2
            GET
            ? if-none-match: \"1\"
            < 304 | etag: \"1\" | cache-control: max-age=60
            = 404 one
            GET
            = 404 one",
        ),
    ]);
}

#[test]
fn a_304_updates_what_is_stored() {
    check(&[
        ("§3.2, §4.3.4 MUST: fields", "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\" | x: 1 | x: 2 | y: 1 | content-type: a/b
            +2
            GET
            < 304 | cache-control: max-age=60 | etag: \"1\" | x: 3 | z: 1 | z: 2 | set-cookie: a=b | content-type: c/d
            = 200 one | x: 3 | y: 1 | z: 1 | z: 2 | set-cookie: a=b | content-type: c/d
            GET
            = 200 one | x: 3 | y: 1 | z: 1 | z: 2 | set-cookie: a=b | cache-control: max-age=60"),
        ("§3.2 MUST NOT: of the body", "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\" | content-length: 3 | content-encoding: x
            +2
            GET
            < 304 | cache-control: max-age=60 | etag: \"1\" | content-length: 0
            = 200 one | content-length: 3 | content-encoding: x
            GET
            = 200 one | content-length: 3 | content-encoding: x"),
        ("§3.1, §3.2 MUST NOT: of the connection", "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\" | x: 1
            +2
            GET
            < 304 | cache-control: max-age=60 | etag: \"1\" | connection: x, keep-alive | x: 2 | keep-alive: 5 | transfer-encoding: y
            = 200 one | x: 1 | !connection | !keep-alive | !transfer-encoding
            GET
            = 200 one | x: 1 | !connection | !keep-alive"),
        ("§4.3.4: Expires and Date count anew", "
            GET
            < 200 one | expires: {+1} | etag: \"1\"
            +60
            GET
            < 304 | expires: {+120} | date: {+60} | etag: \"1\"
            = 200 one | expires: {+120} | date: {+60}
            +59
            GET
            = 200 one
            +1
            GET
            < 200 two
            = 200 two"),
        ("§4.3.4: the lifetime it had counts anew", "
            GET
            < 200 one | cache-control: max-age=10 | etag: \"1\"
            +11
            GET
            < 304 | etag: \"1\"
            +9
            GET
            = 200 one | age: 9
            +1
            GET
            < 304 | etag: \"1\"
            = 200 one"),
        ("§5.2.2.5: no-store from now on", "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\"
            +2
            GET
            < 304 | cache-control: no-store | etag: \"1\"
            = 200 one
            GET
            < 200 two
            = 200 two"),
        ("§5.2.2.4: no-cache from now on", "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\"
            +2
            GET
            < 304 | cache-control: no-cache, max-age=60 | etag: \"1\"
            GET
            ? if-none-match: \"1\"
            < 304 | cache-control: max-age=60 | etag: \"1\"
            GET
            = 200 one"),
        ("§4.3.4: without validator, there was one to ask about", "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\"
            +2
            GET
            < 304 | cache-control: max-age=60
            = 200 one
            GET
            = 200 one | etag: \"1\""),
        ("§4.3.4: by the date it was modified", "
            GET
            < 200 one | cache-control: max-age=1 | last-modified: {-60}
            +2
            GET
            < 304 | cache-control: max-age=60 | last-modified: {-60} | x: 1
            = 200 one | x: 1
            GET
            = 200 one | x: 1"),
        ("§4.3.4: it gets a new tag of its own", "
            GET
            < 200 one | cache-control: max-age=1 | last-modified: {-60}
            +2
            GET
            < 304 | cache-control: max-age=1 | last-modified: {-60}
            +2
            GET
            ? if-modified-since: {-60}
            < 200 two | last-modified: {-30}
            = 200 two"),
    ]);
}

#[test]
fn of_what_the_client_has() {
    let fresh = |stored: &str, condition: &str, status: u16| {
        let body = if status == 304 { "-" } else { "one" };
        (
            format!("§4.3.2: {condition} of {stored}"),
            format!("GET\n < 200 one | cache-control: max-age=60 | {stored}\n GET | {condition}\n = {status} {body}"),
        )
    };
    let rows = [
        fresh("etag: \"1\"", "if-none-match: \"1\"", 304),
        fresh("etag: \"1\"", "if-none-match: W/\"1\"", 304),
        fresh("etag: W/\"1\"", "if-none-match: \"1\"", 304),
        fresh("etag: \"1\"", "if-none-match: \"0\", \"1\" , \"2\"", 304),
        fresh("etag: \"1\"", "if-none-match: \"0\" | if-none-match: \"1\"", 304),
        fresh("etag: \"1,2\"", "if-none-match: \"0\",\"1,2\"", 304),
        fresh("etag: \"1\"", "if-none-match: *", 304),
        fresh("x: 1", "if-none-match: *", 304),
        fresh("etag: \"1\"", "if-none-match: \"2\"", 200),
        fresh("etag: \"1\"", "if-none-match: 1", 200),
        fresh("x: 1", "if-none-match: \"1\"", 200),
        fresh("etag: \"1\" | last-modified: {-60}", "if-none-match: \"2\" | if-modified-since: {+0}", 200),
        fresh("etag: \"1\" | last-modified: {-60}", "if-none-match: \"1\" | if-modified-since: {-90}", 304),
        fresh("last-modified: {-60}", "if-modified-since: {-60}", 304),
        fresh("last-modified: {-60}", "if-modified-since: {-30}", 304),
        fresh("last-modified: {-60}", "if-modified-since: {-61}", 200),
        fresh("last-modified: {-60}", "if-modified-since: yesterday", 200),
        fresh("date: {-10}", "if-modified-since: {-10}", 304),
        fresh("date: {-10}", "if-modified-since: {-11}", 200),
        fresh("x: 1", "if-modified-since: {+0}", 304),
    ];
    check(&rows.iter().map(|(name, script)| (name.as_str(), script.as_str())).collect::<Vec<_>>());
    check(&[
        ("RFC 9110 §15.4.5 MUST: what a 304 of ours carries", "
            GET
            < 200 one | cache-control: max-age=60 | etag: \"1\" | content-location: /b | vary: foo | expires: {+90} | content-type: a/b | content-length: 3
            +5
            GET | if-none-match: \"1\"
            = 304 - | cache-control: max-age=60 | etag: \"1\" | content-location: /b | vary: foo | expires: {+90} | date: {+0} | age: 5 | !content-length | !content-type"),
        ("§4.3.2: HEAD", "
            GET
            < 200 one | cache-control: max-age=60 | etag: \"1\"
            HEAD | if-none-match: \"1\"
            = 304 -"),
        ("RFC 9110 §13.2.1: other answers have no conditions", "
            GET
            < 404 one | cache-control: max-age=60 | etag: \"1\"
            GET | if-none-match: \"1\"
            = 404 one"),
        ("§4.3.1: the client's tag goes along with ours", "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\"
            +2
            GET | if-none-match: \"2\"
            ? if-none-match: \"1\", \"2\"
            < 304 | etag: \"2\"
            = 304 - | etag: \"2\"
            GET
            ? if-none-match: \"1\"
            < 304 | etag: \"1\"
            = 200 one"),
        ("§4.3.1: the client asks about something older", "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\"
            +2
            GET | if-none-match: \"0\"
            < 304 | etag: \"1\" | cache-control: max-age=60
            = 200 one
            GET
            = 200 one"),
        ("§4.3.2: the client has what is still good", "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\"
            +2
            GET | if-none-match: \"1\"
            ? if-none-match: \"1\"
            < 304 | etag: \"1\" | cache-control: max-age=60
            = 304 -
            GET
            = 200 one"),
        ("§4.3.2: the client has what is outdated", "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\"
            +2
            GET | if-none-match: \"1\"
            < 200 two | etag: \"2\" | cache-control: max-age=60
            = 200 two
            GET
            = 200 two"),
        ("§4.3.1: by date", "
            GET
            < 200 one | cache-control: max-age=1 | last-modified: {-60}
            +2
            GET | if-modified-since: {-90}
            ? if-modified-since: {-60}
            < 304 | last-modified: {-60} | cache-control: max-age=60
            = 200 one
            GET | if-modified-since: {-30}
            = 304 -"),
        ("§4.3.2: nothing stored, the origin says", "
            GET | if-none-match: \"1\"
            ? if-none-match: \"1\"
            < 304 | etag: \"1\" | cache-control: max-age=60
            = 304
            GET
            ? !if-none-match
            < 200 one
            = 200 one"),
        ("§4.3.2: nothing stored, and the answer is", "
            GET | if-none-match: \"0\" | if-modified-since: {-90}
            ? if-none-match: \"0\" | if-modified-since: {-90}
            < 200 one | etag: \"1\" | cache-control: max-age=60
            = 200 one
            GET
            = 200 one"),
        ("§4.3.2 MUST NOT: If-Match is for the origin", "
            GET
            < 200 one | etag: \"1\" | cache-control: max-age=60
            GET | if-match: \"2\"
            ? if-match: \"2\"
            < 412
            = 412
            GET
            = 200 one"),
        ("§4.3.2 MUST NOT: If-Unmodified-Since is for the origin", "
            GET
            < 200 one | last-modified: {-60} | cache-control: max-age=60
            GET | if-unmodified-since: {-90}
            < 412
            = 412"),
    ]);
}

#[test]
fn by_head() {
    check(&[
        (
            "§4.3.5 SHOULD: freshened",
            "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\" | content-length: 3 | x: 1
            +2
            HEAD
            < 200 | cache-control: max-age=60 | etag: \"1\" | content-length: 3 | x: 2
            = 200 -
            GET
            = 200 one | x: 2",
        ),
        (
            "§4.3.5: freshened by 304",
            "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\"
            +2
            HEAD
            ? if-none-match: \"1\"
            < 304 | cache-control: max-age=60 | etag: \"1\"
            = 200 -
            GET
            = 200 one",
        ),
        (
            "§4.3.5 SHOULD: another tag",
            "
            GET
            < 200 one | cache-control: max-age=60 | etag: \"1\"
            HEAD | cache-control: no-cache
            < 200 | cache-control: max-age=60 | etag: \"2\"
            GET
            < 200 two | etag: \"2\"
            = 200 two",
        ),
        (
            "§4.3.5 SHOULD: another length",
            "
            GET
            < 200 one | cache-control: max-age=60 | content-length: 3
            HEAD | cache-control: no-cache
            < 200 | cache-control: max-age=60 | content-length: 4
            GET
            < 200 four
            = 200 four",
        ),
        (
            "§4.3.5 SHOULD: another date",
            "
            GET
            < 200 one | cache-control: max-age=60 | last-modified: {-60}
            HEAD | cache-control: no-cache
            < 200 | cache-control: max-age=60 | last-modified: {-30}
            GET
            < 200 two
            = 200 two",
        ),
    ]);
}
