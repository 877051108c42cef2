//! What every store promises, asked of all of them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod store_support;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use inat_session::cache::{Flags, Key, Part};
use inat_session::store::{Config, MemoryStore, SqliteStore, Store, StoreError, TieredStore};
use inat_session::{Clock, Timestamp};
use proptest::prelude::*;
use store_support::{NOW, entry, hit, in_language, json, key, key_of, noise, numbered};

const BOUND: u64 = 4 << 20;
const MINUTE: Duration = Duration::from_secs(60);

/// Every kind of store, each empty, and where the file of those is that have one.
fn with_each(mut test: impl FnMut(&dyn Store, Option<&Path>)) {
    let folder = tempfile::tempdir().unwrap();
    let config = || Config { max_bytes: BOUND, clock: Clock::manual(), ..Config::default() };
    test(&MemoryStore::new(BOUND), None);
    let plain = folder.path().join("plain.db");
    test(&SqliteStore::at(&plain, config()), Some(&plain));
    let raw = folder.path().join("raw.db");
    test(&SqliteStore::at(&raw, Config { compress: false, ..config() }), Some(&raw));
    let tiered = folder.path().join("tiered.db");
    test(&TieredStore::new(SqliteStore::at(&tiered, config()), 1 << 20), Some(&tiered));
    let untiered = folder.path().join("untiered.db");
    test(&TieredStore::new(SqliteStore::at(&untiered, config()), 0), Some(&untiered));
}

#[test]
fn what_was_put_is_found_again_as_it_was() {
    with_each(|store, _| {
        let mut kept = entry("https://api.inaturalist.org/v1/taxa?q=a%20b");
        kept.part = Some(Part { first: 5, last: 9, whole: 100 });
        assert!(store.variants(&key(1), NOW).unwrap().is_empty());
        store.put(&key(1), &kept, &"body".into(), NOW).unwrap();
        for _ in 0..3 {
            let found = store.variants(&key(1), NOW).unwrap();
            assert_eq!(*found[0].entry, kept);
            assert_eq!(found[0].body_len, 4);
            assert_eq!(store.body(&found[0]).unwrap().unwrap(), "body");
            assert!(store.variants(&key(2), NOW).unwrap().is_empty());
        }
    });
}

#[test]
fn bodies_of_every_size_come_back() {
    with_each(|store, _| {
        for len in [0, 1, 1023, 1024, 1025, 2000, 16_383, 16_384, 60_000, 700_000] {
            for (number, body) in [(1, json(len as u64, len)), (2, noise(len as u64, len))] {
                store.put(&key(number), &numbered(number), &body, NOW).unwrap();
                assert_eq!(hit(store, &key(number), NOW).unwrap(), body, "{len}");
                assert_eq!(hit(store, &key(number), NOW).unwrap(), body, "{len}");
            }
        }
    });
}

#[test]
fn a_second_put_takes_the_place_of_the_first_under_a_new_number() {
    with_each(|store, _| {
        store.put(&key(1), &numbered(1), &"old".into(), NOW).unwrap();
        let old = store.variants(&key(1), NOW).unwrap().remove(0);
        store.put(&key(1), &numbered(1), &"new".into(), NOW).unwrap();
        let new = store.variants(&key(1), NOW).unwrap().remove(0);
        assert_ne!(old.id, new.id);
        assert_eq!(hit(store, &key(1), NOW).unwrap(), "new");
        store.remove(&key(1), old.id).unwrap();
        assert_eq!(hit(store, &key(1), NOW).unwrap(), "new");
        assert!(!store.freshen(&key(1), old.id, &numbered(1), NOW).unwrap());
        assert_eq!(store.stats().unwrap().entries, 1);
    });
}

