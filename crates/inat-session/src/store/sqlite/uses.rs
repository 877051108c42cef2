//! When entries were last used: collected in memory and written in passing, at most once a minute for each.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::fault::Fault;
use crate::Timestamp;
use crate::store::worth::minute;

/// Marks written along with something else; more would make that slow.
const IN_PASSING: usize = 256;
/// Marks that are worth a transaction of their own.
const ENOUGH: usize = 4096;

/// The entries used since their row was written, by number.
#[derive(Debug, Default)]
pub(super) struct Uses(Mutex<HashMap<i64, Use>>);

#[derive(Clone, Copy, Debug)]
struct Use {
    /// The first of the slots the row is in.
    first: i64,
    minute: i64,
}

impl Uses {
    /// Remembers that the entry was used now, if its row says another minute. `true` when enough came together to write.
    pub(super) fn mark(&self, first: i64, id: i64, row_says: i64, now: Timestamp) -> bool {
        let minute = minute(now);
        if minute == row_says {
            return false;
        }
        let mut marks = self.lock();
        marks.insert(id, Use { first, minute });
        marks.len() >= ENOUGH && marks.len().is_multiple_of(ENOUGH)
    }

    /// Writes some marks in a transaction that is going on.
    pub(super) fn write_some(&self, transaction: &Connection) -> Result<(), Fault> {
        self.write(transaction, IN_PASSING)
    }

    /// Writes all marks.
    pub(super) fn write_all(&self, transaction: &Connection) -> Result<(), Fault> {
        self.write(transaction, usize::MAX)
    }

    /// Whether there is anything to write.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn write(&self, transaction: &Connection, most: usize) -> Result<(), Fault> {
        let some: Vec<(i64, Use)> = {
            let mut marks = self.lock();
            if marks.is_empty() {
                return Ok(());
            }
            let ids: Vec<i64> = marks.keys().copied().take(most).collect();
            ids.into_iter().filter_map(|id| Some((id, marks.remove(&id)?))).collect()
        };
        let mut update =
            transaction.prepare_cached("UPDATE entry SET used = ?3 WHERE slot BETWEEN ?1 AND ?1 + 15 AND id = ?2")?;
        for (id, Use { first, minute }) in some {
            update.execute([first, id, minute])?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Use>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
