//! What this process has changed on servers, and when: an answer that was on its way meanwhile may be older than the change,
//! and must not be kept as if it were not.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;
use url::Url;

use crate::cache::resource_of;

/// So many resources are remembered; a write names up to fifty.
const MOST: usize = 4096;

/// Numbers writes, in the order in which they were answered.
pub(crate) struct Writes {
    count: AtomicU64,
    last: LazyLock<Cache<String, u64>>,
}

impl Default for Writes {
    fn default() -> Self {
        Self { count: AtomicU64::new(0), last: LazyLock::new(|| Cache::new(MOST)) }
    }
}

impl Writes {
    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Notes one that made these resources outdated; its number.
    pub(super) fn note(&self, resources: &[String]) -> u64 {
        let number = self.count.fetch_add(1, Ordering::AcqRel) + 1;
        for resource in resources {
            self.last.insert(resource.clone(), number);
        }
        number
    }

    /// The number of the last one that concerned this URL; 0 for none. Most programs never write.
    pub(crate) fn last(&self, url: &Url) -> u64 {
        if self.count() == 0 { 0 } else { self.last.get(&resource_of(url)).unwrap_or_default() }
    }
}
