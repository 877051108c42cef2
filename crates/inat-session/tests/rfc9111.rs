//! RFC 9111 for a private cache, section by section, with what RFC 5861, 8246 and 9110 add to it. Every row names the section
//! that demands or allows it.
//!
//! Time starts at `START`; `{+60}` in a field is the HTTP date 60 seconds later. Fields are written `name: value | name: value`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::too_many_lines, clippy::items_after_statements, reason = "a table is as long as it is")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use inat_session::cache::{
    Answer, Asked, Entry, Flags, Glob, Identity, Keep, Key, LifetimeSource, Lookup, MatchHeaders, MissReason, Patterns,
    Received, Rules, Stale, StaleBecause, Trouble, WhyNot, answer, invalidated, keep, keep_written, look, rescue,
    resource_of, splice,
};
use inat_session::{Freshness, Lifetime, Timestamp};
use url::Url;

const START: Timestamp = Timestamp::from_secs(1_767_225_600);
const URL: &str = "https://h.test/a?q=1";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(START.as_secs() + seconds)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn http_date(at: Timestamp) -> String {
    let moment = jiff::Timestamp::from_second(at.as_secs()).unwrap().to_zoned(jiff::tz::TimeZone::UTC);
    moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// `{+60}` → the date 60 seconds after the start.
fn fill(text: &str) -> String {
    let Some((before, rest)) = text.split_once('{') else { return text.to_owned() };
    let (offset, after) = rest.split_once('}').unwrap();
    format!("{before}{}{}", http_date(at(offset.parse().unwrap())), fill(after))
}

fn fields(text: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.split(" | ").filter(|line| !line.trim().is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        let value = HeaderValue::from_bytes(fill(value.strip_prefix(' ').unwrap_or(value)).as_bytes()).unwrap();
        headers.append(HeaderName::from_bytes(name.trim().as_bytes()).unwrap(), value);
    }
    headers
}

/// One exchange or question, with everything that usually does not matter set to the usual.
#[derive(Clone)]
struct Ask {
    method: Method,
    url: Url,
    headers: HeaderMap,
    freshness: Freshness,
    lifetime: Option<Lifetime>,
    rules: Rules,
}

impl Ask {
    fn get(headers: &str) -> Self {
        Self {
            method: Method::GET,
            url: URL.parse().unwrap(),
            headers: fields(headers),
            freshness: Freshness::Normal,
            lifetime: None,
            rules: Rules::headers_only(),
        }
    }

    fn method(mut self, method: &str) -> Self {
        self.method = method.parse().unwrap();
        self
    }

    fn url(mut self, url: &str) -> Self {
        self.url = url.parse().unwrap();
        self
    }

    fn rules(mut self, rules: &Rules) -> Self {
        self.rules = rules.clone();
        self
    }

    fn fresh(mut self, freshness: Freshness) -> Self {
        self.freshness = freshness;
        self
    }

    fn lifetime(mut self, lifetime: impl Into<Lifetime>) -> Self {
        self.lifetime = Some(lifetime.into());
        self
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            method: &self.method,
            url: &self.url,
            headers: &self.headers,
            freshness: self.freshness,
            lifetime: self.lifetime,
        }
    }

    fn look(&self, variants: &[Arc<Entry>], now: Timestamp) -> Lookup {
        look(&self.asked(), variants, &self.rules, now)
    }

    fn keep(&self, variants: &[Arc<Entry>], status: u16, headers: &str, now: Timestamp) -> Keep {
        self.keep_sent(&self.headers, variants, status, headers, now)
    }

    fn keep_sent(&self, sent: &HeaderMap, variants: &[Arc<Entry>], status: u16, headers: &str, now: Timestamp) -> Keep {
        let headers = fields(headers);
        let received = Received {
            status: StatusCode::from_u16(status).unwrap(),
            headers: &headers,
            request_time: now,
            response_time: now,
            complete: true,
        };
        keep(&self.asked(), sent, variants, &received, Identity::Anonymous, &self.rules)
    }

    /// What is stored of an answer that has to be.
    fn stored(&self, status: u16, headers: &str, now: Timestamp) -> Arc<Entry> {
        match self.keep(&[], status, headers, now) {
            Keep::Store(entry) => Arc::new(*entry),
            other => panic!("not stored: {other:?}: {headers}"),
        }
    }

    /// The fields that go out when `variants` have to be validated: the request's own, replaced by the conditions.
    fn sent(&self, variants: &[Arc<Entry>], now: Timestamp) -> HeaderMap {
        let mut sent = self.headers.clone();
        if let Lookup::Validate { conditions, .. } = self.look(variants, now) {
            for name in conditions.keys() {
                sent.insert(name.clone(), conditions[name].clone());
            }
        }
        sent
    }

    /// What is made of a 304 to the validation of `variants`.
    fn validated(&self, variants: &[Arc<Entry>], headers: &str, now: Timestamp) -> Keep {
        self.keep_sent(&self.sent(variants, now), variants, 304, headers, now)
    }

    fn answer(&self, entry: &Entry, body: &'static [u8], now: Timestamp) -> Answer {
        answer(&self.asked(), Arc::new(entry.clone()), Bytes::from_static(body), now)
    }
}

/// What a lookup came to, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Fresh,
    Stale(StaleBecause),
    /// The server is asked.
    Ask,
    /// The server would have to be asked, but must not be.
    Refused,
}
use Outcome::{Ask as Asks, Fresh, Refused};

fn outcome(lookup: &Lookup) -> Outcome {
    match lookup {
        Lookup::Hit(hit) => hit.stale.map_or(Fresh, Outcome::Stale),
        Lookup::Validate { .. } | Lookup::Miss(_) => Asks,
        Lookup::Refused(_) => Refused,
    }
}

const MAX_STALE: Outcome = Outcome::Stale(StaleBecause::MaxStale);
const REVALIDATING: Outcome = Outcome::Stale(StaleBecause::WhileRevalidating);

#[test]
#[rustfmt::skip]
fn storing() {
    let no_validator_no_lifetime = "";
    for (section, status, request, response, stored) in [
        ("3 final status", 100, "", "cache-control: max-age=60", false),
        ("3 final status", 103, "", "cache-control: max-age=60", false),
        ("3 max-age", 200, "", "cache-control: max-age=60", true),
        ("3 expires", 200, "", "expires: {+60}", true),
        ("3 heuristically cacheable", 200, "", "last-modified: {-1000}", true),
        ("3 of no use", 200, "", no_validator_no_lifetime, false),
        ("3 kept for its validator", 200, "", "etag: \"1\"", true),
        ("3 private is for us", 200, "", "cache-control: private, max-age=60", true),
        ("3.5 authorization is fine in a private cache", 200, "authorization: x", "cache-control: max-age=60", true),
        ("5.2.2.5 no-store", 200, "", "cache-control: no-store", false),
        ("5.2.2.5 no-store with max-age", 200, "", "cache-control: max-age=60, no-store", false),
        ("5.2.2.5 no-store in a second line", 200, "", "cache-control: max-age=60 | cache-control: no-store", false),
        ("5.2 any letter case", 200, "", "cache-control: max-age=60, No-Store", false),
        ("5.2 any letter case", 200, "", "Cache-Control: NO-STORE, MAX-AGE=60", false),
        ("5.2 not inside a quoted string", 200, "", "cache-control: max-age=60, x=\"a, no-store, b\"", true),
        ("5.2 not as part of a name", 200, "", "cache-control: max-age=60, xno-store", true),
        ("5.2 unknown directives are ignored", 200, "", "cache-control: max-age=60, foo, bar=\"baz\"", true),
        ("5.2 an open quote hides nothing", 200, "", "cache-control: max-age=60, x=\"a, no-store", false),
        ("5.2.1.5 request no-store", 200, "cache-control: no-store", "cache-control: max-age=60", false),
        ("5.2.2.3 must-understand, understood", 200, "", "cache-control: must-understand, no-store, max-age=60", true),
        ("5.2.2.3 must-understand, unknown status", 299, "", "cache-control: must-understand, max-age=60", false),
        ("5.2.2.3 must-understand, unknown status", 599, "", "cache-control: must-understand, no-store, max-age=60", false),
        ("5.2.2.4 no-cache without validator", 200, "", "cache-control: no-cache, max-age=60", false),
        ("5.2.2.4 no-cache with validator", 200, "", "cache-control: no-cache | etag: \"1\"", true),
        ("5.4 pragma in a response means nothing", 200, "", "pragma: no-cache | cache-control: max-age=60", true),
        ("3 301 is heuristically cacheable", 301, "", "last-modified: {-1000} | location: /b", true),
        ("3 204", 204, "", "cache-control: max-age=60", true),
        ("3 404 heuristically", 404, "", "etag: \"1\"", true),
        ("3 302 needs more than a validator", 302, "", "etag: \"1\"", false),
        ("3 302 explicit", 302, "", "cache-control: max-age=60", true),
        ("3 302 private", 302, "", "cache-control: private | etag: \"1\"", true),
        ("3 302 public", 302, "", "cache-control: public | etag: \"1\"", true),
        ("3 302 expires", 302, "", "expires: {+60}", true),
        ("3 307 explicit", 307, "", "cache-control: max-age=60", true),
        ("3 303 explicit", 303, "", "cache-control: max-age=60", true),
        ("3 400 explicit", 400, "", "cache-control: max-age=60", true),
        ("3 403 without", 403, "", "etag: \"1\"", false),
        ("3 500 explicit", 500, "", "cache-control: max-age=60", true),
        ("3 500 without", 500, "", "etag: \"1\"", false),
        ("3 503 explicit", 503, "", "cache-control: max-age=60", true),
        ("3 unknown status, explicit", 299, "", "cache-control: max-age=60", true),
        ("3 unknown status, explicit", 499, "", "cache-control: max-age=60", true),
        ("3 unknown status, explicit", 599, "", "cache-control: max-age=60", true),
        ("3 unknown status, without", 299, "", "last-modified: {-1000}", false),
        ("RFC 6585 §4: 429 must not be stored", 429, "", "cache-control: max-age=60", false),
        ("RFC 6585 §3", 428, "", "cache-control: max-age=60", false),
        ("RFC 6585 §5", 431, "", "cache-control: max-age=60", false),
        ("RFC 6585 §6", 511, "", "cache-control: max-age=60", false),
        ("9110 §15.5.13: 412 answers its own conditions", 412, "", "cache-control: max-age=60", false),
        ("9110 §15.5.17: 416 answers its own range", 416, "", "cache-control: max-age=60", false),
        ("3 206 without a range asked for", 206, "", "cache-control: max-age=60 | content-range: bytes 0-1/9", false),
        ("4.1 vary *, nothing to validate with", 200, "", "cache-control: max-age=60 | vary: *", false),
        ("4.1 vary *, kept for its validator", 200, "", "cache-control: max-age=60 | vary: * | etag: \"1\"", true),
        ("5.2.2.2 expired, must-revalidate, no validator", 200, "", "cache-control: max-age=0, must-revalidate", false),
        ("5.2.1.2 stale from the start may serve max-stale", 200, "", "cache-control: max-age=1 | age: 10", true),
    ] {
        let kept = Ask::get(request).keep(&[], status, response, START);
        assert_eq!(matches!(kept, Keep::Store(_)), stored, "§{section}: {status} {request} → {response}: {kept:?}");
    }
}

#[test]
fn methods() {
    for (section, method, request, stored) in [
        ("3 GET", "GET", "", true),
        ("3 HEAD", "HEAD", "", true),
        ("3 POST is not understood here", "POST", "", false),
        ("3 PUT", "PUT", "", false),
        ("3 DELETE", "DELETE", "", false),
        ("3 OPTIONS: 9110 §9.3.7", "OPTIONS", "", false),
        ("3 unknown", "REPORT", "", false),
        ("3 a GET in disguise is none", "POST", "x-http-method-override: GET", false),
    ] {
        let kept = Ask::get(request).method(method).keep(&[], 200, "cache-control: max-age=60", START);
        assert_eq!(matches!(kept, Keep::Store(_)), stored, "§{section}: {method} {request}: {kept:?}");
        let looked = Ask::get(request).method(method).look(&[], START);
        let expected = if stored { MissReason::Uri } else { MissReason::Method };
        assert_eq!(looked, Lookup::Miss(expected), "§{section}: {method} {request}");
    }
    let overrides = Rules { method_overrides: true, ..Rules::headers_only() };
    for (method, named, stored) in [("POST", "GET", true), ("POST", "PUT", false), ("PUT", "GET", false)] {
        let ask = Ask::get(&format!("x-http-method-override: {named}")).method(method).rules(&overrides);
        let kept = ask.keep(&[], 200, "cache-control: max-age=60", START);
        assert_eq!(matches!(kept, Keep::Store(_)), stored, "iNaturalist's habit: {method} for {named}: {kept:?}");
        let expected = if stored { MissReason::Uri } else { MissReason::Method };
        assert_eq!(ask.look(&[], START), Lookup::Miss(expected), "iNaturalist's habit: {method} for {named}");
    }
    let mut rules = Rules::headers_only();
    rules.allowable_methods.push(Method::POST);
    let kept = Ask::get("").method("POST").rules(&rules).keep(&[], 200, "cache-control: max-age=60", START);
    assert!(matches!(kept, Keep::Store(_)), "a method the user lists");
}

#[test]
fn incomplete_answers_are_not_stored() {
    // §3.3
    let ask = Ask::get("");
    let headers = fields("cache-control: max-age=60");
    let received = Received {
        status: StatusCode::OK,
        headers: &headers,
        request_time: START,
        response_time: START,
        complete: false,
    };
    let kept = keep(&ask.asked(), &ask.headers, &[], &received, Identity::Anonymous, &ask.rules);
    assert_eq!(kept, Keep::Nothing(WhyNot::Incomplete));
}

