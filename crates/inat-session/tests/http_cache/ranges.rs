//! Parts (RFC 9110 §14, RFC 9111 §3.3, §3.4). What is stored is `0123456789`.

use crate::script::check;

#[test]
fn of_what_is_stored_whole() {
    let row = |range: &str, expected: &str| {
        (
            format!("RFC 9110 §14.2 MAY: {range}"),
            format!(
                "GET\n < 200 0123456789 | cache-control: max-age=60 | etag: \"1\" | last-modified: {{-600}} | content-length: 10 | content-type: a/b
                 GET | {range}\n = {expected}"
            ),
        )
    };
    let part = |bytes: &str, first: usize| {
        let last = first + bytes.len() - 1;
        let length = bytes.len();
        format!(
            "206 {bytes} | content-range: bytes {first}-{last}/10 | content-length: {length} | etag: \"1\" | content-type: a/b"
        )
    };
    let whole = || "200 0123456789 | !content-range | content-length: 10".to_owned();
    let none = || "416 - | content-range: bytes */10 | content-length: 0 | !cache-control | !etag".to_owned();
    let rows = [
        row("range: bytes=0-0", &part("0", 0)),
        row("range: bytes=2-4", &part("234", 2)),
        row("range: bytes=5-", &part("56789", 5)),
        row("range: bytes=-3", &part("789", 7)),
        row("range: bytes=-30", &part("0123456789", 0)),
        row("range: bytes=8-30", &part("89", 8)),
        row("range: Bytes=2-4", &part("234", 2)),
        row("range: bytes=10-", &none()),
        row("range: bytes=20-30", &none()),
        row("range: bytes=-0", &none()),
        row("range: bytes=4-2", &whole()),
        row("range: bytes=0-1,4-5", &whole()),
        row("range: bytes=,0-1,", &part("01", 0)),
        row("range: lines=0-1", &whole()),
        row("range: nonsense", &whole()),
        row("range: bytes=2-4 | if-range: \"1\"", &part("234", 2)),
        row("range: bytes=2-4 | if-range: \"2\"", &whole()),
        row("range: bytes=2-4 | if-range: W/\"1\"", &whole()),
        row("range: bytes=2-4 | if-range: {-600}", &part("234", 2)),
        row("range: bytes=2-4 | if-range: {-500}", &whole()),
        row("range: bytes=2-4 | if-range: {-700}", &whole()),
        row("if-range: \"1\"", &whole()),
        row("range: bytes=2-4 | if-none-match: \"1\"", "304 -"),
        row("range: bytes=2-4 | if-none-match: \"2\"", &part("234", 2)),
    ];
    check(&rows.iter().map(|(name, script)| (name.as_str(), script.as_str())).collect::<Vec<_>>());
    check(&[
        (
            "RFC 9110 §13.1.5 MUST NOT: a weak tag is no strong validator",
            "
            GET
            < 200 0123456789 | cache-control: max-age=60 | etag: W/\"1\"
            GET | range: bytes=2-4 | if-range: W/\"1\"
            = 200 0123456789",
        ),
        (
            "RFC 9110 §8.8.2.2: a date within the same second is no strong validator",
            "
            GET
            < 200 0123456789 | cache-control: max-age=60 | last-modified: {+0} | date: {+0}
            GET | range: bytes=2-4 | if-range: {+0}
            = 200 0123456789",
        ),
        (
            "RFC 9110 §14.2: only GET has ranges",
            "
            GET
            < 200 0123456789 | cache-control: max-age=60
            HEAD | range: bytes=2-4
            = 200 -",
        ),
        (
            "RFC 9110 §14.2: only 200 has ranges",
            "
            GET
            < 404 0123456789 | cache-control: max-age=60
            GET | range: bytes=2-4
            = 404 0123456789",
        ),
        (
            "§4.3.4: a stale whole, validated, is cut",
            "
            GET
            < 200 0123456789 | cache-control: max-age=1 | etag: \"1\"
            +2
            GET | range: bytes=2-4
            ? if-none-match: \"1\"
            < 304 | etag: \"1\" | cache-control: max-age=60
            = 206 234
            GET
            = 200 0123456789",
        ),
        (
            "RFC 9110 §15.3.7: a part of what is new",
            "
            GET
            < 200 0123456789 | cache-control: max-age=1 | etag: \"1\"
            +2
            GET | range: bytes=2-4
            < 206 cde | etag: \"2\" | content-range: bytes 2-4/10 | cache-control: max-age=60
            = 206 cde
            GET
            < 200 abcdefghij
            = 200 abcdefghij",
        ),
    ]);
}

