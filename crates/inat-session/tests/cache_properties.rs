//! What holds for the cache whatever servers and callers say.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use inat_session::cache::{
    Asked, Entry, Glob, Identity, Keep, Key, Lookup, Part, Received, Rules, Stale, Trouble, answer, invalidated, keep,
    look, rescue, resource_of, splice,
};
use inat_session::{Freshness, Lifetime, Timestamp};
use proptest::prelude::*;
use url::Url;

const START: Timestamp = Timestamp::from_secs(1_767_225_600);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(START.as_secs().saturating_add(seconds))
}

fn url() -> Url {
    "https://h.test/a?b=1".parse().unwrap()
}

fn asked<'a>(method: &'a Method, url: &'a Url, headers: &'a HeaderMap, how: How) -> Asked<'a> {
    Asked { method, url, headers, freshness: how.0, lifetime: how.1 }
}

/// The freshness and the lifetime a request asks for.
type How = (Freshness, Option<Lifetime>);

const USUAL: How = (Freshness::Normal, None);

fn received(status: u16, headers: &HeaderMap, at: Timestamp) -> Received<'_> {
    let status = StatusCode::from_u16(status).unwrap();
    Received { status, headers, request_time: at, response_time: at, complete: true }
}

fn store(request: &HeaderMap, headers: &HeaderMap, rules: &Rules) -> Option<Arc<Entry>> {
    let (method, url) = (Method::GET, url());
    let asked = asked(&method, &url, request, USUAL);
    match keep(&asked, request, &[], &received(200, headers, START), Identity::Anonymous, rules) {
        Keep::Store(entry) => Some(Arc::new(*entry)),
        _ => None,
    }
}

fn headers(lines: &[(&'static str, String)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.append(*name, value);
        }
    }
    headers
}

/// Directives as servers and clients write them, right and wrong.
fn directive() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("max-age"),
        Just("s-maxage"),
        Just("private"),
        Just("public"),
        Just("immutable"),
        Just("proxy-revalidate"),
        Just("stale-if-error"),
        Just("stale-while-revalidate"),
        Just("max-stale"),
        Just("min-fresh"),
        Just("foo"),
        Just("must-understand-not"),
        Just("only-if-cached")
    ];
    let argument = prop_oneof![
        Just(String::new()),
        (0u64..10_000_000_000).prop_map(|n| format!("={n}")),
        (0u32..1000).prop_map(|n| format!("=\"{n}\"")),
        "=[a-z\"\\\\ ]{0,6}",
        "=\"[a-z, =-]{0,12}\"",
    ];
    (name, argument).prop_map(|(name, argument)| format!("{name}{argument}"))
}

fn in_any_case(name: &'static str) -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<bool>(), name.len()).prop_map(move |upper| {
        name.chars().zip(upper).map(|(c, upper)| if upper { c.to_ascii_uppercase() } else { c }).collect()
    })
}

/// `Cache-Control` lines that hold `name` somewhere as a directive of its own, among others. What stands before it has no
/// stray quotes, which could make it part of a quoted string.
fn lines_with(name: &'static str) -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let others = || proptest::collection::vec(directive(), 0..4);
    (others(), in_any_case(name), others(), any::<bool>()).prop_map(|(mut before, own, after, apart)| {
        before.retain(|directive| directive.matches('"').count() % 2 == 0 && !directive.contains('\\'));
        if apart {
            vec![("cache-control", before.join(", ")), ("cache-control", [vec![own], after].concat().join(" ,"))]
        } else {
            vec![("cache-control", [before, vec![own], after].concat().join(", "))]
        }
    })
}

fn some_rules() -> impl Strategy<Value = Rules> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(library, always, cache_control, only, revalidate)| {
            let mut rules = if library { Rules::default() } else { Rules::headers_only() };
            if always {
                rules.stale_if_error = Stale::Always;
                rules.stale_while_revalidate = Stale::Always;
            }
            rules.lifetimes.cache_control = cache_control;
            rules.lifetimes.session = Some(Lifetime::Never);
            rules.only_if_cached = only;
            rules.always_revalidate = revalidate;
            rules
        },
    )
}

