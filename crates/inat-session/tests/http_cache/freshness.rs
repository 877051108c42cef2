//! How long an answer may be reused without asking (RFC 9111 §4.2, §5.1, §5.3).

use crate::script::check;

/// Rows that store an answer with these fields, wait, and look whether it is reused.
fn reused(rule: &str, fields: &str, wait: u32, is_reused: bool) -> (String, String) {
    let again = if is_reused { "= 200 one" } else { "< 200 two\n = 200 two" };
    (format!("{rule}: {fields} after {wait}"), format!("GET\n < 200 one{fields}\n = 200 one\n +{wait}\n GET\n {again}"))
}

#[test]
fn lifetimes() {
    let rows = [
        ("§4.2.1 MAY", " | cache-control: max-age=60", 59, true),
        ("§4.2 MUST", " | cache-control: max-age=60", 60, false),
        ("§4.2.1 MAY", " | expires: {+60}", 59, true),
        ("§4.2 MUST", " | expires: {+60}", 60, false),
        ("§4.2.1 MAY", " | expires: {+60} | date: {+0}", 59, true),
        ("§5.3 MAY: Expires counts from Date", " | expires: {+3660} | date: {+3600}", 59, true),
        ("§5.3 MUST: Expires counts from Date", " | expires: {+3660} | date: {+3600}", 61, false),
        ("§5.3 MUST: before Date is in the past", " | expires: {-1} | date: {+0}", 0, false),
        ("§5.3 MUST", " | expires: 0", 0, false),
        ("§5.3 MUST", " | expires: never | last-modified: {-100000}", 0, false),
        ("§5.3 MUST: max-age goes before", " | expires: {-60} | cache-control: max-age=60", 1, true),
        ("§5.3 MUST: max-age goes before", " | expires: {+600} | cache-control: max-age=1", 2, false),
        ("§5.2.2.1 MUST", " | expires: {+600} | cache-control: max-age=0", 0, false),
        ("§5.2.2.10: not for a private cache", " | cache-control: s-maxage=1, max-age=60", 30, true),
        ("§5.2.2.10: not for a private cache", " | cache-control: s-maxage=60, max-age=1", 30, false),
        ("§5.2.2.10: not for a private cache", " | cache-control: s-maxage=60", 0, false),
        ("§5.2.2.10: not for a private cache", " | cache-control: s-maxage=0 | expires: {+60}", 30, true),
        ("RFC 9213 §3.1: not for this cache", " | cdn-cache-control: max-age=60", 0, false),
        ("RFC 9213 §3.1: not for this cache", " | cdn-cache-control: no-store | cache-control: max-age=60", 1, true),
        ("RFC 9213 §2.1: not for this cache", " | surrogate-control: max-age=60", 0, false),
        ("§4.2: nothing says so", "", 0, false),
        ("§4.2.2: a validator is no lifetime", " | etag: \"1\" | cache-control: public", 0, false),
        ("§4.2.2 MAY: a tenth", " | last-modified: {-1000}", 99, true),
        ("§4.2.2 SHOULD: not more", " | last-modified: {-1000}", 101, false),
        ("§4.2.2: at most a day", " | last-modified: {-100000000}", 86_401, false),
        ("§4.2.2: modified in the future", " | last-modified: {+1000}", 0, false),
        ("§4.2.2 MUST NOT: explicit goes before", " | last-modified: {-100000} | cache-control: max-age=1", 2, false),
        ("§4.2.2 MUST NOT: explicit goes before", " | last-modified: {-100000} | expires: {+1}", 2, false),
        ("§5.4: Pragma is for requests", " | pragma: no-cache | cache-control: max-age=60", 30, true),
        ("§1.2.2 MUST: as far as numbers reach", " | cache-control: max-age=99999999999", 2_000_000, true),
        ("§1.2.2 MUST: as far as numbers reach", " | cache-control: max-age=2147483648", 2_000_000, true),
        ("§5.6.7 of RFC 9110 MUST: rfc850", " | expires: Friday, 01-Jan-49 00:00:00 GMT", 10, true),
        ("§5.6.7 of RFC 9110 MUST: asctime", " | expires: Fri Jan  1 00:00:00 2049", 10, true),
        ("§4.2 SHOULD: letter case of dates", " | expires: FRI, 01 jan 2049 00:00:00 gmt", 10, true),
    ];
    run(&rows);
}

