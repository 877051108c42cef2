//! What the cache did, for people and programs: `Cache-Status` (RFC 9211).

use http::{HeaderMap, HeaderName, HeaderValue};
use inat_session::{Origin, Response, Timestamp};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// What the cache did, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A stored answer was served, fresh or allowed to be stale.
    Hit,
    /// A stored answer was served because upstream failed, or meanwhile.
    Stale,
    /// A stored answer was found unchanged.
    Revalidated,
    /// Upstream answered.
    Miss,
    /// Another request's answer was shared.
    Collapsed,
    /// The gateway answered itself: a refusal, or a page under `/-/`.
    Refused,
    /// A page under `/-/`.
    Own,
}

impl Outcome {
    pub(crate) const ALL: [Self; 7] =
        [Self::Hit, Self::Stale, Self::Revalidated, Self::Miss, Self::Collapsed, Self::Refused, Self::Own];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Revalidated => "revalidated",
            Self::Miss => "miss",
            Self::Collapsed => "collapsed",
            Self::Refused => "refused",
            Self::Own => "own",
        }
    }

    pub(crate) fn of(origin: &Origin) -> Self {
        match origin {
            Origin::Cached { .. } => Self::Hit,
            Origin::Stale { .. } => Self::Stale,
            Origin::Revalidated { .. } => Self::Revalidated,
            Origin::Shared(_) => Self::Collapsed,
            _ => Self::Miss,
        }
    }
}

/// Adds this cache's member to those of caches nearer to the origin. One that is served stale says what allows it. Answers
/// of the gateway's own making get none (RFC 9211 §2).
pub(crate) fn add(headers: &mut HeaderMap, response: &Response, now: Timestamp) {
    let mut text = response.cache_status(now);
    if let Origin::Stale { because, .. } = response.origin() {
        text.push_str("; detail=");
        text.push_str(because.as_str());
    }
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.append(CACHE_STATUS, value);
    }
}
