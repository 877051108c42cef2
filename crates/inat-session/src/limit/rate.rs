//! Rates become windows: "at most so many in so long".
//!
//! The numbers are those of the original: a rate is turned into a fraction with a denominator of at most 1000, and `n/d` per
//! interval means `n` in `d` intervals. So 0.5 a second with a burst of 5 is 5 in 10 s, and a third is 5 in 15 s.

use std::fmt;
use std::time::Duration;

use super::limits::Rates;
use crate::timestamp::micros;

/// The highest rate taken. Beyond it a limit is no limit.
pub(super) const HIGHEST: f64 = 1e9;

const DAY: u64 = 86_400;

/// One limit: at most `limit` departures in any stretch of `length`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Which setting it comes from.
    pub name: WindowName,
    /// How many; at least one.
    pub limit: u64,
    /// In how long.
    pub length: Duration,
    /// How much longer it is kept, against jitter.
    pub margin: Duration,
}

/// Which setting a window comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WindowName {
    /// `per_second` with `burst`.
    Second,
    /// `per_minute`.
    Minute,
    /// `per_hour`.
    Hour,
    /// `per_day`.
    Day,
    /// `per_month`, 30 days.
    Month,
}

impl fmt::Display for WindowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        })
    }
}

impl Window {
    /// A window with its margin: at most `most`, and at most a fiftieth of the length, so that it costs at most 2 %.
    pub fn new(name: WindowName, limit: u64, length: Duration, most: Duration) -> Self {
        Self { name, limit: limit.max(1), length, margin: most.min(length / 50) }
    }

    /// How far apart two departures of one lane must be, in microseconds (see `schedule`).
    pub(crate) fn spacing(&self) -> i64 {
        micros(self.length).saturating_add(micros(self.margin))
    }

    /// How late a request may leave after its slot: a quarter of the margin, the rest is the network's.
    pub(crate) fn grace(&self) -> Duration {
        self.margin / 4
    }
}

/// The windows of these rates, the shortest first. Equal lengths stay apart: with a burst of 60, both the second's and the
/// minute's limit hold.
pub(super) fn windows(rates: &Rates, margin: Duration) -> Vec<Window> {
    let burst = rates.burst.max(1);
    let named = [
        (WindowName::Second, rates.per_second * f64::from(burst), u64::from(burst)),
        (WindowName::Minute, rates.per_minute, 60),
        (WindowName::Hour, rates.per_hour, 3600),
        (WindowName::Day, rates.per_day, DAY),
        (WindowName::Month, rates.per_month, 30 * DAY),
    ];
    let mut windows: Vec<Window> =
        named.into_iter().filter_map(|(name, limit, seconds)| window(name, limit, seconds, margin)).collect();
    windows.sort_by_key(|window| window.length);
    windows
}

fn window(name: WindowName, limit: f64, seconds: u64, margin: Duration) -> Option<Window> {
    if !limit.is_finite() || limit <= 0.0 {
        return None;
    }
    let (count, intervals) = limit_denominator(limit.min(HIGHEST * HIGHEST), 1000);
    let length = Duration::from_secs(seconds.saturating_mul(intervals));
    if count > 0 {
        return Some(Window::new(name, count, length, margin));
    }
    // Less than one in a thousand intervals has no such fraction, and must not become "never": it is one in a long while.
    let length = Duration::try_from_secs_f64((Duration::from_secs(seconds).as_secs_f64() / limit).min(1e10));
    Some(Window::new(name, 1, length.unwrap_or(Duration::from_secs(10_000_000_000)), margin))
}

