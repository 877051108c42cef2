//! What happens to a cache file in the world, and that the caller never pays for it with more than time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![cfg(unix)]

mod children;
mod store_support;

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use children::output;
use inat_session::store::{Config, SqliteStore, Store, StoreError, TieredStore};
use inat_session::{Clock, Timestamp};
use rusqlite::Connection;
use store_support::{NOW, hit, json, key, noise, numbered};
use tempfile::TempDir;
use tracing::{Event, Metadata, Subscriber, span};

fn config() -> Config {
    Config { busy_timeout: Duration::from_millis(50), ..Config::default() }
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.db");
    (folder, path)
}

/// A file with ten entries in it, closed.
fn filled(path: &Path) {
    let store = SqliteStore::at(path, config());
    for number in 0..10 {
        store.put(&key(number), &numbered(number), &noise(number, 5000), NOW).unwrap();
    }
    store.close();
}

fn works(store: &dyn Store) {
    store.put(&key(77), &numbered(77), &"works".into(), NOW).unwrap();
    assert_eq!(hit(store, &key(77), NOW).unwrap(), "works");
    assert!(store.lease(&key(77), 1, NOW, NOW.plus(Duration::from_secs(30))).unwrap());
}

fn set_aside(path: &Path) -> usize {
    let name = format!("{}.corrupt-", path.file_name().unwrap().to_str().unwrap());
    let files = fs::read_dir(path.parent().unwrap()).unwrap();
    let is_aside = |name_of: &str| name_of.strip_prefix(&name).is_some_and(|stamp| stamp.parse::<i64>().is_ok());
    files.filter(|file| is_aside(file.as_ref().unwrap().file_name().to_str().unwrap())).count()
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<usize>>);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }
    fn event(&self, _: &Event<'_>) {
        *self.0.lock().unwrap() += 1;
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// How many warnings `work` gives.
fn warnings(work: impl FnOnce()) -> usize {
    let counted = Warnings::default();
    tracing::subscriber::with_default(counted.clone(), work);
    *counted.0.lock().unwrap()
}

#[test]
fn nothing_is_opened_before_first_use_and_only_the_owner_can_read_it() {
    let (folder, _) = folder();
    let path = folder.path().join("new/deep/cache.db");
    let store = SqliteStore::at(&path, config());
    assert!(!folder.path().join("new").exists());
    store.put(&key(1), &numbered(1), &"x".into(), NOW).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let file = PathBuf::from(format!("{}{suffix}", path.display()));
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{suffix}");
    }
    for made in ["new", "new/deep"] {
        assert_eq!(folder.path().join(made).metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }
    store.close();
    let conn = Connection::open(&path).unwrap();
    let number = |pragma: &str| conn.query_row(pragma, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(number("PRAGMA page_size"), 4096);
    assert_eq!(number("PRAGMA auto_vacuum"), 2);
    assert_eq!(conn.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0)).unwrap(), "wal");
}

#[test]
fn entries_outlive_the_process_that_kept_them() {
    let (_folder, path) = folder();
    filled(&path);
    assert_eq!(
        warnings(|| assert_eq!(hit(&SqliteStore::at(&path, config()), &key(3), NOW).unwrap(), noise(3, 5000))),
        0
    );
}

#[test]
fn junk_is_set_aside_and_the_cache_begins_anew() {
    for junk in [b"this is not a database".repeat(300), vec![0; 40_000], b"SQLite format 3\0 and then junk".repeat(900)]
    {
        let (_folder, path) = folder();
        fs::write(&path, &junk).unwrap();
        let store = SqliteStore::at(&path, config());
        assert_eq!(warnings(|| works(&store)), 1);
        assert_eq!(set_aside(&path), 1);
        store.close();
        assert_eq!(hit(&SqliteStore::at(&path, config()), &key(77), NOW).unwrap(), "works");
    }
}

#[test]
fn an_empty_file_is_filled() {
    let (_folder, path) = folder();
    fs::write(&path, "").unwrap();
    works(&SqliteStore::at(&path, config()));
    assert_eq!(set_aside(&path), 0);
}

