//! Whether anybody has committed since we last looked, for the price of one small read.
//!
//! `PRAGMA data_version` says it too, but takes and gives back a lock for that: two or three microseconds, most of what a hit
//! from the memory tier costs. All who share a file in WAL mode also share its index (`-shm`), which opens with a header that
//! every commit rewrites: a counter, the last frame and its checksum (<https://www.sqlite.org/walformat.html>, §2.1). While
//! these bytes stay, nothing was committed. The header also has the size of the file. Where there is none, SQLite is asked.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use rusqlite::Connection;

/// The first of the header's two copies. A commit writes it last, so that it is old until the commit can be seen.
const LEN: usize = 48;
/// Where it has the size of a page, and how many pages the log and the file have after the last commit, all in the machine's
/// byte order.
const PAGE: usize = 14;
const LOG_PAGES: usize = 16;
const PAGES: usize = 20;
/// Behind both copies: how many pages of the log were written back.
const WRITTEN_BACK: usize = 96;

/// What the header said.
pub(super) type Header = [u8; LEN];

/// What the index says of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Log {
    header: Header,
    written_back: u64,
}

impl Log {
    /// Whether somebody has begun to write it back, and could not do so to its end because others read in it. Once it is written
    /// back, whoever begins to read reads past it, and no more keeps it from starting again (<https://www.sqlite.org/walformat.html>,
    /// §2.3).
    pub(super) fn is_waited_for(&self) -> bool {
        self.written_back != 0 && self.written_back != number(&self.header, LOG_PAGES)
    }
}

/// What a look at the header shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Glimpse {
    /// Nothing was committed since the header was learned.
    Same,
    /// Something may have been.
    Changed(Header),
    /// There is no header to be seen.
    Nothing,
}

/// The index of one database, and what it said when it was learned.
///
/// Without a lock: readers on several processors would send it to and fro between them at every hit. What two learn at once may
/// stand there as a mixture; that is nothing any header says, so the next who looks learns anew.
#[derive(Debug, Default)]
pub(super) struct Glance {
    index: OnceLock<Arc<index::Index>>,
    /// All zero at first, which no valid header is.
    learned: [AtomicU64; LEN / 8],
}

impl Glance {
    /// Looks at the header.
    pub(super) fn look(&self) -> Glimpse {
        let Some(header) = self.header() else { return Glimpse::Nothing };
        let is_known =
            self.learned.iter().zip(words(&header)).all(|(known, word)| known.load(Ordering::Acquire) == word);
        if is_known { Glimpse::Same } else { Glimpse::Changed(header) }
    }

    /// What the header says now.
    fn header(&self) -> Option<Header> {
        index::read(self.index.get()?)
    }

    /// What the index says of the log now.
    pub(super) fn log(&self) -> Option<Log> {
        let start: [u8; WRITTEN_BACK + 4] = index::read(self.index.get()?)?;
        Some(Log { header: *start.first_chunk()?, written_back: number(&start, WRITTEN_BACK) })
    }

    /// Whether the index belongs to a log that is no more: it would stay as it is for ever.
    pub(super) fn is_gone(&self) -> bool {
        self.index.get().is_some_and(|index| index::is_deleted(index))
    }

    /// How many bytes the file has after the last commit, the log included. `None` where the header does not know: of a log that
    /// is empty, as when the file was just opened, it says nothing.
    pub(super) fn size_of_file(&self) -> Option<u64> {
        let header = self.header()?;
        let page = match u16::from_ne_bytes(*header[PAGE..].first_chunk()?) {
            // 65536 does not fit.
            1 => 1 << 16,
            bytes => u64::from(bytes),
        };
        Some(page * number(&header, PAGES)).filter(|size| *size > 0)
    }

    /// Whoever finds the header like this again may take for true what is read from now on.
    pub(super) fn learn(&self, header: Header) {
        for (known, word) in self.learned.iter().zip(words(&header)) {
            known.store(word, Ordering::Release);
        }
    }

    /// Opens the index of the file that `conn` has read from, if there is one. One that was left beside a file without a log would
    /// never change.
    pub(super) fn open(&self, conn: &Connection, database: &Path) {
        let has_log = || {
            let mode = conn.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0));
            mode.is_ok_and(|mode| mode == "wal")
        };
        if self.index.get().is_none()
            && let Some(index) = index::of(database, has_log)
        {
            let _ = self.index.set(index);
        }
    }
}

fn number(index: &[u8], at: usize) -> u64 {
    index[at..].first_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes).into())
}

fn words(header: &Header) -> impl Iterator<Item = u64> {
    header.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word))
}

/// The index, where this system shows a file that others have mapped as they see it.
#[cfg(target_os = "linux")]
mod index {
    use std::os::unix::fs::FileExt;
    use std::path::Path;
    use std::sync::Arc;

    pub(super) use crate::store::sqlite::kept::Kept as Index;
    use crate::store::sqlite::open::beside;

    /// Where the header says that it is valid.
    const IS_INIT: usize = 12;

    /// The first bytes of the index.
    pub(super) fn read<const N: usize>(index: &Index) -> Option<[u8; N]> {
        let mut start = [0; N];
        index.file().read_exact_at(&mut start, 0).ok()?;
        (start[IS_INIT] == 1).then_some(start)
    }

    pub(super) fn is_deleted(index: &Index) -> bool {
        index.is_deleted()
    }

    /// The index of a file; whether that `has_log` is asked only where there may be one.
    pub(super) fn of(database: &Path, has_log: impl FnOnce() -> bool) -> Option<Arc<Index>> {
        Index::at(&beside(database, "-shm"), has_log)
    }
}

