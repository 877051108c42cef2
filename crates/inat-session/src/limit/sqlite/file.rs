//! The file: making it, recognising it, noticing that it is gone or damaged.
//!
//! Everything here happens while the lock file is held, so that two processes never make or replace the file at once.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::ffi::{SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_SHORT_READ};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};

use crate::Clock;
use crate::limit::ledger::LedgerError;
use crate::limit::time::Witness;
use crate::timestamp::micros;

/// "iNaL", the mark of a budget's file.
const APPLICATION: i64 = 0x694E_614C;
/// The format of the file. Older ones are set aside, newer ones refused.
const FORMAT: i64 = 1;
const SCHEMA: &str = include_str!("schema.sql");
/// Looking whether the file was deleted costs an eighth of a reservation; in a rush, once in a while will do.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What went wrong, as far as it matters for what to do next.
#[derive(Debug)]
pub(super) enum Fault {
    /// Somebody holds a lock: try again.
    Busy,
    /// The file is not what it should be: set it aside.
    Damaged(String),
    /// Nothing to be done.
    Final(LedgerError),
}

/// The file, open.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) connection: Connection,
    /// When the file before this one was lost, if it ever was.
    pub(super) lost_at: Option<i64>,
    identity: Option<Identity>,
    /// Those of the log and its index.
    sides: [Option<Identity>; 2],
    /// When the name was last seen to be this file's, by the process's own time.
    seen_at: Cell<Option<Duration>>,
    pub(super) witness: Cell<Option<Witness>>,
}

/// What tells one file from another of the same name.
type Identity = (u64, u64);

/// What goes into the lock file when the file is set aside.
const DAMAGED: &str = "damaged";

/// The name of the lock file.
pub(super) fn lock_path(path: &Path) -> PathBuf {
    beside(path, ".lock")
}

/// `path` with something added to its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Whether a file that is not there was in use once.
pub(super) fn is_lost(path: &Path) -> bool {
    identity(path).is_none()
        && File::open(lock_path(path)).and_then(|lock| last_in_use(&lock)).is_ok_and(|last| !last.is_empty())
}

/// Opens the lock file, and makes it and its folder if need be.
pub(super) fn open_lock(path: &Path) -> Result<File, Fault> {
    must_be_file(path)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|error| Fault::io(path, &error))?;
    }
    let mut options = OpenOptions::new();
    private(options.read(true).write(true).create(true).truncate(false))
        .open(lock_path(path))
        .map_err(|error| Fault::io(path, &error))
}

/// A device or a folder is left alone: it must never be taken for a damaged file, and be moved out of the way.
fn must_be_file(path: &Path) -> Result<(), Fault> {
    match fs::metadata(path) {
        Ok(about) if !about.is_file() => {
            Err(Fault::Final(LedgerError::Io { path: path.to_owned(), reason: "this is not a file".to_owned() }))
        }
        _ => Ok(()),
    }
}

/// Only the owner may read what is made.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// The name of the ledger that was in use last, as the lock file has it: empty when none ever was. It outlives a file that is
/// deleted, so that a process that comes later knows that there is something it does not know.
fn last_in_use(mut lock: &File) -> io::Result<String> {
    let mut name = Vec::new();
    lock.rewind()?;
    lock.take(64).read_to_end(&mut name)?;
    Ok(String::from_utf8_lossy(&name).into_owned())
}

fn set_in_use(mut lock: &File, name: &str) -> io::Result<()> {
    lock.rewind()?;
    lock.write_all(name.as_bytes())?;
    lock.set_len(name.len() as u64)
}

/// The identity of a file; `None` when there is none.
pub(super) fn identity(path: &Path) -> Option<Identity> {
    let about = fs::metadata(path).ok()?;
    #[cfg(unix)]
    return Some((std::os::unix::fs::MetadataExt::dev(&about), std::os::unix::fs::MetadataExt::ino(&about)));
    // Elsewhere a file in use cannot be deleted.
    #[cfg(not(unix))]
    return about.is_file().then_some((0, 0));
}

