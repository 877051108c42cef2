//! Age and freshness (RFC 9111 §4.2).

use std::time::Duration;

use http::{HeaderMap, header};

use super::{Flags, Policy, fields};
use crate::Timestamp;

/// An entry from further ahead than this comes from a clock that was wrong. Nobody knows how old it is.
const CLOCK_SLACK: Duration = Duration::from_secs(60);

/// `corrected_initial_age` of §4.2.3: how old a response was when it arrived.
///
/// `Date` has whole seconds, so `apparent_age` is counted in whole seconds too; else every response would arrive half a
/// second old.
pub(crate) fn initial_age(headers: &HeaderMap, request_time: Timestamp, response_time: Timestamp) -> Duration {
    let apparent_age = match fields::date(headers, &header::DATE, response_time) {
        Some(date) => Timestamp::from_secs(response_time.as_secs()).since(date),
        None => Duration::ZERO,
    };
    let response_delay = response_time.since(request_time);
    let corrected_age_value = fields::age(headers).unwrap_or_default().saturating_add(response_delay);
    apparent_age.max(corrected_age_value)
}

impl Policy {
    /// `current_age` of §4.2.3. It never goes back while `now` goes on.
    pub fn age(&self, now: Timestamp) -> Duration {
        self.initial_age.saturating_add(now.since(self.response_time))
    }

    /// How long it stays fresh: zero when it has expired, `None` when it never will.
    pub fn fresh_for(&self, now: Timestamp) -> Option<Duration> {
        if self.flags.has(Flags::NEVER_EXPIRES) {
            return None;
        }
        let left = self.lifetime.saturating_sub(self.age(now));
        Some(if self.is_from_the_future(now) { Duration::ZERO } else { left })
    }

    /// Whether it has not expired (§4.2). It may still be forbidden to use it unvalidated.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.fresh_for(now) != Some(Duration::ZERO)
    }

    /// How long ago it expired, if it has.
    pub fn staleness(&self, now: Timestamp) -> Duration {
        if self.flags.has(Flags::NEVER_EXPIRES) {
            Duration::ZERO
        } else if self.is_from_the_future(now) {
            Duration::MAX
        } else {
            self.age(now).saturating_sub(self.lifetime)
        }
    }

    /// Whether it may ever be served stale: `must-revalidate` and `no-cache` say no, whoever says yes (§4.2.4, §5.2.2).
    pub fn allows_stale(&self) -> bool {
        !self.flags.has(Flags::MUST_REVALIDATE) && !self.flags.has(Flags::NO_CACHE)
    }

    fn is_from_the_future(&self, now: Timestamp) -> bool {
        self.response_time > now.plus(CLOCK_SLACK)
    }
}
