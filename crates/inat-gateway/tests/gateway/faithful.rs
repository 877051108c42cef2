//! What the client says is what the origin gets, and the other way round.

use std::io::{Read, Write};

use crate::support::{Answer, Origin, Say, before, config, gate, plain, start};

#[test]
fn targets_methods_and_bodies_pass_byte_for_byte() {
    let origin =
        Origin::start(|seen| Say::ok("Cache-Control: no-store\r\n", &format!("{}:{}", seen.line, seen.body.len())));
    let gateway = before(&origin);
    for target in
        ["/", "/v1/taxa?q=a+b&q=&&=x&q='%27", "/a/../b/./c//d", "/%7Euser/%2F?%3D", "/x?[1]={2}|\\^`", "/v1/taxa?"]
    {
        let answer = gateway.get(target);
        assert_eq!((answer.status, answer.text()), (200, format!("GET {target} HTTP/1.1:0")), "{target}");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE", "M-SEARCH", "get", "TRACE", "QUERY"] {
        let answer = gateway.request(method, "/x", "", if method == "TRACE" { "" } else { "body" });
        let length = if method == "TRACE" { 0 } else { 4 };
        assert_eq!(answer.text(), format!("{method} /x HTTP/1.1:{length}"));
    }
    let chunked = "POST /c HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n3\r\nabc\r\n2;e=1\r\nde\r\n0\r\nX: y\r\n\r\n";
    assert_eq!(gateway.say(chunked).text(), "POST /c HTTP/1.1:5");
    let last = origin.seen().pop().unwrap();
    assert_eq!((last.body.as_slice(), last.field("content-length").as_deref()), (&b"abcde"[..], Some("5")));
    assert_eq!(last.field("trailer").as_deref(), Some("X"), "RFC 9110 §6.6.2: a hint of what was lost");
    gateway.request("POST", "/empty", "Content-Length: 0\r\n", "");
    assert_eq!(origin.seen().pop().unwrap().field("content-length").as_deref(), Some("0"));
    gateway.get("/none");
    assert_eq!(origin.seen().pop().unwrap().field("content-length"), None);
}