#[test]
#[rustfmt::skip]
fn stored_fields() {
    // §3.1: all but those of the connection; §5.2.2.4: but for those `no-cache` names; 9110 §5.3: lines keep their order.
    for (section, response, name, expected) in [
        ("3.1 unknown fields are kept", "x-new: 1", "x-new", &["1"][..]),
        ("3.1 set-cookie is kept", "set-cookie: a=1 | set-cookie: b=2", "set-cookie", &["a=1", "b=2"]),
        ("9110 §5.3 several lines", "link: </1> | x: y | link: </2>", "link", &["</1>", "</2>"]),
        ("3.1 connection", "connection: close", "connection", &[]),
        ("3.1 keep-alive", "keep-alive: timeout=5", "keep-alive", &[]),
        ("3.1 transfer-encoding", "transfer-encoding: chunked", "transfer-encoding", &[]),
        ("3.1 te", "te: trailers", "te", &[]),
        ("3.1 trailer: not of the connection (9110 §6.6.2)", "trailer: x", "trailer", &["x"]),
        ("3.1 upgrade", "upgrade: h2c", "upgrade", &[]),
        ("3.1 proxy-authenticate", "proxy-authenticate: Basic", "proxy-authenticate", &[]),
        ("3.1 proxy-authentication-info", "proxy-authentication-info: a", "proxy-authentication-info", &[]),
        ("3.1 proxy-authorization", "proxy-authorization: a", "proxy-authorization", &[]),
        ("3.1 proxy-connection", "proxy-connection: a", "proxy-connection", &[]),
        ("3.1 named by connection", "connection: close, X-Hop | x-hop: 1", "x-hop", &[]),
        ("3.1 named by a second line", "connection: a | connection: x-hop | x-hop: 1", "x-hop", &[]),
        ("9110 §7.6.1 must not be named", "connection: vary | vary: b", "vary", &["b"]),
        ("5.1 age is computed anew", "age: 5", "age", &[]),
        ("5.2.2.4 named by no-cache", "cache-control: no-cache=\"x-a\" | x-a: 1", "x-a", &[]),
        ("5.2.2.4 not named by no-cache", "cache-control: no-cache=\"x-a\" | x-b: 1", "x-b", &["1"]),
        ("5.2.2.7 private names nothing to us", "cache-control: private=\"x-a\" | x-a: 1", "x-a", &["1"]),
        ("9110 §6.6.1 a date is added", "x: y", "date", &["{+0}"]),
        ("9110 §6.6.1 a date is kept", "date: {-9}", "date", &["{-9}"]),
        ("9110 §6.6.1 a bad date is replaced", "date: soon", "date", &["{+0}"]),
    ] {
        let entry = Ask::get("").stored(200, &format!("cache-control: max-age=60 | {response}"), START);
        let lines: Vec<_> = entry.headers.get_all(name).iter().map(|line| line.to_str().unwrap().to_owned()).collect();
        let expected: Vec<_> = expected.iter().map(|line| fill(line)).collect();
        assert_eq!(lines, expected, "§{section}: {response}");
    }
}

#[test]
#[rustfmt::skip]
fn freshness() {
    for (section, response, after, expected) in [
        ("4.2.1 max-age", "cache-control: max-age=60", 59, Fresh),
        ("4.2.1 max-age is over at that age", "cache-control: max-age=60", 60, Asks),
        ("4.2.1 max-age=0", "cache-control: max-age=0", 0, Asks),
        ("5.2 any letter case", "cache-control: Max-AGE=60", 59, Fresh),
        ("5.2 quoted argument", "cache-control: max-age=\"60\"", 59, Fresh),
        ("5.2 single quotes are none", "cache-control: max-age='60'", 1, Asks),
        ("1.2.2 leading zeros", "cache-control: max-age=0060", 59, Fresh),
        ("1.2.2 huge", "cache-control: max-age=99999999999999999999", 1_000_000_000, Fresh),
        ("1.2.2 2^31", "cache-control: max-age=2147483648", 1_000_000_000, Fresh),
        ("4.2.1 a fraction is malformed: stale", "cache-control: max-age=60.5", 1, Asks),
        ("4.2.1 negative: stale", "cache-control: max-age=-60", 0, Asks),
        ("4.2.1 no argument: stale", "cache-control: max-age", 0, Asks),
        ("4.2.1 empty argument: stale", "cache-control: max-age=", 0, Asks),
        ("4.2.1 letters: stale", "cache-control: max-age=60s", 0, Asks),
        ("4.2.1 white space before =: stale", "cache-control: max-age =60", 0, Asks),
        ("4.2.1 white space after =: stale", "cache-control: max-age= 60", 0, Asks),
        ("4.2.1 hexadecimal: stale", "cache-control: max-age=0x60", 0, Asks),
        ("4.2.1 malformed does not fall back to expires", "cache-control: max-age=x | expires: {+60}", 0, Asks),
        ("4.2.1 malformed does not fall back to heuristics", "cache-control: max-age=x | last-modified: {-9999}", 0, Asks),
        ("4.2.1 conflict: most restrictive", "cache-control: max-age=100, max-age=0", 0, Asks),
        ("4.2.1 conflict: most restrictive", "cache-control: max-age=10, max-age=100", 11, Asks),
        ("4.2.1 conflict over two lines", "cache-control: max-age=100 | cache-control: max-age=10", 11, Asks),
        ("4.2.1 conflict: a malformed one", "cache-control: max-age=100, max-age=x", 0, Asks),
        ("4.2.1 equal twice", "cache-control: max-age=60, max-age=60", 59, Fresh),
        ("5.2 empty members", "cache-control: , ,max-age=60,", 59, Fresh),
        ("5.2 in the second line", "cache-control: foo | cache-control: max-age=60", 59, Fresh),
        ("5.2 inside a quoted string", "etag: \"1\" | cache-control: x=\", max-age=60\"", 1, Asks),
        ("5.2 after an escaped quote", "cache-control: x=\"\\\", max-age=1, \", max-age=60", 59, Fresh),
        ("4.2.1 s-maxage is for shared caches", "cache-control: s-maxage=0, max-age=60", 59, Fresh),
        ("4.2.1 s-maxage is for shared caches", "cache-control: s-maxage=60 | etag: \"1\"", 0, Asks),
        ("5.2.2.8 proxy-revalidate is for shared caches", "cache-control: proxy-revalidate, max-age=60", 59, Fresh),
        ("5.2.2.2 must-revalidate while fresh", "cache-control: must-revalidate, max-age=60", 59, Fresh),
        ("5.2.2.4 no-cache", "cache-control: no-cache, max-age=60 | etag: \"1\"", 0, Asks),
        ("5.2.2.4 No-Cache", "cache-control: No-Cache, max-age=60 | etag: \"1\"", 0, Asks),
        ("5.2.2.4 no-cache with fields", "cache-control: no-cache=\"x\", max-age=60", 59, Fresh),
        ("5.2.2.4 no-cache with odd fields", "cache-control: no-cache=\"x y\", max-age=60 | etag: \"1\"", 0, Asks),
        ("5.4 pragma in a response", "pragma: no-cache | cache-control: max-age=60", 59, Fresh),
        ("5.3 expires", "date: {+0} | expires: {+60}", 59, Fresh),
        ("5.3 expires is over", "date: {+0} | expires: {+60}", 60, Asks),
        ("5.3 expires without date", "expires: {+60}", 59, Fresh),
        ("5.3 expires against a date ahead of ours", "date: {+100} | expires: {+110}", 11, Asks),
        ("5.3 expires in the past", "date: {+0} | expires: {-60}", 0, Asks),
        ("5.3 expires like date", "date: {+0} | expires: {+0}", 0, Asks),
        ("5.3 max-age before expires", "cache-control: max-age=60 | expires: {-60}", 59, Fresh),
        ("5.3 max-age before expires", "cache-control: max-age=10 | expires: {+60}", 11, Asks),
        ("5.3 expires: 0", "expires: 0 | last-modified: {-99999}", 0, Asks),
        ("5.3 expires: -1", "expires: -1", 0, Asks),
        ("5.3 expires is junk", "expires: tomorrow | last-modified: {-99999}", 0, Asks),
        ("5.3 expires is empty", "expires:  | last-modified: {-99999}", 0, Asks),
        ("5.3 several expires that differ", "expires: {+60} | expires: {+70}", 0, Asks),
        ("5.3 several expires that agree", "expires: {+60} | expires: {+60}", 59, Fresh),
        ("4.2 RFC 850 date", "expires: Friday, 01-Jan-27 00:00:00 GMT", 1, Fresh),
        ("4.2 asctime date", "expires: Fri Jan  1 00:00:00 2027", 1, Fresh),
        ("4.2 dates in any letter case", "expires: FRI, 01 JAN 2027 00:00:00 gmt", 1, Fresh),
        ("4.2 another zone is no date", "expires: Fri, 01 Jan 2027 00:00:00 AEST", 0, Asks),
        ("4.2 UTC is not GMT", "expires: Fri, 01 Jan 2027 00:00:00 UTC", 0, Asks),
        ("4.2 a two-digit year in a fixdate", "expires: Fri, 01 Jan 27 00:00:00 GMT", 0, Asks),
        ("4.2 no comma", "expires: Fri 01 Jan 2027 00:00:00 GMT", 0, Asks),
        ("4.2 dashes", "expires: Fri, 01-Jan-2027 00:00:00 GMT", 0, Asks),
        ("4.2 an hour of one digit", "expires: Fri, 01 Jan 2027 0:00:00 GMT", 0, Asks),
        ("4.2 two spaces", "expires: Fri, 01 Jan  2027 00:00:00 GMT", 0, Asks),
        ("4.2 the far future", "expires: Fri, 31 Dec 9999 23:59:59 GMT", 1_000_000_000, Fresh),
        ("4.2.2 a tenth since it was modified", "date: {+0} | last-modified: {-1000}", 99, Fresh),
        ("4.2.2 no more than a tenth", "date: {+0} | last-modified: {-1000}", 100, Asks),
        ("4.2.2 at most a day", "last-modified: Sat, 01 Jan 2000 00:00:00 GMT", 86_399, Fresh),
        ("4.2.2 at most a day", "last-modified: Sat, 01 Jan 2000 00:00:00 GMT", 86_400, Asks),
        ("4.2.2 modified after it was made", "date: {+0} | last-modified: {+60} | etag: \"1\"", 0, Asks),
        ("4.2.2 nothing to guess from", "etag: \"1\"", 0, Asks),
        ("4.2.2 last-modified is junk", "last-modified: yesterday", 0, Asks),
        ("4.2.2 public alone is no lifetime", "cache-control: public | etag: \"1\"", 0, Asks),
        ("RFC 8246 §2 immutable does not lengthen", "cache-control: immutable, max-age=60", 60, Asks),
        ("RFC 8246 §2 immutable alone is no lifetime", "cache-control: immutable | etag: \"1\"", 0, Asks),
        ("4.2.3 age counts", "age: 50 | cache-control: max-age=60", 9, Fresh),
        ("4.2.3 age counts", "age: 50 | cache-control: max-age=60", 10, Asks),
        ("4.2.3 age beyond max-age", "age: 100 | cache-control: max-age=60", 0, Asks),
        ("4.2.3 date counts", "date: {-50} | cache-control: max-age=60", 9, Fresh),
        ("4.2.3 date counts", "date: {-50} | cache-control: max-age=60", 10, Asks),
        ("4.2.3 the greater of both", "date: {-50} | age: 10 | cache-control: max-age=60", 10, Asks),
        ("4.2.3 the greater of both", "date: {-10} | age: 50 | cache-control: max-age=60", 10, Asks),
        ("4.2.3 a date ahead of ours", "date: {+50} | cache-control: max-age=60", 59, Fresh),
        ("4.2.3 date is junk", "date: soon | cache-control: max-age=60", 59, Fresh),
        ("4.2.3 age counts against expires", "date: {+0} | age: 50 | expires: {+60}", 10, Asks),
        ("5.1 a list: the first", "age: 50, 0 | cache-control: max-age=60", 10, Asks),
        ("5.1 a list: the first", "age: 0, 50 | cache-control: max-age=60", 10, Fresh),
        ("5.1 two lines: the first", "age: 50 | age: 0 | cache-control: max-age=60", 10, Asks),
        ("5.1 the first is odd: ignored", "age: x, 50 | cache-control: max-age=60", 10, Fresh),
        ("5.1 negative: ignored", "age: -50 | cache-control: max-age=60", 59, Fresh),
        ("5.1 fraction: ignored", "age: 50.5 | cache-control: max-age=60", 59, Fresh),
        ("5.1 quoted: ignored", "age: \"50\" | cache-control: max-age=60", 59, Fresh),
        ("5.1 empty: ignored", "age:  | cache-control: max-age=60", 59, Fresh),
        ("1.2.2 huge age", "age: 99999999999999999999 | cache-control: max-age=99999999999999999999", 0, Asks),
    ] {
        let ask = Ask::get("");
        let entry = ask.stored(200, response, START);
        let found = outcome(&ask.look(&[entry], at(after)));
        assert_eq!(found, expected, "§{section}: {response}, after {after} s");
    }
}

