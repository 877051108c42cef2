//! What a refusal of the server does to a bucket: everybody stops, then goes on at half the rate, and recovers slowly.

use std::time::Duration;

use super::rate::Window;
use crate::timestamp::micros;

/// The pace never falls below this share of the limits.
const SLOWEST: f64 = 1.0 / 16.0;
/// How much success brings the full pace back.
const RECOVERY: i64 = 600_000_000;
/// A pause between two successes counts as success up to this long: idle time proves nothing.
const CREDIT: i64 = 60_000_000;
/// The pace applies to windows up to this long. Half of a day's limit would be a day's stop, not half the speed.
const SHORT: Duration = Duration::from_secs(3600);
/// A stop is never written down for longer than this, whatever the server says.
const LONGEST_STOP: Duration = Duration::from_secs(86_400);

/// Why a bucket is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// The server said how long to wait (`Retry-After`), with this status.
    Told(u16),
    /// The server said "too fast" with this status, and not for how long.
    Throttled(u16),
    /// The server showed its block page.
    BlockPage,
}

/// What to do to a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Penalty {
    /// Why.
    pub stop: Stop,
    /// Nothing leaves for this long.
    pub length: Duration,
    /// Whether to go on at half the rate afterwards.
    pub halve: bool,
}

/// What is known about a bucket besides its slots. Times are the ledger's, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Standing {
    pub(super) stopped_until: i64,
    pub(super) stop: Option<Stop>,
    /// The share of the limits right after the last refusal; 1 is all of them.
    pub(super) pace: f64,
    /// Success since then, and up to when it is counted.
    pub(super) credit: i64,
    pub(super) credited_at: i64,
    /// How long slots are kept: the longest window anybody asked for.
    pub(super) keep: i64,
}

impl Default for Standing {
    fn default() -> Self {
        Self { stopped_until: i64::MIN, stop: None, pace: 1.0, credit: 0, credited_at: 0, keep: 0 }
    }
}

impl Standing {
    /// The stop in force, and how long it still lasts.
    pub(super) fn stopped(&self, now: i64) -> Option<(Stop, i64)> {
        self.stop.filter(|_| self.stopped_until > now).map(|stop| (stop, self.stopped_until))
    }

    /// The share of the limits in force: it grows in a straight line with the time of success.
    pub(super) fn share(&self) -> f64 {
        let recovered = self.credit.clamp(0, RECOVERY);
        #[allow(clippy::cast_precision_loss, reason = "at most 6e8")]
        let part = recovered as f64 / RECOVERY as f64;
        (self.pace + (1.0 - self.pace) * part).clamp(SLOWEST, 1.0)
    }

    /// Applies a refusal. Several requests in flight at once bring several refusals of one cause: while the bucket is stopped,
    /// another one may lengthen the stop, but does not halve again.
    #[must_use]
    pub(super) fn refused(mut self, penalty: &Penalty, now: i64) -> Self {
        let until = now.saturating_add(micros(penalty.length.min(LONGEST_STOP)));
        let already = self.stopped(now);
        if penalty.halve && already.is_none() {
            self.pace = (self.share() / 2.0).max(SLOWEST);
            self.credit = 0;
        }
        let page = matches!(already, Some((Stop::BlockPage, _)));
        if already.is_none_or(|(_, end)| until > end) {
            self.stopped_until = until;
            self.stop = Some(if page { Stop::BlockPage } else { penalty.stop });
        } else if penalty.stop == Stop::BlockPage {
            self.stop = Some(Stop::BlockPage);
        }
        self.credited_at = self.stopped_until;
        self
    }

    /// Counts a success.
    #[must_use]
    pub(super) fn succeeded(mut self, now: i64) -> Self {
        if self.pace < 1.0 && now > self.credited_at {
            self.credit += (now - self.credited_at).min(CREDIT);
            self.credited_at = now;
            if self.credit >= RECOVERY {
                (self.pace, self.credit) = (1.0, 0);
            }
        }
        self
    }
}

