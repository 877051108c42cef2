//! Setting a corrupt file aside, so that a new one can take its place and a person can look at the old.

use std::path::{Path, PathBuf};

use super::Config;
use super::fault::Fault;
use super::open::{beside, lock_out_other_creators};

/// How many are kept.
const KEPT: usize = 2;

/// Which file a path leads to, where the system can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inode(u64, u64);

/// The file at `path`.
#[cfg(unix)]
pub(super) fn inode(path: &Path) -> Option<Inode> {
    path.metadata().ok().map(|file| Inode::of(&file))
}

#[cfg(unix)]
impl Inode {
    pub(super) fn of(file: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(file.dev(), file.ino())
    }
}

/// The file at `path`.
#[cfg(not(unix))]
pub(super) fn inode(_: &Path) -> Option<Inode> {
    None
}

/// Renames the file and its log, unless it is not the file `corrupt` any more because another process was quicker. SQLite
/// notices that a file has moved, so whoever still has it open does not touch the new one.
///
/// Where it went, if it was moved.
pub(super) fn set_aside(path: &Path, corrupt: Option<Inode>, config: &Config) -> Result<Option<PathBuf>, Fault> {
    let _lock = lock_out_other_creators(path, config)?;
    if inode(path) != corrupt {
        return Ok(None);
    }
    let stamp = config.clock.now().as_micros();
    let aside = beside(path, &format!(".corrupt-{stamp}"));
    std::fs::rename(path, &aside).map_err(|error| Fault::Io(error.to_string()))?;
    let _ = std::fs::rename(beside(path, "-wal"), beside(&aside, "-wal"));
    let _ = std::fs::remove_file(beside(path, "-shm"));
    forget_older(path);
    Ok(Some(aside))
}

/// A disk that keeps failing must not fill up with what it spoiled.
fn forget_older(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let prefix = format!("{}.corrupt-", name.to_string_lossy());
    let Ok(files) = std::fs::read_dir(folder) else { return };
    let mut stamps: Vec<i64> =
        files.filter_map(|file| file.ok()?.file_name().to_str()?.strip_prefix(&prefix)?.parse().ok()).collect();
    stamps.sort_unstable_by_key(|stamp| std::cmp::Reverse(*stamp));
    for stamp in stamps.into_iter().skip(KEPT) {
        let old = beside(path, &format!(".corrupt-{stamp}"));
        let _ = std::fs::remove_file(&old);
        let _ = std::fs::remove_file(beside(&old, "-wal"));
    }
}