fn lifetime() -> impl Strategy<Value = Option<Lifetime>> {
    prop_oneof![
        Just(None),
        Just(Some(Lifetime::Never)),
        Just(Some(Lifetime::Immediately)),
        any::<Duration>().prop_map(|duration| Some(Lifetime::For(duration))),
        any::<i64>().prop_map(|micros| Some(Lifetime::Until(Timestamp::from_micros(micros)))),
    ]
}

fn freshness() -> impl Strategy<Value = Freshness> {
    prop_oneof![
        Just(Freshness::Normal),
        Just(Freshness::Refresh),
        Just(Freshness::ForceRefresh),
        Just(Freshness::OnlyIfCached)
    ]
}

/// Any fields caches care about, with any bytes in them.
fn any_fields() -> impl Strategy<Value = HeaderMap> {
    let name = prop_oneof![
        Just("cache-control"),
        Just("expires"),
        Just("date"),
        Just("age"),
        Just("pragma"),
        Just("vary"),
        Just("etag"),
        Just("last-modified"),
        Just("range"),
        Just("if-range"),
        Just("if-none-match"),
        Just("if-modified-since"),
        Just("content-range"),
        Just("content-length"),
        Just("connection"),
        Just("accept-language"),
        Just("location"),
        Just("x-http-method-override")
    ];
    let value = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        "[a-zA-Z0-9\"\\\\,;=*/ -]{0,40}".prop_map(String::into_bytes),
        directive().prop_map(String::into_bytes),
        Just(b"Thu, 01 Jan 2026 00:00:00 GMT".to_vec()),
        Just(b"bytes 0-1/9".to_vec()),
        Just(b"bytes=0-1".to_vec()),
        Just(b"\"1\"".to_vec()),
    ];
    proptest::collection::vec((name, value), 0..8).prop_map(|lines| {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(name, value);
            }
        }
        headers
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_store_is_never_stored(
        lines in lines_with("no-store"), rules in some_rules(), lifetime in lifetime(), status in 200u16..600, etag in any::<bool>(),
    ) {
        let mut fields = headers(&lines);
        if etag {
            fields.append("etag", HeaderValue::from_static("\"1\""));
            fields.append("content-range", HeaderValue::from_static("bytes 0-1/9"));
        }
        let (method, url) = (Method::GET, url());
        for request in [headers(&[]), headers(&[("range", "bytes=0-1".to_owned())])] {
            let asked = asked(&method, &url, &request, (Freshness::Normal, lifetime));
            let kept = keep(&asked, &request, &[], &received(status, &fields, START), Identity::Anonymous, &rules);
            prop_assert!(!matches!(kept, Keep::Store(_) | Keep::Combine { .. } | Keep::Freshen { .. }), "{kept:?}");
        }
    }

    #[test]
    fn no_store_in_a_request_stores_nothing(lines in lines_with("no-store"), rules in some_rules(), lifetime in lifetime()) {
        let (method, url, request) = (Method::GET, url(), headers(&lines));
        let fields = headers(&[("cache-control", "max-age=60".to_owned()), ("etag", "\"1\"".to_owned())]);
        let asked = asked(&method, &url, &request, (Freshness::Normal, lifetime));
        let kept = keep(&asked, &request, &[], &received(200, &fields, START), Identity::Anonymous, &rules);
        prop_assert!(matches!(kept, Keep::Nothing(_)), "{kept:?}");
    }

    #[test]
    fn no_cache_is_never_reused_unvalidated(
        lines in lines_with("no-cache"), request in any_fields(), mut rules in some_rules(), how in freshness(), after in 0i64..100_000,
    ) {
        rules.lifetimes.cache_control = true;
        let mut fields = headers(&lines);
        fields.append("etag", HeaderValue::from_static("\"1\""));
        if let Some(entry) = store(&HeaderMap::new(), &fields, &rules) {
            let (method, url) = (Method::GET, url());
            let asked = asked(&method, &url, &request, (how, None));
            prop_assert!(!matches!(look(&asked, &[Arc::clone(&entry)], &rules, at(after)), Lookup::Hit(_)));
            prop_assert_eq!(rescue(&asked, &entry, Trouble::Network, &rules, at(after)), None);
        }
    }

    #[test]
    fn nothing_is_served_stale_under_must_revalidate(
        lines in lines_with("must-revalidate"), request in any_fields(), rules in some_rules(), how in freshness(), after in 0i64..20_000_000_000,
    ) {
        let mut fields = headers(&lines);
        fields.append("etag", HeaderValue::from_static("\"1\""));
        if let Some(entry) = store(&HeaderMap::new(), &fields, &rules) {
            let (method, url) = (Method::GET, url());
            let asked = asked(&method, &url, &request, (how, None));
            let found = look(&asked, &[Arc::clone(&entry)], &rules, at(after));
            let rescued = rescue(&asked, &entry, Trouble::Network, &rules, at(after));
            let served = match found { Lookup::Hit(hit) => Some(hit), _ => None };
            for hit in served.into_iter().chain(rescued) {
                prop_assert_eq!(hit.stale, None);
                prop_assert!(entry.policy.is_fresh(at(after)));
            }
        }
    }

    #[test]
    fn age_never_goes_back_and_what_is_stale_stays_stale(fields in any_fields(), steps in proptest::collection::vec(0i64..1_000_000_000, 1..20)) {
        if let Some(entry) = store(&HeaderMap::new(), &fields, &Rules::headers_only()) {
            let (mut now, mut age, mut fresh) = (0i64, Duration::ZERO, true);
            for step in steps {
                now += step;
                let next = entry.policy.age(at(now));
                prop_assert!(next >= age);
                prop_assert!(next >= Duration::from_secs(now.unsigned_abs()), "at least the time it was kept");
                prop_assert!(fresh || !entry.policy.is_fresh(at(now)));
                (age, fresh) = (next, entry.policy.is_fresh(at(now)));
            }
        }
    }

    #[test]
    fn nothing_panics_and_what_is_served_fits(
        request in any_fields(), first in any_fields(), second in any_fields(), rules in some_rules(), how in freshness(),
        lifetime in lifetime(), statuses in (100u16..1000, 100u16..1000), now in any::<i64>(), body in proptest::collection::vec(any::<u8>(), 0..20),
    ) {
        let url = url();
        let now = Timestamp::from_micros(now);
        let body = Bytes::from(body);
        for method in [Method::GET, Method::HEAD, Method::POST] {
            let asked = asked(&method, &url, &request, (how, lifetime));
            let mut variants = Vec::new();
            for (status, fields) in [(statuses.0, &first), (206, &first), (200, &first)] {
                match keep(&asked, &request, &variants, &received(status, fields, START), Identity::Anonymous, &rules) {
                    Keep::Store(entry) => variants.push(Arc::new(*entry)),
                    Keep::Combine { index, part, .. } => drop(splice(&variants[index], &body, part, &body)),
                    _ => {}
                }
            }
            let mut sent = request.clone();
            match look(&asked, &variants, &rules, now) {
                Lookup::Hit(hit) => prop_assert!(hit.index < variants.len()),
                Lookup::Validate { conditions, fallback, .. } => {
                    prop_assert!(fallback.is_none_or(|index| index < variants.len()));
                    sent.extend(conditions);
                }
                _ => {}
            }
            for status in [statuses.1, 304, 200, 206] {
                match keep(&asked, &sent, &variants, &received(status, &second, now), Identity::Anonymous, &rules) {
                    Keep::Freshen { index, also, .. } => {
                        prop_assert!(index < variants.len() && also.iter().all(|(other, _)| *other != index));
                    }
                    Keep::Combine { index, part, .. } => drop(splice(&variants[index], &body, part, &body)),
                    _ => {}
                }
            }
            for entry in &variants {
                let answered = answer(&asked, entry.clone(), body.clone(), now);
                // Whether the fields are copied or taken out shows nowhere.
                prop_assert_eq!(&answered, &answer(&asked, Arc::new(Entry::clone(entry)), body.clone(), now));
                prop_assert!(answered.body.len() <= body.len());
                prop_assert_eq!(answered.headers.get_all("age").iter().count(), 1);
                let _ = rescue(&asked, entry, Trouble::Status(StatusCode::BAD_GATEWAY), &rules, now);
            }
            let _ = invalidated(&method, &url, StatusCode::OK, &second);
        }
    }

    #[test]
    fn identities_never_share_a_key(one in "[a-z.]{0,12}", other in "[a-z.]{0,12}", url in "[a-z0-9/?&=%]{0,20}") {
        let url: Url = format!("https://h.test/{url}").parse().unwrap();
        let (method, none) = (Method::GET, HeaderMap::new());
        let asked = asked(&method, &url, &none, USUAL);
        let identities = [
            Identity::Anonymous, Identity::of_token(&one, START), Identity::of_credentials(one.as_bytes()), Identity::of_token(&other, START),
        ];
        for rules in [Rules::default(), Rules::headers_only()] {
            for (i, a) in identities.iter().enumerate() {
                for b in &identities[i + 1..] {
                    prop_assert_eq!(Key::of(&asked, b"", a, &rules) == Key::of(&asked, b"", b, &rules), a == b);
                }
            }
        }
    }

    #[test]
    fn the_order_of_parameters_does_not_matter_to_the_library(
        pairs in proptest::collection::btree_map("[a-z%+]{1,4}", "[a-z0-9%+]{0,4}", 1..6), seed in any::<u64>(),
    ) {
        let key = |pairs: &[String]| {
            let url: Url = format!("https://h.test/a?{}", pairs.join("&")).parse().unwrap();
            let (method, none) = (Method::GET, HeaderMap::new());
            Key::of(&asked(&method, &url, &none, USUAL), b"", &Identity::Anonymous, &Rules::default())
        };
        let mut texts: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let names: std::collections::BTreeSet<_> =
            pairs.keys().map(|name| percent_encoding::percent_decode_str(&name.replace('+', " ")).collect::<Vec<u8>>()).collect();
        prop_assume!(names.len() == pairs.len());
        let sorted = key(&texts);
        fastrand::Rng::with_seed(seed).shuffle(&mut texts);
        prop_assert_eq!(key(&texts), sorted);
    }

    #[test]
    fn different_values_have_different_keys(one in "[a-z0-9&=]{0,8}", other in "[a-z0-9&=]{0,8}") {
        let key = |query: &str| {
            let url: Url = format!("https://h.test/a?{query}").parse().unwrap();
            let (method, none) = (Method::GET, HeaderMap::new());
            Key::of(&asked(&method, &url, &none, USUAL), b"", &Identity::Anonymous, &Rules::headers_only())
        };
        prop_assert_eq!(key(&one) == key(&other), one == other);
    }

    #[test]
    fn a_304_leaves_what_describes_the_body(fields in any_fields()) {
        const OF_THE_BODY: [&str; 3] = ["content-length", "content-encoding", "content-range"];
        // Without a coding: the body may have been decoded.
        let stored = headers(&[("etag", "\"1\"".to_owned()), ("content-length", "5".to_owned())]);
        let entry = store(&HeaderMap::new(), &stored, &Rules::headers_only()).unwrap();
        let mut answer = fields;
        answer.insert("etag", HeaderValue::from_static("\"1\""));
        answer.append("content-encoding", HeaderValue::from_static("br"));
        let sent = headers(&[("if-none-match", "\"1\"".to_owned())]);
        let (method, url, none) = (Method::GET, url(), HeaderMap::new());
        let asked = asked(&method, &url, &none, USUAL);
        let kept = keep(&asked, &sent, &[Arc::clone(&entry)], &received(304, &answer, at(1)), Identity::Anonymous, &Rules::headers_only());
        let Keep::Freshen { entry: fresh, .. } = kept else { return Err(TestCaseError::fail(format!("{kept:?}"))) };
        for name in OF_THE_BODY {
            let lines = |headers: &HeaderMap| headers.get_all(name).iter().cloned().collect::<Vec<_>>();
            prop_assert_eq!(lines(&fresh.headers), lines(&entry.headers), "{}", name);
        }
        prop_assert!(!fresh.headers.contains_key("age"));
    }

    #[test]
    fn ranges_are_slices(body in proptest::collection::vec(any::<u8>(), 1..50), from in 0usize..60, to in 0usize..60) {
        let entry = store(&HeaderMap::new(), &headers(&[("cache-control", "max-age=60".to_owned())]), &Rules::headers_only()).unwrap();
        let request = headers(&[("range", format!("bytes={from}-{to}"))]);
        let (method, url) = (Method::GET, url());
        let answered = answer(&asked(&method, &url, &request, USUAL), entry, Bytes::from(body.clone()), START);
        let expected: (u16, &[u8]) = if from > to {
            (200, &body)
        } else if from >= body.len() {
            (416, &[])
        } else {
            (206, &body[from..=to.min(body.len() - 1)])
        };
        prop_assert_eq!((answered.status.as_u16(), &answered.body[..]), expected);
    }

    #[test]
    fn spliced_parts_are_the_bytes_of_the_whole(whole in proptest::collection::vec(any::<u8>(), 1..40), ends in any::<[prop::sample::Index; 4]>()) {
        let end = |i: usize| ends[i].index(whole.len()) as u64;
        let part = |a: u64, b: u64| Part { first: a.min(b), last: a.max(b), whole: whole.len() as u64 };
        let (held, arrived) = (part(end(0), end(1)), part(end(2), end(3)));
        let bytes = |part: Part| Bytes::copy_from_slice(&whole[usize::try_from(part.first).unwrap()..=usize::try_from(part.last).unwrap()]);
        let mut entry = Entry::clone(&store(&HeaderMap::new(), &headers(&[("etag", "\"1\"".to_owned())]), &Rules::headers_only()).unwrap());
        entry.part = Some(held);
        let touch = held.first <= arrived.last + 1 && arrived.first <= held.last + 1;
        let both = Part { first: held.first.min(arrived.first), last: held.last.max(arrived.last), whole: held.whole };
        prop_assert_eq!(splice(&entry, &bytes(held), arrived, &bytes(arrived)), touch.then(|| bytes(both)));
    }

    #[test]
    fn lifetimes_read_back_as_they_are_written(seconds in 0u64..10_000_000, micros in 0u32..1_000_000) {
        let duration = Duration::new(seconds, micros * 1000);
        let lifetime = Lifetime::from(duration);
        prop_assert_eq!(lifetime.to_string().parse::<Lifetime>().unwrap(), lifetime);
    }

    #[test]
    fn texts_of_all_kinds_are_read_without_harm(text in any::<String>(), pattern in "[a-z*?\\[\\]!./-]{0,20}") {
        let _ = text.parse::<Lifetime>();
        let url = url();
        let _ = Glob::new(&text).matches(&url);
        let _ = Glob::new(&pattern).matches(&url);
        prop_assert!(Glob::new("*").matches(&url));
        prop_assert!(Glob::new("h.test/a").matches(&url));
        if let Ok(url) = Url::parse(&format!("https://h.test/{text}")) {
            prop_assert_eq!(resource_of(&url.clone()), resource_of(&resource_of(&url).parse().unwrap()));
        }
    }
}
