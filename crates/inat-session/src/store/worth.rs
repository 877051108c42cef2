//! Until when an entry can be of any use: pruning removes what is past it.

use std::time::Duration;

use crate::Timestamp;
use crate::cache::{Entry, Flags, resource_of};

/// How long a stale entry with a validator is kept for the 304 it may still earn.
const REVALIDATION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The moment from which on `entry` can neither be fresh, nor be served stale, nor be expected to be revalidated.
pub(super) fn dead_at(entry: &Entry) -> Timestamp {
    let policy = &entry.policy;
    if policy.flags.has(Flags::NEVER_EXPIRES) {
        return Timestamp::MAX;
    }
    let revalidation = if policy.flags.has(Flags::HAS_VALIDATOR) { REVALIDATION } else { Duration::ZERO };
    let allowance = policy.stale_while_revalidate.max(policy.stale_if_error).max(revalidation);
    policy.response_time.plus(policy.lifetime.saturating_sub(policy.initial_age)).plus(allowance)
}

/// The URL without query and fragment, as [`resource_of`] names it: what writing to a resource invalidates.
pub(super) fn resource(entry: &Entry) -> String {
    entry.url.parsed().map(resource_of).unwrap_or_default()
}

/// Whole minutes since the epoch, the grain of "last used".
pub(super) fn minute(at: Timestamp) -> i64 {
    at.as_secs().div_euclid(60)
}
