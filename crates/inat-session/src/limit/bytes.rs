//! The byte budget of media hosts.
//!
//! Bodies are counted by the minute they were asked for in, so a day is at most 1,441 numbers however many photos it holds. A
//! minute counts until its *last* moment has left the window: the budget is exact, and up to a minute stricter than it must be.
//! How long a body will be is known when the head of the answer is here: it is reserved then, before the body is read, and
//! corrected by what was really read. Before the request is sent, there has to be room for anything at all.

use std::time::Duration;

use super::limits::ByteLimits;

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// What is asked of the byte budget.
#[derive(Clone, Copy, Debug)]
pub struct ByteAsk<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// Its limits.
    pub limits: ByteLimits,
    /// The length the body is expected to have; `None` when nobody knows, which waits only while a window is full.
    pub expected: Option<u64>,
    /// The longest wait; beyond it nothing is reserved.
    pub max_wait: Option<Duration>,
}

/// Bytes reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSlot {
    /// The minute they count in, in the ledger's own time.
    pub minute: i64,
    /// How many.
    pub bytes: u64,
    /// How long it is until they may be asked for.
    pub wait: Duration,
}

/// The answer to a reservation of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservedBytes {
    /// Written down.
    Slot(ByteSlot),
    /// The wait would be longer than allowed. Nothing was written down.
    TooLong {
        /// How long it would be.
        wait: Duration,
    },
}

/// How many bytes one minute took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Minute {
    pub(super) number: i64,
    pub(super) bytes: u64,
}

/// The minutes that may matter now start here.
pub(super) fn first_minute(now: i64) -> i64 {
    now.saturating_sub(DAY).div_euclid(MINUTE)
}

/// The minute an instant is in.
pub(super) fn minute_of(at: i64) -> i64 {
    at.div_euclid(MINUTE)
}

/// The first instant at which `expected` more bytes fit into every window. `minutes` is in order. More than a whole window
/// fits when the window is empty: one body larger than the limit is put off, not refused.
pub(super) fn earliest(minutes: &[Minute], limits: ByteLimits, expected: Option<u64>, now: i64) -> i64 {
    let hour = fits(minutes, HOUR, limits.per_hour, expected, now);
    let day = fits(minutes, DAY, limits.per_day, expected, now);
    hour.max(day)
}

fn fits(minutes: &[Minute], length: i64, limit: u64, expected: Option<u64>, now: i64) -> i64 {
    if limit == 0 {
        return now;
    }
    // A body of unknown length needs room for a byte.
    let wanted = expected.unwrap_or(1).min(limit);
    let gone = |minute: &Minute| (minute.number + 1).saturating_mul(MINUTE).saturating_add(length);
    let live = || minutes.iter().filter(|minute| minute.bytes > 0 && gone(minute) > now);
    let mut used: u64 = live().fold(0, |sum, minute| sum.saturating_add(minute.bytes));
    // Bytes promised for later count as well, so nobody is let in before them.
    let mut at = live().map(|minute| minute.number.saturating_mul(MINUTE)).max().unwrap_or(now).max(now);
    for minute in live() {
        if used.saturating_add(wanted) <= limit {
            break;
        }
        used -= minute.bytes.min(used);
        at = at.max(gone(minute));
    }
    at
}

/// The bytes of the last hour and of the last day.
pub(super) fn totals(minutes: &[Minute], now: i64) -> (u64, u64) {
    let since = |length: i64| {
        let live =
            minutes.iter().filter(|minute| (minute.number + 1).saturating_mul(MINUTE) > now.saturating_sub(length));
        live.fold(0u64, |sum, minute| sum.saturating_add(minute.bytes))
    };
    (since(HOUR), since(DAY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: ByteLimits = ByteLimits { per_hour: 1000, per_day: 3000 };

    fn at(minute: i64) -> i64 {
        minute * MINUTE
    }

    #[test]
    fn a_full_hour_waits_for_its_oldest_minute() {
        let minutes = [Minute { number: 0, bytes: 600 }, Minute { number: 10, bytes: 400 }];
        assert_eq!(earliest(&minutes, LIMITS, Some(1), at(20)), at(61));
        assert_eq!(earliest(&minutes, LIMITS, Some(600), at(20)), at(61));
        assert_eq!(earliest(&minutes, LIMITS, Some(601), at(20)), at(71));
        assert_eq!(earliest(&minutes, LIMITS, None, at(20)), at(61));
        assert_eq!(earliest(&minutes, LIMITS, Some(2000), at(20)), at(71));
        assert_eq!(earliest(&minutes, LIMITS, Some(5000), at(20)), at(24 * 60 + 11));
        assert_eq!(earliest(&[], LIMITS, Some(5000), at(20)), at(20));
    }

    #[test]
    fn zero_is_no_limit() {
        let minutes = [Minute { number: 0, bytes: u64::MAX }];
        assert_eq!(earliest(&minutes, ByteLimits { per_hour: 0, per_day: 0 }, Some(u64::MAX), at(1)), at(1));
    }

    proptest! {
        #[test]
        fn no_window_is_ever_overfull(asks in prop::collection::vec((0i64..90, 1u64..900), 1..80)) {
            let (mut now, mut minutes) = (0i64, Vec::<Minute>::new());
            let mut sent: Vec<(i64, u64)> = Vec::new();
            for (pause, bytes) in asks {
                now += pause * MINUTE / 3;
                let when = earliest(&minutes, LIMITS, Some(bytes), now);
                prop_assert!(when >= now);
                let number = minute_of(when);
                match minutes.iter_mut().find(|minute| minute.number == number) {
                    Some(minute) => minute.bytes += bytes,
                    None => minutes.push(Minute { number, bytes }),
                }
                sent.push((when, bytes));
            }
            for (end, _) in &sent {
                for (length, limit) in [(HOUR, LIMITS.per_hour), (DAY, LIMITS.per_day)] {
                    let sum: u64 = sent.iter().filter(|(at, _)| *at > end - length && at <= end).map(|(_, b)| b).sum();
                    prop_assert!(sum <= limit, "{sum} bytes in the window that ends at {end}");
                }
            }
        }
    }
}
