//! One bucket inside an open transaction, in SQL.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Result, Row, params};

use super::step::Step;
use crate::limit::book::Tape;
use crate::limit::penalty::{Standing, Stop};

/// Numbers of slots take this many bits of the key.
const BITS: u32 = 40;

/// All that a reservation reads when no window is near its limit, in one go: the time, the bucket, its newest slot.
const HEAD: &str = "SELECT time.offset, time.seen, slot.key, slot.at, bucket.id, stopped_until, stop, status, pace,
         credit, credited_at, keep
     FROM time
     LEFT JOIN bucket ON bucket.name = ?1
     LEFT JOIN slot ON slot.key BETWEEN bucket.id << 40 AND (bucket.id << 40) + (1 << 40) - 1
     WHERE time.id = 1
     ORDER BY slot.key DESC LIMIT 1";
const NEW_BUCKET: &str = "INSERT INTO bucket (name, stopped_until, stop, status, pace, credit, credited_at, keep, id)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, (SELECT ifnull(max(id), 0) + 1 FROM bucket)) RETURNING id";
const SET_BUCKET: &str = "UPDATE bucket SET stopped_until = ?2, stop = ?3, status = ?4, pace = ?5, credit = ?6,
     credited_at = ?7, keep = ?8 WHERE name = ?1 RETURNING id";
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
    newest: Newest,
}

/// The newest slot, as far as it is known.
#[derive(Clone, Copy)]
enum Newest {
    Known(Option<(u64, i64)>),
    /// It was changed just now.
    Ask,
}

impl Step<'_> {
    /// A bucket, and the ledger's time.
    pub(super) fn bucket<'b>(&'b self, name: &'b str) -> Result<(SqlTape<'b>, i64)> {
        let read = |row: &Row<'_>| {
            let newest = row.get::<_, Option<i64>>(2)?.map(number).zip(row.get(3)?);
            let id: Option<i64> = row.get(4)?;
            let standing = if id.is_some() { standing(row)? } else { Standing::default() };
            let tape = SqlTape {
                connection: self.connection(),
                name,
                id,
                standing,
                lost_at: self.database.lost_at,
                newest: Newest::Known(newest),
            };
            Ok((tape, row.get(0)?, row.get(1)?))
        };
        let (tape, offset, seen) = self.connection().prepare_cached(HEAD)?.query_row([name], read)?;
        Ok((tape, self.now_by(offset, seen)?))
    }
}

impl<'a> SqlTape<'a> {
    /// The bucket's number; a new one gets its row.
    pub(super) fn id(&mut self) -> Result<i64> {
        if let Some(id) = self.id {
            return Ok(id);
        }
        let id = self.write_standing(NEW_BUCKET)?;
        self.id = Some(id);
        Ok(id)
    }

    /// The number of a bucket that is there.
    pub(super) fn known_id(&self) -> Option<i64> {
        self.id
    }

    fn write_standing(&self, sql: &str) -> Result<i64> {
        let Standing { stopped_until, stop, pace, credit, credited_at, keep } = self.standing;
        let (code, status) = encode(stop);
        let values = params![self.name, stopped_until, code, status, pace, credit, credited_at, keep];
        self.prepare(sql)?.query_row(values, |row| row.get(0))
    }

    fn prepare(&self, sql: &str) -> Result<CachedStatement<'a>> {
        self.connection.prepare_cached(sql)
    }

    fn head(&mut self) -> Result<Option<(u64, i64)>> {
        if let Newest::Known(newest) = self.newest {
            return Ok(newest);
        }
        let Some(id) = self.id else { return Ok(None) };
        let found = self
            .prepare(NEWEST)?
            .query_row([key(id, 0), key(id, LAST)], |row| Ok((number(row.get(0)?), row.get(1)?)))
            .optional()?;
        self.newest = Newest::Known(found);
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
            Some(_) => self.write_standing(SET_BUCKET).map(drop),
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
        if let Newest::Known(Some((newest, at))) = self.newest
            && newest == seq
        {
            return Ok(Some(at));
        }
        self.prepare(AT)?.query_row([key(id, seq)], |row| row.get(0)).optional()
    }

    fn put(&mut self, seq: u64, at: i64) -> Result<()> {
        let id = self.id()?;
        self.newest = Newest::Ask;
        self.prepare(PUT)?.execute([key(id, seq), at]).map(drop)
    }

    fn remove(&mut self, seq: u64) -> Result<()> {
        let id = self.id()?;
        self.newest = Newest::Ask;
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

fn standing(row: &Row<'_>) -> Result<Standing> {
    Ok(Standing {
        stopped_until: row.get(5)?,
        stop: decode(row.get(6)?, row.get(7)?),
        pace: row.get(8)?,
        credit: row.get(9)?,
        credited_at: row.get(10)?,
        keep: row.get(11)?,
    })
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