#[test]
fn only_the_last_files_set_aside_are_kept() {
    let (_folder, path) = folder();
    for _ in 0..5 {
        fs::write(&path, b"junk ".repeat(1000)).unwrap();
        works(&SqliteStore::at(&path, config()));
    }
    assert_eq!(set_aside(&path), 2);
}

#[test]
fn a_truncated_file_is_replaced() {
    let (_folder, path) = folder();
    filled(&path);
    let len = path.metadata().unwrap().len();
    for keep in [100, 5000, 16384, 40_000, len / 2, len - 1] {
        filled(&path);
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(keep).unwrap();
        let store = SqliteStore::at(&path, config());
        for number in 0..10 {
            if let Some(body) = hit(&store, &key(number), NOW) {
                assert_eq!(body, noise(number, 5000));
            }
        }
        works(&store);
    }
}

#[test]
fn a_file_cut_while_in_use_costs_entries_and_nothing_else() {
    let (_folder, path) = folder();
    filled(&path);
    let store = SqliteStore::at(&path, config());
    hit(&store, &key(1), NOW).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(20_000).unwrap();
    for number in 0..10 {
        assert!(hit(&store, &key(number), NOW).is_none_or(|body| body == noise(number, 5000)));
    }
    works(&store);
    works(&store);
}

#[test]
fn a_file_overwritten_while_in_use_costs_entries_and_nothing_else() {
    let (_folder, path) = folder();
    filled(&path);
    let store = TieredStore::new(SqliteStore::at(&path, config()), 1 << 20);
    hit(&store, &key(1), NOW).unwrap();
    let len = usize::try_from(path.metadata().unwrap().len()).unwrap();
    overwrite(&path, 0, &noise(1, len));
    for number in 0..10 {
        let body = store.variants(&key(number), NOW).ok().and_then(|found| store.body(found.first()?).unwrap());
        assert!(body.is_none_or(|body| body == noise(number, 5000)));
    }
    works(&store);
}

#[test]
fn no_flipped_byte_anywhere_is_ever_served() {
    let (_folder, path) = folder();
    filled(&path);
    let whole = fs::read(&path).unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    let (mut damaged, mut lost) = (0, 0);
    for _ in 0..150 {
        let mut bytes = whole.clone();
        let at = random.usize(..bytes.len());
        bytes[at] ^= 1 << random.u8(..8);
        fs::write(&path, &bytes).unwrap();
        let _ = fs::remove_file(format!("{}-wal", path.display()));
        let store = SqliteStore::at(&path, config());
        for number in 0..10 {
            match store.variants(&key(number), NOW).unwrap().first() {
                Some(found) => {
                    assert_eq!(*found.entry, numbered(number));
                    match store.body(found).unwrap() {
                        Some(body) => assert_eq!(body, noise(number, 5000)),
                        None => lost += 1,
                    }
                }
                None => lost += 1,
            }
        }
        damaged += usize::from(lost > 0);
        works(&store);
    }
    assert!(damaged > 0);
}

#[test]
fn a_damaged_row_is_a_miss_and_is_written_again() {
    for table in ["UPDATE body SET data = zeroblob(50)", "UPDATE body SET data = X''", "UPDATE body SET data = 'text'"]
        .into_iter()
        .chain(["UPDATE entry SET meta = zeroblob(300)", "UPDATE entry SET meta = X''", "UPDATE entry SET meta = 7"])
        .chain(["UPDATE entry SET meta = X'00' || substr(meta, 2)", "DELETE FROM body"])
    {
        let (_folder, path) = folder();
        filled(&path);
        Connection::open(&path).unwrap().execute(table, []).unwrap();
        let store = SqliteStore::at(&path, config());
        let given = warnings(|| {
            for number in 0..10 {
                let found = store.variants(&key(number), NOW).unwrap();
                assert!(found.first().is_none_or(|found| store.body(found).unwrap().is_none()), "{table}");
            }
        });
        assert!(given <= 1, "{table}: {given}");
        store.put(&key(3), &numbered(3), &"again".into(), NOW).unwrap();
        assert_eq!(hit(&store, &key(3), NOW).unwrap(), "again", "{table}");
        assert_eq!(store.stats().unwrap().entries, 10, "{table}: in its place");
        assert_eq!(set_aside(&path), 0);
    }
}

