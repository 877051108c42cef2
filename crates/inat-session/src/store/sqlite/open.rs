//! Opening the file: making it if it is not there, and telling ours from what only looks like it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::Config;
use super::fault::Fault;

/// Marks a file as ours (`PRAGMA application_id`): "inat" in ASCII.
pub(super) const APPLICATION_ID: i64 = 0x696e_6174;
/// The version of the format (`PRAGMA user_version`). A file of an older one is emptied, of a newer one left alone.
pub(super) const FORMAT: i64 = 4;
/// The page size of new files. A larger one is no faster to read, but every put writes half a dozen pages, and a packed body
/// of a few KiB leaves much of its last page empty.
pub(super) const PAGE: i64 = 4096;
/// 3.7.0 to 3.51.2 can corrupt a file when its write-ahead log is reset at a bad moment.
const OLDEST_SQLITE: i32 = 3_051_003;

const SCHEMA: &str = include_str!("schema.sql");

/// What came of opening.
pub(super) enum Opened {
    /// It is ours and ready.
    Ready(Connection),
    /// It cannot or must not be used, and waiting would not change that.
    Refused(String),
}

/// Within a process, files are opened one at a time: closing any descriptor of a file drops all locks the process has on it,
/// so nobody may be using it in SQLite while it is being created here.
static OPENING: Mutex<()> = Mutex::new(());

/// Opens the file, or makes it.
pub(super) fn open(path: &Path, config: &Config) -> Result<Opened, Fault> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Ok(Opened::Refused(format!("SQLite {} is too old to share a file safely", rusqlite::version())));
    }
    let _one_at_a_time = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    let empty = path.metadata().map_or(true, |file| file.len() == 0);
    if empty && config.read_only {
        return Ok(Opened::Refused("there is no cache file yet".to_owned()));
    }
    if !empty {
        let conn = connect(path, config)?;
        // At one moment: another process may be making it.
        let contents = probe(&*conn.unchecked_transaction()?)?;
        match (contents, conn) {
            // SQLite is content with less than we asked for. Entries that we could serve but not invalidate are worse than none.
            (Contents::Ours, conn) if !config.read_only && conn.is_readonly("main")? => {
                return Ok(Opened::Refused("it is read-only".to_owned()));
            }
            (Contents::Ours, conn) => return Ok(Opened::Ready(conn)),
            (Contents::Foreign(what), _) => return Ok(Opened::Refused(what)),
            (Contents::Empty | Contents::Older, _) if config.read_only => {
                return Ok(Opened::Refused("it holds no cache of this version".to_owned()));
            }
            (Contents::Empty | Contents::Older, _) => {}
        }
    }
    let _lock = lock_out_other_creators(path, config)?;
    create(path, config)
}

/// A connection to a file that is there. It never makes one.
pub(super) fn connect(path: &Path, config: &Config) -> Result<Connection, Fault> {
    let access = if config.read_only { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = match &config.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str())?,
        None => Connection::open_with_flags(path, flags)?,
    };
    conn.busy_timeout(config.busy_timeout)?;
    // Without this promise SQLite compiles a statement again whenever a bound number might change the plan: 8 µs a hit.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_prepared_statement_cache_capacity(32);
    Ok(conn)
}

enum Contents {
    Ours,
    Older,
    Empty,
    Foreign(String),
}

fn probe(conn: &Connection) -> Result<Contents, Fault> {
    let number = |pragma: &str| conn.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let (application, version) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    Ok(match (application, version) {
        (APPLICATION_ID, FORMAT) => Contents::Ours,
        (APPLICATION_ID, newer) if newer > FORMAT => {
            Contents::Foreign(format!("it was written by a newer version (format {newer}, this one knows {FORMAT})"))
        }
        (APPLICATION_ID, _) => Contents::Older,
        (0, 0) if number("SELECT COUNT(*) FROM sqlite_schema")? == 0 => Contents::Empty,
        _ => Contents::Foreign("it is the database of another program".to_owned()),
    })
}

fn create(path: &Path, config: &Config) -> Result<Opened, Fault> {
    if let Err(error) = make_file(path) {
        return Ok(Opened::Refused(error.to_string()));
    }
    let mut conn = connect(path, config)?;
    // All three matter only while the file is empty.
    conn.execute_batch(&format!("PRAGMA page_size = {PAGE}; PRAGMA auto_vacuum = INCREMENTAL"))?;
    // The answer is the mode it really has: where a write-ahead log is impossible (no shared memory), the old kind stays.
    conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0))?;
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    match probe(&transaction)? {
        // Another process was quicker.
        Contents::Ours => {}
        Contents::Foreign(what) => return Ok(Opened::Refused(what)),
        Contents::Older | Contents::Empty => {
            drop_everything(&transaction)?;
            transaction.execute_batch(SCHEMA)?;
            transaction
                .execute_batch(&format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}"))?;
        }
    }
    transaction.commit()?;
    Ok(Opened::Ready(conn))
}

/// Empties a file of an older format. A cache is not worth a migration: everything in it can be fetched again.
fn drop_everything(conn: &Connection) -> Result<(), Fault> {
    let mut tables =
        conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")?;
    let names: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for name in names {
        conn.execute_batch(&format!("DROP TABLE \"{}\"", name.replace('"', "\"\"")))?;
    }
    Ok(())
}

/// Makes an empty file that only its owner can read, and its folder. SQLite gives the log and the index the same mode.
fn make_file(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => {
            // A log and an index without a file belong to one that was deleted; programs that still use them keep them open.
            for suffix in ["-wal", "-shm"] {
                let _ = std::fs::remove_file(beside(path, suffix));
            }
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// A lock on a file beside the database, held while it is created or set aside. The system drops it with the process.
pub(super) fn lock_out_other_creators(path: &Path, config: &Config) -> Result<Option<File>, Fault> {
    const STEP: Duration = Duration::from_millis(10);
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let Ok(lock) = options.open(beside(path, "-lock")) else {
        // The folder is missing, or not ours to write in: what comes next will say so.
        return Ok(None);
    };
    let mut waited = Duration::ZERO;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(Some(lock)),
            Err(std::fs::TryLockError::WouldBlock) if waited < config.busy_timeout => {
                config.clock.pause(STEP);
                waited += STEP;
            }
            Err(std::fs::TryLockError::WouldBlock) => return Err(Fault::Locked),
            // A file system without locks.
            Err(std::fs::TryLockError::Error(_)) => return Ok(None),
        }
    }
}

/// The path with something added to its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
