//! Waiting for a lock, but never for ever.
//!
//! A file lock is let go by the system when its holder dies, but not when its holder is stopped (`Ctrl-Z`, a debugger), and
//! the system's blocking lock has no bound. So it is tried again and again: first at once, giving way to whoever runs, then
//! with short pauses. The pauses do not grow much: with ever longer ones, as in `SQLite`'s own busy handler, who waits longest
//! tries least, and starves (0.08 between the slowest and the fastest of four processes).
//!
//! And whoever lets go of a lock and takes it again at once is always first. So where others were met lately, one gives way
//! now and then ([`Courtesy`]).

use std::time::Duration;

use crate::Clock;

/// How long others may keep a lock before waiting for it is given up.
pub(super) const BOUND: Duration = Duration::from_secs(5);
/// Tries without a pause: a transaction takes about 20 µs, giving way about one. Whoever tries for longer takes the lock from
/// those who pause already, and is first again and again.
const EAGER: u32 = 20;
const SHORT_PAUSE: Duration = Duration::from_micros(100);
const LONG_PAUSE: Duration = Duration::from_millis(1);
const SHORT_PAUSES: u32 = 1000;
/// So often in a row somebody takes a lock that others want: a millisecond or two.
const ROUND: u32 = 64;
/// Others that were met so long ago may be gone.
const LATELY: Duration = Duration::from_millis(100);

/// A wait with a bound that several locks share.
pub(super) struct Patience<'a> {
    clock: &'a Clock,
    started: Duration,
    bound: Duration,
    tries: u32,
}

impl<'a> Patience<'a> {
    pub(super) fn new(clock: &'a Clock, bound: Duration) -> Self {
        Self { clock, started: clock.monotonic(), bound, tries: 0 }
    }

    /// Whether anybody else was met.
    pub(super) fn met_others(&self) -> bool {
        self.tries > 0
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

/// Giving way to others that were met.
#[derive(Debug, Default)]
pub(super) struct Courtesy {
    met: Option<Duration>,
    in_a_row: u32,
}

impl Courtesy {
    /// Before a lock is taken: pauses when it was taken often enough in a row, and others were met lately.
    pub(super) fn give_way(&mut self, clock: &Clock) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.in_a_row < ROUND {
            return;
        }
        self.in_a_row = 0;
        if self.met.is_some_and(|met| clock.monotonic().saturating_sub(met) < LATELY) {
            clock.pause(SHORT_PAUSE);
        }
    }

    /// After a lock was taken, for which others made one wait.
    pub(super) fn met_others(&mut self, clock: &Clock) {
        *self = Self { met: Some(clock.monotonic()), in_a_row: 0 };
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

    #[test]
    fn courtesy_is_for_those_who_were_met() {
        let clock = Clock::manual();
        let paused = |courtesy: &mut Courtesy| {
            let before = clock.monotonic();
            (0..ROUND * 10).for_each(|_| courtesy.give_way(&clock));
            clock.monotonic().saturating_sub(before)
        };
        let mut courtesy = Courtesy::default();
        assert_eq!(paused(&mut courtesy), Duration::ZERO);
        courtesy.met_others(&clock);
        assert_eq!(paused(&mut courtesy), SHORT_PAUSE * 10);
        clock.advance(LATELY);
        assert_eq!(paused(&mut courtesy), Duration::ZERO);
    }
}