#[test]
fn heuristics_need_a_status_that_allows_them() {
    // §4.2.2, 9110 §15.1
    let response = "date: {+0} | last-modified: {-1000}";
    for status in [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 451, 501] {
        let entry = Ask::get("").stored(status, response, START);
        assert_eq!(entry.policy.source, LifetimeSource::Heuristic, "{status}");
        assert_eq!(entry.policy.lifetime, secs(100), "{status}");
    }
    for status in [201, 202, 302, 303, 307, 400, 403, 500, 503] {
        let entry = Ask::get("").stored(status, &format!("cache-control: private | {response}"), START);
        assert_eq!(entry.policy.source, LifetimeSource::None, "{status}");
        let entry = Ask::get("").stored(status, &format!("cache-control: public | {response}"), START);
        assert_eq!(entry.policy.source, LifetimeSource::Heuristic, "{status} and public");
    }
}

#[test]
fn age_takes_the_time_on_the_way_into_account() {
    // §4.2.3: request sent at −10, answered at 0.
    for (section, response, age) in [
        ("response_delay", "", 10),
        ("corrected_age_value", "age: 5", 15),
        ("apparent_age", "date: {-30}", 30),
        ("the greater", "date: {-30} | age: 25", 35),
        ("a date between sending and arriving", "date: {-5}", 10),
    ] {
        let ask = Ask::get("");
        let headers = fields(&format!("cache-control: max-age=60 | {response}"));
        let received = Received {
            status: StatusCode::OK,
            headers: &headers,
            request_time: at(-10),
            response_time: START,
            complete: true,
        };
        let Keep::Store(entry) = keep(&ask.asked(), &ask.headers, &[], &received, Identity::Anonymous, &ask.rules)
        else {
            panic!("stored")
        };
        assert_eq!(entry.policy.age(START), secs(age), "§4.2.3 {section}");
        assert_eq!(entry.policy.age(at(7)), secs(age + 7), "§4.2.3 resident_time: {section}");
    }
}

#[test]
fn a_clock_set_back_makes_nothing_fresh_for_ever() {
    let ask = Ask::get("");
    let entry = ask.stored(200, "cache-control: max-age=60", at(1_000_000));
    assert_eq!(outcome(&ask.look(&[Arc::clone(&entry)], START)), Asks);
    assert_eq!(outcome(&ask.look(&[Arc::clone(&entry)], at(999_990))), Fresh, "a small step back is nothing");
    let stale = Ask::get("cache-control: max-stale=99999");
    assert_eq!(outcome(&stale.look(&[entry], START)), Asks, "nobody knows how stale it is");
}

#[test]
#[rustfmt::skip]
fn request_directives() {
    let fresh = "cache-control: max-age=60";
    let tagged = "cache-control: max-age=60 | etag: \"1\"";
    for (section, response, after, request, expected) in [
        ("5.2.1.1 max-age", fresh, 10, "cache-control: max-age=10", Fresh),
        ("5.2.1.1 max-age", fresh, 11, "cache-control: max-age=10", Asks),
        ("5.2.1.1 Max-Age", fresh, 11, "cache-control: Max-Age=10", Asks),
        ("5.2.1.1 max-age counts the age on arrival", "age: 20 | cache-control: max-age=60", 0, "cache-control: max-age=10", Asks),
        ("5.2.1.1 max-age=0", fresh, 0, "cache-control: max-age=0", Asks),
        ("5.2.1.1 max-age malformed", fresh, 0, "cache-control: max-age=x", Asks),
        ("5.2.1.1 max-age quoted", fresh, 5, "cache-control: max-age=\"10\"", Fresh),
        ("5.2.1.1 max-age does not lengthen", fresh, 61, "cache-control: max-age=100", Asks),
        ("5.2.1.2 max-stale", fresh, 70, "cache-control: max-stale=10", MAX_STALE),
        ("5.2.1.2 max-stale", fresh, 71, "cache-control: max-stale=10", Asks),
        ("5.2.1.2 max-stale without limit", fresh, 1_000_000, "cache-control: max-stale", MAX_STALE),
        ("5.2.1.2 max-stale while fresh", fresh, 59, "cache-control: max-stale=10", Fresh),
        ("5.2.1.2 max-stale malformed grants nothing", fresh, 61, "cache-control: max-stale=x", Asks),
        ("5.2.1.2 max-stale=0", fresh, 61, "cache-control: max-stale=0", Asks),
        ("5.2.1.2 max-stale with max-age", fresh, 65, "cache-control: max-age=10, max-stale=10", Asks),
        ("5.2.2.2 must-revalidate beats max-stale", "cache-control: must-revalidate, max-age=60", 61, "cache-control: max-stale", Asks),
        ("5.2.2.4 no-cache beats max-stale", "cache-control: no-cache, max-age=60 | etag: \"1\"", 0, "cache-control: max-stale", Asks),
        ("5.2.2.8 proxy-revalidate does not", "cache-control: proxy-revalidate, max-age=60", 61, "cache-control: max-stale", MAX_STALE),
        ("5.2.2.10 s-maxage does not", "cache-control: s-maxage=1, max-age=60", 61, "cache-control: max-stale", MAX_STALE),
        ("5.2.1.3 min-fresh", fresh, 50, "cache-control: min-fresh=10", Fresh),
        ("5.2.1.3 min-fresh", fresh, 51, "cache-control: min-fresh=10", Asks),
        ("5.2.1.3 min-fresh malformed", fresh, 0, "cache-control: min-fresh=x", Asks),
        ("5.2.1.3 min-fresh beats max-stale", fresh, 61, "cache-control: min-fresh=1, max-stale", Asks),
        ("5.2.1.4 no-cache", fresh, 0, "cache-control: no-cache", Asks),
        ("5.2.1.4 No-Cache", tagged, 0, "cache-control: foo, No-Cache", Asks),
        ("5.2.1.5 no-store", fresh, 0, "cache-control: no-store", Asks),
        ("5.2.1.6 no-transform", fresh, 0, "cache-control: no-transform", Fresh),
        ("5.2.1.7 only-if-cached, fresh", fresh, 0, "cache-control: only-if-cached", Fresh),
        ("5.2.1.7 only-if-cached, expired", fresh, 61, "cache-control: only-if-cached", Refused),
        ("5.2.1.7 only-if-cached, max-stale", fresh, 61, "cache-control: only-if-cached, max-stale", MAX_STALE),
        ("5.2.1.7 only-if-cached, no-cache", fresh, 0, "cache-control: only-if-cached, no-cache", Refused),
        ("5.4 pragma", fresh, 0, "pragma: no-cache", Asks),
        ("5.4 pragma in any letter case", fresh, 0, "pragma: foo, No-Cache", Asks),
        ("5.4 pragma beside cache-control", fresh, 0, "pragma: no-cache | cache-control: max-age=60", Fresh),
        ("5.4 another pragma", fresh, 0, "pragma: foo", Fresh),
        ("5.2.1 unknown directive", fresh, 0, "cache-control: foo=bar", Fresh),
        ("RFC 5861 §3", "cache-control: max-age=60, stale-while-revalidate=10", 70, "", REVALIDATING),
        ("RFC 5861 §3", "cache-control: max-age=60, stale-while-revalidate=10", 71, "", Asks),
        ("RFC 5861 §3, fresh", "cache-control: max-age=60, stale-while-revalidate=10", 59, "", Fresh),
        ("RFC 5861 §3, malformed", "cache-control: max-age=60, stale-while-revalidate=x", 61, "", Asks),
        ("RFC 5861 §3, must-revalidate", "cache-control: max-age=60, must-revalidate, stale-while-revalidate=10", 61, "", Asks),
        ("RFC 5861 §3, request no-cache", "cache-control: max-age=60, stale-while-revalidate=10", 61, "cache-control: no-cache", Asks),
        ("RFC 5861 §3, request max-age", "cache-control: max-age=60, stale-while-revalidate=10", 65, "cache-control: max-age=60", Asks),
        ("RFC 5861 §4 is no reason by itself", "cache-control: max-age=60, stale-if-error=10", 61, "", Asks),
        ("RFC 8246 §2", "cache-control: immutable, max-age=60 | etag: \"1\"", 0, "cache-control: no-cache", Asks),
        ("9110 §13.1.1 if-match is the origin's", tagged, 0, "if-match: \"1\"", Asks),
        ("9110 §13.1.4 if-unmodified-since too", tagged, 0, "if-unmodified-since: {+0}", Asks),
    ] {
        let entry = Ask::get("").stored(200, response, START);
        let found = outcome(&Ask::get(request).look(&[entry], at(after)));
        assert_eq!(found, expected, "§{section}: {response}, after {after} s: {request}");
    }
    assert_eq!(outcome(&Ask::get("cache-control: only-if-cached").look(&[], START)), Refused, "§5.2.1.7");
}

#[test]
fn a_stale_answer_is_refreshed_once_it_is_served() {
    // RFC 5861 §3
    let entry = Ask::get("").stored(200, "cache-control: max-age=60, stale-while-revalidate=10", START);
    let Lookup::Hit(hit) = Ask::get("").look(&[Arc::clone(&entry)], at(65)) else { panic!("a hit") };
    assert!(hit.refresh_in_background);
    assert_eq!((hit.age, hit.fresh_for), (secs(65), Some(Duration::ZERO)));
    let only = Ask::get("").fresh(Freshness::OnlyIfCached);
    let Lookup::Hit(hit) = only.look(&[entry], at(65)) else { panic!("a hit") };
    assert!(!hit.refresh_in_background, "not if the server must not be asked");
}

#[test]
#[rustfmt::skip]
fn variants_are_selected_by_what_vary_names() {
    for (section, vary, first, second, same) in [
        ("4.1 nothing", "", "foo: 1", "foo: 2", true),
        ("4.1 same", "vary: foo", "foo: 1", "foo: 1", true),
        ("4.1 other", "vary: foo", "foo: 1", "foo: 2", false),
        ("4.1 names in any letter case", "vary: FOO", "foo: 1", "Foo: 1", true),
        ("4.1 absent, then there", "vary: foo", "", "foo: 1", false),
        ("4.1 there, then absent", "vary: foo", "foo: 1", "", false),
        ("4.1 absent twice", "vary: foo", "", "", true),
        ("4.1 empty is not absent", "vary: foo", "foo:  ", "", false),
        ("4.1 empty is empty", "vary: foo", "foo:  ", "foo:  ", true),
        ("4.1 a list", "vary: foo, bar", "foo: 1 | bar: 2", "foo: 1 | bar: 2", true),
        ("4.1 a list", "vary: foo, bar", "foo: 1 | bar: 2", "foo: 1 | bar: 3", false),
        ("4.1 several lines", "vary: foo | vary: bar", "foo: 1 | bar: 2", "foo: 1 | bar: 3", false),
        ("4.1 an unrelated field", "vary: foo", "foo: 1 | baz: 1", "foo: 1 | baz: 2", true),
        ("4.1 *", "vary: *", "foo: 1", "foo: 1", false),
        ("4.1 * in a list", "vary: foo, *", "foo: 1", "foo: 1", false),
        ("4.1 * in another line", "vary: foo | vary: *", "foo: 1", "foo: 1", false),
        ("4.1 white space", "vary: foo", "foo: 1, 2", "foo: 1,2", true),
        ("4.1 lines combined", "vary: foo", "foo: 1, 2", "foo: 1 | foo: 2", true),
        ("4.1 order counts", "vary: foo", "foo: 1, 2", "foo: 2, 1", false),
        ("4.1 letter case counts", "vary: foo", "foo: a", "foo: A", false),
        ("9110 §12.5.4 language tags", "vary: accept-language", "accept-language: en-GB", "accept-language: EN-gb", true),
        ("9110 §12.5.4 weights order", "vary: accept-language", "accept-language: en;q=0.5, de", "accept-language: de, en; q=0.50", true),
        ("9110 §12.5.4 other weights", "vary: accept-language", "accept-language: en;q=0.5, de", "accept-language: en, de;q=0.5", false),
        ("9110 §12.5.3 codings", "vary: accept-encoding", "accept-encoding: gzip, br", "accept-encoding: GZIP,br", true),
        ("4.1 authorization", "vary: authorization", "authorization: Bearer a", "authorization: Bearer b", false),
    ] {
        let response = format!("cache-control: max-age=60 | etag: \"1\" | {vary}");
        let entry = Ask::get(first).stored(200, &response, START);
        let found = outcome(&Ask::get(second).look(&[entry], at(1)));
        assert_eq!(found == Fresh, same, "§{section}: {vary}: {first} then {second}");
    }
}

#[test]
fn variants_stand_side_by_side_and_the_newest_that_matches_is_used() {
    let response = |etag: &str| format!("cache-control: max-age=60 | vary: accept | etag: \"{etag}\"");
    let (json, html) = (Ask::get("accept: json"), Ask::get("accept: html"));
    let variants = [html.stored(200, &response("h"), at(1)), json.stored(200, &response("j"), START)];
    for (ask, index) in [(&html, 0), (&json, 1)] {
        let Lookup::Hit(hit) = ask.look(&variants, at(2)) else { panic!("§4.1") };
        assert_eq!(hit.index, index, "§4.1");
    }
    // §4: of several, the one with the latest Date.
    let older = json.stored(200, "cache-control: max-age=60 | date: {-20}", at(1));
    let newer = json.stored(200, "cache-control: max-age=60 | date: {-10}", START);
    let Lookup::Hit(hit) = json.look(&[older, newer], at(2)) else { panic!("§4") };
    assert_eq!(hit.index, 1, "§4");
}

#[test]
fn a_secret_that_vary_names_is_not_in_the_entry() {
    let entry = Ask::get("authorization: Bearer T0PSECRET | cookie: T0PSECRET")
        .url("https://h.test/a?access_token=T0PSECRET")
        .stored(200, "cache-control: max-age=60 | vary: authorization, cookie", START);
    assert!(!format!("{entry:?}").contains("T0PSECRET"));
    assert!(!format!("{entry:?}").to_lowercase().contains("bearer"));
}

