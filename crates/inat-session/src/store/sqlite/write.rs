//! Keeping and replacing entries, and making room for them.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::fault::Fault;
use super::owed::first_id_of;
use super::read::{blob, slots};
use super::transaction::Transaction;
use super::written;
use super::{SqliteStore, open};
use crate::Timestamp;
use crate::cache::{Entry, Key, Vary};
use crate::store::frame::Frame;
use crate::store::record::{self, Record};
use crate::store::worth::{dead_at, minute, resource};

/// Entries removed at a time when there is no room. A put that needs little removes little.
const STEP: i64 = 8;
/// Pages given back to the file system at a time, when many are free.
const VACUUM_PAGES: u64 = 256;
/// Bodies of at most this many bytes once packed stand beside their metadata: a page less to write, and to read. Two such rows
/// fit on a page.
const BESIDE: usize = 1280;
/// Rows marked as used in the future, by a clock that was wrong, would never be the least recently used.
const FUTURE_MINUTES: i64 = 24 * 60;

/// The entries of a resource: those whose keys begin with it, and those that say whose they are.
const OF_RESOURCE: &str = "SELECT slot, id FROM entry WHERE slot BETWEEN ?1 AND ?2 AND resource = ?3 AND id <= ?4 AND elsewhere = 0 \
     UNION ALL SELECT slot, id FROM entry WHERE elsewhere = 1 AND resource = ?3 AND id <= ?4";

/// What to keep.
pub(super) struct Put<'a> {
    key: &'a Key,
    entry: &'a Entry,
    /// Length of the body, unpacked.
    len: u64,
    frame: Frame,
    now: Timestamp,
}

impl<'a> Put<'a> {
    /// Packs the body, which takes longer than writing it: to be done before the lock is taken.
    pub(super) fn new(key: &'a Key, entry: &'a Entry, body: &'a Bytes, now: Timestamp, compress: bool) -> Self {
        Self { key, entry, len: body.len() as u64, frame: Frame::pack(body, compress), now }
    }
}

/// What to do where there is no room.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lack {
    /// Make some, which may take many steps.
    IsMended,
    /// Nothing: whoever may wait will.
    IsForLater,
}

/// A row among the slots of a key.
struct Neighbour {
    slot: i64,
    id: i64,
    /// `None` when it is damaged: the next entry takes its place.
    record: Option<Record>,
}