#[test]
fn variants_stand_side_by_side_the_most_recent_first() {
    with_each(|store, _| {
        let url = "https://api.inaturalist.org/v1/places";
        for hash in 1..=3 {
            let mut kept = in_language(url, hash);
            // They arrive in the order 2, 3, 1.
            kept.policy.response_time = Timestamp::from_secs([300, 100, 200][usize::from(hash) - 1]);
            store.put(&key(1), &kept, &Bytes::from(vec![hash; 2000]), NOW).unwrap();
        }
        for _ in 0..2 {
            let found = store.variants(&key(1), NOW).unwrap();
            let bodies: Vec<u8> = found.iter().map(|stored| store.body(stored).unwrap().unwrap()[0]).collect();
            assert_eq!(bodies, [1, 3, 2]);
        }
        store.put(&key(1), &in_language(url, 2), &"changed".into(), NOW).unwrap();
        let found = store.variants(&key(1), NOW).unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!(store.body(&found[0]).unwrap().unwrap(), "changed");
        store.remove(&key(1), found[1].id).unwrap();
        assert_eq!(store.variants(&key(1), NOW).unwrap().len(), 2);
    });
}

#[test]
fn a_key_keeps_a_bounded_number_of_variants_and_the_oldest_go() {
    with_each(|store, _| {
        for hash in 0..40 {
            let mut kept = in_language("https://api.inaturalist.org/v1/places", hash);
            kept.policy.response_time = Timestamp::from_secs(i64::from(hash));
            store.put(&key(1), &kept, &Bytes::from(vec![hash]), NOW).unwrap();
        }
        let found = store.variants(&key(1), NOW).unwrap();
        let bodies: Vec<u8> = found.iter().map(|stored| store.body(stored).unwrap().unwrap()[0]).collect();
        assert_eq!(bodies, (24..40).rev().collect::<Vec<u8>>());
    });
}

#[test]
fn freshening_replaces_the_metadata_and_keeps_number_and_body() {
    with_each(|store, _| {
        let body = json(1, 5000);
        store.put(&key(1), &numbered(1), &body, NOW).unwrap();
        let before = store.variants(&key(1), NOW).unwrap().remove(0);
        let mut fresher = numbered(1);
        fresher.policy.response_time = NOW.plus(MINUTE);
        fresher.headers.insert("etag", HeaderValue::from_static("\"2\""));
        assert!(store.freshen(&key(1), before.id, &fresher, NOW).unwrap());
        let after = store.variants(&key(1), NOW).unwrap().remove(0);
        assert_eq!((after.id, after.body_len), (before.id, 5000));
        assert_eq!(*after.entry, fresher);
        assert_eq!(store.body(&after).unwrap().unwrap(), body);
        assert!(!store.freshen(&key(2), before.id, &fresher, NOW).unwrap());
        assert!(!store.freshen(&key(1), before.id + 1, &fresher, NOW).unwrap());
    });
}

#[test]
fn a_body_that_was_replaced_is_never_another_ones() {
    with_each(|store, _| {
        store.put(&key(1), &numbered(1), &"one".into(), NOW).unwrap();
        let mut old = store.variants(&key(1), NOW).unwrap().remove(0);
        store.clear(None).unwrap();
        store.put(&key(2), &numbered(2), &"two".into(), NOW).unwrap();
        old.body = None;
        assert_eq!(store.body(&old).unwrap(), None);
    });
}

