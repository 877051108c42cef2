//! [`Store`] and [`Coherent`] for the file: each method says what to do on the open file and what to do in memory instead.

use std::sync::PoisonError;
use std::time::Duration;

use bytes::Bytes;

use super::database::Database;
use super::fault::Fault;
use super::transaction::Transaction;
use super::write::{Lack, Put};
use super::{SqliteStore, State, written};
use crate::Timestamp;
use crate::cache::{Entry, Key};
use crate::store::tiered::{Coherent, Loaded, Version};
use crate::store::{Listed, MemoryStore, Stats, Store, StoreError, Stored};

/// Larger bodies take longer than a moment to pack and to write.
const AT_ONCE: usize = 128 << 10;

impl SqliteStore {
    fn write<T>(
        &self,
        mut work: impl FnMut(&Transaction<'_>) -> Result<T, Fault>,
        instead: impl FnOnce(&MemoryStore) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.config.read_only {
            return Err(StoreError::ReadOnly);
        }
        let mut settled = None;
        let done = self.with(
            |database| {
                database.write(self, |transaction| {
                    settled = self.owed.settle(transaction, self.config.clock.now())?;
                    work(transaction)
                })
            },
            instead,
        )?;
        self.owed.settled(settled);
        Ok(done)
    }

    fn leases<T>(
        &self,
        work: impl FnMut(&Database) -> Result<T, Fault>,
        instead: impl FnOnce(&MemoryStore) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.config.read_only { Err(StoreError::ReadOnly) } else { self.with(work, instead) }
    }

    /// Removals that are still owed would be forgotten with this process, and what is out of date served as fresh by others. Tries
    /// to write them until then.
    fn settle_until(&self, until: Duration) {
        const PAUSE: Duration = Duration::from_millis(50);
        while !self.owed.is_empty() && self.config.clock.monotonic() < until {
            let settled = self.write(|_| Ok(()), |_| Ok(()));
            if !matches!(settled, Err(StoreError::Locked(_))) {
                return;
            }
            self.config.clock.pause(PAUSE);
        }
    }

    /// Writes when entries were last used, unless that would have to wait.
    pub(super) fn write_uses(&self) {
        if self.config.read_only || self.uses.is_empty() {
            return;
        }
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        if let State::Open(database) = &*state {
            // What could not be written only makes eviction a little less apt.
            let _ = database.write_if_idle(self, |transaction| self.uses.write_all(transaction));
        }
    }
}

impl Store for SqliteStore {
    fn variants(&self, key: &Key, now: Timestamp) -> Result<Vec<Stored>, StoreError> {
        Ok(self.load_from_file(key, now)?.into_iter().map(|loaded| loaded.stored).collect())
    }

    fn body(&self, stored: &Stored) -> Result<Option<Bytes>, StoreError> {
        match &stored.body {
            Some(body) => Ok(Some(body.clone())),
            None => self.body_from_file(stored),
        }
    }

    fn put(&self, key: &Key, entry: &Entry, body: &Bytes, now: Timestamp) -> Result<(), StoreError> {
        let size = body.len() as u64;
        if size > self.config.max_entry {
            return Err(StoreError::TooLarge { size, limit: self.config.max_entry });
        }
        if self.config.read_only {
            return Err(StoreError::ReadOnly);
        }
        let mut new = Put::new(key, entry, body, now, self.config.compress);
        let _trying = self.owed.tries();
        let put = self.write(
            |transaction| self.put_in_file(transaction, &mut new, Lack::IsMended),
            |memory| memory.put(key, entry, body, now),
        );
        // What the new answer should have replaced is out of date. One that is outdated itself has nothing to replace.
        put.inspect_err(|error| {
            if !matches!(error, StoreError::Outdated) {
                self.owed.key(key, now);
            }
        })
    }

    fn put_at_once(&self, key: &Key, entry: &Entry, body: &Bytes, now: Timestamp) -> Option<Result<(), StoreError>> {
        let is_small = body.len() <= AT_ONCE && body.len() as u64 <= self.config.max_entry;
        if !is_small || self.config.read_only || !self.owed.is_empty() {
            return None;
        }
        let state = self.state.try_read().ok()?;
        match &*state {
            State::Open(database) => {
                let mut new = Put::new(key, entry, body, now, self.config.compress);
                database
                    .write_at_once(self, |transaction| self.put_in_file(transaction, &mut new, Lack::IsForLater))
                    .map(Ok)
            }
            State::Memory(memory) => memory.put_at_once(key, entry, body, now),
            State::Unopened | State::Closed => None,
        }
    }