#[test]
fn missing_tables_are_made_again() {
    let (_folder, path) = folder();
    filled(&path);
    Connection::open(&path).unwrap().execute_batch("DROP TABLE body").unwrap();
    let store = SqliteStore::at(&path, config());
    assert!(hit(&store, &key(1), NOW).is_none());
    works(&store);
    assert_eq!(set_aside(&path), 1);
}

#[test]
fn the_database_of_another_program_is_left_alone() {
    let (_folder, path) = folder();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (42)").unwrap();
    let before = fs::read(&path).unwrap();
    let store = SqliteStore::at(&path, config());
    assert_eq!(warnings(|| works(&store)), 1);
    store.close();
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(set_aside(&path), 0);
}

#[test]
fn a_newer_format_is_left_alone_and_an_older_one_is_emptied() {
    let (_folder, path) = folder();
    filled(&path);
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 999").unwrap();
    let before = fs::read(&path).unwrap();
    let store = SqliteStore::at(&path, config());
    assert_eq!(warnings(|| works(&store)), 1);
    assert!(hit(&store, &key(1), NOW).is_none());
    store.close();
    assert_eq!(fs::read(&path).unwrap(), before);

    Connection::open(&path)
        .unwrap()
        .execute_batch("DROP TABLE entry; CREATE TABLE entry (old); PRAGMA user_version = 0")
        .unwrap();
    let store = SqliteStore::at(&path, config());
    assert_eq!(warnings(|| works(&store)), 0);
    store.close();
    assert_eq!(hit(&SqliteStore::at(&path, config()), &key(77), NOW).unwrap(), "works");
}

#[test]
fn waiting_for_a_lock_is_bounded_and_not_paid_at_every_call() {
    let (_folder, path) = folder();
    filled(&path);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let store = SqliteStore::at(&path, Config { busy_timeout: Duration::from_millis(300), ..config() });
    let given = warnings(|| {
        let started = Instant::now();
        for number in 0..100 {
            assert_eq!(hit(&store, &key(number % 10), NOW).unwrap(), noise(number % 10, 5000), "reading goes on");
            let refused = store.put(&key(99), &numbered(99), &"x".into(), NOW);
            assert!(matches!(refused, Err(StoreError::Locked(_))), "{refused:?}");
        }
        // A hundred waits of 300 ms would take 30 seconds; one is waited for in every 1.5 seconds.
        assert!(started.elapsed() < Duration::from_secs(10));
    });
    assert_eq!(given, 1);
    other.execute_batch("ROLLBACK").unwrap();
    works(&store);
}

/// Whoever comes next would take it for fresh.
#[test]
fn what_could_not_be_removed_is_before_the_store_is_closed() {
    let (_folder, path) = folder();
    filled(&path);
    let store = SqliteStore::at(&path, Config { busy_timeout: Duration::from_millis(200), ..config() });
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(store.invalidate(&["https://api.inaturalist.org/v1/taxa/1".to_owned()]).is_err());
    std::thread::scope(|scope| {
        let closing = scope.spawn(|| store.close());
        other.execute_batch("ROLLBACK").unwrap();
        closing.join().unwrap();
    });
    let next = SqliteStore::at(&path, config());
    assert!(hit(&next, &key(1), NOW).is_none() && hit(&next, &key(2), NOW).is_some());
    // It does not wait for ever.
    let store = SqliteStore::at(&path, Config { busy_timeout: Duration::from_millis(20), ..config() });
    let other = Connection::open(&path).unwrap();
    assert!(hit(&store, &key(2), NOW).is_some());
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(store.invalidate(&["https://api.inaturalist.org/v1/taxa/2".to_owned()]).is_err());
    store.close();
}

/// Whoever closes the store meanwhile waits until it is known what is owed.
#[test]
fn a_removal_that_fails_while_the_store_is_closed_is_made_up_for() {
    for _ in 0..20 {
        let (_folder, path) = folder();
        filled(&path);
        let store = SqliteStore::at(&path, Config { busy_timeout: Duration::from_millis(300), ..config() });
        assert!(hit(&store, &key(1), NOW).is_some());
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let tried = std::thread::scope(|scope| {
            let removing = scope.spawn(|| store.invalidate(&["https://api.inaturalist.org/v1/taxa/1".to_owned()]));
            let closing = scope.spawn(|| store.close());
            let tried = removing.join().unwrap();
            other.execute_batch("ROLLBACK").unwrap();
            closing.join().unwrap();
            tried
        });
        // It may have come too late.
        if !matches!(tried, Err(StoreError::Closed)) {
            assert!(hit(&SqliteStore::at(&path, config()), &key(1), NOW).is_none(), "{tried:?}");
            return;
        }
    }
    panic!("the store is always closed first");
}