#[test]
fn invalidating_a_resource_reaches_all_its_queries_and_nothing_else() {
    with_each(|store, _| {
        let urls = [
            "https://api.inaturalist.org/v1/observations",
            "https://api.inaturalist.org/v1/observations?page=2",
            "https://api.inaturalist.org/v1/observations/7",
            "https://api.inaturalist.org/v1/observations/77?a=b",
            "https://www.inaturalist.org/v1/observations",
        ];
        // Keys made from the URL say something about the resource; keys that callers name, or half of them, do not.
        let keys = |named: fn(u64) -> bool| {
            let key = |(number, url)| if named(number) { key(number) } else { key_of(url) };
            (0..).zip(urls).map(key).collect::<Vec<Key>>()
        };
        let fill = |keys: &[Key]| {
            for (key, url) in keys.iter().zip(urls) {
                store.put(key, &entry(url), &"x".into(), NOW).unwrap();
                let stored = store.variants(key, NOW).unwrap().remove(0);
                store.freshen(key, stored.id, &entry(url), NOW).unwrap();
            }
        };
        let left = |keys: &[Key]| (0..5).filter(|n| hit(store, &keys[*n], NOW).is_some()).collect::<Vec<usize>>();
        let resource = |text: &str| format!("https://api.inaturalist.org/v1/{text}");
        for (wanted, removed, expected) in [
            (vec![resource("observations")], 2, vec![2, 3, 4]),
            (vec![resource("observations/7")], 1, vec![0, 1, 3, 4]),
            (vec![resource("observations/*")], 0, vec![0, 1, 2, 3, 4]),
            (vec![resource("observations"), resource("observations/77")], 3, vec![2, 4]),
            (vec![resource("taxa"), resource("obs")], 0, vec![0, 1, 2, 3, 4]),
            (vec![], 0, vec![0, 1, 2, 3, 4]),
        ] {
            for keys in [keys(|_| true), keys(|_| false), keys(|number| number % 2 == 0)] {
                store.clear(None).unwrap();
                fill(&keys);
                assert_eq!(store.invalidate(&wanted).unwrap(), removed, "{wanted:?}");
                assert_eq!(left(&keys), expected, "{wanted:?}");
            }
        }
    });
}

#[test]
fn one_holder_has_the_lease_until_it_runs_out_or_is_given_back() {
    with_each(|store, _| {
        let at = |secs: u64| NOW.plus(Duration::from_secs(secs));
        assert!(store.lease(&key(1), 10, at(0), at(30)).unwrap());
        assert!(store.lease(&key(1), 10, at(1), at(31)).unwrap(), "its holder renews it");
        assert!(!store.lease(&key(1), u64::MAX, at(2), at(32)).unwrap());
        assert!(store.lease(&key(2), u64::MAX, at(2), at(32)).unwrap(), "another key is free");
        store.release(&key(1), u64::MAX).unwrap();
        assert!(!store.lease(&key(1), 12, at(2), at(32)).unwrap(), "only its holder gives it back");
        assert!(store.lease(&key(1), 12, at(31), at(61)).unwrap(), "it has run out");
        store.release(&key(1), 12).unwrap();
        assert!(store.lease(&key(1), 13, at(32), at(62)).unwrap());
        // A clock that was a year ahead took this one.
        assert!(store.lease(&key(3), 1, at(31_536_000), at(31_536_030)).unwrap());
        assert!(store.lease(&key(3), 2, at(0), at(30)).unwrap(), "nobody waits a year");
    });
}

#[test]
fn listing_goes_by_last_use_and_clearing_by_pattern() {
    with_each(|store, _| {
        let mut now = NOW;
        for number in 0..6 {
            now = now.plus(MINUTE);
            store.put(&key(number), &numbered(number), &"x".into(), now).unwrap();
        }
        assert!(hit(store, &key(1), now.plus(MINUTE)).is_some());
        let paths = |pattern: Option<&str>, limit| -> Vec<String> {
            let listed = store.list(pattern, limit).unwrap();
            listed
                .iter()
                .map(|listed| listed.stored.entry.url.parsed().unwrap().path().replace("/v1/taxa/", ""))
                .collect()
        };
        assert_eq!(paths(None, 100), ["1", "5", "4", "3", "2", "0"]);
        assert_eq!(paths(None, 2), ["1", "5"]);
        assert_eq!(paths(Some("api.inaturalist.org/*/4"), 9), ["4"]);
        assert_eq!(paths(Some("http://*?n=2"), 9), ["2"]);
        let first = &store.list(None, 1).unwrap()[0];
        assert_eq!((first.key, first.used), (key(1), now.plus(MINUTE)));
        assert!(first.size > 1);

        assert_eq!(store.clear(Some("api.inaturalist.org/v1/taxa/4")).unwrap(), 1);
        assert!(hit(store, &key(4), now).is_none());
        assert_eq!(store.clear(Some("nowhere")).unwrap(), 0);
        assert_eq!(store.clear(None).unwrap(), 5);
        assert!(hit(store, &key(1), now).is_none());
        assert_eq!(store.stats().unwrap().entries, 0);
    });
}

