//! Whether a body is what it says it is. iNaturalist sometimes answers 200 with JSON that stops in the middle
//! (pyinaturalist issue 404), and login or maintenance pages come as HTML with a status of 200.

use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode};
use serde::de::IgnoredAny;

/// What a body turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Soundness {
    /// Nothing speaks against it.
    Sound,
    /// It may be handed over, but not kept: HTML where the request accepts none.
    Unexpected,
    /// It is not the JSON it says it is.
    False(String),
}

/// Checks a whole body against its fields. An API has no pages: there only who names HTML is taken to want it, elsewhere also who
/// takes anything.
pub(crate) fn check(
    method: &Method,
    asked: &HeaderMap,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    is_api: bool,
) -> Soundness {
    // A HEAD answer, a 204 or 304, or an empty body has nothing to be false about (original-behaviour D18).
    let bodiless = *method == Method::HEAD || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    if bodiless || body.is_empty() {
        return Soundness::Sound;
    }
    let media_type = essence(headers);
    // Nobody can tell of a part, nor of a body that is handed on as it is encoded (the transport takes the field away when
    // it decodes).
    if status == StatusCode::PARTIAL_CONTENT || headers.contains_key(CONTENT_ENCODING) {
        return Soundness::Sound;
    }
    if media_type == "application/json" || media_type.ends_with("+json") {
        return match serde_json::from_slice::<IgnoredAny>(without_mark(body)) {
            Ok(_) => Soundness::Sound,
            Err(error) if error.is_eof() => Soundness::False(format!("the JSON stops in the middle ({error})")),
            Err(error) => Soundness::False(format!("it says it is JSON and is not ({error})")),
        };
    }
    if media_type == "text/html" && status.is_success() && !accepts_html(asked, is_api) {
        return Soundness::Unexpected;
    }
    Soundness::Sound
}

/// JSON without the byte order mark some servers put before it (RFC 8259 §8.1 lets a reader overlook it).
pub(crate) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// The media type without parameters, in lower case.
fn essence(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    value.and_then(|value| value.split(';').next().map(|media| media.trim().to_ascii_lowercase())).unwrap_or_default()
}

fn accepts_html(asked: &HeaderMap, is_api: bool) -> bool {
    let mut lines = asked.get_all(ACCEPT).iter().peekable();
    let takes_anything = lines.peek().is_none() && !is_api;
    takes_anything
        || lines.any(|line| {
            let line = String::from_utf8_lossy(line.as_bytes()).to_ascii_lowercase();
            let names = |range: &str| line.contains(range);
            names("text/html") || names("text/*") || (names("*/*") && !is_api)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn bodies_and_their_fields() {
        let accept = |value| HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(value))]);
        let of = |method, status: u16, media: &'static str, body: &str| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media))]);
            check(
                &method,
                &accept("application/json"),
                StatusCode::from_u16(status).unwrap(),
                &headers,
                body.as_bytes(),
                true,
            )
        };
        let json = "application/json; charset=utf-8";
        assert_eq!(of(Method::GET, 200, json, "{\"a\":1}"), Soundness::Sound);
        assert_eq!(of(Method::GET, 200, "Application/JSON", "{\"a\":1}"), Soundness::Sound);
        assert!(matches!(of(Method::GET, 200, json, "{\"a\":1"), Soundness::False(_)));
        assert!(matches!(of(Method::GET, 200, json, "<html>"), Soundness::False(_)));
        assert_eq!(of(Method::GET, 200, json, "\u{feff}{\"a\":1}"), Soundness::Sound);
        assert!(matches!(of(Method::GET, 200, json, "\u{feff}{\"a\":"), Soundness::False(_)));
        assert!(matches!(of(Method::GET, 422, "application/vnd.api+json", "{"), Soundness::False(_)));
        assert_eq!(of(Method::HEAD, 200, json, ""), Soundness::Sound);
        assert_eq!(of(Method::GET, 204, json, ""), Soundness::Sound);
        assert_eq!(of(Method::GET, 200, json, ""), Soundness::Sound);
        assert_eq!(of(Method::GET, 401, json, ""), Soundness::Sound);
        assert_eq!(of(Method::GET, 200, "text/html; charset=utf-8", "<html>"), Soundness::Unexpected);
        assert_eq!(of(Method::GET, 404, "text/html; charset=utf-8", "<html>"), Soundness::Sound);
        let encoded = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static(json)),
            (CONTENT_ENCODING, HeaderValue::from_static("gzip")),
        ]);
        assert_eq!(
            check(&Method::GET, &HeaderMap::new(), StatusCode::OK, &encoded, b"\x1f\x8b", true),
            Soundness::Sound
        );
        let html = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/html"))]);
        for asked in [accept("text/html"), accept("*/*"), HeaderMap::new()] {
            let of = |is_api| check(&Method::GET, &asked, StatusCode::OK, &html, b"<html>", is_api);
            assert_eq!(of(false), Soundness::Sound);
            let names_it = asked.get(ACCEPT).is_some_and(|accept| accept == "text/html");
            assert_eq!(of(true) == Soundness::Sound, names_it, "a login page, to whoever takes anything");
        }
    }
}
