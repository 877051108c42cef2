//! The account for people to look at.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::book::LOST;
use super::ledger::{Account, Reserved, Slot, Why};
use super::limits::ByteLimits;
use super::penalty::Stop;
use super::permit::WaitReason;
use super::rate::Window;
use crate::Timestamp;

/// How one bucket stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BucketReport {
    /// Its name.
    pub bucket: String,
    /// Each window that binds it, the shortest first.
    pub windows: Vec<WindowReport>,
    /// Slots of the future that are given already, to requests that wait for them.
    pub reserved: u64,
    /// How long a request would wait now, in seconds.
    #[serde(serialize_with = "seconds", rename = "wait_seconds")]
    pub wait: Duration,
    /// When the next slot is.
    #[serde(serialize_with = "moment")]
    pub next_slot: Timestamp,
    /// Until when the bucket is stopped, when it is.
    #[serde(serialize_with = "maybe_moment")]
    pub stopped_until: Option<Timestamp>,
    /// Why it is stopped, in words.
    pub stopped_because: Option<String>,
    /// The share of the limits in force: below 1 after a refusal of the server.
    pub rate_share: f64,
    /// The bytes, when they are limited.
    pub bytes: Vec<ByteReport>,
}

/// How one window stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WindowReport {
    /// Which one: second, minute, hour, day, month.
    pub name: String,
    /// How long it is, in seconds.
    #[serde(serialize_with = "seconds", rename = "length_seconds")]
    pub length: Duration,
    /// How many requests it allows.
    pub limit: u64,
    /// How many have left in the last so many seconds, and never more than the limit.
    pub used: u64,
    /// How many more fit, besides those that wait for a slot.
    pub left: u64,
}

/// How the bytes of one window stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ByteReport {
    /// Which one: hour, day.
    pub name: String,
    /// How many bytes it allows.
    pub limit: u64,
    /// How many it holds now.
    pub used: u64,
    /// How many more fit now.
    pub left: u64,
}

pub(super) fn bucket(account: Account, windows: &[Window], bytes: Option<ByteLimits>, now: Timestamp) -> BucketReport {
    let wait = match account.next {
        Reserved::Slot(slot) => slot.wait,
        Reserved::TooLong { wait, .. } | Reserved::Told { wait, .. } | Reserved::Blocked { wait } => wait,
    };
    let is_lost = matches!(account.next, Reserved::Slot(Slot { why: Some(Why::Lost), .. }));
    let used = windows.iter().zip(&account.used).map(|(window, used)| WindowReport {
        name: window.name.to_string(),
        length: window.length,
        limit: window.limit,
        used: *used,
        // What is not known may be used.
        left: if is_lost && window.length <= LOST {
            0
        } else {
            window.limit.saturating_sub(*used).saturating_sub(account.reserved)
        },
    });
    BucketReport {
        windows: used.collect(),
        reserved: account.reserved,
        wait,
        next_slot: now.plus(wait),
        stopped_until: account.stop.map(|(_, left)| now.plus(left)).or_else(|| is_lost.then(|| now.plus(wait))),
        stopped_because: match account.stop {
            Some((stop, _)) => Some(stop.to_string()),
            None => is_lost.then(|| WaitReason::LedgerLost.to_string()),
        },
        rate_share: account.share,
        bytes: bytes.map(|limits| byte_reports(limits, account.bytes)).unwrap_or_default(),
        bucket: account.bucket,
    }
}

impl BucketReport {
    pub(super) fn waits_for_bytes(&mut self, wait: Duration, now: Timestamp) {
        self.wait = self.wait.max(wait);
        self.next_slot = now.plus(self.wait);
    }
}

fn byte_reports(limits: ByteLimits, (hour, day): (u64, u64)) -> Vec<ByteReport> {
    [("hour", limits.per_hour, hour), ("day", limits.per_day, day)]
        .into_iter()
        .filter(|(_, limit, _)| *limit > 0)
        .map(|(name, limit, used)| ByteReport { name: name.to_owned(), limit, used, left: limit.saturating_sub(used) })
        .collect()
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Told(status) => write!(f, "the server answered {status} and said how long to wait"),
            Self::Throttled(status) => write!(f, "the server answered {status}"),
            Self::BlockPage => f.write_str("the server has blocked this address; write to help@inaturalist.org"),
        }
    }
}

fn seconds<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(duration.as_secs_f64())
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference to the field")]
fn moment<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(at)
}

#[allow(clippy::ref_option, reason = "serde passes a reference to the field")]
fn maybe_moment<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => to.collect_str(at),
        None => to.serialize_none(),
    }
}
