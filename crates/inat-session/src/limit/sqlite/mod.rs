//! A ledger in a file that all processes of the machine share.
//!
//! `SQLite` makes each step indivisible and durable: a process that is killed between reserving and sending leaves a slot used
//! that was not. A lock file in front of it makes processes take turns. Waiting for either is bounded, and the budget fails
//! closed: while its file cannot be used, nothing is sent.
//!
//! | what happens to the file | what the ledger does |
//! |---|---|
//! | another program keeps it locked for over five seconds | [`LedgerError::Locked`] |
//! | read-only, disk full, folder gone | a typed error, until it can be used again |
//! | damaged, or no database | set aside as `….damaged`; a new one begins, windows up to an hour count as full |
//! | deleted while in use | a new one begins, and who still has the old one open carries its slots over |
//! | made by a newer version, or by another program | a typed error; it is left alone |
//! | power cut | the slots of the last moments may be missing |
//!
//! Two users with a home folder each have a file each, and so twice the budget. Let them name one file both may write.

mod carry;
mod file;
mod minutes;
mod tape;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError as Contended};
use std::time::Duration;

use rusqlite::{Connection, params};

use self::file::{Database, Fault};
use self::minutes::{count, minutes};
use self::tape::SqlTape;
use super::book::{self, Tape, span};
use super::bytes::{self, ByteAsk, ByteSlot, ReservedBytes};
use super::ledger::{Account, Ask, Confirmed, Ledger, LedgerError, Reserved, Slot};
use super::lock::{self, Patience};
use super::penalty::Penalty;
use super::refresh;
use crate::Clock;
use crate::timestamp::micros;

/// A ledger in a file that all processes of the machine share. Nothing is opened or made before it is needed.
#[derive(Debug)]
pub struct SqliteLedger {
    path: PathBuf,
    clock: Clock,
    bound: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    lock: Option<File>,
    database: Option<Database>,
    closed: bool,
}

impl SqliteLedger {
    /// A ledger in this file.
    pub fn at(path: impl Into<PathBuf>, clock: Clock) -> Self {
        Self { path: path.into(), clock, bound: lock::BOUND, state: Mutex::default() }
    }

    /// How long to wait for another program that keeps the file locked. Default five seconds.
    #[must_use]
    pub fn lock_bound(mut self, bound: Duration) -> Self {
        self.bound = bound;
        self
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// One step that may write, indivisible among all threads and processes.
    fn write<T>(
        &self,
        at_once: bool,
        mut work: impl FnMut(&Database, i64) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        let mut patience = self.patience(at_once);
        let mut state = self.enter(at_once)?;
        if at_once && state.database.is_none() {
            return Err(LedgerError::Busy); // Opening takes its time.
        }
        let mut lost = None;
        loop {
            let step = self.locked(&mut state, &mut patience, lost.take().as_deref(), |database| {
                self.transaction(database, "BEGIN IMMEDIATE", true, &mut work)
            });
            match step {
                Ok(done) => return Ok(done),
                Err(Fault::Busy) if patience.pause() => {}
                // Set aside once; a file that is damaged again at once is another trouble.
                Err(Fault::Damaged(reason)) if patience.may_mend() => lost = Some(reason),
                Err(fault) => return Err(self.failed(fault, at_once)),
            }
        }
    }

    /// One look, which sees all or nothing of any step. `None` when there is no file: looking makes none.
    fn read<T>(
        &self,
        at_once: bool,
        mut work: impl FnMut(&Database, i64) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, LedgerError> {
        let mut patience = self.patience(at_once);
        let mut state = self.enter(at_once)?;
        if state.database.is_none() {
            match file::identity(&self.path) {
                None => return Ok(None),
                Some(_) if at_once => return Err(LedgerError::Busy),
                Some(_) => {}
            }
        }
        loop {
            let step = match &state.database {
                Some(database) if database.is_at(&self.path, &self.clock) => {
                    self.transaction(database, "BEGIN", false, &mut work)
                }
                _ => self.locked(&mut state, &mut patience, None, |database| {
                    self.transaction(database, "BEGIN", false, &mut work)
                }),
            };
            match step {
                Ok(done) => return Ok(Some(done)),
                Err(Fault::Busy) if patience.pause() => {}
                Err(fault) => return Err(self.failed(fault, at_once)),
            }
        }
    }

    fn patience(&self, at_once: bool) -> Patience<'_> {
        Patience::new(&self.clock, if at_once { Duration::ZERO } else { self.bound })
    }

    /// The state, once no other thread of this process has it. That one keeps it for as long as it waits for the lock file at
    /// most; whoever has waited here for as long tries once, and gives up, so a queue of threads does not add up its bounds.
    fn enter(&self, at_once: bool) -> Result<MutexGuard<'_, State>, LedgerError> {
        let state = match self.state.try_lock() {
            Ok(state) => state,
            Err(Contended::WouldBlock) if at_once => return Err(LedgerError::Busy),
            // A panic elsewhere rolled its transaction back.
            Err(Contended::WouldBlock) => self.state.lock().unwrap_or_else(PoisonError::into_inner),
            Err(Contended::Poisoned(poisoned)) => poisoned.into_inner(),
        };
        if state.closed { Err(LedgerError::Closed) } else { Ok(state) }
    }