#[test]
fn of_parts() {
    let part = "cache-control: max-age=60 | etag: \"1\"";
    let rows = [
        (
            "§3.3 MUST NOT: a part is no whole",
            format!(
                "
            GET | range: bytes=0-4
            ? range: bytes=0-4
            < 206 01234 | {part} | content-range: bytes 0-4/10
            = 206 01234
            GET
            < 200 0123456789
            = 200 0123456789"
            ),
        ),
        (
            "§3.3: a part that is all of it",
            format!(
                "
            GET | range: bytes=0-
            < 206 0123456789 | {part} | content-range: bytes 0-9/10
            = 206 0123456789
            GET
            = 200 0123456789 | !content-range | content-length: 10
            GET | range: bytes=1-2
            = 206 12 | content-range: bytes 1-2/10"
            ),
        ),
        (
            "§3.3 MUST NOT: one that says so, and is not",
            format!(
                "
            GET | range: bytes=0-
            < 206 01234 | {part} | content-range: bytes 0-9/10
            GET
            < 200 0123456789
            = 200 0123456789"
            ),
        ),
        (
            "§3.3 MAY: a stored part",
            format!(
                "
            GET | range: bytes=0-4
            < 206 01234 | {part} | content-range: bytes 0-4/10
            GET | range: bytes=0-4
            = 206 01234 | content-range: bytes 0-4/10
            GET | range: bytes=1-2
            = 206 12 | content-range: bytes 1-2/10"
            ),
        ),
        (
            "§3.3 MUST NOT: more than the stored part",
            format!(
                "
            GET | range: bytes=0-4
            < 206 01234 | {part} | content-range: bytes 0-4/10
            GET | range: bytes=3-6
            < 206 3456 | {part} | content-range: bytes 3-6/10
            = 206 3456"
            ),
        ),
        (
            "§3.4 MAY: parts make a whole",
            format!(
                "
            GET | range: bytes=0-4
            < 206 01234 | {part} | content-range: bytes 0-4/10
            GET | range: bytes=5-
            < 206 56789 | {part} | content-range: bytes 5-9/10
            = 206 56789 | content-range: bytes 5-9/10
            GET
            = 200 0123456789 | !content-range
            GET | range: bytes=-2
            = 206 89"
            ),
        ),
        (
            "§3.4 MUST NOT: parts of different things",
            "
            GET | range: bytes=0-4
            < 206 01234 | cache-control: max-age=60 | etag: \"1\" | content-range: bytes 0-4/10
            GET | range: bytes=5-
            < 206 fghij | cache-control: max-age=60 | etag: \"2\" | content-range: bytes 5-9/10
            = 206 fghij
            GET
            < 200 abcdefghij
            = 200 abcdefghij"
                .to_owned(),
        ),
        (
            "§3.4 MUST NOT: weak tags do not join parts",
            "
            GET | range: bytes=0-4
            < 206 01234 | cache-control: max-age=60 | etag: W/\"1\" | content-range: bytes 0-4/10
            GET | range: bytes=5-
            < 206 56789 | cache-control: max-age=60 | etag: W/\"1\" | content-range: bytes 5-9/10
            GET
            < 200 abcdefghij
            = 200 abcdefghij"
                .to_owned(),
        ),
        (
            "§4.3.4: a stale part is validated",
            "
            GET | range: bytes=0-4
            < 206 01234 | cache-control: max-age=1 | etag: \"1\" | content-range: bytes 0-4/10
            +2
            GET | range: bytes=0-4
            ? if-none-match: \"1\" | range: bytes=0-4
            < 304 | cache-control: max-age=60 | etag: \"1\"
            = 206 01234 | content-range: bytes 0-4/10
            GET | range: bytes=1-2
            = 206 12 | content-range: bytes 1-2/10"
                .to_owned(),
        ),
        (
            "RFC 9110 §15.5.17: a 416 is handed on and changes nothing",
            "
            GET | range: bytes=0-4
            < 206 01234 | cache-control: max-age=60 | etag: \"1\" | content-range: bytes 0-4/10
            GET | range: bytes=5-6
            < 416 | content-range: bytes */10 | cache-control: max-age=60
            = 416 - | content-range: bytes */10
            GET | range: bytes=0-4
            = 206 01234"
                .to_owned(),
        ),
        (
            "RFC 9110 §14.4: nonsense is not stored",
            "
            GET | range: bytes=0-4
            < 206 01234 | cache-control: max-age=60 | content-range: bytes 0-14/10
            GET | range: bytes=0-4
            < 206 01234 | cache-control: max-age=60
            = 206 01234
            GET | range: bytes=0-4
            < 200 0123456789
            = 200 0123456789"
                .to_owned(),
        ),
        (
            "RFC 9110 §15.3.7: a 206 nobody asked for is not stored",
            format!(
                "
            GET
            < 206 01234 | {part} | content-range: bytes 0-4/10
            GET
            < 200 0123456789
            = 200 0123456789"
            ),
        ),
        (
            "RFC 9110 §14.2: the whole in answer to a range is stored as the whole",
            "
            GET | range: bytes=0-4
            < 200 0123456789 | cache-control: max-age=60
            = 200 0123456789
            GET
            = 200 0123456789
            GET | range: bytes=0-4
            = 206 01234"
                .to_owned(),
        ),
        (
            "§3.3 MUST NOT: a 206 is stored with no-store",
            "
            GET | range: bytes=0-4
            < 206 01234 | cache-control: no-store, max-age=60 | etag: \"1\" | content-range: bytes 0-4/10
            GET | range: bytes=0-4
            < 200 0123456789
            = 200 0123456789"
                .to_owned(),
        ),
    ];
    check(&rows.iter().map(|(name, script)| (*name, script.as_str())).collect::<Vec<_>>());
}

