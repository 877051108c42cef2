//! Arbitrary fields on both sides of one exchange: nothing may panic, and three promises have to hold whatever they say.
#![no_main]

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use inat_session::cache::{self, Asked, Flags, Identity, Keep, Lookup, Received, Rules};
use inat_session::{Freshness, Timestamp};
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let status = StatusCode::from_u16(200 + u16::from(data.first().copied().unwrap_or(0))).unwrap_or(StatusCode::OK);
    let request = fields(lines.by_ref().take(4));
    let response = fields(lines);
    let url = Url::parse("https://api.inaturalist.org/v1/taxa?q=a").expect("a constant");
    let asked = Asked { method: &Method::GET, url: &url, headers: &request, freshness: Freshness::Normal, lifetime: None };
    let sent_at = Timestamp::from_secs(1_767_225_600);
    let received = Received {
        status,
        headers: &response,
        request_time: sent_at,
        response_time: sent_at.plus(Duration::from_secs(1)),
        complete: true,
    };
    for rules in [Rules::default(), Rules::headers_only()] {
        let Keep::Store(entry) = cache::keep(&asked, &request, &[], &received, Identity::Anonymous, &rules) else { continue };
        let directives: Vec<String> = response
            .get_all("cache-control")
            .iter()
            .map(|line| String::from_utf8_lossy(line.as_bytes()).to_ascii_lowercase())
            .collect();
        // A promise about the plain shapes; quoting and `must-understand` have tables of their own.
        assert!(!directives.iter().any(|line| line == "no-store"), "no-store was stored");
        let entries = [Arc::from(entry)];
        let mut age = Duration::ZERO;
        for seconds in [1, 60, 3_600, 86_400, 40_000_000] {
            let now = sent_at.plus(Duration::from_secs(seconds));
            if let Lookup::Hit(hit) = cache::look(&asked, &entries, &rules, now) {
                assert!(hit.age >= age, "an age went back");
                age = hit.age;
                let flags = entries[0].policy.flags;
                assert!(!flags.has(Flags::NO_CACHE), "no-cache was used without validation");
                assert!(hit.stale.is_none() || !flags.has(Flags::MUST_REVALIDATE), "must-revalidate was served stale");
            }
        }
    }
});

fn fields<'a>(lines: impl Iterator<Item = &'a [u8]>) -> HeaderMap {
    const NAMES: [&str; 12] = [
        "cache-control", "expires", "date", "age", "vary", "etag", "last-modified", "pragma", "if-none-match", "range",
        "content-range", "connection",
    ];
    let mut fields = HeaderMap::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let name = HeaderName::from_static(NAMES[usize::from(line[0]) % NAMES.len()]);
        if let Ok(value) = HeaderValue::from_bytes(&line[1..]) {
            fields.append(name, value);
        }
    }
    fields
}
