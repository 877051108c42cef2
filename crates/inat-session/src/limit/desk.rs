//! One bucket as this process knows it, and how its ledger is called from async code.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::runtime::Handle;

use super::ledger::{Ledger, LedgerError, Slot};
use super::rate::Window;
use super::turn::Turn;
use super::waits::Waiter;
use crate::{Clock, Timestamp};

/// What this process knows of a bucket.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) name: String,
    pub(super) windows: Vec<Window>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) turn: Arc<Turn>,
    /// How late a request may leave after its slot.
    pub(super) grace: Duration,
    /// Whether the rate was reduced when last seen, so that a success is worth telling the ledger.
    pub(super) slow: AtomicBool,
}

/// A slot that is handed back unless it is used.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) desk: Arc<Desk>,
    pub(super) slot: Option<Slot>,
    /// The process's time before it was reserved.
    pub(super) before: Duration,
    /// Its time by the wall clock, counted from after it was reserved, so never early.
    pub(super) due: Timestamp,
    /// Present while its time has not come.
    pub(super) waiter: Option<Waiter>,
}

impl Held {
    /// Whether there was nothing to wait for.
    pub(super) fn is_due(&self) -> bool {
        self.slot.is_some_and(|slot| slot.wait.is_zero())
    }

    /// Whether its time may have passed by more than is allowed. One of the two clocks stands still while the machine is
    /// suspended, and the other may be set; and it is counted from before it was reserved, so it is late when in doubt.
    pub(super) fn is_overdue(&self, clock: &Clock) -> bool {
        let wait = self.slot.map_or(Duration::ZERO, |slot| slot.wait);
        let grace = self.desk.grace;
        clock.monotonic().saturating_sub(self.before).saturating_sub(wait) > grace || clock.now() > self.due.plus(grace)
    }

    /// Its slot is now at this instant of the ledger's, which lies between these two moments.
    pub(super) fn moved_to(&mut self, at: i64, before: Duration, due: Timestamp) {
        if let Some(slot) = &mut self.slot {
            (slot.at, slot.wait) = (at, Duration::ZERO);
        }
        (self.before, self.due) = (before, due);
    }

    /// Used, or no longer ours.
    pub(super) fn spent(mut self) -> Option<Slot> {
        self.slot.take()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(slot) = self.slot.take() else { return };
        let busy = matches!(self.desk.ledger.release(&self.desk.name, &slot, true), Err(LedgerError::Busy));
        // A slot that cannot be handed back stays used, which is never one too many.
        if let (true, Ok(runtime)) = (busy, Handle::try_current()) {
            let (desk, waiter) = (Arc::clone(&self.desk), self.waiter.take());
            drop(runtime.spawn_blocking(move || {
                let _ = desk.ledger.release(&desk.name, &slot, false);
                drop(waiter);
            }));
        }
    }
}

/// One step of the ledger: on this thread when it is free, which takes microseconds, else on a thread that may wait.
pub(super) async fn step<T: Send + 'static>(
    desk: &Arc<Desk>,
    work: impl Fn(&Arc<Desk>, bool) -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, LedgerError> {
    match work(desk, true) {
        Err(LedgerError::Busy) => {
            let desk = Arc::clone(desk);
            off_thread(move || work(&desk, false)).await
        }
        done => done,
    }
}

/// Runs on a thread that may wait; on this one where there is no runtime.
pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, LedgerError> {
    match Handle::try_current() {
        Ok(runtime) => match runtime.spawn_blocking(work).await {
            Ok(done) => done,
            Err(error) => Err(LedgerError::Other(format!("the budget's thread failed: {error}"))),
        },
        Err(_) => work(),
    }
}
