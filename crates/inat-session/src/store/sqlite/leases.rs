//! Who is fetching what at the moment, in a small file of its own beside the database.
//!
//! A lease is taken and given back for every request that has to be sent, most of which nobody else asks for at that moment.
//! In the database each of the two would be a transaction of some thirty microseconds; here it is a lock, a read and a write
//! of one. What is lost with the file is not worth more: somebody sends a request that another process is sending too.
//!
//! The file is a table of fixed size, so that it never grows. A key has a few places in it; where all are taken by others, its
//! lease is not written down.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use parking_lot::Mutex;

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
/// And so long nobody waits again: a hundred requests would wait one after the other.
const LOST: Duration = Duration::from_secs(1);

/// The file, opened when it is first needed.
#[derive(Debug, Default)]
pub(super) struct Leases {
    file: OnceLock<File>,
    /// The lock of the file does not keep out threads that share it. Holds until when nobody waits for that lock, by the
    /// monotonic clock.
    taking: Mutex<Duration>,
    /// What was taken and not given back: who closes the file while requests are on their way, as after Ctrl-C, leaves nobody
    /// waiting for them.
    held: Mutex<Vec<(Key, u64)>>,
}

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
        let file = self.file(database)?;
        let Some(mut impatient_until) = self.taking.try_lock_for(PAUSE * PAUSES) else { return Ok(true) };
        let pauses = pauses(Clock::system().monotonic(), *impatient_until);
        let Some(_held) = Held::wait_for(file, pauses)? else {
            if pauses > 0 {
                *impatient_until = Clock::system().monotonic() + LOST;
            }
            return Ok(true);
        };
        let row = read_row(file, key).map_err(io)?;
        let is_bound = |place: &Place| binds(place.lease.until, now, until);
        let of_key = row.iter().position(|place| place.key == key.0);
        if of_key.is_some_and(|at| row[at].lease.holder != holder && is_bound(&row[at])) {
            return Ok(false);
        }
        if let Some(at) = of_key.or_else(|| row.iter().position(|place| !is_bound(place))) {
            write_place(file, key, at, &Place { key: key.0, lease: Lease { holder, until } }).map_err(io)?;
            let mut held = self.held.lock();
            if !held.contains(&(*key, holder)) {
                held.push((*key, holder));
            }
        }
        Ok(true)
    }

    /// Gives a lease back. Without a lock: in the worst case the lease of somebody who took it over this very moment, because it
    /// had run out, goes with it, and one request is sent twice.
    pub(super) fn release(&self, database: &Path, key: &Key, holder: u64) -> Result<(), Fault> {
        self.held.lock().retain(|lease| *lease != (*key, holder));
        let file = self.file(database)?;
        let row = read_row(file, key).map_err(io)?;
        match row.iter().position(|place| place.key == key.0 && place.lease.holder == holder) {
            Some(at) => write_place(file, key, at, &Place::EMPTY).map_err(io),
            None => Ok(()),
        }
    }

    /// Gives back whatever is held.
    pub(super) fn release_all(&self, database: &Path) {
        let held = std::mem::take(&mut *self.held.lock());
        for (key, holder) in held {
            // It runs out by itself.
            let _ = self.release(database, &key, holder);
        }
    }

    fn file(&self, database: &Path) -> Result<&File, Fault> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let opened = open(database)?;
        Ok(self.file.get_or_init(|| opened))
    }
}

/// How long to wait for the lock of the file: not at all where somebody has just waited in vain.
fn pauses(now: Duration, impatient_until: Duration) -> u32 {
    if now < impatient_until { 0 } else { PAUSES }
}

fn row_of(key: &Key) -> u64 {
    (key.short().cast_unsigned() % ROWS) * ROW as u64
}

