//! Writing the log back into the file, while others go on writing.
//!
//! What is committed stands in the log first (`-wal`). Writing it back waits for the disk, some twenty milliseconds for a long
//! one; where the writer does that itself, as SQLite has it, everybody's next write waits too, which is half of what storing
//! a small answer takes. So a thread does it, on a connection of its own.
//!
//! A log starts again only when all of it was written back (<https://www.sqlite.org/wal.html#ckpt>), and what is committed meanwhile
//! is not. So each pass has less to do than the one before, and during the last, which is short, nobody in this process writes.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::database::{Writer, connect};
use super::fault::Fault;
use super::readers::Readers;
use super::{Config, aside, open};

/// The log is written back when it has this many pages: 32 MiB. The longer it is, the more often its pages were written to it and
/// need writing back once.
const PAGES: u64 = 8192;
/// So many passes are made while others write.
const PASSES: usize = 2;

/// When the log is written back, and who is at it.
#[derive(Debug)]
pub(super) struct WriteBack {
    /// Pages of a log that is long.
    bound: u64,
    /// Pages from which on it is tried next.
    due: Arc<AtomicU64>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What has to be done, apart from whoever found that it has to be.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) path: PathBuf,
    pub(super) config: Config,
    /// Which file it is; another one at the same path is none of its business.
    pub(super) inode: Option<aside::Inode>,
    pub(super) readers: Readers,
    pub(super) writer: Arc<parking_lot::Mutex<Option<Writer>>>,
}

impl WriteBack {
    pub(super) fn new(config: &Config) -> Self {
        let bound = PAGES.min(config.max_bytes / 8 / open::PAGE.unsigned_abs()).max(16);
        Self { bound, due: Arc::new(AtomicU64::new(bound)), thread: Mutex::default() }
    }

    /// Whether a log of so many pages should be written back.
    pub(super) fn is_due(&self, pages: u64) -> bool {
        if pages < self.bound {
            // It has started again.
            self.due.store(self.bound, Ordering::Relaxed);
        }
        pages >= self.due.load(Ordering::Relaxed)
    }

    /// Whether it grows faster than it is written back, so that writers had better wait.
    pub(super) fn is_overdue(&self, pages: u64) -> bool {
        pages >= self.due.load(Ordering::Relaxed).saturating_add(self.bound / 2)
    }

    /// Has a thread do it, unless one is at it already. `false` where the system gives none.
    pub(super) fn start(&self, job: impl FnOnce() -> Job) -> bool {
        let mut thread = self.lock();
        if thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return true;
        }
        let (due, step, job) = (self.due.clone(), self.bound / 8, job());
        let work = move || due.store(job.run().saturating_add(step), Ordering::Relaxed);
        *thread = std::thread::Builder::new().name("inat-log".to_owned()).spawn(work).ok();
        thread.is_some()
    }

    /// Does it where this is called.
    pub(super) fn do_here(&self, job: &Job) {
        self.due.store(job.run().saturating_add(self.bound / 8), Ordering::Relaxed);
    }

    /// Waits until nobody is at it: a fraction of a second on a disk that answers. Not to be called by who holds the writer.
    pub(super) fn finish(&self) {
        // Not within the condition, which would hold the lock for as long as is waited: the thread waits for those who write,
        // and they look here.
        let thread = self.lock().take();
        if let Some(thread) = thread {
            // One that panicked has written nothing back, and the next will.
            let _ = thread.join();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    /// Writes the log back, as far as nobody reads what is in it. Says how many pages it had in the end; what cannot be written back
    /// now is for the next time.
    fn run(&self) -> u64 {
        let conn = match self.connection() {
            Ok(conn) => conn,
            Err(why) => {
                tracing::debug!("the log of the cache file is not written back: {why}");
                return 0;
            }
        };
        let mut pages = 0;
        for _ in 0..PASSES {
            match self.pass(&conn) {
                Some(now) => pages = now,
                None => return pages,
            }
            // SQLite does this at the end of the last pass only, for all that was written until then.
            self.synchronise();
        }
        let _nobody_writes = self.writer.lock();
        self.pass(&conn).unwrap_or(pages)
    }

    fn connection(&self) -> Result<Connection, Fault> {
        let conn = connect(&self.path, &self.config, self.inode)?;
        conn.execute_batch("PRAGMA synchronous = NORMAL")?;
        Ok(conn)
    }

    /// Writes back what is in the log now, and says how many pages that is; `None` where another process is at it, or it cannot be
    /// done.
    fn pass(&self, conn: &Connection) -> Option<u64> {
        self.readers.let_go();
        let pass = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            let (is_busy, pages): (bool, i64) = (row.get(0)?, row.get(1)?);
            Ok((!is_busy).then(|| pages.max(0).unsigned_abs()))
        });
        pass.unwrap_or_else(|error| {
            tracing::debug!("the log of the cache file is not written back: {error}");
            None
        })
    }

    /// Has the system write to the disk what was written to the file. What it cannot do now, it does in the last pass.
    #[cfg(target_os = "linux")]
    fn synchronise(&self) {
        if let Some(file) = super::kept::Kept::at(&self.path, || true) {
            let _ = file.file().sync_data();
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn synchronise(&self) {}
}