#[test]
fn age() {
    let rows = [
        ("§4.2.3 MUST", " | cache-control: max-age=60 | age: 50", 9, true),
        ("§4.2.3 MUST", " | cache-control: max-age=60 | age: 50", 10, false),
        ("§4.2.3 MUST", " | cache-control: max-age=60 | age: 60", 0, false),
        ("§4.2.3 MUST", " | cache-control: max-age=60 | age: 7200", 0, false),
        ("§4.2.3 MUST", " | expires: {+60} | age: 50", 11, false),
        ("§4.2.3 MUST: apparent age", " | cache-control: max-age=60 | date: {-50}", 11, false),
        ("§4.2.3 MAY: apparent age", " | cache-control: max-age=60 | date: {-50}", 9, true),
        ("§4.2.3 MUST: the larger age", " | cache-control: max-age=60 | date: {-50} | age: 20", 11, false),
        ("§4.2.3: a date ahead is no age", " | cache-control: max-age=60 | date: {+86400}", 59, true),
        ("§5.1 SHOULD: ignored", " | cache-control: max-age=60 | age: -50", 30, true),
        ("§5.1 SHOULD: ignored", " | cache-control: max-age=60 | age: abc", 30, true),
        ("§5.1 SHOULD: ignored", " | cache-control: max-age=60 | age: 50.5", 30, true),
        ("§5.1 SHOULD: ignored", " | cache-control: max-age=60 | age: \"50\"", 30, true),
        ("§5.1 SHOULD: the first", " | cache-control: max-age=60 | age: 50 | age: 0", 11, false),
        ("§5.1 SHOULD: the first", " | cache-control: max-age=60 | age: 0, 7200", 30, true),
        ("§1.2.2 MUST", " | cache-control: max-age=60 | age: 99999999999", 0, false),
        ("§5.1: the oldest that fits", " | cache-control: max-age=3600 | age: 0050", 3500, true),
    ];
    run(&rows);
    check(&[
        (
            "§5.1 MUST: Age of what comes from the cache",
            "
            GET
            < 200 one | cache-control: max-age=60
            = 200 one | !age
            +10
            GET
            = 200 one | age: 10",
        ),
        (
            "§4.2.3 MUST: Age adds up",
            "
            GET
            < 200 one | cache-control: max-age=60 | age: 30
            = 200 one | age: 30
            +10
            GET
            = 200 one | age: 40",
        ),
        (
            "§4.2.3 MUST: the larger of both ages",
            "
            GET
            < 200 one | cache-control: max-age=600 | age: 30 | date: {-100}
            +10
            GET
            = 200 one | age: 110 | date: {-100}",
        ),
        (
            "§4.3.4: a 304 begins a new age",
            "
            GET
            < 200 one | cache-control: max-age=60 | etag: \"1\" | age: 30
            +60
            GET
            < 304 | cache-control: max-age=60 | etag: \"1\" | age: 5
            = 200 one | age: 5
            +10
            GET
            = 200 one | age: 15",
        ),
        (
            "RFC 9110 §6.6.1: Date is when it came, and stays",
            "
            GET
            < 200 one | cache-control: max-age=60
            +10
            GET
            = 200 one | date: {+0}",
        ),
    ]);
}

#[test]
fn odd_directives() {
    let fresh = [
        "MAX-AGE=60",
        "Max-Age=60",
        "max-age=\"60\"",
        "max-age=0060",
        "foo, max-age=60",
        "max-age=60, foo=bar",
        "foo=\"a, max-age=0\", max-age=60",
        "  max-age=60  ",
        ",,max-age=60,,",
        "max-age=60,max-age=60",
        "foo=\"\\\", no-store\", max-age=60",
        "\u{a0}, max-age=60",
        "private, max-age=60",
        "public,max-age=60",
    ];
    let stale = [
        "max-age=-1",
        "max-age=1.5",
        "max-age=60x",
        "max-age=",
        "max-age",
        "max-age=a60",
        "max-age: 60",
        "max-age'60",
        "max-age=60;foo",
        "max-age = 60",
        "max-age=1, max-age=0",
        "max-age=0, max-age=60",
        "x-max-age=60",
        "max-age=+60",
        "foo=\"max-age=60\"",
        "\"max-age=60\"",
        "maxage=60",
        "max-age=6 0",
    ];
    let rows: Vec<_> = fresh.iter().map(|text| (text, true)).chain(stale.iter().map(|text| (text, false))).collect();
    let rows: Vec<_> = rows
        .iter()
        .map(|(text, fresh)| reused("§5.2, §4.2.1", &format!(" | cache-control: {text}"), 2, *fresh))
        .chain([
            reused("RFC 9110 §5.3: lines are one list", " | cache-control: a=b | cache-control: max-age=60", 30, true),
            reused(
                "RFC 9110 §5.3: lines are one list",
                " | cache-control: max-age=60 | cache-control: no-store",
                1,
                false,
            ),
        ])
        .collect();
    check(&rows.iter().map(|(name, script)| (name.as_str(), script.as_str())).collect::<Vec<_>>());
}

fn run(rows: &[(&str, &str, u32, bool)]) {
    let rows: Vec<_> = rows.iter().map(|(rule, fields, wait, fresh)| reused(rule, fields, *wait, *fresh)).collect();
    check(&rows.iter().map(|(name, script)| (name.as_str(), script.as_str())).collect::<Vec<_>>());
}
