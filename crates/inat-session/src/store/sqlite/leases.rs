//! Who is fetching what at the moment, in a small file of its own beside the database.
//!
//! A lease is taken and given back for every request that has to be sent, most of which nobody else asks for at that moment.
//! In the database each of the two would be a transaction of some thirty microseconds; here it is a lock, a read and a write
//! of one. What is lost with the file is not worth more: somebody sends a request that another process is sending too.
//!
//! The file is a table of fixed size, so that it never grows. A key has a few places in it; where all are taken by others, its
//! lease is not written down.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::fault::Fault;
use super::open::beside;
use crate::cache::Key;
use crate::store::lease::{Lease, binds};
use crate::{Clock, Timestamp};

/// Rows of places; the key says which one.
const ROWS: u64 = 256;
/// Places in a row.
const PLACES: usize = 8;
/// A place: key, holder, end.
const PLACE: usize = 32 + 8 + 8;
const ROW: usize = PLACES * PLACE;
/// The lock is held for a few microseconds, unless the system takes the processor from its holder meanwhile.
const AT_ONCE: u32 = 100;
/// After that the tries are this far apart.
const PAUSE: Duration = Duration::from_millis(1);
/// Who cannot get it after so many of these does without: its holder was stopped.
const PAUSES: u32 = 100;

/// The file, opened when it is first needed.
#[derive(Debug, Default)]
pub(super) struct Leases(Mutex<Option<File>>);

impl Leases {
    /// Takes or renews the lease on `key`; `false` when another holder has it.
    pub(super) fn take(
        &self,
        database: &Path,
        key: &Key,
        holder: u64,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, Fault> {
        let taken = self.change(database, key, |row| {
            let binding = |place: &Place| binds(place.lease.until, now, until);
            if let Some(mine) = row.iter_mut().find(|place| place.key == key.0) {
                if mine.lease.holder != holder && binding(mine) {
                    return (false, false);
                }
                mine.lease = Lease { holder, until };
                return (true, true);
            }
            match row.iter_mut().find(|place| !binding(place)) {
                Some(free) => {
                    *free = Place { key: key.0, lease: Lease { holder, until } };
                    (true, true)
                }
                None => (true, false),
            }
        })?;
        Ok(taken.unwrap_or(true))
    }

    /// Gives a lease back.
    pub(super) fn release(&self, database: &Path, key: &Key, holder: u64) -> Result<(), Fault> {
        self.change(database, key, |row| {
            match row.iter_mut().find(|place| place.key == key.0 && place.lease.holder == holder) {
                Some(mine) => {
                    *mine = Place::EMPTY;
                    ((), true)
                }
                None => ((), false),
            }
        })?;
        Ok(())
    }

    /// Changes the row of a key while nobody else does; `change` says whether there is anything to write. `None` when somebody
    /// keeps the table locked.
    fn change<T>(
        &self,
        database: &Path,
        key: &Key,
        change: impl FnOnce(&mut [Place; PLACES]) -> (T, bool),
    ) -> Result<Option<T>, Fault> {
        // The lock of the file does not keep out threads that share it.
        let mut opened = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match &mut *opened {
            Some(file) => file,
            None => opened.insert(open(database)?),
        };
        let Some(_held) = Held::wait_for(file)? else { return Ok(None) };
        let mut file = &*file;
        let at = (key.short().cast_unsigned() % ROWS) * ROW as u64;
        let mut bytes = [0; ROW];
        file.seek(SeekFrom::Start(at)).map_err(io)?;
        read_as_far(&mut file, &mut bytes).map_err(io)?;
        let mut row = bytes.as_chunks::<PLACE>().0.iter().map(Place::read);
        let mut row = [(); PLACES].map(|()| row.next().unwrap_or(Place::EMPTY));
        let (result, changed) = change(&mut row);
        if changed {
            for (place, bytes) in row.iter().zip(bytes.as_chunks_mut::<PLACE>().0) {
                place.write(bytes);
            }
            file.seek(SeekFrom::Start(at)).map_err(io)?;
            file.write_all(&bytes).map_err(io)?;
        }
        Ok(Some(result))
    }
}

/// One place of the table.
#[derive(Clone, Copy, Debug)]
struct Place {
    key: [u8; 32],
    lease: Lease,
}

impl Place {
    const EMPTY: Self = Self { key: [0; 32], lease: Lease { holder: 0, until: Timestamp::EPOCH } };

