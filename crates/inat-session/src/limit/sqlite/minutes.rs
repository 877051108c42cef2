//! The bytes of a bucket, minute by minute.

use rusqlite::{OptionalExtension, params};

use super::step::Step;
use crate::limit::bytes::{ByteSlot, Minute};

/// The minutes that were counted, in order.
pub(super) fn all(step: &Step<'_>, bucket: i64) -> rusqlite::Result<Vec<Minute>> {
    let mut statement =
        step.connection().prepare_cached("SELECT number, bytes FROM minute WHERE bucket = ?1 ORDER BY number")?;
    let minute =
        |row: &rusqlite::Row<'_>| Ok(Minute { number: row.get(0)?, bytes: row.get::<_, i64>(1)?.unsigned_abs() });
    statement.query_map([bucket], minute)?.collect()
}

/// Forgets those before `first`.
pub(super) fn forget(step: &Step<'_>, bucket: i64, first: i64) -> rusqlite::Result<()> {
    let mut forget = step.connection().prepare_cached("DELETE FROM minute WHERE bucket = ?1 AND number < ?2")?;
    forget.execute([bucket, first]).map(drop)
}

/// Adds bytes to a minute and takes others away; never below nothing, never beyond what fits.
pub(super) fn count(step: &Step<'_>, bucket: i64, slot: &ByteSlot, add: u64, take: u64) -> rusqlite::Result<()> {
    let mut look = step.connection().prepare_cached("SELECT bytes FROM minute WHERE bucket = ?1 AND number = ?2")?;
    let before: i64 = look.query_row([bucket, slot.minute], |row| row.get(0)).optional()?.unwrap_or(0);
    let after = before.unsigned_abs().saturating_sub(take).saturating_add(add);
    let mut put = step
        .connection()
        .prepare_cached("INSERT OR REPLACE INTO minute (bucket, number, bytes) VALUES (?1, ?2, ?3)")?;
    put.execute(params![bucket, slot.minute, i64::try_from(after).unwrap_or(i64::MAX)]).map(drop)
}
