//! Whole requests, from what is meant to what goes out.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, USER_AGENT};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{Kind, Param, Token, Upload};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn defaults() -> Defaults {
    Defaults { zone: TimeZone::posix("PST8PDT,M3.2.0,M11.1.0").unwrap().into(), ..Defaults::default() }
}

fn ready(request: &Request) -> Prepared {
    prepare(request, &defaults(), NOW).unwrap()
}

fn refusal(request: &Request) -> Error {
    let error = prepare(request, &defaults(), NOW).unwrap_err();
    assert!(matches!(error.kind(), Kind::Invalid(_)), "{error:?}");
    assert!(error.hint().is_some(), "{error:?}");
    error
}

fn field(prepared: &Prepared, name: impl http::header::AsHeaderName) -> Option<&str> {
    prepared.headers.get(name).map(|value| value.to_str().unwrap())
}

#[test]
fn the_base_and_the_name_are_well_formed() {
    let defaults = Defaults::default();
    assert_eq!(defaults.base.as_str(), Defaults::BASE);
    assert!(defaults.user_agent.starts_with("inat-session/"));
}

#[test]
fn a_request_becomes_what_the_api_wants() {
    let request = Request::get("observations?preferred_place_id=1")
        .query("rank", ["sub-species", "Genus"])
        .query("identifications", "most agree")
        .query("created_d1", "19951231T235959")
        .query("q", "not a datetime")
        .query("observation_fields", ["Sex"])
        .query("photos", true)
        .query("limit", 10)
        .query("locale", None::<&str>);
    assert_eq!(
        ready(&request).url.as_str(),
        "https://api.inaturalist.org/v1/observations?preferred_place_id=1&rank=subspecies%2Cgenus\
         &identifications=most_agree&created_d1=1995-12-31T23%3A59%3A59-08%3A00&q=not+a+datetime&field%3ASex=&photos=true"
    );
    let request = Request::get("/v2/observations/").ids([1e5, 2e5]).query("fields", "all");
    assert_eq!(ready(&request).url.as_str(), "https://api.inaturalist.org/v2/observations/100000,200000?fields=all");
    assert_eq!(ready(&Request::get("taxa?")).url.query(), Some(""));
    assert_eq!(ready(&Request::get("taxa")).url.query(), None);
}

#[test]
fn methods_are_tokens() {
    for (given, expected) in
        [("get", "GET"), ("PATCH", "PATCH"), ("REPORT", "REPORT"), ("Report", "Report"), ("!#$", "!#$")]
    {
        assert_eq!(ready(&Request::new(given, "taxa")).method.as_str(), expected);
    }
    for method in ["", "GET /x", "GÉT", "GET\r\nX: T0P", "Bearer T0P"] {
        assert!(!refusal(&Request::new(method, "taxa")).to_string().contains("T0P"));
    }
}

#[test]
fn own_fields_replace_the_sessions_in_any_case() {
    let mut defaults = defaults();
    defaults.headers = vec![("X-Via".into(), "atlas".into()), ("accept-language".into(), "en".into())];
    let request = Request::get("taxa")
        .header("ACCEPT", " text/csv ")
        .header("Accept-Language", "de")
        .header("accept-language", "fr");
    let prepared = prepare(&request, &defaults, NOW).unwrap();
    assert_eq!(field(&prepared, ACCEPT), Some("text/csv"));
    assert_eq!(field(&prepared, USER_AGENT), Some(Defaults::USER_AGENT));
    assert_eq!(field(&prepared, "x-via"), Some("atlas"));
    assert_eq!(prepared.headers.get_all("accept-language").iter().collect::<Vec<_>>(), ["de", "fr"]);
    assert_eq!(field(&ready(&Request::get("taxa")), ACCEPT), Some("application/json"));
}

#[test]
fn wrong_fields_are_refused_without_their_values() {
    for (name, value) in [
        ("", "T0P"),
        ("X Y", "T0P"),
        ("Authorization: Bearer T0P", ""),
        ("Authorization", "Bearer T0P\r\nX: y"),
        ("X-Key", "T0P\u{0}"),
        ("X-Key", "T0Pé"),
    ] {
        let error = refusal(&Request::get("taxa").header(name, value));
        assert!(!format!("{error} {error:?}").contains("T0P"), "{error:?}");
    }
    let error = refusal(&Request::get("taxa").header("a b", "").header("c", "\n\u{7f}"));
    assert!(error.to_string().contains("`a`") && error.to_string().contains("`c`"), "{error}");
}

