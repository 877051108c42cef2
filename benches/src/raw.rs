//! The floor under a hit: SQLite reading the same row through one prepared statement, and nothing else.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::Fallible;

/// A cache file of ours, opened as a plain database.
#[derive(Debug)]
pub struct Raw {
    conn: Connection,
}

impl Raw {
    pub fn open(file: &Path) -> Fallible<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Ok(Self { conn: Connection::open_with_flags(file, flags)? })
    }

    /// The rows there are.
    pub fn slots(&self) -> Fallible<Vec<i64>> {
        let mut statement = self.conn.prepare("SELECT slot FROM entry")?;
        let slots = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(slots)
    }

    /// Reads rows through one prepared statement: metadata and body as they are stored, copied into vectors. Small bodies stand
    /// beside their metadata, others in a table of their own; the statement is the one that suits the first row.
    pub fn reader(&self) -> Fallible<impl FnMut(i64) -> Fallible<usize> + '_> {
        let first = "SELECT data IS NOT NULL FROM entry LIMIT 1";
        let is_beside: bool = self.conn.query_row(first, [], |row| row.get(0))?;
        let mut statement = self.conn.prepare(if is_beside {
            "SELECT meta, data FROM entry WHERE slot = ?1"
        } else {
            "SELECT e.meta, b.data FROM entry e JOIN body b ON b.id = e.id WHERE e.slot = ?1"
        })?;
        Ok(move |slot| {
            let (meta, data): (Vec<u8>, Vec<u8>) = statement.query_row([slot], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(std::hint::black_box(meta).len() + std::hint::black_box(data).len())
        })
    }
}