/// The fraction closest to `value` with a denominator of at most `most`, by continued fractions; what Python's
/// `Fraction.limit_denominator` does. `value` is finite and not negative.
fn limit_denominator(value: f64, most: u64) -> (u64, u64) {
    let (mut numerator, mut denominator) = exact(value);
    let most = u128::from(most);
    if denominator <= most {
        return (narrow(numerator), narrow(denominator));
    }
    let (whole_n, whole_d) = (numerator, denominator);
    let (mut p0, mut q0, mut p1, mut q1) = (0u128, 1u128, 1u128, 0u128);
    loop {
        let a = numerator / denominator;
        let q2 = q0 + a * q1;
        if q2 > most {
            break;
        }
        (p0, q0, p1, q1) = (p1, q1, p0 + a * p1, q2);
        (numerator, denominator) = (denominator, numerator % denominator);
        if denominator == 0 {
            break;
        }
    }
    let k = (most - q0) / q1;
    let (p2, q2) = (p0 + k * p1, q0 + k * q1);
    // Of the two candidates the closer one, and the simpler one when they are equally close.
    #[allow(clippy::cast_precision_loss, reason = "only the order of two distances matters")]
    let off = |p: u128, q: u128| (p as f64 / q as f64 - whole_n as f64 / whole_d as f64).abs();
    if off(p1, q1) <= off(p2, q2) { (narrow(p1), narrow(q1)) } else { (narrow(p2), narrow(q2)) }
}

/// A float as the fraction it is, as far as 2⁻⁶⁰: every rate that means anything.
fn exact(value: f64) -> (u128, u128) {
    let (mut scaled, mut denominator) = (value, 1u128);
    while scaled.fract() != 0.0 && denominator < 1 << 60 {
        scaled *= 2.0;
        denominator *= 2;
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive number, at most 1e18 · 2^60"
    )]
    let numerator = scaled as u128;
    (numerator, denominator)
}

fn narrow(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Limits;

    fn plain(limits: &Limits) -> Vec<(u64, u64)> {
        limits.windows(false).iter().map(|window| (window.limit, window.length.as_secs())).collect()
    }

    fn only(per_second: f64, burst: u32) -> Limits {
        Limits { per_second, burst, ..Limits::unlimited() }
    }

    #[test]
    fn the_numbers_of_the_original() {
        assert_eq!(plain(&Limits::default()), [(5, 5), (60, 60), (10_000, 86_400)]);
        assert_eq!(plain(&only(0.5, 5)), [(5, 10)]);
        assert_eq!(plain(&only(1.0 / 3.0, 5)), [(5, 15)]);
        assert_eq!(plain(&only(1.0 / 3.0, 1)), [(1, 3)]);
        assert_eq!(plain(&only(2.0, 60)), [(120, 60)]);
        assert_eq!(plain(&only(0.1, 1)), [(1, 10)]);
        assert_eq!(plain(&only(0.7, 1)), [(7, 10)]);
        assert_eq!(plain(&Limits { per_day: 60.0, ..Limits::unlimited() }), [(60, 86_400)]);
        assert_eq!(plain(&Limits { per_hour: 100.0, ..Limits::unlimited() }), [(100, 3600)]);
        assert_eq!(plain(&Limits { per_month: 0.123_456, ..Limits::unlimited() }), [(10, 81 * 2_592_000)]);
        assert_eq!(plain(&Limits::unlimited()), []);
    }

    #[test]
    fn equal_lengths_both_hold() {
        let limits = Limits { per_second: 2.0, burst: 60, per_minute: 60.0, ..Limits::unlimited() };
        assert_eq!(plain(&limits), [(120, 60), (60, 60)]);
    }

    #[test]
    fn a_tiny_rate_is_not_never() {
        assert_eq!(plain(&only(0.000_01, 1)), [(1, 100_000)]);
        assert_eq!(plain(&only(f64::MIN_POSITIVE, 1)), [(1, 10_000_000_000)]);
    }

    #[test]
    fn margins_cost_at_most_two_percent() {
        for window in Limits::default().windows(false) {
            assert!(window.margin <= window.length / 50 && window.margin <= Duration::from_millis(250));
        }
        assert_eq!(only(20.0, 1).windows(false)[0].margin, Duration::from_millis(20));
    }
}
