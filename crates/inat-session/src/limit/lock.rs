//! Waiting for a lock, but never for ever.
//!
//! A file lock is let go by the system when its holder dies, but not when its holder is stopped (`Ctrl-Z`, a debugger), and
//! the system's blocking lock has no bound. So it is tried again and again: first at once, giving way to whoever runs, then
//! with short pauses. The pauses do not grow much: with ever longer ones, as in `SQLite`'s own busy handler, who waits longest
//! tries least, and starves (0.08 between the slowest and the fastest of four processes).

use std::time::Duration;

use crate::Clock;

/// How long others may keep a lock before waiting for it is given up.
pub(super) const BOUND: Duration = Duration::from_secs(5);
/// Tries without a pause: a transaction takes about 20 µs, giving way about one.
const EAGER: u32 = 200;
const SHORT_PAUSE: Duration = Duration::from_micros(100);
const LONG_PAUSE: Duration = Duration::from_millis(1);
const SHORT_PAUSES: u32 = 100;

/// A wait with a bound that several locks share.
pub(super) struct Patience<'a> {
    clock: &'a Clock,
    started: Duration,
    bound: Duration,
    tries: u32,
    mended: bool,
}

impl<'a> Patience<'a> {
    pub(super) fn new(clock: &'a Clock, bound: Duration) -> Self {
        Self { clock, started: clock.monotonic(), bound, tries: 0, mended: false }
    }

    /// Whether a mend may be tried: once per wait.
    pub(super) fn may_mend(&mut self) -> bool {
        !std::mem::replace(&mut self.mended, true)
    }

    /// Gives others time before the next try; `false` when the bound is reached.
    pub(super) fn pause(&mut self) -> bool {
        self.tries = self.tries.saturating_add(1);
        if self.clock.monotonic().saturating_sub(self.started) >= self.bound {
            return false;
        }
        if self.tries <= EAGER {
            std::thread::yield_now();
            return true;
        }
        self.clock.pause(if self.tries <= EAGER + SHORT_PAUSES { SHORT_PAUSE } else { LONG_PAUSE });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends() {
        let clock = Clock::manual();
        let before = clock.monotonic();
        let mut patience = Patience::new(&clock, BOUND);
        while patience.pause() {}
        let waited = clock.monotonic().saturating_sub(before);
        assert!(waited >= BOUND && waited < BOUND * 2, "{waited:?}");
        assert!(!Patience::new(&clock, Duration::ZERO).pause());
    }
}