/// RFC 9111 §3.4, §3.2: what is joined has the fields of both, and all of them decide about its reuse.
#[test]
fn what_is_joined_obeys_the_fields_of_both() {
    let joined = |stored: &str, brings: &str, then: &str| {
        format!(
            "GET | foo: 1\n < 200 0123456789 | etag: \"1\" | content-length: 10 | {stored}
             GET | foo: 1 | cache-control: no-cache | range: bytes=2-3
             < 206 23 | etag: \"1\" | content-range: bytes 2-3/10 | {brings}
             = 206 23
             {then}"
        )
    };
    let asks = "\n < 200 new\n = 200 new";
    let rows = [
        (
            "§5.2.2.4 MUST NOT: no-cache of the first",
            joined("cache-control: no-cache", "expires: {600}", &format!("GET | foo: 1{asks}")),
        ),
        (
            "§4.1 MUST NOT: Vary of the first",
            joined(
                "cache-control: max-age=60 | vary: foo",
                "cache-control: max-age=60",
                &format!("GET | foo: 2{asks}"),
            ),
        ),
        (
            "§5.3: max-age of the first before Expires of the second",
            joined("cache-control: max-age=1", "expires: {600}", &format!("+5\nGET | foo: 1{asks}")),
        ),
        (
            "§5.2.2.2 MUST NOT: must-revalidate of the first",
            joined(
                "cache-control: max-age=1, must-revalidate",
                "expires: {5}",
                &format!("+50\nGET | foo: 1 | cache-control: max-stale{asks}"),
            ),
        ),
        (
            "MAY: max-age of the first counts from the second",
            joined("cache-control: max-age=60", "x: 1", "+50\nGET | foo: 1\n = 200 0123456789 | age: 50 | x: 1"),
        ),
    ];
    check(&rows.iter().map(|(name, script)| (*name, script.as_str())).collect::<Vec<_>>());
}

#[test]
fn what_is_not_stored_outdates_parts() {
    let part =
        "GET | range: bytes=2-4\n < 206 234 | cache-control: max-age=60 | etag: \"1\" | content-range: bytes 2-4/10";
    let whole = "GET\n < 200 0123456789 | cache-control: max-age=60 | etag: \"1\" | content-length: 10";
    let asks = "GET | range: bytes=2-4\n < 206 xyz | etag: \"2\" | content-range: bytes 2-4/10\n = 206 xyz";
    let rows = [
        ("a part, by a whole that is not stored", format!("{part}\nGET\n < 200 new | cache-control: no-store\n{asks}")),
        ("a part, by its being gone", format!("{part}\nGET\n < 410 - | cache-control: no-store\n{asks}")),
        (
            "a whole, by a part of another that is not stored",
            format!(
                "{whole}\nGET | range: bytes=0-1 | cache-control: no-cache
                 < 206 ab | cache-control: no-store | etag: \"2\" | content-range: bytes 0-1/10\n{asks}"
            ),
        ),
        (
            "but not by a part of the same",
            format!(
                "{whole}\nGET | range: bytes=0-1 | cache-control: no-cache
                 < 206 01 | cache-control: no-store | etag: \"1\" | content-range: bytes 0-1/10
                 GET\n = 200 0123456789"
            ),
        ),
    ];
    check(&rows.iter().map(|(name, script)| (*name, script.as_str())).collect::<Vec<_>>());
}