#[test]
fn pruning_removes_what_is_past_every_use() {
    with_each(|store, _| {
        let hour = Duration::from_secs(3600);
        let mut stale_ok = numbered(2);
        stale_ok.policy.stale_if_error = 5 * hour;
        let mut validator = numbered(3);
        validator.policy.flags = Flags::HAS_VALIDATOR;
        let mut forever = numbered(4);
        forever.policy.flags = Flags::NEVER_EXPIRES;
        let mut aged = numbered(5);
        aged.policy.initial_age = hour / 2;
        for (number, kept) in (1..).zip([numbered(1), stale_ok, validator, forever, aged]) {
            store.put(&key(number), &kept, &"x".into(), NOW).unwrap();
            store.variants(&key(number), NOW).unwrap();
        }
        let left_at = |after: Duration| {
            store.prune(NOW.plus(after)).unwrap();
            (1..=5).filter(|number| hit(store, &key(*number), NOW).is_some()).collect::<Vec<u64>>()
        };
        assert_eq!(left_at(hour / 4), [1, 2, 3, 4, 5]);
        assert_eq!(left_at(MINUTE * 59), [1, 2, 3, 4]);
        assert_eq!(left_at(2 * hour), [2, 3, 4]);
        assert_eq!(left_at(7 * hour), [3, 4]);
        assert_eq!(left_at(24 * 8 * hour), [4]);
        assert_eq!(left_at(24 * 36_500 * hour), [4]);
    });
}

#[test]
fn the_least_recently_used_make_room_and_the_bound_holds() {
    with_each(|store, file| {
        let mut now = NOW;
        let mut kept = 0;
        for number in 0..200 {
            now = now.plus(MINUTE);
            store.put(&key(number), &numbered(number), &noise(number, 60_000), now).unwrap();
            // Number 0 is asked for all the time.
            kept += u64::from(hit(store, &key(0), now).is_some());
            let stats = store.stats().unwrap();
            assert!(stats.total_bytes <= BOUND && stats.bound_bytes == BOUND, "{stats:?}");
        }
        assert_eq!(kept, 200);
        assert!(hit(store, &key(1), now).is_none());
        assert!(hit(store, &key(199), now).is_some());
        assert!(store.stats().unwrap().entries > 40, "no more goes than has to: {:?}", store.stats());
        store.close();
        assert!(file.is_none_or(|file| file.metadata().unwrap().len() <= BOUND));
    });
}

#[test]
fn the_bound_holds_for_small_entries_that_several_put_into_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.db");
    let config = Config { max_bytes: BOUND, clock: Clock::manual(), ..Config::default() };
    let stores: Vec<_> = (0..4).map(|_| SqliteStore::at(&path, config.clone())).collect();
    let put = |store: &SqliteStore, number: u64| {
        let (key, entry, body) = (key(number), numbered(number), noise(number, 900));
        match store.put_at_once(&key, &entry, &body, NOW) {
            Some(put) => put.unwrap(),
            None => store.put(&key, &entry, &body, NOW).unwrap(),
        }
    };
    // All have seen the file when it was empty; one fills it, and the others must notice.
    (0..4).for_each(|one| put(&stores[one], one as u64));
    (10..3000).for_each(|number| put(&stores[0], number));
    for (one, store) in stores.iter().enumerate() {
        for number in 0..300 {
            put(store, 10_000 + 1000 * one as u64 + number);
        }
        let stats = store.stats().unwrap();
        assert!(stats.total_bytes <= BOUND, "{one}: {stats:?}");
    }
    let stats = stores[0].stats().unwrap();
    assert!(stats.total_bytes <= BOUND && stats.total_bytes > BOUND * 3 / 4, "{stats:?}");
}

