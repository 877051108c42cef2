//! The connections that read, and what they still see between two reads.
//!
//! For every read SQLite takes a lock and gives it back: two system calls under a mutex that all threads share, a fifth of a hit
//! for one thread and more than half for two. A connection that is asked again and again keeps its transaction open in between,
//! and with it the lock, as long as the header of the index says that nothing was committed since.
//!
//! While a transaction is open, the log can be written back only as far as that transaction sees, and not started again: it
//! would grow for ever where some read all the time and others write. So none is held when the log has grown so long that this
//! is due, none is older than [`HELD`], and where nobody reads any more, a thread that lives as long as there are any ends them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use rusqlite::Connection;

use super::glance::Header;

/// Reading connections kept for the next reader.
const IDLE: usize = 16;
/// A connection that was asked within this is being asked again and again.
const AGAIN: Duration = Duration::from_millis(1);
/// So long a transaction is kept open at most while its connection is asked.
const HELD: Duration = Duration::from_millis(5);
/// One that nobody asks is ended after one to two of these.
const TICK: Duration = Duration::from_millis(10);

/// A connection that reads.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) conn: Connection,
    /// What `PRAGMA data_version` said last. Only to be compared with what the same connection says.
    pub(super) version: i64,
    reads: u32,
    /// When it was asked last.
    asked: Duration,
    /// Who asked it last.
    thread: Option<ThreadId>,
    held: Option<Held>,
}

/// A transaction that is open between reads.
#[derive(Debug)]
struct Held {
    /// What the index said before it began: what is committed later changes that.
    header: Header,
    since: Duration,
    /// Whether nobody has asked since the last tick.
    is_idle: bool,
}

impl Reader {
    pub(super) fn new(conn: Connection) -> Self {
        Self { conn, version: -1, reads: 0, asked: Duration::ZERO, thread: None, held: None }
    }

    /// Counts the reads: whether this one is an `n`th.
    pub(super) fn is_every(&mut self, n: u32) -> bool {
        self.reads = self.reads.wrapping_add(1);
        self.reads.is_multiple_of(n)
    }

    /// To be called before each read: what it sees from now on is all that was committed until now. `header` is that of the
    /// index, where it can be seen, and where a transaction may be held.
    pub(super) fn look_anew(&mut self, header: impl FnOnce() -> Option<Header>, now: Duration) -> rusqlite::Result<()> {
        let is_asked_again = self.reads > 1 && now.saturating_sub(self.asked) < AGAIN;
        self.asked = now;
        let header = if is_asked_again { header() } else { None };
        if let Some(held) = &mut self.held {
            if header == Some(held.header) && now.saturating_sub(held.since) < HELD {
                held.is_idle = false;
                return Ok(());
            }
            self.end()?;
        }
        if let Some(header) = header {
            self.conn.prepare_cached("BEGIN")?.execute([])?;
            self.held = Some(Held { header, since: now, is_idle: false });
        }
        Ok(())
    }

    /// Ends the transaction that is kept open, if there is one.
    pub(super) fn end(&mut self) -> rusqlite::Result<()> {
        match self.held.take() {
            Some(_) => self.conn.prepare_cached("COMMIT")?.execute([]).map(drop),
            None => Ok(()),
        }
    }
}

/// Those that nobody is reading with.
#[derive(Debug)]
pub(super) struct Readers(Arc<Mutex<Idle>>);

#[derive(Debug)]
struct Idle {
    readers: Vec<Reader>,
    watch: Watch,
}

/// The thread that ends what is held and not used.
#[derive(Debug, PartialEq, Eq)]
enum Watch {
    None,
    /// It is there, and whether anything that is held was given back since its last tick.
    Kept {
        is_needed: bool,
    },
}

impl Readers {
    pub(super) fn new(first: Reader) -> Self {
        Self(Arc::new(Mutex::new(Idle { readers: vec![first], watch: Watch::None })))
    }

