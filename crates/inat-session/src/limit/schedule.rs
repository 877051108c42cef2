//! When may the next request leave? The whole argument that a limit holds is in this file.
//!
//! Number the departures of a bucket 0, 1, 2, … and picture a window "at most `limit` in any stretch of `length`" as `limit`
//! lanes. Departure `n` uses lane `n mod limit`, so the one before it in its lane is `n − limit`. There is one rule:
//!
//! ```text
//! at[n] ≥ at[n − limit] + length + margin            for every window
//! ```
//!
//! **Why the limit holds.** Take any stretch of `length`. Two departures of one lane are farther apart than that, so each lane
//! has at most one departure in it; there are `limit` lanes, so it has at most `limit` departures. Nothing else is needed:
//! not even that the instants are in order.
//!
//! **Why each step keeps the rule.** Every step below runs alone (one write transaction), on a time that never runs backwards:
//! - *Reserving* appends departure `n` at the first instant that satisfies the rule in every window ([`earliest`]), and writes
//!   it down before anything is sent. A process that dies afterwards leaves a slot used that was not: never one too many.
//! - *Handing back* removes the last departure only. No later one was computed from it.
//! - *Moving* a slot to a later instant, because its owner woke up late, is done only where the rule still holds towards the
//!   next departure of each of its lanes ([`may_move`]); else the slot stays used, and its owner reserves another.
//! - *Forgetting* a departure older than the longest window changes nothing: the rule it enters is already satisfied.
//!
//! **What the margin is for.** A slot is an instant on paper; the request leaves a moment later and arrives later still. Its
//! owner asks once more when the time has come, and is let go within a quarter of the margin ([`Window::grace`]); later, it has to
//! move its slot. So in one lane two are let go at least `length + 3/4 margin` apart, and arrive at least `length` apart as long
//! as what each takes from there to the server differs by less than the rest.

use super::rate::{Window, WindowName};

/// The first legal instant, and which window put it off that far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Earliest {
    pub(super) at: i64,
    pub(super) window: Option<WindowName>,
}

/// The first instant, not before `from`, at which departure `next` satisfies the rule in every window. `at` looks up the
/// instant of an earlier departure, `None` when it is forgotten.
pub(super) fn earliest<E>(
    windows: &[Window],
    next: u64,
    from: i64,
    mut at: impl FnMut(u64) -> Result<Option<i64>, E>,
) -> Result<Earliest, E> {
    let mut found = Earliest { at: from, window: None };
    for window in windows {
        let Some(same_lane) = next.checked_sub(window.limit) else { continue };
        let Some(before) = at(same_lane)? else { continue };
        let free = before.saturating_add(window.spacing());
        if free > found.at {
            found = Earliest { at: free, window: Some(window.name) };
        }
    }
    Ok(found)
}

/// Before this instant departure `next + ahead` cannot leave, when departure `next` cannot before `from` and all those between
/// are still to come: as often as its lane is used until then, a window passes. It may well be later, so this is for telling
/// people, and for refusing a wait that is too long at best; nothing is reserved by it.
pub(super) fn at_best<E>(
    windows: &[Window],
    next: u64,
    ahead: u64,
    from: i64,
    mut at: impl FnMut(u64) -> Result<Option<i64>, E>,
) -> Result<Earliest, E> {
    let mut found = Earliest { at: from, window: None };
    for window in windows {
        let rounds = i64::try_from(ahead / window.limit).unwrap_or(i64::MAX);
        // The last one in its lane that is written down, always one of the newest `limit`.
        let same_lane = next.saturating_add(ahead % window.limit).checked_sub(window.limit);
        let before = same_lane.map(&mut at).transpose()?.flatten();
        let first = before.map_or(from, |before| before.saturating_add(window.spacing()).max(from));
        let best = first.saturating_add(window.spacing().saturating_mul(rounds));
        if best > found.at {
            found = Earliest { at: best, window: Some(window.name) };
        }
    }
    Ok(found)
}

/// Whether departure `seq` may be moved to the later instant `to`, `newest` being the last departure written down.
pub(super) fn may_move<E>(
    windows: &[Window],
    seq: u64,
    newest: u64,
    to: i64,
    mut at: impl FnMut(u64) -> Result<Option<i64>, E>,
) -> Result<bool, E> {
    for window in windows {
        let same_lane = seq.saturating_add(window.limit);
        if same_lane > newest {
            continue;
        }
        match at(same_lane)? {
            Some(after) if after >= to.saturating_add(window.spacing()) => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}
