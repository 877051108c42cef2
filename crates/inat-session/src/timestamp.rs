//! A moment on the wall clock, in microseconds, with arithmetic that cannot fail.
//!
//! `SystemTime + Duration` panics on overflow, and servers do send `max-age=99999999999999`. Here every sum saturates.

use std::fmt;
use std::time::{Duration, SystemTime};

/// Microseconds since the Unix epoch. Sums and differences saturate; nothing here panics.
///
/// ```
/// use inat_session::Timestamp;
/// use std::time::Duration;
///
/// let noon = Timestamp::from_secs(1_700_000_000);
/// assert_eq!(noon.plus(Duration::from_secs(5)).since(noon), Duration::from_secs(5));
/// assert_eq!(noon.since(noon.plus(Duration::from_secs(5))), Duration::ZERO);
/// assert_eq!(noon.plus(Duration::MAX), Timestamp::MAX);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The latest moment there is; a lifetime that never ends reaches to it.
    pub const MAX: Self = Self(i64::MAX);
    /// The Unix epoch, 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// This moment, by the system's clock.
    pub fn now() -> Self {
        crate::Clock::system().now()
    }

    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole seconds since the epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The moment `duration` later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }

    /// The moment `duration` earlier.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Microseconds of a duration, saturating.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => Self(micros(after)),
            Err(before) => Self(micros(before.duration()).saturating_neg()),
        }
    }
}

impl From<Timestamp> for SystemTime {
    /// A moment that the system's clock cannot show is the nearest it is sure to.
    fn from(at: Timestamp) -> Self {
        const LAST: Duration = Duration::from_secs(253_402_300_799); // The end of the year 9999.
        let distance = Duration::from_micros(at.0.unsigned_abs());
        let moment =
            if at.0 < 0 { Self::UNIX_EPOCH.checked_sub(distance) } else { Self::UNIX_EPOCH.checked_add(distance) };
        moment.unwrap_or(if at.0 < 0 { Self::UNIX_EPOCH } else { Self::UNIX_EPOCH + LAST })
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, to the second; a moment beyond the calendar prints as `never`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.as_secs()) {
            Ok(moment) => write!(f, "{moment}"),
            Err(_) => f.write_str("never"),
        }
    }
}