    /// Holds the lock file while `work` runs on the file that bears the name now. `damaged`: set that one aside first.
    fn locked<T>(
        &self,
        state: &mut State,
        patience: &mut Patience<'_>,
        damaged: Option<&str>,
        work: impl FnOnce(&Database) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        // Whoever deletes the file may have deleted its lock and its folder too.
        let gone = state.database.as_ref().is_some_and(|database| !database.is_at(&self.path, &self.clock));
        if gone || state.lock.is_none() {
            state.lock = Some(file::open_lock(&self.path)?);
        }
        let State { lock: Some(lock), database, .. } = state else { return Err(Fault::Busy) };
        let _held = hold(lock, patience)?;
        if let Some(reason) = damaged {
            *database = None;
            file::set_aside(&self.path, reason)?;
            *database = Some(Database::open(&self.path, &self.clock, true)?);
        }
        match database {
            Some(open) if open.is_at(&self.path, &self.clock) => work(open),
            _ => {
                let old = database.take();
                let new = Database::open(&self.path, &self.clock, false)?;
                if let Some(old) = old {
                    self.carry(&old, &new)?;
                }
                work(database.insert(new))
            }
        }
    }

    fn carry(&self, old: &Database, new: &Database) -> Result<(), Fault> {
        let carried = self.transaction(new, "BEGIN IMMEDIATE", false, |_, _| carry::carry(old, new, &self.clock));
        match carried {
            // What cannot be read of the old one is lost.
            Err(Fault::Damaged(reason)) => {
                tracing::warn!(file = %self.path.display(), reason, "slots of the deleted file are lost");
                Ok(())
            }
            other => other,
        }
    }

    fn transaction<T>(
        &self,
        database: &Database,
        begin: &str,
        write: bool,
        mut work: impl FnMut(&Database, i64) -> rusqlite::Result<T>,
    ) -> Result<T, Fault> {
        let connection = &database.connection;
        let failed = |error: rusqlite::Error| Fault::sqlite(&self.path, &error);
        let run = |sql: &str| connection.prepare_cached(sql).and_then(|mut sql| sql.execute([])).map(drop);
        run(begin).map_err(failed)?;
        let _unless_committed = Rollback(connection);
        let done = database.now(&self.clock, write).and_then(|now| work(database, now)).map_err(failed)?;
        run("COMMIT").map_err(failed)?;
        Ok(done)
    }

    fn failed(&self, fault: Fault, at_once: bool) -> LedgerError {
        match fault {
            Fault::Busy if at_once => LedgerError::Busy,
            Fault::Busy => LedgerError::Locked { path: self.path.clone(), bound: self.bound },
            Fault::Damaged(reason) => LedgerError::Database { path: self.path.clone(), reason },
            Fault::Final(error) => error,
        }
    }
}

/// Undoes what was not committed, also when a panic passes by.
struct Rollback<'a>(&'a Connection);

impl Drop for Rollback<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            let _ = self.0.execute_batch("ROLLBACK");
        }
    }
}

/// The lock file, held. Dropping lets it go, and so does dying.
struct Held<'a>(&'a File);

