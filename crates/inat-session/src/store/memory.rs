//! Entries of this process only: for sessions without a file, and for those whose file cannot be used.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::lease::Lease;
use super::worth::{dead_at, resource};
use super::{Listed, Stats, Store, StoreError, Stored, lease, variant};
use crate::Timestamp;
use crate::cache::{Entry, Glob, Key};

/// A [`Store`] in memory, bounded by bytes; the least recently used go first. Gone with the process.
///
/// ```
/// use inat_session::store::{MemoryStore, Store};
///
/// let store = MemoryStore::new(64 << 20);
/// assert_eq!(store.stats()?.entries, 0);
/// # Ok::<(), inat_session::store::StoreError>(())
/// ```
#[doc(alias = "MemoryCache")]
#[derive(Debug)]
pub struct MemoryStore {
    max_bytes: u64,
    max_entry: u64,
    contents: Mutex<Contents>,
}

#[derive(Debug, Default)]
struct Contents {
    entries: HashMap<Key, Vec<Kept>>,
    /// By last use: what stands first goes first.
    uses: BTreeMap<u64, (Key, i64)>,
    leases: HashMap<Key, Lease>,
    bytes: u64,
    last_id: i64,
    last_use: u64,
    closed: bool,
}

#[derive(Debug)]
struct Kept {
    id: i64,
    entry: Arc<Entry>,
    body: Bytes,
    size: u64,
    used: Timestamp,
    turn: u64,
}

impl MemoryStore {
    /// A store of at most `max_bytes`, in which no single body may take more than a quarter.
    pub fn new(max_bytes: u64) -> Self {
        Self { max_bytes, max_entry: max_bytes / 4, contents: Mutex::default() }
    }

    /// Nothing is changed half-way under this lock, so a panic elsewhere does not spoil it.
    fn lock(&self) -> Result<MutexGuard<'_, Contents>, StoreError> {
        let contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        if contents.closed { Err(StoreError::Closed) } else { Ok(contents) }
    }
}

impl Store for MemoryStore {
    fn variants(&self, key: &Key, now: Timestamp) -> Result<Vec<Stored>, StoreError> {
        let mut contents = self.lock()?;
        let Contents { entries, uses, last_use, .. } = &mut *contents;
        let Some(kept) = entries.get_mut(key) else {
            return Ok(Vec::new());
        };
        for kept in kept.iter_mut() {
            uses.remove(&kept.turn);
            *last_use += 1;
            (kept.turn, kept.used) = (*last_use, now);
            uses.insert(kept.turn, (*key, kept.id));
        }
        let mut found: Vec<Stored> = kept.iter().map(Kept::stored).collect();
        variant::most_recent_first(&mut found);
        Ok(found)
    }

    fn body(&self, stored: &Stored) -> Result<Option<Bytes>, StoreError> {
        self.lock().map(|_| stored.body.clone())
    }

    fn put(&self, key: &Key, entry: &Entry, body: &Bytes, now: Timestamp) -> Result<(), StoreError> {
        let size = size_of_kept(entry, body);
        if size > self.max_entry {
            return Err(StoreError::TooLarge { size, limit: self.max_entry });
        }
        let mut contents = self.lock()?;
        let known: Vec<Stored> = contents.entries.get(key).into_iter().flatten().map(Kept::stored).collect();
        if let Some(id) = variant::replaced_by(&known, entry) {
            contents.remove(key, id);
        }
        while contents.bytes + size > self.max_bytes {
            let Some((&_, &(key, id))) = contents.uses.first_key_value() else { break };
            contents.remove(&key, id);
        }
        contents.last_id += 1;
        contents.last_use += 1;
        let (id, turn) = (contents.last_id, contents.last_use);
        let kept = Kept { id, entry: Arc::new(entry.clone()), body: body.clone(), size, used: now, turn };
        contents.bytes += size;
        contents.uses.insert(turn, (*key, id));
        contents.entries.entry(*key).or_default().push(kept);
        Ok(())
    }

    fn put_at_once(&self, key: &Key, entry: &Entry, body: &Bytes, now: Timestamp) -> Option<Result<(), StoreError>> {
        Some(self.put(key, entry, body, now))
    }