#[test]
fn what_could_not_be_removed_under_a_lock_is_not_served_and_goes_later() {
    let (_folder, path) = folder();
    filled(&path);
    let store = TieredStore::new(SqliteStore::at(&path, config()), 1 << 20);
    let other = Connection::open(&path).unwrap();
    (0..10).for_each(|number| assert!(hit(&store, &key(number), NOW).is_some()));
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(store.invalidate(&["https://api.inaturalist.org/v1/taxa/1".to_owned()]).is_err());
    assert!(store.put(&key(2), &numbered(2), &"newer".into(), NOW).is_err());
    assert!(store.remove(&key(3), store.variants(&key(3), NOW).unwrap()[0].id).is_err());
    let left =
        |store: &dyn Store| (0..10).filter(|number| hit(store, &key(*number), NOW).is_some()).collect::<Vec<u64>>();
    assert_eq!(left(&store), [0, 4, 5, 6, 7, 8, 9]);
    other.execute_batch("ROLLBACK").unwrap();
    // A later answer for the same resource is not meant.
    let later = Clock::system().now().plus(Duration::from_secs(60));
    let mut asked_later = numbered(1);
    asked_later.policy.request_time = later;
    store.put(&key(1), &asked_later, &"later".into(), later).unwrap();
    assert_eq!(left(&store), [0, 1, 4, 5, 6, 7, 8, 9]);
    store.close();
    assert_eq!(left(&SqliteStore::at(&path, config())), [0, 1, 4, 5, 6, 7, 8, 9], "and it is gone from the file");
}

#[test]
fn a_file_locked_against_readers_too_is_a_bounded_error() {
    let (_folder, path) = folder();
    filled(&path);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; DELETE FROM entry").unwrap();
    let store = SqliteStore::at(&path, config());
    assert!(matches!(store.variants(&key(1), NOW), Err(StoreError::Locked(_))));
    assert!(matches!(store.put(&key(99), &numbered(99), &"x".into(), NOW), Err(StoreError::Locked(_))));
    drop(other);
    assert_eq!(hit(&store, &key(1), NOW).unwrap(), noise(1, 5000), "and is forgotten when it is over");
}

#[test]
fn a_file_that_cannot_be_made_means_memory() {
    let (folder, _) = folder();
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    for path in [file.join("cache.db"), PathBuf::from("/proc/nowhere/cache.db"), folder.path().to_owned()] {
        let store = TieredStore::new(SqliteStore::at(&path, config()), 1 << 20);
        assert_eq!(warnings(|| works(&store)), 1, "{}", path.display());
    }
}

#[test]
fn a_file_system_without_shared_memory_gets_a_rollback_journal() {
    let (_folder, path) = folder();
    let without = || Config { vfs: Some("unix-dotfile".to_owned()), ..config() };
    let store = TieredStore::new(SqliteStore::at(&path, without()), 1 << 20);
    assert_eq!(warnings(|| works(&store)), 0);
    assert!(!path.with_file_name("cache.db-wal").exists());
    // Another program replaces an entry, and the tier notices.
    let other = SqliteStore::at(&path, without());
    other.put(&key(77), &numbered(77), &"changed".into(), NOW).unwrap();
    assert_eq!(hit(&store, &key(77), NOW).unwrap(), "changed");
}

#[test]
fn shared_memory_that_cannot_be_had_means_memory_for_us() {
    let (_folder, path) = folder();
    filled(&path);
    let _ = fs::remove_file(path.with_file_name("cache.db-shm"));
    fs::create_dir(path.with_file_name("cache.db-shm")).unwrap();
    let store = SqliteStore::at(&path, config());
    assert_eq!(warnings(|| works(&store)), 1);
    assert_eq!(set_aside(&path), 0, "the file is not at fault");
}

