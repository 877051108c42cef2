//! What the cache did, for people and programs: `Cache-Status` (RFC 9211).

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use inat_session::{Expiry, Origin, Response, Timestamp};

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

/// Adds this cache's member to those of caches nearer to the origin.
pub(crate) fn add(headers: &mut HeaderMap, response: &Response, bypassed: bool, now: Timestamp) {
    if let Ok(value) = HeaderValue::try_from(text(response, bypassed, now)) {
        headers.append(CACHE_STATUS, value);
    }
}

/// The same where the gateway has answered itself after it tried: `detail` is a word for why.
pub(crate) fn add_failure(headers: &mut HeaderMap, detail: &str) {
    if let Ok(value) = HeaderValue::try_from(format!("inat; fwd=miss; detail={detail}")) {
        headers.append(CACHE_STATUS, value);
    }
}

fn text(response: &Response, bypassed: bool, now: Timestamp) -> String {
    let mut origin = response.origin();
    let mut collapsed = "";
    while let Origin::Shared(inner) = origin {
        (origin, collapsed) = (inner, "; collapsed");
    }
    let status = response.status().as_u16();
    match origin {
        Origin::Cached { fresh_for: None, .. } => format!("inat; hit{collapsed}"),
        Origin::Cached { fresh_for: Some(left), .. } => format!("inat; hit; ttl={}{collapsed}", left.as_secs()),
        Origin::Stale { because, .. } => format!("inat; hit{}; detail={because}{collapsed}", ttl(response, now)),
        Origin::Revalidated { .. } => format!("inat; fwd=stale; fwd-status=304{}{collapsed}", ttl(response, now)),
        _ => {
            let reason = reason(response.method(), bypassed);
            let stored = if response.expiry() == Expiry::NotStored { "" } else { "; stored" };
            format!("inat; fwd={reason}; fwd-status={status}{stored}{}{collapsed}", ttl(response, now))
        }
    }
}

/// Why upstream was asked.
fn reason(method: &Method, bypassed: bool) -> &'static str {
    match *method {
        _ if bypassed => "bypass",
        Method::GET | Method::HEAD => "miss",
        _ => "method",
    }
}

/// How long it stays fresh, below zero when it is not.
fn ttl(response: &Response, now: Timestamp) -> String {
    match response.expiry() {
        Expiry::At(at) => format!("; ttl={}", at.as_secs() - now.as_secs()),
        Expiry::NotStored | Expiry::Never => String::new(),
    }
}
