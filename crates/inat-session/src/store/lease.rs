//! When a lease on fetching a key binds others.

use std::time::Duration;

use crate::Timestamp;

/// Who fetches, and until when the others wait for that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) holder: u64,
    pub(super) until: Timestamp,
}

/// A lease that reaches much further than the one asked for was written under a wrong clock.
const SLACK: Duration = Duration::from_secs(60);

/// The latest end that is believed, of a lease seen by one who would take it until `until`.
pub(super) fn horizon(now: Timestamp, until: Timestamp) -> Timestamp {
    until.plus(until.since(now)).plus(SLACK)
}

/// Whether a lease until `held` keeps others from taking one now until `until`.
pub(super) fn binds(held: Timestamp, now: Timestamp, until: Timestamp) -> bool {
    held > now && held <= horizon(now, until)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_binds_until_it_runs_out_and_never_from_a_wrong_clock() {
        let now = Timestamp::from_secs(1000);
        let until = Timestamp::from_secs(1030);
        for (held, expected) in [(999, false), (1000, false), (1001, true), (1100, true), (9999, false)] {
            assert_eq!(binds(Timestamp::from_secs(held), now, until), expected, "{held}");
        }
    }
}
