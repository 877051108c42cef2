//! Whether a stored response answers a request (RFC 9111 §4).

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, header};

use super::directives::RequestDirectives;
use super::{Asked, Entry, Flags, Lifetime, MissReason, Rules, StaleBecause, conditions, fields, range};
use crate::{Freshness, Timestamp};

/// What the stored variants are good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// One of them answers the request as it is.
    Hit(Hit),
    /// The server has to be asked, with these fields in place of the request's own of the same names.
    Validate {
        /// Conditions, and `Cache-Control` where the request asks to refresh. May be empty: nothing to validate with.
        conditions: HeaderMap,
        /// The variant that may be served if the server fails, should [`super::rescue`] allow it.
        fallback: Option<usize>,
        /// Why the stored ones do not do.
        reason: MissReason,
    },
    /// The server has to be asked, plainly.
    Miss(MissReason),
    /// The server would have to be asked, and must not be.
    Refused(MissReason),
}

/// A stored variant that answers the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Which one.
    pub index: usize,
    /// Its age (RFC 9111 §4.2.3).
    pub age: Duration,
    /// How long it stays fresh; zero when stale, `None` when it never expires.
    pub fresh_for: Option<Duration>,
    /// What allows it to be served although it has expired.
    pub stale: Option<StaleBecause>,
    /// Whether to ask the server meanwhile.
    pub refresh_in_background: bool,
}

/// Decides whether one of `variants`, the most recent first, answers a request, or what to ask the server.
pub fn look(asked: &Asked<'_>, variants: &[Arc<Entry>], rules: &Rules, now: Timestamp) -> Lookup {
    let wants = Wants::of(asked, rules);
    let decision = decide(asked, &wants, variants, rules, now);
    match decision {
        Lookup::Miss(reason) | Lookup::Validate { reason, .. } if wants.only_if_cached => Lookup::Refused(reason),
        _ => decision,
    }
}

/// What a request says that a cache has to know.
#[derive(Clone, Copy, Debug, Default)]
struct Wants {
    directives: RequestDirectives,
    only_if_cached: bool,
    /// It has `If-Match` or `If-Unmodified-Since`, which only the origin may judge (RFC 9110 §13.1.1, §13.1.4).
    precondition: bool,
}

impl Wants {
    /// Most requests have none of these fields, and one pass over the names shows it.
    fn of(asked: &Asked<'_>, rules: &Rules) -> Self {
        let (mut steers, mut precondition) = (false, false);
        for name in asked.headers.keys() {
            match name.as_str() {
                "cache-control" | "pragma" => steers = true,
                "if-match" | "if-unmodified-since" => precondition = true,
                _ => {}
            }
        }
        let directives = if steers { RequestDirectives::of(asked.headers) } else { RequestDirectives::default() };
        let only_if_cached =
            rules.only_if_cached || asked.freshness == Freshness::OnlyIfCached || directives.only_if_cached;
        Self { directives, only_if_cached, precondition }
    }
}

fn decide(asked: &Asked<'_>, wants: &Wants, variants: &[Arc<Entry>], rules: &Rules, now: Timestamp) -> Lookup {
    if rules.disabled || rules.lifetimes.bypasses(asked.url, asked.lifetime) {
        return Lookup::Miss(MissReason::Bypass);
    }
    if !rules.allows(&rules.method(asked.method, asked.headers)) {
        return Lookup::Miss(MissReason::Method);
    }
    // Only the cache may answer: then what is there beats a wish to refresh it.
    if asked.freshness == Freshness::ForceRefresh && !wants.only_if_cached {
        let conditions = with_cache_control(HeaderMap::new(), asked, "no-cache");
        return Lookup::Validate { conditions, fallback: None, reason: MissReason::Request };
    }
    if wants.directives.no_store || wants.precondition {
        return Lookup::Miss(MissReason::Request);
    }
    let Some((index, entry)) = select(asked, variants) else { return miss(asked, variants) };
    match verdict(asked, wants, entry, rules, now) {
        Verdict::Serve { stale, refresh_in_background } => {
            let (age, fresh_for) = (entry.policy.age(now), entry.policy.fresh_for(now));
            Lookup::Hit(Hit { index, age, fresh_for, stale, refresh_in_background })
        }
        Verdict::Ask(reason) => {
            let candidates: Vec<_> = variants.iter().filter(|entry| has_body_for(asked, entry)).collect();
            let mut conditions = conditions::to_validate(asked, &candidates, Some(entry));
            if asked.freshness == Freshness::Refresh {
                conditions = with_cache_control(conditions, asked, "max-age=0");
            }
            let fallback = (!wants.directives.no_cache).then_some(index);
            Lookup::Validate { conditions, fallback, reason }
        }
    }
}

/// Whether a variant's body could answer this request, `Vary` aside: a stored `HEAD` has none for a `GET`, a stored part
/// may lack the bytes.
pub(crate) fn has_body_for(asked: &Asked<'_>, entry: &Entry) -> bool {
    (entry.method != Method::HEAD || *asked.method == Method::HEAD) && range::covers(asked, entry)
}

/// The variant to use: of those that match, the most recent by `Date` (§4.1).
pub(crate) fn select<'a>(asked: &Asked<'_>, variants: &'a [Arc<Entry>]) -> Option<(usize, &'a Arc<Entry>)> {
    let mut matching = variants
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.vary.matches(asked.headers) && has_body_for(asked, entry));
    let first = matching.next()?;
    let mut others = matching.peekable();
    if others.peek().is_none() {
        return Some(first);
    }
    let mut best = (first, date_of(first.1));
    for other in others {
        let date = date_of(other.1);
        if date > best.1 {
            best = (other, date);
        }
    }
    Some(best.0)
}

