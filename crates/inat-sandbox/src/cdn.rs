//! The second layer: the cache in front of the origin, as Varnish behaves there.
//!
//! The key is the exact URL string. What says nothing about its lifetime is kept 120 seconds (Varnish's `default_ttl`). A request with
//! `Authorization` passes through, a request's `Cache-Control: no-cache` is ignored, and a truncated body is kept like any other.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use crate::{Answer, Seen};

const ENTRIES: usize = 4_096;

/// How the cache in front of the origin behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cdn {
    /// How long replies without a lifetime are kept: 120 s.
    pub default_ttl: Duration,
    /// Whether replies to signed-in requests are stored and served to everyone, as their `public` permits: off. The real one is not known
    /// to do it; a client must be safe even if it did.
    pub store_authenticated: bool,
}

impl Default for Cdn {
    fn default() -> Self {
        Self { default_ttl: Duration::from_secs(120), store_authenticated: false }
    }
}

#[derive(Debug)]
struct Stored {
    answer: Answer,
    at: SystemTime,
    ttl: Duration,
}

/// What the cache holds.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    stored: HashMap<String, Stored>,
}

/// Whether this request may be answered from, and stored in, the cache.
pub(crate) fn cacheable(cdn: &Cdn, seen: &Seen) -> bool {
    let reads = seen.method == "GET" || seen.method == "HEAD";
    reads
        && (cdn.store_authenticated || seen.header("authorization").is_none())
        && !seen.path().starts_with("/__sandbox/")
}

/// `Accept-Encoding` splits the entries, as every reply carries `Vary: Accept-Encoding`; a HEAD must not leave its empty body to a GET.
fn key(seen: &Seen) -> String {
    let gzip = crate::origin::accepts_gzip(seen.header("accept-encoding"));
    format!("{}{} {}", seen.method, if gzip { "+gzip" } else { "" }, seen.target)
}

impl Shelf {
    pub(crate) fn lookup(&mut self, seen: &Seen, now: SystemTime) -> Option<Answer> {
        let key = key(seen);
        let stored = self.stored.get(&key)?;
        let age = now.duration_since(stored.at).unwrap_or_default();
        if age >= stored.ttl {
            self.stored.remove(&key);
            return None;
        }
        let mut answer = stored.answer.clone();
        answer.set("Age", age.as_secs().to_string());
        answer.set("X-Cache", "HIT");
        Some(answer)
    }

    pub(crate) fn store(&mut self, cdn: &Cdn, seen: &Seen, answer: &Answer, now: SystemTime) {
        let ttl = lifetime(cdn, answer);
        if ttl.is_zero() || !matches!(answer.status, 200 | 203 | 300 | 301 | 404 | 410) {
            return;
        }
        if self.stored.len() >= ENTRIES {
            self.stored.clear();
        }
        self.stored.insert(key(seen), Stored { answer: answer.clone(), at: now, ttl });
    }
}

fn lifetime(cdn: &Cdn, answer: &Answer) -> Duration {
    let Some(control) = answer.get("cache-control") else { return cdn.default_ttl };
    let control = control.to_ascii_lowercase();
    let directives = || control.split(',').map(str::trim);
    if directives().any(|directive| matches!(directive, "no-store" | "no-cache" | "private")) {
        return Duration::ZERO;
    }
    let seconds = |name: &str| directives().find_map(|directive| directive.strip_prefix(name)?.parse::<i64>().ok());
    match seconds("s-maxage=").or_else(|| seconds("max-age=")) {
        Some(seconds) => Duration::from_secs(u64::try_from(seconds).unwrap_or(0)),
        None => cdn.default_ttl,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Cdn, lifetime};
    use crate::Answer;

    #[test]
    fn lifetimes() {
        let table = [
            (None, 120),
            (Some("public, max-age=300"), 300),
            (Some("public, max-age=-1"), 0),
            (Some("public, max-age=0"), 0),
            (Some("private, no-cache, no-store"), 0),
            (Some("public, max-age=300, s-maxage=7"), 7),
            (Some("public"), 120),
        ];
        for (control, expected) in table {
            let mut answer = Answer::new(200);
            if let Some(control) = control {
                answer = answer.header("Cache-Control", control);
            }
            assert_eq!(lifetime(&Cdn::default(), &answer), Duration::from_secs(expected), "{control:?}");
        }
    }
}