#[cfg(not(target_os = "linux"))]
mod index {
    use std::path::Path;
    use std::sync::Arc;

    #[derive(Debug)]
    pub(super) struct Index;

    pub(super) fn read<const N: usize>(_: &Index) -> Option<[u8; N]> {
        None
    }

    pub(super) fn is_deleted(_: &Index) -> bool {
        false
    }

    pub(super) fn of(_: &Path, _: impl FnOnce() -> bool) -> Option<Arc<Index>> {
        None
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::aside::Inode;
    use crate::store::sqlite::open::beside;

    fn database() -> (tempfile::TempDir, std::path::PathBuf, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache.db");
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x)").unwrap();
        (folder, path, conn)
    }

    #[test]
    fn a_commit_of_anybody_is_noticed_and_nothing_else() {
        let (_folder, path, ours) = database();
        let other = Connection::open(&path).unwrap();
        let glance = Glance::default();
        assert_eq!(glance.look(), Glimpse::Nothing);
        glance.open(&ours, &path);
        let learn = || match glance.look() {
            Glimpse::Changed(header) => glance.learn(header),
            other => panic!("{other:?}"),
        };
        learn();
        for writer in [&ours, &other] {
            assert_eq!(glance.look(), Glimpse::Same);
            assert_eq!(ours.query_row("SELECT COUNT(*) FROM t", [], |row| row.get::<_, i64>(0)).unwrap() & 1, 0);
            assert_eq!(glance.look(), Glimpse::Same, "reading changes nothing");
            writer.execute_batch("BEGIN; INSERT INTO t VALUES (1), (2)").unwrap();
            assert_eq!(glance.look(), Glimpse::Same, "nor does what is not committed");
            writer.execute_batch("COMMIT").unwrap();
            learn();
        }
        // The log starts again from its beginning, with other marks.
        other.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t VALUES (3)").unwrap();
        learn();
    }

    #[test]
    fn the_header_has_the_size_that_sqlite_would_tell() {
        let (_folder, path, conn) = database();
        let glance = Glance::default();
        assert_eq!(glance.size_of_file(), None);
        glance.open(&conn, &path);
        let pages = || number(&glance.header().unwrap(), LOG_PAGES);
        for _ in 0..3 {
            let in_log = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, u32>(1)).unwrap();
            assert_eq!(pages(), u64::from(in_log));
            assert_eq!(glance.size_of_file().unwrap(), crate::store::sqlite::write::size(&conn).unwrap());
            conn.execute_batch("INSERT INTO t VALUES (randomblob(100000))").unwrap();
        }
        // Once everybody has closed it, the log is empty, and the next to open it makes a header that knows nothing.
        drop(conn);
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        let glance = Glance::default();
        glance.open(&conn, &path);
        assert_eq!((glance.look() != Glimpse::Nothing, glance.size_of_file()), (true, None));
        let large = beside(&path, "-large");
        let conn = Connection::open(&large).unwrap();
        conn.execute_batch("PRAGMA page_size = 65536; PRAGMA journal_mode = WAL; CREATE TABLE t (x)").unwrap();
        let glance = Glance::default();
        glance.open(&conn, &large);
        assert_eq!(glance.size_of_file().unwrap(), 2 << 16);
    }

    #[test]
    fn a_file_without_a_log_shows_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache.db");
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch("CREATE TABLE t (x)").unwrap();
        // As where a copy was put in the place of a file that was in use.
        let (_folder, other, _conn) = database();
        std::fs::copy(beside(&other, "-shm"), beside(&path, "-shm")).unwrap();
        let glance = Glance::default();
        glance.open(&conn, &path);
        assert_eq!(glance.look(), Glimpse::Nothing);
    }

    #[test]
    fn one_index_serves_all_and_is_never_closed_under_them() {
        let (_folder, path, conn) = database();
        let (one, two) = (Glance::default(), Glance::default());
        one.open(&conn, &path);
        two.open(&conn, &path);
        let index = |glance: &Glance| glance.index.get().unwrap().clone();
        assert!(Arc::ptr_eq(&index(&one), &index(&two)));
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| assert_eq!(one.header(), two.header()));
            }
        });
        drop((one, two));
        let is_open = || {
            let index = std::fs::metadata(beside(&path, "-shm")).map(|file| Inode::of(&file)).ok();
            crate::store::sqlite::kept::OPEN.lock().unwrap().iter().any(|(inode, _)| Some(*inode) == index)
        };
        assert!(is_open());
        drop(conn);
        assert!(!beside(&path, "-shm").exists());
    }

    #[test]
    fn a_log_is_waited_for_while_somebody_reads_in_what_is_to_be_written_back() {
        let (_folder, path, conn) = database();
        let other = Connection::open(&path).unwrap();
        let glance = Glance::default();
        glance.open(&conn, &path);
        let is_waited_for = || glance.log().unwrap().is_waited_for();
        let read = "SELECT * FROM t";
        other.execute_batch("BEGIN").unwrap();
        other.prepare(read).unwrap().exists([]).unwrap();
        conn.execute_batch("INSERT INTO t VALUES (1)").unwrap();
        assert!(!is_waited_for());
        conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
        assert!(is_waited_for());
        other.execute_batch("COMMIT").unwrap();
        conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
        assert!(!is_waited_for());
        assert!(!glance.is_gone());
        drop((conn, other));
        assert!(glance.is_gone());
    }
}
