//! Where an answer came from.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

use crate::cache::StaleBecause;
use crate::dry_run::Plan;
use crate::human::Human;

/// Where an answer came from, and what it cost.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Origin {
    /// The server sent it.
    Network {
        /// How many requests that took; each redirect that was followed has its own count in [`history`](crate::Response::history).
        attempts: u32,
        /// How long they waited for slots of the budget, redirects that were followed included.
        waited: Duration,
    },
    /// It was stored and fresh: no request.
    Cached {
        /// How old it is.
        age: Duration,
        /// How long it stays fresh; `None` for ever.
        fresh_for: Option<Duration>,
    },
    /// It was stored, and the server says that it is still good (304).
    #[doc(alias = "revalidated")]
    Revalidated {
        /// How many requests that took; each redirect that was followed has its own count in [`history`](crate::Response::history).
        attempts: u32,
        /// How long they waited for slots of the budget, redirects that were followed included.
        waited: Duration,
    },
    /// It was stored and is not fresh, but may be served.
    Stale {
        /// How old it is.
        age: Duration,
        /// Why it may.
        because: StaleBecause,
    },
    /// Somebody else was asking for the same, and this is their answer.
    Shared(Box<Origin>),
    /// It is not stored, and only the cache was allowed to answer: the answer is the session's own.
    NotCached,
    /// Nobody was asked: a dry run, and its plan.
    DryRun(Box<Plan>),
}

impl Origin {
    /// The same, got together with somebody else.
    pub(crate) fn shared(self) -> Self {
        match self {
            shared @ Self::Shared(_) => shared,
            origin => Self::Shared(Box::new(origin)),
        }
    }

    /// How many requests were sent for it.
    pub fn attempts(&self) -> u32 {
        match self {
            Self::Network { attempts, .. } | Self::Revalidated { attempts, .. } => *attempts,
            Self::Shared(_) | Self::Cached { .. } | Self::Stale { .. } | Self::NotCached | Self::DryRun(_) => 0,
        }
    }

    /// How long those waited for slots of the budget.
    pub(crate) fn waited(&self) -> Duration {
        match self {
            Self::Network { waited, .. } | Self::Revalidated { waited, .. } => *waited,
            Self::Shared(_) | Self::Cached { .. } | Self::Stale { .. } | Self::NotCached | Self::DryRun(_) => {
                Duration::ZERO
            }
        }
    }

    /// Whether the body comes from the cache.
    pub fn is_from_cache(&self) -> bool {
        match self {
            Self::Cached { .. } | Self::Revalidated { .. } | Self::Stale { .. } => true,
            Self::Shared(origin) => origin.is_from_cache(),
            Self::Network { .. } | Self::NotCached | Self::DryRun(_) => false,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network { attempts, waited } => {
                f.write_str("from the server")?;
                spent(f, *attempts, *waited)
            }
            Self::Revalidated { attempts, waited } => {
                f.write_str("cached, and the server says it is still good")?;
                spent(f, *attempts, *waited)
            }
            Self::Cached { age, fresh_for: Some(fresh_for) } => {
                write!(f, "cached {}, good for {} more", Ago(*age), Human(*fresh_for))
            }
            Self::Cached { age, fresh_for: None } => write!(f, "cached {}, good for ever", Ago(*age)),
            Self::Stale { age, because } => write!(f, "cached {} and expired ({because})", Ago(*age)),
            Self::Shared(origin) => write!(f, "shared with a twin in flight: {origin}"),
            Self::NotCached => f.write_str("not cached, and nobody else was asked"),
            Self::DryRun(_) => f.write_str("a dry run"),
        }
    }
}

/// How long ago something was.
struct Ago(Duration);

impl fmt::Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_secs(1) { f.write_str("just now") } else { write!(f, "{} ago", Human(self.0)) }
    }
}

fn spent(f: &mut fmt::Formatter<'_>, attempts: u32, waited: Duration) -> fmt::Result {
    if attempts > 1 {
        write!(f, ", {attempts} tries")?;
    }
    if waited >= Duration::from_millis(50) {
        write!(f, ", after a wait of {}", Human(waited))?;
    }
    Ok(())
}

/// One redirect on the way to an answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Redirected {
    /// The URL that redirected, masked.
    pub url: String,
    /// With which status.
    pub status: StatusCode,
    /// Where that answer came from.
    pub origin: Origin,
}