/// The log is written back when it is an eighth of the bound, and begins again as soon as nobody reads what is in it.
#[test]
fn who_reads_all_the_time_does_not_keep_the_log_growing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.db");
    let config = Config { max_bytes: 4 * BOUND, clock: Clock::manual(), ..Config::default() };
    let (writer, reader) = (SqliteStore::at(&path, config.clone()), SqliteStore::at(&path, config));
    for number in 0..4000 {
        writer.put(&key(number), &numbered(number), &noise(number, 900), NOW).unwrap();
        for _ in 0..2 {
            assert!(hit(&reader, &key(number), NOW).is_some(), "what was put is found at once");
        }
    }
    let log = std::fs::metadata(path.with_file_name("cache.db-wal")).unwrap().len();
    // It is written back beyond half of that, and everything was written to it a dozen times.
    assert!(log < 2 * BOUND, "{log}");
}

/// Programs that start, put one entry and end, as a command does.
#[test]
fn the_bound_holds_for_those_who_put_one_entry_and_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.db");
    let config = Config { max_bytes: BOUND, clock: Clock::manual(), ..Config::default() };
    let open = || SqliteStore::at(&path, config.clone());
    let put = |store: &SqliteStore, number: u64| {
        let (key, entry, body) = (key(number), numbered(number), noise(number, 40_000));
        match store.put_at_once(&key, &entry, &body, NOW) {
            Some(Ok(())) => {}
            _ => store.put(&key, &entry, &body, NOW).unwrap(),
        }
    };
    let first = open();
    (0..100).for_each(|number| put(&first, number));
    first.close();
    for number in 1000..1100 {
        let store = open();
        put(&store, number);
        let stats = store.stats().unwrap();
        assert!(stats.total_bytes <= BOUND, "{number}: {stats:?}");
        store.close();
    }
}

#[test]
fn a_body_beyond_the_bound_is_refused_and_nothing_is_lost_for_it() {
    with_each(|store, _| {
        store.put(&key(1), &numbered(1), &"kept".into(), NOW).unwrap();
        let refused = store.put(&key(2), &numbered(2), &noise(2, 3 << 20), NOW);
        assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
        assert_eq!(hit(store, &key(1), NOW).unwrap(), "kept");
    });
}

#[test]
fn a_closed_store_fails_and_does_not_panic() {
    with_each(|store, _| {
        store.put(&key(1), &numbered(1), &"x".into(), NOW).unwrap();
        let stored = store.variants(&key(1), NOW).unwrap().remove(0);
        store.close();
        store.close();
        assert!(store.variants(&key(1), NOW).is_err());
        assert!(store.put(&key(1), &numbered(1), &"x".into(), NOW).is_err());
        assert!(store.lease(&key(1), 1, NOW, NOW).is_err());
        assert!(store.stats().is_err());
        let _ = store.body(&stored);
    });
}

#[test]
fn keys_that_agree_in_their_first_bits_are_told_apart() {
    let twin = |last: u8| {
        let mut bytes = [9; 32];
        bytes[31] = last;
        Key::from_bytes(bytes)
    };
    with_each(|store, _| {
        store.put(&twin(1), &numbered(1), &"one".into(), NOW).unwrap();
        assert!(hit(store, &twin(2), NOW).is_none());
        store.put(&twin(2), &numbered(2), &"two".into(), NOW).unwrap();
        for _ in 0..2 {
            assert_eq!(hit(store, &twin(1), NOW).unwrap(), "one");
            assert_eq!(hit(store, &twin(2), NOW).unwrap(), "two");
        }
    });
}

#[test]
fn threads_share_a_store() {
    with_each(|store, _| {
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                scope.spawn(move || {
                    for round in 0..60u64 {
                        let number = (thread + round) % 5;
                        let body = Bytes::from(vec![u8::try_from(number).unwrap(); 3000]);
                        store.put(&key(number), &numbered(number), &body, NOW).unwrap();
                        if let Some(found) = hit(store, &key(number), NOW) {
                            assert_eq!(found, body);
                        }
                    }
                });
            }
        });
        assert_eq!(store.stats().unwrap().entries, 5);
    });
}