    fn read(bytes: &[u8; PLACE]) -> Self {
        let mut place = Self::EMPTY;
        place.key.copy_from_slice(&bytes[..32]);
        let number = |at: usize| bytes[at..].first_chunk().map_or(0, |number| u64::from_le_bytes(*number));
        place.lease = Lease { holder: number(32), until: Timestamp::from_micros(number(40).cast_signed()) };
        place
    }

    fn write(&self, bytes: &mut [u8; PLACE]) {
        bytes[..32].copy_from_slice(&self.key);
        bytes[32..40].copy_from_slice(&self.lease.holder.to_le_bytes());
        bytes[40..].copy_from_slice(&self.lease.until.as_micros().to_le_bytes());
    }
}

fn open(database: &Path) -> Result<File, Fault> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(beside(database, "-leases")).map_err(io)
}

/// Reads until the buffer is full or the file ends; the rest stays as it is. A file that was just made is empty.
fn read_as_far(file: &mut impl Read, mut buffer: &mut [u8]) -> std::io::Result<()> {
    while !buffer.is_empty() {
        match file.read(buffer) {
            Ok(0) => break,
            Ok(read) => buffer = &mut buffer[read..],
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Not worth a warning of its own: what comes next on the database will say so.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn io(error: std::io::Error) -> Fault {
    Fault::Io(error.to_string())
}

/// The lock on the file. The system drops it with the process.
struct Held<'a>(&'a File);

impl<'a> Held<'a> {
    fn wait_for(file: &'a File) -> Result<Option<Self>, Fault> {
        for tried in 0..AT_ONCE + PAUSES {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self(file))),
                Err(std::fs::TryLockError::WouldBlock) if tried < AT_ONCE => std::thread::yield_now(),
                Err(std::fs::TryLockError::WouldBlock) => Clock::system().pause(PAUSE),
                Err(std::fs::TryLockError::Error(error)) => return Err(io(error)),
            }
        }
        Ok(None)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn a_full_row_gives_leases_that_nobody_is_held_up_by() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("cache.db");
        let leases = Leases::default();
        // All in one row: the row is named by the first eight bytes.
        let key = |n: u8| Key([[0; 31].as_slice(), &[n]].concat().try_into().unwrap());
        for n in 1..=8 {
            assert!(leases.take(&database, &key(n), 1, at(0), at(30)).unwrap());
        }
        let other = Leases::default();
        for n in 1..=8 {
            assert!(!other.take(&database, &key(n), 2, at(1), at(31)).unwrap(), "{n}");
        }
        assert!(leases.take(&database, &key(9), 1, at(1), at(31)).unwrap());
        assert!(other.take(&database, &key(9), 2, at(1), at(31)).unwrap(), "there was no place for it");
        leases.release(&database, &key(3), 1).unwrap();
        assert!(other.take(&database, &key(9), 2, at(1), at(31)).unwrap());
        assert!(!leases.take(&database, &key(9), 1, at(1), at(31)).unwrap());
    }

    #[test]
    fn whatever_stands_in_the_file_holds_nobody_up_for_long() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("cache.db");
        std::fs::write(folder.path().join("cache.db-leases"), [0xA5; 1000]).unwrap();
        for n in 0..=255 {
            assert!(Leases::default().take(&database, &Key([n; 32]), 1, at(0), at(30)).unwrap(), "{n}");
        }
    }
}
