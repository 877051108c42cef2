//! What this process has changed on servers, and when: an answer that was on its way meanwhile may be older than the change,
//! and must not be kept as if it were not.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use quick_cache::sync::Cache;
use url::Url;

use crate::cache::resource_of;

/// So many resources are remembered; a write names up to fifty.
const MOST: usize = 4096;

/// Numbers writes, in the order in which they were answered.
pub(crate) struct Writes {
    count: AtomicU64,
    last: LazyLock<Cache<String, u64>>,
    /// Held while one is noted, so that of two at once the later stays noted.
    noting: Mutex<()>,
}

/// A write among others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    /// Its number.
    pub(crate) number: u64,
    /// That of the one before it to the same resource; 0 for none.
    pub(crate) before: u64,
}

impl Default for Writes {
    fn default() -> Self {
        Self { count: AtomicU64::new(0), last: LazyLock::new(|| Cache::new(MOST)), noting: Mutex::default() }
    }
}

impl Writes {
    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Notes one to this URL that made these resources outdated.
    pub(super) fn note(&self, url: &Url, resources: &[String]) -> Write {
        let _noting = self.noting.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.last(url);
        let number = self.count.fetch_add(1, Ordering::AcqRel) + 1;
        for resource in resources {
            self.last.insert(resource.clone(), number);
        }
        Write { number, before }
    }

    /// The number of the last one that concerned this URL; 0 for none. Most programs never write.
    pub(crate) fn last(&self, url: &Url) -> u64 {
        if self.count() == 0 { 0 } else { self.last.get(&resource_of(url)).unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_knows_the_one_before_it_to_the_same_resource() {
        let writes = Writes::default();
        let url = |text: &str| text.parse::<Url>().unwrap();
        let note = |text: &str| writes.note(&url(text), &[resource_of(&url(text))]);
        assert_eq!(note("http://h/a"), Write { number: 1, before: 0 });
        assert_eq!(note("http://h/b"), Write { number: 2, before: 0 });
        assert_eq!(note("http://h/a?q=1"), Write { number: 3, before: 1 });
        assert_eq!((writes.count(), writes.last(&url("http://h/b")), writes.last(&url("http://h/c"))), (3, 2, 0));
    }
}
