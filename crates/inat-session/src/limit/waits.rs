//! Those who wait for a slot of the future, and how they learn that the limiter is closed: a slot that nobody will use any more
//! has to be handed back while the ledger is still open.

use futures_util::future::{Either, select};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::ledger::LedgerError;
use crate::{Clock, Timestamp};

/// Who waits in this process.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits {
    all: TaskTracker,
    over: CancellationToken,
}

/// One who waits, until what it holds is used or handed back.
#[derive(Debug)]
#[must_use]
pub(super) struct Waiter {
    _token: TaskTrackerToken,
}

impl Waits {
    pub(super) fn begin(&self) -> Waiter {
        Waiter { _token: self.all.token() }
    }

    /// Fails once it is over.
    pub(super) fn check(&self) -> Result<(), LedgerError> {
        if self.over.is_cancelled() { Err(LedgerError::Closed) } else { Ok(()) }
    }

    /// Sleeps until then, or until it is over.
    pub(super) async fn sleep_until(&self, clock: &Clock, at: Timestamp) -> Result<(), LedgerError> {
        let slept = std::pin::pin!(clock.sleep_until(at));
        match select(std::pin::pin!(self.over.cancelled()), slept).await {
            Either::Left(_) => Err(LedgerError::Closed),
            Either::Right(_) => Ok(()),
        }
    }

    /// Wakes all who wait, for nothing, and ends when none is left.
    pub(super) async fn end(&self) {
        self.over.cancel();
        self.all.close();
        self.all.wait().await;
    }
}
