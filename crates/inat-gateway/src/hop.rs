//! Fields of one connection, which go no further (RFC 9110 §7.6.1), and `Via`, which says where a message has been (§7.6.3).

use std::hash::{BuildHasher, RandomState};

use http::header::{CONNECTION, COOKIE, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Version};

/// Fields that are always about the connection. Trailers are not passed on; what announces them is, as a hint of what was lost
/// (RFC 9110 §6.6.2).
const OWN: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// What `Connection` may name without effect: messages cannot do without these (RFC 9110 §7.6.1 forbids it).
const VITAL: [&str; 12] = [
    "authorization",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expires",
    "host",
    "vary",
];

/// Takes out what was meant for this connection. What stays keeps its order, which taking fields out of the map one by one
/// would not.
pub(crate) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(|name| !VITAL.contains(&name.as_str()))
        .collect();
    let goes = |name: &HeaderName| OWN.contains(&name.as_str()) || named.contains(name);
    if !headers.keys().any(goes) {
        return;
    }
    let mut kept = HeaderMap::with_capacity(headers.keys_len());
    for name in headers.keys().filter(|name| !goes(name)) {
        for line in headers.get_all(name) {
            kept.append(name.clone(), line.clone());
        }
    }
    *headers = kept;
}

/// Puts a cookie in one line that HTTP/2 took apart to pack it better (RFC 9113 §8.2.3): HTTP/1.1 and whoever compares
/// credentials know only one.
pub(crate) fn join_crumbs(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1
        && let Ok(whole) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]))
    {
        headers.insert(COOKIE, whole);
    }
}

/// This gateway's name in `Via`. It differs from process to process, so that a chain of gateways is no loop.
#[derive(Clone, Debug)]
pub(crate) struct Via {
    name: String,
}

impl Via {
    pub(crate) fn new() -> Self {
        // No secret: a number that another process is unlikely to have.
        Self { name: format!("inat-{:08x}", RandomState::new().hash_one(std::process::id()) >> 32) }
    }

    /// Whether a message has been here before.
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        headers.get_all(VIA).iter().any(|line| {
            line.as_bytes()
                .split(|byte| matches!(byte, b',' | b' ' | b'\t'))
                .any(|word| word.eq_ignore_ascii_case(self.name.as_bytes()))
        })
    }

    /// Says that the message, received in this version of HTTP, has been here.
    pub(crate) fn add(&self, headers: &mut HeaderMap, version: Version) {
        let protocol = match version {
            Version::HTTP_10 => "1.0",
            Version::HTTP_2 => "2",
            Version::HTTP_3 => "3",
            _ => "1.1",
        };
        if let Ok(value) = HeaderValue::try_from(format!("{protocol} {}", self.name)) {
            headers.append(VIA, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn fields_of_the_connection_stay_with_it() {
        let mut fields = headers(&[
            ("connection", "close, X-One"),
            ("connection", " x-two ,, authorization, bad name"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("x-three", "3"),
            ("authorization", "kept"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "x"),
            ("transfer-encoding", "chunked"),
        ]);
        strip(&mut fields);
        assert_eq!(fields, headers(&[("x-three", "3"), ("authorization", "kept")]));
    }

    #[test]
    fn a_cookie_is_one_line() {
        let mut fields = headers(&[("a", "1"), ("cookie", "b=2"), ("cookie", "c=3"), ("d", "4"), ("cookie", "e=5")]);
        join_crumbs(&mut fields);
        assert_eq!(fields, headers(&[("a", "1"), ("cookie", "b=2; c=3; e=5"), ("d", "4")]));
    }

    #[test]
    fn a_loop_is_known_by_name() {
        let (own, other) = (Via::new(), Via { name: "inat-0".to_owned() });
        let mut fields = headers(&[("via", "1.0 fred, 1.1 p.example.net (Apache)")]);
        assert!(!own.is_in(&fields));
        other.add(&mut fields, Version::HTTP_2);
        assert!(!own.is_in(&fields));
        own.add(&mut fields, Version::HTTP_11);
        assert!(own.is_in(&fields) && other.is_in(&fields));
        assert_eq!(fields.get_all(VIA).iter().count(), 3);
    }
}
