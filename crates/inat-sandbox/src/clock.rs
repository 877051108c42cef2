//! The sandbox's clock: the system's, moved on at will, so that a test sees a cached reply age or a window pass without waiting.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead_micros: AtomicU64,
}

impl Clock {
    pub(crate) fn now(&self) -> SystemTime {
        SystemTime::now() + Duration::from_micros(self.ahead_micros.load(Ordering::Relaxed))
    }

    pub(crate) fn advance(&self, by: Duration) {
        // A century at most: beyond it, dates stop being dates.
        let by = u64::try_from(by.as_micros()).unwrap_or(u64::MAX).min(3_155_760_000_000_000);
        self.ahead_micros.fetch_add(by, Ordering::Relaxed);
    }
}

/// Whole seconds since 1970; 0 for a clock set before it.
pub(crate) fn unix_seconds(at: SystemTime) -> i64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