#[test]
fn fields_of_the_connection_are_the_transports() {
    let request = Request::post("taxa")
        .bytes("text/plain", "x")
        .header("Content-Length", "5")
        .header("Transfer-Encoding", "chunked")
        .header("Connection", "close")
        .header("Host", "API.inaturalist.org");
    let prepared = ready(&request);
    for name in ["content-length", "transfer-encoding", "connection", "host"] {
        assert_eq!(field(&prepared, name), None);
    }
    assert!(refusal(&Request::get("taxa").header("Host", "evil.example")).to_string().contains("Host"));
}

#[test]
fn tokens_go_where_they_may_and_nowhere_else() {
    let token = Token::new("T0P");
    for target in ["taxa", "https://www.inaturalist.org/x", "http://127.0.0.1:1/x", "http://localhost:1/x"] {
        let prepared = ready(&Request::get(target).token(&token));
        assert_eq!(field(&prepared, AUTHORIZATION), Some("Bearer T0P"), "{target}");
        assert!(prepared.headers[AUTHORIZATION].is_sensitive());
        assert_eq!(prepared.identity, Identity::of_token("T0P", NOW));
    }
    let elsewhere = ["https://h.org/x", "http://api.inaturalist.org/v1/taxa", "https://static.inaturalist.org/p.jpg"];
    let session =
        Defaults { token: Some(token.clone()), headers: vec![("Cookie".into(), "s=T0P".into())], ..defaults() };
    assert_eq!(field(&prepare(&Request::get("taxa"), &session, NOW).unwrap(), AUTHORIZATION), Some("Bearer T0P"));
    assert_eq!(field(&prepare(&Request::get("taxa"), &session, NOW).unwrap(), COOKIE), Some("s=T0P"));
    for target in elsewhere {
        let error = refusal(&Request::get(target).token(&token));
        assert!(!format!("{error} {error:?}").contains("T0P"), "{error:?}");
        let prepared = prepare(&Request::get(target), &session, NOW).unwrap();
        assert_eq!((field(&prepared, AUTHORIZATION), field(&prepared, COOKIE)), (None, None), "{target}");
        assert_eq!(prepared.identity, Identity::Anonymous);
    }
    let gateway = Defaults { base: Url::parse("http://10.0.0.5:8787/v1").unwrap(), ..session };
    assert_eq!(field(&prepare(&Request::get("taxa"), &gateway, NOW).unwrap(), AUTHORIZATION), Some("Bearer T0P"));
    for wrong in ["", "  ", "T0P é", "a\nb"] {
        refusal(&Request::get("taxa").token(&Token::new(wrong)));
    }
}

#[test]
fn credentials_have_an_order() {
    let session = Defaults {
        token: Some(Token::new("session")),
        headers: vec![("authorization".into(), "Bearer field".into())],
        ..defaults()
    };
    let of = |request: &Request| field(&prepare(request, &session, NOW).unwrap(), AUTHORIZATION).map(str::to_owned);
    let asked = Token::new("asked");
    let with_user = Request::get("https://me:pw@api.inaturalist.org/v1/taxa");
    assert_eq!(of(&Request::get("taxa")).as_deref(), Some("Bearer field"));
    assert_eq!(of(&with_user).as_deref(), Some("Basic bWU6cHc="));
    assert_eq!(of(&with_user.clone().token(&asked)).as_deref(), Some("Bearer asked"));
    assert_eq!(of(&with_user.token(&asked).header("AUTHORIZATION", "own")).as_deref(), Some("own"));
    assert_eq!(of(&Request::get("taxa").header("Authorization", "")), None);
    assert_eq!(
        of(&Request::get("https://h.org/").token(&asked).header("Authorization", "own")).as_deref(),
        Some("own")
    );
}

#[test]
fn a_gateway_takes_plain() {
    let jwt = |signature: &str| {
        let claims = data_encoding::BASE64URL_NOPAD.encode(b"{\"user_id\":7}");
        Request::get("taxa").header("Authorization", format!("Bearer eyJ.{claims}.{signature}"))
    };
    let gateway = Defaults { plain: true, ..defaults() };
    let whole = |request: &Request| prepare(request, &gateway, NOW).unwrap().identity;
    assert_eq!(ready(&jwt("a")).identity, ready(&jwt("b")).identity);
    assert_ne!(whole(&jwt("a")), whole(&jwt("b")));
    assert_eq!(whole(&jwt("a")), whole(&jwt("a")));
    assert_eq!(whole(&Request::get("taxa")), Identity::Anonymous);
    assert_ne!(ready(&Request::get("taxa").header("Cookie", "s=1")).identity, Identity::Anonymous);
}

