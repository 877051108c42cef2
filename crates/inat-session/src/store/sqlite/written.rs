//! What was written to lately, by any process that shares the file.
//!
//! A read that was on its way while somebody wrote to the same resource may bring back what was there before. Stored, it
//! would be served as fresh to everybody. The process that wrote knows; this tells the others.

use rusqlite::params;

use super::fault::Fault;
use super::transaction::Transaction;
use crate::Timestamp;
use crate::cache::Entry;
use crate::store::frame::checksum;
use crate::store::worth::resource;

/// Writes are remembered for longer than a request takes, in microseconds: ten minutes.
const REMEMBERED: i64 = 10 * 60 * 1_000_000;
/// A write to an observation concerns some seventy resources, so their hashes are kept and not their names.
const HASH: usize = 8;

/// Notes a write.
pub(super) fn note(transaction: &Transaction<'_>, resources: &[String], now: Timestamp) -> Result<(), Fault> {
    let hashes: Vec<u8> = resources.iter().flat_map(|name| hash(name)).collect();
    let at = now.as_micros();
    // One from the future was noted by a clock that was wrong.
    transaction
        .prepare_cached("DELETE FROM written WHERE at < ?1 OR at > ?2")?
        .execute([at.saturating_sub(REMEMBERED), at])?;
    transaction.prepare_cached("INSERT INTO written (at, resources) VALUES (?1, ?2)")?.execute(params![at, hashes])?;
    Ok(())
}

/// Whether the resource of an entry was written to since the entry was asked for.
pub(super) fn is_outdated(transaction: &Transaction<'_>, entry: &Entry, now: Timestamp) -> Result<bool, Fault> {
    let since = "SELECT resources FROM written WHERE at > ?1 AND at <= ?2";
    let mut statement = transaction.prepare_cached(since)?;
    let mut rows = statement.query([entry.policy.request_time.as_micros(), now.as_micros()])?;
    let mut wanted = None;
    while let Some(row) = rows.next()? {
        let wanted = wanted.get_or_insert_with(|| hash(&resource(entry)));
        let hashes = row.get_ref(0)?.as_blob().unwrap_or_default();
        if hashes.as_chunks::<HASH>().0.contains(wanted) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn hash(resource: &str) -> [u8; HASH] {
    checksum(0, resource.as_bytes()).to_le_bytes()
}
