//! Deciding what a stored answer is good for: RFC 9111 for a private cache, with RFC 5861 (stale-*) and RFC 8246
//! (`immutable`), as plain functions.
//!
//! Nothing here reads a clock, a file or the network; `now` is an argument. What is stored, and where, is [`crate::store`]'s
//! business; when to ask is the path's.
//!
//! | a request … | asks | RFC 9111 |
//! |---|---|---|
//! | wants to know where its answers are kept | [`Key::of`] | §2 |
//! | finds stored variants under its key | [`look`] | §4, §4.1, §4.2 |
//! | is answered from a stored one | [`answer`] | §4, §5.1, RFC 9110 §13–14 |
//! | got an answer from the server | [`keep`], to a write [`keep_written`] | §3, §4.3.3–5 |
//! | got none, or a server error | [`rescue`] | §4.2.4, RFC 5861 §4 |
//! | has changed something on the server | [`invalidated`] | §4.4 |
//!
//! A policy is read from the headers once, when a response is stored or freshened, and compiled to numbers; [`look`] only
//! compares them. What the user says about lifetimes ([`Rules`], [`Lifetimes`]) is a layer of its own on top.

mod age;
mod answer;
mod combine;
mod compile;
mod conditions;
mod dates;
mod directives;
mod entry;
mod fields;
mod freshen;
mod glob;
mod identity;
mod invalidate;
mod keep;
mod key;
mod lifetime_text;
mod lifetimes;
mod look;
mod range;
mod reasons;
mod rescue;
mod rules;
mod stored_url;
mod storing;
mod vary;

use http::{HeaderMap, Method, StatusCode};
use url::Url;

pub use answer::{Answer, answer};
pub use combine::splice;
pub use compile::as_headers_say;
pub(crate) use dates::parse as parse_date;
pub use entry::{Entry, Flags, LifetimeSource, Part, Policy, Vary};
pub use freshen::revalidated;
pub use glob::Glob;
pub use identity::Identity;
pub use invalidate::invalidated;
pub use keep::{Keep, keep, keep_written};
pub use key::{Key, effective_method, resource_of};
pub use lifetime_text::BadLifetime;
pub use lifetimes::{Lifetime, Lifetimes, Patterns};
pub use look::{Hit, Lookup, look};
pub use reasons::{MissReason, StaleBecause, WhyNot};
pub use rescue::{Trouble, rescue};
pub use rules::{MatchHeaders, Rules, Stale};
pub use stored_url::StoredUrl;

use crate::{Freshness, Timestamp};

/// What a caller asks for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target URI.
    pub url: &'a Url,
    /// The fields as the caller wants them sent, the session's defaults included.
    pub headers: &'a HeaderMap,
    /// How fresh the answer has to be.
    pub freshness: Freshness,
    /// How long to keep the answer, if the request says so itself.
    pub lifetime: Option<Lifetime>,
}

/// What a server answered, apart from the body.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The final status.
    pub status: StatusCode,
    /// The fields.
    pub headers: &'a HeaderMap,
    /// When the request was sent.
    pub request_time: Timestamp,
    /// When the header section arrived.
    pub response_time: Timestamp,
    /// Whether the body came whole (RFC 9111 §3.3).
    pub complete: bool,
}
