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
//! | deleted while nobody has it open, or noticed by a newcomer first | as if damaged: the lock file remembers that there was one |
//! | its log or the log's index deleted while in use | as if damaged |
//! | deleted together with its lock file | a new one begins; only who has the old one open knows of its slots |
//! | made by a newer version, or by another program | a typed error; it is left alone |
//! | power cut | the slots of the last moments may be missing |
//!
//! Two users with a home folder each have a file each, and so twice the budget. Let them name one file both may write.

mod carry;
mod file;
mod minutes;
mod step;
mod tape;
mod time;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::params;

use self::file::Database;
use super::book::{self, Tape, span};
use super::bytes::{self, ByteAsk, ByteSlot, ReservedBytes};
use super::ledger::{Account, Ask, Confirmed, Ledger, LedgerError, Reserved, Slot};
use super::lock::{self, Courtesy};
use super::memory::Slots;
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
    courtesy: Courtesy,
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
}

impl Ledger for SqliteLedger {
    fn reserve(&self, ask: &Ask<'_>) -> Result<Reserved, LedgerError> {
        self.write(ask.at_once, |step| {
            let (mut tape, now) = step.bucket(ask.bucket)?;
            book::reserve(&mut tape, ask, now)
        })
    }

    fn confirm(&self, ask: &Ask<'_>, slot: &Slot) -> Result<Confirmed, LedgerError> {
        // Nearly always a look is enough; only a late or stopped one writes.
        let looked = self.read(ask.at_once, |step| {
            let (mut tape, now) = step.bucket(ask.bucket)?;
            book::stands(&mut tape, ask, slot, now)
        });
        match looked {
            Ok(Some(Some(verdict))) => Ok(verdict),
            Err(error) if !matches!(error, LedgerError::Database { .. }) => Err(error),
            // Who comes to write may also set a damaged file aside.
            _ => self.write(ask.at_once, |step| {
                let (mut tape, now) = step.bucket(ask.bucket)?;
                book::confirm(&mut tape, ask, slot, now)
            }),
        }
    }

    fn release(&self, bucket: &str, slot: &Slot, at_once: bool) -> Result<bool, LedgerError> {
        self.write(at_once, |step| book::release(&mut step.bucket(bucket)?.0, slot))
    }

    fn forecast(&self, ask: &Ask<'_>, ahead: u64) -> Result<Reserved, LedgerError> {
        let looked = self.read(ask.at_once, |step| {
            let (mut tape, now) = step.bucket(ask.bucket)?;
            book::forecast(&mut tape, ask, now, ahead)
        });
        match looked? {
            Some(reserved) => Ok(reserved),
            // The file that would be made begins with a loss, where another was in use last.
            None if file::is_lost(&self.path) => {
                book::forecast(&mut Slots::lost(0), ask, 0, ahead).map_err(|never| match never {})
            }
            None => Ok(Reserved::Slot(Slot { seq: 0, at: 0, wait: Duration::ZERO, why: None, share: 1.0 })),
        }
    }

    fn refuse(&self, bucket: &str, penalty: &Penalty) -> Result<(Duration, f64), LedgerError> {
        self.write(false, |step| {
            let (mut tape, now) = step.bucket(bucket)?;
            let standing = tape.standing()?.refused(penalty, now);
            tape.set_standing(&standing)?;
            Ok((span(now, standing.stopped_until), standing.share()))
        })
    }

    fn succeed(&self, bucket: &str) -> Result<f64, LedgerError> {
        self.write(false, |step| {
            let (mut tape, now) = step.bucket(bucket)?;
            let before = tape.standing()?;
            let after = before.succeeded(now);
            if after != before {
                tape.set_standing(&after)?;
            }
            Ok(after.share())
        })
    }

    fn reserve_bytes(&self, ask: &ByteAsk<'_>) -> Result<ReservedBytes, LedgerError> {
        self.write(false, |step| {
            let (mut tape, now) = step.bucket(ask.bucket)?;
            let id = tape.id()?;
            minutes::forget(step, id, bytes::first_minute(now))?;
            let at = bytes::earliest(&minutes::all(step, id)?, ask.limits, ask.expected, now);
            let wait = span(now, at);
            if ask.max_wait.is_some_and(|most| wait > most) {
                return Ok(ReservedBytes::TooLong { wait });
            }
            let slot = ByteSlot { minute: bytes::minute_of(at), bytes: ask.expected.unwrap_or(0), wait };
            minutes::count(step, id, &slot, slot.bytes, 0)?;
            Ok(ReservedBytes::Slot(slot))
        })
    }

    fn forecast_bytes(&self, ask: &ByteAsk<'_>) -> Result<Duration, LedgerError> {
        let looked = self.read(false, |step| {
            let (tape, now) = step.bucket(ask.bucket)?;
            let Some(id) = tape.known_id() else { return Ok(Duration::ZERO) };
            Ok(span(now, bytes::earliest(&minutes::all(step, id)?, ask.limits, ask.expected, now)))
        });
        Ok(looked?.unwrap_or_default())
    }

    fn settle_bytes(&self, bucket: &str, slot: &ByteSlot, actual: u64) -> Result<(), LedgerError> {
        self.write(false, |step| {
            let id = step.bucket(bucket)?.0.id()?;
            minutes::count(step, id, slot, actual, slot.bytes)
        })
    }

    fn refresh_version(&self, endpoint: &str, hold: Duration) -> Result<Option<u32>, LedgerError> {
        self.write(false, |step| {
            let now = step.now()?;
            let since = now.saturating_sub(micros(hold));
            step.connection().prepare_cached("DELETE FROM version WHERE at <= ?1")?.execute([since])?;
            let mut used = step.connection().prepare_cached("SELECT version FROM version WHERE endpoint = ?1")?;
            let used: Vec<u32> = used.query_map([endpoint], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            let version = refresh::lowest_free(&used);
            let mark = "INSERT INTO version (endpoint, version, at) VALUES (?1, ?2, ?3)";
            step.connection().prepare_cached(mark)?.execute(params![endpoint, version, now])?;
            Ok(Some(version).filter(|version| *version > 0))
        })
    }

    fn buckets(&self) -> Result<Vec<String>, LedgerError> {
        let looked = self.read(false, |step| {
            let mut names = step.connection().prepare_cached("SELECT name FROM bucket ORDER BY name")?;
            names.query_map([], |row| row.get(0))?.collect()
        });
        Ok(looked?.unwrap_or_default())
    }

    fn account(&self, ask: &Ask<'_>) -> Result<Account, LedgerError> {
        let looked = self.read(ask.at_once, |step| {
            let (mut tape, now) = step.bucket(ask.bucket)?;
            let mut account = book::account(&mut tape, ask, now)?;
            if let Some(id) = tape.known_id() {
                account.bytes = bytes::totals(&minutes::all(step, id)?, now);
            }
            Ok(account)
        });
        match looked? {
            Some(account) => Ok(account),
            None => Ok(Account {
                bucket: ask.bucket.to_owned(),
                used: vec![0; ask.windows.len()],
                reserved: 0,
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
