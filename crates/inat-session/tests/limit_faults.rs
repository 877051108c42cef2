//! What the ledger does when its file is locked, damaged, deleted, somebody else's, or cannot be written.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use inat_session::Clock;
use inat_session::limit::{
    Ask, Confirmed, Ledger, LedgerError, Limiter, Limits, Patience, Refusal, Reserved, Slot, SqliteLedger, Wait, Window,
};
use rusqlite::Connection;
use url::Url;

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ratelimit.db");
    (folder, file)
}

fn windows() -> Vec<Window> {
    Limits::default().windows(false)
}

fn reserve(ledger: &SqliteLedger) -> Slot {
    let windows = windows();
    match ledger.reserve(&Ask::new("b", &windows)).unwrap() {
        Reserved::Slot(slot) => slot,
        other => panic!("{other:?}"),
    }
}

fn fails(ledger: &SqliteLedger) -> LedgerError {
    ledger.reserve(&Ask::new("b", &windows())).unwrap_err()
}

#[test]
fn locked_by_another_program() {
    let (_folder, file) = folder();
    let clock = Clock::manual();
    let ledger = SqliteLedger::at(&file, clock.clone());
    reserve(&ledger);
    let other = Connection::open(&file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let before = clock.monotonic();
    assert!(matches!(fails(&ledger), LedgerError::Locked { .. }));
    let waited = clock.monotonic().saturating_sub(before);
    assert!(waited >= Duration::from_secs(5) && waited < Duration::from_secs(6), "{waited:?}");
    let busy = ledger.reserve(&Ask { at_once: true, ..Ask::new("b", &windows()) });
    assert_eq!(busy, Err(LedgerError::Busy));
    // Looking needs no lock.
    assert!(ledger.account(&Ask::new("b", &windows())).is_ok());
    other.execute_batch("ROLLBACK").unwrap();
    reserve(&ledger);
}

/// Each of them may wait that long, but not one after the other.
#[tokio::test]
async fn a_queue_at_a_locked_budget_waits_once() {
    let (_folder, file) = folder();
    let clock = Clock::manual();
    let ledger = Arc::new(SqliteLedger::at(&file, clock.clone()));
    let limiter = Limiter::new(Limits { per_hour: 100.0, ..Limits::unlimited() }, ledger, clock.clone());
    let url = Url::parse("https://api.inaturalist.org/v1/taxa").unwrap();
    let quiet = |_: &Wait| {};
    let acquire = || limiter.acquire(&url, Patience::default(), &quiet);
    let _ = acquire().await.unwrap();
    let other = Connection::open(&file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let before = clock.monotonic();
    for permit in futures_util::future::join_all((0..20).map(|_| acquire())).await {
        assert!(matches!(permit, Err(Refusal::Ledger(LedgerError::Locked { .. }))), "{permit:?}");
    }
    let waited = clock.monotonic().saturating_sub(before);
    assert!(waited >= Duration::from_secs(5) && waited < Duration::from_secs(11), "{waited:?}");
    other.execute_batch("ROLLBACK").unwrap();
    let _ = acquire().await.unwrap();
}

#[test]
fn a_damaged_file_is_set_aside_and_windows_count_as_full() {
    let text = b"this is a shopping list and no database. ".repeat(200);
    for junk in [text.clone(), text[..10].to_vec(), [b"SQLite format 3\0".to_vec(), text].concat()] {
        let (_folder, file) = folder();
        fs::write(&file, &junk).unwrap();
        let clock = Clock::manual();
        let ledger = SqliteLedger::at(&file, clock.clone());
        let slot = reserve(&ledger);
        // A minute is the longest of the windows that are waited out.
        assert!(slot.wait >= Duration::from_secs(60) && slot.wait < Duration::from_secs(61), "{slot:?}");
        assert_eq!(fs::read(file.with_extension("db.damaged")).unwrap(), junk);
        clock.advance(slot.wait);
        assert_eq!(reserve(&ledger).wait, Duration::ZERO);
    }
}

#[test]
fn damage_while_in_use() {
    let (_folder, file) = folder();
    let clock = Clock::manual();
    let ledger = SqliteLedger::at(&file, clock.clone());
    for _ in 0..3 {
        reserve(&ledger);
    }
    // The table of slots goes missing: a new file, and every window counts as full.
    Connection::open(&file).unwrap().execute_batch("DROP TABLE slot").unwrap();
    assert!(reserve(&ledger).wait >= Duration::from_secs(60));
    // A column too.
    Connection::open(&file).unwrap().execute_batch("ALTER TABLE bucket RENAME COLUMN pace TO pice").unwrap();
    clock.advance(Duration::from_secs(600));
    assert!(reserve(&ledger).wait >= Duration::from_secs(60));
    // A row of time too.
    Connection::open(&file).unwrap().execute_batch("DELETE FROM time").unwrap();
    clock.advance(Duration::from_secs(600));
    assert!(reserve(&ledger).wait >= Duration::from_secs(60));
}

/// Who only looks is told what who asks would be told, and makes no file.
#[tokio::test]
async fn a_file_that_was_lost_is_seen_by_those_who_look() {
    let (_folder, file) = folder();
    let clock = Clock::manual();
    let limiter = || {
        let limits = Limits { per_minute: 5.0, per_day: 100.0, ..Limits::unlimited() };
        Limiter::new(limits, Arc::new(SqliteLedger::at(&file, clock.clone())), clock.clone())
    };
    let url = Url::parse("https://api.inaturalist.org/v1/taxa").unwrap();
    assert_eq!(limiter().forecast(&url).unwrap(), Duration::ZERO);
    let first = limiter();
    let _ = first.acquire(&url, Patience::default(), &|_: &Wait| {}).await.unwrap();
    first.close();
    fs::remove_file(&file).unwrap();
    let wait = limiter().forecast(&url).unwrap();
    assert!(wait >= Duration::from_secs(60) && !file.exists(), "{wait:?}");
    // Made anew by one who would not wait.
    let hasty = Patience { max_delay: Some(Duration::ZERO), until: None };
    assert!(limiter().acquire(&url, hasty, &|_: &Wait| {}).await.is_err());
    assert!(limiter().forecast(&url).unwrap() >= Duration::from_secs(59));
}

#[test]
fn every_damaged_file_is_kept() {
    let (_folder, file) = folder();
    for number in 1..=3 {
        fs::write(&file, format!("notes, part {number}").repeat(50)).unwrap();
        reserve(&SqliteLedger::at(&file, Clock::manual()));
    }
    for (number, name) in [(1, "db.damaged"), (2, "db.damaged-2"), (3, "db.damaged-3")] {
        assert!(fs::read_to_string(file.with_extension(name)).unwrap().starts_with(&format!("notes, part {number}")));
    }
}

/// It knows nothing of what was sent under the name it bears now.
#[test]
fn another_ledger_in_its_place_counts_as_full() {
    let ((_folder, file), (_other, elsewhere)) = (folder(), folder());
    let clock = Clock::manual();
    for path in [&file, &elsewhere] {
        let ledger = SqliteLedger::at(path, clock.clone());
        assert_eq!(reserve(&ledger).wait, Duration::ZERO);
        ledger.close();
    }
    fs::copy(&elsewhere, &file).unwrap();
    let slot = reserve(&SqliteLedger::at(&file, clock.clone()));
    assert!(slot.wait >= Duration::from_secs(60), "{slot:?}");
    // From now on it is the one that is known.
    clock.advance(Duration::from_secs(600));
    assert_eq!(reserve(&SqliteLedger::at(&file, clock.clone())).wait, Duration::ZERO);
    // One that was only moved away and back is known as well.
    assert_eq!(reserve(&SqliteLedger::at(&elsewhere, clock)).wait, Duration::ZERO);
}

#[test]
fn a_damaged_file_is_set_aside_by_one_process_only() {
    let (_folder, file) = folder();
    let clock = Clock::manual();
    let open = || SqliteLedger::at(&file, clock.clone());
    let (first, second) = (open(), open());
    reserve(&first);
    reserve(&second);
    Connection::open(&file).unwrap().execute_batch("DROP TABLE slot").unwrap();
    // So soon after its last look the second does not yet know that the file is another one.
    clock.advance(Duration::from_micros(10));
    let begun = reserve(&first);
    let joined = reserve(&second);
    assert!(begun.wait >= Duration::from_secs(60) && joined.wait >= Duration::from_secs(60));
    assert_eq!([begun.seq, joined.seq, reserve(&first).seq], [0, 1, 2]);
}

#[test]
fn slots_outlive_a_place_that_cannot_be_written_for_a_while() {
    let (_folder, file) = folder();
    let ledger = SqliteLedger::at(&file, Clock::manual());
    for _ in 0..5 {
        assert_eq!(reserve(&ledger).wait, Duration::ZERO);
    }
    for side in ["", "-wal", "-shm"] {
        fs::remove_file(format!("{}{side}", file.display())).unwrap();
    }
    fs::create_dir(&file).unwrap();
    assert!(matches!(fails(&ledger), LedgerError::Io { .. }));
    fs::remove_dir(&file).unwrap();
    assert!(reserve(&ledger).wait >= Duration::from_secs(5));
}

#[test]
fn deleted_while_in_use() {
    let (_folder, file) = folder();
    let clock = Clock::manual();
    let open = || SqliteLedger::at(&file, clock.clone());
    let (first, second) = (open(), open());
    for _ in 0..2 {
        assert_eq!(reserve(&first).wait, Duration::ZERO);
        assert_eq!(reserve(&second).wait, Duration::ZERO);
    }
    for side in ["", "-wal", "-shm"] {
        fs::remove_file(format!("{}{side}", file.display())).unwrap();
    }
    // Four of five are used, whoever asks, and in whatever order they notice.
    assert_eq!(reserve(&second).wait, Duration::ZERO);
    assert!(reserve(&first).wait >= Duration::from_secs(5));
    assert!(reserve(&open()).wait >= Duration::from_secs(5));
    let account = first.account(&Ask::new("b", &windows())).unwrap();
    assert_eq!((account.used, account.reserved), (vec![5, 5, 5], 2));
}

#[test]
fn deleted_with_its_folder() {
    let (folder, _) = folder();
    let file = folder.path().join("deep/down/ratelimit.db");
    let ledger = SqliteLedger::at(&file, Clock::manual());
    for _ in 0..5 {
        reserve(&ledger);
    }
    fs::remove_dir_all(folder.path().join("deep")).unwrap();
    assert!(reserve(&ledger).wait >= Duration::from_secs(5));
    assert!(file.exists());
}

fn remove(file: &Path, sides: &[&str]) {
    for side in sides {
        fs::remove_file(format!("{}{side}", file.display())).unwrap();
    }
}

/// Who comes first after the file was deleted may know nothing of it, and must not begin a budget of its own.
#[test]
fn deleted_while_in_use_and_noticed_by_a_newcomer() {
    let (_folder, file) = folder();
    let clock = Clock::manual();
    let ledger = SqliteLedger::at(&file, clock.clone());
    for _ in 0..5 {
        reserve(&ledger);
    }
    remove(&file, &["", "-wal", "-shm"]);
    let newcomer = reserve(&SqliteLedger::at(&file, clock.clone()));
    assert!(newcomer.wait >= Duration::from_secs(60), "{newcomer:?}");
    assert!(reserve(&ledger).wait >= Duration::from_secs(60));
    // Nobody had it open.
    ledger.close();
    remove(&file, &[""]);
    assert!(reserve(&SqliteLedger::at(&file, clock.clone())).wait >= Duration::from_secs(60));
    // Without the lock file too it is a new beginning.
    remove(&file, &["", ".lock"]);
    assert_eq!(reserve(&SqliteLedger::at(&file, clock)).wait, Duration::ZERO);
}

/// What is left beside a deleted file belongs to nothing.
#[test]
fn deleted_but_for_its_log() {
    let (_folder, file) = folder();
    let clock = Clock::manual();
    let ledger = SqliteLedger::at(&file, clock.clone());
    reserve(&ledger);
    remove(&file, &[""]);
    assert!(reserve(&SqliteLedger::at(&file, clock.clone())).wait >= Duration::from_secs(60));
    assert!(reserve(&ledger).wait >= Duration::from_secs(60));
    // An empty file in its place, while its log is in use.
    fs::write(file.with_extension("empty"), "").unwrap();
    fs::rename(file.with_extension("empty"), &file).unwrap();
    clock.advance(Duration::from_secs(600));
    assert!(reserve(&SqliteLedger::at(&file, clock.clone())).wait >= Duration::from_secs(60));
    assert!(reserve(&ledger).wait >= Duration::from_secs(60));
    assert_eq!(SqliteLedger::at(&file, clock).account(&Ask::new("b", &windows())).unwrap().reserved, 2);
}

/// The file alone does not have the slots that are in its log.
#[test]
fn its_log_is_deleted_while_in_use() {
    for sides in [&["-wal", "-shm"][..], &["-wal"], &["-shm"]] {
        let (_folder, file) = folder();
        let clock = Clock::manual();
        let ledger = SqliteLedger::at(&file, clock.clone());
        let slot = reserve(&ledger);
        remove(&file, sides);
        clock.advance(Duration::from_millis(2));
        // Whose slot it was is told to take another, not that something failed.
        assert_eq!(ledger.confirm(&Ask::new("b", &windows()), &slot), Ok(Confirmed::Gone), "{sides:?}");
        assert!(reserve(&ledger).wait >= Duration::from_secs(60), "{sides:?}");
        assert!(reserve(&SqliteLedger::at(&file, clock)).wait >= Duration::from_secs(60), "{sides:?}");
    }
}

#[test]
fn replaced_by_junk_while_in_use() {
    let (_folder, file) = folder();
    let ledger = SqliteLedger::at(&file, Clock::manual());
    reserve(&ledger);
    fs::write(file.with_extension("junk"), b"no database. ".repeat(500)).unwrap();
    fs::rename(file.with_extension("junk"), &file).unwrap();
    // Together with its log it would pass for the file it was.
    remove(&file, &["-wal", "-shm"]);
    assert!(reserve(&ledger).wait >= Duration::from_secs(60));
    assert!(file.with_extension("db.damaged").exists());
    // The slot from before counts too.
    let account = ledger.account(&Ask::new("b", &windows())).unwrap();
    assert_eq!((account.used[0], account.reserved), (1, 1));
}

#[test]
fn a_newer_format_is_left_alone() {
    let (_folder, file) = folder();
    let ledger = SqliteLedger::at(&file, Clock::manual());
    reserve(&ledger);
    ledger.close();
    Connection::open(&file).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let ledger = SqliteLedger::at(&file, Clock::manual());
    assert!(matches!(fails(&ledger), LedgerError::Newer { found: 99, .. }));
    let version = |file: &Path| {
        Connection::open(file).unwrap().pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(version(&file), 99);
}

#[test]
fn an_older_format_is_set_aside() {
    let (_folder, file) = folder();
    let ledger = SqliteLedger::at(&file, Clock::manual());
    reserve(&ledger);
    ledger.close();
    Connection::open(&file).unwrap().execute_batch("PRAGMA user_version = 0").unwrap();
    assert!(reserve(&SqliteLedger::at(&file, Clock::manual())).wait >= Duration::from_secs(60));
    assert!(file.with_extension("db.damaged").exists());
}

#[test]
fn the_database_of_another_program_is_left_alone() {
    let (_folder, file) = folder();
    Connection::open(&file)
        .unwrap()
        .execute_batch("CREATE TABLE bucket_x (item); INSERT INTO bucket_x VALUES (1)")
        .unwrap();
    let ledger = SqliteLedger::at(&file, Clock::manual());
    assert_eq!(fails(&ledger), LedgerError::Foreign { path: file.clone() });
    let count = Connection::open(&file).unwrap().query_row("SELECT count(*) FROM bucket_x", [], |row| row.get(0));
    assert_eq!(count, Ok(1));
}

#[test]
fn an_empty_file_is_a_new_one() {
    let (_folder, file) = folder();
    fs::write(&file, "").unwrap();
    assert_eq!(reserve(&SqliteLedger::at(&file, Clock::manual())).wait, Duration::ZERO);
}

#[test]
fn places_that_cannot_be_written() {
    let (folder, file) = folder();
    // The file's name is a folder's.
    fs::create_dir(&file).unwrap();
    assert!(matches!(fails(&SqliteLedger::at(&file, Clock::manual())), LedgerError::Io { .. }));
    assert!(file.is_dir());
    // The folder's name is a file's.
    fs::write(folder.path().join("plain"), "x").unwrap();
    let below = SqliteLedger::at(folder.path().join("plain/ratelimit.db"), Clock::manual());
    assert!(matches!(fails(&below), LedgerError::Io { .. }));
    // It can be used again as soon as the fault is gone.
    fs::remove_file(folder.path().join("plain")).unwrap();
    reserve(&below);
}

/// It must not be moved out of the way.
#[cfg(unix)]
#[test]
fn a_device_is_left_alone() {
    let (folder, _) = folder();
    let device = folder.path().join("device.db");
    std::os::unix::fs::symlink("/dev/null", &device).unwrap();
    assert!(matches!(fails(&SqliteLedger::at(&device, Clock::manual())), LedgerError::Io { .. }));
    assert!(!folder.path().join("device.db.lock").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_of_the_systems_own_cannot_be_written() {
    let ledger = SqliteLedger::at("/proc/ratelimit.db", Clock::manual());
    assert!(matches!(fails(&ledger), LedgerError::Io { .. } | LedgerError::ReadOnly { .. }));
}

#[test]
fn closed() {
    let (_folder, file) = folder();
    let ledger = SqliteLedger::at(&file, Clock::manual());
    reserve(&ledger);
    ledger.close();
    assert_eq!(fails(&ledger), LedgerError::Closed);
    assert_eq!(ledger.buckets(), Err(LedgerError::Closed));
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, file) = folder();
    let ledger = SqliteLedger::at(&file, Clock::manual());
    reserve(&ledger);
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
            entry.file_name().into_string().unwrap()
        })
        .collect();
    names.sort();
    assert_eq!(names, ["ratelimit.db", "ratelimit.db-shm", "ratelimit.db-wal", "ratelimit.db.lock"]);
}

#[test]
fn the_past_is_pruned() {
    let (folder, file) = folder();
    let clock = Clock::manual();
    let ledger = SqliteLedger::at(&file, clock.clone());
    let windows = Limits { per_day: 1000.0, ..Limits::unlimited() }.windows(false);
    for _ in 0..20_000 {
        clock.advance(Duration::from_secs(87));
        assert!(matches!(ledger.reserve(&Ask::new("b", &windows)).unwrap(), Reserved::Slot(_)));
    }
    let kept: i64 =
        Connection::open(&file).unwrap().query_row("SELECT count(*) FROM slot", [], |row| row.get(0)).unwrap();
    assert!(kept < 1000 + 200, "{kept}");
    ledger.close();
    let size: u64 = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(size < 100_000, "{size}");
}
