//! The first layer: the limit per client address, checked before anything looks at the token or the path.
//!
//! iNaturalist counts in its Varnish, per address and before authentication, so cached answers and refused tokens count as well.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::{Duration, SystemTime},
};

use crate::faults::RetryAfter;

const DAY: Duration = Duration::from_secs(86_400);
/// Addresses remembered; loopback has few, and a listener open to a network must not grow for ever.
const ADDRESSES: usize = 4_096;

/// How many requests one address may send. The default is the documented limit: 100 in any 60 seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Throttle {
    /// Requests allowed in any `window`.
    pub limit: u32,
    /// The length of the rolling window.
    pub window: Duration,
    /// Requests allowed in any 24 hours; the one beyond meets the 403 page of a blocked address. No limit by default.
    pub per_day: Option<u32>,
    /// What the 429 says about when to come back.
    pub retry_after: RetryAfter,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { limit: 100, window: Duration::from_secs(60), per_day: None, retry_after: RetryAfter::Absent }
    }
}

impl Throttle {
    /// 55 in any 60 seconds and 10,000 a day: what users report from practice.
    pub fn strict() -> Self {
        Self { limit: 55, per_day: Some(10_000), ..Self::default() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    Throttled,
    Blocked,
}

/// The requests let through, per address. Refused ones do not count.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    passed: HashMap<IpAddr, VecDeque<SystemTime>>,
}

impl Ledger {
    pub(crate) fn admit(&mut self, throttle: &Throttle, who: IpAddr, now: SystemTime) -> Verdict {
        if self.passed.len() >= ADDRESSES && !self.passed.contains_key(&who) {
            self.passed.clear();
        }
        let passed = self.passed.entry(who).or_default();
        let remembered = if throttle.per_day.is_some() { DAY.max(throttle.window) } else { throttle.window };
        while passed.front().is_some_and(|at| age(*at, now) >= remembered) {
            passed.pop_front();
        }
        if throttle.per_day.is_some_and(|limit| passed.len() >= limit as usize) {
            return Verdict::Blocked;
        }
        let recent = passed.iter().rev().take_while(|at| age(**at, now) < throttle.window).count();
        if recent >= throttle.limit as usize {
            return Verdict::Throttled;
        }
        passed.push_back(now);
        Verdict::Pass
    }
}

fn age(at: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv4Addr},
        time::{Duration, UNIX_EPOCH},
    };

    use super::{Ledger, Throttle, Verdict};

    #[test]
    fn a_rolling_window_frees_slots_one_by_one() {
        let throttle = Throttle { limit: 3, ..Throttle::default() };
        let (mut ledger, who) = (Ledger::default(), IpAddr::from(Ipv4Addr::LOCALHOST));
        let mut admit = |ms: u64| ledger.admit(&throttle, who, UNIX_EPOCH + Duration::from_millis(ms));
        for (at, expected) in [
            (0, Verdict::Pass),
            (10_000, Verdict::Pass),
            (20_000, Verdict::Pass),
            (20_001, Verdict::Throttled),
            (59_999, Verdict::Throttled),
            (60_000, Verdict::Pass),
            (60_001, Verdict::Throttled),
            (70_000, Verdict::Pass),
        ] {
            assert_eq!(admit(at), expected, "at {at} ms");
        }
    }

    #[test]
    fn addresses_are_counted_apart_and_the_day_blocks() {
        let throttle = Throttle { limit: 100, per_day: Some(2), ..Throttle::default() };
        let mut ledger = Ledger::default();
        let (one, two) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let at = |hours: u64| UNIX_EPOCH + Duration::from_secs(hours * 3_600);
        assert_eq!(ledger.admit(&throttle, one, at(0)), Verdict::Pass);
        assert_eq!(ledger.admit(&throttle, one, at(1)), Verdict::Pass);
        assert_eq!(ledger.admit(&throttle, one, at(23)), Verdict::Blocked);
        assert_eq!(ledger.admit(&throttle, two, at(23)), Verdict::Pass);
        assert_eq!(ledger.admit(&throttle, one, at(24)), Verdict::Pass);
    }
}
