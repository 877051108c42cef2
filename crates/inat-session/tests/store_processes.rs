//! Several processes on one file, one of them killed in the middle: the promises that a single process cannot test.
//!
//! A child is this program again, told by an environment variable to play a part in the test of the same name.
#![allow(clippy::unwrap_used, reason = "tests")]

mod children;
mod store_support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use children::{Actor, hear, part, tell};
use inat_session::Clock;
use inat_session::cache::Entry;
use inat_session::store::{Config, SqliteStore, Store, StoreError, TieredStore};
use store_support::{NOW, entry, hit, key, noise, numbered};

const FILE: &str = "STORE_TEST_FILE";
const BOUND: u64 = 4 << 20;
/// Twice as much as the bound holds.
const KEYS: u64 = 150;

fn open(path: &Path) -> TieredStore<SqliteStore> {
    TieredStore::new(SqliteStore::at(path, Config { max_bytes: BOUND, ..Config::default() }), 1 << 20)
}

/// The part this process plays, and the file: `None` in the process that runs the test.
fn played() -> Option<(String, PathBuf)> {
    Some((part()?, std::env::var_os(FILE)?.into()))
}

fn start(test: &str, part: &str, path: &Path) -> Actor {
    Actor::start(test, part, &[(FILE, path.to_str().unwrap())])
}

/// What the child answers.
fn ask(actor: &mut Actor, word: &str) -> String {
    actor.say(word);
    actor.wait_for("answer")
}

/// A body that says whose it is and cannot be mistaken for another: its head names it, and the rest follows from the head.
fn body(number: u64, version: u64) -> Bytes {
    let len = usize::try_from(200 + (number * 7919 + version * 104_729) % 90_000).unwrap();
    let mut body = Vec::with_capacity(len + 16);
    body.extend(number.to_le_bytes());
    body.extend(version.to_le_bytes());
    body.extend(noise(number << 32 | version, len));
    body.into()
}

/// What was asked for before a write is not kept, and these are written to all the time.
fn asked_for_now(number: u64) -> Entry {
    let mut entry = numbered(number);
    entry.policy.request_time = Clock::system().now();
    entry
}

fn checked(store: &dyn Store, number: u64) -> Option<u64> {
    let found = store.variants(&key(number), NOW).unwrap();
    let found = found.first()?;
    let bytes = store.body(found).unwrap()?;
    let version = u64::from_le_bytes(bytes[8..16].try_into().unwrap());
    assert_eq!(bytes, body(number, version), "the body of {number}");
    assert_eq!(found.entry.url, numbered(number).url);
    Some(version)
}

/// Stores, reads, freshens and removes until it is told to stop, or killed.
fn hammer(path: &Path, seed: u64) {
    let store = open(path);
    let mut random = fastrand::Rng::with_seed(seed);
    tell("started");
    for round in 0..2000 {
        let number = random.u64(..KEYS);
        let done = match random.u8(..10) {
            0..4 => store.put(&key(number), &asked_for_now(number), &body(number, random.u64(..1 << 20)), NOW),
            4 => store.invalidate(&[format!("https://api.inaturalist.org/v1/taxa/{number}")]).map(drop),
            5 => store.lease(&key(number), seed, NOW, NOW.plus(Duration::from_secs(30))).map(drop),
            _ => {
                checked(&store, number);
                Ok(())
            }
        };
        assert!(matches!(done, Ok(()) | Err(StoreError::Locked(_) | StoreError::Outdated)), "{done:?}");
        if round % 20 == 0 {
            tell(&format!("alive {round}"));
        }
    }
    store.close();
    tell("done");
}

