//! What SQLite's errors mean for a cache: wait, go on without, or start afresh.

use std::fmt;

use rusqlite::{ErrorCode, ffi};

/// Why something could not be done with the file.
#[derive(Debug)]
pub(super) enum Fault {
    /// Another connection kept it locked for longer than we waited.
    Locked,
    /// Its bytes make no sense.
    Corrupt(String),
    /// It is no longer the file at its path: open again.
    Moved,
    /// Our tables are not there. Open again; if that does not help, they are lost.
    Schema(String),
    /// The disk is full, or the file system failed.
    Io(String),
    /// It can be read at most.
    Unwritable(String),
    /// None of the file's: what is to be stored was changed on the server meanwhile.
    Outdated,
    /// Anything else.
    Database(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked => f.write_str("it is locked"),
            Self::Moved => f.write_str("it was replaced"),
            Self::Outdated => f.write_str("the answer is older than a write"),
            Self::Corrupt(why) | Self::Schema(why) | Self::Io(why) | Self::Unwritable(why) | Self::Database(why) => {
                f.write_str(why)
            }
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        let rusqlite::Error::SqliteFailure(code, _) = error else {
            // A column of the wrong type: somebody else's bytes.
            return Self::Corrupt(text);
        };
        match (code.code, code.extended_code) {
            (_, ffi::SQLITE_READONLY_DBMOVED) => Self::Moved,
            (_, ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_CORRUPTFS | ffi::SQLITE_IOERR_DATA) => {
                Self::Corrupt(text)
            }
            (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed, _) => {
                Self::Locked
            }
            (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => Self::Corrupt(text),
            (ErrorCode::DiskFull, _) => Self::Io("the disk is full".to_owned()),
            (ErrorCode::SystemIoFailure | ErrorCode::CannotOpen, _) => Self::Io(text),
            (ErrorCode::ReadOnly | ErrorCode::PermissionDenied, _) => Self::Unwritable(text),
            // "no such table" among others.
            (ErrorCode::Unknown | ErrorCode::SchemaChanged, _) => Self::Schema(text),
            _ => Self::Database(text),
        }
    }
}