#[test]
fn conditions() {
    const LM: &str = "last-modified: {-1000}";
    for (section, response, request, expected) in [
        ("4.3.1 etag", "etag: \"1\"", "", "if-none-match: \"1\""),
        ("4.3.1 weak etag", "etag: W/\"1\"", "", "if-none-match: W/\"1\""),
        ("4.3.1 last-modified", LM, "", "if-modified-since: {-1000}"),
        ("4.3.1 both", "etag: \"1\" | last-modified: {-1000}", "", "if-none-match: \"1\" | if-modified-since: {-1000}"),
        ("4.3.1 neither", "cache-control: max-age=0", "", ""),
        ("4.3.2 the caller's tags go along", "etag: \"1\"", "if-none-match: \"2\"", "if-none-match: \"1\", \"2\""),
        ("4.3.2 not twice", "etag: \"1\"", "if-none-match: \"1\"", "if-none-match: \"1\""),
        ("4.3.2 the caller's * stays alone", "etag: \"1\"", "if-none-match: *", ""),
        ("4.3.2 the caller's date gives way", LM, "if-modified-since: {-5}", "if-modified-since: {-1000}"),
        ("4.3.2 no date beside the caller's tags only", LM, "if-none-match: \"2\"", ""),
        ("4.3.1 an empty etag is none", "etag:  | cache-control: max-age=0", "", ""),
    ] {
        let entry = Ask::get("").stored(200, response, START);
        let Lookup::Validate { conditions, fallback, reason } = Ask::get(request).look(&[entry], at(90_000)) else {
            panic!("§{section}: validation")
        };
        assert_eq!(conditions, fields(expected), "§{section}: {response}: {request}");
        assert_eq!((fallback, reason), (Some(0), MissReason::Stale), "§{section}");
    }
}

#[test]
fn tags_of_all_variants_are_asked_about() {
    let response = |etag: &str| format!("cache-control: max-age=60 | vary: accept | etag: \"{etag}\"");
    let variants = [
        Ask::get("accept: a").stored(200, &response("a"), START),
        Ask::get("accept: b").stored(200, &response("b"), START),
    ];
    let Lookup::Validate { conditions, fallback, reason } = Ask::get("accept: c").look(&variants, at(1)) else {
        panic!("§4.3.1")
    };
    assert_eq!(conditions, fields("if-none-match: \"a\", \"b\""), "§4.3.1");
    assert_eq!((fallback, reason), (None, MissReason::Vary), "§4.1: neither may be used unasked");

    // §4.3.4: the server says that b is the answer; from now on it is found for this request too.
    let ask = Ask::get("accept: c");
    let Keep::Freshen { index, entry, .. } = ask.validated(&variants, "etag: \"b\"", at(1)) else { panic!("§4.3.4") };
    assert_eq!(index, 1, "§4.3.4");
    assert_eq!(outcome(&ask.look(&[Arc::new(*entry)], at(2))), Fresh, "§4.3.4");
}

#[test]
#[rustfmt::skip]
fn which_variant_a_304_is_about() {
    const NONE: Result<usize, Keep> = Err(Keep::Useless304);
    // Each variant answers its own `foo`, from 0 on; the request is for foo: 0.
    for (section, variants, answer, expected) in [
        ("4.3.4 strong", &["etag: \"a\"", "etag: \"b\""][..], "etag: \"b\"", Ok(1)),
        ("4.3.4 strong, unknown", &["etag: \"a\""], "etag: \"x\"", NONE),
        ("4.3.4 strong does not match weak", &["etag: W/\"a\""], "etag: \"a\"", NONE),
        ("4.3.4 weak matches weak", &["etag: W/\"a\"", "etag: W/\"b\""], "etag: W/\"b\"", Ok(1)),
        ("4.3.4 weak matches strong", &["etag: \"a\""], "etag: W/\"a\"", Ok(0)),
        ("4.3.4 weak, unknown", &["etag: W/\"a\""], "etag: W/\"x\"", NONE),
        ("4.1 one weak tag twice: the one vary matches", &["etag: W/\"a\"", "etag: W/\"a\" | date: {+9}"], "etag: W/\"a\"", Ok(0)),
        ("4.3.4 last-modified", &["last-modified: {-9}"], "last-modified: {-9}", Ok(0)),
        ("4.3.4 last-modified, other", &["last-modified: {-9}"], "last-modified: {-8}", NONE),
        ("4.3.4 last-modified of the other", &["last-modified: {-9}", "last-modified: {-8}"], "last-modified: {-8}", Ok(1)),
        ("4.3.4 no validator, one asked about", &["etag: \"a\""], "", Ok(0)),
        ("4.3.4 no validator, one asked about", &["last-modified: {-9}"], "", Ok(0)),
        ("4.3.4 no validator, several asked about", &["etag: \"a\"", "etag: \"b\""], "", NONE),
        ("4.3.4 tag before date", &["etag: \"a\" | last-modified: {-9}"], "etag: \"x\" | last-modified: {-9}", NONE),
    ] {
        let response = |fields: &str| format!("cache-control: max-age=0 | vary: foo | {fields}");
        let stored: Vec<_> = variants
            .iter()
            .enumerate()
            .map(|(number, variant)| Ask::get(&format!("foo: {number}")).stored(200, &response(variant), START))
            .collect();
        let found = match Ask::get("foo: 0").validated(&stored, answer, at(10)) {
            Keep::Freshen { index, .. } => Ok(index),
            other => Err(other),
        };
        assert_eq!(found, expected, "§{section}: {variants:?}: 304 {answer}");
    }
}

#[test]
#[rustfmt::skip]
fn a_304_to_the_callers_own_condition_is_the_callers() {
    for (section, stored, request, answer, expected) in [
        ("4.3.2 nothing stored", "", "if-none-match: \"c\"", "etag: \"c\"", WhyNot::CallersCondition),
        ("4.3.2 nothing stored", "", "if-none-match: \"c\"", "", WhyNot::CallersCondition),
        ("4.3.2 nothing stored", "", "if-modified-since: {-5}", "", WhyNot::CallersCondition),
        ("4.3.2 the caller's tag", "etag: \"a\"", "if-none-match: \"c\"", "etag: \"c\"", WhyNot::CallersCondition),
        ("4.3.2 the caller's *", "cache-control: max-age=0", "if-none-match: *", "", WhyNot::CallersCondition),
        ("4.3.4 a date of the caller's proves nothing about a copy without", "cache-control: max-age=0", "if-modified-since: {-5}", "", WhyNot::CallersCondition),
        ("9110 §15.4.5 nobody asked", "", "", "etag: \"c\"", WhyNot::Unasked304),
    ] {
        let stored: Vec<_> =
            [stored].iter().filter(|text| !text.is_empty()).map(|text| Ask::get("").stored(200, text, START)).collect();
        let kept = Ask::get(request).validated(&stored, answer, at(1));
        assert_eq!(kept, Keep::Nothing(expected), "§{section}");
    }
    // §4.3.2: the tag is ours, too: both are settled.
    let stored = [Ask::get("").stored(200, "etag: \"a\"", START)];
    for answer in ["etag: \"a\"", ""] {
        let kept = Ask::get("if-none-match: \"a\"").validated(&stored, answer, at(1));
        assert!(matches!(kept, Keep::Freshen { index: 0, .. }), "{kept:?}");
    }
    // A bare 304 to a mixture says nothing: ask again.
    assert_eq!(Ask::get("if-none-match: \"c\"").validated(&stored, "", at(1)), Keep::Useless304);
}

#[test]
#[rustfmt::skip]
fn a_304_updates_what_is_stored() {
    let stored = "etag: \"1\" | cache-control: max-age=10 | content-type: a/b | content-length: 5 | content-encoding: gzip | \
                  link: </1> | link: </2> | x-old: 1";
    for (section, answer, name, expected) in [
        ("3.2 replaced", "x-old: 2", "x-old", &["2"][..]),
        ("3.2 kept", "", "x-old", &["1"]),
        ("3.2 added", "x-new: 1 | x-new: 2", "x-new", &["1", "2"]),
        ("3.2 all lines of a name", "link: </3> | link: </4> | link: </5>", "link", &["</3>", "</4>", "</5>"]),
        ("3.2 lines kept", "", "link", &["</1>", "</2>"]),
        ("3.2 not content-length", "content-length: 0", "content-length", &["5"]),
        ("3.2 content-encoding of a body stored as it came", "content-encoding: br", "content-encoding", &["br"]),
        ("3.2 not content-range", "content-range: bytes 0-1/2", "content-range", &[]),
        ("3.2 not what is of the connection", "connection: x-hop | x-hop: 1", "x-hop", &[]),
        ("3.2 content-type may change", "content-type: c/d", "content-type", &["c/d"]),
        ("3.2 date", "date: {+98}", "date", &["{+98}"]),
        ("9110 §6.6.1 a date is added", "", "date", &["{+100}"]),
    ] {
        let entry = Ask::get("").stored(200, stored, START);
        let Keep::Freshen { entry, also, .. } =
            Ask::get("").validated(&[entry], &format!("etag: \"1\" | {answer}"), at(100))
        else {
            panic!("§{section}")
        };
        let lines: Vec<_> = entry.headers.get_all(name).iter().map(|line| line.to_str().unwrap().to_owned()).collect();
        assert_eq!(lines, expected.iter().map(|line| fill(line)).collect::<Vec<_>>(), "§{section}: {answer}");
        assert_eq!(entry.status, StatusCode::OK);
        assert!(also.is_empty());
    }
}

#[test]
#[rustfmt::skip]
fn a_304_renews_freshness() {
    for (section, stored, answer, after, expected) in [
        ("4.3.4 the old lifetime, counted anew", "cache-control: max-age=60", "", 59, Fresh),
        ("4.3.4 the old lifetime, counted anew", "cache-control: max-age=60", "", 60, Asks),
        ("4.3.4 a new lifetime", "cache-control: max-age=0", "cache-control: max-age=60", 59, Fresh),
        ("4.3.4 a shorter one", "cache-control: max-age=60", "cache-control: max-age=5", 6, Asks),
        ("4.3.4 one where there was none", "x: y", "cache-control: max-age=60", 59, Fresh),
        ("4.3.4 no-cache from now on", "cache-control: max-age=60", "cache-control: no-cache", 0, Asks),
        ("4.2.3 the age of the 304", "cache-control: max-age=60", "age: 50", 10, Asks),
        ("4.2.3 not the old age", "age: 50 | cache-control: max-age=60", "", 59, Fresh),
        ("4.2.3 the date of the 304", "date: {+0} | cache-control: max-age=60", "date: {+950}", 10, Asks),
        ("5.3 old expires, new date", "date: {+0} | expires: {+60}", "date: {+1000}", 0, Asks),
        ("5.3 new expires", "date: {+0} | expires: {+60}", "expires: {+1060}", 59, Fresh),
        ("3 no-store is not stored, not even so", "cache-control: max-age=60", "cache-control: no-store, max-age=60", 0, Asks),
    ] {
        let entry = Ask::get("").stored(200, &format!("etag: \"1\" | {stored}"), START);
        let ask = Ask::get("");
        let Keep::Freshen { entry, .. } = ask.validated(&[entry], &format!("etag: \"1\" | {answer}"), at(1000)) else {
            panic!("§{section}")
        };
        assert_eq!(
            outcome(&ask.look(&[Arc::new(*entry)], at(1000 + after))),
            expected,
            "§{section}: {stored}: 304 {answer}"
        );
    }
}

#[test]
fn a_304_with_a_strong_tag_updates_every_variant_that_has_it() {
    // §4.3.4
    let response = "cache-control: max-age=10 | vary: foo | etag: \"1\"";
    let variants: Vec<_> = ["foo: 0", "foo: 1", "foo: 2"].map(|foo| Ask::get(foo).stored(200, response, START)).into();
    let kept = Ask::get("foo: 1").validated(&variants, "etag: \"1\" | x: y", at(100));
    let Keep::Freshen { index: 1, also, .. } = kept else { panic!("{kept:?}") };
    assert_eq!(also.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 2]);
    for (index, entry) in also {
        assert_eq!(entry.vary, variants[index].vary, "it goes on to answer its own request");
        assert_eq!(entry.headers["x"], "y");
        assert!(entry.policy.is_fresh(at(105)));
    }
}

#[test]
fn head() {
    let stored = "etag: \"1\" | last-modified: {-1000} | content-length: 5 | cache-control: max-age=60";
    let head = Ask::get("").method("HEAD");
    let entry = Ask::get("").stored(200, stored, START);
    assert_eq!(outcome(&head.look(&[Arc::clone(&entry)], at(1))), Fresh, "§4: served from GET");
    let answered = head.answer(&entry, b"12345", at(1));
    assert_eq!((answered.body.len(), &answered.headers["content-length"]), (0, &HeaderValue::from(5)), "9110 §9.3.2");

    for (section, answer, fresh) in [
        ("4.3.5 matches", "etag: \"1\" | content-length: 5 | cache-control: max-age=60", true),
        ("4.3.5 date matches", "last-modified: {-1000} | cache-control: max-age=60", true),
        ("4.3.5 nothing to compare", "cache-control: max-age=60", true),
        ("4.3.5 other tag", "etag: \"2\" | cache-control: max-age=60", false),
        ("4.3.5 other date", "last-modified: {-5} | cache-control: max-age=60", false),
        ("4.3.5 other length", "etag: \"1\" | content-length: 6 | cache-control: max-age=60", false),
        ("4.3.5 no-store", "etag: \"1\" | cache-control: no-store", false),
    ] {
        let kept = head.keep(&[Arc::clone(&entry)], 200, answer, at(100));
        let Keep::Update(updates) = kept else { panic!("§{section}: {kept:?}") };
        let [(0, now)] = &updates[..] else { panic!("§{section}") };
        assert_eq!(now.method, Method::GET, "§{section}");
        assert_eq!(now.policy.is_fresh(at(101)), fresh, "§{section}: {answer}");
        assert_eq!(now.headers["content-length"], "5", "§{section}");
    }
    // An entry made by HEAD has no body for a GET.
    let of_head = head.stored(200, "cache-control: max-age=60", START);
    assert_eq!(outcome(&head.look(&[Arc::clone(&of_head)], at(1))), Fresh);
    assert_eq!(Ask::get("").look(&[of_head], at(1)), Lookup::Miss(MissReason::Uri));
    // A 404 to HEAD neither is stored over a GET nor spoils it.
    assert_eq!(head.keep(&[entry], 404, "cache-control: max-age=60", at(1)), Keep::Nothing(WhyNot::Head));
}

