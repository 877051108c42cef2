//! Entries in one SQLite file that any number of processes share.
//!
//! The file may be locked, full, damaged, deleted, replaced, or somebody else's, at any moment. None of that reaches the
//! caller as more than a miss or an error that costs speed: [`SqliteStore`] opens lazily, waits within a bound, sets a corrupt
//! file aside, opens again when the file was replaced, and goes on in memory when there is nothing it may use.
//!
//! | file | its one idea |
//! |---|---|
//! | `open` | make the file, or tell ours from what only looks like it |
//! | `database` | the connections of one open file |
//! | `readers` | the connections that read, and what they still see between two reads |
//! | `read` | the hit path |
//! | `write` | keeping, replacing, making room |
//! | `write_back` | the log, written back into the file while others go on writing |
//! | `manage` | for people: list, clear, prune, numbers |
//! | `uses` | "last used", collected and written in passing |
//! | `owed` | removals that could not be written, until they are |
//! | `patience` | waiting for a lock once, not at every call |
//! | `glance` | whether anybody has committed since, without asking SQLite |
//! | `kept` | files kept open beside SQLite, which must not see them closed |
//! | `leases` | who fetches what at the moment |
//! | `thread` | a number for each thread, so that each has to itself what it uses often |
//! | `fault`, `aside` | what an error means; what is done with a corrupt file |

mod aside;
mod database;
mod fault;
mod glance;
#[cfg(target_os = "linux")]
mod kept;
mod leases;
mod manage;
mod open;
mod owed;
mod patience;
mod read;
mod readers;
mod store;
mod thread;
mod transaction;
mod uses;
mod write;
mod write_back;
mod written;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use self::database::Database;
use self::fault::Fault;
use self::open::Opened;
use self::owed::Owed;
use self::patience::Patience;
use self::uses::Uses;
use super::{MemoryStore, StoreError};
use crate::Clock;

/// How a [`SqliteStore`] behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bound on the file in bytes; the least recently used entries go first. Default 512 MiB, at least 1 MiB.
    pub max_bytes: u64,
    /// The largest body taken, in bytes. Default 64 MiB; never more than half of `max_bytes`.
    pub max_entry: u64,
    /// Whether bodies above about 1 KB are compressed where that helps. Default yes.
    pub compress: bool,
    /// How long a write waits for another process. Default 2 seconds. Reads wait a tenth of it at most; they hardly ever have to.
    pub busy_timeout: Duration,
    /// Bytes of the file that each reading connection keeps in memory. Default 2 MiB; behind a memory tier, which keeps more
    /// and better, a sixteenth of that is enough.
    pub page_cache: u64,
    /// Never write. Default no.
    pub read_only: bool,
    /// Where the time comes from.
    pub clock: Clock,
    /// Another of SQLite's interfaces to the file system, by name. For file systems the default does not suit.
    #[doc(hidden)]
    pub vfs: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_bytes: 512 << 20,
            max_entry: 64 << 20,
            compress: true,
            busy_timeout: Duration::from_secs(2),
            page_cache: 2 << 20,
            read_only: false,
            clock: Clock::system(),
            vfs: None,
        }
    }
}

/// A [`Store`](super::Store) in an SQLite file, safe for many threads and processes at once.
///
/// ```no_run
/// use inat_session::store::{Config, SqliteStore, Store};
///
/// let store = SqliteStore::at("cache.db", Config { max_bytes: 64 << 20, ..Config::default() });
/// println!("{} entries", store.stats()?.entries);
/// # Ok::<(), inat_session::store::StoreError>(())
/// ```
#[doc(alias = "SQLiteCache")]
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    config: Config,
    state: RwLock<State>,
    uses: Uses,
    owed: Owed,
    patience: Patience,
    /// Counts the commits of other connections that were noticed, and the files opened: what was read under one number and
    /// finds the same number again is still true.
    epoch: AtomicU64,
    /// Warnings given, so that each is given once.
    warned: Mutex<Vec<&'static str>>,
}

#[derive(Debug)]
enum State {
    Unopened,
    Open(Database),
    /// The file must not or cannot be used.
    Memory(MemoryStore),
    Closed,
}

/// What helps against a fault.
enum Cure {
    OpenAgain,
    Replace(String),
    Memory(String),
}

/// The memory used in place of a file that cannot be.
const INSTEAD: u64 = 64 << 20;
/// How often one call opens the file again before it gives up.
const ATTEMPTS: usize = 6;

