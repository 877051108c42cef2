//! What all stores mean by variants and resources.

use std::cmp::Reverse;

use super::Stored;
use crate::Timestamp;
use crate::cache::{Entry, Glob};

/// How many variants of one key are kept. A server that varies by `User-Agent` must not fill the cache with one page.
pub(super) const MOST: usize = 16;

/// The order of [`super::Store::variants`]: by arrival (RFC 9111 §4.1 prefers the most recent), then by storing.
pub(super) fn most_recent_first(variants: &mut [Stored]) {
    if variants.len() > 1 {
        variants.sort_by_key(recency);
    }
}

/// What that order goes by.
pub(super) fn recency(stored: &Stored) -> Reverse<(Timestamp, i64)> {
    Reverse((stored.entry.policy.response_time, stored.id))
}

/// The variant that `entry` takes the place of: the one selected by the same request fields, else the oldest when there
/// are too many.
pub(super) fn replaced_by(known: &[Stored], entry: &Entry) -> Option<i64> {
    let twin = known.iter().find(|stored| stored.entry.vary == entry.vary);
    let oldest = || known.iter().min_by_key(|stored| (stored.entry.policy.response_time, stored.id));
    twin.or_else(|| if known.len() < MOST { None } else { oldest() }).map(|stored| stored.id)
}

/// Whether a pattern means an entry.
pub(super) fn is_meant(glob: &Glob, entry: &Entry) -> bool {
    entry.url.parsed().is_some_and(|url| glob.matches(url))
}

/// What an entry takes besides its fields: itself, the table of its fields, the copy of the row that their values share.
const FRAME: usize = 1400;

/// Bytes the metadata of an entry takes in memory, roughly.
pub(super) fn weight(entry: &Entry) -> u64 {
    let fields: usize = entry.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 64).sum();
    (fields + entry.url.as_str().len() + entry.vary.fields.len() * 64 + FRAME) as u64
}