#[test]
fn answers_that_are_not_stored_may_outdate_what_is() {
    let entry = Ask::get("").stored(200, "cache-control: max-age=60", START);
    for (status, response, forgotten) in [
        (200, "cache-control: no-store", true),
        (301, "cache-control: no-store", true),
        (404, "cache-control: no-store", true),
        (410, "cache-control: no-store", true),
        (302, "", false),
        (401, "", false),
        (403, "", false),
        (429, "", false),
        (500, "", false),
        (503, "", false),
    ] {
        let kept = Ask::get("").keep(&[Arc::clone(&entry)], status, response, at(1));
        let expected = matches!(&kept, Keep::Forget { indexes, .. } if *indexes == [0]);
        assert_eq!(expected, forgotten, "§4.3.3: {status} {response}: {kept:?}");
    }
}

#[test]
#[rustfmt::skip]
fn the_callers_conditions_are_answered() {
    const OK: u16 = 200;
    for (section, stored, request, expected) in [
        ("4.3.2 no condition", "etag: \"1\"", "", OK),
        ("4.3.2 tag", "etag: \"1\"", "if-none-match: \"1\"", 304),
        ("4.3.2 other tag", "etag: \"1\"", "if-none-match: \"2\"", OK),
        ("4.3.2 one of several", "etag: \"1\"", "if-none-match: \"2\", \"1\"", 304),
        ("4.3.2 one of several lines", "etag: \"1\"", "if-none-match: \"2\" | if-none-match: \"1\"", 304),
        ("9110 §13.1.2 weak comparison", "etag: \"1\"", "if-none-match: W/\"1\"", 304),
        ("9110 §13.1.2 weak comparison", "etag: W/\"1\"", "if-none-match: \"1\"", 304),
        ("9110 §8.8.3 letter case counts", "etag: \"a\"", "if-none-match: \"A\"", OK),
        ("9110 §8.8.3 a comma inside", "etag: \"a,b\"", "if-none-match: \"a,b\"", 304),
        ("9110 §13.1.2 *", "etag: \"1\"", "if-none-match: *", 304),
        ("9110 §13.1.2 * without a tag", "x: y", "if-none-match: *", 304),
        ("9110 §13.1.2 no tag stored", "x: y", "if-none-match: \"1\"", OK),
        ("4.3.2 date", "last-modified: {-100}", "if-modified-since: {-100}", 304),
        ("4.3.2 later date", "last-modified: {-100}", "if-modified-since: {-50}", 304),
        ("9110 13.1.3 two dates", "last-modified: {-100}", "if-modified-since: {-50} | if-modified-since: {-50}", OK),
        ("4.3.2 earlier date", "last-modified: {-100}", "if-modified-since: {-101}", OK),
        ("4.3.2 no last-modified: date", "date: {-100}", "if-modified-since: {-100}", 304),
        ("4.3.2 no last-modified: date", "date: {-100}", "if-modified-since: {-101}", OK),
        ("9110 §13.1.3 no date", "last-modified: {-100}", "if-modified-since: soon", OK),
        ("9110 §13.1.3 two dates", "last-modified: {-100}", "if-modified-since: {-50} | if-modified-since: {-40}", OK),
        ("9110 §13.2.2 tag before date", "etag: \"1\" | last-modified: {-100}", "if-none-match: \"2\" | if-modified-since: {-50}", OK),
        ("9110 §13.2.2 tag before date", "etag: \"1\" | last-modified: {-100}", "if-none-match: \"1\" | if-modified-since: {-500}", 304),
        ("9110 §13.2.2 condition before range", "etag: \"1\"", "if-none-match: \"1\" | range: bytes=0-1", 304),
    ] {
        let entry = Ask::get("").stored(200, &format!("cache-control: max-age=600 | {stored}"), START);
        let ask = Ask::get(request);
        assert!(matches!(ask.look(&[Arc::clone(&entry)], at(1)), Lookup::Hit(_)), "§{section}");
        assert_eq!(ask.answer(&entry, b"12345", at(1)).status, expected, "§{section}: {stored}: {request}");
    }
    let entry = Ask::get("").stored(404, "cache-control: max-age=600 | etag: \"1\"", START);
    let answered = Ask::get("if-none-match: \"1\"").answer(&entry, b"no", at(1));
    assert_eq!(answered.status, 404, "9110 §13.2.1: conditions are about a success");
}

#[test]
#[rustfmt::skip]
fn a_304_of_ours_carries_what_a_cache_needs() {
    // 9110 §15.4.5
    let stored = "etag: \"1\" | cache-control: max-age=600 | vary: foo | expires: {+9} | content-location: /a | last-modified: {-9} | \
                  content-type: a/b | content-length: 5 | content-encoding: gzip | content-language: en | set-cookie: a";
    let entry = Ask::get("").stored(200, stored, START);
    let answered = Ask::get("if-none-match: \"1\"").answer(&entry, b"12345", at(1));
    for name in ["etag", "cache-control", "vary", "expires", "content-location", "date", "age"] {
        assert!(answered.headers.contains_key(name), "{name}");
    }
    for name in ["content-type", "content-length", "content-encoding", "content-language", "last-modified"] {
        assert!(!answered.headers.contains_key(name), "{name}");
    }
    assert!(answered.body.is_empty());
}

#[test]
fn age_is_generated() {
    // §5.1: whole seconds, one value.
    let entry = Ask::get("").stored(200, "age: 7 | cache-control: max-age=600", START);
    let now = at(3).plus(Duration::from_millis(900));
    let answered = Ask::get("").answer(&entry, b"12345", now);
    assert_eq!(answered.headers.get_all("age").iter().collect::<Vec<_>>(), ["10"]);
    assert_eq!(answered.body, "12345");
}

#[test]
#[rustfmt::skip]
fn ranges_of_a_whole() {
    for (section, stored, request, status, body, range) in [
        ("14.2 first bytes", "", "range: bytes=0-1", 206, "01", "bytes 0-1/10"),
        ("14.1.2 to the end", "", "range: bytes=8-", 206, "89", "bytes 8-9/10"),
        ("14.1.2 the last", "", "range: bytes=-3", 206, "789", "bytes 7-9/10"),
        ("14.1.2 more than there is", "", "range: bytes=5-99", 206, "56789", "bytes 5-9/10"),
        ("14.1.2 a longer suffix", "", "range: bytes=-99", 206, "0123456789", "bytes 0-9/10"),
        ("14.1 the unit in any letter case", "", "range: BYTES=0-1", 206, "01", "bytes 0-1/10"),
        ("15.5.17 unsatisfiable", "", "range: bytes=10-", 416, "", "bytes */10"),
        ("14.1.2 no last bytes", "", "range: bytes=-0", 416, "", "bytes */10"),
        ("14.2 several: the whole", "", "range: bytes=0-1,3-4", 200, "0123456789", ""),
        ("14.2 backwards: ignored", "", "range: bytes=4-2", 200, "0123456789", ""),
        ("14.2 unknown unit: ignored", "", "range: items=0-1", 200, "0123456789", ""),
        ("14.2 malformed: ignored", "", "range: bytes=x", 200, "0123456789", ""),
        ("13.1.5 if-range holds", "etag: \"1\"", "range: bytes=0-1 | if-range: \"1\"", 206, "01", "bytes 0-1/10"),
        ("13.1.5 if-range does not", "etag: \"1\"", "range: bytes=0-1 | if-range: \"2\"", 200, "0123456789", ""),
        ("13.1.5 weak tags never", "etag: W/\"1\"", "range: bytes=0-1 | if-range: W/\"1\"", 200, "0123456789", ""),
        ("13.1.5 exact date", "last-modified: {-9}", "range: bytes=0-1 | if-range: {-9}", 206, "01", "bytes 0-1/10"),
        ("13.1.5 later date", "last-modified: {-9}", "range: bytes=0-1 | if-range: {-8}", 200, "0123456789", ""),
        ("8.8.2.2 a date that is not strong", "last-modified: {+0}", "range: bytes=0-1 | if-range: {+0}", 200, "0123456789", ""),
        ("13.1.5 beyond the end, if-range does not hold", "etag: \"1\"", "range: bytes=99- | if-range: \"2\"", 200, "0123456789", ""),
    ] {
        let response = format!("cache-control: max-age=60 | content-length: 10 | content-type: a/b | {stored}");
        let entry = Ask::get("").stored(200, &response, START);
        let ask = Ask::get(request);
        assert!(matches!(ask.look(&[Arc::clone(&entry)], at(1)), Lookup::Hit(_)), "9110 §{section}");
        let answered = ask.answer(&entry, b"0123456789", at(1));
        assert_eq!(
            (answered.status.as_u16(), &answered.body[..]),
            (status, body.as_bytes()),
            "9110 §{section}: {request}"
        );
        let content_range = answered.headers.get("content-range").map_or("", |value| value.to_str().unwrap());
        assert_eq!(content_range, range, "9110 §{section}");
        assert_eq!(answered.headers["content-length"], HeaderValue::from(body.len()), "9110 §{section}");
    }
    let entry = Ask::get("").stored(200, "cache-control: max-age=60", START);
    assert_eq!(Ask::get("range: bytes=0-1").method("HEAD").answer(&entry, b"0123", START).status, 200, "9110 §14.2");
    let entry = Ask::get("").stored(404, "cache-control: max-age=60", START);
    assert_eq!(Ask::get("range: bytes=0-1").answer(&entry, b"0123", START).status, 404, "9110 §14.2");
}

fn partial(range: &str, headers: &str) -> Keep {
    Ask::get("range: bytes=0-1").keep(
        &[],
        206,
        &format!("cache-control: max-age=60 | content-range: {range} | {headers}"),
        START,
    )
}

#[test]
fn parts_are_stored_as_parts() {
    let Keep::Store(entry) = partial("bytes 2-5/10", "etag: \"1\" | content-length: 4") else { panic!("§3.3") };
    let entry = Arc::new(*entry);
    let part = entry.part.unwrap();
    assert_eq!((part.first, part.last, part.whole), (2, 5, 10), "§3.3");
    for (section, request, expected) in [
        ("3.3 the part", "range: bytes=2-5", Ok("2345")),
        ("3.3 a part of the part", "range: bytes=3-4", Ok("34")),
        ("3.3 more than the part", "range: bytes=3-6", Err(MissReason::Partial)),
        ("3.3 the whole", "", Err(MissReason::Partial)),
        ("3.3 a suffix that is outside", "range: bytes=-2", Err(MissReason::Partial)),
        ("13.1.5 if-range wants the whole", "range: bytes=2-5 | if-range: \"2\"", Err(MissReason::Partial)),
    ] {
        let ask = Ask::get(request);
        match (ask.look(&[Arc::clone(&entry)], at(1)), expected) {
            (Lookup::Hit(_), Ok(body)) => {
                let answered = ask.answer(&entry, b"2345", at(1));
                assert_eq!((answered.status.as_u16(), &answered.body[..]), (206, body.as_bytes()), "§{section}");
            }
            (found, Err(reason)) => assert_eq!(found, Lookup::Miss(reason), "§{section}"),
            (found, _) => panic!("§{section}: {found:?}"),
        }
    }
    let Keep::Store(entry) = partial("bytes 0-9/10", "etag: W/\"1\" | content-length: 10") else { panic!("§3.3") };
    assert_eq!((entry.status, entry.part), (StatusCode::OK, None), "§3.3: a part that is all of it is no part");
    assert!(!entry.headers.contains_key("content-range") && entry.headers["content-length"] == "10");
    for (section, range) in [
        ("9110 §14.4 unknown length", "bytes 0-1/*"),
        ("9110 §14.4 backwards", "bytes 5-2/10"),
        ("9110 §14.4 beyond the end", "bytes 5-10/10"),
        ("9110 §14.4 unknown unit", "items 0-1/10"),
        ("9110 §14.4 malformed", "bytes 0/10"),
    ] {
        assert_eq!(partial(range, "etag: \"1\""), Keep::Nothing(WhyNot::Range), "{section}");
    }
}

