//! Where slots are written down: the trait, what is asked of it, and what it answers.

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use super::bytes::{ByteAsk, ByteSlot, ReservedBytes};
use super::penalty::{Penalty, Stop};
use super::rate::{Window, WindowName};

/// What a request asks of the ledger.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The bucket it counts in.
    pub bucket: &'a str,
    /// The windows that bind it. With none, nothing is written down, and only a stop of the bucket counts.
    pub windows: &'a [Window],
    /// The longest wait; beyond it nothing is reserved. `None` for any.
    pub max_wait: Option<Duration>,
    /// The longest `Retry-After` to sit through; beyond it nothing is reserved. `None` for any.
    pub max_told: Option<Duration>,
    /// Do not wait for the ledger's own lock: answer [`LedgerError::Busy`] instead.
    pub at_once: bool,
}

impl<'a> Ask<'a> {
    /// A request in this bucket that waits as long as it takes.
    pub fn new(bucket: &'a str, windows: &'a [Window]) -> Self {
        Self { bucket, windows, max_wait: None, max_told: None, at_once: false }
    }
}

/// A slot: one departure, written down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slot {
    /// Its number in the bucket.
    pub seq: u64,
    /// When it is, in microseconds of the ledger's own time. Only the ledger understands it.
    pub at: i64,
    /// How long it was until then when it was reserved.
    pub wait: Duration,
    /// What put it off; `None` when nothing did.
    pub why: Option<Why>,
    /// The share of the limits in force: below 1 after a refusal of the server.
    pub share: f64,
}

/// What puts a slot off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// This window is full.
    Window(WindowName),
    /// This window would have room, but the server refused lately and the rate is reduced.
    Reduced(WindowName),
    /// The server's refusal.
    Stopped(Stop),
    /// Others wait already, and were first.
    Queue,
    /// The file was lost, and every window may be full.
    Lost,
}

/// The answer to a reservation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reserved {
    /// Written down.
    Slot(Slot),
    /// The wait would be longer than allowed. Nothing was written down.
    TooLong {
        /// How long it would be.
        wait: Duration,
        /// Why.
        why: Why,
    },
    /// The server asked for a longer pause than allowed. Nothing was written down.
    Told {
        /// How long it still lasts.
        wait: Duration,
        /// The status it came with.
        status: u16,
    },
    /// The server's block page stopped the bucket. Nothing was written down.
    Blocked {
        /// For how long still.
        wait: Duration,
    },
}

/// Whether a slot still stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// The request may leave now.
    Go {
        /// When its slot is: later than it was, where it had to be moved.
        at: i64,
    },
    /// Its time has not come: the clock was corrected meanwhile.
    Early {
        /// How long it still is.
        wait: Duration,
    },
    /// It is no longer the caller's, who must reserve again: the bucket was stopped meanwhile, or its time passed too long ago.
    Gone,
}

/// How a bucket stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The bucket.
    pub bucket: String,
    /// Departures until now in each of the windows asked about, in their order.
    pub used: Vec<u64>,
    /// Slots of the future, which requests wait for.
    pub reserved: u64,
    /// How long a request would wait now, and why.
    pub next: Reserved,
    /// The stop in force, and for how long still.
    pub stop: Option<(Stop, Duration)>,
    /// The share of the limits in force.
    pub share: f64,
    /// Bytes of the last hour and the last day.
    pub bytes: (u64, u64),
}

/// Why the ledger could not do what it was asked. The budget then fails closed: nothing is sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// It would have to wait for its lock, and was asked not to.
    #[error("the budget's file is in use")]
    Busy,
    /// Another program kept it locked for longer than the bound.
    #[error("{path} was locked by another program for longer than {bound:?}")]
    Locked {
        /// The file.
        path: PathBuf,
        /// The bound.
        bound: Duration,
    },
    /// The file or its folder cannot be written.
    #[error("{path} cannot be written: {reason}")]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The disk is full.
    #[error("{path}: the disk is full")]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// A newer version of this program made the file.
    #[error("{path} has format {found}, this program knows {known}; use the newer program, or name another file")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest one known.
        known: i64,
    },
    /// The file is a database of another program.
    #[error("{path} belongs to another program; name another file")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file system failed.
    #[error("{path}: {reason}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// Anything else the database says.
    #[error("{path}: the database failed: {reason}")]
    Database {
        /// The file.
        path: PathBuf,
        /// What it says.
        reason: String,
    },
    /// It was closed.
    #[error("the budget is closed")]
    Closed,
    /// A ledger of another make failed.
    #[error("{0}")]
    Other(String),
}

/// A place where the departures of every bucket are written down, for all who share it.
///
/// Every method is one indivisible step, and synchronous. A ledger owns its time: it answers in waits from now, so that one
/// on a server can use the server's clock. What an implementation must promise is in `schedule.rs`: the rule of lanes, kept by
/// all who share it, also through crashes and steps of the wall clock.
pub trait Ledger: Send + Sync + Debug {
    /// Finds the earliest instant that is legal in all windows and writes it down.
    fn reserve(&self, ask: &Ask<'_>) -> Result<Reserved, LedgerError>;

    /// Called when a slot's time has come: whether the request may leave. A slot whose time has passed by more than the margin
    /// allows is moved to now where that is legal.
    fn confirm(&self, ask: &Ask<'_>, slot: &Slot) -> Result<Confirmed, LedgerError>;

    /// Hands a slot back that was not used. `false` when others have reserved after it: then it stays used.
    fn release(&self, bucket: &str, slot: &Slot, at_once: bool) -> Result<bool, LedgerError>;

    /// What [`reserve`](Self::reserve) would answer after `ahead` others had reserved, or somewhat less: the wait is the least
    /// possible. Writes nothing, creates nothing.
    fn forecast(&self, ask: &Ask<'_>, ahead: u64) -> Result<Reserved, LedgerError>;

    /// The server refused: stops the bucket for all, and slows it down. Returns how long it is stopped and the share of the
    /// limits in force afterwards.
    fn refuse(&self, bucket: &str, penalty: &Penalty) -> Result<(Duration, f64), LedgerError>;

    /// A request succeeded while the rate was reduced. Returns the share of the limits in force.
    fn succeed(&self, bucket: &str) -> Result<f64, LedgerError>;

    /// Reserves bytes at the earliest instant at which all their windows have room.
    fn reserve_bytes(&self, ask: &ByteAsk<'_>) -> Result<ReservedBytes, LedgerError>;

    /// How long [`reserve_bytes`](Self::reserve_bytes) would have to wait. Writes nothing, creates nothing.
    fn forecast_bytes(&self, ask: &ByteAsk<'_>) -> Result<Duration, LedgerError>;

    /// Replaces the bytes reserved by those that were read.
    fn settle_bytes(&self, bucket: &str, slot: &ByteSlot, actual: u64) -> Result<(), LedgerError>;

    /// The lowest version (`None` for none at all) that was not used for this endpoint within `hold`; marks it used.
    fn refresh_version(&self, endpoint: &str, hold: Duration) -> Result<Option<u32>, LedgerError>;

    /// The buckets there are.
    fn buckets(&self) -> Result<Vec<String>, LedgerError>;

    /// How a bucket stands in these windows. Writes nothing.
    fn account(&self, ask: &Ask<'_>) -> Result<Account, LedgerError>;

    /// Closes files; everything after it fails with [`LedgerError::Closed`].
    fn close(&self);
}
