//! One queue per process and bucket: at most one reservation of the future at a time.
//!
//! Without it a bulk job of 100 tasks would reserve 100 slots ahead, and a person's single request in another process would
//! wait for all of them. With it the job holds one slot of the future, its other tasks wait here, in order, and know nothing
//! of the ledger. **The bound:** a newcomer waits for at most one slot per other process, and then for its own.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex as Short, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use super::ledger::LedgerError;

/// The queue of one bucket.
#[derive(Debug)]
pub(super) struct Turn {
    /// tokio's mutex is fair: first come, first served.
    head: Arc<Mutex<()>>,
    /// Until when the head of the queue sleeps, by the process's own time: the wall clock may be set meanwhile.
    sleeping: watch::Sender<Option<Duration>>,
    waiting: Short<Waiting>,
}

/// Those behind the head, by the numbers they drew when they came.
#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    numbers: BTreeSet<u64>,
    /// Why a head got nowhere, and the first number drawn after that.
    failed: Option<(u64, LedgerError)>,
}

/// A number in the queue, held for as long as its owner waits, and not longer when its future is dropped.
pub(super) struct Ticket {
    number: u64,
    turn: Arc<Turn>,
}

/// A reservation takes about 20 µs, giving way about one.
const MOMENT: u32 = 40;

/// The right to reserve. The next one gets it when this is dropped.
pub(super) struct Head {
    _guard: OwnedMutexGuard<()>,
    turn: Arc<Turn>,
}

impl Turn {
    pub(super) fn new() -> Self {
        Self { head: Arc::default(), sleeping: watch::Sender::new(None), waiting: Short::default() }
    }

    /// The right to reserve, when nobody waits for it.
    pub(super) fn try_take(turn: &Arc<Self>) -> Option<Head> {
        let guard = Arc::clone(&turn.head).try_lock_owned().ok()?;
        Some(Head { _guard: guard, turn: Arc::clone(turn) })
    }

    /// The right to reserve, when it can be had within a moment: nobody waits, and the head does not sleep. A head that is in
    /// the middle of a reservation is done sooner than a queue has formed, and a queue lasts: while one is woken, others come.
    pub(super) fn take_soon(turn: &Arc<Self>) -> Option<Head> {
        for _ in 0..MOMENT {
            if let Some(head) = Self::try_take(turn) {
                return Some(head);
            }
            if turn.waiting() > 0 || turn.sleeping.borrow().is_some() {
                return None;
            }
            std::thread::yield_now();
        }
        None
    }

    /// How many wait behind the head.
    pub(super) fn waiting(&self) -> u64 {
        self.line().numbers.len() as u64
    }

    /// How many wait behind the head, and before this number.
    pub(super) fn before(&self, number: u64) -> u64 {
        self.line().numbers.range(..number).count() as u64
    }

    /// Ends when the head sleeps: then others wait for longer than a moment.
    pub(super) async fn sleeps(&self) {
        let mut sleeping = self.sleeping.subscribe();
        // The sender is this turn's own, so it is there.
        let _ = sleeping.wait_for(Option::is_some).await;
    }

    /// A head waited for the ledger as long as it may, in vain.
    pub(super) fn fails(&self, why: &LedgerError) {
        let mut line = self.line();
        line.failed = Some((line.next, why.clone()));
    }

    /// Why there is no use in trying, for who has been in the queue since before a head failed: it has waited as long as that
    /// one, and a queue must not add up the bounds of all who are in it.
    pub(super) fn failed(&self, number: u64) -> Option<LedgerError> {
        self.line().failed.as_ref().filter(|(first, _)| number < *first).map(|(_, why)| why.clone())
    }

    fn line(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn. Who must be gone by `until` gives up as soon as the head is known to sleep longer than that, and
    /// learns until when: nobody waits for a deadline that cannot be kept, and no timer is needed.
    pub(super) async fn take(ticket: Ticket, until: Option<Duration>) -> Result<Head, Duration> {
        let turn = Arc::clone(&ticket.turn);
        let mut mine = std::pin::pin!(Arc::clone(&turn.head).lock_owned());
        let mut sleeping = turn.sleeping.subscribe();
        let guard = loop {
            let Some(until) = until else { break mine.await };
            if let Some(asleep) = sleeping.borrow_and_update().filter(|asleep| *asleep > until) {
                return Err(asleep);
            }
            let changed = std::pin::pin!(sleeping.changed());
            if let Either::Left((guard, _)) = select(mine.as_mut(), changed).await {
                break guard;
            }
        };
        Ok(Head { _guard: guard, turn })
    }
}

impl Head {
    /// Tells the others until when this one sleeps.
    pub(super) fn sleeps_until(&self, at: Duration) {
        self.turn.sleeping.send_replace(Some(at));
    }
}

impl Drop for Head {
    fn drop(&mut self) {
        // What was known of this head means nothing for the next one.
        self.turn.sleeping.send_if_modified(|at| at.take().is_some());
    }
}

impl Ticket {
    pub(super) fn draw(turn: &Arc<Turn>) -> Self {
        let mut line = turn.line();
        let number = line.next;
        line.next += 1;
        line.numbers.insert(number);
        drop(line);
        Self { number, turn: Arc::clone(turn) }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.turn.line().numbers.remove(&self.number);
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
        let mut line: Vec<_> = (0..20).map(|_| Box::pin(Turn::take(Ticket::draw(&turn), None))).collect();
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
        let at = Duration::from_secs;
        let mut hasty = Box::pin(Turn::take(Ticket::draw(&turn), Some(at(100))));
        let mut patient = Box::pin(Turn::take(Ticket::draw(&turn), Some(at(200))));
        assert!(hasty.as_mut().now_or_never().is_none() && patient.as_mut().now_or_never().is_none());
        front.sleeps_until(at(150));
        assert_eq!(hasty.as_mut().now_or_never().and_then(Result::err), Some(at(150)));
        assert!(patient.as_mut().now_or_never().is_none());
        // Who gave up is not waited for.
        drop((front, hasty));
        assert!(patient.as_mut().now_or_never().is_some_and(|taken| taken.is_ok()));
    }
}