    fn freshen(&self, key: &Key, id: i64, entry: &Entry, now: Timestamp) -> Result<bool, StoreError> {
        self.write(
            |transaction| {
                self.uses.write_some(transaction)?;
                Self::freshen_in_file(transaction, key, id, entry, now)
            },
            |memory| memory.freshen(key, id, entry, now),
        )
    }

    fn remove(&self, key: &Key, id: i64) -> Result<(), StoreError> {
        let _trying = self.owed.tries();
        self.write(|transaction| Self::remove_from_file(transaction, key, id), |memory| memory.remove(key, id))
            .inspect_err(|_| self.owed.key(key, self.config.clock.now()))
    }

    fn invalidate(&self, resources: &[String]) -> Result<u64, StoreError> {
        let _trying = self.owed.tries();
        self.write(
            |transaction| {
                written::note(transaction, resources, self.config.clock.now())?;
                Self::invalidate_in_file(transaction, resources, i64::MAX)
            },
            |memory| memory.invalidate(resources),
        )
        .inspect_err(|_| self.owed.resources(resources, self.config.clock.now()))
    }

    fn lease(&self, key: &Key, holder: u64, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        self.leases(
            |database| database.leases.take(&self.path, key, holder, now, until),
            |memory| memory.lease(key, holder, now, until),
        )
    }

    fn release(&self, key: &Key, holder: u64) -> Result<(), StoreError> {
        self.leases(|database| database.leases.release(&self.path, key, holder), |memory| memory.release(key, holder))
    }

    fn list(&self, pattern: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        // So that the order is that of the last uses, ours included.
        self.write_uses();
        self.with(
            |database| database.read(self, |reader| Self::list_file(reader, pattern, limit)),
            |memory| memory.list(pattern, limit),
        )
    }

    fn clear(&self, pattern: Option<&str>) -> Result<u64, StoreError> {
        self.write(
            |transaction| Self::clear_file(transaction, pattern),
            |memory| {
                let removed = memory.clear(pattern)?;
                // Who removes private data must not take that for done.
                if self.path.exists() {
                    return Err(StoreError::Io("what it holds stays there".to_owned()));
                }
                Ok(removed)
            },
        )
    }

    fn prune(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.write(|transaction| Self::prune_file(transaction, now), |memory| memory.prune(now))
    }

    fn stats(&self) -> Result<Stats, StoreError> {
        self.with(|database| database.read(self, |reader| self.stats_of_file(reader)), Store::stats)
    }

    fn close(&self) {
        /// So many times the usual wait for the lock.
        const PATIENCE: u32 = 5;
        const MOMENT: Duration = Duration::from_millis(1);
        let clock = &self.config.clock;
        let until = clock.monotonic().saturating_add(self.config.busy_timeout.saturating_mul(PATIENCE));
        loop {
            self.settle_until(until);
            self.write_uses();
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            let is_open = matches!(*state, State::Open(_));
            if is_open && !self.owed.is_settled() && clock.monotonic() < until {
                // Others are still at work, and may owe.
                drop(state);
                clock.pause(MOMENT);
                continue;
            }
            if is_open && !self.owed.is_empty() {
                let path = self.path.display();
                tracing::warn!(%path, "the cache file stayed locked: what is out of date in it could not be removed");
            }
            if let State::Open(database) = &*state {
                database.leases.release_all(&self.path);
                database.close();
            }
            *state = State::Closed;
            return;
        }
    }
}

impl Coherent for SqliteStore {
    fn load(&self, key: &Key, now: Timestamp) -> Result<Vec<Loaded>, StoreError> {
        self.load_from_file(key, now)
    }

    fn versions(&self, key: &Key) -> Result<Vec<Version>, StoreError> {
        self.versions_in_file(key)
    }

    fn pulse(&self) -> Result<Option<u64>, StoreError> {
        self.pulse_of_file()
    }

    fn touch(&self, key: &Key, id: i64, now: Timestamp) {
        self.touch_in_file(key, id, now);
    }
}