/// The windows at a reduced pace. They bind besides the full ones, which hold whatever the pace does.
pub(super) fn reduced(windows: &[Window], share: f64) -> Vec<Window> {
    if share >= 1.0 {
        return Vec::new();
    }
    let shortest = windows.iter().map(|window| window.length).min().unwrap_or_default();
    windows.iter().filter(|window| window.length <= SHORT.max(shortest)).map(|window| slower(window, share)).collect()
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "limits are far below 2^53, and positive"
)]
fn slower(window: &Window, share: f64) -> Window {
    let left = window.limit as f64 * share;
    if left >= 1.0 {
        return Window { limit: left.floor() as u64, ..*window };
    }
    // Less than one in the window: one in a longer window.
    Window { limit: 1, length: window.length.mul_f64((1.0 / left).min(1e6)), ..*window }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::WindowName;

    const SECOND: i64 = 1_000_000;

    fn throttled() -> Penalty {
        Penalty { stop: Stop::Throttled(429), length: Duration::from_secs(60), halve: true }
    }

    fn share_after(standing: Standing) -> i32 {
        #[allow(clippy::cast_possible_truncation, reason = "a share in percent")]
        let percent = (standing.share() * 100.0).round() as i32;
        percent
    }

    #[test]
    fn one_cause_halves_once() {
        let first = Standing::default().refused(&throttled(), 0);
        assert_eq!((share_after(first), first.stopped_until), (50, 60 * SECOND));
        let second = first.refused(&throttled(), SECOND);
        assert_eq!((share_after(second), second.stopped_until), (50, 61 * SECOND));
        let third = second.refused(&throttled(), 62 * SECOND);
        assert_eq!(share_after(third), 25);
        let mut low = third;
        for round in 1..20 {
            low = low.refused(&throttled(), round * 1000 * SECOND);
        }
        assert_eq!(share_after(low), 6);
    }

    #[test]
    fn ten_minutes_of_success_bring_it_back() {
        let mut standing = Standing::default().refused(&throttled(), 0);
        let mut seen = Vec::new();
        for second in 0..=660 {
            standing = standing.succeeded(second * SECOND);
            if second % 60 == 0 {
                seen.push(share_after(standing));
            }
        }
        assert_eq!(seen, [50, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 100]);
        assert!((standing.pace - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn idle_time_is_not_success() {
        let standing = Standing::default().refused(&throttled(), 0).succeeded(10_000 * SECOND);
        assert_eq!(share_after(standing), 55);
    }

    #[test]
    fn the_block_page_outweighs() {
        let page = Penalty { stop: Stop::BlockPage, length: Duration::from_secs(3600), halve: false };
        let standing = Standing::default().refused(&page, 0).refused(&throttled(), SECOND);
        assert_eq!(standing.stopped(SECOND), Some((Stop::BlockPage, 3600 * SECOND)));
        let standing = Standing::default().refused(&throttled(), 0).refused(&page, SECOND);
        assert_eq!(standing.stopped(SECOND), Some((Stop::BlockPage, 3601 * SECOND)));
    }

    #[test]
    fn a_year_is_cut_to_a_day() {
        let year = Penalty { stop: Stop::Told(503), length: Duration::from_secs(31_536_000), halve: false };
        assert_eq!(Standing::default().refused(&year, 0).stopped_until, 86_400 * SECOND);
    }

    #[test]
    fn half_the_rate() {
        let margin = Duration::from_millis(250);
        let seconds = Duration::from_secs;
        let windows = [
            Window::new(WindowName::Second, 5, seconds(5), margin),
            Window::new(WindowName::Minute, 60, seconds(60), margin),
            Window::new(WindowName::Day, 10_000, seconds(86_400), margin),
        ];
        let limits = |share| reduced(&windows, share).iter().map(|w| (w.limit, w.length)).collect::<Vec<_>>();
        assert_eq!(limits(1.0), []);
        assert_eq!(limits(0.5), [(2, seconds(5)), (30, seconds(60))]);
        assert_eq!(limits(0.1), [(1, seconds(10)), (6, seconds(60))]);
        let day = [Window::new(WindowName::Day, 100, seconds(86_400), margin)];
        assert_eq!(reduced(&day, 0.5)[0].limit, 50);
    }
}
