//! Decoded entries in memory in front of a store that others write to as well.
//!
//! Nothing is served from here that another process, or another thread, has replaced or removed before: every hit first
//! takes the store's pulse, which costs a microsecond or two; only if that has changed is the key's row looked at, and only
//! if that has changed is it read again.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use bytes::Bytes;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use super::worth::minute;
use super::{Listed, Stats, Store, StoreError, Stored, buffer, variant};
use crate::Timestamp;
use crate::cache::{Entry, Key};

/// Names the state of a variant: the number of its body, and how often its metadata was replaced since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// [`Stored::id`].
    pub id: i64,
    /// Counts the times it was freshened.
    pub revision: i64,
}

/// A variant and its version.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The variant.
    pub stored: Stored,
    /// Its version.
    pub version: Version,
    /// The minute since the epoch it was last used in, as far as the store knows.
    pub used: i64,
}

/// A store that can tell cheaply whether what was read from it may have changed: what [`TieredStore`] needs.
pub trait Coherent: Store {
    /// A number that changes whenever anybody may have changed something; `None` when there is nothing to keep in step with,
    /// because the store is in memory itself.
    fn pulse(&self) -> Result<Option<u64>, StoreError>;

    /// The versions of what is kept under `key`, in any order.
    fn versions(&self, key: &Key) -> Result<Vec<Version>, StoreError>;

    /// Like [`Store::variants`], with versions.
    fn load(&self, key: &Key, now: Timestamp) -> Result<Vec<Loaded>, StoreError>;

    /// Notes that a variant was used without being read from here.
    fn touch(&self, key: &Key, id: i64, now: Timestamp);
}

/// A bounded memory tier in front of another store.
#[derive(Debug)]
pub struct TieredStore<S> {
    back: S,
    tier: Option<Cache<Key, Arc<Known>, Weigh>>,
}

/// Room for `bytes`, in one piece up to 128 MiB: the cache divides it among shards, and of a few large bodies that fall into one
/// shard the first would have to go while the others stand empty.
fn tier(bytes: u64) -> Cache<Key, Arc<Known>, Weigh> {
    let items = usize::try_from(bytes / 8192).unwrap_or(usize::MAX).clamp(64, 1 << 20);
    let shards = usize::try_from(bytes >> 27).unwrap_or(usize::MAX).clamp(1, 64);
    let options = OptionsBuilder::new().estimated_items_capacity(items).weight_capacity(bytes).shards(shards).build();
    match options {
        Ok(options) => Cache::with_options(options, Weigh, DefaultHashBuilder::default(), DefaultLifecycle::default()),
        Err(_) => Cache::with_weighter(items, bytes, Weigh),
    }
}

/// What is known about a key.
#[derive(Debug)]
struct Known {
    variants: Vec<Stored>,
    /// In order.
    versions: Vec<Version>,
    /// The pulse under which it was last found true.
    seen: AtomicU64,
    /// The minute in which the store was last told that it is used.
    touched: AtomicI64,
}

/// Bodies of further variants are fetched along, up to this many bytes.
const FETCHED_ALONG: u64 = 1 << 20;

impl<S: Coherent> TieredStore<S> {
    /// The usual size of the tier: 32 MiB.
    pub const DEFAULT_BYTES: u64 = 32 << 20;

    /// Puts a tier of at most `bytes` in front of `back`; 0 for none.
    pub fn new(back: S, bytes: u64) -> Self {
        Self { back, tier: (bytes > 0).then(|| tier(bytes)) }
    }

    /// The store behind the tier.
    pub fn back(&self) -> &S {
        &self.back
    }

    /// Whether `known` is still what the store holds, at `pulse`.
    fn holds(&self, key: &Key, known: &Known, pulse: u64) -> Result<bool, StoreError> {
        if known.seen.load(Ordering::Acquire) == pulse {
            return Ok(true);
        }
        let mut versions = self.back.versions(key)?;
        versions.sort_unstable();
        let same = versions == known.versions;
        if same {
            known.seen.store(pulse, Ordering::Release);
        }
        Ok(same)
    }