impl SqliteStore {
    /// Keeps an entry in one transaction: the old variant goes, room is made, the new one comes.
    pub(super) fn put_in_file(
        &self,
        transaction: &Transaction<'_>,
        put: &mut Put<'_>,
        lack: Lack,
    ) -> Result<(), Fault> {
        let Put { key, entry, len, frame, now } = put;
        let now = *now;
        // Who wrote may have done so while this waited for the lock, so `now` is too early.
        if written::is_outdated(transaction, entry, self.config.clock.now().max(now))? {
            return Err(Fault::Outdated);
        }
        let neighbours = neighbours(transaction, key)?;
        let (slot, replaced) = place(&neighbours, key, &entry.vary);
        if let Some(id) = replaced {
            delete(transaction, slot, id)?;
        }
        let has_others = neighbours.iter().any(|row| row.slot != slot);
        if has_others {
            transaction
                .prepare_cached("UPDATE entry SET more = 1 WHERE slot = ?1 AND more = 0")?
                .execute([slots(key).0])?;
        }
        let id = next_id(transaction, now)?;
        let meta = record::encode(key, entry, *len, id);
        let stored = (frame.len() + meta.len()) as u64;
        let made_room = self.make_room(transaction, stored, now, lack)?;
        let resource = resource(entry);
        let data = frame.seal(id);
        let (beside, apart) = if data.len() <= BESIDE { (Some(data), None) } else { (None, Some(data)) };
        if let Some(data) = apart {
            transaction.prepare_cached("INSERT INTO body (id, data) VALUES (?1, ?2)")?.execute(params![id, data])?;
        }
        transaction
            .prepare_cached(
                "INSERT INTO entry (slot, id, revision, more, used, stored, dead, elsewhere, resource, meta, data) \
                 VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                slot,
                id,
                has_others,
                minute(now),
                stored.cast_signed(),
                dead_at(entry).as_micros(),
                is_elsewhere(key, &resource),
                resource,
                meta,
                beside
            ])?;
        self.uses.write_some(transaction)?;
        if replaced.is_some() || made_room { tidy(transaction) } else { Ok(()) }
    }

    /// Removes the least recently used until `need` bytes fit under the bound. Whether that took anything.
    fn make_room(&self, transaction: &Transaction<'_>, need: u64, now: Timestamp, lack: Lack) -> Result<bool, Fault> {
        // What the trees around the rows take.
        let need = need.saturating_add(need / 16).saturating_add(4 * open::PAGE.unsigned_abs());
        if self.has_room(transaction, need)? {
            return Ok(false);
        }
        if lack == Lack::IsForLater {
            return Err(Fault::Locked);
        }
        transaction
            .prepare_cached("UPDATE entry SET used = ?1 WHERE used > ?1 + ?2")?
            .execute([minute(now), FUTURE_MINUTES])?;
        // The marks decide who goes.
        self.uses.write_all(transaction)?;
        let mut step = STEP;
        while !self.has_room(transaction, need)? {
            let victims: Vec<(i64, i64)> = transaction
                .prepare_cached("SELECT slot, id FROM entry ORDER BY used, id LIMIT ?1")?
                .query_map([step], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            if victims.is_empty() {
                break;
            }
            for (slot, id) in victims {
                delete(transaction, slot, id)?;
            }
            step *= 2;
        }
        Ok(true)
    }

    /// Whether so many bytes may still be used under the bound. While the file is below it, nobody counts what is free in it.
    fn has_room(&self, transaction: &Transaction<'_>, need: u64) -> Result<bool, Fault> {
        let size = transaction.size_before()?;
        let fits = |used: u64| used.saturating_add(need) <= self.config.max_bytes;
        if fits(size) {
            return Ok(true);
        }
        let free =
            pragma(transaction, "PRAGMA freelist_count")?.saturating_mul(pragma(transaction, "PRAGMA page_size")?);
        Ok(fits(size.saturating_sub(free)))
    }

    /// Replaces the metadata of a variant; `false` when it is gone.
    pub(super) fn freshen_in_file(
        transaction: &Transaction<'_>,
        key: &Key,
        id: i64,
        entry: &Entry,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let found = neighbours(transaction, key)?.into_iter().find(|row| row.id == id);
        let Some((slot, record)) = found.and_then(|row| Some((row.slot, row.record?))) else {
            return Ok(false);
        };
        if record.key != *key {
            return Ok(false);
        }
        let (meta, resource) = (record::encode(key, entry, record.body_len, id), resource(entry));
        let (dead, elsewhere) = (dead_at(entry).as_micros(), is_elsewhere(key, &resource));
        transaction
            .prepare_cached(
                "UPDATE entry SET revision = revision + 1, used = ?3, dead = ?4, elsewhere = ?5, resource = ?6, meta = ?7 \
                 WHERE slot = ?1 AND id = ?2",
            )?
            .execute(params![slot, id, minute(now), dead, elsewhere, resource, meta])?;
        Ok(true)
    }

    /// Removes a variant.
    pub(super) fn remove_from_file(transaction: &Transaction<'_>, key: &Key, id: i64) -> Result<(), Fault> {
        let (first, last) = slots(key);
        let slot: Option<i64> = transaction
            .prepare_cached("SELECT slot FROM entry WHERE slot BETWEEN ?1 AND ?2 AND id = ?3")?
            .query_row([first, last, id], |row| row.get(0))
            .optional()?;
        slot.map_or(Ok(()), |slot| delete(transaction, slot, id))
    }

    /// Removes the variants of a key up to a number.
    pub(super) fn remove_key_from_file(transaction: &Transaction<'_>, key: &Key, up_to: i64) -> Result<(), Fault> {
        for row in neighbours(transaction, key)? {
            if row.id <= up_to && row.record.is_none_or(|record| record.key == *key) {
                delete(transaction, row.slot, row.id)?;
            }
        }
        Ok(())
    }

    /// Removes the entries of some resources, up to a number.
    pub(super) fn invalidate_in_file(
        transaction: &Transaction<'_>,
        resources: &[String],
        up_to: i64,
    ) -> Result<u64, Fault> {
        let mut of_resource = transaction.prepare_cached(OF_RESOURCE)?;
        let mut removed = 0;
        for wanted in resources {
            let (first, last) = Key::shorts_of(wanted);
            let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let rows = of_resource.query_map(params![first, last, wanted, up_to], row)?;
            for (slot, id) in rows.collect::<Result<Vec<(i64, i64)>, _>>()? {
                delete(transaction, slot, id)?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// Whether an entry is kept apart from others of its resource, under a key that says nothing about it.
fn is_elsewhere(key: &Key, resource: &str) -> bool {
    key.head() != Key::head_of(resource)
}

fn neighbours(transaction: &Transaction<'_>, key: &Key) -> Result<Vec<Neighbour>, Fault> {
    let (first, last) = slots(key);
    let mut statement = transaction.prepare_cached("SELECT slot, id, meta FROM entry WHERE slot BETWEEN ?1 AND ?2")?;
    let mut rows = statement.query([first, last])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (slot, id) = (row.get(0)?, row.get(1)?);
        let record = blob(row.get_ref(2)?).and_then(|meta| record::decode(meta, id));
        found.push(Neighbour { slot, id, record });
    }
    Ok(found)
}

/// The slot for a variant of `key`, and what stands there now: the variant selected by the same request fields, else a
/// damaged row, else nothing, else the oldest.
fn place(neighbours: &[Neighbour], key: &Key, vary: &Vary) -> (i64, Option<i64>) {
    let twin =
        |row: &&Neighbour| row.record.as_ref().is_some_and(|record| record.key == *key && record.entry.vary == *vary);
    let found = neighbours.iter().find(twin).or_else(|| neighbours.iter().find(|row| row.record.is_none()));
    if let Some(row) = found {
        return (row.slot, Some(row.id));
    }
    let (first, last) = slots(key);
    if let Some(free) = (first..=last).find(|slot| neighbours.iter().all(|row| row.slot != *slot)) {
        return (free, None);
    }
    let arrival = |row: &&Neighbour| row.record.as_ref().map(|record| record.entry.policy.response_time);
    neighbours.iter().min_by_key(arrival).map_or((first, None), |row| (row.slot, Some(row.id)))
}

/// Removes an entry and its body.
pub(super) fn delete(conn: &Connection, slot: i64, id: i64) -> Result<(), Fault> {
    conn.prepare_cached("DELETE FROM entry WHERE slot = ?1 AND id = ?2")?.execute([slot, id])?;
    conn.prepare_cached("DELETE FROM body WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// A number not given before, but for a chance of one in a million for two in one millisecond: milliseconds since the epoch,
/// then 20 bits of chance. It grows, so that new bodies are appended.
/// A counter in the file would be one more page to write for every entry; and should a log be lost, as by a power cut, it
/// would give the same number again, while here a page of the old state cannot pass for one of the new.
fn next_id(transaction: &Transaction<'_>, now: Timestamp) -> Result<i64, Fault> {
    let highest: Option<i64> =
        transaction.prepare_cached("SELECT MAX(id) FROM body")?.query_row([], |row| row.get(0))?;
    let chance = fastrand::i64(0..1 << 20);
    Ok((first_id_of(now) | chance).max(highest.unwrap_or(0).saturating_add(1 + chance)))
}

fn pragma(conn: &Connection, name: &str) -> rusqlite::Result<u64> {
    let number: i64 = conn.prepare_cached(name)?.query_row([], |row| row.get(0))?;
    Ok(number.unsigned_abs())
}

/// The size of the file in bytes. SQLite compiles these two anew each time, which is a tenth of what a small put costs.
pub(super) fn size(conn: &Connection) -> rusqlite::Result<u64> {
    Ok(pragma(conn, "PRAGMA page_count")?.saturating_mul(pragma(conn, "PRAGMA page_size")?))
}

/// Gives some free pages back to the file system.
pub(super) fn give_back_some(conn: &Connection, pages: u64) -> Result<(), Fault> {
    let mut statement = conn.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.query([])?;
    // It frees one page at each step.
    while rows.next()?.is_some() {}
    Ok(())
}

/// Gives free pages back in small steps, if there are many: a few are soon used again.
fn tidy(conn: &Connection) -> Result<(), Fault> {
    let free = pragma(conn, "PRAGMA freelist_count")?;
    let is_wasteful = free > VACUUM_PAGES && free > pragma(conn, "PRAGMA page_count")? / 8;
    if is_wasteful { give_back_some(conn, VACUUM_PAGES) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_a_resource_are_found_without_looking_at_others() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(include_str!("schema.sql")).unwrap();
        let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {OF_RESOURCE}")).unwrap();
        let steps = plan.query_map(params![0, 1, "", 1], |row| row.get(3)).unwrap();
        let steps: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
        assert!(steps.iter().all(|step| !step.contains("SCAN")), "{steps:?}");
        assert!(steps.iter().any(|step| step.contains("entry_by_resource")), "{steps:?}");
        assert!(steps.iter().any(|step| step.contains("PRIMARY KEY")), "{steps:?}");
    }
}
