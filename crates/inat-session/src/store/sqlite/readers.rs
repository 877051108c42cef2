//! The connections that read, and what they still see between two reads.
//!
//! For every read SQLite takes a lock and gives it back: two system calls under a mutex that all threads share and queue for. A
//! connection that is asked again and again keeps its transaction open in between, and with it the lock, as long as the index says
//! that nothing was committed since.
//!
//! While a transaction is open, the log can be written back only as far as that transaction sees, and not started again: it
//! would grow for ever where some read all the time and others write. So none is held while somebody waits for that
//! ([`Log::is_waited_for`]), none goes on that is older than [`HELD`], and where nobody reads any more, a thread ends it. Only a
//! process that is stopped while it reads keeps the log growing until it goes on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use super::glance::Log;
use super::thread;
use crate::Clock;

/// Reading connections kept for the next reader.
const IDLE: usize = 16;
/// A connection that is asked so often, each time within so long of the last, is being asked again and again.
const TIMES: u32 = 8;
const AGAIN: Duration = Duration::from_millis(1);
/// Who is asked goes on with a transaction that is at most so old.
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
    /// When it was asked last, and how often in a row.
    asked: Duration,
    in_a_row: u32,
    /// Who asked it last.
    thread: Option<usize>,
    held: Option<Held>,
}

/// A transaction that is open between reads.
#[derive(Debug)]
struct Held {
    /// What the index said before it began: what is committed or written back later changes that.
    log: Log,
    since: Duration,
    /// Whether nobody has asked since the last tick.
    is_idle: bool,
}

impl Reader {
    pub(super) fn new(conn: Connection) -> Self {
        Self { conn, version: -1, reads: 0, asked: Duration::ZERO, in_a_row: 0, thread: None, held: None }
    }

    /// Counts the reads: whether this one is an `n`th.
    pub(super) fn is_every(&mut self, n: u32) -> bool {
        self.reads = self.reads.wrapping_add(1);
        self.reads.is_multiple_of(n)
    }

    /// To be called before each read: what it sees from now on is all that was committed until now. `log` is what the index says,
    /// where it can be seen and a transaction may be held.
    pub(super) fn look_anew(&mut self, log: impl FnOnce() -> Option<Log>, now: Duration) -> rusqlite::Result<()> {
        let is_soon = now.saturating_sub(self.asked) < AGAIN;
        self.in_a_row = if is_soon { self.in_a_row.saturating_add(1) } else { 1 };
        self.asked = now;
        let log = if self.in_a_row > TIMES { log() } else { None };
        if let Some(held) = &mut self.held {
            if log == Some(held.log) && now.saturating_sub(held.since) < HELD {
                held.is_idle = false;
                return Ok(());
            }
            self.end()?;
        }
        if let Some(log) = log {
            self.conn.prepare_cached("BEGIN")?.execute([])?;
            self.held = Some(Held { log, since: now, is_idle: false });
        }
        Ok(())
    }

    /// Ends the transaction that is kept open, if there is one. SQLite itself ends it when it cannot read.
    pub(super) fn end(&mut self) -> rusqlite::Result<()> {
        match self.held.take() {
            Some(_) if !self.conn.is_autocommit() => self.conn.prepare_cached("COMMIT")?.execute([]).map(drop),
            _ => Ok(()),
        }
    }
}

/// Those that nobody is reading with.
#[derive(Clone, Debug)]
pub(super) struct Readers(Arc<Mutex<Idle>>);

#[derive(Debug)]
struct Idle {
    readers: Vec<Reader>,
    /// Where a thread ends what is held and not used: whether it was given any since its last tick.
    watch: Option<bool>,
}

impl Readers {
    pub(super) fn new(first: Reader) -> Self {
        Self(Arc::new(Mutex::new(Idle { readers: vec![first], watch: None })))
    }

    /// The one this thread used last, else the one that was used last. What a connection has allocated lies in the heap of the
    /// thread that used it, and another one's would have to wait for it.
    pub(super) fn take(&self) -> Option<Reader> {
        let thread = Some(thread::number());
        let mut idle = lock(&self.0);
        let own = idle.readers.iter().rposition(|reader| reader.thread == thread);
        match own {
            Some(own) => Some(idle.readers.remove(own)),
            None => idle.readers.pop(),
        }
    }

    pub(super) fn give_back(&self, mut reader: Reader) {
        reader.thread = Some(thread::number());
        let mut idle = lock(&self.0);
        if idle.readers.len() >= IDLE {
            return;
        }
        if reader.held.is_some() {
            if idle.watch.is_some() || watch(&self.0) {
                idle.watch = Some(true);
            } else if reader.end().is_err() {
                return;
            } else {
                reader.in_a_row = 0;
            }
        }
        idle.readers.push(reader);
    }

    /// Ends what is held and not being used: somebody waits for it.
    pub(super) fn let_go(&self) {
        lock(&self.0).readers.retain_mut(|reader| reader.end().is_ok());
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
        let goes_on = self.watch == Some(true);
        self.watch = goes_on.then_some(false);
        goes_on
    }
}