impl Database {
    /// Opens the file, and makes it if need be. `old` is the one that is known already; where another was in use last, a new
    /// file begins with a loss.
    pub(super) fn open(path: &Path, clock: &Clock, lock: &File, old: Option<&Self>) -> Result<Self, Fault> {
        must_be_file(path)?;
        let failed = |error: rusqlite::Error| Fault::sqlite(path, &error);
        let last = last_in_use(lock).map_err(|error| Fault::io(path, &error))?;
        let lost = !last.is_empty() && old.and_then(|old| old.name().ok()).as_ref() != Some(&last);
        if identity(path).is_none() {
            // What belonged to a file that is gone would be taken for this one's.
            for side in ["-journal", "-wal", "-shm"] {
                let _ = fs::remove_file(beside(path, side));
            }
        }
        // SQLite gives its side files the mode of the main one, so that one is made here. Never opened and closed when it is
        // there already: closing it would drop the locks that this process holds on it elsewhere.
        let made = private(OpenOptions::new().write(true).create_new(true)).open(path);
        if let Err(error) = made
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(Fault::io(path, &error));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        let mut database = Self {
            connection,
            lost_at: None,
            identity: identity(path),
            sides: [None; 2],
            seen_at: Cell::new(None),
            witness: Cell::new(None),
        };
        database.set_up(path, clock, lost)?;
        let about = database
            .connection
            .query_row("SELECT lost_at, ledger FROM time", [], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)));
        let (lost_at, name) = about.map_err(failed)?;
        database.lost_at = lost_at;
        if lost && name != last {
            // Another one in its place, a copy from elsewhere, knows as little of what was sent as a new one.
            let now = "UPDATE time SET lost_at = MAX(?1 + offset, seen) RETURNING lost_at";
            let wall = clock.now().as_micros();
            database.lost_at = database.connection.query_row(now, [wall], |row| row.get(0)).map_err(failed)?;
        }
        database.sides = sides(path);
        if name != last {
            set_in_use(lock, &name).map_err(|error| Fault::io(path, &error))?;
        }
        Ok(database)
    }

    fn set_up(&self, path: &Path, clock: &Clock, lost: bool) -> Result<(), Fault> {
        let connection = &self.connection;
        let failed = |error: rusqlite::Error| Fault::sqlite(path, &error);
        connection.busy_timeout(Duration::ZERO).map_err(failed)?;
        connection.set_prepared_statement_cache_capacity(32);
        // Plans do not depend on values. Without this a statement with a range is parsed anew whenever it is used with another.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
        let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(failed);
        match (pragma("application_id")?, pragma("user_version")?) {
            (APPLICATION, FORMAT) => {}
            (APPLICATION, found) if found > FORMAT => {
                return Err(Fault::Final(LedgerError::Newer { path: path.to_owned(), found, known: FORMAT }));
            }
            (APPLICATION, found) => return Err(Fault::Damaged(format!("format {found} is no longer read"))),
            _ => {
                let tables: i64 =
                    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
                if tables > 0 {
                    return Err(Fault::Final(LedgerError::Foreign { path: path.to_owned() }));
                }
                self.create(clock, lost).map_err(failed)?;
            }
        }
        // A commit reaches the disk's cache at once, and the disk at the next checkpoint: a killed process loses nothing, a power
        // cut may lose the last moments, and the machine is up again when their windows have passed.
        // A checkpoint waits for the disk twice, so it is rarer than by default; 2500 small pages are 1.3 MB.
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -4096;
                 PRAGMA wal_autocheckpoint = 2500;",
            )
            .map_err(failed)
    }

    fn create(&self, clock: &Clock, lost: bool) -> rusqlite::Result<()> {
        let connection = &self.connection;
        // The smallest pages: a commit writes the one page its slot is on.
        connection.execute_batch("PRAGMA page_size = 512; PRAGMA journal_mode = WAL;")?;
        let (wall, monotonic) = clock.both();
        let wall = wall.as_micros();
        let start = clock.uptime(monotonic).map(|(name, up)| (name, wall.saturating_sub(micros(up))));
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let made = connection.execute_batch(SCHEMA).and_then(|()| {
            let name = format!("{:032x}", fastrand::u128(..));
            let (start, started) = start.unzip();
            connection.execute(
                "INSERT INTO time (id, ledger, offset, seen, start, started, lost_at) VALUES (1, ?1, 0, ?2, ?3, ?4, ?5)",
                params![name, wall, start, started, lost.then_some(wall)],
            )?;
            connection.execute_batch(&format!(
                "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}; COMMIT"
            ))
        });
        if made.is_err() {
            let _ = connection.execute_batch("ROLLBACK");
        }
        made
    }

    /// Whether the file of this name is still the one that is open, as of a moment ago.
    pub(super) fn is_at(&self, path: &Path, clock: &Clock) -> bool {
        let now = clock.monotonic();
        // A manual clock that stands still has not seen it a moment ago.
        let moment = Duration::from_nanos(1)..LOOK_EVERY;
        if self.seen_at.get().is_some_and(|seen| moment.contains(&now.saturating_sub(seen))) {
            return true;
        }
        let same = self.bears(path) && self.has_its_log(path);
        self.seen_at.set(same.then_some(now));
        same
    }

    /// Whether the file of this name is the one that is open.
    pub(super) fn bears(&self, path: &Path) -> bool {
        self.identity.is_some() && self.identity == identity(path)
    }

    /// Whether its log is where it was. While the file is open nobody but a stranger removes it, and then what is in it is seen
    /// by those only who have it open.
    pub(super) fn has_its_log(&self, path: &Path) -> bool {
        self.sides == sides(path)
    }

    /// The name no other file has.
    pub(super) fn name(&self) -> rusqlite::Result<String> {
        self.connection.query_row("SELECT ledger FROM time", [], |row| row.get(0))
    }

    /// Whether the slots of that file are in this one already; remembers that they are from now on.
    pub(super) fn carry_once(&self, name: &str) -> rusqlite::Result<bool> {
        let connection = &self.connection;
        let known = connection.query_row("SELECT 1 FROM carried WHERE ledger = ?1", [name], |_| Ok(())).optional()?;
        if known.is_none() && self.name()? != name {
            connection.execute("INSERT INTO carried (ledger) VALUES (?1)", [name])?;
            return Ok(true);
        }
        Ok(false)
    }
}