fn hold<'a>(lock: &'a File, patience: &mut Patience<'_>) -> Result<Held<'a>, Fault> {
    loop {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) if patience.pause() => {}
            Err(TryLockError::WouldBlock) => return Err(Fault::Busy),
            // A file system may have no such locks: SQLite's own make it right, this one only makes it fair.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(Held(lock)),
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

impl Ledger for SqliteLedger {
    fn reserve(&self, ask: &Ask<'_>) -> Result<Reserved, LedgerError> {
        self.write(ask.at_once, |database, now| book::reserve(&mut SqlTape::open(database, ask.bucket)?, ask, now))
    }

    fn confirm(&self, ask: &Ask<'_>, slot: &Slot) -> Result<Confirmed, LedgerError> {
        // Nearly always a look is enough; only a late or stopped one writes.
        let look = |database: &Database, now| {
            let mut tape = SqlTape::open(database, ask.bucket)?;
            book::stands(&mut tape, ask, slot, now)
        };
        match self.read(ask.at_once, look)? {
            Some(Some(verdict)) => Ok(verdict),
            _ => self.write(ask.at_once, |database, now| {
                book::confirm(&mut SqlTape::open(database, ask.bucket)?, ask, slot, now)
            }),
        }
    }

    fn release(&self, bucket: &str, slot: &Slot, at_once: bool) -> Result<bool, LedgerError> {
        self.write(at_once, |database, _| book::release(&mut SqlTape::open(database, bucket)?, slot))
    }

    fn forecast(&self, ask: &Ask<'_>, ahead: u64) -> Result<Reserved, LedgerError> {
        let looked = self.read(ask.at_once, |database, now| {
            book::forecast(&mut SqlTape::open(database, ask.bucket)?, ask, now, ahead)
        });
        Ok(looked?.unwrap_or(Reserved::Slot(Slot { seq: 0, at: 0, wait: Duration::ZERO, why: None, share: 1.0 })))
    }

    fn refuse(&self, bucket: &str, penalty: &Penalty) -> Result<(Duration, f64), LedgerError> {
        self.write(false, |database, now| {
            let mut tape = SqlTape::open(database, bucket)?;
            let standing = tape.standing()?.refused(penalty, now);
            tape.set_standing(&standing)?;
            Ok((span(now, standing.stopped_until), standing.share()))
        })
    }

    fn succeed(&self, bucket: &str) -> Result<f64, LedgerError> {
        self.write(false, |database, now| {
            let mut tape = SqlTape::open(database, bucket)?;
            let before = tape.standing()?;
            let after = before.succeeded(now);
            if after != before {
                tape.set_standing(&after)?;
            }
            Ok(after.share())
        })
    }

    fn reserve_bytes(&self, ask: &ByteAsk<'_>) -> Result<ReservedBytes, LedgerError> {
        self.write(false, |database, now| {
            let id = SqlTape::open(database, ask.bucket)?.id()?;
            let first = bytes::first_minute(now);
            database
                .connection
                .prepare_cached("DELETE FROM minute WHERE bucket = ?1 AND number < ?2")?
                .execute([id, first])?;
            let at = bytes::earliest(&minutes(&database.connection, id)?, ask.limits, ask.expected, now);
            let wait = span(now, at);
            if ask.max_wait.is_some_and(|most| wait > most) {
                return Ok(ReservedBytes::TooLong { wait });
            }
            let slot = ByteSlot { minute: bytes::minute_of(at), bytes: ask.expected.unwrap_or(0), wait };
            count(&database.connection, id, &slot, slot.bytes, 0)?;
            Ok(ReservedBytes::Slot(slot))
        })
    }

    fn settle_bytes(&self, bucket: &str, slot: &ByteSlot, actual: u64) -> Result<(), LedgerError> {
        self.write(false, |database, _| {
            let id = SqlTape::open(database, bucket)?.id()?;
            count(&database.connection, id, slot, actual, slot.bytes)
        })
    }

    fn refresh_version(&self, endpoint: &str, hold: Duration) -> Result<Option<u32>, LedgerError> {
        self.write(false, |database, now| {
            let since = now.saturating_sub(micros(hold));
            database.connection.prepare_cached("DELETE FROM version WHERE at <= ?1")?.execute([since])?;
            let mut used = database.connection.prepare_cached("SELECT version FROM version WHERE endpoint = ?1")?;
            let used: Vec<u32> = used.query_map([endpoint], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            let version = refresh::lowest_free(&used);
            let mark = "INSERT INTO version (endpoint, version, at) VALUES (?1, ?2, ?3)";
            database.connection.prepare_cached(mark)?.execute(params![endpoint, version, now])?;
            Ok(Some(version).filter(|version| *version > 0))
        })
    }

    fn buckets(&self) -> Result<Vec<String>, LedgerError> {
        let looked = self.read(false, |database, _| {
            let mut names = database.connection.prepare_cached("SELECT name FROM bucket ORDER BY name")?;
            names.query_map([], |row| row.get(0))?.collect()
        });
        Ok(looked?.unwrap_or_default())
    }

    fn account(&self, ask: &Ask<'_>) -> Result<Account, LedgerError> {
        let looked = self.read(ask.at_once, |database, now| {
            let mut tape = SqlTape::open(database, ask.bucket)?;
            let mut account = book::account(&mut tape, ask, now)?;
            if let Some(id) = tape.known_id() {
                account.bytes = bytes::totals(&minutes(&database.connection, id)?, now);
            }
            Ok(account)
        });
        match looked? {
            Some(account) => Ok(account),
            None => Ok(Account {
                bucket: ask.bucket.to_owned(),
                used: vec![0; ask.windows.len()],
                next: self.forecast(ask, 0)?,
                stop: None,
                share: 1.0,
                bytes: (0, 0),
            }),
        }
    }

    fn close(&self) {
        // Whoever is in the middle of a step finishes it; a step is bounded.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State { closed: true, ..State::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Limits;

    #[test]
    fn a_full_disk_is_an_error_and_no_slot() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = SqliteLedger::at(folder.path().join("ratelimit.db"), Clock::manual());
        let windows = Limits { per_day: 1e6, ..Limits::unlimited() }.windows(false);
        let ask = Ask::new("b", &windows);
        ledger.reserve(&ask).unwrap();
        let full = |pages: u32| {
            let state = ledger.state.lock().unwrap();
            state.database.as_ref().unwrap().connection.pragma_update(None, "max_page_count", pages).unwrap();
        };
        full(1);
        let refused = (0..200).find_map(|_| ledger.reserve(&ask).err());
        assert_eq!(refused, Some(LedgerError::Full { path: ledger.path.clone() }));
        let used = ledger.account(&ask).unwrap().used;
        assert!(ledger.reserve(&ask).is_err());
        assert_eq!(ledger.account(&ask).unwrap().used, used);
        full(1_000_000);
        ledger.reserve(&ask).unwrap();
    }
}