/// What a store of unbounded size without any cleverness would say.
type Model = std::collections::BTreeMap<(u64, u8), (u8, u32)>;

#[derive(Clone, Debug)]
enum Step {
    Put(u64, u8, u8),
    Freshen(u64, u8, u32),
    Remove(u64, u8),
    Invalidate(u64),
    Clear,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0u64..4, 0u8..3, any::<u8>()).prop_map(|(key, vary, body)| Step::Put(key, vary, body)),
        2 => (0u64..4, 0u8..3, 0u32..9).prop_map(|(key, vary, flags)| Step::Freshen(key, vary, flags)),
        1 => (0u64..4, 0u8..3).prop_map(|(key, vary)| Step::Remove(key, vary)),
        1 => (0u64..4).prop_map(Step::Invalidate),
        1 => Just(Step::Clear),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_ends_where_the_model_ends(steps in steps()) {
        with_each(|store, _| {
            let mut model = Model::new();
            for step in &steps {
                apply(store, &mut model, step);
                for number in 0..4 {
                    let expected: Vec<(u8, u8, u32)> = model
                        .iter()
                        .filter(|((key, _), _)| *key == number)
                        .map(|((_, vary), (body, flags))| (*vary, *body, *flags))
                        .collect();
                    assert_eq!(seen(store, number), expected, "after {step:?} of {steps:?}");
                }
            }
        });
    }
}

fn url_of(number: u64) -> String {
    format!("https://api.inaturalist.org/v1/taxa/{number}")
}

fn apply(store: &dyn Store, model: &mut Model, step: &Step) {
    let id_of = |number: u64, vary: u8| {
        let found = store.variants(&key(number), NOW).unwrap();
        let wanted = in_language(&url_of(number), vary).vary;
        found.iter().find(|stored| stored.entry.vary == wanted).map_or(0, |stored| stored.id)
    };
    match *step {
        Step::Put(number, vary, body) => {
            let bytes = Bytes::from(vec![body; 1 + usize::from(body) * 40]);
            store.put(&key(number), &in_language(&url_of(number), vary), &bytes, NOW).unwrap();
            model.insert((number, vary), (body, 0));
        }
        Step::Freshen(number, vary, flags) => {
            let mut fresher = in_language(&url_of(number), vary);
            fresher.policy.flags = Flags(flags);
            let known = model.get_mut(&(number, vary)).map(|kept| kept.1 = flags).is_some();
            assert_eq!(store.freshen(&key(number), id_of(number, vary), &fresher, NOW).unwrap(), known);
        }
        Step::Remove(number, vary) => {
            store.remove(&key(number), id_of(number, vary)).unwrap();
            model.remove(&(number, vary));
        }
        Step::Invalidate(number) => {
            let before = model.len();
            model.retain(|(key, _), _| *key != number);
            assert_eq!(store.invalidate(&[url_of(number)]).unwrap(), (before - model.len()) as u64);
        }
        Step::Clear => {
            assert_eq!(store.clear(None).unwrap(), model.len() as u64);
            model.clear();
        }
    }
}

fn seen(store: &dyn Store, number: u64) -> Vec<(u8, u8, u32)> {
    let mut seen: Vec<(u8, u8, u32)> = store
        .variants(&key(number), NOW)
        .unwrap()
        .iter()
        .map(|stored| {
            let body = store.body(stored).unwrap().unwrap();
            assert!(body.len() == 1 + usize::from(body[0]) * 40 && body.iter().all(|byte| *byte == body[0]));
            (stored.entry.vary.fields[0].1.unwrap()[0], body[0], stored.entry.policy.flags.0)
        })
        .collect();
    seen.sort_unstable();
    seen
}