#[test]
fn a_file_deleted_while_in_use_is_made_again() {
    let (_folder, path) = folder();
    filled(&path);
    let store = TieredStore::new(SqliteStore::at(&path, config()), 1 << 20);
    hit(&store, &key(1), NOW).unwrap();
    fs::remove_file(&path).unwrap();
    works(&store);
    assert!(hit(&store, &key(1), NOW).is_none(), "what was deleted is gone from the tier too");
    store.close();
    assert_eq!(hit(&SqliteStore::at(&path, config()), &key(77), NOW).unwrap(), "works");
}

/// Nobody writes to it any more, so it would say for ever that nothing has changed.
#[cfg(target_os = "linux")]
#[test]
fn an_index_of_the_log_that_is_no_more_is_noticed_by_reading_alone() {
    let (_folder, path) = folder();
    filled(&path);
    let store = SqliteStore::at(&path, config());
    works(&store);
    let index = path.with_file_name("cache.db-shm");
    fs::remove_file(&index).unwrap();
    for _ in 0..3000 {
        assert!(hit(&store, &key(1), NOW).is_some());
    }
    assert!(index.exists());
    works(&store);
}

#[test]
fn a_file_replaced_while_in_use_is_found_by_reading_alone() {
    let (folder, path) = folder();
    filled(&path);
    let store = SqliteStore::at(&path, config());
    hit(&store, &key(1), NOW).unwrap();
    let other = folder.path().join("other.db");
    works(&SqliteStore::at(&other, config()));
    fs::rename(&other, &path).unwrap();
    let found = (0..5000).find_map(|_| hit(&store, &key(77), NOW));
    assert_eq!(found.unwrap(), "works");
}

#[test]
fn a_read_only_store_reads_and_refuses_to_write() {
    let (_folder, path) = folder();
    let read_only = || Config { read_only: true, ..config() };
    let store = SqliteStore::at(&path, read_only());
    assert!(store.variants(&key(1), NOW).unwrap().is_empty());
    assert!(!path.exists());
    filled(&path);
    let store = SqliteStore::at(&path, read_only());
    assert_eq!(hit(&store, &key(1), NOW.plus(Duration::from_secs(600))).unwrap(), noise(1, 5000));
    assert!(matches!(store.put(&key(1), &numbered(1), &"x".into(), NOW), Err(StoreError::ReadOnly)));
    assert!(matches!(store.clear(None), Err(StoreError::ReadOnly)));
    store.close();
}

#[test]
fn a_clock_that_was_far_ahead_or_is_set_back_loses_nothing_and_blocks_nothing() {
    let (_folder, path) = folder();
    let year = Duration::from_secs(31_536_000);
    let store = SqliteStore::at(&path, Config { max_bytes: 2 << 20, ..config() });
    for number in 0..10 {
        store.put(&key(number), &numbered(number), &noise(number, 50_000), NOW.plus(100 * year)).unwrap();
    }
    let mut now = NOW;
    for number in 100..200 {
        now = now.plus(Duration::from_secs(60));
        store.put(&key(number), &numbered(number), &noise(number, 50_000), now).unwrap();
        assert!(hit(&store, &key(number), now).is_some());
        assert!(hit(&store, &key(100), now).is_some(), "in use");
    }
    assert!((0..10).all(|number| hit(&store, &key(number), now).is_none()), "they do not stay for a hundred years");
    for odd in [Timestamp::MAX, Timestamp::EPOCH, Timestamp::from_micros(i64::MIN)] {
        assert!(hit(&store, &key(100), odd).is_some());
        store.put(&key(1), &numbered(1), &json(1, 3000), odd).unwrap();
        assert!(store.lease(&key(1), 1, odd, odd).is_ok());
        store.list(None, 10).unwrap();
        store.prune(Timestamp::from_micros(i64::MIN)).unwrap();
    }
}

#[test]
fn the_file_shrinks_when_it_is_cleared() {
    let (_folder, path) = folder();
    let store = SqliteStore::at(&path, config());
    for number in 0..100 {
        store.put(&key(number), &numbered(number), &noise(number, 100_000), NOW).unwrap();
    }
    store.clear(None).unwrap();
    store.close();
    assert!(path.metadata().unwrap().len() < 1 << 20);
}

