//! What writes make outdated (RFC 9111 §4.4).

use crate::script::check;

#[test]
fn of_the_target() {
    let row = |method: &str, status: u16, dropped: bool| {
        let again = if dropped { "< 200 two\n = 200 two" } else { "= 200 one" };
        (
            format!("§4.4: {method} {status}"),
            format!(
                "GET\n < 200 one | cache-control: max-age=60\n {method}\n < {status} -\n = {status}\n GET\n {again}"
            ),
        )
    };
    let mut rows = Vec::new();
    for method in ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "FOO"] {
        for status in [200, 201, 202, 204, 206, 299, 301, 302, 303, 307, 308, 399] {
            rows.push(row(method, status, true));
        }
        for status in [400, 401, 403, 404, 409, 410, 412, 422, 499, 500, 501, 502, 503, 504, 599] {
            rows.push(row(method, status, false));
        }
    }
    for method in ["OPTIONS", "TRACE"] {
        rows.push(row(method, 200, false));
    }
    check(&rows.iter().map(|(name, script)| (name.as_str(), script.as_str())).collect::<Vec<_>>());
}

#[test]
fn of_what_it_names() {
    let row = |field: &str, status: u16, dropped: bool| {
        let again = if dropped { "< 200 two\n = 200 two" } else { "= 200 one" };
        (
            format!("§4.4: {field}, {status}"),
            format!(
                "GET /b/c\n < 200 one | cache-control: max-age=60
                 POST /b/d\n < {status} - | {field}\n = {status}
                 GET /b/c\n {again}"
            ),
        )
    };
    let mut rows = vec![row("x: /b/c", 200, false)];
    for name in ["location", "content-location"] {
        for target in [
            "/b/c",
            "c",
            "./c",
            "../b/c",
            "//origin.test/b/c",
            "http://origin.test/b/c",
            "HTTP://ORIGIN.test:80/b/c",
            "/b/c#x",
        ] {
            rows.push(row(&format!("{name}: {target}"), 201, true));
            rows.push(row(&format!("{name}: {target}"), 303, true));
            rows.push(row(&format!("{name}: {target}"), 404, false));
        }
        for target in
            ["http://other.test/b/c", "https://origin.test/b/c", "http://origin.test:8080/b/c", "/b/e", "::", ""]
        {
            rows.push(row(&format!("{name}: {target}"), 200, false));
        }
    }
    check(&rows.iter().map(|(name, script)| (name.as_str(), script.as_str())).collect::<Vec<_>>());
    check(&[
        (
            "§4.4 MUST: a query is part of the target",
            "
            GET /a?b=1
            < 200 one | cache-control: max-age=60
            POST /a?b=1
            < 204
            GET /a?b=1
            < 200 two
            = 200 two",
        ),
        (
            "§4.4 MUST: all variants",
            "
            GET | foo: 1
            < 200 one | cache-control: max-age=60 | vary: foo
            GET | foo: 2
            < 200 two | cache-control: max-age=60 | vary: foo
            POST
            < 204
            GET | foo: 1
            < 200 three
            GET | foo: 2
            < 200 four",
        ),
        (
            "§4.4 MUST: also what is stale",
            "
            GET
            < 200 one | cache-control: max-age=1
            +2
            POST
            < 204
            GET | cache-control: max-stale
            < 200 two",
        ),
        (
            "§4.4: a write whose answer was lost may have happened",
            "
            GET
            < 200 one | cache-control: max-age=60
            POST
            < reset
            = error
            GET
            < 200 two",
        ),
        (
            "§4.4: the answer to the write is not the resource",
            "
            GET
            < 200 one | cache-control: max-age=60
            PUT
            < 200 two | cache-control: max-age=60
            = 200 two
            GET
            < 200 three
            = 200 three",
        ),
    ]);
}
