//! A time that does not jump when somebody sets the clock.
//!
//! A window is a stretch of real time, but all that processes share is the wall clock, which people and NTP set. So a ledger
//! keeps a time of its own, `wall clock + offset`, and changes the offset when the wall clock jumped, so that its own time goes
//! on as if nothing had happened: set back an hour, nobody waits an hour; set ahead a year, no window is suddenly empty.
//!
//! Who notices a jump? A running process compares with its monotonic clock. A new one compares with the time since the machine
//! started, where the system tells it (Linux). Where neither is known, after a restart of the machine or in a new process on
//! another system, the wall clock is believed forwards, and backwards only down to the last time seen. Suspend is real time on
//! Linux; elsewhere a process takes it for a jump, which makes a wait longer, never a window too full.

/// Differences up to here are noise: two clocks are not read at the same moment. No more
/// than the margin of a one-second window, the narrowest there is.
const NOISE: i64 = 20_000;
/// The time since the start comes in hundredths of a second, and so does that of the start.
const COARSE: i64 = 20_000;

/// What the ledger has written down about its time. All in microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// Ledger's time minus wall clock.
    pub(super) offset: i64,
    /// The latest time seen, to about a second.
    pub(super) seen: i64,
    /// The start of the machine, by name, and the ledger's time at it.
    pub(super) start: Option<(String, i64)>,
}

/// What a process remembers: the ledger's time, and its own at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Witness {
    pub(super) ledger: i64,
    pub(super) monotonic: i64,
}

/// The time at once, when nothing jumped; `None` asks for [`settle`].
pub(super) fn quick(offset: i64, wall: i64, monotonic: i64, witness: Option<Witness>) -> Option<i64> {
    let witness = witness?;
    let told = wall.saturating_add(offset);
    let felt = witness.felt(monotonic);
    (told.abs_diff(felt) <= NOISE.unsigned_abs()).then(|| told.max(witness.ledger))
}

/// The time when something jumped, or nothing is remembered; with what is to be written down from now on.
pub(super) fn settle(
    kept: &Kept,
    wall: i64,
    monotonic: i64,
    uptime: Option<(String, i64)>,
    witness: Option<Witness>,
) -> (i64, Kept) {
    let told = wall.saturating_add(kept.offset);
    let since_start = match (&uptime, &kept.start) {
        (Some((name, up)), Some((known, at_start))) if name == known => Some(at_start.saturating_add(*up)),
        _ => None,
    };
    let felt = witness.map(|witness| witness.felt(monotonic));
    let now = match (since_start, felt) {
        // Nothing is more exact, where the machine was not suspended meanwhile.
        (Some(real), Some(felt)) if felt.abs_diff(real) <= COARSE.unsigned_abs() => felt,
        (Some(real), _) if told.abs_diff(real) <= COARSE.unsigned_abs() => told,
        (Some(real), _) => real,
        (None, Some(felt)) => felt,
        (None, None) => told,
    };
    let now = now.max(kept.seen).max(witness.map_or(i64::MIN, |witness| witness.ledger));
    let start = match (uptime, since_start) {
        (_, Some(real)) if real.abs_diff(now) <= COARSE.unsigned_abs() => kept.start.clone(),
        (Some((name, up)), _) => Some((name, now.saturating_sub(up))),
        (None, _) => kept.start.clone(),
    };
    (now, Kept { offset: now.saturating_sub(wall), seen: now, start })
}

impl Witness {
    fn felt(self, monotonic: i64) -> i64 {
        self.ledger.saturating_add(monotonic.saturating_sub(self.monotonic).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;
    const YEAR: i64 = 31_536_000 * S;

    fn kept(start: Option<(&str, i64)>) -> Kept {
        Kept { offset: 0, seen: 1000 * S, start: start.map(|(name, at)| (name.to_owned(), at)) }
    }

    fn up(name: &str, at: i64) -> (String, i64) {
        (name.to_owned(), at)
    }

    #[test]
    fn a_running_process_feels_a_jump() {
        let witness = Some(Witness { ledger: 1000 * S, monotonic: 7 * S });
        assert_eq!(quick(0, 1003 * S, 10 * S, witness), Some(1003 * S));
        assert_eq!(quick(0, 1003 * S + NOISE, 10 * S, witness), Some(1003 * S + NOISE));
        for step in [YEAR, -YEAR, 3600 * S, -3600 * S, S, -S] {
            let wall = 1003 * S + step;
            assert_eq!(quick(0, wall, 10 * S, witness), None);
            let (now, after) = settle(&kept(None), wall, 10 * S, None, witness);
            assert_eq!((now, after.offset), (1003 * S, -step), "step of {step}");
            let witness = Some(Witness { ledger: now, monotonic: 10 * S });
            assert_eq!(quick(after.offset, wall + S, 11 * S, witness), Some(1004 * S));
        }
    }

    #[test]
    fn a_new_process_asks_the_machine() {
        for step in [0, YEAR, -YEAR, 3600 * S, -3600 * S] {
            let (now, after) = settle(&kept(Some(("a", 900 * S))), 1010 * S + step, 0, Some(up("a", 110 * S)), None);
            assert_eq!((now, after.offset), (1010 * S, -step), "step of {step}");
            assert_eq!(after.start, Some(("a".to_owned(), 900 * S)));
        }
    }

    #[test]
    fn a_small_step_is_one_too() {
        let start = kept(Some(("a", 900 * S)));
        let witness = Some(Witness { ledger: 1000 * S, monotonic: 7 * S });
        // The time since the start is a little off, as it always is.
        for (step, off) in [(30_000, 8_000), (-30_000, -8_000), (45_000, -8_000), (-45_000, 8_000)] {
            let (wall, up_to) = (1003 * S + step, up("a", 103 * S + off));
            assert_eq!(quick(0, wall, 10 * S, witness), None);
            let (now, after) = settle(&start, wall, 10 * S, Some(up_to.clone()), witness);
            assert_eq!((now, after.offset, after.start), (1003 * S, -step, start.start.clone()), "step of {step}");
            let (now, _) = settle(&start, wall, 0, Some(up_to), None);
            assert_eq!(now, 1003 * S + off, "a new process, step of {step}");
        }
    }

    #[test]
    fn suspend_is_real_time() {
        let witness = Some(Witness { ledger: 1000 * S, monotonic: 7 * S });
        let (now, after) = settle(&kept(Some(("a", 900 * S))), 29_800 * S, 7 * S, Some(up("a", 28_900 * S)), witness);
        assert_eq!((now, after.offset), (29_800 * S, 0));
    }

    #[test]
    fn after_a_restart_the_wall_clock_is_believed_but_not_backwards() {
        let before = kept(Some(("a", 900 * S)));
        let (now, after) = settle(&before, 5000 * S, 0, Some(up("b", 10 * S)), None);
        assert_eq!((now, after.offset, after.start), (5000 * S, 0, Some(up("b", 4990 * S))));
        let (now, after) = settle(&before, 500 * S, 0, Some(up("b", 10 * S)), None);
        assert_eq!((now, after.offset, after.start), (1000 * S, 500 * S, Some(up("b", 990 * S))));
        let (now, _) = settle(&before, 500 * S, 0, None, None);
        assert_eq!(now, 1000 * S);
    }
}