#[test]
fn bodies_go_out_as_they_are() {
    let given = json!({"observation": {"description": "", "private": true, "tags": [], "taxon": null}, "limit": 1, "type": "x"});
    let request = Request::put("observations").ids([1]).json(&given);
    let prepared = ready(&request);
    assert!(matches!(&prepared.payload, Payload::Bytes(bytes) if bytes[..] == given.to_string().as_bytes()[..]));
    assert_eq!(field(&prepared, CONTENT_TYPE), Some("application/json"));
    assert!(matches!(&request.body, crate::Body::Json(value) if *value == given));

    let form = ready(&Request::post("x").form("a b", "c&d").form("e", ""));
    assert!(matches!(&form.payload, Payload::Bytes(bytes) if bytes[..] == b"a+b=c%26d&e="[..]));
    assert_eq!(field(&form, CONTENT_TYPE), Some("application/x-www-form-urlencoded"));

    let bytes = ready(&Request::get("x").bytes("text/csv", "a,b"));
    assert_eq!(field(&bytes, CONTENT_TYPE), Some("text/csv"));
    let named = ready(&Request::post("x").json(&1).header("content-type", "application/vnd.api+json"));
    assert_eq!(field(&named, CONTENT_TYPE), Some("application/vnd.api+json"));
    refusal(&Request::post("x").bytes("text/csv\r\nX: y", "a,b"));

    let unserialisable: std::collections::BTreeMap<(i32, i32), i32> = [((1, 2), 3)].into();
    refusal(&Request::post("x").json(&unserialisable));
}

#[test]
fn files_wait_until_they_are_sent() {
    let request = Request::post("observation_photos")
        .form("observation_photo[observation_id]", "1")
        .file(Upload::path("no/such/file.jpg"))
        .header("Content-Type", "multipart/form-data");
    let prepared = ready(&request);
    assert!(matches!(&prepared.payload, Payload::Multipart { fields, files } if fields.len() == 1 && files.len() == 1));
    assert_eq!(field(&prepared, CONTENT_TYPE), None);
    let large = Request::post("photos").file(Upload::bytes("a.jpg", vec![0; 20_000_001]));
    assert!(matches!(prepare(&large, &defaults(), NOW).unwrap_err().kind(), Kind::Upload(_)));
}

#[test]
fn a_dry_run_among_the_parameters_is_obeyed() {
    assert_eq!(ready(&Request::delete("observations").ids([1]).query("dry_run", true)).options.dry_run, Some(true));
    let told = Request::get("taxa").query("dry_run", true).dry_run(false);
    assert_eq!(ready(&told).options.dry_run, Some(false));
}

#[test]
fn errors_name_the_request_without_its_secrets() {
    let request = Request::get("https://me:T0P@api.inaturalist.org/v1/x?Access_Token=T0P&a=1").query("page", 0);
    let error = refusal(&request);
    assert_eq!(error.url(), Some("https://api.inaturalist.org/v1/x?Access_Token=[REDACTED]&a=1"));
    assert!(!format!("{error} {error:?}").contains("T0P"));
}

/// Any text, and texts that are likely to hurt.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,24}",
        "[a-z0-9./:?#@%\\\\,+ -]{0,24}",
        prop::sample::select(vec![
            "",
            "/",
            "//",
            "..",
            "../..",
            "%2e%2e",
            "https://",
            "http://[",
            "https://h:99999/",
            "v2",
            "\u{0}",
            "\r\n",
            "2020",
            "Dec 31 1995",
            "99:99",
            "12/31/1995 12pm",
            "+00:00",
            "sub",
            "é",
            "a,b",
            "-",
            "1e400",
        ])
        .prop_map(str::to_owned),
    ]
}

fn param() -> impl Strategy<Value = Param> {
    let leaf = prop_oneof![
        Just(Param::Null),
        any::<bool>().prop_map(Param::Bool),
        any::<i64>().prop_map(Param::Int),
        any::<f64>().prop_map(Param::Float),
        text().prop_map(Param::Text),
        Just(Param::Date(jiff::civil::Date::MIN)),
        Just(Param::DateTime(jiff::civil::DateTime::MAX)),
        Just(Param::DateTime(jiff::civil::DateTime::MIN)),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Param::List),
            prop::collection::vec((text(), inner), 0..3).prop_map(Param::Map),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    let known =
        ["rank", "type", "d1", "d2", "on", "observation_fields", "page", "count_only", "reverse", "dry_run", "q"];
    prop_oneof![text(), prop::sample::select(known.to_vec()).prop_map(str::to_owned)]
}