#[test]
fn uses_are_remembered_across_a_restart() {
    let (_folder, path) = folder();
    filled(&path);
    let store = SqliteStore::at(&path, Config { clock: Clock::manual(), ..config() });
    hit(&store, &key(3), NOW.plus(Duration::from_secs(600))).unwrap();
    drop(store);
    let listed = SqliteStore::at(&path, config()).list(None, 1).unwrap();
    assert_eq!(listed[0].key, key(3));
}

/// As a user without rights to the folder; the tests may run as root, whom no mode stops.
/// When entries were last used is written in passing: whoever reads never waits for somebody else's write because of it.
#[test]
fn uses_wait_for_nobody() {
    let (_folder, path) = folder();
    filled(&path);
    let patient = Config { busy_timeout: Duration::from_secs(30), ..Config::default() };
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let started = Instant::now();
    let store = SqliteStore::at(&path, patient);
    let later = NOW.plus(Duration::from_secs(600));
    assert_eq!(hit(&store, &key(3), later).unwrap(), noise(3, 5000));
    assert_eq!(store.list(None, 100).unwrap().len(), 10);
    store.close();
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

#[test]
fn a_read_only_folder_gives_right_answers() {
    const CHILD: &str = "STORE_TEST_READ_ONLY_FOLDER";
    if let Ok(path) = std::env::var(CHILD) {
        let store = SqliteStore::at(&path, config());
        assert_eq!(warnings(|| works(&store)), 1);
        store.put(&key(1), &numbered(1), &"changed".into(), NOW).unwrap();
        assert_eq!(hit(&store, &key(1), NOW).unwrap(), "changed");
        assert_eq!(store.invalidate(&["https://api.inaturalist.org/v1/taxa/1".to_owned()]).unwrap(), 1);
        assert!(hit(&store, &key(1), NOW).is_none());
        return;
    }
    let (folder, path) = folder();
    filled(&path);
    let mut before = Vec::new();
    fs::File::open(&path).unwrap().read_to_end(&mut before).unwrap();
    let copy = folder.path().join("test-program");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let _ = fs::remove_file(path.with_file_name("cache.db-lock"));
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let mut child = Command::new(&copy);
    child.args(["--exact", "a_read_only_folder_gives_right_answers", "--nocapture"]).env(CHILD, &path);
    if folder.path().metadata().unwrap().uid() == 0 {
        std::os::unix::process::CommandExt::uid(&mut child, 65534);
    }
    let output = output(&mut child);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// A limit on file sizes fails writes as a full disk does, in a child process, where it stops nobody else.
#[test]
fn a_full_disk_costs_the_entry_and_nothing_else() {
    const CHILD: &str = "STORE_TEST_FULL_DISK";
    if let Ok(path) = std::env::var(CHILD) {
        let store = TieredStore::new(SqliteStore::at(&path, config()), 1 << 20);
        let given = warnings(|| {
            let kept = (100..160)
                .filter(|number| store.put(&key(*number), &numbered(*number), &noise(*number, 100_000), NOW).is_ok());
            let kept: Vec<u64> = kept.collect();
            assert!(kept.len() < 60, "the disk was full");
            for number in (0..10).chain(kept) {
                let len = if number < 100 { 5000 } else { 100_000 };
                assert!(hit(&store, &key(number), NOW).is_none_or(|body| body == noise(number, len)), "{number}");
            }
            assert!((0..10).any(|number| hit(&store, &key(number), NOW).is_some()), "what was kept stays");
        });
        assert_eq!(given, 1);
        return;
    }
    let (_folder, path) = folder();
    filled(&path);
    let program = std::env::current_exe().unwrap();
    let limited = "trap '' XFSZ; ulimit -f 1500; exec \"$0\" --exact a_full_disk_costs_the_entry_and_nothing_else";
    let output = output(Command::new("sh").args(["-c", limited]).arg(program).env(CHILD, &path));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    let store = SqliteStore::at(&path, config());
    assert_eq!(hit(&store, &key(3), NOW).unwrap(), noise(3, 5000));
    works(&store);
}
