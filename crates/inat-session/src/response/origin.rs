//! Where an answer came from.

use std::time::Duration;

use http::StatusCode;

use crate::cache::StaleBecause;
use crate::dry_run::Plan;

/// Where an answer came from, and what it cost.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Origin {
    /// The server sent it.
    Network {
        /// How many requests that took.
        attempts: u32,
        /// How long they waited for slots of the budget.
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
        /// How many requests that took.
        attempts: u32,
        /// How long they waited for slots of the budget.
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
    /// Nobody was asked: a dry run, and its plan.
    DryRun(Box<Plan>),
}

impl Origin {
    /// How many requests were sent for it.
    pub fn attempts(&self) -> u32 {
        match self {
            Self::Network { attempts, .. } | Self::Revalidated { attempts, .. } => *attempts,
            Self::Shared(_) | Self::Cached { .. } | Self::Stale { .. } | Self::DryRun(_) => 0,
        }
    }

    /// Whether the body comes from the cache.
    pub fn is_from_cache(&self) -> bool {
        match self {
            Self::Cached { .. } | Self::Revalidated { .. } | Self::Stale { .. } => true,
            Self::Shared(origin) => origin.is_from_cache(),
            Self::Network { .. } | Self::DryRun(_) => false,
        }
    }
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
