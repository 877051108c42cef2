//! Which answers are stored at all (RFC 9111 §3, RFC 9110 §15).

use crate::script::check;

/// Statuses a private cache may store when it is told for how long.
const FINAL: [u16; 44] = [
    200, 201, 202, 203, 204, 205, 226, 299, 300, 301, 302, 303, 305, 307, 308, 399, 400, 401, 402, 403, 404, 405, 406,
    408, 409, 410, 411, 413, 414, 415, 417, 418, 421, 422, 426, 451, 499, 500, 501, 502, 503, 504, 505, 599,
];

fn run(rows: &[(String, String)]) {
    check(&rows.iter().map(|(name, script)| (name.as_str(), script.as_str())).collect::<Vec<_>>());
}

#[test]
fn with_a_lifetime_every_final_status_is_reused() {
    let row = |status: &u16, fields: &str| {
        let body = if matches!(status, 204 | 205) { "-" } else { "one" };
        let sent = body.replace('-', "");
        (
            format!("§3 MAY: {status}, {fields}"),
            format!(
                "GET\n < {status} {sent} | {fields} | x: 1\n = {status} {body}\n +30\n GET\n = {status} {body} | x: 1"
            ),
        )
    };
    run(&FINAL.iter().map(|status| row(status, "cache-control: max-age=60")).collect::<Vec<_>>());
    run(&FINAL.iter().map(|status| row(status, "expires: {+60}")).collect::<Vec<_>>());
}

#[test]
fn without_one_only_those_a_guess_is_allowed_for() {
    let heuristic = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];
    let row = |status: &u16, fields: &str, reused: bool| {
        let again = if reused { format!("= {status}") } else { format!("< {status} two\n = {status}") };
        let body = if matches!(status, 204 | 205) { "" } else { "one" };
        let fields = format!("last-modified: {{-100000}}{fields}");
        (format!("§4.2.2: {status}, {fields}"), format!("GET\n < {status} {body} | {fields}\n +30\n GET\n {again}"))
    };
    let rows = FINAL.iter().filter(|status| **status != 451);
    run(&rows.clone().map(|status| row(status, "", heuristic.contains(status))).collect::<Vec<_>>());
    run(&rows.map(|status| row(status, " | cache-control: public", true)).collect::<Vec<_>>());
}

#[test]
fn answers_to_one_request_are_not_for_others() {
    let rows: Vec<_> = [304, 407, 412, 416, 428, 431, 511, 429]
        .iter()
        .map(|status| {
            (
                format!("RFC 9110 §15, RFC 6585 MUST NOT: {status}"),
                format!("GET\n < {status} | cache-control: max-age=60\n = {status}\n GET\n < 200 two\n = 200 two"),
            )
        })
        .collect();
    run(&rows);
}

#[test]
fn methods() {
    let unstored: Vec<_> = ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "REPORT"]
        .iter()
        .map(|method| {
            (
                format!("§3 MUST NOT: {method} is not for GET nor for itself"),
                format!(
                    "{method}\n < 200 one | cache-control: max-age=60\n = 200 one
                     GET\n < 200 two\n = 200 two
                     {method}\n < 200 three\n = 200 three"
                ),
            )
        })
        .collect();
    run(&unstored);
    check(&[
        (
            "§4 MUST NOT: GET is not answered from HEAD",
            "
            HEAD
            < 200 | cache-control: max-age=60 | content-length: 3
            GET
            ? !if-none-match
            < 200 one | cache-control: max-age=60
            = 200 one
            GET
            = 200 one",
        ),
        (
            "RFC 9110 §9.3.2 MAY: HEAD is answered from GET",
            "
            GET
            < 200 one | cache-control: max-age=60 | content-length: 3 | x: 1
            +10
            HEAD
            = 200 - | content-length: 3 | x: 1 | age: 10",
        ),
        (
            "RFC 9110 §9.3.2 MAY: HEAD is answered from HEAD",
            "
            HEAD
            < 200 | cache-control: max-age=60 | x: 1
            HEAD
            = 200 - | x: 1",
        ),
        (
            "§4.3.5: an error in answer to HEAD does not take the place of what GET got",
            "
            GET
            < 200 one | cache-control: max-age=60
            HEAD | cache-control: no-cache
            < 503 | cache-control: max-age=60
            = 503 -
            GET
            = 200 one",
        ),
        (
            "§4 MUST NOT: GET is not answered from HEAD, nor validated by it",
            "
            HEAD
            < 200 | cache-control: max-age=1 | etag: \"1\"
            +2
            GET
            ? !if-none-match
            < 200 one | cache-control: max-age=60 | etag: \"1\"
            = 200 one
            HEAD
            = 200 -",
        ),
        (
            "§4: other queries are other resources",
            "
            GET /a?b
            < 200 one | cache-control: max-age=60
            GET /a
            < 200 two | cache-control: max-age=60
            = 200 two
            GET /a?c
            < 200 three
            = 200 three
            GET /a?b
            = 200 one",
        ),
        (
            "§4: a query is opaque",
            "
            GET /a?b=1&c=2
            < 200 one | cache-control: max-age=60
            GET /a?c=2&b=1
            < 200 two
            = 200 two
            GET /a?b=1&c=2
            = 200 one",
        ),
        (
            "§4: an empty query is another resource",
            "
            GET /a?
            < 200 one | cache-control: max-age=60
            GET /a
            < 200 two
            = 200 two",
        ),
        (
            "RFC 3986 §6.2.2 MAY: one URI, two ways to write it",
            "
            GET http://origin.test:80/%7Ea
            < 200 one | cache-control: max-age=60
            GET http://ORIGIN.test/~a
            = 200 one",
        ),
        (
            "§4: another host, another port",
            "
            GET http://origin.test/a
            < 200 one | cache-control: max-age=60
            GET http://origin.test:8080/a
            < 200 two
            = 200 two
            GET http://other.test/a
            < 200 three
            = 200 three",
        ),
        (
            "§3.5: a private cache stores answers to Authorization",
            "
            GET | authorization: Basic a
            < 200 one | cache-control: max-age=60
            GET | authorization: Basic a
            = 200 one
            GET | authorization: Basic b
            < 200 two | cache-control: max-age=60
            = 200 two
            GET
            < 200 three
            = 200 three",
        ),
        (
            "§3.3 MUST NOT: what broke off is not complete",
            "
            GET
            < cut on | cache-control: max-age=60
            = error
            GET
            < 200 one | cache-control: max-age=60
            = 200 one",
        ),
    ]);
}
