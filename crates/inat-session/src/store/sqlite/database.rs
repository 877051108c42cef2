//! The connections of one open file: as many for reading as threads read at once, and one for writing.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use super::aside::{Inode, inode};
use super::fault::Fault;
use super::glance::Glance;
use super::leases::Leases;
use super::open;
use super::readers::{Reader, Readers};
use super::transaction::Transaction;
use super::write_back::{Job, WriteBack};
use super::{Config, SqliteStore};

/// So long a write that should be done at once waits for those before it. Each takes a tenth of this, and moving the thread's
/// other tasks to another one takes as long.
const MOMENT: Duration = Duration::from_millis(1);
/// Reads of one connection after which it looks whether the file was deleted or replaced. Every write looks.
const LOOK_EVERY: u32 = 1024;
/// The log is cut to this many bytes when it starts again: only one that readers kept from starting again in time is longer.
/// Growing a shorter one anew would cost a sixth of a put.
const LOG_BYTES: u64 = 48 << 20;

thread_local! {
    static GLANCES: Cell<u32> = const { Cell::new(0) };
}

/// An open file.
#[derive(Debug)]
pub(super) struct Database {
    /// Tells this opening of the file from others.
    pub(super) serial: u64,
    /// Which file it was at that time.
    pub(super) inode: Option<Inode>,
    readers: Readers,
    writer: Arc<parking_lot::Mutex<Option<Writer>>>,
    write_back: WriteBack,
    pub(super) leases: Leases,
    pub(super) glance: Glance,
}

/// The connection that writes.
#[derive(Debug)]
pub(super) struct Writer {
    conn: Connection,
    /// Pages in the log after its last commit; `None` where the file has no log, and every commit waits for the disk.
    log: Option<Arc<AtomicU64>>,
    /// How long it waits for others, as SQLite was told last.
    patience: Option<Duration>,
}

impl Database {
    pub(super) fn new(conn: Connection, serial: u64, inode: Option<Inode>, config: &Config) -> Self {
        Self {
            serial,
            inode,
            readers: Readers::new(Reader::new(conn)),
            writer: Arc::default(),
            write_back: WriteBack::new(config),
            leases: Leases::default(),
            glance: Glance::default(),
        }
    }

    /// Reads on a connection nobody else uses meanwhile.
    pub(super) fn read<T>(
        &self,
        store: &SqliteStore,
        work: impl FnOnce(&mut Reader) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut reader = match self.readers.take() {
            Some(reader) => reader,
            None => Reader::new(self.reading(store)?),
        };
        if reader.is_every(LOOK_EVERY) {
            if self.has_moved(&reader) {
                return Err(Fault::Moved);
            }
            self.glance.open(&reader.conn, &store.path);
        }
        let hurried = store.patience.apply(&reader.conn)?;
        reader.look_anew(|| self.glance.log().filter(|log| !log.is_waited_for()), store.config.clock.monotonic())?;
        let done = work(&mut reader);
        if hurried {
            reader.conn.busy_timeout(reading_timeout(&store.config))?;
        }
        match &done {
            Ok(_) => self.readers.give_back(reader),
            Err(Fault::Corrupt(_) | Fault::Moved) => {}
            Err(_) if reader.end().is_ok() => self.readers.give_back(reader),
            Err(_) => {}
        }
        done
    }

    /// Whether this is no longer the file, or no longer the log, that others use.
    pub(super) fn has_moved(&self, reader: &Reader) -> bool {
        has_moved(&reader.conn) || self.glance.is_gone()
    }

    /// Whether one has glanced at the index so often that it is time to ask SQLite whatever it says: a file that was deleted or
    /// replaced has an index that stays as it is.
    pub(super) fn has_glanced_enough() -> bool {
        // Each thread counts for itself: one number for all would go to and fro between the processors.
        let glances = GLANCES.get().wrapping_add(1);
        GLANCES.set(glances);
        glances.is_multiple_of(LOOK_EVERY)
    }

    /// Writes in a transaction. May wait for others, and for the disk.
    pub(super) fn write<T>(
        &self,
        store: &SqliteStore,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        // A queue waits for the lock once: whoever waited in vain says so before the next one has its turn.
        let mut writer = self.writer.lock();
        let done = self.write_with(store, &mut writer, store.patience.now(), work);
        if matches!(done, Err(Fault::Locked)) {
            store.patience.lose();
        }
        let pages = writer.as_ref().map_or(0, Writer::pages);
        drop(writer);
        if self.write_back.is_due(pages) && !self.write_back.start(|| self.job(store)) {
            self.write_back.do_here(&self.job(store));
        }
        if self.write_back.is_overdue(pages) {
            self.write_back.finish();
        }
        done
    }