/// When a stored response was made; its `Date` was added if it came without.
pub(crate) fn date_of(entry: &Entry) -> Timestamp {
    let response_time = entry.policy.response_time;
    fields::date(&entry.headers, &header::DATE, response_time).unwrap_or(response_time)
}

/// None of the variants matches. Their tags go along nevertheless: the server may say that one of them is the answer to
/// this request too (§4.3.1).
fn miss(asked: &Asked<'_>, variants: &[Arc<Entry>]) -> Lookup {
    let candidates: Vec<_> = variants.iter().filter(|entry| has_body_for(asked, entry)).collect();
    let reason = match (variants, candidates.is_empty()) {
        ([], _) => return Lookup::Miss(MissReason::Uri),
        (_, false) => MissReason::Vary,
        (_, true) if variants.iter().any(|entry| entry.part.is_some()) => return Lookup::Miss(MissReason::Partial),
        // Only the answer to a `HEAD` is there.
        (_, true) => return Lookup::Miss(MissReason::Uri),
    };
    let mut conditions = conditions::to_validate(asked, &candidates, None);
    if conditions.is_empty() {
        return Lookup::Miss(reason);
    }
    if asked.freshness == Freshness::Refresh {
        conditions = with_cache_control(conditions, asked, "max-age=0");
    }
    Lookup::Validate { conditions, fallback: None, reason }
}

enum Verdict {
    Serve { stale: Option<StaleBecause>, refresh_in_background: bool },
    Ask(MissReason),
}

/// Whether the selected variant may be served without asking (§4, §4.2.4).
fn verdict(asked: &Asked<'_>, wants: &Wants, entry: &Entry, rules: &Rules, now: Timestamp) -> Verdict {
    let policy = &entry.policy;
    let serve = Verdict::Serve { stale: None, refresh_in_background: false };
    if policy.flags.has(Flags::NO_CACHE) {
        return Verdict::Ask(MissReason::Stale);
    }
    if wants.directives.no_cache {
        return Verdict::Ask(MissReason::Request);
    }
    let fresh = policy.is_fresh(now);
    if !wants.only_if_cached && asks_anyway(asked, entry, rules, fresh) {
        return Verdict::Ask(MissReason::Request);
    }
    if exceeds_request(wants, entry, now) {
        return Verdict::Ask(MissReason::Request);
    }
    if fresh {
        return serve;
    }
    match stale_allowed(wants, entry, rules, now) {
        Some(StaleBecause::WhileRevalidating) => Verdict::Serve {
            stale: Some(StaleBecause::WhileRevalidating),
            refresh_in_background: !wants.only_if_cached,
        },
        Some(because) => Verdict::Serve { stale: Some(because), refresh_in_background: false },
        None => Verdict::Ask(MissReason::Stale),
    }
}

/// Whether the caller or the session wants the server asked although nothing else would.
fn asks_anyway(asked: &Asked<'_>, entry: &Entry, rules: &Rules, fresh: bool) -> bool {
    let flags = entry.policy.flags;
    // RFC 8246 §2: what is immutable is not asked for again on a reload while it is fresh, as long as the server said. Where the
    // user's rules keep it for ever, a reload is the only way to ask at all.
    let spared = fresh && flags.has(Flags::IMMUTABLE) && !flags.has(Flags::NEVER_EXPIRES);
    let reload = asked.freshness == Freshness::Refresh && !spared;
    reload
        || asked.lifetime == Some(Lifetime::Immediately)
        || (rules.always_revalidate && flags.has(Flags::HAS_VALIDATOR))
}

/// Whether it is older, or expires sooner, than the request accepts (§5.2.1.1, §5.2.1.3). `max-age=0` asks for validation,
/// also of what arrived this very moment.
fn exceeds_request(wants: &Wants, entry: &Entry, now: Timestamp) -> bool {
    let RequestDirectives { max_age, min_fresh, .. } = wants.directives;
    let too_old = max_age.is_some_and(|most| most.is_zero() || entry.policy.age(now) > most);
    let too_short =
        min_fresh.zip(entry.policy.fresh_for(now)).is_some_and(|(least, left)| left < least || left.is_zero());
    too_old || too_short
}

/// What allows serving it although it has expired, if anything does.
fn stale_allowed(wants: &Wants, entry: &Entry, rules: &Rules, now: Timestamp) -> Option<StaleBecause> {
    let policy = &entry.policy;
    if !policy.allows_stale() {
        return None;
    }
    let staleness = policy.staleness(now);
    let within = |window: Duration| staleness <= window && !window.is_zero();
    let revalidate = wants.directives.stale_while_revalidate.unwrap_or_default();
    if wants.directives.max_stale.is_some_and(within) {
        return Some(StaleBecause::MaxStale);
    }
    if within(policy.stale_while_revalidate.max(revalidate).max(rules.stale_while_revalidate.window())) {
        return Some(StaleBecause::WhileRevalidating);
    }
    // What a header allows after an error (RFC 5861 §4) it does not allow here: the server was not asked, so none has happened.
    // A session that serves what has expired when it is offline does so too when it is told that it is.
    (wants.only_if_cached && within(rules.stale_if_error.window())).then_some(StaleBecause::OnlyIfCached)
}

/// The caller's own `Cache-Control` with one directive more.
fn with_cache_control(mut conditions: HeaderMap, asked: &Asked<'_>, directive: &str) -> HeaderMap {
    let mut all: Vec<&[u8]> = asked.headers.get_all(header::CACHE_CONTROL).iter().map(HeaderValue::as_bytes).collect();
    all.push(directive.as_bytes());
    if let Ok(value) = HeaderValue::from_bytes(&all.join(&b", "[..])) {
        conditions.insert(header::CACHE_CONTROL, value);
    }
    conditions
}