fn read_row(file: &File, key: &Key) -> std::io::Result<[Place; PLACES]> {
    // What is beyond the end of the file stays empty.
    let mut bytes = [0; ROW];
    let mut read = 0;
    while read < ROW {
        match positioned::read(file, &mut bytes[read..], row_of(key) + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let mut places = bytes.as_chunks::<PLACE>().0.iter().map(Place::read);
    Ok([(); PLACES].map(|()| places.next().unwrap_or(Place::EMPTY)))
}

fn write_place(file: &File, key: &Key, at: usize, place: &Place) -> std::io::Result<()> {
    positioned::write_all(file, &place.written(), row_of(key) + (at * PLACE) as u64)
}

/// Reading and writing at a place in one call, so that threads which share the file do not move it under each other.
#[cfg(unix)]
mod positioned {
    use std::fs::File;
    use std::io::Result;
    use std::os::unix::fs::FileExt;

    pub(super) fn read(file: &File, buffer: &mut [u8], at: u64) -> Result<usize> {
        file.read_at(buffer, at)
    }

    pub(super) fn write_all(file: &File, bytes: &[u8], at: u64) -> Result<()> {
        file.write_all_at(bytes, at)
    }
}

#[cfg(windows)]
mod positioned {
    use std::fs::File;
    use std::io::{Error, ErrorKind, Result};
    use std::os::windows::fs::FileExt;

    pub(super) fn read(file: &File, buffer: &mut [u8], at: u64) -> Result<usize> {
        file.seek_read(buffer, at)
    }

    pub(super) fn write_all(file: &File, bytes: &[u8], at: u64) -> Result<()> {
        // A local file takes so few bytes whole, or none of them.
        match file.seek_write(bytes, at)? {
            written if written == bytes.len() => Ok(()),
            _ => Err(Error::from(ErrorKind::WriteZero)),
        }
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

    fn written(&self) -> [u8; PLACE] {
        let mut bytes = [0; PLACE];
        bytes[..32].copy_from_slice(&self.key);
        bytes[32..40].copy_from_slice(&self.lease.holder.to_le_bytes());
        bytes[40..].copy_from_slice(&self.lease.until.as_micros().to_le_bytes());
        bytes
    }
}

fn open(database: &Path) -> Result<File, Fault> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(beside(database, "-leases")).map_err(io)
}

/// Not worth a warning of its own: what comes next on the database will say so.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn io(error: std::io::Error) -> Fault {
    Fault::Io(error.to_string())
}

/// The lock on the file. The system drops it with the process.
struct Held<'a>(&'a File);

impl<'a> Held<'a> {
    fn wait_for(file: &'a File, pauses: u32) -> Result<Option<Self>, Fault> {
        for tried in 0..AT_ONCE + pauses {
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
    fn a_lock_that_is_held_is_waited_for_once() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("cache.db");
        let (leases, key) = (Leases::default(), Key([7; 32]));
        assert!(leases.take(&database, &key, 1, at(0), at(30)).unwrap());
        let stopped = open(&database).unwrap();
        stopped.lock().unwrap();
        let other = Leases::default();
        assert!(other.take(&database, &key, 2, at(1), at(31)).unwrap(), "nobody can say whose it is");
        let until = *other.taking.lock();
        assert_eq!((pauses(until.saturating_sub(LOST), until), pauses(until, until)), (0, PAUSES));
        stopped.unlock().unwrap();
        assert!(!other.take(&database, &key, 2, at(1), at(31)).unwrap());
    }

    #[test]
    fn who_closes_leaves_nobody_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("cache.db");
        let (leases, other) = (Leases::default(), Leases::default());
        let taken = |leases: &Leases, n, holder| leases.take(&database, &Key([n; 32]), holder, at(1), at(31)).unwrap();
        for n in 0..20 {
            assert!(taken(&leases, n, 1) && taken(&leases, n, 1) && !taken(&other, n, 2));
        }
        leases.release(&database, &Key([0; 32]), 1).unwrap();
        assert!(taken(&other, 0, 2));
        leases.release_all(&database);
        assert!((1..20).all(|n| taken(&other, n, 2)));
        assert!(!taken(&leases, 0, 1), "it was no longer ours to give back");
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
