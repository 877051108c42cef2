//! A transaction that writes.

use std::ops::Deref;

use rusqlite::{Connection, Result};

/// An open transaction that may write: the connection, for as long as it lasts. Undone unless it is committed.
///
/// rusqlite's own parses its statements each time, which is a tenth of what a small entry costs.
pub(super) struct Transaction<'a>(&'a Connection);

impl<'a> Transaction<'a> {
    /// Begins one. It takes the lock at once: one that began by reading could not wait for it.
    pub(super) fn begin(conn: &'a Connection) -> Result<Self> {
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Self(conn))
    }

    pub(super) fn commit(self) -> Result<()> {
        self.0.prepare_cached("COMMIT")?.execute([]).map(drop)
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.0
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            let _ = self.0.execute_batch("ROLLBACK");
        }
    }
}
