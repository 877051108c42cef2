//! What to do when the server fails: serve what has expired, where that is allowed (RFC 9111 §4.2.4, RFC 5861 §4).

use http::StatusCode;

use super::directives::RequestDirectives;
use super::{Asked, Entry, Flags, Hit, Rules, StaleBecause, look};
use crate::{Freshness, Timestamp};

/// How the server failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No answer came, or a broken one.
    Network,
    /// It answered with this status.
    Status(StatusCode),
}

impl Trouble {
    /// The errors of RFC 5861 §4. A 401, 404, 410 or 429 is not a failure: it is an answer, and hiding it would be wrong.
    fn is_failure(self) -> bool {
        match self {
            Self::Network => true,
            Self::Status(status) => matches!(status.as_u16(), 500 | 502 | 503 | 504),
        }
    }
}

/// Whether a stored response may be served in place of a failure. The `index` of the hit is zero: the caller knows which
/// entry it asked about.
///
/// Allowed for as long as the response's or the request's `stale-if-error`, or the session's, whichever is longest; never
/// under `must-revalidate` or `no-cache`, and never when the request insists on the server.
pub fn rescue(asked: &Asked<'_>, entry: &Entry, trouble: Trouble, rules: &Rules, now: Timestamp) -> Option<Hit> {
    let policy = &entry.policy;
    let directives = RequestDirectives::of(asked.headers);
    let insists = asked.freshness == Freshness::ForceRefresh || directives.no_cache || directives.no_store;
    if !trouble.is_failure() || insists || policy.flags.has(Flags::NO_CACHE) || !look::has_body_for(asked, entry) {
        return None;
    }
    let hit = |stale| Hit {
        index: 0,
        age: policy.age(now),
        fresh_for: policy.fresh_for(now),
        stale,
        refresh_in_background: false,
    };
    if policy.is_fresh(now) {
        return Some(hit(None));
    }
    let asked_for = directives.stale_if_error.unwrap_or_default();
    let window = policy.stale_if_error.max(asked_for).max(rules.stale_if_error.window());
    let allowed = policy.allows_stale() && !window.is_zero() && policy.staleness(now) <= window;
    allowed.then(|| hit(Some(StaleBecause::Error)))
}
