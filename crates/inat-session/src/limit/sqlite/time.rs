//! The ledger's time, inside a transaction.

use rusqlite::{Result, params};

use super::step::{Access, Step};
use crate::limit::time::{Kept, Witness, quick, settle};
use crate::timestamp::micros;

/// The time last seen is written down this often.
const SEEN_EVERY: i64 = 1_000_000;

impl Step<'_> {
    /// The ledger's time. Where the step may write, a jump of the clock is written down.
    pub(super) fn now(&self) -> Result<i64> {
        let mut kept = self.connection().prepare_cached("SELECT offset, seen FROM time")?;
        let (offset, seen) = kept.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        self.now_by(offset, seen)
    }

    /// The same, when what was written down is at hand.
    pub(super) fn now_by(&self, offset: i64, seen: i64) -> Result<i64> {
        let witness = &self.database.witness;
        let (wall, monotonic) = (self.clock.now().as_micros(), micros(self.clock.monotonic()));
        let now = match quick(offset, wall, monotonic, witness.get()) {
            Some(now) => {
                let now = now.max(seen);
                if self.access == Access::Write && now.saturating_sub(seen) >= SEEN_EVERY {
                    self.connection().prepare_cached("UPDATE time SET seen = ?1")?.execute([now])?;
                }
                now
            }
            None => return self.settle(),
        };
        witness.set(Some(Witness { ledger: now, monotonic }));
        Ok(now)
    }

    fn settle(&self) -> Result<i64> {
        let witness = &self.database.witness;
        let (wall, since) = self.clock.both();
        let (wall, monotonic) = (wall.as_micros(), micros(since));
        let kept = self.connection().query_row("SELECT offset, seen, start, started FROM time", [], |row| {
            let start: Option<String> = row.get(2)?;
            Ok(Kept { offset: row.get(0)?, seen: row.get(1)?, start: start.zip(row.get(3)?) })
        })?;
        let uptime = self.clock.uptime(since).map(|(name, up)| (name, micros(up)));
        let (now, after) = settle(&kept, wall, monotonic, uptime, witness.get());
        witness.set(Some(Witness { ledger: now, monotonic }));
        if self.access == Access::Write {
            let (start, started) = after.start.unzip();
            self.connection().execute(
                "UPDATE time SET offset = ?1, seen = ?2, start = ?3, started = ?4",
                params![after.offset, after.seen, start, started],
            )?;
        }
        Ok(now)
    }
}
