//! The connections of one open file: as many for reading as threads read at once, and one for writing.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, FileControl, Transaction, TransactionBehavior};

use super::aside::{Inode, inode};
use super::fault::Fault;
use super::glance::Glance;
use super::leases::Leases;
use super::open;
use super::{Config, SqliteStore};

/// Reading connections kept for the next reader.
const IDLE: usize = 16;
/// Reads of one connection after which it looks whether the file was deleted or replaced. Every write looks.
const LOOK_EVERY: u32 = 1024;
/// The log is written back into the file beyond this many pages: 32 MiB. Writing back waits for the disk, and the longer the
/// log, the more often its pages were written to it and need writing back once.
const CHECKPOINT_PAGES: u64 = 8192;
/// The log is cut to this many bytes when it starts again.
const LOG_BYTES: u64 = 8 << 20;

/// An open file.
#[derive(Debug)]
pub(super) struct Database {
    /// Tells this opening of the file from others.
    pub(super) serial: u64,
    /// Which file it was at that time.
    pub(super) inode: Option<Inode>,
    readers: Mutex<Vec<Reader>>,
    writer: Mutex<Option<Connection>>,
    pub(super) leases: Leases,
    pub(super) glance: Glance,
    glances: AtomicU32,
}

/// A connection that reads.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) conn: Connection,
    /// What `PRAGMA data_version` said last. Only to be compared with what the same connection says.
    pub(super) version: i64,
    reads: u32,
}

impl Database {
    pub(super) fn new(conn: Connection, serial: u64, inode: Option<Inode>) -> Self {
        let reader = Reader { conn, version: -1, reads: 0 };
        Self {
            serial,
            inode,
            readers: Mutex::new(vec![reader]),
            writer: Mutex::default(),
            leases: Leases::default(),
            glance: Glance::default(),
            glances: AtomicU32::new(0),
        }
    }

    /// Reads on a connection nobody else uses meanwhile.
    pub(super) fn read<T>(
        &self,
        store: &SqliteStore,
        work: impl FnOnce(&mut Reader) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let idle = lock(&self.readers).pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => Reader { conn: self.reading(store)?, version: -1, reads: 0 },
        };
        reader.reads = reader.reads.wrapping_add(1);
        if reader.reads % LOOK_EVERY == 0 && has_moved(&reader.conn) {
            return Err(Fault::Moved);
        }
        let hurried = store.patience.apply(&reader.conn)?;
        let done = work(&mut reader);
        if hurried {
            reader.conn.busy_timeout(reading_timeout(&store.config))?;
        }
        if !matches!(done, Err(Fault::Corrupt(_) | Fault::Moved)) {
            let mut readers = lock(&self.readers);
            if readers.len() < IDLE {
                readers.push(reader);
            }
        }
        done
    }

    /// Whether one has glanced at the index so often that it is time to ask SQLite whatever it says: a file that was deleted or
    /// replaced has an index that stays as it is.
    pub(super) fn has_glanced_enough(&self) -> bool {
        self.glances.fetch_add(1, Ordering::Relaxed) % LOOK_EVERY == LOOK_EVERY - 1
    }

    /// Writes in a transaction that takes the lock at its start: one that began by reading could not wait for it.
    pub(super) fn write<T>(
        &self,
        store: &SqliteStore,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.transact(store, &mut lock(&self.writer), work)
    }

    /// Closes everything, after the log was written back as far as readers allow.
    pub(super) fn close(&self) {
        lock(&self.readers).clear();
        // Closing the last connection of all processes writes back the log and removes it; SQLite does it by itself.
        lock(&self.writer).take();
    }

    /// Like [`Database::write`], but only if no other thread is writing.
    pub(super) fn write_if_idle(
        &self,
        store: &SqliteStore,
        work: impl FnOnce(&Transaction<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        match self.writer.try_lock() {
            Ok(mut writer) => self.transact(store, &mut writer, work),
            Err(_) => Ok(()),
        }
    }

    fn transact<T>(
        &self,
        store: &SqliteStore,
        writer: &mut Option<Connection>,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let conn = match writer {
            Some(conn) => conn,
            None => writer.insert(self.writing(store)?),
        };
        if has_moved(conn) {
            return Err(Fault::Moved);
        }
        let hurried = store.patience.apply(conn)?;
        let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate);
        let done = transaction.map_err(Fault::from).and_then(|transaction| {
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        });
        if hurried {
            conn.busy_timeout(store.config.busy_timeout)?;
        }
        done
    }

    fn reading(&self, store: &SqliteStore) -> Result<Connection, Fault> {
        let conn = self.connect(store)?;
        conn.busy_timeout(reading_timeout(&store.config))?;
        Ok(conn)
    }

    fn writing(&self, store: &SqliteStore) -> Result<Connection, Fault> {
        let conn = self.connect(store)?;
        let pages = CHECKPOINT_PAGES.min(store.config.max_bytes / 8 / open::PAGE.unsigned_abs()).max(16);
        // A log that is synchronised only when it is written back survives every crash of a program; a power cut may lose
        // the last few entries, which a cache can bear.
        conn.execute_batch(&format!(
            "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = {pages}; PRAGMA journal_size_limit = {LOG_BYTES}"
        ))?;
        Ok(conn)
    }

    /// One more connection to the same file, not to another that took its place.
    fn connect(&self, store: &SqliteStore) -> Result<Connection, Fault> {
        if inode(&store.path) != self.inode {
            return Err(Fault::Moved);
        }
        open::connect(&store.path, &store.config)
    }
}

fn reading_timeout(config: &Config) -> Duration {
    config.busy_timeout / 10
}

/// Whether the file is no longer the one at its path.
#[cfg(unix)]
pub(super) fn has_moved(conn: &Connection) -> bool {
    let mut moved = 0;
    conn.file_control(rusqlite::DEFAULT_NAME, FileControl::HasMoved(&mut moved)).is_ok() && moved != 0
}

/// Elsewhere an open file cannot be deleted or replaced.
#[cfg(not(unix))]
pub(super) fn has_moved(_: &Connection) -> bool {
    false
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