    /// The one this thread used last, else the one that was used last. What a connection has allocated lies in the heap of the
    /// thread that used it, and another one's would have to wait for it.
    pub(super) fn take(&self) -> Option<Reader> {
        let thread = Some(std::thread::current().id());
        let mut idle = lock(&self.0);
        let own = idle.readers.iter().rposition(|reader| reader.thread == thread);
        match own {
            Some(own) => Some(idle.readers.remove(own)),
            None => idle.readers.pop(),
        }
    }

    pub(super) fn give_back(&self, mut reader: Reader) {
        reader.thread = Some(std::thread::current().id());
        let mut idle = lock(&self.0);
        if idle.readers.len() >= IDLE {
            return;
        }
        if reader.held.is_some() {
            let is_watched = idle.watch != Watch::None || watch(&self.0);
            if is_watched {
                idle.watch = Watch::Kept { is_needed: true };
            } else if reader.end().is_err() {
                return;
            }
        }
        idle.readers.push(reader);
    }

    /// Closes them all.
    pub(super) fn clear(&self) {
        let readers = std::mem::take(&mut lock(&self.0).readers);
        drop(readers);
    }
}

impl Idle {
    /// Ends what was not used since the last tick. Whether the watch goes on.
    fn tick(&mut self) -> bool {
        self.readers.retain_mut(|reader| match &mut reader.held {
            Some(held) if !held.is_idle => {
                held.is_idle = true;
                true
            }
            _ => reader.end().is_ok(),
        });
        let goes_on = self.watch == Watch::Kept { is_needed: true };
        self.watch = if goes_on { Watch::Kept { is_needed: false } } else { Watch::None };
        goes_on
    }
}

