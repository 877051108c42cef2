//! Which request a stored answer is for (RFC 9111 §4.1, RFC 9110 §12.5.5).

use crate::script::check;

#[test]
fn values() {
    let row = |rule: &str, vary: &str, one: &str, other: &str, same: bool| {
        let end = if same { "= 200 one" } else { "< 200 two\n = 200 two" };
        (
            format!("{rule}: {vary}, {one:?} and {other:?}"),
            format!("GET{one}\n < 200 one | cache-control: max-age=60 | vary: {vary}\n GET{other}\n {end}"),
        )
    };
    let rows = [
        row("MAY", "foo", " | foo: 1", " | foo: 1", true),
        row("MUST", "foo", " | foo: 1", " | foo: 2", false),
        row("MUST", "foo", " | foo: 1", "", false),
        row("MUST", "foo", "", " | foo: 1", false),
        row("MUST", "foo", "", " | foo:", false),
        row("MAY", "foo", "", "", true),
        row("MAY", "FOO", " | foo: 1", " | Foo: 1", true),
        row("MUST", "FOO", " | foo: 1", " | Foo: 2", false),
        row("MAY", "foo, bar", " | foo: 1 | bar: 2", " | bar: 2 | foo: 1", true),
        row("MUST", "foo, bar", " | foo: 1 | bar: 2", " | foo: 1 | bar: 3", false),
        row("MUST", "foo, bar", " | foo: 1 | bar: 2", " | foo: 2 | bar: 1", false),
        row("MUST", "foo | vary: bar", " | foo: 1 | bar: 2", " | foo: 1 | bar: 3", false),
        row("MAY", "foo | vary: bar", " | foo: 1 | bar: 2", " | foo: 1 | bar: 2", true),
        row("MAY", "foo", " | foo: 1 | bar: 2", " | foo: 1 | bar: 3", true),
        row("MAY: white space", "foo", " | foo: 1, 2", " | foo: 1,2", true),
        row("MAY: lines", "foo", " | foo: 1 | foo: 2", " | foo: 1, 2", true),
        row("MUST: order", "foo", " | foo: 1, 2", " | foo: 2, 1", false),
        row("MUST: letter case", "foo", " | foo: a", " | foo: A", false),
        row("MAY: languages have no case", "accept-language", " | accept-language: en", " | accept-language: EN", true),
        row("MAY", "accept-language", " | accept-language: en;q=0.5, de", " | accept-language: de, en;q=0.50", true),
        row("MUST", "accept-language", " | accept-language: en", " | accept-language: de", false),
        row("MUST", "accept-language", " | accept-language: en, de;q=0.5", " | accept-language: de, en;q=0.5", false),
        row("MAY", "accept-encoding", " | accept-encoding: gzip, br", " | accept-encoding: GZIP,br", true),
        row(
            "MAY: order is not significant",
            "accept-encoding",
            " | accept-encoding: gzip, br",
            " | accept-encoding: br, gzip",
            true,
        ),
        row("MUST: any", "*", "", "", false),
        row("MUST: any", "foo, *", " | foo: 1", " | foo: 1", false),
        row("MUST: any", "foo | vary: *", " | foo: 1", " | foo: 1", false),
    ];
    check(&rows.iter().map(|(name, script)| (name.as_str(), script.as_str())).collect::<Vec<_>>());
}

#[test]
fn several() {
    check(&[
        (
            "§4.1 MAY: side by side",
            "
            GET | foo: 1
            < 200 one | cache-control: max-age=60 | vary: foo
            GET | foo: 2
            < 200 two | cache-control: max-age=60 | vary: foo
            GET | foo: 3
            < 200 three | cache-control: max-age=60 | vary: foo
            GET | foo: 2
            = 200 two
            GET | foo: 1
            = 200 one
            GET | foo: 3
            = 200 three",
        ),
        (
            "§4.1: another Vary, the more recent one that matches",
            "
            GET | foo: 1
            < 200 one | cache-control: max-age=60 | vary: foo
            +1
            GET | foo: 2 | bar: 1
            < 200 two | cache-control: max-age=60 | vary: bar
            = 200 two
            GET | foo: 3 | bar: 1
            = 200 two
            GET | foo: 1 | bar: 2
            = 200 one
            GET | foo: 1 | bar: 1
            = 200 two",
        ),
        (
            "§4.1: Vary that a 304 brings",
            "
            GET | foo: 1
            < 200 one | cache-control: max-age=1 | etag: \"1\"
            +2
            GET | foo: 1
            < 304 | cache-control: max-age=60 | etag: \"1\" | vary: foo
            = 200 one | vary: foo
            GET | foo: 1
            = 200 one
            GET | foo: 2
            < 200 two
            = 200 two",
        ),
        (
            "§4.3.1: the tags of other variants go along",
            "
            GET | foo: 1
            < 200 one | cache-control: max-age=60 | vary: foo | etag: \"1\"
            GET | foo: 2
            ? if-none-match: \"1\"
            < 304 | cache-control: max-age=60 | vary: foo | etag: \"1\"
            = 200 one
            GET | foo: 2
            = 200 one",
        ),
        (
            "RFC 9110 §12.5.5: any, after validation",
            "
            GET
            < 200 one | cache-control: max-age=60 | vary: * | etag: \"1\"
            GET
            ? if-none-match: \"1\"
            < 304 | etag: \"1\" | vary: *
            = 200 one",
        ),
        (
            "§4.3.4: one tag, two variants, both updated",
            "
            GET | foo: 1
            < 200 one | cache-control: max-age=1 | vary: foo | etag: \"1\"
            GET | foo: 2
            < 200 one | cache-control: max-age=1 | vary: foo | etag: \"1\"
            +2
            GET | foo: 1
            < 304 | cache-control: max-age=60 | vary: foo | etag: \"1\"
            = 200 one
            GET | foo: 2
            = 200 one",
        ),
        (
            "§4.1: a variant that fails does not take down another",
            "
            GET | foo: 1
            < 200 one | cache-control: max-age=60 | vary: foo
            GET | foo: 2
            < 500 two | vary: foo
            = 500 two
            GET | foo: 2
            < 200 two | cache-control: no-store
            GET | foo: 1
            = 200 one",
        ),
        (
            "§4.1: HEAD is selected like GET",
            "
            GET | foo: 1
            < 200 one | cache-control: max-age=60 | vary: foo
            HEAD | foo: 1
            = 200 -
            HEAD | foo: 2
            < 200
            = 200 -",
        ),
    ]);
}
