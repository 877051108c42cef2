//! Reading the headers of a response once, and turning what they say about reuse into numbers.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, header};

use super::directives::{NoCache, ResponseDirectives};
use super::storing::is_heuristically_cacheable;
use super::{Asked, Entry, Flags, Lifetime, LifetimeSource, Policy, Received, Rules, age, fields};
use crate::Timestamp;

/// The largest share of its past life a response may stay fresh by heuristic, as a divisor (RFC 9111 §4.2.2: "a typical
/// setting might be 10%").
const HEURISTIC_SHARE: u32 = 10;

/// A heuristic is a guess; after a day, ask.
const HEURISTIC_CAP: Duration = Duration::from_secs(86_400);

/// As far as a lifetime reaches: all a [`Timestamp`] can count, so that it survives being stored as one.
const FOREVER: Duration = Duration::from_micros(i64::MAX.unsigned_abs());

/// The policy of a response. `headers` are the response's own, or after a 304 those of the stored response it updated;
/// `received` is what arrived, and settles the age.
pub(crate) fn policy(
    asked: &Asked<'_>,
    status: StatusCode,
    headers: &HeaderMap,
    received: &Received<'_>,
    rules: &Rules,
) -> Policy {
    let directives = ResponseDirectives::of(headers);
    let initial_age = age::initial_age(received.headers, received.request_time, received.response_time);
    let (lifetime, source) = lifetime(asked, status, headers, &directives, received.response_time, rules);
    let lifetime = lifetime.up_to_age(initial_age);
    let flag = |on: bool, flag: Flags| if on { flag } else { Flags::default() };
    // The request's own lifetime beats what the server says about freshness, and `no-cache` is that; so does whoever
    // switches the server's headers off. `must-revalidate` is about serving what is stale, and stays.
    let headers_count = rules.lifetimes.cache_control && source != LifetimeSource::Request;
    Policy {
        request_time: received.request_time,
        response_time: received.response_time,
        initial_age: whole_micros(initial_age),
        lifetime: whole_micros(lifetime),
        stale_while_revalidate: directives.stale_while_revalidate.unwrap_or_default(),
        stale_if_error: directives.stale_if_error.unwrap_or_default(),
        source,
        flags: flag(directives.no_cache == NoCache::All && headers_count, Flags::NO_CACHE)
            .with(flag(directives.must_revalidate, Flags::MUST_REVALIDATE))
            .with(flag(directives.immutable, Flags::IMMUTABLE))
            .with(flag(lifetime == FOREVER, Flags::NEVER_EXPIRES))
            .with(flag(has_validator(headers), Flags::HAS_VALIDATOR)),
    }
}

/// Whether the server can be asked if it still holds.
pub(crate) fn has_validator(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ETAG) || headers.contains_key(header::LAST_MODIFIED)
}