#[test]
fn a_process_killed_while_storing_harms_no_other() {
    if let Some((part, path)) = played() {
        return hammer(&path, part.parse().unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.db");
    let start = |seed: u64| start("a_process_killed_while_storing_harms_no_other", &seed.to_string(), &path);
    // All at once, so that they also race to make the file.
    let steady: Vec<Actor> = (0..3).map(start).collect();
    for seed in 100..108 {
        let mut victim = start(seed);
        victim.wait_for("alive 40");
        victim.kill();
    }
    for mut actor in steady {
        actor.wait_for("done");
        actor.ends_well();
    }

    let store = open(&path);
    let kept = (0..KEYS).filter(|number| checked(&store, *number).is_some()).count();
    assert!(kept > 10, "{kept}");
    let stats = store.stats().unwrap();
    assert!(stats.total_bytes <= BOUND, "{stats:?}");
    store.close();
    assert!(path.metadata().unwrap().len() <= BOUND);
    let verdict: String =
        rusqlite::Connection::open(&path).unwrap().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    let aside = std::fs::read_dir(folder.path()).unwrap();
    assert!(!aside.into_iter().any(|file| file.unwrap().file_name().to_string_lossy().contains("corrupt")));
}

/// Reads what it is asked for, and says what it found: from memory, or from a connection that has been asked so often that it keeps
/// what it sees.
fn reader(part: &str, path: &Path) {
    let store = if part == "memory" {
        open(path)
    } else {
        let config = Config { max_bytes: BOUND, clock: Clock::manual(), ..Config::default() };
        TieredStore::new(SqliteStore::at(path, config), 0)
    };
    assert!((0..2000).all(|_| hit(&store, &key(2), NOW).is_some()));
    tell("started");
    while let Some(number) = hear() {
        let found = hit(&store, &key(number.parse().unwrap()), NOW);
        tell(&format!(
            "answer {}",
            found.map_or("nothing".to_owned(), |body| String::from_utf8(body.to_vec()).unwrap())
        ));
    }
}

#[test]
fn what_another_process_replaced_or_removed_is_never_served() {
    if let Some((part, path)) = played() {
        return reader(&part, &path);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.db");
    let store = open(&path);
    let put = |text: &str| store.put(&key(1), &asked_for_now(1), &text.to_owned().into(), NOW).unwrap();
    put("first");
    store.put(&key(2), &numbered(2), &"second".into(), NOW).unwrap();
    let mut readers =
        ["memory", "file"].map(|part| start("what_another_process_replaced_or_removed_is_never_served", part, &path));
    for reader in &mut readers {
        reader.wait_for("started");
    }
    let mut ask = |number: &str| {
        let [one, other] = readers.each_mut().map(|reader| ask(reader, number));
        assert_eq!(one, other);
        one
    };
    for round in 0..20 {
        assert_eq!(ask("2"), "second", "it stays warm");
        put(&format!("round {round}"));
        assert_eq!(ask("1"), format!("round {round}"));
        assert_eq!(ask("1"), format!("round {round}"));
        match round % 4 {
            0 => drop(store.invalidate(&["https://api.inaturalist.org/v1/taxa/1".to_owned()]).unwrap()),
            1 => drop(store.clear(Some("*/taxa/1")).unwrap()),
            2 => store.remove(&key(1), store.variants(&key(1), NOW).unwrap()[0].id).unwrap(),
            _ => {
                store.clear(None).unwrap();
                store.put(&key(2), &asked_for_now(2), &"second".into(), NOW).unwrap();
            }
        }
        assert_eq!(ask("1"), "nothing");
    }
    readers.into_iter().for_each(Actor::ends_well);
}

/// Takes the lease of key 1 when asked.
fn lessee(path: &Path) {
    let store = open(path);
    tell("started");
    while hear().is_some() {
        tell(&format!("answer {}", store.lease(&key(1), 2, NOW, NOW.plus(Duration::from_secs(30))).unwrap()));
    }
}

#[test]
fn a_lease_binds_other_processes_and_ends_with_its_time() {
    if let Some((_, path)) = played() {
        return lessee(&path);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.db");
    let store = open(&path);
    let mut other = start("a_lease_binds_other_processes_and_ends_with_its_time", "lessee", &path);
    other.wait_for("started");
    assert!(store.lease(&key(1), 1, NOW, NOW.plus(Duration::from_secs(30))).unwrap());
    assert_eq!(ask(&mut other, "take"), "false");
    store.release(&key(1), 1).unwrap();
    assert_eq!(ask(&mut other, "take"), "true");
    assert!(!store.lease(&key(1), 1, NOW, NOW.plus(Duration::from_secs(30))).unwrap());
    other.kill();
    let later = NOW.plus(Duration::from_secs(31));
    assert!(store.lease(&key(1), 1, later, later.plus(Duration::from_secs(30))).unwrap(), "the dead do not hold it");
}

#[test]
fn many_processes_make_one_file_at_the_same_instant() {
    if let Some((part, path)) = played() {
        tell("started");
        hear();
        let number: u64 = part.parse().unwrap();
        let store = open(&path);
        store.put(&key(number), &entry("https://api.inaturalist.org/v1/taxa"), &"x".into(), NOW).unwrap();
        return tell("done");
    }
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache.db");
        let start = |number: u64| start("many_processes_make_one_file_at_the_same_instant", &number.to_string(), &path);
        let mut actors: Vec<Actor> = (0..6).map(start).collect();
        for actor in &mut actors {
            actor.wait_for("started");
        }
        for actor in &mut actors {
            actor.say("go");
        }
        for mut actor in actors {
            actor.wait_for("done");
            actor.ends_well();
        }
        assert!((0..6).all(|number| hit(&open(&path), &key(number), NOW).is_some()));
    }
}
