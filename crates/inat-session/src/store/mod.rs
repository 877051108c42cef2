//! Keeping entries: where they live, for how long, and how many processes share them.
//!
//! A [`Store`] only keeps and finds; what an entry is good for is decided in [`crate::cache`]. Every method is synchronous:
//! reads, leases and [`Store::put_at_once`] take microseconds (unless another process was stopped in the middle of one: then a
//! fifth of a second at most, once a second) and are called where they stand, other writes are called from a thread that may wait.

mod buffer;
mod frame;
mod lease;
mod memory;
mod record;
mod sqlite;
mod tiered;
mod variant;
mod worth;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::Timestamp;
use crate::cache::{Entry, Key};

pub use self::memory::MemoryStore;
pub use self::sqlite::{Config, SqliteStore};
pub use self::tiered::{Coherent, Loaded, TieredStore, Version};

/// One variant as the store holds it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What it is.
    pub entry: Arc<Entry>,
    /// Names this very version of it: a replaced or removed one never gets its number again.
    pub id: i64,
    /// Length of the body in bytes.
    pub body_len: u64,
    /// The body, when the store had it at hand (memory tier); else ask [`Store::body`].
    pub body: Option<Bytes>,
}

/// Why a store could not do what it was asked. Never the caller's fault and never fatal: it costs speed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another program kept it locked for longer than the bound.
    #[error("the cache file was locked for longer than {0:?}")]
    Locked(Duration),
    /// The disk is full, the folder cannot be written, or the file system failed.
    #[error("the cache file cannot be used: {0}")]
    Io(String),
    /// Anything else the database says.
    #[error("the cache database failed: {0}")]
    Database(String),
    /// The body is larger than the store takes.
    #[error("the answer of {size} bytes is larger than the cache takes ({limit})")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The bound in bytes.
        limit: u64,
    },
    /// Somebody has written to the resource since the answer was asked for.
    #[error("the answer is older than a write to the same resource")]
    Outdated,
    /// It only reads.
    #[error("the cache is read-only")]
    ReadOnly,
    /// It was closed ([`Store::close`]).
    #[error("the cache is closed")]
    Closed,
}

/// A place for entries. Safe to share between threads; implementations that share a file are safe between processes too.
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Every variant kept under `key`, the most recent first. A damaged row is left out.
    fn variants(&self, key: &Key, now: Timestamp) -> Result<Vec<Stored>, StoreError>;

    /// The body of a variant; `None` when it was replaced or removed meanwhile, or cannot be read.
    fn body(&self, stored: &Stored) -> Result<Option<Bytes>, StoreError>;

    /// Keeps an entry, in place of the variant of the same key whose `vary` is equal. A store that processes share refuses one
    /// that was asked for before [`Store::invalidate`] named its resource ([`StoreError::Outdated`]).
    fn put(&self, key: &Key, entry: &Entry, body: &Bytes, now: Timestamp) -> Result<(), StoreError>;

    /// The same when it takes microseconds; `None` when it might have to wait for a lock or a disk, and nothing was done.
    fn put_at_once(&self, key: &Key, entry: &Entry, body: &Bytes, now: Timestamp) -> Option<Result<(), StoreError>> {
        let _ = (key, entry, body, now);
        None
    }

    /// Replaces what is known about a variant (after a 304) and leaves the body as it is. `false` when it is gone.
    fn freshen(&self, key: &Key, id: i64, entry: &Entry, now: Timestamp) -> Result<bool, StoreError>;

    /// Removes one variant.
    fn remove(&self, key: &Key, id: i64) -> Result<(), StoreError>;

    /// Removes every entry, of whatever method, query and identity, whose URL without query is one of `resources`.
    fn invalidate(&self, resources: &[String]) -> Result<u64, StoreError>;

    /// Takes the lease on fetching `key` for `holder` until `until`, unless another holder has one that has not run out.
    /// `true` when `holder` has it now.
    fn lease(&self, key: &Key, holder: u64, now: Timestamp, until: Timestamp) -> Result<bool, StoreError>;

    /// Gives a lease back.
    fn release(&self, key: &Key, holder: u64) -> Result<(), StoreError>;

    /// What is kept, for people: entries whose URL matches `pattern` ([`Glob::of_entries`](crate::cache::Glob::of_entries); all
    /// without one), the most recently used first.
    fn list(&self, pattern: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreError>;

    /// Removes the entries whose URL matches `pattern`; all of them without one.
    fn clear(&self, pattern: Option<&str>) -> Result<u64, StoreError>;

    /// Removes what can be of no use any more: expired, and past every allowance to serve it stale or to revalidate it.
    fn prune(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Numbers about the whole.
    fn stats(&self) -> Result<Stats, StoreError>;

    /// Closes files. Later calls fail or miss; they do not panic.
    fn close(&self);
}

/// One line of [`Store::list`].
#[derive(Clone, Debug)]
pub struct Listed {
    /// The variant.
    pub stored: Stored,
    /// Its key.
    pub key: Key,
    /// Bytes on disk (after compression), or in memory.
    pub size: u64,
    /// When it was last used, to the minute.
    pub used: Timestamp,
}

/// Numbers about a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// How many variants are kept.
    pub entries: u64,
    /// Bytes the bodies take, as stored; in a file with their metadata.
    pub body_bytes: u64,
    /// Bytes of the file, or of the memory.
    pub total_bytes: u64,
    /// The bound in bytes.
    pub bound_bytes: u64,
}
