//! What is kept about one stored response, apart from its body.

use std::time::Duration;

use http::{HeaderMap, HeaderName, Method, StatusCode};

use super::{Identity, StoredUrl};
use crate::Timestamp;

/// One stored response without its body: what a later request is matched against and answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The method of the request it answers: `GET`, or a method the user allowed.
    pub method: Method,
    /// The URL it answers, normalised as in the key, with secret values masked.
    pub url: StoredUrl,
    /// Whose answer it is.
    pub identity: Identity,
    /// Its status.
    pub status: StatusCode,
    /// Its fields, without those that belong to the connection (RFC 9111 §3.1), in order.
    pub headers: HeaderMap,
    /// What the request said in the fields that `Vary` names.
    pub vary: Vary,
    /// When and how it may be reused.
    pub policy: Policy,
    /// The part of the representation the body holds, when it is not the whole (a stored 206).
    pub part: Option<Part>,
}

/// The fields a response was selected by (RFC 9111 §4.1), with a hash of what the request said in each, normalised; `None`
/// where it said nothing. Hashes, because a `Vary: Authorization` or `Cookie` must not bring a secret to the disk.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Vary {
    /// Field name and hash of the normalised value.
    pub fields: Vec<(HeaderName, Option<[u8; 16]>)>,
    /// `Vary: *` never matches.
    pub any: bool,
}

/// A stored range: first and last byte, and the length of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Offset of the first byte held.
    pub first: u64,
    /// Offset of the last byte held.
    pub last: u64,
    /// Length of the complete representation.
    pub whole: u64,
}

impl Part {
    /// How many bytes it holds; `None` where it ends before it begins.
    pub fn size(self) -> Option<u64> {
        self.last.checked_sub(self.first)?.checked_add(1)
    }
}

/// Everything that decides about reuse, compiled to numbers when the response is stored or freshened, so that a hit is a few
/// comparisons and no parsing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// When the request was sent.
    pub request_time: Timestamp,
    /// When the response arrived; resident time counts from here (RFC 9111 §4.2.3).
    pub response_time: Timestamp,
    /// The age it had when it arrived: `corrected_initial_age` of RFC 9111 §4.2.3.
    pub initial_age: Duration,
    /// How old it may become and still be fresh.
    pub lifetime: Duration,
    /// How long after that it may be served while it is being refreshed (RFC 5861 §3).
    pub stale_while_revalidate: Duration,
    /// How long after that it may be served in place of an error (RFC 5861 §4).
    pub stale_if_error: Duration,
    /// Where `lifetime` comes from.
    pub source: LifetimeSource,
    /// The yes-or-no rules.
    pub flags: Flags,
}

/// Where the freshness lifetime of an entry comes from; for people, and for renewing it after a 304.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum LifetimeSource {
    /// `max-age` or `Expires`.
    Headers = 0,
    /// The request's own `expire_after`.
    Request = 1,
    /// A URL pattern of the user.
    UserPattern = 2,
    /// A URL pattern that comes with the library.
    BuiltinPattern = 3,
    /// The session's `expire_after`.
    Session = 4,
    /// The fallback of 30 minutes.
    Fallback = 5,
    /// A heuristic (RFC 9111 §4.2.2).
    Heuristic = 6,
    /// Nothing gives it one: it is stale from the start, and kept for its validator.
    None = 7,
}

impl LifetimeSource {
    /// From the number it is stored as; `None` for one this version does not know.
    pub fn from_number(number: u8) -> Option<Self> {
        [
            Self::Headers,
            Self::Request,
            Self::UserPattern,
            Self::BuiltinPattern,
            Self::Session,
            Self::Fallback,
            Self::Heuristic,
            Self::None,
        ]
        .into_iter()
        .find(|source| *source as u8 == number)
    }
}

/// Rules of an entry that are either on or off, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Flags(pub u32);

impl Flags {
    /// `no-cache`: every use needs a successful validation.
    pub const NO_CACHE: Self = Self(1);
    /// `must-revalidate`: never served stale, for whatever reason.
    pub const MUST_REVALIDATE: Self = Self(1 << 1);
    /// `immutable` (RFC 8246): not revalidated on a reload while fresh.
    pub const IMMUTABLE: Self = Self(1 << 2);
    /// Fresh without limit: the user said [`super::Lifetime::Never`], or the server `immutable`, where the rules take it at its word.
    pub const NEVER_EXPIRES: Self = Self(1 << 3);
    /// It has a validator (`ETag` or `Last-Modified`).
    pub const HAS_VALIDATOR: Self = Self(1 << 4);

    /// Whether all of `rule` is set.
    pub const fn has(self, rule: Self) -> bool {
        self.0 & rule.0 == rule.0
    }

    /// These and `rule`.
    #[must_use]
    pub const fn with(self, rule: Self) -> Self {
        Self(self.0 | rule.0)
    }

    /// These but for `rule`.
    #[must_use]
    pub const fn without(self, rule: Self) -> Self {
        Self(self.0 & !rule.0)
    }
}
