//! Everything that was asked, in order, for tests to read.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{Fault, Seen};

/// The oldest entries go first beyond these, so that a sandbox left running does not grow for ever.
const ENTRIES: usize = 200_000;
const BYTES: usize = 512 * 1024 * 1024;

#[derive(Debug, Default)]
struct Entries {
    seen: VecDeque<Seen>,
    bytes: usize,
    next: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: Mutex<Entries>,
    changed: Condvar,
}

impl Log {
    /// Numbers and keeps a request, and gives it back.
    pub(crate) fn push(&self, mut seen: Seen) -> Seen {
        let mut entries = self.lock();
        entries.next += 1;
        seen.number = entries.next;
        entries.bytes += seen.body.len();
        entries.seen.push_back(seen.clone());
        while entries.seen.len() > ENTRIES || (entries.bytes > BYTES && entries.seen.len() > 1) {
            let Some(oldest) = entries.seen.pop_front() else { break };
            entries.bytes -= oldest.body.len();
        }
        drop(entries);
        self.changed.notify_all();
        seen
    }

    pub(crate) fn decided(&self, number: u64, status: Option<u16>, fault: Option<Fault>) {
        let mut entries = self.lock();
        // Numbers rise without gaps, so the entry's place follows from the first one's number.
        let first = entries.seen.front().map_or(0, |seen| seen.number);
        let place = number.checked_sub(first).and_then(|place| usize::try_from(place).ok());
        if let Some(seen) = place.and_then(|place| entries.seen.get_mut(place)) {
            seen.status = status;
            seen.fault = fault;
        }
    }

    pub(crate) fn all(&self) -> Vec<Seen> {
        self.lock().seen.iter().cloned().collect()
    }

    pub(crate) fn count(&self, prefix: &str) -> usize {
        count(&self.lock(), prefix)
    }

    pub(crate) fn clear(&self) {
        let mut entries = self.lock();
        entries.seen.clear();
        entries.bytes = 0;
    }

    /// Waits until that many matching requests have arrived; whether they did in time.
    pub(crate) fn wait_for(&self, prefix: &str, wanted: usize, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let mut entries = self.lock();
        while count(&entries, prefix) < wanted {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            entries = self.changed.wait_timeout(entries, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(entries: &Entries, prefix: &str) -> usize {
    entries.seen.iter().filter(|seen| seen.target.starts_with(prefix)).count()
}