/// Stored times have microseconds; what is compared must be what was stored.
fn whole_micros(duration: Duration) -> Duration {
    Duration::from_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

enum Freshness {
    Never,
    /// Up to this age, as headers count.
    HowOld(Duration),
    /// For this long from now, as people count.
    HowLong(Duration),
}

impl Freshness {
    /// Up to which age that is.
    fn up_to_age(self, initial_age: Duration) -> Duration {
        match self {
            Self::Never => FOREVER,
            Self::HowOld(age) => age.min(FOREVER),
            // What a user says counts from now, however old a cache on the way says it is.
            Self::HowLong(time) => initial_age.saturating_add(time).min(FOREVER),
        }
    }

    fn of(lifetime: Lifetime, response_time: Timestamp) -> Self {
        match lifetime {
            Lifetime::Never => Self::Never,
            Lifetime::For(time) => Self::HowLong(time),
            Lifetime::Until(at) if at == Timestamp::MAX => Self::Never,
            Lifetime::Until(at) => Self::HowLong(at.since(response_time)),
            Lifetime::Immediately | Lifetime::DoNotCache => Self::HowOld(Duration::ZERO),
        }
    }
}

/// An entry whose lifetime somebody gave it who has no say under these rules, as its own fields have it: another session may
/// have stored it. `None` for one that may stay as it is. The lifetime that a request gave it stays for requests that name one
/// too (`names_lifetime`).
pub fn as_headers_say(entry: &Entry, names_lifetime: bool, rules: &Rules) -> Option<Entry> {
    let Policy { source, flags, initial_age, response_time, .. } = entry.policy;
    let by_others = match source {
        LifetimeSource::Headers => flags.has(Flags::NEVER_EXPIRES),
        LifetimeSource::Request => !names_lifetime,
        LifetimeSource::Heuristic | LifetimeSource::None => false,
        _ => true,
    };
    if !by_others || !rules.lifetimes.is_only_http() {
        return None;
    }
    let none = HeaderMap::new();
    let (method, url) = (&entry.method, entry.url.parsed()?);
    let asked = Asked { method, url, headers: &none, freshness: crate::Freshness::Normal, lifetime: None };
    let directives = ResponseDirectives::of(&entry.headers);
    let (lifetime, source) = lifetime(&asked, entry.status, &entry.headers, &directives, response_time, rules);
    let flags = flags.without(Flags::NEVER_EXPIRES);
    let flags = if directives.no_cache == NoCache::All { flags.with(Flags::NO_CACHE) } else { flags };
    let lifetime = whole_micros(lifetime.up_to_age(initial_age));
    Some(Entry { policy: Policy { lifetime, source, flags, ..entry.policy }, ..entry.clone() })
}

/// How long it is fresh, and who says so; the first in this order that says anything.
fn lifetime(
    asked: &Asked<'_>,
    status: StatusCode,
    headers: &HeaderMap,
    directives: &ResponseDirectives,
    response_time: Timestamp,
    rules: &Rules,
) -> (Freshness, LifetimeSource) {
    if let Some(lifetime) = asked.lifetime {
        return (Freshness::of(lifetime, response_time), LifetimeSource::Request);
    }
    if rules.lifetimes.cache_control {
        if directives.immutable && rules.lifetimes.immutable_never_expires {
            return (Freshness::Never, LifetimeSource::Headers);
        }
        if let Some(lifetime) = explicit(headers, directives, response_time) {
            return (Freshness::HowOld(lifetime), LifetimeSource::Headers);
        }
    }
    if let Some((lifetime, source)) = rules.lifetimes.of(asked.url) {
        return (Freshness::of(lifetime, response_time), source);
    }
    match heuristic(asked, status, headers, directives, response_time, rules) {
        Some(lifetime) => (Freshness::HowOld(lifetime), LifetimeSource::Heuristic),
        None => (Freshness::HowOld(Duration::ZERO), LifetimeSource::None),
    }
}

/// `max-age`, or else `Expires` minus `Date` (§4.2.1). What cannot be read counts as expired.
fn explicit(headers: &HeaderMap, directives: &ResponseDirectives, response_time: Timestamp) -> Option<Duration> {
    directives.max_age.or_else(|| {
        headers.contains_key(header::EXPIRES).then(|| {
            let date = fields::date(headers, &header::DATE, response_time).unwrap_or(response_time);
            fields::date(headers, &header::EXPIRES, response_time).map_or(Duration::ZERO, |expires| expires.since(date))
        })
    })
}

/// A tenth of the time it had not been modified (§4.2.2), where the status or `public` allows a guess.
fn heuristic(
    asked: &Asked<'_>,
    status: StatusCode,
    headers: &HeaderMap,
    directives: &ResponseDirectives,
    response_time: Timestamp,
    rules: &Rules,
) -> Option<Duration> {
    let guessable = is_heuristically_cacheable(status) || directives.public;
    let reading = matches!(rules.method(asked.method, asked.headers), Method::GET | Method::HEAD);
    let modified = fields::date(headers, &header::LAST_MODIFIED, response_time)?;
    let date = fields::date(headers, &header::DATE, response_time).unwrap_or(response_time);
    (guessable && reading).then(|| (date.since(modified) / HEURISTIC_SHARE).min(HEURISTIC_CAP))
}
