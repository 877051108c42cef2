//! Which fields are stored and handed out, and how (RFC 9111 §3.1, RFC 9110 §5).

use crate::script::check;

#[test]
fn of_answers() {
    let long = "x".repeat(20_000);
    let rows = [
        ("§3.1 MUST: all fields, of every name in order", "
            GET
            < 200 one | cache-control: max-age=60 | x: 2 | y: 1 | x: 1 | x: | x: 2 | server: s | link: </a>; rel=next | link: </b> | warning: 110 - x
            GET
            = 200 one | x: 2 | x: 1 | x: | x: 2 | y: 1 | server: s | link: </a>; rel=next | link: </b> | warning: 110 - x".to_owned()),
        ("RFC 9110 §5.5: bytes beyond ASCII, white space within", "
            GET
            < 200 one | cache-control: max-age=60 | x: é  ü | y: a\tb
            GET
            = 200 one | x: é  ü | y: a\tb".to_owned()),
        ("§3.1: long values", format!("
            GET
            < 200 one | cache-control: max-age=60 | x: {long}
            GET
            = 200 one | x: {long}")),
        ("§3.1: cookies, in a private cache", "
            GET
            < 200 one | cache-control: max-age=60 | set-cookie: a=b | set-cookie: c=d
            GET
            = 200 one | set-cookie: a=b | set-cookie: c=d".to_owned()),
        ("§3.1: of the body", "
            GET
            < 200 one | cache-control: max-age=60 | content-type: a/b | content-encoding: x | content-language: de | content-location: /b | content-disposition: attachment
            GET
            = 200 one | content-type: a/b | content-encoding: x | content-language: de | content-location: /b | content-disposition: attachment".to_owned()),
        ("§3.1 MUST NOT: of the connection", "
            GET
            < 200 one | cache-control: max-age=60 | connection: keep-alive, X, y | connection: z | keep-alive: timeout=5 | x: 1 | y: 1 | z: 1 | w: 1 | upgrade: h2c | transfer-encoding: foo | te: trailers | trailer: t | proxy-connection: close | proxy-authenticate: Basic | proxy-authentication-info: a
            GET
            = 200 one | w: 1 | !connection | !keep-alive | !x | !y | !z | !upgrade | !transfer-encoding | !te | trailer: t | !proxy-connection | !proxy-authenticate | !proxy-authentication-info".to_owned()),
        ("RFC 9110 §7.6.1: Connection cannot name what everybody needs", "
            GET
            < 200 one | cache-control: no-store, max-age=60 | connection: cache-control
            GET
            < 200 two
            = 200 two".to_owned()),
        ("§4: fields that say no, on what is stored, go on", "
            GET
            < 200 one | cache-control: max-age=60, foo=bar | cache-control: x | expires: {+90} | pragma: no-cache | age: 5
            GET
            = 200 one | cache-control: max-age=60, foo=bar | cache-control: x | expires: {+90} | pragma: no-cache | age: 5".to_owned()),
        ("§3: an empty body", "
            GET
            < 200 | cache-control: max-age=60 | content-length: 0
            GET
            = 200 - | content-length: 0".to_owned()),
    ];
    check(&rows.iter().map(|(name, script)| (*name, script.as_str())).collect::<Vec<_>>());
}

#[test]
fn of_requests() {
    check(&[
        ("RFC 9110 §7.6: what the client says goes to the origin", "
            GET | x: 1 | x: 2 | accept: a/b | user-agent: u | cookie: a=b | cache-control: max-age=5 | accept-encoding: br
            ? x: 1 | x: 2 | accept: a/b | user-agent: u | cookie: a=b | cache-control: max-age=5 | accept-encoding: br
            < 200 one
            = 200 one"),
        ("RFC 9110 §7.6: … and when we validate too", "
            GET
            < 200 one | cache-control: max-age=1 | etag: \"1\"
            +2
            GET | x: 1 | x: 2 | cookie: a=b
            ? x: 1 | x: 2 | cookie: a=b | if-none-match: \"1\"
            < 304
            = 200 one"),
    ]);
}
