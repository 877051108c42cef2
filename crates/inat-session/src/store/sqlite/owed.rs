//! Removals that could not be written, because the file was locked or the disk full: kept in mind until they are.
//!
//! An entry that is out of date must not be served as fresh just because somebody else holds the lock. Whatever is owed is
//! hidden from reads of this process, and settled with the next write that succeeds.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::SqliteStore;
use super::fault::Fault;
use super::transaction::Transaction;
use super::written;
use crate::Timestamp;
use crate::cache::Key;
use crate::store::Stored;
use crate::store::worth::resource;

/// Beyond this many, everything kept so far counts as owed.
const MOST: usize = 1000;

/// A removal, and the highest number it concerns: what is stored later is not meant.
#[derive(Clone, Debug)]
struct Debt {
    serial: u64,
    what: What,
    up_to: i64,
}

#[derive(Clone, Debug)]
enum What {
    Resource(String),
    Key(Key),
    Everything,
}

/// What is owed.
#[derive(Debug, Default)]
pub(super) struct Owed {
    any: AtomicBool,
    /// Removals being tried, which may come to be owed.
    tried: AtomicUsize,
    debts: Mutex<Vec<Debt>>,
    next: AtomicU64,
}

/// A removal is being tried, for as long as this lives.
pub(super) struct Trying<'a>(&'a AtomicUsize);

impl Drop for Trying<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Owed {
    /// To be kept until it is known whether a removal is owed.
    pub(super) fn tries(&self) -> Trying<'_> {
        self.tried.fetch_add(1, Ordering::SeqCst);
        Trying(&self.tried)
    }

    /// Whether nothing is owed, nor may come to be by what was begun.
    pub(super) fn is_settled(&self) -> bool {
        self.tried.load(Ordering::SeqCst) == 0 && self.is_empty()
    }

    pub(super) fn resources(&self, resources: &[String], now: Timestamp) {
        for resource in resources {
            self.add(What::Resource(resource.clone()), now);
        }
    }

    pub(super) fn key(&self, key: &Key, now: Timestamp) {
        self.add(What::Key(*key), now);
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }

    fn add(&self, what: What, now: Timestamp) {
        let mut debts = self.lock();
        let (serial, mut up_to) = (self.next.fetch_add(1, Ordering::Relaxed), last_id_of(now));
        if debts.len() >= MOST {
            up_to = debts.iter().map(|debt| debt.up_to).fold(up_to, i64::max);
            debts.clear();
            debts.push(Debt { serial, what: What::Everything, up_to });
        } else {
            debts.push(Debt { serial, what, up_to });
        }
        self.any.store(true, Ordering::Release);
    }

    /// Whether a variant that was read should be gone.
    pub(super) fn hides(&self, key: &Key, stored: &Stored) -> bool {
        !self.is_empty()
            && self.lock().iter().any(|debt| {
                stored.id <= debt.up_to
                    && match &debt.what {
                        What::Resource(wanted) => resource(&stored.entry) == *wanted,
                        What::Key(owed) => owed == key,
                        What::Everything => true,
                    }
            })
    }

    /// Writes what is owed in a transaction that is going on. Up to which debt that is, for [`Owed::settled`].
    pub(super) fn settle(&self, transaction: &Transaction<'_>, now: Timestamp) -> Result<Option<u64>, Fault> {
        if self.is_empty() {
            return Ok(None);
        }
        let debts = self.lock().clone();
        for debt in &debts {
            match &debt.what {
                What::Resource(wanted) => {
                    let wanted = std::slice::from_ref(wanted);
                    written::note(transaction, wanted, now)?;
                    SqliteStore::invalidate_in_file(transaction, wanted, debt.up_to)?;
                }
                What::Key(key) => SqliteStore::remove_key_from_file(transaction, key, debt.up_to)?,
                What::Everything => {
                    transaction.execute("DELETE FROM entry WHERE id <= ?1", [debt.up_to])?;
                    transaction.execute("DELETE FROM body WHERE id <= ?1", [debt.up_to])?;
                }
            }
        }
        Ok(debts.last().map(|debt| debt.serial))
    }

    /// The debts up to this one were written, and the transaction was committed. What has come since is still owed, and others
    /// may have settled some meanwhile.
    pub(super) fn settled(&self, last: Option<u64>) {
        if let Some(last) = last {
            let mut debts = self.lock();
            debts.retain(|debt| debt.serial > last);
            self.any.store(!debts.is_empty(), Ordering::Release);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Debt>> {
        self.debts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number that is not lower than any given until now. When many are given in a millisecond, they run ahead of the clock.
fn last_id_of(now: Timestamp) -> i64 {
    first_id_of(now.plus(Duration::from_secs(1)))
}

/// The lowest number that can be given now: the milliseconds since the epoch, then 20 bits of chance.
pub(super) fn first_id_of(now: Timestamp) -> i64 {
    now.as_micros().div_euclid(1000).clamp(0, 1 << 42) << 20
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serials(owed: &Owed) -> Vec<u64> {
        owed.lock().iter().map(|debt| debt.serial).collect()
    }

    /// Two writers settle the same debts; what came in between is still owed.
    #[test]
    fn what_is_settled_is_what_was_written() {
        let (owed, now) = (Owed::default(), Timestamp::from_micros(0));
        let add = || owed.key(&Key([1; 32]), now);
        add();
        let (first, second) = (Some(0), Some(0));
        owed.settled(first);
        add();
        owed.settled(second);
        assert_eq!(serials(&owed), [1]);
        assert!(!owed.is_empty());
        for _ in 0..MOST {
            add();
        }
        // All of them have become one, which nobody has written.
        owed.settled(Some(MOST as u64));
        assert_eq!(serials(&owed), [MOST as u64 + 1]);
        owed.settled(Some(MOST as u64 + 1));
        assert!(owed.is_empty());
    }
}