    fn load(&self, key: &Key, now: Timestamp, pulse: u64) -> Result<Vec<Stored>, StoreError> {
        let loaded = self.back.load(key, now)?;
        let Some(tier) = &self.tier else { return Ok(Vec::new()) };
        // That there is nothing is worth knowing too: who has found nothing looks again before it asks the server.
        let touched = AtomicI64::new(loaded.first().map_or(0, |first| first.used).max(minute(now)));
        let mut versions: Vec<Version> = loaded.iter().map(|loaded| loaded.version).collect();
        versions.sort_unstable();
        let mut variants: Vec<Stored> = loaded.into_iter().map(|loaded| loaded.stored).collect();
        if variants.len() > 1 && variants.iter().map(|stored| stored.body_len).sum::<u64>() <= FETCHED_ALONG {
            for stored in &mut variants {
                stored.body = self.back.body(stored)?;
            }
        }
        let known = Known { variants: variants.clone(), versions, seen: AtomicU64::new(pulse), touched };
        tier.insert(*key, Arc::new(known));
        Ok(variants)
    }

    fn forget(&self, key: &Key) {
        if let Some(tier) = &self.tier {
            tier.remove(key);
        }
    }

    fn forget_all(&self) {
        if let Some(tier) = &self.tier {
            tier.clear();
        }
    }
}

impl<S: Coherent> Store for TieredStore<S> {
    fn variants(&self, key: &Key, now: Timestamp) -> Result<Vec<Stored>, StoreError> {
        let Some(tier) = &self.tier else {
            return self.back.variants(key, now);
        };
        // Taken before anything is read, so that what changes meanwhile is noticed the next time.
        let Some(pulse) = self.back.pulse()? else {
            return self.back.variants(key, now);
        };
        let Some(known) = tier.get(key) else {
            return self.load(key, now, pulse);
        };
        if !self.holds(key, &known, pulse)? {
            tier.remove(key);
            return self.load(key, now, pulse);
        }
        let minute = minute(now);
        if known.touched.load(Ordering::Relaxed) != minute && known.touched.swap(minute, Ordering::Relaxed) != minute {
            known.variants.iter().for_each(|stored| self.back.touch(key, stored.id, now));
        }
        Ok(known.variants.clone())
    }

    fn body(&self, stored: &Stored) -> Result<Option<Bytes>, StoreError> {
        match &stored.body {
            Some(body) => Ok(Some(body.clone())),
            None => self.back.body(stored),
        }
    }

    fn put(&self, key: &Key, entry: &Entry, body: &Bytes, now: Timestamp) -> Result<(), StoreError> {
        self.forget(key);
        self.back.put(key, entry, body, now)
    }

    fn put_at_once(&self, key: &Key, entry: &Entry, body: &Bytes, now: Timestamp) -> Option<Result<(), StoreError>> {
        self.forget(key);
        self.back.put_at_once(key, entry, body, now)
    }

    fn freshen(&self, key: &Key, id: i64, entry: &Entry, now: Timestamp) -> Result<bool, StoreError> {
        self.forget(key);
        self.back.freshen(key, id, entry, now)
    }

    fn remove(&self, key: &Key, id: i64) -> Result<(), StoreError> {
        self.forget(key);
        self.back.remove(key, id)
    }

    fn invalidate(&self, resources: &[String]) -> Result<u64, StoreError> {
        self.back.invalidate(resources)
    }

    fn lease(&self, key: &Key, holder: u64, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        self.back.lease(key, holder, now, until)
    }

    fn release(&self, key: &Key, holder: u64) -> Result<(), StoreError> {
        self.back.release(key, holder)
    }

    fn list(&self, pattern: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.back.list(pattern, limit)
    }

    fn clear(&self, pattern: Option<&str>) -> Result<u64, StoreError> {
        self.forget_all();
        self.back.clear(pattern)
    }

    fn prune(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.back.prune(now)
    }

    fn stats(&self) -> Result<Stats, StoreError> {
        self.back.stats()
    }

    fn close(&self) {
        self.forget_all();
        self.back.close();
    }
}

/// What the cache's own tables take for a key, and what the allocator loses between bodies of different sizes.
const AROUND: u64 = 1024;

#[derive(Clone, Debug)]
struct Weigh;

impl Weighter<Key, Arc<Known>> for Weigh {
    fn weight(&self, _: &Key, known: &Arc<Known>) -> u64 {
        let body = |stored: &Stored| stored.body.as_ref().map_or(0, |body| buffer::taken(body.len())) as u64;
        let one = |stored: &Stored| body(stored) + variant::weight(&stored.entry);
        known.variants.iter().map(one).sum::<u64>() + AROUND
    }
}