#[test]
fn fields_pass_but_for_those_of_the_connection() {
    let origin = Origin::start(|_| {
        let mut bytes = b"HTTP/1.1 200 Fine\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\nX-Latin: caf\xe9\r\n".to_vec();
        bytes.extend_from_slice(b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nVia: 1.0 far\r\nCache-Status: far; hit\r\nX-Empty:\r\nContent-Length: 2\r\n\r\nok");
        Say::raw(bytes)
    });
    let gateway = before(&origin);
    let mut request = b"GET /f HTTP/1.1\r\nHost: localhost:1\r\nConnection: close, X-Mine, Authorization\r\nX-Mine: 1\r\nTE: trailers\r\n".to_vec();
    request.extend_from_slice(b"Upgrade: h2c\r\nHTTP2-Settings: x\r\nProxy-Authorization: x\r\nX-Latin: na\xefve\r\nX-Twice: 1\r\nX-Twice: 2\r\n");
    request.extend_from_slice(b"Authorization: Bearer t\r\nVia: 1.1 near\r\nAccept-Encoding: br;q=1\r\n\r\n");
    let answer = gateway.say(&request);
    let seen = origin.seen().pop().unwrap();
    for gone in ["x-mine", "te", "upgrade", "proxy-authorization", "keep-alive"] {
        assert_eq!(seen.field(gone), None, "{gone}");
    }
    assert_eq!(seen.field("host").unwrap(), origin.addr.to_string());
    assert_eq!(seen.field("authorization").unwrap(), "Bearer t");
    assert_eq!(seen.field("accept-encoding").unwrap(), "br;q=1");
    assert!(seen.fields.contains(&("x-latin".to_owned(), b"na\xefve".to_vec())));
    let all = |name: &str| -> Vec<String> {
        let of_name = seen.fields.iter().filter(|(own, _)| own == name);
        of_name.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    };
    assert_eq!(all("x-twice"), ["1", "2"]);
    assert_eq!(all("via")[0], "1.1 near");
    assert!(all("via")[1].starts_with("1.1 inat-"), "{:?}", all("via"));
    assert_eq!(seen.field("user-agent"), None, "nothing is added");
    assert_eq!(seen.field("accept"), None, "nothing is added");

    assert_eq!(answer.status, 200);
    assert_eq!(answer.all("x-latin"), [b"caf\xe9"]);
    assert_eq!(answer.all("set-cookie"), [b"a=1", b"b=2"]);
    assert_eq!(answer.field("x-empty").as_deref(), Some(""));
    assert_eq!(answer.all("x-hop").len() + answer.all("keep-alive").len(), 0);
    assert_eq!(answer.all("via").len(), 2);
    assert_eq!(answer.all("cache-status")[0], b"far; hit");
    assert!(answer.field("date").is_some(), "RFC 9110 §6.6.1");
    assert_eq!(answer.field("age"), None, "it is fresh from the network");
}

#[test]
fn every_status_passes_and_informational_ones_are_no_answers() {
    let origin = Origin::start(|seen| {
        let code = seen.target().trim_start_matches('/').to_owned();
        match code.as_str() {
            "early" => Say::raw(
                "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            ),
            "204" | "304" => Say::raw(format!("HTTP/1.1 {code} X\r\nETag: \"e\"\r\n\r\n")),
            "205" => Say::raw("HTTP/1.1 205 X\r\nContent-Length: 0\r\n\r\n"),
            _ => Say::raw(format!("HTTP/1.1 {code} Odd\r\nContent-Length: 3\r\n\r\n{code}")),
        }
    });
    let gateway = before(&origin);
    for code in [200, 201, 299, 300, 302, 399, 400, 404, 418, 429, 499, 500, 502, 503, 504, 599, 600, 666, 999] {
        let answer = gateway.get(&format!("/{code}"));
        assert_eq!((answer.status, answer.text()), (code, code.to_string()));
    }
    assert_eq!(gateway.get("/early").text(), "ok");
    for code in [204, 205, 304] {
        let answer = gateway.get(&format!("/{code}"));
        assert_eq!((answer.status, answer.body.len()), (code, 0));
        assert_eq!(answer.field("transfer-encoding"), None);
        assert!(code != 204 || answer.field("content-length").is_none());
    }
    assert_eq!(gateway.get("/101").status, 502, "upstream has left HTTP");
    assert_eq!(origin.count(), 19 + 1 + 3 + 1, "nothing was followed or tried again");
}

#[test]
fn head_keeps_the_length_it_was_told() {
    let origin = Origin::start(|_| Say::raw("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nX-A: 1\r\n\r\n"));
    let gateway = before(&origin);
    let answer = gateway.request("HEAD", "/h", "", "");
    assert_eq!((answer.status, answer.field("content-length").as_deref()), (200, Some("1234")));
    let mut stream = gateway.connect();
    for _ in 0..2 {
        stream.write_all(b"HEAD /h HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        assert_eq!(Answer::read_to("HEAD", &mut stream).unwrap().status, 200, "the connection stays in step");
    }
}

#[test]
fn what_breaks_upstream_spoils_only_its_own_answer() {
    let origin = Origin::start(|seen| match seen.target() {
        "/early" => Say::close("HTTP/1.1 200 OK\r\nContent-Length: 100\r\nCache-Control: max-age=60\r\n\r\nshort"),
        "/chunk" => {
            Say::close("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=60\r\n\r\nff\r\nshort")
        }
        "/badchunk" => Say::close("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nshort\r\n0\r\n\r\n"),
        "/two" => Say::raw("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
        "/more" => Say::raw(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: max-age=60\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong",
        ),
        "/junk" => Say::raw("what?\r\n\r\n"),
        "/nothing" => Say::close(""),
        _ => Say::ok("", "right"),
    });
    let gateway = before(&origin);
    for target in ["/early", "/chunk", "/badchunk", "/two", "/junk", "/nothing", "/more"] {
        for _ in 0..2 {
            let answer = gateway.get(target);
            if target == "/more" {
                assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
            } else {
                assert!(answer.status == 502 || !answer.whole, "{target}: {answer:?}");
                // RFC 9211 §2: not on answers that an intermediary makes itself.
                assert!(answer.status != 502 || answer.cache().is_empty(), "{target}: {answer:?}");
            }
            assert_eq!(gateway.get("/fine").text(), "right", "after {target}");
        }
    }
    let cut = origin.seen().iter().filter(|seen| seen.target() == "/early").count();
    assert_eq!(cut, 2, "what was cut is not kept");
}

#[test]
fn large_bodies_stream_and_a_cut_one_is_not_taken_for_whole() {
    let origin = Origin::start(|seen| {
        let body = vec![b'x'; 3 << 20];
        let fields = match seen.target() {
            "/chunked" => "Transfer-Encoding: chunked\r\n\r\n300000\r\n".to_owned(),
            "/kept" => format!("Cache-Control: max-age=600\r\nContent-Length: {}\r\n\r\n", body.len()),
            _ => format!("Content-Length: {}\r\n\r\n", body.len() + usize::from(seen.target() == "/cut")),
        };
        let mut bytes = format!("HTTP/1.1 200 OK\r\n{fields}").into_bytes();
        bytes.extend_from_slice(&body);
        Say::close(bytes)
    });
    let gateway = start(config(vec![origin.upstream()]), plain().read_whole(64 << 10));
    assert_eq!(gateway.get("/large").body.len(), 3 << 20);
    for _ in 0..3 {
        assert_eq!(gateway.get_with("/kept", "Cache-Control: no-cache\r\n").body.len(), 3 << 20);
        let again = gateway.get("/kept");
        assert!(again.cache().contains("; hit"), "who has read to the end finds it stored: {}", again.cache());
    }
    for target in ["/cut", "/chunked"] {
        let answer = gateway.get(target);
        assert_eq!(answer.status, 200);
        assert!(!answer.whole, "{target}");
    }
    assert_eq!(gateway.get("/cut").body.len(), 3 << 20, "what came is the client's");
    // An HTTP/1.0 client knows no chunks; only a reset tells it.
    let answer = gateway.say("GET /chunked HTTP/1.0\r\n\r\n");
    assert!(!answer.whole, "{} bytes", answer.body.len());
}

#[test]
fn the_order_of_fields_is_the_clients() {
    let many = (0..300).map(|at| format!("X-{at}: {at}\r\n")).collect::<Vec<_>>().concat();
    let origin =
        Origin::start(move |_| Say::ok(&format!("Zebra: 1\r\nConnection: X-Gone\r\nX-Gone: 1\r\n{many}"), "ok"));
    let gateway = before(&origin);
    let fields =
        "Zebra: 1\r\nConnection: X-Hop\r\nX-Hop: 1\r\nApple: 2\r\nTE: trailers\r\nMango: 3\r\nZebra: 4\r\nBeta: 5\r\n";
    let answer = gateway.get_with("/o", fields);
    let seen = origin.seen().pop().unwrap();
    let names: Vec<&str> = seen.fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["host", "zebra", "zebra", "apple", "mango", "beta", "via"]);
    let head = String::from_utf8(answer.head).unwrap();
    let names: Vec<&str> = head.lines().skip(1).filter_map(|line| line.split(':').next()).collect();
    let expected: Vec<String> = ["zebra".to_owned()].into_iter().chain((0..300).map(|at| format!("x-{at}"))).collect();
    assert_eq!(names[..301], expected, "more of them than hyper takes by itself");
}

#[test]
fn an_answer_says_in_one_way_where_it_ends() {
    let body = "x".repeat(100_000);
    let origin = Origin::start(move |seen| {
        let length = body.len();
        let chunks = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
        let text = match seen.target() {
            "/both" => format!("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n{chunks}"),
            "/twice" => format!("Content-Length: {length}\r\nContent-Length: {length}\r\n\r\n{body}"),
            "/list" => format!("Content-Length: {length}, {length}\r\n\r\n{body}"),
            coding => {
                format!("Transfer-Encoding: {}\r\n\r\n{chunks}", coding.trim_start_matches('/').replace('+', ", "))
            }
        };
        Say::close(format!("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n{text}"))
    });
    for whole in [32 << 20, 64 << 10] {
        let gateway = start(config(vec![origin.upstream()]), plain().read_whole(whole));
        for target in ["/both", "/twice", "/list", "/Chunked"] {
            let answer = gateway.get(target);
            assert!(answer.whole && answer.body.len() == 100_000, "{target}, {whole}: {}", answer.body.len());
            let length = answer.field("content-length");
            assert!(length.is_none() || length.as_deref() == Some("100000"), "{target}: {length:?}");
        }
        for coding in ["/gzip+chunked", "/xchunked", "/chunked+gzip"] {
            assert_eq!(gateway.get(coding).status, 502, "{coding} cannot be read");
            assert_eq!(gateway.get(coding).status, 502, "{coding} is not stored");
        }
    }
}

/// The next event is sent when the client has read the one before.
#[test]
fn events_are_passed_on_as_they_come() {
    let (go, gate) = gate();
    let origin = Origin::by_hand(move |_, stream| {
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        for number in 0..3 {
            gate.pass();
            stream.write_all(format!("9\r\ndata: {number}\n\n\r\n").as_bytes()).unwrap();
        }
        stream.write_all(b"0\r\n\r\n").is_ok()
    });
    let gateway = before(&origin);
    let mut client = gateway.connect();
    client.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut came = String::new();
    for wanted in ["\r\n\r\n", "data: 0\n\n", "data: 1\n\n", "data: 2\n\n"] {
        while !came.contains(wanted) {
            let mut bytes = [0; 512];
            let length = client.read(&mut bytes).unwrap();
            assert_ne!(length, 0, "{came}");
            came.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
        }
        let _ = go.send(());
    }
}

/// RFC 9112 §9.5: who sends listens, also to one who has stopped listening.
#[test]
fn an_answer_that_comes_before_the_request_is_read_is_the_answer() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = inat_gateway::Upstream::origin(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read_exact(&mut byte).is_err() {
                    break;
                }
                head.push(byte[0]);
            }
            // Closed with most of the body unread, which resets the connection.
            let _ = stream.write_all(b"HTTP/1.1 413 Too\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
        }
    });
    let gateway = start(config(vec![upstream]), plain());
    let body = "x".repeat(3 << 20);
    for _ in 0..30 {
        let answer = gateway.request("POST", "/upload", "", &body);
        assert_eq!((answer.status, answer.text().as_str()), (413, "no"));
    }
}