prop_compose! {
    fn request()(
        method in text(),
        target in text(),
        query in prop::collection::vec((name(), param()), 0..4),
        headers in prop::collection::vec((text(), text()), 0..3),
        ids in prop::collection::vec(prop_oneof![text().prop_map(crate::Id::Text), any::<f64>().prop_map(crate::Id::Float)], 0..3),
        allow_str_ids in any::<bool>(),
        sane in any::<bool>(),
    ) -> Request {
        let mut request = Request::new(if sane { "GET".to_owned() } else { method }, target);
        request.query = query;
        if !sane {
            request.headers = headers;
        }
        request.ids = ids;
        request.allow_str_ids = allow_str_ids;
        request
    }
}

#[test]
fn a_list_of_no_ids_is_not_the_collection() {
    for method in ["GET", "DELETE"] {
        refusal(&Request::new(method, "observations").ids(Vec::<i64>::new()));
        assert!(ready(&Request::new(method, "observations")).url.path().ends_with("/observations"));
    }
    assert!(ready(&Request::get("taxa").ids(Vec::<i64>::new()).ids([1])).url.path().ends_with("/taxa/1"));
}

#[test]
fn a_token_that_has_expired_is_not_taken_for_its_owner() {
    let jwt = |exp: i64| {
        let claims = data_encoding::BASE64URL_NOPAD.encode(format!("{{\"user_id\":7,\"exp\":{exp}}}").as_bytes());
        Request::get("taxa").token(&Token::new(format!("eyJh.{claims}.c2ln")))
    };
    let of = |exp: i64| ready(&jwt(exp)).identity;
    let now = NOW.as_secs();
    assert_eq!(of(now + 1), of(now + 86_400));
    assert_ne!(of(now - 1), of(now + 1));
}

proptest! {
    #[test]
    fn nothing_panics_and_equal_requests_are_equal(request in request()) {
        let defaults = defaults();
        match (prepare(&request, &defaults, NOW), prepare(&request, &defaults, NOW)) {
            (Ok(a), Ok(b)) => {
                prop_assert_eq!((&a.method, &a.url, &a.headers, a.identity), (&b.method, &b.url, &b.headers, b.identity));
                prop_assert!(a.url.username().is_empty() && a.url.password().is_none());
                prop_assert!(matches!(a.url.scheme(), "http" | "https"));
            }
            (Err(a), Err(b)) => prop_assert_eq!(a.to_string(), b.to_string()),
            _ => prop_assert!(false),
        }
    }

    #[test]
    fn texts_never_leave_the_collection(id in text(), more in text()) {
        let request = Request::delete("observations").ids([id, more]).allow_str_ids();
        if let Ok(prepared) = prepare(&request, &defaults(), NOW) {
            let segments: Vec<_> = prepared.url.path_segments().unwrap().collect();
            prop_assert_eq!(&segments[..2], &["v1", "observations"]);
            prop_assert_eq!(segments.len(), 3);
            prop_assert!(!matches!(segments[2], "" | "." | ".."));
            prop_assert_eq!((prepared.url.host_str(), prepared.url.query()), (Some("api.inaturalist.org"), None));
        }
    }

    #[test]
    fn relative_targets_never_leave_the_host(target in "[/\\\\a-z0-9.@?#-]{0,24}") {
        if let Ok(prepared) = prepare(&Request::get(target), &defaults(), NOW) {
            prop_assert_eq!(prepared.url.host_str(), Some("api.inaturalist.org"));
        }
    }

    #[test]
    fn secrets_are_in_no_error(mut request in request(), before in text(), after in text(), place in 0..5) {
        const SECRET: &str = "Zq7SeCrEtZq7";
        match place {
            0 => request.token = Some(Token::new(format!("{before}{SECRET}{after}"))),
            1 => request.headers.push(("Authorization".into(), format!("{before}{SECRET}{after}"))),
            2 => request.target = format!("https://me:{SECRET}@h.org:x/{}", after.replace(['?', '#'], "")),
            3 => request.target = format!("taxa?token={SECRET}"),
            _ => request.query.push(("access_token".into(), SECRET.into())),
        }
        if let Err(error) = prepare(&request, &defaults(), NOW) {
            let shown = format!("{error} {error:?} {:?}", error.hint());
            prop_assert!(!shown.contains(SECRET), "{}", shown);
        }
    }
}
