//! How long to wait between two tries.

use std::time::Duration;

/// Exponential backoff with jitter.
///
/// Before the `n`-th retry it waits `factor · 2^(n−1)` seconds, nothing before the first, and never more than two minutes:
/// with the default factor of 0.5, that is 0, 1, 2, 4, 8 s, as in urllib3.
///
/// ```
/// use inat_session::Backoff;
/// use std::time::Duration;
///
/// let exact = Backoff { factor: 0.5, jitter: 0.0 };
/// let waits: Vec<u64> = (1..=5).map(|n| exact.before_retry(n, 0.0).as_secs()).collect();
/// assert_eq!(waits, [0, 1, 2, 4, 8]);
/// assert_eq!(exact.before_retry(40, 0.0), Backoff::CAP);
/// ```
#[doc(alias = "backoff_factor")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// Seconds; 0.5 by default.
    pub factor: f64,
    /// The largest part that is added at random, so that many clients do not come back at one moment: 0.25 by default,
    /// 0 for the exact series.
    pub jitter: f64,
}

impl Backoff {
    /// No wait is longer, but for its jitter.
    pub const CAP: Duration = Duration::from_secs(120);

    /// The wait before retry number `retry` (from 1). `random` is between 0 and 1.
    pub fn before_retry(&self, retry: u32, random: f64) -> Duration {
        if retry <= 1 {
            return Duration::ZERO;
        }
        let exponent = i32::try_from(retry - 1).unwrap_or(i32::MAX).min(64);
        let seconds = (self.factor * 2f64.powi(exponent)).min(Self::CAP.as_secs_f64());
        let with_jitter = seconds * self.jitter.clamp(0.0, 1.0).mul_add(random.clamp(0.0, 1.0), 1.0);
        Duration::try_from_secs_f64(with_jitter).unwrap_or(Duration::ZERO)
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self { factor: 0.5, jitter: 0.25 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn never_panics_and_stays_below_the_cap_and_its_jitter(factor: f64, jitter: f64, random: f64, retry: u32) {
            let wait = Backoff { factor, jitter }.before_retry(retry, random);
            prop_assert!(wait <= Backoff::CAP * 2);
        }

        #[test]
        fn jitter_adds_a_quarter_at_most(retry in 2u32..20, random in 0.0f64..1.0) {
            let exact = Backoff { factor: 0.5, jitter: 0.0 }.before_retry(retry, random);
            let wait = Backoff::default().before_retry(retry, random);
            prop_assert!(wait >= exact && wait.as_secs_f64() <= exact.as_secs_f64() * 1.25 + 1e-6);
        }
    }
}
