//! A file that is deleted while in use can still be read by those who have it open. Their slots go into the new one, so that
//! deleting the file does not double the budget.

use rusqlite::{Result, params};

use super::step::Step;
use super::tape::SqlTape;
use crate::limit::book::Tape;

/// Copies what still matters. Runs in a write transaction of the new file.
pub(super) fn carry(old: &Step<'_>, new: &Step<'_>) -> Result<()> {
    if !new.database.carry_once(&old.database.name()?)? {
        return Ok(());
    }
    // Both times run alike; what lies between them is what one was corrected by and the other not.
    let shift = new.now()?.saturating_sub(old.now()?);
    let mut buckets = old.connection().prepare("SELECT id, name FROM bucket")?;
    let buckets: Vec<(i64, String)> =
        buckets.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_>>()?;
    for (id, name) in buckets {
        let (mut source, _) = old.bucket(&name)?;
        let (mut target, _) = new.bucket(&name)?;
        merge_standing(&mut source, &mut target, shift)?;
        merge_slots(old, new, (id, target.id()?), shift)?;
    }
    Ok(())
}

/// Of two stops the longer one holds, of two paces the slower.
fn merge_standing(source: &mut SqlTape<'_>, target: &mut SqlTape<'_>, shift: i64) -> Result<()> {
    let (theirs, mut ours) = (source.standing()?, target.standing()?);
    let until = theirs.stopped_until.saturating_add(shift);
    if theirs.stop.is_some() && until > ours.stopped_until {
        (ours.stop, ours.stopped_until) = (theirs.stop, until);
    }
    if theirs.share() < ours.share() {
        (ours.pace, ours.credit) = (theirs.pace, theirs.credit);
        ours.credited_at = theirs.credited_at.saturating_add(shift);
    }
    ours.keep = ours.keep.max(theirs.keep);
    target.set_standing(&ours)
}

/// The slots of both, in order, numbered anew.
fn merge_slots(old: &Step<'_>, new: &Step<'_>, (from, to): (i64, i64), shift: i64) -> Result<()> {
    let mut all = slots(old, from)?;
    for at in &mut all {
        *at = at.saturating_add(shift);
    }
    all.extend(slots(new, to)?);
    all.sort_unstable();
    new.connection().execute("DELETE FROM slot WHERE key >> 40 = ?1", [to])?;
    let mut insert = new.connection().prepare("INSERT INTO slot (key, at) VALUES ((?1 << 40) | ?2, ?3)")?;
    for (seq, at) in (0i64..).zip(all) {
        insert.execute(params![to, seq, at])?;
    }
    let sums = "INSERT INTO minute (bucket, number, bytes) VALUES (?1, ?2, ?3)
        ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes";
    let mut minutes = old.connection().prepare("SELECT number, bytes FROM minute WHERE bucket = ?1")?;
    let minutes: Vec<(i64, i64)> =
        minutes.query_map([from], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_>>()?;
    for (number, bytes) in minutes {
        // Rounded up: a minute later is stricter, never looser.
        let number = number.saturating_add(shift.div_euclid(60_000_000) + i64::from(shift.rem_euclid(60_000_000) > 0));
        new.connection().execute(sums, params![to, number, bytes])?;
    }
    Ok(())
}

fn slots(step: &Step<'_>, bucket: i64) -> Result<Vec<i64>> {
    let mut statement =
        step.connection().prepare("SELECT at FROM slot WHERE key BETWEEN ?1 << 40 AND (?1 << 40) | ?2")?;
    let rows = statement.query_map([bucket, (1 << 40) - 1], |row| row.get(0))?;
    rows.collect()
}
