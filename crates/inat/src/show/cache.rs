//! What is stored, for people and for programs. URLs are stored without secrets, and of the fields only those are shown that
//! speak of freshness.

use std::fmt::Write as _;
use std::time::Duration;

use inat_session::Timestamp;
use inat_session::cache::{Entry, Flags, LifetimeSource};
use inat_session::store::Listed;
use serde::Serialize;

use super::{size, span};

/// One stored answer.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    method: String,
    url: String,
    status: u16,
    identity: String,
    stored: String,
    age_seconds: u64,
    fresh: bool,
    /// `null` when it never expires.
    fresh_for_seconds: Option<u64>,
    never_expires: bool,
    lifetime_from: &'static str,
    body_bytes: u64,
    stored_bytes: u64,
    last_used: String,
    fields: Vec<(String, String)>,
}

/// The fields that say how an answer may be used.
const SHOWN: [&str; 9] =
    ["content-type", "cache-control", "expires", "date", "age", "etag", "last-modified", "vary", "content-encoding"];

impl Row {
    pub(crate) fn of(listed: &Listed, now: Timestamp) -> Self {
        let entry = &listed.stored.entry;
        let left = left(entry, now);
        let never = entry.policy.flags.has(Flags::NEVER_EXPIRES);
        Self {
            method: entry.method.to_string(),
            url: entry.url.to_string(),
            status: entry.status.as_u16(),
            identity: entry.identity.to_string(),
            stored: entry.policy.response_time.to_string(),
            age_seconds: age(entry, now).as_secs(),
            fresh: never || left > Duration::ZERO,
            fresh_for_seconds: (!never).then_some(left.as_secs()),
            never_expires: never,
            lifetime_from: why(entry.policy.source),
            body_bytes: listed.stored.body_len,
            stored_bytes: listed.size,
            last_used: listed.used.to_string(),
            fields: fields(entry),
        }
    }

    /// How long it is good, in words.
    fn freshness(&self) -> String {
        match self.fresh_for_seconds {
            None => "good for ever".to_owned(),
            Some(left) if self.fresh => format!("good for {}", span(Duration::from_secs(left))),
            Some(_) => "expired".to_owned(),
        }
    }

    /// One line of a list.
    pub(crate) fn line(&self) -> String {
        format!(
            "{:<4} {}  {:>8} old  {:<17} {:>7}  {:<9}  {}",
            self.method,
            self.status,
            span(Duration::from_secs(self.age_seconds)),
            self.freshness(),
            size(self.body_bytes),
            self.identity,
            self.url
        )
    }

    /// Everything about it.
    pub(crate) fn page(&self) -> String {
        let mut text = format!("{} {}\n", self.method, self.url);
        let rows = [
            ("status", self.status.to_string()),
            ("whose", self.identity.clone()),
            ("stored", format!("{} ({} old)", self.stored, span(Duration::from_secs(self.age_seconds)))),
            ("freshness", format!("{}, by {}", self.freshness(), self.lifetime_from)),
            ("size", format!("{}, {} as stored", size(self.body_bytes), size(self.stored_bytes))),
            ("last used", self.last_used.clone()),
        ];
        for (name, value) in rows {
            let _ = writeln!(text, "  {name:<10} {value}");
        }
        for (name, value) in &self.fields {
            let _ = writeln!(text, "  {name}: {value}");
        }
        text
    }
}

fn fields(entry: &Entry) -> Vec<(String, String)> {
    let shown = entry.headers.iter().filter(|(name, _)| SHOWN.contains(&name.as_str()));
    shown.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect()
}

/// RFC 9111 §4.2.3.
fn age(entry: &Entry, now: Timestamp) -> Duration {
    entry.policy.initial_age.saturating_add(now.since(entry.policy.response_time))
}

fn left(entry: &Entry, now: Timestamp) -> Duration {
    if entry.policy.flags.has(Flags::NO_CACHE) {
        return Duration::ZERO;
    }
    entry.policy.lifetime.saturating_sub(age(entry, now))
}

fn why(source: LifetimeSource) -> &'static str {
    match source {
        LifetimeSource::Headers => "the server's headers",
        LifetimeSource::Request => "the request's own lifetime",
        LifetimeSource::UserPattern => "a URL pattern of the user",
        LifetimeSource::BuiltinPattern => "a built-in URL pattern",
        LifetimeSource::Session => "the session's lifetime",
        LifetimeSource::Fallback => "the fallback of 30 minutes",
        LifetimeSource::Heuristic => "a heuristic (RFC 9111)",
        LifetimeSource::None => "nothing: kept for its validator",
    }
}