#[test]
fn what_was_asked_for_before_another_process_wrote_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual();
    let open = || SqliteStore::at(folder.path().join("cache.db"), Config { clock: clock.clone(), ..Config::default() });
    let (ours, theirs) = (open(), open());
    let asked_at = |number: u64, at: Timestamp| {
        let mut entry = numbered(number);
        (entry.policy.request_time, entry.policy.response_time) = (at, at.plus(MINUTE));
        entry
    };
    let put = |number: u64, at: Timestamp| ours.put(&key(number), &asked_at(number, at), &"body".into(), clock.now());
    put(1, NOW).unwrap();
    clock.advance(Duration::from_secs(1));
    let written =
        ["https://api.inaturalist.org/v1/taxa/1".to_owned(), "https://api.inaturalist.org/v1/taxa/3".to_owned()];
    assert_eq!(theirs.invalidate(&written).unwrap(), 1);
    assert!(matches!(put(1, NOW), Err(StoreError::Outdated)));
    assert!(matches!(put(3, NOW), Err(StoreError::Outdated)));
    // What waited for the lock meanwhile took its time before the write.
    let waited = ours.put(&key(3), &asked_at(3, NOW), &"body".into(), NOW);
    assert!(matches!(waited, Err(StoreError::Outdated)));
    assert!(ours.put_at_once(&key(1), &asked_at(1, NOW), &"body".into(), clock.now()).is_none());
    assert!(hit(&ours, &key(1), NOW).is_none());
    put(2, NOW).unwrap();
    put(1, clock.now()).unwrap();
    // A clock that is set back does not make everything outdated.
    clock.set(NOW.minus(MINUTE));
    put(3, NOW.minus(MINUTE)).unwrap();
    // Writes are forgotten when no request can be on its way for so long.
    clock.set(NOW.plus(20 * MINUTE));
    theirs.invalidate(&["https://api.inaturalist.org/v1/taxa/9".to_owned()]).unwrap();
    put(3, NOW).unwrap();
}

#[test]
fn a_tier_holds_as_many_large_bodies_as_it_has_room_for() {
    let folder = tempfile::tempdir().unwrap();
    let back = SqliteStore::at(folder.path().join("cache.db"), Config::default());
    let store = TieredStore::new(back, 32 << 20);
    let bodies = || (0..24).map(|number| hit(&store, &key(number), NOW).unwrap().as_ptr()).collect::<Vec<_>>();
    for number in 0..24 {
        store.put(&key(number), &numbered(number), &noise(number, 1 << 20), NOW).unwrap();
    }
    let first: Vec<Bytes> = (0..24).map(|number| hit(&store, &key(number), NOW).unwrap()).collect();
    assert!(bodies().into_iter().eq(first.iter().map(|body| body.as_ptr())), "the same bytes, not copies");
}

#[test]
fn what_is_put_at_once_is_there_and_nothing_is_when_that_would_take_longer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.db");
    let store = SqliteStore::at(&path, Config { max_bytes: 1 << 20, ..Config::default() });
    let at_once = |number| store.put_at_once(&key(number), &numbered(number), &noise(number, 40_000), NOW);
    assert!(at_once(0).is_none(), "nothing is open yet");
    store.put(&key(0), &numbered(0), &"first".into(), NOW).unwrap();
    assert!(at_once(1).unwrap().is_ok());
    assert_eq!(hit(&store, &key(1), NOW).unwrap(), noise(1, 40_000));
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(at_once(2).is_none(), "somebody else writes");
    other.execute_batch("ROLLBACK").unwrap();
    assert!(hit(&store, &key(2), NOW).is_none());
    // As soon as the log is due or room has to be made; whoever may wait sees to both.
    let full = (3..60).find(|number| at_once(*number).is_none()).unwrap();
    store.put(&key(full), &numbered(full), &noise(full, 40_000), NOW).unwrap();
    assert_eq!(hit(&store, &key(full), NOW).unwrap(), noise(full, 40_000));
    assert!(store.put_at_once(&key(4), &numbered(4), &noise(4, 200_000), NOW).is_none(), "it is large");
}