    fn freshen(&self, key: &Key, id: i64, entry: &Entry, now: Timestamp) -> Result<bool, StoreError> {
        let mut contents = self.lock()?;
        let Contents { entries, bytes, .. } = &mut *contents;
        let Some(kept) = entries.get_mut(key).and_then(|kept| kept.iter_mut().find(|kept| kept.id == id)) else {
            return Ok(false);
        };
        // Fresher metadata may be larger; the next put makes room for it.
        let size = size_of_kept(entry, &kept.body);
        *bytes = bytes.saturating_sub(kept.size) + size;
        (kept.entry, kept.size, kept.used) = (Arc::new(entry.clone()), size, now);
        Ok(true)
    }

    fn remove(&self, key: &Key, id: i64) -> Result<(), StoreError> {
        self.lock()?.remove(key, id);
        Ok(())
    }

    fn invalidate(&self, resources: &[String]) -> Result<u64, StoreError> {
        let hit = |entry: &Entry| resources.iter().any(|wanted| resource(entry) == *wanted);
        Ok(self.lock()?.remove_all(hit))
    }

    fn lease(&self, key: &Key, holder: u64, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let mut contents = self.lock()?;
        let free =
            contents.leases.get(key).is_none_or(|held| held.holder == holder || !lease::binds(held.until, now, until));
        if free {
            contents.leases.retain(|_, held| lease::binds(held.until, now, until));
            contents.leases.insert(*key, Lease { holder, until });
        }
        Ok(free)
    }

    fn release(&self, key: &Key, holder: u64) -> Result<(), StoreError> {
        let mut contents = self.lock()?;
        if contents.leases.get(key).is_some_and(|held| held.holder == holder) {
            contents.leases.remove(key);
        }
        Ok(())
    }

    fn list(&self, pattern: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let contents = self.lock()?;
        let kept = contents.uses.values().rev().filter_map(|(key, id)| Some((*key, contents.find(key, *id)?)));
        let glob = pattern.map(Glob::of_entries);
        let wanted = kept.filter(|(_, kept)| glob.as_ref().is_none_or(|glob| variant::is_meant(glob, &kept.entry)));
        let listed =
            |(key, kept): (Key, &Kept)| Listed { stored: kept.stored(), key, size: kept.size, used: kept.used };
        Ok(wanted.map(listed).take(limit).collect())
    }

    fn clear(&self, pattern: Option<&str>) -> Result<u64, StoreError> {
        let glob = pattern.map(Glob::of_entries);
        Ok(self.lock()?.remove_all(|entry| glob.as_ref().is_none_or(|glob| variant::is_meant(glob, entry))))
    }

    fn prune(&self, now: Timestamp) -> Result<u64, StoreError> {
        Ok(self.lock()?.remove_all(|entry| dead_at(entry) < now))
    }

    fn stats(&self) -> Result<Stats, StoreError> {
        let contents = self.lock()?;
        Ok(Stats {
            entries: contents.uses.len() as u64,
            body_bytes: contents.entries.values().flatten().map(|kept| kept.body.len() as u64).sum(),
            total_bytes: contents.bytes,
            bound_bytes: self.max_bytes,
        })
    }

    fn close(&self) {
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        *contents = Contents { closed: true, ..Contents::default() };
    }
}

impl Contents {
    fn find(&self, key: &Key, id: i64) -> Option<&Kept> {
        self.entries.get(key)?.iter().find(|kept| kept.id == id)
    }

    fn remove(&mut self, key: &Key, id: i64) {
        let Some(kept) = self.entries.get_mut(key) else { return };
        if let Some(at) = kept.iter().position(|kept| kept.id == id) {
            let gone = kept.swap_remove(at);
            self.bytes = self.bytes.saturating_sub(gone.size);
            self.uses.remove(&gone.turn);
        }
        if kept.is_empty() {
            self.entries.remove(key);
        }
    }

    fn remove_all(&mut self, doomed: impl Fn(&Entry) -> bool) -> u64 {
        let all = self.entries.iter().flat_map(|(key, kept)| kept.iter().map(move |kept| (*key, kept)));
        let gone: Vec<(Key, i64)> =
            all.filter(|(_, kept)| doomed(&kept.entry)).map(|(key, kept)| (key, kept.id)).collect();
        for (key, id) in &gone {
            self.remove(key, *id);
        }
        gone.len() as u64
    }
}

impl Kept {
    fn stored(&self) -> Stored {
        Stored {
            entry: Arc::clone(&self.entry),
            id: self.id,
            body_len: self.body.len() as u64,
            body: Some(self.body.clone()),
        }
    }
}

fn size_of_kept(entry: &Entry, body: &Bytes) -> u64 {
    body.len() as u64 + variant::weight(entry)
}
