//! Entries of this process only: for sessions without a file, and for those whose file cannot be used.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::lease::Lease;
use super::worth::{dead_at, resource};
use super::{Listed, Stats, Store, StoreError, Stored, glob, lease, variant};
use crate::Timestamp;
use crate::cache::{Entry, Key};

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
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
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
        Self { max_bytes, max_entry: max_bytes / 4, shelf: Mutex::default() }
    }

    /// Nothing is changed half-way under this lock, so a panic elsewhere does not spoil it.
    fn shelf(&self) -> Result<MutexGuard<'_, Shelf>, StoreError> {
        let shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        if shelf.closed { Err(super::closed()) } else { Ok(shelf) }
    }
}

impl Store for MemoryStore {
    fn variants(&self, key: &Key, now: Timestamp) -> Result<Vec<Stored>, StoreError> {
        let mut shelf = self.shelf()?;
        let Shelf { entries, uses, last_use, .. } = &mut *shelf;
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
        self.shelf().map(|_| stored.body.clone())
    }

    fn put(&self, key: &Key, entry: &Entry, body: &Bytes, now: Timestamp) -> Result<(), StoreError> {
        let size = size_of_kept(entry, body);
        if size > self.max_entry {
            return Err(StoreError::TooLarge { size, limit: self.max_entry });
        }
        let mut shelf = self.shelf()?;
        let known: Vec<Stored> = shelf.entries.get(key).into_iter().flatten().map(Kept::stored).collect();
        if let Some(id) = variant::replaced_by(&known, entry) {
            shelf.remove(key, id);
        }
        while shelf.bytes + size > self.max_bytes {
            let Some((&_, &(key, id))) = shelf.uses.first_key_value() else { break };
            shelf.remove(&key, id);
        }
        shelf.last_id += 1;
        shelf.last_use += 1;
        let (id, turn) = (shelf.last_id, shelf.last_use);
        let kept = Kept { id, entry: Arc::new(entry.clone()), body: body.clone(), size, used: now, turn };
        shelf.bytes += size;
        shelf.uses.insert(turn, (*key, id));
        shelf.entries.entry(*key).or_default().push(kept);
        Ok(())
    }

    fn freshen(&self, key: &Key, id: i64, entry: &Entry, now: Timestamp) -> Result<bool, StoreError> {
        let mut shelf = self.shelf()?;
        let Shelf { entries, bytes, .. } = &mut *shelf;
        let Some(kept) = entries.get_mut(key).and_then(|kept| kept.iter_mut().find(|kept| kept.id == id)) else {
            return Ok(false);
        };
        let size = size_of_kept(entry, &kept.body);
        *bytes = bytes.saturating_sub(kept.size) + size;
        (kept.entry, kept.size, kept.used) = (Arc::new(entry.clone()), size, now);
        Ok(true)
    }

    fn remove(&self, key: &Key, id: i64) -> Result<(), StoreError> {
        self.shelf()?.remove(key, id);
        Ok(())
    }

    fn invalidate(&self, resources: &[String]) -> Result<u64, StoreError> {
        let hit = |entry: &Entry| resources.iter().any(|wanted| variant::is_of_resource(resource(entry), wanted));
        Ok(self.shelf()?.remove_all(hit))
    }

    fn lease(&self, key: &Key, holder: u64, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let mut shelf = self.shelf()?;
        let free =
            shelf.leases.get(key).is_none_or(|held| held.holder == holder || !lease::binds(held.until, now, until));
        if free {
            shelf.leases.retain(|_, held| lease::binds(held.until, now, until));
            shelf.leases.insert(*key, Lease { holder, until });
        }
        Ok(free)
    }

    fn release(&self, key: &Key, holder: u64) -> Result<(), StoreError> {
        let mut shelf = self.shelf()?;
        if shelf.leases.get(key).is_some_and(|held| held.holder == holder) {
            shelf.leases.remove(key);
        }
        Ok(())
    }

    fn list(&self, pattern: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let shelf = self.shelf()?;
        let kept = shelf.uses.values().rev().filter_map(|(key, id)| Some((*key, shelf.find(key, *id)?)));
        let wanted =
            kept.filter(|(_, kept)| pattern.is_none_or(|pattern| glob::matches(pattern, kept.entry.url.as_str())));
        let listed =
            |(key, kept): (Key, &Kept)| Listed { stored: kept.stored(), key, size: kept.size, used: kept.used };
        Ok(wanted.map(listed).take(limit).collect())
    }

    fn clear(&self, pattern: Option<&str>) -> Result<u64, StoreError> {
        let hit = |entry: &Entry| pattern.is_none_or(|pattern| glob::matches(pattern, entry.url.as_str()));
        Ok(self.shelf()?.remove_all(hit))
    }

    fn prune(&self, now: Timestamp) -> Result<u64, StoreError> {
        Ok(self.shelf()?.remove_all(|entry| dead_at(entry) < now))
    }

    fn stats(&self) -> Result<Stats, StoreError> {
        let shelf = self.shelf()?;
        Ok(Stats {
            entries: shelf.uses.len() as u64,
            body_bytes: shelf.entries.values().flatten().map(|kept| kept.body.len() as u64).sum(),
            total_bytes: shelf.bytes,
            bound_bytes: self.max_bytes,
        })
    }

    fn close(&self) {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        *shelf = Shelf { closed: true, ..Shelf::default() };
    }
}

impl Shelf {
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
        gone.iter().for_each(|(key, id)| self.remove(key, *id));
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