/// Starts the thread that watches. `false` where the system gives none.
fn watch(idle: &Arc<Mutex<Idle>>) -> bool {
    let idle = Arc::downgrade(idle);
    let watch = move || {
        loop {
            // Not the session's clock: others really wait for what is held here.
            std::thread::sleep(TICK);
            let Some(idle) = idle.upgrade() else { return };
            if !lock(&idle).tick() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("inat-readers".to_owned()).spawn(watch).is_ok()
}

fn lock(idle: &Mutex<Idle>) -> MutexGuard<'_, Idle> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

// Elsewhere the index cannot be seen, and nothing is ever held.
#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::super::glance::Glance;
    use super::*;

    struct Shared {
        _dir: tempfile::TempDir,
        path: std::path::PathBuf,
        /// The index lives as long as somebody has the file open.
        _conn: Connection,
        glance: Glance,
    }

    fn shared() -> Shared {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cache.db");
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)").unwrap();
        let glance = Glance::default();
        glance.open(&path);
        Shared { _dir: dir, path, _conn: conn, glance }
    }

    impl Shared {
        fn connect(&self) -> Connection {
            let conn = Connection::open(&self.path).unwrap();
            conn.busy_timeout(Duration::ZERO).unwrap();
            conn
        }

        /// How many rows `reader` sees at a time.
        fn read(&self, reader: &mut Reader, now: Duration) -> i64 {
            reader.is_every(1024);
            reader.look_anew(|| self.glance.header(), now).unwrap();
            reader.conn.query_row("SELECT COUNT(*) FROM t", [], |row| row.get(0)).unwrap()
        }

        /// A reader that holds its transaction.
        fn held(&self) -> Reader {
            let mut reader = Reader::new(self.connect());
            self.read(&mut reader, Duration::ZERO);
            self.read(&mut reader, Duration::ZERO);
            reader
        }
    }

    fn is_held(reader: &Reader) -> bool {
        assert_eq!(reader.held.is_some(), !reader.conn.is_autocommit());
        reader.held.is_some()
    }

    /// Whether the log could be emptied, which nobody may be reading for.
    fn can_empty_the_log(conn: &Connection) -> bool {
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0)).unwrap() == 0
    }

    #[test]
    fn only_who_is_asked_again_at_once_holds_and_not_for_long() {
        let file = shared();
        let mut reader = Reader::new(file.connect());
        let (at, moment) = (Duration::from_secs(7), Duration::from_micros(10));
        for (now, holds) in [
            (at, false),
            (at + AGAIN, false),
            (at + AGAIN + moment, true),
            (at + AGAIN * 2, true),
            (at + AGAIN * 4, false),
        ] {
            file.read(&mut reader, now);
            assert_eq!(is_held(&reader), holds, "{now:?}");
        }
        let mut now = at * 2;
        file.read(&mut reader, now);
        file.read(&mut reader, now);
        let since = |reader: &Reader| reader.held.as_ref().unwrap().since;
        while now < at * 2 + HELD {
            assert_eq!(since(&reader), at * 2);
            now += AGAIN / 2;
            file.read(&mut reader, now);
        }
        assert_eq!(since(&reader), now);
    }

    #[test]
    fn what_anybody_commits_is_seen_by_the_next_read() {
        let file = shared();
        let (mut reader, other) = (file.held(), file.connect());
        for rows in 2..50 {
            assert!(is_held(&reader));
            other.execute_batch("INSERT INTO t VALUES (2)").unwrap();
            if rows % 10 == 0 {
                // The log starts again.
                reader.end().unwrap();
                assert!(can_empty_the_log(&other));
            }
            assert_eq!(file.read(&mut reader, Duration::ZERO), rows);
        }
    }

    #[test]
    fn where_the_index_cannot_be_seen_or_the_log_is_long_nothing_is_held() {
        let file = shared();
        let mut reader = file.held();
        for _ in 0..5 {
            reader.is_every(1024);
            reader.look_anew(|| None, Duration::ZERO).unwrap();
            assert!(!is_held(&reader));
        }
    }

    #[test]
    fn what_nobody_uses_is_ended_at_the_second_tick() {
        let file = shared();
        let mut idle = Idle { readers: vec![file.held(), file.held()], watch: Watch::Kept { is_needed: true } };
        assert!(idle.tick());
        file.read(&mut idle.readers[1], Duration::ZERO);
        let other = file.connect();
        assert!(!can_empty_the_log(&other));
        assert!(!idle.tick());
        assert_eq!(idle.readers.iter().map(is_held).collect::<Vec<_>>(), [false, true]);
        idle.tick();
        idle.tick();
        assert!(can_empty_the_log(&other));
        assert_eq!(idle.watch, Watch::None);
    }

    #[test]
    fn a_thread_sees_to_it() {
        let file = shared();
        let readers = Readers::new(file.held());
        let other = file.connect();
        // Should nobody see to it, this waits in vain.
        other.busy_timeout(Duration::from_secs(60)).unwrap();
        for _ in 0..3 {
            let mut reader = readers.take().unwrap();
            file.read(&mut reader, Duration::ZERO);
            assert!(is_held(&reader));
            readers.give_back(reader);
            assert!(can_empty_the_log(&other));
        }
    }

    #[test]
    fn a_thread_is_given_the_connection_it_used_last() {
        let file = shared();
        let readers = Readers::new(file.held());
        let own = readers.take().unwrap();
        let name = |reader: &Reader| reader.version;
        std::thread::scope(|scope| {
            let other = Reader { version: 2, ..Reader::new(file.connect()) };
            scope.spawn(|| readers.give_back(other)).join().unwrap();
        });
        readers.give_back(Reader { version: 1, ..own });
        std::thread::scope(|scope| {
            let other = Reader { version: 3, ..Reader::new(file.connect()) };
            scope.spawn(|| readers.give_back(other)).join().unwrap();
        });
        assert_eq!(name(&readers.take().unwrap()), 1);
        assert_eq!(name(&readers.take().unwrap()), 3, "then the last used");
        assert_eq!(name(&readers.take().unwrap()), 2);
        assert!(readers.take().is_none());
    }
}