#[test]
fn parts_are_combined_under_a_strong_validator_only() {
    let whole = "cache-control: max-age=60 | x: old";
    let part = |range: &str, etag: &str| {
        format!("cache-control: max-age=60 | etag: {etag} | content-range: bytes {range}/6 | y: new")
    };
    let ask = Ask::get("range: bytes=0-2");
    let first = ask.stored(206, &format!("{} | x: old", part("0-2", "\"1\"")), START);

    let kept = ask.keep(&[Arc::clone(&first)], 206, &part("3-5", "\"1\""), at(1));
    let Keep::Combine { index: 0, entry, part: arrived } = kept else { panic!("§3.4: {kept:?}") };
    assert_eq!((entry.status, entry.part), (StatusCode::OK, None), "§3.4: nothing is missing any more");
    assert_eq!(
        (&entry.headers["content-length"], &entry.headers["x"], &entry.headers["y"]),
        (&HeaderValue::from(6), &HeaderValue::from_static("old"), &HeaderValue::from_static("new"))
    );
    assert!(!entry.headers.contains_key("content-range"));
    let body = |text: &'static str| Bytes::from_static(text.as_bytes());
    assert_eq!(splice(&first, &body("abc"), arrived, &body("def")), Some(body("abcdef")), "§3.4");
    assert_eq!(splice(&first, &body("ab"), arrived, &body("def")), None, "a body of another length");

    let kept = ask.keep(&[Arc::clone(&first)], 206, &part("2-4", "\"1\""), at(1));
    let Keep::Combine { entry, part: arrived, .. } = kept else { panic!("§3.4: {kept:?}") };
    assert_eq!(entry.headers["content-range"], "bytes 0-4/6", "§3.4: they overlap");
    assert_eq!(splice(&first, &body("abc"), arrived, &body("cde")), Some(body("abcde")));

    for (section, range, etag) in
        [("3.4 a gap", "4-5", "\"1\""), ("3.4 weak", "3-5", "W/\"1\""), ("3.4 other", "3-5", "\"2\"")]
    {
        let kept = ask.keep(&[Arc::clone(&first)], 206, &part(range, etag), at(1));
        assert!(matches!(&kept, Keep::Store(entry) if entry.part.is_some()), "§{section}: {kept:?}");
    }
    let dated = |range: &str, ago: i64| {
        format!("cache-control: max-age=60 | last-modified: {{-{ago}}} | content-range: bytes {range}/6")
    };
    for (section, first, second, joined) in [
        ("3.4, 9110 §8.8.2.2: a date that is long past", 600, 600, true),
        ("3.4: another date", 600, 601, false),
        ("9110 §8.8.2.2: a date just past is weak", 1, 1, false),
    ] {
        let first = ask.stored(206, &dated("0-2", first), START);
        let kept = ask.keep(&[first], 206, &dated("3-5", second), at(1));
        assert_eq!(matches!(kept, Keep::Combine { .. }), joined, "§{section}: {kept:?}");
    }
    // A whole stays whole.
    let full = Ask::get("").stored(200, &format!("{whole} | etag: \"1\""), START);
    let kept = ask.keep(&[Arc::clone(&full)], 206, &part("0-2", "\"1\""), at(1));
    let Keep::Combine { entry, part: arrived, .. } = kept else { panic!("§3.4: {kept:?}") };
    assert_eq!((entry.status, entry.part), (StatusCode::OK, None));
    assert_eq!(splice(&full, &body("abcdef"), arrived, &body("abc")), Some(body("abcdef")));
    let weak = Ask::get("").stored(200, &format!("{whole} | etag: W/\"1\""), START);
    assert_eq!(
        ask.keep(&[weak], 206, &part("0-2", "W/\"1\""), at(1)),
        Keep::Nothing(WhyNot::Range),
        "§3.4: not over a whole"
    );
    let outdated = Ask::get("").stored(200, &format!("{whole} | etag: \"0\""), START);
    assert!(
        matches!(ask.keep(&[outdated], 206, &part("0-2", "\"1\""), at(1)), Keep::Store(_)),
        "§3.4: over an outdated whole"
    );
}

#[test]
#[rustfmt::skip]
fn rescue_in_trouble() {
    use Trouble::{Network, Status};
    let status = |code: u16| Status(StatusCode::from_u16(code).unwrap());
    let always = Rules { stale_if_error: Stale::Always, ..Rules::headers_only() };
    let short = Rules { stale_if_error: Stale::For(secs(5)), ..Rules::headers_only() };
    let quarter = Rules { stale_if_error: Stale::For(secs(15)), ..Rules::headers_only() };
    let off = Rules::headers_only();
    let plain = "cache-control: max-age=60";
    let by_header = "cache-control: max-age=60, stale-if-error=10";
    // Expired ten seconds ago.
    for (section, stored, request, trouble, rules, rescued) in [
        ("RFC 5861 §4 no connection", plain, "", Network, &always, true),
        ("RFC 5861 §4 500", plain, "", status(500), &always, true),
        ("RFC 5861 §4 502", plain, "", status(502), &always, true),
        ("RFC 5861 §4 503", plain, "", status(503), &always, true),
        ("RFC 5861 §4 504", plain, "", status(504), &always, true),
        ("RFC 5861 §4 501 is an answer", plain, "", status(501), &always, false),
        ("401 is an answer", plain, "", status(401), &always, false),
        ("403 is an answer", plain, "", status(403), &always, false),
        ("404 is an answer", plain, "", status(404), &always, false),
        ("410 is an answer", plain, "", status(410), &always, false),
        ("429 is an answer", plain, "", status(429), &always, false),
        ("4.2.4 not by itself", plain, "", Network, &off, false),
        ("4.2.4 not by itself", plain, "", status(503), &off, false),
        ("RFC 5861 §4 the response says so", by_header, "", Network, &off, true),
        ("RFC 5861 §4 the response says so", by_header, "", status(503), &off, true),
        ("RFC 5861 §4 not that long", "cache-control: max-age=60, stale-if-error=9", "", status(503), &off, false),
        ("RFC 5861 §4 the request says so", plain, "cache-control: stale-if-error=10", status(503), &off, true),
        ("RFC 5861 §4 not that long", plain, "cache-control: stale-if-error=9", status(503), &off, false),
        ("RFC 5861 §4 malformed", plain, "cache-control: stale-if-error=x", status(503), &off, false),
        ("the session says so", plain, "", status(503), &quarter, true),
        ("the session says so, not that long", plain, "", status(503), &short, false),
        ("5.2.2.2 must-revalidate", "cache-control: max-age=60, must-revalidate", "", status(503), &always, false),
        ("5.2.2.2 must-revalidate", "cache-control: max-age=60, must-revalidate, stale-if-error=99", "", Network, &always, false),
        ("5.2.2.4 no-cache", "cache-control: max-age=60, no-cache | etag: \"1\"", "", Network, &always, false),
        ("5.2.1.4 request no-cache", plain, "cache-control: no-cache", Network, &always, false),
        ("5.4 pragma", plain, "pragma: no-cache", Network, &always, false),
    ] {
        let entry = Ask::get("").stored(200, stored, START);
        let ask = Ask::get(request);
        let hit = rescue(&ask.asked(), &entry, trouble, rules, at(70));
        assert_eq!(hit.is_some(), rescued, "§{section}: {stored}: {request}: {trouble:?}");
        assert!(hit.is_none_or(|hit| hit.stale == Some(StaleBecause::Error)), "§{section}");
    }
    let entry = Ask::get("").stored(200, "cache-control: max-age=60, must-revalidate", START);
    let hit = rescue(&Ask::get("").fresh(Freshness::Refresh).asked(), &entry, Network, &always, at(1));
    assert_eq!(hit.and_then(|hit| hit.stale), None, "still fresh: nothing stale about it");
    assert!(hit.is_some());
    assert!(rescue(&Ask::get("").fresh(Freshness::ForceRefresh).asked(), &entry, Network, &always, at(1)).is_none());
}

#[test]
fn invalidation() {
    const A: &str = "https://h.test/a";
    for (section, method, status, headers, expected) in [
        ("4.4 POST", "POST", 200, "", &[A][..]),
        ("4.4 PUT", "PUT", 204, "", &[A]),
        ("4.4 DELETE", "DELETE", 200, "", &[A]),
        ("4.4 PATCH", "PATCH", 200, "", &[A]),
        ("4.4 a method nobody knows", "FROB", 200, "", &[A]),
        ("4.4 created", "POST", 201, "", &[A]),
        ("4.4 redirected", "POST", 303, "", &[A]),
        ("4.4 refused", "POST", 404, "", &[]),
        ("4.4 failed", "POST", 500, "", &[]),
        ("4.4 safe", "GET", 200, "location: /b", &[]),
        ("4.4 safe", "HEAD", 200, "", &[]),
        ("4.4 safe", "OPTIONS", 200, "", &[]),
        ("4.4 safe", "TRACE", 200, "", &[]),
        ("4.4 location", "POST", 201, "location: /b?x=1", &[A, "https://h.test/b"]),
        ("4.4 location, relative", "POST", 201, "location: b", &[A, "https://h.test/b"]),
        ("4.4 location, absolute", "POST", 201, "location: HTTPS://H.test:443/b#c", &[A, "https://h.test/b"]),
        ("4.4 content-location", "PUT", 200, "content-location: /c", &[A, "https://h.test/c"]),
        ("4.4 both", "PUT", 200, "location: /b | content-location: /c", &[A, "https://h.test/b", "https://h.test/c"]),
        ("4.4 another host", "POST", 201, "location: https://evil.test/b", &[A]),
        ("4.4 another port", "POST", 201, "location: https://h.test:8443/b", &[A]),
        ("4.4 another scheme", "POST", 201, "content-location: http://h.test/b", &[A]),
        ("4.4 nonsense", "POST", 201, "location: http://[", &[A]),
    ] {
        let found = invalidated(
            &method.parse().unwrap(),
            &URL.parse().unwrap(),
            StatusCode::from_u16(status).unwrap(),
            &fields(headers),
        );
        assert_eq!(found, expected, "§{section}: {method} {status} {headers}");
    }
}

#[test]
#[rustfmt::skip]
fn what_a_write_says_may_answer_later_reads() {
    let fresh = "cache-control: max-age=60 | content-location: /a?q=1";
    for (section, method, request, status, response, kept) in [
        ("9110 §9.3.3", "POST", "", 200, fresh, true),
        ("5789 §2", "PATCH", "", 200, fresh, true),
        ("9110 §9.3.3 by Expires", "POST", "", 200, "expires: {+60} | content-location: https://h.test/a?q=1", true),
        ("9110 §9.3.3 not explicitly fresh", "POST", "", 200, "last-modified: {-9999} | content-location: /a?q=1", false),
        ("9110 §9.3.3 expired", "POST", "", 200, "expires: {-60} | content-location: /a?q=1", false),
        ("9110 §9.3.3 no Content-Location", "POST", "", 200, "cache-control: max-age=60", false),
        ("9110 §9.3.3 of something else", "POST", "", 200, "cache-control: max-age=60 | content-location: /a", false),
        ("9110 §8.7 of another origin", "POST", "", 200, "cache-control: max-age=60 | content-location: //x.test/a?q=1", false),
        ("9110 §9.3.4 PUT", "PUT", "", 200, fresh, false),
        ("9110 §9.3.5 DELETE", "DELETE", "", 200, fresh, false),
        ("9110 §15.3.2 its status would be false", "POST", "", 201, fresh, false),
        ("9111 §3 no-store", "POST", "", 200, "cache-control: max-age=60, no-store | content-location: /a?q=1", false),
        ("9111 §5.2.1.5 no-store", "POST", "cache-control: no-store", 200, fresh, false),
    ] {
        let ask = Ask::get(request).method(method);
        let headers = fields(response);
        let status = StatusCode::from_u16(status).unwrap();
        let received = Received { status, headers: &headers, request_time: START, response_time: START, complete: true };
        let entry = keep_written(&ask.asked(), &received, Identity::Anonymous, &ask.rules);
        assert_eq!(entry.as_ref().map(|entry| entry.method.as_str()), kept.then_some("GET"), "§{section}: {method}");
    }
}

#[test]
#[rustfmt::skip]
fn writes_to_inaturalist_outdate_the_listings() {
    let put = |url: &str| invalidated(&Method::PUT, &url.parse().unwrap(), StatusCode::OK, &HeaderMap::new());
    let api = "https://api.inaturalist.org";
    for (url, expected) in [
        ("/v1/observations/123", &["/v1/observations/123", "/v1/observations", "/v1/observations/species_counts", "/v1/observations/observers", "/v2/observations", "/v2/observations/123"][..]),
        ("/v2/observations/123/fave", &["/v2/observations/123", "/v1/observations", "/v2/observations/histogram"]),
        ("/v1/observation_photos", &["/v1/observation_photos", "/v1/observations", "/v2/observations"]),
        ("/v1/identifications/5", &["/v1/identifications", "/v1/identifications/categories", "/v1/observations"]),
        ("/v1/comments", &["/v1/comments", "/v1/observations"]),
        ("/v1/annotations/9/vote", &["/v1/annotations", "/v1/observations"]),
        ("/v1/projects/7/join", &["/v1/projects/7", "/v1/projects", "/v1/projects/autocomplete", "/v1/search"]),
        ("/v1/users/3", &["/v1/users/3", "/v1/users/me"]),
    ] {
        let found = put(&format!("{api}{url}"));
        for resource in expected {
            assert!(found.contains(&format!("{api}{resource}")), "{url}: {resource} in {found:?}");
        }
        assert!(!found.contains(&format!("{api}/v1/taxa")), "{url}");
    }
    let project = put(&format!("{api}/v1/projects/7"));
    assert!(!project.iter().any(|resource| resource.contains("observations")), "{project:?}");
    let site = put("https://www.inaturalist.org/observations/123.json");
    assert!(site.contains(&format!("{api}/v1/observations/123")), "{site:?}");
    let stand_in = put("http://127.0.0.1:8080/v1/observations/123");
    assert!(stand_in.contains(&"http://127.0.0.1:8080/v1/observations".to_owned()), "{stand_in:?}");
}

fn key(rules: &Rules, method: &str, url: &str, headers: &str, body: &str, identity: Identity) -> Key {
    let ask = Ask::get(headers).method(method).url(url);
    Key::of(&ask.asked(), body.as_bytes(), &identity, rules)
}