/// Starts the thread that watches. `false` where the system gives none.
fn watch(idle: &Arc<Mutex<Idle>>) -> bool {
    let idle = Arc::downgrade(idle);
    let tick = move || {
        // Not the session's clock: others really wait for what is held here.
        Clock::system().pause(TICK);
        idle.upgrade().is_some_and(|idle| lock(&idle).tick())
    };
    std::thread::Builder::new().name("inat-readers".to_owned()).spawn(move || while tick() {}).is_ok()
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
        glance.open(&conn, &path);
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
            let log = || self.glance.log().filter(|log| !log.is_waited_for());
            reader.look_anew(log, now).unwrap();
            reader.conn.query_row("SELECT COUNT(*) FROM t", [], |row| row.get(0)).unwrap()
        }

        /// A reader that holds its transaction.
        fn held(&self) -> Reader {
            let mut reader = Reader::new(self.connect());
            self.hold(&mut reader);
            reader
        }

        fn hold(&self, reader: &mut Reader) {
            for _ in 0..=TIMES {
                self.read(reader, Duration::ZERO);
            }
            assert!(is_held(reader));
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
    fn only_who_is_asked_again_and_again_holds_and_not_for_long() {
        let file = shared();
        let mut reader = Reader::new(file.connect());
        let (at, soon) = (Duration::from_secs(7), AGAIN / 2);
        for time in 0..100 {
            file.read(&mut reader, at + AGAIN * time);
            assert!(!is_held(&reader));
        }
        let mut now = at * 2;
        for time in 1..TIMES + 4 {
            file.read(&mut reader, now);
            assert_eq!(is_held(&reader), time > TIMES, "{time}");
            now += soon;
        }
        let since = |reader: &Reader| reader.held.as_ref().unwrap().since;
        let begun = since(&reader);
        while now < begun + HELD {
            file.read(&mut reader, now);
            assert_eq!(since(&reader), begun);
            now += soon;
        }
        file.read(&mut reader, now);
        assert_eq!(since(&reader), now);
        file.read(&mut reader, now + AGAIN);
        assert!(!is_held(&reader));
    }

    #[test]
    fn what_anybody_commits_is_seen_by_the_next_read() {
        let file = shared();
        let (mut reader, other) = (file.held(), file.connect());
        for rows in 2..50 {
            other.execute_batch("INSERT INTO t VALUES (2)").unwrap();
            if rows % 7 == 0 {
                // Nobody may be reading in the log, and then it starts again.
                reader.end().unwrap();
                assert!(can_empty_the_log(&other));
            }
            assert_eq!(file.read(&mut reader, Duration::ZERO), rows);
            if rows % 5 == 0 {
                // Who begins after this reads past the log, which may start again under him.
                other.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).unwrap();
                assert_eq!(file.read(&mut reader, Duration::ZERO), rows);
            }
            assert!(is_held(&reader));
        }
    }

    #[test]
    fn nothing_is_held_while_somebody_waits_for_it() {
        let file = shared();
        let (mut reader, other) = (file.held(), file.connect());
        other.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        assert!(!can_empty_the_log(&other));
        file.read(&mut reader, Duration::ZERO);
        assert!(!is_held(&reader));
        assert!(can_empty_the_log(&other));
        file.read(&mut reader, Duration::ZERO);
        assert!(is_held(&reader));
    }

    #[test]
    fn where_the_index_cannot_be_seen_nothing_is_held() {
        let file = shared();
        let mut reader = file.held();
        for _ in 0..5 {
            reader.look_anew(|| None, Duration::ZERO).unwrap();
            assert!(!is_held(&reader));
        }
    }

    #[test]
    fn a_transaction_that_failed_is_over() {
        let file = shared();
        let mut reader = file.held();
        // As SQLite does where it cannot read.
        reader.conn.execute_batch("ROLLBACK").unwrap();
        reader.end().unwrap();
        file.hold(&mut reader);
    }

    #[test]
    fn what_nobody_uses_is_ended_at_the_second_tick() {
        let file = shared();
        let readers = Readers::new(Reader::new(file.connect()));
        // No thread but this one.
        lock(&readers.0).watch = Some(false);
        let tick = || lock(&readers.0).tick();
        readers.give_back(file.held());
        readers.give_back(file.held());
        assert!(tick());
        let mut used = readers.take().unwrap();
        file.read(&mut used, Duration::ZERO);
        readers.give_back(used);
        let held = || lock(&readers.0).readers.iter().filter(|reader| is_held(reader)).count();
        assert_eq!(held(), 2);
        assert!(tick());
        assert_eq!(held(), 1);
        assert!(!tick());
        assert_eq!(held(), 0);
        assert_eq!(lock(&readers.0).watch, None);
    }

    #[test]
    fn a_thread_sees_to_it_each_time() {
        let file = shared();
        let readers = Readers::new(file.held());
        let other = file.connect();
        // Should nobody see to it, this waits in vain.
        other.busy_timeout(Duration::from_secs(60)).unwrap();
        for _ in 0..3 {
            let mut reader = readers.take().unwrap();
            other.execute_batch("INSERT INTO t VALUES (2)").unwrap();
            file.hold(&mut reader);
            readers.give_back(reader);
            assert!(can_empty_the_log(&other));
        }
    }

    #[test]
    fn they_let_go_where_somebody_waits() {
        let file = shared();
        let other = file.connect();
        let readers = Readers::new(file.held());
        other.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        readers.let_go();
        assert!(can_empty_the_log(&other));
        assert!(readers.take().is_some());
    }

    #[test]
    fn what_there_is_no_room_for_is_ended() {
        let file = shared();
        let readers = Readers::new(file.held());
        (0..IDLE).for_each(|_| readers.give_back(file.held()));
        readers.let_go();
        let other = file.connect();
        other.execute_batch("INSERT INTO t VALUES (2)").unwrap();
        assert!(can_empty_the_log(&other));
        assert_eq!(lock(&readers.0).readers.len(), IDLE);
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
