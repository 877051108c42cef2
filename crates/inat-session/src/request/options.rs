//! How to go about one request, apart from what it says.

use std::time::Duration;

use crate::cache::Lifetime;

/// What a request may say about its own handling. The defaults leave everything to the session.
#[allow(clippy::struct_excessive_bools, reason = "switches of the reference, each on its own")]
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// `Some(true)` plans and sends nothing; `Some(false)` sends whatever the environment says; `None` asks the environment.
    pub dry_run: Option<bool>,
    /// How long to keep the answer.
    #[doc(alias = "expire_after")]
    pub lifetime: Option<Lifetime>,
    /// How fresh it has to be.
    pub freshness: Freshness,
    /// Whether a status of 400 or above is an error. On by default.
    pub raise_for_status: bool,
    /// How many redirects to follow; none by default.
    #[doc(alias = "allow_redirects")]
    pub redirects: u32,
    /// Whether the body is handed over as it arrives.
    pub stream: bool,
    /// The time limit.
    pub timeout: TimeoutChoice,
    /// Whether certificates are checked. On by default.
    pub verify: bool,
    /// How often to try again.
    pub retries: Option<u32>,
    /// Whether sending it twice does no harm, whatever the method.
    pub idempotent: bool,
    /// A bound on everything together.
    pub deadline: Option<Duration>,
    /// The longest wait for a slot of the budget. The shorter of this and the session's `max_delay` counts.
    pub max_delay: Option<Duration>,
}

impl Options {
    /// How many redirects are followed when asked to follow them.
    pub const MAX_REDIRECTS: u32 = 10;
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dry_run: None,
            lifetime: None,
            freshness: Freshness::Normal,
            raise_for_status: true,
            redirects: 0,
            stream: false,
            timeout: TimeoutChoice::Session,
            verify: true,
            retries: None,
            idempotent: false,
            deadline: None,
            max_delay: None,
        }
    }
}

/// How fresh an answer has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Freshness {
    /// As the headers and lifetimes say.
    #[default]
    Normal,
    /// Validated with the server first.
    #[doc(alias = "refresh")]
    Refresh,
    /// Fetched anew; what is stored is replaced.
    #[doc(alias = "force_refresh")]
    ForceRefresh,
    /// From the cache or not at all; fresh, or stale where serving stale is allowed.
    #[doc(alias = "only_if_cached")]
    OnlyIfCached,
}

impl Freshness {
    /// The other one, unless only the cache may answer: nothing said besides lifts that.
    pub(crate) fn or_only_if_cached(self, other: Self) -> Self {
        if self == Self::OnlyIfCached { self } else { other }
    }
}

/// A time limit of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TimeoutChoice {
    /// The session's.
    #[default]
    Session,
    /// None at all.
    Off,
    /// This long, both for connecting and between bytes.
    After(Duration),
}

impl From<Duration> for TimeoutChoice {
    fn from(duration: Duration) -> Self {
        Self::After(duration)
    }
}

impl From<Option<Duration>> for TimeoutChoice {
    /// `None` turns timeouts off, as it does in the reference.
    fn from(duration: Option<Duration>) -> Self {
        duration.map_or(Self::Off, Self::After)
    }
}
