//! A transaction that writes.

use std::ops::Deref;

use rusqlite::{Connection, Result};

use super::glance::Glance;
use super::write::size;

/// An open transaction that may write: the connection, for as long as it lasts. Undone unless it is committed.
///
/// rusqlite's own parses its statements each time, which is a tenth of what a small entry costs.
pub(super) struct Transaction<'a> {
    conn: &'a Connection,
    glance: &'a Glance,
}

impl<'a> Transaction<'a> {
    /// Begins one. It takes the lock at once: one that began by reading could not wait for it.
    pub(super) fn begin(conn: &'a Connection, glance: &'a Glance) -> Result<Self> {
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Self { conn, glance })
    }

    /// How many bytes the file had when this began.
    pub(super) fn size_before(&self) -> Result<u64> {
        self.glance.size_of_file().map_or_else(|| size(self.conn), Ok)
    }

    pub(super) fn commit(self) -> Result<()> {
        self.conn.prepare_cached("COMMIT")?.execute([]).map(drop)
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.conn
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.conn.is_autocommit() {
            let _ = self.conn.execute_batch("ROLLBACK");
        }
    }
}