#[test]
fn keys() {
    let matching = Rules { match_headers: MatchHeaders::These(vec![http::header::ACCEPT]), ..Rules::default() };
    let all = Rules { match_headers: MatchHeaders::All, ..Rules::default() };
    let (library, http) = (Rules::default(), Rules::headers_only());
    const H: &str = "https://h.test/a";
    for (rules, one, other, same) in [
        (&library, "/a?b=2&a=1", "/a?a=1&b=2", true),
        (&http, "/a?b=2&a=1", "/a?a=1&b=2", false),
        (&library, "/a?a=1&a=2", "/a?a=2&a=1", false),
        (&library, "/a?a=1", "/a?a=1&a=1", false),
        (&library, "/a?a=", "/a", false),
        (&library, "/a?q=x&field:a=", "/a?q=x&field:b=", false),
        (&library, "/a?q=x&field:a=", "/a?q=x", false),
        (&library, "/a?id=1,2", "/a?id=1%2C2", true),
        (&library, "/a?id=1,2", "/a?id=2,1", false),
        (&library, "/a?q=a+b", "/a?q=a%20b", true),
        (&library, "/a?q=a%26b=c", "/a?q=a&b=c", false),
        (&library, "/a?ab=c", "/a?a=bc", false),
        (&http, "/a?id=1,2", "/a?id=1%2C2", false),
        (&library, "/%61", "/a", true),
        (&library, "/%2f", "/%2F", true),
        (&library, "/%2f", "//", false),
        (&library, "/a/", "/a", false),
        (&library, "/a#x", "/a", false),
        (&http, "/a#x", "/a", true),
        (&library, "/a?v=1", "/a?v=2", false),
        (&library, "/a?access_token=1", "/a?access_token=2", true),
        (&library, "/a?Access_Token=1", "/a?Access_Token=2", true),
        (&library, "/a?access_token=1", "/a", false),
    ] {
        let of = |path: &str| key(rules, "GET", &format!("https://h.test{path}"), "", "", Identity::Anonymous);
        assert_eq!(of(one) == of(other), same, "{one} and {other}");
    }
    for (one, other, same) in [
        ("https://h.test:443/a", "HTTPS://H.TEST/a", true),
        ("http://h.test/a", H, false),
        ("https://h.test:8443/a", H, false),
        ("https://me@h.test/a", H, false),
        ("https://api.inaturalist.org/v1/taxa?v=1&ttl=-1&q=x", "https://api.inaturalist.org/v1/taxa?q=x", true),
        ("https://www.inaturalist.org/a?v=1", "https://www.inaturalist.org/a?v=2", true),
        ("https://www.inaturalist.org/a?v=1", "https://www.inaturalist.org/a", true),
        ("https://www.inaturalist.org/a?ttl=-1&v=1", "https://www.inaturalist.org/a", true),
        ("https://h.test/a?", "https://h.test/a", true),
        ("https://h.test/a?v=1", "https://h.test/a", false),
        ("https://api.inaturalist.org.evil/a?v=1", "https://api.inaturalist.org.evil/a?v=2", false),
    ] {
        let of = |url: &str| key(&library, "GET", url, "", "", Identity::Anonymous);
        assert_eq!(of(one) == of(other), same, "{one} and {other}");
    }
    let own_base = Rules { inat_hosts: vec!["127.0.0.1:8080".to_owned()], ..Rules::default() };
    let of = |url: &str| key(&own_base, "GET", url, "", "", Identity::Anonymous);
    assert_eq!(of("http://127.0.0.1:8080/v1/taxa?v=1"), of("http://127.0.0.1:8080/v1/taxa?v=2"));
    assert_ne!(of("http://127.0.0.1:8081/v1/taxa?v=1"), of("http://127.0.0.1:8081/v1/taxa?v=2"));

    let usual = key(&library, "GET", H, "", "", Identity::Anonymous);
    assert_eq!(key(&library, "HEAD", H, "", "", Identity::Anonymous), usual, "HEAD shares the key of GET");
    assert_ne!(key(&library, "POST", H, "", "", Identity::Anonymous), usual);
    assert_ne!(key(&library, "GET", H, "", "x", Identity::Anonymous), usual);
    assert_ne!(key(&library, "GET", H, "", "", Identity::of_token("t", START)), usual);
    assert_eq!(key(&library, "GET", H, "accept: a", "", Identity::Anonymous), usual);
    assert_ne!(
        key(&matching, "GET", H, "accept: a", "", Identity::Anonymous),
        key(&matching, "GET", H, "accept: b", "", Identity::Anonymous)
    );
    assert_ne!(
        key(&all, "GET", H, "x: a", "", Identity::Anonymous),
        key(&all, "GET", H, "x: b", "", Identity::Anonymous)
    );
    assert_eq!(
        key(&all, "GET", H, "authorization: a", "", Identity::Anonymous),
        key(&all, "GET", H, "authorization: b", "", Identity::Anonymous)
    );
    assert_ne!(
        key(&all, "GET", H, "authorization: a", "", Identity::Anonymous),
        key(&all, "GET", H, "", "", Identity::Anonymous)
    );
    assert_eq!(
        key(&all, "GET", H, "if-none-match: a", "", Identity::Anonymous),
        key(&all, "GET", H, "", "", Identity::Anonymous)
    );
}

#[test]
fn entries_show_their_url_normalised_and_masked() {
    let ask = Ask::get("")
        .rules(&Rules::default())
        .url("https://me:pw@API.inaturalist.org/v1/taxa?q=x&v=9&access_token=T0P&a=#top");
    let entry = ask.stored(200, "", START);
    assert_eq!(entry.url.as_str(), "https://api.inaturalist.org/v1/taxa?a=&access_token=[REDACTED]&q=x");
    assert_eq!(resource_of(entry.url.parsed().unwrap()), "https://api.inaturalist.org/v1/taxa");
}

#[test]
fn who_decides_about_the_lifetime() {
    let mut rules = Rules::default();
    let default = rules.clone();
    rules.lifetimes.patterns.push("h.test/a", secs(3));
    rules.lifetimes.session = Some(Lifetime::For(secs(1)));
    let mut no_headers = rules.clone();
    no_headers.lifetimes.cache_control = false;
    let session = Rules {
        lifetimes: inat_session::cache::Lifetimes { patterns: Patterns::default(), ..rules.lifetimes.clone() },
        ..rules.clone()
    };
    use LifetimeSource::{BuiltinPattern, Fallback, Headers, Request, Session, UserPattern};
    let request = Some(Lifetime::For(secs(2)));
    for (rules, lifetime, url, response, expected, source) in [
        (&rules, request, URL, "cache-control: max-age=300", 2, Request),
        (&rules, request, URL, "cache-control: no-cache", 2, Request),
        (&rules, None, URL, "cache-control: max-age=300", 300, Headers),
        (&rules, None, URL, "expires: {+9}", 9, Headers),
        (&rules, None, URL, "expires: 0 | etag: \"1\"", 0, Headers),
        (&no_headers, None, URL, "cache-control: max-age=300", 3, UserPattern),
        (&no_headers, Some(Lifetime::For(secs(5))), URL, "cache-control: max-age=300", 5, Request),
        (&rules, None, URL, "", 3, UserPattern),
        (&session, None, URL, "", 1, Session),
        (&default, None, URL, "", 1800, Fallback),
        (&default, None, URL, "last-modified: {-100000}", 1800, Fallback),
        (&session, None, "https://api.inaturalist.org/v1/taxa/1", "", 7 * 86_400, BuiltinPattern),
        (&default, None, "https://api.inaturalist.org/v1/taxa/autocomplete?q=x", "", 30 * 86_400, BuiltinPattern),
        (&default, None, "https://api.inaturalist.org/v2/places", "", 7 * 86_400, BuiltinPattern),
        (&default, None, "https://api.inaturalist.org/v1/observations", "", 1800, Fallback),
    ] {
        let mut ask = Ask::get("").rules(rules).url(url);
        ask.lifetime = lifetime;
        let entry = ask.stored(200, response, START);
        assert_eq!(
            (entry.policy.lifetime, entry.policy.source),
            (secs(expected), source),
            "{url} {lifetime:?} {response}"
        );
    }
    let photo =
        Ask::get("").rules(&default).url("https://static.inaturalist.org/photos/1/large.jpg").stored(200, "", START);
    assert!(photo.policy.flags.has(Flags::NEVER_EXPIRES));
    assert_eq!(photo.policy.fresh_for(at(1_000_000_000)), None);
}

#[test]
fn lifetimes_of_every_kind() {
    let library = Ask::get("").rules(&Rules::default());
    let until = library.clone().lifetime(at(50)).stored(200, "age: 1000", START);
    assert!(until.policy.is_fresh(at(49)) && !until.policy.is_fresh(at(50)), "the user's clock counts, not the age");
    let never = library.clone().lifetime(Lifetime::Never).stored(200, "cache-control: max-age=1", START);
    assert!(never.policy.is_fresh(at(1_000_000_000)));

    // Row 7 of the original's behaviour.
    let now = library.clone().lifetime(Lifetime::Immediately);
    assert_eq!(now.keep(&[], 200, "", START), Keep::Nothing(WhyNot::Unusable));
    let kept = now.stored(200, "etag: \"1\"", START);
    assert!(matches!(now.look(&[Arc::clone(&kept)], START), Lookup::Validate { .. }));
    let fresh = library.stored(200, "etag: \"1\"", START);
    assert!(matches!(now.look(&[Arc::clone(&fresh)], at(1)), Lookup::Validate { .. }), "also what is fresh");

    // Row 8: neither read nor written.
    let not = library.clone().lifetime(Lifetime::DoNotCache);
    assert_eq!(not.look(&[Arc::clone(&fresh)], at(1)), Lookup::Miss(MissReason::Bypass));
    assert_eq!(not.keep(&[], 200, "cache-control: max-age=60", START), Keep::Nothing(WhyNot::Bypass));
    let mut by_pattern = Rules::default();
    by_pattern.lifetimes.patterns.push("h.test", Lifetime::DoNotCache);
    let not = library.clone().rules(&by_pattern);
    assert_eq!(not.look(&[fresh], at(1)), Lookup::Miss(MissReason::Bypass));
    assert_eq!(not.keep(&[], 200, "cache-control: max-age=60", START), Keep::Nothing(WhyNot::Bypass));

    // The server's no-store wins over everybody.
    for lifetime in [Lifetime::Never, Lifetime::For(secs(9))] {
        let kept = library.clone().lifetime(lifetime).keep(&[], 200, "cache-control: no-store", START);
        assert_eq!(kept, Keep::Nothing(WhyNot::NoStore));
    }
    // Tokens are no cache's business.
    for url in ["https://www.inaturalist.org/users/api_token", "https://www.inaturalist.org/oauth/token"] {
        let kept = library.clone().url(url).keep(&[], 200, "cache-control: max-age=60", START);
        assert_eq!(kept, Keep::Nothing(WhyNot::Bypass), "{url}");
    }
}

#[test]
fn a_304_renews_lifetimes_of_the_user_too() {
    let mut rules = Rules::default();
    rules.lifetimes.patterns.push("h.test/a", secs(60));
    let ask = Ask::get("").rules(&rules);
    let entry = ask.stored(200, "etag: \"1\"", START);
    let Keep::Freshen { entry, .. } = ask.validated(&[entry], "etag: \"1\"", at(100)) else { panic!("freshened") };
    assert!(entry.policy.is_fresh(at(159)) && !entry.policy.is_fresh(at(160)));
    assert_eq!(entry.policy.source, LifetimeSource::UserPattern);
}

#[test]
fn what_a_request_says_about_freshness() {
    let rules = Rules::default();
    let ask = Ask::get("").rules(&rules);
    let plain = ask.stored(200, "cache-control: max-age=60", START);
    let tagged = ask.stored(200, "cache-control: max-age=60 | etag: \"1\"", START);
    let immutable = Ask::get("").stored(200, "cache-control: max-age=60, immutable | etag: \"1\"", START);
    let refresh = ask.clone().fresh(Freshness::Refresh);
    let validation = |lookup: Lookup| match lookup {
        Lookup::Validate { conditions, .. } => conditions,
        other => panic!("{other:?}"),
    };
    // Rows 11 and 12.
    assert_eq!(validation(refresh.look(&[Arc::clone(&plain)], at(1))), fields("cache-control: max-age=0"));
    assert_eq!(
        validation(refresh.look(&[Arc::clone(&tagged)], at(1))),
        fields("if-none-match: \"1\" | cache-control: max-age=0")
    );
    assert_eq!(outcome(&refresh.look(&[Arc::clone(&immutable)], at(1))), Fresh, "RFC 8246 §2");
    assert_eq!(outcome(&refresh.look(&[immutable], at(61))), Asks, "RFC 8246 §2");
    // Row 13.
    let force = ask.clone().fresh(Freshness::ForceRefresh);
    assert_eq!(validation(force.look(&[Arc::clone(&tagged)], at(1))), fields("cache-control: no-cache"));
    assert_eq!(validation(force.look(&[], at(1))), fields("cache-control: no-cache"));
    let force = Ask::get("cache-control: no-transform").fresh(Freshness::ForceRefresh);
    assert_eq!(validation(force.look(&[], at(1))), fields("cache-control: no-transform, no-cache"));
    // Rows 14 and 15.
    let only = ask.clone().fresh(Freshness::OnlyIfCached);
    assert_eq!(only.look(&[], START), Lookup::Refused(MissReason::Uri));
    assert_eq!(outcome(&only.look(&[Arc::clone(&plain)], at(1))), Fresh);
    assert_eq!(outcome(&only.look(&[Arc::clone(&plain)], at(61))), Outcome::Stale(StaleBecause::OnlyIfCached));
    assert_eq!(outcome(&only.clone().rules(&Rules::headers_only()).look(&[Arc::clone(&plain)], at(61))), Refused);
    let session = Rules { only_if_cached: true, ..Rules::default() };
    assert_eq!(outcome(&refresh.clone().rules(&session).look(&[Arc::clone(&plain)], at(1))), Fresh, "it beats refresh");
    let strict = ask.stored(200, "cache-control: max-age=60, must-revalidate", START);
    assert_eq!(outcome(&only.look(&[strict], at(61))), Refused, "§5.2.2.2");

    let always = Rules { always_revalidate: true, ..Rules::default() };
    assert_eq!(outcome(&ask.clone().rules(&always).look(&[tagged], at(1))), Asks);
    assert_eq!(outcome(&ask.clone().rules(&always).look(&[Arc::clone(&plain)], at(1))), Fresh);
    let background = Rules { stale_while_revalidate: Stale::For(secs(10)), ..Rules::default() };
    assert_eq!(outcome(&ask.clone().rules(&background).look(&[Arc::clone(&plain)], at(70))), REVALIDATING);
    assert_eq!(outcome(&ask.clone().rules(&background).look(&[Arc::clone(&plain)], at(71))), Asks);
    let disabled = Rules { disabled: true, ..Rules::default() };
    assert_eq!(ask.rules(&disabled).look(&[plain], at(1)), Lookup::Miss(MissReason::Bypass));
}

