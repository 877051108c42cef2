//! For people: what is kept, and removing it by pattern or age.

use std::sync::Arc;

use super::SqliteStore;
use super::fault::Fault;
use super::read::{blob, whole};
use super::readers::Reader;
use super::transaction::Transaction;
use super::write::{delete, give_back_some, size};
use crate::Timestamp;
use crate::cache::Glob;
use crate::store::variant::is_meant;
use crate::store::{Listed, Stats, Stored, record};

impl SqliteStore {
    pub(super) fn list_file(reader: &Reader, pattern: Option<&str>, limit: usize) -> Result<Vec<Listed>, Fault> {
        let glob = pattern.map(Glob::of_entries);
        let mut statement =
            reader.conn.prepare_cached("SELECT id, used, stored, meta, data FROM entry ORDER BY used DESC, id DESC")?;
        let mut rows = statement.query([])?;
        let mut listed = Vec::new();
        while listed.len() < limit {
            let Some(row) = rows.next()? else { break };
            let (id, used, stored): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let Some(record) = blob(row.get_ref(3)?).and_then(|meta| record::decode(meta, id)) else { continue };
            if glob.as_ref().is_none_or(|glob| is_meant(glob, &record.entry)) {
                let entry = Arc::new(record.entry);
                let body = whole(row.get_ref(4)?, id, record.body_len);
                listed.push(Listed {
                    stored: Stored { entry, id, body_len: record.body_len, body },
                    key: record.key,
                    size: stored.unsigned_abs(),
                    used: Timestamp::from_secs(used.saturating_mul(60)),
                });
            }
        }
        Ok(listed)
    }

    pub(super) fn clear_file(transaction: &Transaction<'_>, pattern: Option<&str>) -> Result<u64, Fault> {
        let Some(pattern) = pattern else {
            let removed = transaction.execute("DELETE FROM entry", [])?;
            transaction.execute("DELETE FROM body", [])?;
            give_back_all(transaction)?;
            return Ok(removed as u64);
        };
        let glob = Glob::of_entries(pattern);
        let mut doomed = Vec::new();
        {
            let mut statement = transaction.prepare_cached("SELECT slot, id, meta FROM entry")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let (slot, id) = (row.get(0)?, row.get(1)?);
                // A damaged row goes too: nobody can tell what it was.
                let record = blob(row.get_ref(2)?).and_then(|meta| record::decode(meta, id));
                if record.is_none_or(|record| is_meant(&glob, &record.entry)) {
                    doomed.push((slot, id));
                }
            }
        }
        remove_all(transaction, doomed)
    }

    pub(super) fn prune_file(transaction: &Transaction<'_>, now: Timestamp) -> Result<u64, Fault> {
        let doomed = {
            let mut statement = transaction.prepare_cached("SELECT slot, id FROM entry WHERE dead < ?1")?;
            let rows = statement.query_map([now.as_micros()], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        remove_all(transaction, doomed)
    }

    pub(super) fn stats_of_file(&self, reader: &Reader) -> Result<Stats, Fault> {
        let (entries, stored): (i64, i64) = reader
            .conn
            .prepare_cached("SELECT COUNT(*), COALESCE(SUM(stored), 0) FROM entry")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Stats {
            entries: entries.unsigned_abs(),
            body_bytes: stored.unsigned_abs(),
            total_bytes: size(&reader.conn)?,
            bound_bytes: self.config.max_bytes,
        })
    }
}

fn remove_all(transaction: &Transaction<'_>, doomed: Vec<(i64, i64)>) -> Result<u64, Fault> {
    let removed = doomed.len() as u64;
    for (slot, id) in doomed {
        delete(transaction, slot, id)?;
    }
    give_back_all(transaction)?;
    Ok(removed)
}

fn give_back_all(transaction: &Transaction<'_>) -> Result<(), Fault> {
    give_back_some(transaction, 0)
}
