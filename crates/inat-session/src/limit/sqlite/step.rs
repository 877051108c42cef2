//! One step: the lock file held, the right file open, one transaction, a bounded wait.

use std::fs::{File, TryLockError};
use std::sync::{MutexGuard, PoisonError, TryLockError as Contended};
use std::time::Duration;

use rusqlite::Connection;

use super::carry;
use super::file::{self, Database, Fault};
use super::{SqliteLedger, State};
use crate::Clock;
use crate::limit::ledger::LedgerError;
use crate::limit::lock::Patience;

/// One open transaction.
pub(super) struct Step<'a> {
    pub(super) database: &'a Database,
    pub(super) clock: &'a Clock,
    pub(super) access: Access,
}

/// What a step may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Look,
    Write,
}

impl Access {
    /// Who may write says so at once: a look that turns into a write fails when somebody else wrote meanwhile.
    fn begin(self) -> &'static str {
        match self {
            Self::Look => "BEGIN",
            Self::Write => "BEGIN IMMEDIATE",
        }
    }
}

impl Step<'_> {
    pub(super) fn connection(&self) -> &Connection {
        &self.database.connection
    }
}

impl SqliteLedger {
    /// One step that may write, indivisible among all threads and processes.
    pub(super) fn write<T>(
        &self,
        at_once: bool,
        mut work: impl FnMut(&Step<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        let mut patience = self.patience(at_once);
        let mut state = self.enter(at_once)?;
        if at_once && state.database.is_none() {
            return Err(LedgerError::Busy); // Opening takes its time.
        }
        if !at_once {
            state.courtesy.give_way(&self.clock);
        }
        loop {
            match self.locked(&mut state, &mut patience, Access::Write, &mut work) {
                Ok(done) => return Ok(done),
                Err(Fault::Busy) if patience.pause() => {}
                Err(fault) => return Err(self.failed(fault, at_once)),
            }
        }
    }

    /// One look, which sees all or nothing of any step. `None` when there is no file: looking makes none.
    pub(super) fn read<T>(
        &self,
        at_once: bool,
        mut work: impl FnMut(&Step<'_>) -> rusqlite::Result<T>,
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
                    self.transaction(database, Access::Look, &mut work)
                }
                _ => self.locked(&mut state, &mut patience, Access::Look, &mut work),
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

    /// One step with the lock file held, on the file that bears the name now. Whoever comes to write sets a damaged one aside.
    fn locked<T>(
        &self,
        state: &mut State,
        patience: &mut Patience<'_>,
        access: Access,
        work: &mut impl FnMut(&Step<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Fault> {
        // Whoever deletes the file may have deleted its lock and its folder too.
        let gone = state.database.as_ref().is_some_and(|database| !database.is_at(&self.path, &self.clock));
        if gone || state.lock.is_none() {
            state.lock = Some(file::open_lock(&self.path)?);
        }
        let State { lock: Some(lock), courtesy, database, .. } = state else { return Err(Fault::Busy) };
        let _held = hold(lock, patience)?;
        if patience.met_others() {
            courtesy.met_others(&self.clock);
        }
        let step = self.current(database, lock, access).and_then(|open| self.transaction(open, access, &mut *work));
        match (step, access) {
            (Err(Fault::Damaged(reason)), Access::Write) => {
                // Another process may have done so already: then this one had the old file open.
                let replaced = database.take().is_some_and(|open| !open.bears(&self.path));
                if !replaced {
                    file::set_aside(&self.path, lock, &reason)?;
                }
                self.transaction(self.current(database, lock, access)?, access, work)
            }
            (step, _) => step,
        }
    }

    /// The file that bears the name now. One that is open but was deleted is kept until its slots are in the new one.
    fn current<'a>(
        &self,
        database: &'a mut Option<Database>,
        lock: &File,
        access: Access,
    ) -> Result<&'a Database, Fault> {
        if !database.as_ref().is_some_and(|open| open.is_at(&self.path, &self.clock)) {
            if database.as_ref().is_some_and(|open| open.bears(&self.path) && !open.has_its_log(&self.path)) {
                return Err(Fault::Damaged("its log was removed".to_owned()));
            }
            let new = self.open(lock, database.as_ref(), access)?;
            if let Some(old) = &*database {
                self.carry(old, &new)?;
            }
            *database = Some(new);
        }
        database.as_ref().ok_or(Fault::Busy)
    }

    fn open(&self, lock: &File, old: Option<&Database>, access: Access) -> Result<Database, Fault> {
        match Database::open(&self.path, &self.clock, lock, old) {
            Err(Fault::Damaged(reason)) if access == Access::Write => {
                file::set_aside(&self.path, lock, &reason)?;
                Database::open(&self.path, &self.clock, lock, None)
            }
            opened => opened,
        }
    }

    fn carry(&self, old: &Database, new: &Database) -> Result<(), Fault> {
        let old = Step { database: old, clock: &self.clock, access: Access::Look };
        let carried = self.transaction(new, Access::Write, |new| carry::carry(&old, new));
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
        access: Access,
        mut work: impl FnMut(&Step<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Fault> {
        let connection = &database.connection;
        let failed = |error: rusqlite::Error| Fault::sqlite(&self.path, &error);
        let run = |sql: &str| connection.prepare_cached(sql).and_then(|mut sql| sql.execute([])).map(drop);
        run(access.begin()).map_err(failed)?;
        let _unless_committed = Rollback(connection);
        let done = work(&Step { database, clock: &self.clock, access }).map_err(failed)?;
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
