//! What an entry takes on disk.

use tempfile::TempDir;

use crate::body::{MEDIUM, SMALL};
use crate::origin::Origin;
use crate::report::Row;
use crate::{Effort, Fallible, peers};

const ENTRIES: usize = 1_000;

pub fn run(_: Effort) -> Fallible<Vec<Row>> {
    let (folder, origin) = (TempDir::new()?, Origin::start()?);
    let mut rows = Vec::new();
    for (size, most) in [(MEDIUM, Some(0.20)), (SMALL, None)] {
        let file = folder.path().join(size.name);
        let session = peers::ours(&file, 0)?;
        for n in 0..ENTRIES {
            session.get(&origin.url(size, n))?;
        }
        session.close()?;
        // Its log is written back and gone after that.
        let each = std::fs::metadata(&file)?.len() as f64 / ENTRIES as f64;
        let share = each / size.len as f64;
        let found = format!("{each:.0} bytes, {share:.3}× the body");
        rows.push(Row {
            met: most.map(|most| share <= most),
            ..Row::counted(
                format!("disk per entry, {} of {}", size.name, size.len),
                found,
                &most.map_or_else(|| "–".to_owned(), |most| format!("≤ {most:.2}×")),
                true,
            )
        });
    }
    Ok(rows)
}
