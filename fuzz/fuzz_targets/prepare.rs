//! Arbitrary texts where a caller may put texts: preparing never panics, and never changes host behind the caller's back.
#![no_main]

use std::sync::LazyLock;

use inat_session::{Request, blocking::Session};
use libfuzzer_sys::fuzz_target;

/// One for all inputs: preparing leaves nothing behind in it.
static SESSION: LazyLock<Session> = LazyLock::new(|| {
    Session::builder().cache_in_memory().budget_in_memory().build().expect("the defaults are right")
});

fuzz_target!(|data: &str| {
    let mut parts = data.split('\u{1f}');
    let mut next = || parts.next().unwrap_or_default();
    let (target, id) = (next(), next());
    let request = Request::new(next(), target)
        .query(next(), next())
        .header(next(), next())
        .ids([id])
        .allow_str_ids();
    if let Ok(prepared) = SESSION.prepare(&request) {
        if !target.trim_start().to_ascii_lowercase().starts_with("http") {
            assert_eq!(prepared.url.host_str(), Some("api.inaturalist.org"), "{target:?} left the host");
        }
    }
});
