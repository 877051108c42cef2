//! Files kept open beside SQLite.
//!
//! Closing any descriptor of a file drops every lock the process has on it (POSIX), SQLite's among them. So each is opened once for
//! all, and closed only after it was deleted.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::aside::{Inode, inode};
use super::thread;

/// Descriptors of one file.
const SEATS: usize = 8;

pub(super) static OPEN: Mutex<Vec<(Inode, Arc<Kept>)>> = Mutex::new(Vec::new());

/// An open file. Threads that read at the same time do so through different descriptors: the system counts who uses one, and
/// the count would go to and fro between the processors.
#[derive(Debug)]
pub(super) struct Kept {
    first: File,
    /// `None` where there was no other to be had.
    others: [OnceLock<Option<File>>; SEATS - 1],
}

impl Kept {
    /// The file at `path`, where there is one and `is_wanted` says so.
    pub(super) fn at(path: &Path, is_wanted: impl FnOnce() -> bool) -> Option<Arc<Self>> {
        let wanted = inode(path).filter(|_| is_wanted())?;
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(_, kept)| !kept.is_deleted());
        if let Some((_, kept)) = open.iter().find(|(inode, _)| *inode == wanted) {
            return Some(kept.clone());
        }
        let first = File::open(path).ok()?;
        // Should it be another one than was wanted, it has to stay open all the same.
        let inode = first.metadata().map_or(wanted, |file| Inode::of(&file));
        let kept = Arc::new(Self { first, others: Default::default() });
        open.push((inode, kept.clone()));
        Some(kept)
    }

    /// The descriptor for this thread.
    pub(super) fn file(&self) -> &File {
        let other = (thread::number() % SEATS).checked_sub(1).and_then(|seat| {
            // The file at its path may be another one by now.
            let again = || File::open(format!("/proc/self/fd/{}", self.first.as_raw_fd())).ok();
            self.others[seat].get_or_init(again).as_ref()
        });
        other.unwrap_or(&self.first)
    }

    /// Whether no path leads to it any more.
    pub(super) fn is_deleted(&self) -> bool {
        self.first.metadata().is_ok_and(|file| file.nlink() == 0)
    }
}
