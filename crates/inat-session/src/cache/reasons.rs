//! Why an answer came from where it came: for people, for traces, and for the `Cache-Status` field (RFC 9211).

use std::fmt;

/// Why the server has to be asked. Displays as the value of `fwd` in `Cache-Status` (RFC 9211 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MissReason {
    /// The cache is off for this request.
    Bypass,
    /// Answers to this method are not cached.
    Method,
    /// Nothing is stored under this URL.
    Uri,
    /// What is stored answers other values of the fields that `Vary` names.
    Vary,
    /// A fresh answer is stored, but the request does not accept it.
    Request,
    /// A stored answer exists and needs validation: it has expired, or says `no-cache`.
    Stale,
    /// Only another part of the representation is stored.
    Partial,
}

impl MissReason {
    /// The token of RFC 9211 §2.2.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::Uri => "uri-miss",
            Self::Vary => "vary-miss",
            Self::Request => "request",
            Self::Stale => "stale",
            Self::Partial => "partial",
        }
    }
}

impl fmt::Display for MissReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What allows an answer to be served after it has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StaleBecause {
    /// The request says `max-stale` (RFC 9111 §5.2.1.2).
    MaxStale,
    /// It is being refreshed meanwhile (RFC 5861 §3).
    WhileRevalidating,
    /// The server failed (RFC 5861 §4).
    Error,
    /// The server must not be asked.
    OnlyIfCached,
}

impl StaleBecause {
    /// A word for it, after the directive that allows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaxStale => "max-stale",
            Self::WhileRevalidating => "stale-while-revalidate",
            Self::Error => "stale-if-error",
            Self::OnlyIfCached => "only-if-cached",
        }
    }
}

impl fmt::Display for StaleBecause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why an answer was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhyNot {
    /// The cache is off for this request.
    Bypass,
    /// Answers to this method are not cached.
    Method,
    /// The request or the response says `no-store`.
    NoStore,
    /// Its status is not final, never stored, not understood, or not one the user allows.
    Status,
    /// It is not whole.
    Incomplete,
    /// Nothing says that it may be reused: no lifetime, no validator.
    Unusable,
    /// `Vary: *`, and no validator to ask with.
    VaryAny,
    /// It is a range that cannot be kept.
    Range,
    /// A 304 to the caller's own condition: the caller has the body.
    CallersCondition,
    /// A 304 although nothing was conditional.
    Unasked304,
    /// A `HEAD` that says nothing new about what is stored.
    Head,
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bypass => "the cache is off for this request",
            Self::Method => "answers to this method are not cached",
            Self::NoStore => "no-store",
            Self::Status => "answers with this status are not stored",
            Self::Incomplete => "the answer is not whole",
            Self::Unusable => "it has neither a lifetime nor a validator",
            Self::VaryAny => "it varies by anything",
            Self::Range => "it is a range that cannot be kept",
            Self::CallersCondition => "it answers the caller's own condition",
            Self::Unasked304 => "304 without a condition",
            Self::Head => "HEAD says nothing new",
        })
    }
}
