//! What a caller says to the limiter, and what it hears.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

use super::bytes::ByteSlot;
use super::ledger::{LedgerError, Slot};
#[cfg(doc)]
use super::limits::Limits;
use super::rate::WindowName;
use crate::{Clock, Timestamp};

/// How long a caller is ready to wait. The default is as long as it takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    /// At most this long.
    pub max_delay: Option<Duration>,
    /// At most until then.
    pub until: Option<Timestamp>,
}

/// The right to send one request.
#[derive(Clone, Debug)]
#[must_use]
pub struct Permit {
    /// How long the caller waited for it.
    pub waited: Duration,
    /// When it was given.
    pub at: Timestamp,
    /// Send before this, or ask again: later would be too close to the next request at the server.
    pub leave_by: Timestamp,
    /// The share of the limits in force: below 1 after a refusal of the server.
    pub rate_share: f64,
    /// `leave_by` in the process's own time: the wall clock may be set meanwhile.
    pub(super) until: Duration,
    pub(super) slot: Option<Slot>,
}

impl Permit {
    /// Whether it is for a certain moment.
    pub(crate) fn may_pass(&self) -> bool {
        self.slot.is_some()
    }

    /// Whether that moment has passed.
    pub(super) fn has_passed(&self, clock: &Clock) -> bool {
        clock.now() > self.leave_by || clock.monotonic() > self.until
    }
}

/// The right to read a body from a media host.
#[derive(Clone, Debug)]
#[must_use]
pub struct BytePermit {
    /// How long the caller waited for it.
    pub waited: Duration,
    pub(super) slot: Option<(String, ByteSlot)>,
}

impl BytePermit {
    /// Whether the bytes of this host count.
    pub fn is_counted(&self) -> bool {
        self.slot.is_some()
    }
}

/// A wait that has begun.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    /// When it ends, as far as is known now.
    pub until: Timestamp,
    /// Why.
    pub why: WaitReason,
}

/// Why a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitReason {
    /// This window is full.
    Rate(WindowName),
    /// This window has room, but the server refused lately and the rate is reduced.
    Halved(WindowName),
    /// The server said how long to wait, with this status.
    ServerSaidWait(u16),
    /// The server said "too fast" with this status.
    Throttled(u16),
    /// The server showed its block page.
    BlockPage,
    /// Others are first: in this process (so many), or in another (`0`).
    Turn(u64),
    /// The budget's file was lost, and every window may be full.
    LedgerLost,
    /// The byte budget is full.
    Bytes,
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(WindowName::Second) => f.write_str("the burst is used up"),
            Self::Rate(window) => write!(f, "all slots of the {window} are taken"),
            Self::Halved(window) => {
                write!(f, "the rate is reduced after a refusal, and all slots of the {window} are taken")
            }
            Self::ServerSaidWait(status) => write!(f, "the server answered {status} and said how long to wait"),
            Self::Throttled(status) => write!(f, "the server answered {status}"),
            Self::BlockPage => f.write_str("the server has blocked this address"),
            Self::Turn(0) => f.write_str("another process is first"),
            Self::Turn(1) => f.write_str("another is first"),
            Self::Turn(ahead) => write!(f, "{ahead} others are first"),
            Self::LedgerLost => f.write_str("the budget's file was lost, and every window may be full"),
            Self::Bytes => f.write_str("the bytes of the hour or the day are used up"),
        }
    }
}

/// Why there is no permit. Nothing was consumed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The wait would be longer than allowed.
    #[error("the budget has no slot until {until}")]
    TooLong {
        /// When there would be one.
        until: Timestamp,
    },
    /// The server asked for a longer pause than [`Limits::retry_after_cap`].
    #[error("the server answered {status} and asks to come back at {until}")]
    RetryAfter {
        /// When it may be asked again.
        until: Timestamp,
        /// The status it came with.
        status: u16,
    },
    /// The server showed its block page: write to help@inaturalist.org.
    #[error("the server has blocked this address; nothing is sent until {until}")]
    Blocked {
        /// Until when nothing is sent.
        until: Timestamp,
    },
    /// The budget cannot be kept.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The server answered.
    Fine,
    /// The server refused: a status of [`Limits::limit_statuses`], or any with `Retry-After`.
    Refused {
        /// The status.
        status: StatusCode,
        /// Its `Retry-After`.
        retry_after: Option<RetryAfter>,
    },
    /// The server showed its block page.
    Blocked,
}

/// A `Retry-After` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// Seconds.
    In(Duration),
    /// A date.
    At(Timestamp),
}

/// What a report led to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reported {
    /// Until when the bucket is stopped, for all processes.
    pub stopped_until: Option<Timestamp>,
    /// Whether that is longer than [`Limits::retry_after_cap`]: don't sit through it.
    pub beyond_cap: bool,
    /// The share of the limits in force.
    pub rate_share: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_first() {
        let told = [0, 1, 2].map(|ahead| WaitReason::Turn(ahead).to_string());
        assert_eq!(told, ["another process is first", "another is first", "2 others are first"]);
    }
}
