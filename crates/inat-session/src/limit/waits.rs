//! Those who wait for a slot of the future, and how they learn that the limiter is closed: a slot that nobody will use any more
//! has to be handed back while the ledger is still open.

use std::sync::Arc;

use futures_util::future::{Either, select};
use tokio::sync::watch;

use super::ledger::LedgerError;
use crate::{Clock, Timestamp};

/// Who waits in this process.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    over: watch::Sender<bool>,
    count: watch::Sender<usize>,
}

/// One who waits, until what it holds is used or handed back.
#[derive(Debug)]
#[must_use]
pub(super) struct Waiter(Waits);

impl Waits {
    pub(super) fn begin(&self) -> Waiter {
        self.0.count.send_modify(|count| *count += 1);
        Waiter(self.clone())
    }

    /// Fails once it is over.
    pub(super) fn check(&self) -> Result<(), LedgerError> {
        if *self.0.over.borrow() { Err(LedgerError::Closed) } else { Ok(()) }
    }

    /// Sleeps until then, or until it is over.
    pub(super) async fn sleep_until(&self, clock: &Clock, at: Timestamp) -> Result<(), LedgerError> {
        let mut over = self.0.over.subscribe();
        let over = std::pin::pin!(over.wait_for(|over| *over));
        let slept = std::pin::pin!(clock.sleep_until(at));
        match select(over, slept).await {
            Either::Left(_) => Err(LedgerError::Closed),
            Either::Right(_) => Ok(()),
        }
    }

    /// Wakes all who wait, for nothing, and ends when none is left.
    pub(super) async fn end(&self) {
        self.0.over.send_replace(true);
        let mut count = self.0.count.subscribe();
        // The sender is this one's own, so it is there.
        let _ = count.wait_for(|count| *count == 0).await;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.0.count.send_modify(|count| *count -= 1);
    }
}