    /// The same when that takes microseconds; `None` where somebody else writes for long, or the log grows too fast. What goes
    /// wrong is told by the next one that may wait.
    pub(super) fn write_at_once<T>(
        &self,
        store: &SqliteStore,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Option<T> {
        let mut writer = self.writer.try_lock_for(MOMENT)?;
        let writer = writer.as_mut()?;
        if writer.log.is_none() || self.write_back.is_overdue(writer.pages()) {
            return None;
        }
        let done = writer.transact(&self.glance, Duration::ZERO, work).ok();
        if self.write_back.is_due(writer.pages()) {
            self.write_back.start(|| self.job(store));
        }
        done
    }

    /// Closes everything. With the last connection of all processes SQLite writes back the log and removes it.
    pub(super) fn close(&self) {
        self.write_back.finish();
        self.readers.clear();
        self.writer.lock().take();
    }

    fn job(&self, store: &SqliteStore) -> Job {
        Job {
            path: store.path.clone(),
            config: store.config.clone(),
            inode: self.inode,
            readers: self.readers.clone(),
            writer: self.writer.clone(),
        }
    }

    /// Like [`Database::write`], but only if nobody else is writing, neither thread nor process.
    pub(super) fn write_if_idle(
        &self,
        store: &SqliteStore,
        work: impl FnOnce(&Transaction<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        match self.writer.try_lock() {
            Some(mut writer) => self.write_with(store, &mut writer, Duration::ZERO, work),
            None => Ok(()),
        }
    }

    fn write_with<T>(
        &self,
        store: &SqliteStore,
        writer: &mut Option<Writer>,
        patience: Duration,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let writer = match writer {
            Some(writer) => writer,
            None => writer.insert(self.writing(store)?),
        };
        writer.transact(&self.glance, patience, work)
    }

    fn reading(&self, store: &SqliteStore) -> Result<Connection, Fault> {
        let conn = self.connect(store)?;
        set_up_for_reading(&conn, &store.config)?;
        Ok(conn)
    }

    fn writing(&self, store: &SqliteStore) -> Result<Writer, Fault> {
        let mut conn = self.connect(store)?;
        // A log that is synchronised only when it is written back survives every crash of a program; a power cut may lose
        // the last few entries, which a cache can bear.
        conn.execute_batch(&format!("PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = {LOG_BYTES}"))?;
        let mode: String = conn.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
        self.glance.open(&conn, &store.path);
        let log = (mode == "wal").then(Arc::default);
        if let Some(log) = &log {
            let log: Arc<AtomicU64> = Arc::clone(log);
            // In place of SQLite's own hook, which would write the log back within the commit.
            conn.wal_hook(Some(move |_: &mut Wal, pages: i32| {
                log.store(u64::from(pages.unsigned_abs()), Ordering::Relaxed);
                Ok(())
            }))?;
        }
        Ok(Writer { conn, log, patience: None })
    }

    fn connect(&self, store: &SqliteStore) -> Result<Connection, Fault> {
        connect(&store.path, &store.config, self.inode)
    }
}

/// One more connection to the same file, not to another that took its place.
pub(super) fn connect(path: &Path, config: &Config, wanted: Option<Inode>) -> Result<Connection, Fault> {
    if inode(path) != wanted {
        return Err(Fault::Moved);
    }
    open::connect(path, config)
}

impl Writer {
    fn transact<T>(
        &mut self,
        glance: &Glance,
        patience: Duration,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if has_moved(&self.conn) {
            return Err(Fault::Moved);
        }
        if self.patience != Some(patience) {
            self.conn.busy_timeout(patience)?;
            self.patience = Some(patience);
        }
        let transaction = Transaction::begin(&self.conn, glance)?;
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// Pages in the log.
    fn pages(&self) -> u64 {
        self.log.as_ref().map_or(0, |log| log.load(Ordering::Relaxed))
    }
}

/// What a connection that only reads needs besides what every one has.
pub(super) fn set_up_for_reading(conn: &Connection, config: &Config) -> Result<(), Fault> {
    conn.busy_timeout(reading_timeout(config))?;
    conn.execute_batch(&format!("PRAGMA cache_size = -{}", (config.page_cache >> 10).max(64)))?;
    Ok(())
}

fn reading_timeout(config: &Config) -> Duration {
    config.busy_timeout / 10
}

/// Whether the file is no longer the one at its path.
#[cfg(unix)]
pub(super) fn has_moved(conn: &Connection) -> bool {
    let mut moved = 0;
    conn.file_control(rusqlite::DEFAULT_NAME, rusqlite::FileControl::HasMoved(&mut moved)).is_ok() && moved != 0
}

/// Elsewhere an open file cannot be deleted or replaced.
#[cfg(not(unix))]
pub(super) fn has_moved(_: &Connection) -> bool {
    false
}