#[test]
fn obsolete_folding_is_unfolded_and_dead_connections_are_replaced() {
    let origin = Origin::start(|seen| match seen.target() {
        "/fold" => Say::raw("HTTP/1.1 200 OK\r\nX-Folded: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
        // Says that it stays, and goes.
        _ => Say::close("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    });
    let gateway = before(&origin);
    let folded = gateway.get("/fold").field("x-folded").unwrap();
    assert_eq!(folded.split_whitespace().collect::<Vec<_>>(), ["a", "b"]);
    // Several at once leave several dead connections behind.
    std::thread::scope(|scope| {
        for client in 0..8 {
            let gateway = &gateway;
            scope.spawn(move || {
                for time in 0..20 {
                    assert_eq!(gateway.get(&format!("/bye?{client}-{time}")).text(), "ok");
                }
            });
        }
    });
}

#[test]
fn expectations_and_hop_counts_end_here() {
    let origin = Origin::start(|seen| Say::ok("", &format!("{:?}", seen.field("max-forwards"))));
    let gateway = before(&origin);
    let answer = gateway.request("POST", "/e", "Expect: 100-continue\r\n", "body");
    assert_eq!(answer.status, 200);
    assert_eq!(origin.seen().pop().unwrap().field("expect"), None);
    assert_eq!(gateway.request("OPTIONS", "/o", "Max-Forwards: 3\r\n", "").text(), "Some(\"2\")");
    let asked = origin.count();
    assert_eq!(gateway.request("OPTIONS", "/o", "Max-Forwards: 0\r\n", "").status, 204);
    let traced = gateway.request("TRACE", "/t", "Max-Forwards: 0\r\nAuthorization: Bearer secret\r\nX-A: b\r\n", "");
    assert_eq!(traced.field("content-type").as_deref(), Some("message/http"));
    assert!(traced.text().contains("x-a: b") && !traced.text().contains("secret"), "{}", traced.text());
    assert_eq!(gateway.request("OPTIONS", "*", "", "").status, 204);
    assert_eq!(origin.count(), asked);
}
