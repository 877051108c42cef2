//! One bucket inside an open transaction, in SQL.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Result, Row, params};

use super::file::Database;
use crate::limit::book::Tape;
use crate::limit::penalty::{Standing, Stop};

/// Numbers of slots take this many bits of the key.
const BITS: u32 = 40;

const BUCKET: &str =
    "SELECT id, stopped_until, stop, status, pace, credit, credited_at, keep FROM bucket WHERE name = ?1";
const NEW_BUCKET: &str = "INSERT INTO bucket (name, stopped_until, stop, status, pace, credit, credited_at, keep)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const SET_BUCKET: &str = "UPDATE bucket SET stopped_until = ?2, stop = ?3, status = ?4, pace = ?5, credit = ?6,
     credited_at = ?7, keep = ?8 WHERE name = ?1";
const NEWEST: &str = "SELECT key, at FROM slot WHERE key BETWEEN ?1 AND ?2 ORDER BY key DESC LIMIT 1";
const OLDEST: &str = "SELECT key FROM slot WHERE key BETWEEN ?1 AND ?2 ORDER BY key LIMIT 1";
const AT: &str = "SELECT at FROM slot WHERE key = ?1";
const PUT: &str = "INSERT OR REPLACE INTO slot (key, at) VALUES (?1, ?2)";
const REMOVE: &str = "DELETE FROM slot WHERE key = ?1";
const FORGET: &str = "DELETE FROM slot WHERE key BETWEEN ?1 AND ?2 AND at < ?3";

/// A bucket on file. What was read once is not read again: nobody else writes during the transaction.
pub(super) struct SqlTape<'a> {
    connection: &'a Connection,
    name: &'a str,
    id: Option<i64>,
    standing: Standing,
    lost_at: Option<i64>,
    /// The newest slot, once it was looked up.
    newest: Option<(u64, i64)>,
    looked: bool,
}

impl<'a> SqlTape<'a> {
    pub(super) fn open(database: &'a Database, name: &'a str) -> Result<Self> {
        let Database { connection, lost_at, .. } = database;
        let found = connection.prepare_cached(BUCKET)?.query_row([name], bucket).optional()?;
        let (id, standing) = found.unzip();
        let standing = standing.unwrap_or_default();
        Ok(Self { connection, name, id, standing, lost_at: *lost_at, newest: None, looked: false })
    }

    /// The bucket's number; a new one gets its row.
    pub(super) fn id(&mut self) -> Result<i64> {
        if let Some(id) = self.id {
            return Ok(id);
        }
        self.write_standing(NEW_BUCKET)?;
        let id = self.connection.last_insert_rowid();
        self.id = Some(id);
        Ok(id)
    }

    /// The number of a bucket that is there.
    pub(super) fn known_id(&self) -> Option<i64> {
        self.id
    }

    fn write_standing(&self, sql: &str) -> Result<()> {
        let Standing { stopped_until, stop, pace, credit, credited_at, keep } = self.standing;
        let (code, status) = encode(stop);
        let values = params![self.name, stopped_until, code, status, pace, credit, credited_at, keep];
        self.prepare(sql)?.execute(values).map(drop)
    }

    fn prepare(&self, sql: &str) -> Result<CachedStatement<'a>> {
        self.connection.prepare_cached(sql)
    }

    fn unlearn(&mut self) {
        (self.newest, self.looked) = (None, false);
    }

    fn head(&mut self) -> Result<Option<(u64, i64)>> {
        if self.looked {
            return Ok(self.newest);
        }
        let Some(id) = self.id else { return Ok(None) };
        let found = self
            .prepare(NEWEST)?
            .query_row([key(id, 0), key(id, LAST)], |row| Ok((number(row.get(0)?), row.get(1)?)))
            .optional()?;
        (self.newest, self.looked) = (found, true);
        Ok(found)
    }
}

impl Tape for SqlTape<'_> {
    type Error = rusqlite::Error;

    fn standing(&mut self) -> Result<Standing> {
        Ok(self.standing)
    }

    fn set_standing(&mut self, standing: &Standing) -> Result<()> {
        self.standing = *standing;
        match self.id {
            Some(_) => self.write_standing(SET_BUCKET),
            None => self.id().map(drop),
        }
    }

    fn newest(&mut self) -> Result<Option<u64>> {
        Ok(self.head()?.map(|(seq, _)| seq))
    }

    fn oldest(&mut self) -> Result<Option<u64>> {
        let Some(id) = self.id else { return Ok(None) };
        let mut statement = self.prepare(OLDEST)?;
        statement.query_row([key(id, 0), key(id, LAST)], |row| row.get(0).map(number)).optional()
    }

    fn at(&mut self, seq: u64) -> Result<Option<i64>> {
        let Some(id) = self.id else { return Ok(None) };
        if let Some((newest, at)) = self.newest
            && newest == seq
        {
            return Ok(Some(at));
        }
        self.prepare(AT)?.query_row([key(id, seq)], |row| row.get(0)).optional()
    }

    fn put(&mut self, seq: u64, at: i64) -> Result<()> {
        let id = self.id()?;
        self.unlearn();
        self.prepare(PUT)?.execute([key(id, seq), at]).map(drop)
    }

    fn remove(&mut self, seq: u64) -> Result<()> {
        let id = self.id()?;
        self.unlearn();
        self.prepare(REMOVE)?.execute([key(id, seq)]).map(drop)
    }

    fn forget(&mut self, from: u64, to: u64, cutoff: i64) -> Result<()> {
        let id = self.id()?;
        self.prepare(FORGET)?.execute([key(id, from), key(id, to.saturating_sub(1)), cutoff]).map(drop)
    }

    fn lost_at(&mut self) -> Result<Option<i64>> {
        Ok(self.lost_at)
    }
}

const LAST: u64 = (1 << BITS) - 1;

/// A trillion slots a bucket, eight million buckets: neither bound can be reached by asking politely.
fn key(bucket: i64, seq: u64) -> i64 {
    (bucket << BITS) | i64::try_from(seq.min(LAST)).unwrap_or(i64::MAX)
}

fn number(key: i64) -> u64 {
    key.unsigned_abs() & LAST
}

fn bucket(row: &Row<'_>) -> Result<(i64, Standing)> {
    let standing = Standing {
        stopped_until: row.get(1)?,
        stop: decode(row.get(2)?, row.get(3)?),
        pace: row.get(4)?,
        credit: row.get(5)?,
        credited_at: row.get(6)?,
        keep: row.get(7)?,
    };
    Ok((row.get(0)?, standing))
}

fn encode(stop: Option<Stop>) -> (i64, u16) {
    match stop {
        None => (0, 0),
        Some(Stop::Told(status)) => (1, status),
        Some(Stop::Throttled(status)) => (2, status),
        Some(Stop::BlockPage) => (3, 0),
    }
}

fn decode(code: i64, status: u16) -> Option<Stop> {
    match code {
        1 => Some(Stop::Told(status)),
        2 => Some(Stop::Throttled(status)),
        3 => Some(Stop::BlockPage),
        _ => None,
    }
}