#[test]
fn rows_6_18_19_26_of_the_original() {
    let ask = Ask::get("").rules(&Rules::default());
    let forever = ask.stored(200, "cache-control: immutable, max-age=60", START);
    assert!(forever.policy.flags.has(Flags::NEVER_EXPIRES), "row 6: immutable never expires");
    for expires in ["0", "-1"] {
        let entry = ask.stored(200, &format!("expires: {expires}"), START);
        assert_eq!(outcome(&ask.look(&[entry], START)), Asks, "row 6: expires {expires}");
    }
    let entry = ask.stored(200, "cache-control: max-age=20", START);
    for (request, expected, now) in [
        ("cache-control: max-stale=15", MAX_STALE, 30),
        ("cache-control: max-stale=5", Asks, 30),
        ("cache-control: min-fresh=5", Fresh, 10),
        ("cache-control: min-fresh=15", Asks, 10),
    ] {
        assert_eq!(
            outcome(&Ask::get(request).rules(&Rules::default()).look(&[Arc::clone(&entry)], at(now))),
            expected,
            "row 19: {request}"
        );
    }
    let two = Rules { allowable_codes: Some(vec![StatusCode::OK, StatusCode::NOT_FOUND]), ..Rules::default() };
    let ask = ask.rules(&two);
    assert_eq!(outcome(&ask.look(&[ask.stored(404, "", START)], at(1))), Fresh, "row 26");
    assert_eq!(ask.keep(&[], 500, "cache-control: max-age=60", START), Keep::Nothing(WhyNot::Status), "row 26");
    // Row 54
    let entry = ask.stored(200, "cache-control: max-age=99999999999999", START);
    assert_eq!(entry.policy.lifetime, secs(1 << 31));
}

#[test]
fn patterns() {
    for (pattern, url, matches) in [
        ("*.site_1.com/resource", "https://img.site_1.com/resource/1", true),
        ("*.site_1.com/resource", "https://img.site_1.com/image.jpeg", false),
        ("*.site_1.com", "https://img.site_1.com/image.jpeg", true),
        ("*.site_1.com", "https://site_2.com/", false),
        ("*", "https://anything/at/all?x", true),
        ("site_2.com/static", "http://site_2.com/static/img.jpg", true),
        ("site_2.com/static", "http://site_2.com", false),
        ("http://site_2.com/static", "https://site_2.com/static/img.jpg", true),
        ("site_2.com", "http://site_2.com/a?b", true),
        ("site_2.com", "http://site_2.com:8080/a", true),
        ("site_2.com", "http://site_2.com.evil/a", false),
        ("site_2.com*", "http://site_2.com.evil/a", true),
        ("site_2.com:8080", "http://site_2.com:8080/a", true),
        ("site_2.com:808", "http://site_2.com:8080/a", false),
        ("Site_2.COM/a", "http://site_2.com/a", true),
        ("site_2.com/A", "http://site_2.com/a", false),
        ("site_2.com", "http://site_2.com:x@evil.test/a", false),
        ("a.b/x?y=1", "http://a.b/xZy=1", true),
        ("a.b/x?y=1", "http://a.b/x?y=1&z", true),
        ("a.b/[0-9]", "http://a.b/7", true),
        ("a.b/[0-9]", "http://a.b/x", false),
        ("a.b/[!0-9]", "http://a.b/x", true),
        ("a.b/[]]", "http://a.b/]", true),
        ("a.b/[x", "http://a.b/[x", true),
        ("api.inaturalist.org/v*/taxa*", "https://api.inaturalist.org/v1/taxa/1", true),
        ("api.inaturalist.org/v*/taxa*", "https://api.inaturalist.org/v1/observations?taxa=/taxa/", true),
        ("api.inaturalist.org/*autocomplete", "https://api.inaturalist.org/v1/taxa/autocomplete?q=x", true),
        ("a*b*c*d", "http://a1b2c3e/", false),
        ("", "http://a/", false),
    ] {
        assert_eq!(Glob::new(pattern).matches(&url.parse().unwrap()), matches, "{pattern} and {url}");
    }
    let hard = Glob::new(&"a*".repeat(40));
    let url = format!("http://h/{}", "a".repeat(2000)).parse().unwrap();
    assert!(!hard.matches(&url), "and it is quick about it");
    // Row 2: the first that matches decides.
    let all: Patterns =
        [("*.site_1.com/resource", secs(7200)), ("*.site_1.com", secs(3600)), ("*", secs(1))].into_iter().collect();
    for (url, expected) in
        [("img.site_1.com/resource/1", 7200), ("img.site_1.com/image.jpeg", 3600), ("other.test/", 1)]
    {
        let url = format!("https://{url}").parse().unwrap();
        assert_eq!(all.find(&url), Some(Lifetime::For(secs(expected))), "{url}");
    }
}

#[test]
fn reasons_are_words_of_rfc_9211() {
    use MissReason::{Bypass, Method, Partial, Request, Stale, Uri, Vary};
    let words: Vec<_> = [Bypass, Method, Uri, Vary, Request, Stale, Partial].map(|reason| reason.to_string()).into();
    assert_eq!(words, ["bypass", "method", "uri-miss", "vary-miss", "request", "stale", "partial"]);
}

#[test]
fn defect_01_directives_in_any_letter_case() {
    assert_eq!(Ask::get("").keep(&[], 200, "cache-control: No-Store", START), Keep::Nothing(WhyNot::NoStore));
    assert_eq!(Ask::get("").stored(200, "cache-control: Max-Age=100", START).policy.lifetime, secs(100));
}

#[test]
fn defect_02_no_cache_is_not_served_to_max_stale() {
    let entry = Ask::get("").stored(200, "cache-control: no-cache, max-age=100 | etag: \"1\"", START);
    assert_eq!(outcome(&Ask::get("cache-control: max-stale").look(&[entry], at(1))), Asks);
}

#[test]
fn defect_03_a_304_keeps_both_lines_of_vary() {
    let ask = Ask::get("accept: a | accept-language: de");
    let entry = ask.stored(200, "etag: \"1\" | vary: accept | vary: accept-language | cache-control: max-age=9", START);
    for answer in ["vary: accept | vary: accept-language", ""] {
        let answer = format!("etag: \"1\" | cache-control: max-age=60 | {answer}");
        let Keep::Freshen { entry, .. } = ask.validated(&[Arc::clone(&entry)], &answer, at(10)) else { panic!() };
        let other = Ask::get("accept: b | accept-language: de");
        assert_eq!(outcome(&other.look(&[Arc::new(*entry)], at(11))), Asks);
    }
}

#[test]
fn defect_04_repeated_fields_stay_repeated() {
    let entry =
        Ask::get("").stored(200, "link: </1> | link: </2> | set-cookie: a | set-cookie: b | etag: \"1\"", START);
    let answered = Ask::get("").answer(&entry, b"", START);
    assert_eq!(answered.headers.get_all("link").iter().count(), 2);
    assert_eq!(answered.headers.get_all("set-cookie").iter().count(), 2);
}

#[test]
fn defect_05_a_304_brings_a_lifetime() {
    let entry = Ask::get("").stored(200, "etag: \"1\"", START);
    let Keep::Freshen { entry, .. } =
        Ask::get("").validated(&[entry], "etag: \"1\" | cache-control: max-age=100", at(5))
    else {
        panic!()
    };
    assert_eq!(entry.policy.lifetime, secs(100));
}

#[test]
fn defect_06_a_bare_304_is_accepted_where_there_is_no_doubt() {
    for stored in ["last-modified: {-1000}", "etag: \"1\"", "etag: W/\"1\" | last-modified: {-1000}"] {
        let entry = Ask::get("").stored(200, stored, START);
        let kept = Ask::get("").validated(&[entry], "", at(90_000));
        assert!(matches!(kept, Keep::Freshen { .. }), "{stored}: {kept:?}");
    }
}

#[test]
fn defect_07_date_and_delay_count_as_age() {
    let entry = Ask::get("").stored(200, "date: {-50} | cache-control: max-age=100", START);
    assert_eq!(entry.policy.age(START), secs(50));
}

#[test]
fn defect_08_the_origins_date_stays_and_old_formats_are_read() {
    let entry =
        Ask::get("").stored(200, "date: Thursday, 01-Jan-26 00:00:00 GMT | expires: Thu Jan  1 00:01:00 2026", START);
    assert_eq!(entry.headers["date"], "Thursday, 01-Jan-26 00:00:00 GMT");
    assert_eq!(entry.policy.lifetime, secs(60));
}

#[test]
fn defect_09_no_split_inside_quotes() {
    let entry = Ask::get("").stored(200, "cache-control: private=\"x, no-store, y\", max-age=60", START);
    assert_eq!(entry.policy.lifetime, secs(60));
}

#[test]
fn defect_10_conflicts_lists_and_overflow() {
    let lifetime = |text: &str| Ask::get("").stored(200, text, START).policy.lifetime;
    assert_eq!(lifetime("cache-control: max-age=100, max-age=0"), secs(0));
    assert_eq!(lifetime("cache-control: max-age=99999999999999999999"), secs(1 << 31));
    let entry = Ask::get("").stored(200, "age: 10, 20 | cache-control: max-age=100", START);
    assert_eq!(entry.policy.age(START), secs(10));
}

#[test]
fn defect_11_head_is_served_from_get_and_freshens_it() {
    let entry = Ask::get("").stored(200, "etag: \"1\" | cache-control: max-age=60", START);
    let head = Ask::get("").method("HEAD");
    assert_eq!(outcome(&head.look(&[Arc::clone(&entry)], at(1))), Fresh);
    assert!(matches!(head.keep(&[entry], 200, "etag: \"1\"", at(99)), Keep::Update(_)));
}

#[test]
fn defect_12_statuses_with_explicit_permission() {
    for (status, response) in
        [(200, "cache-control: must-understand, no-store, max-age=60"), (302, "cache-control: private, max-age=60")]
    {
        assert!(matches!(Ask::get("").keep(&[], status, response, START), Keep::Store(_)), "{status} {response}");
    }
}

#[test]
fn defect_13_no_cache_with_fields_is_not_bare() {
    let ask = Ask::get("");
    let entry = ask.stored(200, "cache-control: no-cache=\"set-cookie\", max-age=60 | set-cookie: a", START);
    assert_eq!(outcome(&ask.look(&[Arc::clone(&entry)], at(1))), Fresh);
    assert!(!ask.answer(&entry, b"", at(1)).headers.contains_key("set-cookie"));
}

#[test]
fn defect_14_heuristics_have_a_cap() {
    let entry = Ask::get("").stored(200, "last-modified: Fri, 01 Jan 2016 00:00:00 GMT", START);
    assert_eq!(entry.policy.lifetime, secs(86_400));
}

#[test]
fn defect_15_s_maxage_is_not_for_a_private_cache() {
    let entry = Ask::get("").stored(200, "cache-control: s-maxage=0, max-age=60", START);
    assert_eq!(outcome(&Ask::get("").look(&[entry], at(1))), Fresh);
}

#[test]
fn defect_16_stale_directives_and_only_if_cached() {
    let entry = Ask::get("").stored(200, "cache-control: max-age=1, stale-while-revalidate=9, stale-if-error=9", START);
    assert_eq!(outcome(&Ask::get("").look(&[Arc::clone(&entry)], at(5))), REVALIDATING);
    assert!(rescue(&Ask::get("").asked(), &entry, Trouble::Network, &Rules::headers_only(), at(5)).is_some());
    assert_eq!(outcome(&Ask::get("cache-control: only-if-cached").look(&[], at(5))), Refused);
}

#[test]
fn defect_17_no_request_field_is_stored() {
    let entry =
        Ask::get("authorization: T0PSECRET | x-mine: T0PSECRET").stored(200, "cache-control: max-age=60", START);
    assert!(!format!("{entry:?}").contains("T0PSECRET"));
}

#[test]
fn defect_18_invalidation_parts_and_ranges() {
    assert!(!invalidated(&Method::PUT, &URL.parse().unwrap(), StatusCode::OK, &HeaderMap::new()).is_empty());
    assert!(matches!(partial("bytes 0-1/9", "etag: \"1\""), Keep::Store(_)));
    let entry = Ask::get("").stored(200, "cache-control: max-age=60", START);
    assert_eq!(Ask::get("range: bytes=1-2").answer(&entry, b"012", at(1)).status, 206);
}
