//! One queue per process and bucket: at most one reservation of the future at a time.
//!
//! Without it a bulk job of 100 tasks would reserve 100 slots ahead, and a person's single request in another process would
//! wait for all of them. With it the job holds one slot of the future, its other tasks wait here, in order, and know nothing
//! of the ledger. **The bound:** a newcomer waits for at most one slot per other process, and then for its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::{Either, select};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use crate::Timestamp;

/// The queue of one bucket.
#[derive(Debug)]
pub(super) struct Turn {
    /// tokio's mutex is fair: first come, first served.
    head: Arc<Mutex<()>>,
    /// Until when the head of the queue sleeps.
    sleeping: watch::Sender<Timestamp>,
    waiting: AtomicU64,
}

/// The right to reserve. The next one gets it when this is dropped.
pub(super) struct Head {
    _guard: OwnedMutexGuard<()>,
    turn: Arc<Turn>,
}

impl Turn {
    pub(super) fn new() -> Self {
        Self { head: Arc::default(), sleeping: watch::Sender::new(Timestamp::EPOCH), waiting: AtomicU64::new(0) }
    }

    /// The right to reserve, when nobody waits for it.
    pub(super) fn try_take(turn: &Arc<Self>) -> Option<Head> {
        let guard = Arc::clone(&turn.head).try_lock_owned().ok()?;
        Some(Head { _guard: guard, turn: Arc::clone(turn) })
    }

    /// How many wait behind the head.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Waits for the turn. Who must be gone by `until` gives up as soon as the head is known to sleep longer than that, and
    /// learns until when: nobody waits for a deadline that cannot be kept, and no timer is needed.
    pub(super) async fn take(turn: Arc<Self>, until: Option<Timestamp>) -> Result<Head, Timestamp> {
        let _counted = Counted::new(&turn.waiting);
        let mut mine = std::pin::pin!(Arc::clone(&turn.head).lock_owned());
        let mut sleeping = turn.sleeping.subscribe();
        let guard = loop {
            let Some(until) = until else { break mine.await };
            let asleep = *sleeping.borrow_and_update();
            if asleep > until {
                return Err(asleep);
            }
            let changed = std::pin::pin!(sleeping.changed());
            if let Either::Left((guard, _)) = select(mine.as_mut(), changed).await {
                break guard;
            }
        };
        Ok(Head { _guard: guard, turn: Arc::clone(&turn) })
    }
}

impl Head {
    /// Tells the others until when this one sleeps.
    pub(super) fn sleeps_until(&self, at: Timestamp) {
        self.turn.sleeping.send_replace(at);
    }
}

impl Drop for Head {
    fn drop(&mut self) {
        // What was known of this head means nothing for the next one.
        self.turn.sleeping.send_if_modified(|at| std::mem::replace(at, Timestamp::EPOCH) != Timestamp::EPOCH);
    }
}

/// Counts a waiter for as long as it waits, also when its future is dropped.
struct Counted<'a>(&'a AtomicU64);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicU64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn first_come_first_served() {
        let turn = Arc::new(Turn::new());
        let mut front = Turn::try_take(&turn);
        let mut line: Vec<_> = (0..20).map(|_| Box::pin(Turn::take(Arc::clone(&turn), None))).collect();
        assert!(line.iter_mut().all(|place| place.as_mut().now_or_never().is_none()));
        assert_eq!(turn.waiting(), 20);
        for next in 0..20 {
            assert!(Turn::try_take(&turn).is_none());
            drop(front.take());
            // The last ones ask first, and have to wait all the same.
            assert!(line[next + 1..].iter_mut().rev().all(|place| place.as_mut().now_or_never().is_none()));
            front = line[next].as_mut().now_or_never().and_then(Result::ok);
            assert!(front.is_some());
        }
        assert_eq!(turn.waiting(), 0);
    }

    #[test]
    fn who_must_be_gone_earlier_gives_up_at_once() {
        let turn = Arc::new(Turn::new());
        let front = Turn::try_take(&turn).unwrap();
        let at = Timestamp::from_secs;
        let mut hasty = Box::pin(Turn::take(Arc::clone(&turn), Some(at(100))));
        let mut patient = Box::pin(Turn::take(Arc::clone(&turn), Some(at(200))));
        assert!(hasty.as_mut().now_or_never().is_none() && patient.as_mut().now_or_never().is_none());
        front.sleeps_until(at(150));
        assert_eq!(hasty.as_mut().now_or_never().and_then(Result::err), Some(at(150)));
        assert!(patient.as_mut().now_or_never().is_none());
        // Who gave up is not waited for.
        drop((front, hasty));
        assert!(patient.as_mut().now_or_never().is_some_and(|taken| taken.is_ok()));
    }
}