fn sides(path: &Path) -> [Option<Identity>; 2] {
    ["-wal", "-shm"].map(|side| identity(&beside(path, side)))
}

/// So many damaged files are kept.
const MOST_ASIDE: u32 = 9;

/// Moves a damaged file out of the way, and keeps it for whoever wants to look.
pub(super) fn set_aside(path: &Path, lock: &File, reason: &str) -> Result<(), Fault> {
    set_in_use(lock, DAMAGED).map_err(|error| Fault::io(path, &error))?;
    tracing::warn!(file = %path.display(), reason, "the budget's file is damaged; it is set aside, and every window counts as full");
    // What was set aside before may be somebody's notes, named by mistake.
    let names = std::iter::once(String::new()).chain((2..=MOST_ASIDE).map(|number| format!("-{number}")));
    let mut places = names.map(|number| beside(path, &format!(".damaged{number}")));
    let free = places.find(|place| !place.exists());
    let damaged = free.unwrap_or_else(|| beside(path, &format!(".damaged-{MOST_ASIDE}")));
    let moved = fs::rename(path, &damaged);
    if let Err(error) = moved
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(Fault::io(path, &error));
    }
    for side in ["-wal", "-shm"] {
        let _ = fs::rename(beside(path, side), beside(&damaged, side));
    }
    Ok(())
}

impl Fault {
    pub(super) fn io(path: &Path, error: &io::Error) -> Self {
        let (path, reason) = (path.to_owned(), error.to_string());
        Self::Final(match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                LedgerError::ReadOnly { path, reason }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => LedgerError::Full { path },
            _ => LedgerError::Io { path, reason },
        })
    }

    pub(super) fn sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let (path, reason) = (path.to_owned(), error.to_string());
        let code = match error {
            // The file that processes share in memory could not grow: the only reason there is.
            rusqlite::Error::SqliteFailure(failure, _) if failure.extended_code == SQLITE_IOERR_SHMSIZE => {
                Some(ErrorCode::DiskFull)
            }
            // The log ends before its index does.
            rusqlite::Error::SqliteFailure(failure, _) if failure.extended_code == SQLITE_IOERR_SHORT_READ => {
                Some(ErrorCode::DatabaseCorrupt)
            }
            rusqlite::Error::SqliteFailure(failure, _) => Some(failure.code),
            // A row that is missing or of the wrong type is damage too.
            rusqlite::Error::QueryReturnedNoRows
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::Utf8Error(..)
            // What is asked is always the same, so it is the tables that are not as they were made.
            | rusqlite::Error::SqlInputError { .. }
            | rusqlite::Error::IntegralValueOutOfRange(..) => return Self::Damaged(reason),
            _ => None,
        };
        match code {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(reason),
            Some(ErrorCode::DiskFull) => Self::Final(LedgerError::Full { path }),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                Self::Final(LedgerError::ReadOnly { path, reason })
            }
            Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) => Self::Final(LedgerError::Io { path, reason }),
            // A table that should be there is not.
            Some(ErrorCode::Unknown) if reason.contains("no such table") || reason.contains("no such column") => {
                Self::Damaged(reason)
            }
            _ => Self::Final(LedgerError::Database { path, reason }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a disk is full before the first write, the shared memory beside the file is what fails.
    #[test]
    fn shared_memory_that_cannot_grow_is_a_full_disk() {
        let path = Path::new("ratelimit.db");
        let fault = |code| Fault::sqlite(path, &rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
        for code in [SQLITE_IOERR_SHMSIZE, rusqlite::ffi::SQLITE_FULL] {
            assert!(matches!(fault(code), Fault::Final(LedgerError::Full { .. })), "{code}");
        }
        assert!(matches!(fault(rusqlite::ffi::SQLITE_IOERR_READ), Fault::Final(LedgerError::Io { .. })));
    }
}
