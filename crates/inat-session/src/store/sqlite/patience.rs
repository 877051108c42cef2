//! Waiting for a lock once, not at every call.
//!
//! A program that holds the lock for long would otherwise cost every request the whole bound, and threads that queue up
//! would wait for each other's waiting.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use crate::Clock;

/// After a wait was in vain, nobody waits for four times as long.
const PAUSE: u32 = 4;

#[derive(Debug)]
pub(super) struct Patience {
    bound: Duration,
    clock: Clock,
    /// Microseconds of the monotonic clock until which nobody waits; 0 when all is well.
    lost_until: AtomicI64,
}

impl Patience {
    pub(super) fn new(bound: Duration, clock: Clock) -> Self {
        Self { bound, clock, lost_until: AtomicI64::new(0) }
    }

    /// A wait was in vain.
    pub(super) fn lose(&self) {
        let until = self.clock.monotonic().saturating_add(self.bound.saturating_mul(PAUSE));
        self.lost_until.store(crate::timestamp::micros(until).max(1), Ordering::Relaxed);
    }

    /// Whether nobody waits now.
    pub(super) fn is_lost(&self) -> bool {
        let until = self.lost_until.load(Ordering::Relaxed);
        if until == 0 {
            return false;
        }
        if crate::timestamp::micros(self.clock.monotonic()) >= until {
            self.lost_until.store(0, Ordering::Relaxed);
            return false;
        }
        true
    }

    /// How long one waits now.
    pub(super) fn now(&self) -> Duration {
        if self.is_lost() { Duration::ZERO } else { self.bound }
    }

    /// Keeps `conn` from waiting while patience is lost. `true` when it did, and the usual bound must be put back.
    pub(super) fn apply(&self, conn: &Connection) -> rusqlite::Result<bool> {
        let is_lost = self.is_lost();
        if is_lost {
            conn.busy_timeout(Duration::ZERO)?;
        }
        Ok(is_lost)
    }
}
