//! Entries and keys for the tests of the stores.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub, reason = "tests; not every one uses everything")]

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use inat_session::cache::{Asked, Entry, Flags, Identity, Key, LifetimeSource, Policy, Rules, Vary};
use inat_session::store::Store;
use inat_session::{Freshness, Timestamp};

pub const NOW: Timestamp = Timestamp::from_secs(1_767_225_600);

/// Keys whose first 60 bits differ.
pub fn key(number: u64) -> Key {
    let mut bytes = [0xAB; 32];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    Key::from_bytes(bytes)
}

/// The key of a request for a URL.
pub fn key_of(url: &str) -> Key {
    let (url, headers) = (url.parse().unwrap(), HeaderMap::new());
    let freshness = Freshness::Normal;
    let asked = Asked { method: &Method::GET, url: &url, headers: &headers, freshness, lifetime: None };
    Key::of(&asked, &[], &Identity::Anonymous, &Rules::default())
}

/// An entry that arrived at `NOW` and is fresh for an hour.
pub fn entry(url: &str) -> Entry {
    let mut headers = HeaderMap::new();
    headers.append("content-type", HeaderValue::from_static("application/json; charset=utf-8"));
    headers.append("x-odd", HeaderValue::from_bytes(b"caf\xe9").unwrap());
    headers.append("cache-control", HeaderValue::from_static("public"));
    headers.append("cache-control", HeaderValue::from_static("max-age=3600"));
    Entry {
        method: Method::GET,
        url: url.parse().unwrap(),
        identity: Identity::Anonymous,
        status: StatusCode::OK,
        headers,
        vary: Vary::default(),
        policy: Policy {
            request_time: NOW,
            response_time: NOW,
            initial_age: Duration::ZERO,
            lifetime: Duration::from_secs(3600),
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            source: LifetimeSource::Headers,
            flags: Flags::default(),
        },
        part: None,
    }
}

pub fn numbered(number: u64) -> Entry {
    entry(&format!("https://api.inaturalist.org/v1/taxa/{number}?n={number}"))
}

/// An entry selected by what the request said in `Accept-Language`.
pub fn in_language(url: &str, hash: u8) -> Entry {
    let fields = vec![(HeaderName::from_static("accept-language"), Some([hash; 16]))];
    Entry { vary: Vary { fields, any: false }, ..entry(url) }
}

/// `len` bytes that lz4 cannot make smaller.
pub fn noise(seed: u64, len: usize) -> Bytes {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(len).collect::<Vec<u8>>().into()
}

/// `len` bytes as a server of JSON sends them.
pub fn json(seed: u64, len: usize) -> Bytes {
    let mut text = String::new();
    let mut at = seed;
    while text.len() < len {
        at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        write!(text, "{{\"id\":{},\"quality_grade\":\"research\",\"place_guess\":\"{:x}\"}},", at % 999_983, at >> 40)
            .unwrap();
    }
    text.truncate(len);
    text.into()
}

/// The single variant's body, as a caller gets it.
pub fn hit(store: &dyn Store, key: &Key, now: Timestamp) -> Option<Bytes> {
    let found = store.variants(key, now).unwrap();
    assert!(found.len() <= 1, "{found:?}");
    found.first().and_then(|stored| store.body(stored).unwrap())
}
