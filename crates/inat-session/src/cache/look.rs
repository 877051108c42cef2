use http::HeaderMap;
use std::sync::Arc;
use std::time::Duration;
use super::{Asked, Entry, MissReason, Rules, StaleBecause};
use crate::Timestamp;
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
        /// Why it does not do.
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
/// look
pub fn look(_asked: &Asked<'_>, _variants: &[Arc<Entry>], _rules: &Rules, _now: Timestamp) -> Lookup { Lookup::Miss(MissReason::Uri) }