impl SqliteStore {
    /// A store in the file at `path`, which is opened, or made, at first use.
    pub fn at(path: impl Into<PathBuf>, config: Config) -> Self {
        let max_bytes = config.max_bytes.max(1 << 20);
        let config = Config { max_bytes, max_entry: config.max_entry.min(max_bytes / 2), ..config };
        Self {
            path: path.into(),
            patience: Patience::new(config.busy_timeout, config.clock.clone()),
            config,
            state: RwLock::new(State::Unopened),
            uses: Uses::default(),
            owed: Owed::default(),
            epoch: AtomicU64::new(0),
            warned: Mutex::default(),
        }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Does `work` on the open file, opening it first if need be and healing it if it must be; or `instead` in memory.
    fn with<T>(
        &self,
        mut work: impl FnMut(&Database) -> Result<T, Fault>,
        instead: impl FnOnce(&MemoryStore) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        for attempt in 0..ATTEMPTS {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            let (fault, serial) = match &*state {
                State::Open(database) => match work(database) {
                    Ok(done) => return Ok(done),
                    Err(fault) => (fault, database.serial),
                },
                State::Memory(memory) => return instead(memory),
                State::Closed => return Err(StoreError::Closed),
                State::Unopened => {
                    drop(state);
                    self.open()?;
                    continue;
                }
            };
            drop(state);
            self.heal(fault, serial, attempt)?;
        }
        Err(StoreError::Database("the cache file keeps changing under us".to_owned()))
    }

    fn open(&self) -> Result<(), StoreError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*state, State::Unopened) {
            return Ok(());
        }
        *state = match self.open_or_replace() {
            Ok(Opened::Ready(conn)) => {
                let serial = self.epoch.fetch_add(1, Ordering::AcqRel);
                State::Open(Database::new(conn, serial, aside::inode(&self.path), &self.config))
            }
            Ok(Opened::Refused(why)) => self.in_memory(&why),
            Err(Fault::Locked) => return Err(self.locked()),
            Err(fault) => self.in_memory(&fault.to_string()),
        };
        Ok(())
    }

    fn open_or_replace(&self) -> Result<Opened, Fault> {
        let found = aside::inode(&self.path);
        // Where a wait was in vain, the next one does not wait again.
        let config = Config { busy_timeout: self.patience.now(), ..self.config.clone() };
        let open = || {
            let opened = open::open(&self.path, &config)?;
            if let Opened::Ready(conn) = &opened {
                database::set_up_for_reading(conn, &self.config)?;
            }
            Ok(opened)
        };
        match open() {
            Err(Fault::Corrupt(why) | Fault::Schema(why)) if !self.config.read_only => {
                self.replace(&why, found)?;
                open()
            }
            other => other,
        }
    }

    fn in_memory(&self, why: &str) -> State {
        tracing::warn!(path = %self.path.display(), why, "the cache file cannot be used; caching in memory");
        State::Memory(MemoryStore::new(self.config.max_bytes.min(INSTEAD)))
    }

    fn replace(&self, why: &str, corrupt: Option<aside::Inode>) -> Result<(), Fault> {
        if let Some(aside) = aside::set_aside(&self.path, corrupt, &self.config)? {
            let (path, aside) = (self.path.display(), aside.display());
            tracing::warn!(%path, %aside, why, "the cache file is corrupt; it was set aside and a new one is made");
        }
        Ok(())
    }

    /// Makes the file usable again after `fault`, or says why not.
    fn heal(&self, fault: Fault, serial: u64, attempt: usize) -> Result<(), StoreError> {
        let cure = match fault {
            Fault::Moved => Cure::OpenAgain,
            Fault::Schema(_) if attempt < 2 => Cure::OpenAgain,
            Fault::Unwritable(why) => Cure::Memory(why),
            Fault::Corrupt(why) | Fault::Schema(why) if self.config.read_only => Cure::Memory(why),
            Fault::Corrupt(why) | Fault::Schema(why) => Cure::Replace(why),
            Fault::Locked => return Err(self.locked()),
            Fault::Outdated => return Err(StoreError::Outdated),
            Fault::Io(why) => {
                self.warn_once("the cache file cannot be written or read; going on without", &why);
                return Err(StoreError::Io(why));
            }
            Fault::Database(why) => {
                self.warn_once("the cache database failed; going on without", &why);
                return Err(StoreError::Database(why));
            }
        };
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let State::Open(database) = &*state else { return Ok(()) };
        if database.serial != serial {
            // Another thread has seen to it.
            return Ok(());
        }
        let inode = database.inode;
        // A file is not renamed while we have it open.
        database.close();
        *state = State::Unopened;
        match cure {
            Cure::OpenAgain => {}
            Cure::Memory(why) => *state = self.in_memory(&why),
            Cure::Replace(why) => {
                if let Err(fault) = self.replace(&why, inode) {
                    *state = self.in_memory(&fault.to_string());
                }
            }
        }
        Ok(())
    }

    fn locked(&self) -> StoreError {
        self.patience.lose();
        let waited = format!("it still was after {:?}", self.config.busy_timeout);
        self.warn_once("the cache file is locked by another program; going on without", &waited);
        StoreError::Locked(self.config.busy_timeout)
    }

    fn warn_once(&self, what: &'static str, why: &str) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if !warned.contains(&what) {
            warned.push(what);
            tracing::warn!(path = %self.path.display(), why, "{what}");
        }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        super::Store::close(self);
    }
}
