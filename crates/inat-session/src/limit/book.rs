//! Reserving, confirming and handing back, written once for every kind of ledger.
//!
//! A [`Tape`] is one bucket inside one open transaction; the functions here are what happens in it. The rule they keep is
//! explained in `schedule`.

use std::time::Duration;

use super::ledger::{Account, Ask, Confirmed, Reserved, Slot, Why};
use super::penalty::{self, Standing, Stop};
use super::rate::Window;
use super::schedule;
use crate::timestamp::micros;

/// After the file was lost nobody knows what left before. Windows up to this long are waited out; for longer ones the count
/// starts anew, because a day without an answer is worse than a day with at most twice the limit.
pub(super) const LOST: Duration = Duration::from_secs(3600);
/// How many slots one step forgets, and how often a step is made: twice as fast as slots are added.
const PRUNE: u64 = 128;
const PRUNE_EVERY: u64 = 64;
/// Slots are kept at least this long, so that a process with short windows only does not forget what another needs.
const KEEP_AT_LEAST: Duration = Duration::from_secs(86_400 + 3600);

/// One bucket inside an open transaction.
pub(super) trait Tape {
    type Error;
    fn standing(&mut self) -> Result<Standing, Self::Error>;
    fn set_standing(&mut self, standing: &Standing) -> Result<(), Self::Error>;
    fn newest(&mut self) -> Result<Option<u64>, Self::Error>;
    fn oldest(&mut self) -> Result<Option<u64>, Self::Error>;
    fn at(&mut self, seq: u64) -> Result<Option<i64>, Self::Error>;
    /// Writes a slot down, in place of the one of this number.
    fn put(&mut self, seq: u64, at: i64) -> Result<(), Self::Error>;
    fn remove(&mut self, seq: u64) -> Result<(), Self::Error>;
    /// Forgets those of `from..to` that are before `cutoff`.
    fn forget(&mut self, from: u64, to: u64, cutoff: i64) -> Result<(), Self::Error>;
    /// When the file was lost, if it ever was.
    fn lost_at(&mut self) -> Result<Option<i64>, Self::Error>;
}

/// The next slot as planned: its number, its instant, and what put it off.
struct Plan {
    seq: u64,
    at: i64,
    why: Option<Why>,
}

pub(super) fn reserve<T: Tape>(tape: &mut T, ask: &Ask<'_>, now: i64) -> Result<Reserved, T::Error> {
    let mut standing = tape.standing()?;
    let plan = plan(tape, &standing, ask.windows, now)?;
    let reserved = verdict(&plan, &standing, ask, now);
    if !matches!(reserved, Reserved::Slot(_)) || ask.windows.is_empty() {
        return Ok(reserved);
    }
    tape.put(plan.seq, plan.at)?;
    let keep = ask.windows.iter().map(Window::spacing).max().unwrap_or(0).max(micros(KEEP_AT_LEAST));
    if keep > standing.keep {
        standing.keep = keep;
        tape.set_standing(&standing)?;
    }
    if plan.seq.is_multiple_of(PRUNE_EVERY) {
        prune(tape, now.saturating_sub(standing.keep))?;
    }
    Ok(reserved)
}

/// What a reservation would answer at best after `ahead` others.
pub(super) fn forecast<T: Tape>(tape: &mut T, ask: &Ask<'_>, now: i64, ahead: u64) -> Result<Reserved, T::Error> {
    let standing = tape.standing()?;
    let mut plan = plan(tape, &standing, ask.windows, now)?;
    if ahead > 0 {
        let later = schedule::at_best(ask.windows, plan.seq, ahead, plan.at, |seq| tape.at(seq))?;
        plan.not_before(later.window.map(|name| (later.at, Why::Window(name))));
    }
    Ok(verdict(&plan, &standing, ask, now))
}

/// The slot's time has come: what can be said by looking. `None` when it must be moved or handed back, which writes.
pub(super) fn stands<T: Tape>(
    tape: &mut T,
    ask: &Ask<'_>,
    slot: &Slot,
    now: i64,
) -> Result<Option<Confirmed>, T::Error> {
    if tape.at(slot.seq)? != Some(slot.at) {
        return Ok(Some(Confirmed::Gone)); // The file was replaced meanwhile, and this slot is not in it.
    }
    if tape.standing()?.stopped(now).is_some() {
        return Ok(None);
    }
    if now < slot.at {
        return Ok(Some(Confirmed::Early { wait: span(now, slot.at) }));
    }
    let grace = ask.windows.iter().map(|window| micros(window.grace())).min().unwrap_or(i64::MAX);
    Ok((now <= slot.at.saturating_add(grace)).then_some(Confirmed::Go { at: slot.at }))
}

/// The slot's time has come.
pub(super) fn confirm<T: Tape>(tape: &mut T, ask: &Ask<'_>, slot: &Slot, now: i64) -> Result<Confirmed, T::Error> {
    if let Some(verdict) = stands(tape, ask, slot, now)? {
        return Ok(verdict);
    }
    if tape.standing()?.stopped(now).is_some() {
        release(tape, slot)?;
        return Ok(Confirmed::Gone);
    }
    let newest = tape.newest()?.unwrap_or(slot.seq);
    if !schedule::may_move(ask.windows, slot.seq, newest, now, |seq| tape.at(seq))? {
        return Ok(Confirmed::Gone);
    }
    tape.put(slot.seq, now)?;
    Ok(Confirmed::Go { at: now })
}

/// Hands a slot back if it is still the last one.
pub(super) fn release<T: Tape>(tape: &mut T, slot: &Slot) -> Result<bool, T::Error> {
    let last = tape.newest()? == Some(slot.seq) && tape.at(slot.seq)? == Some(slot.at);
    if last {
        tape.remove(slot.seq)?;
    }
    Ok(last)
}

pub(super) fn account<T: Tape>(tape: &mut T, ask: &Ask<'_>, now: i64) -> Result<Account, T::Error> {
    let standing = tape.standing()?;
    let reserved = count_since(tape, now)?;
    let mut used = Vec::with_capacity(ask.windows.len());
    for window in ask.windows {
        let all = count_since(tape, now.saturating_sub(micros(window.length)))?;
        used.push(all.saturating_sub(reserved));
    }
    Ok(Account {
        bucket: ask.bucket.to_owned(),
        used,
        reserved,
        next: forecast(tape, ask, now, 0)?,
        stop: standing.stopped(now).map(|(stop, until)| (stop, span(now, until))),
        share: standing.share(),
        bytes: (0, 0),
    })
}

/// From `now` to a later instant.
pub(super) fn span(now: i64, until: i64) -> Duration {
    Duration::from_micros(u64::try_from(until.saturating_sub(now)).unwrap_or(0))
}

fn plan<T: Tape>(tape: &mut T, standing: &Standing, windows: &[Window], now: i64) -> Result<Plan, T::Error> {
    let newest = tape.newest()?;
    let seq = newest.map_or(0, |newest| newest.saturating_add(1));
    let mut plan = Plan { seq, at: now, why: None };
    plan.not_before(standing.stopped(now).map(|(stop, until)| (until, Why::Stopped(stop))));
    if windows.is_empty() {
        return Ok(plan);
    }
    plan.not_before(lost(tape, windows)?);
    // First come, first served: nobody gets a slot before one that is already given.
    let last = newest.map(|newest| tape.at(newest)).transpose()?.flatten();
    plan.not_before(last.map(|at| (at, Why::Queue)));
    let full = schedule::earliest(windows, seq, plan.at, |seq| tape.at(seq))?;
    plan.not_before(full.window.map(|name| (full.at, Why::Window(name))));
    if standing.share() < 1.0 {
        let slower = penalty::reduced(windows, standing.share());
        let slow = schedule::earliest(&slower, seq, plan.at, |seq| tape.at(seq))?;
        plan.not_before(slow.window.map(|name| (slow.at, Why::Reduced(name))));
    }
    Ok(plan)
}

impl Plan {
    fn not_before(&mut self, reason: Option<(i64, Why)>) {
        if let Some((at, why)) = reason
            && at > self.at
        {
            (self.at, self.why) = (at, Some(why));
        }
    }
}

fn lost<T: Tape>(tape: &mut T, windows: &[Window]) -> Result<Option<(i64, Why)>, T::Error> {
    let Some(lost_at) = tape.lost_at()? else { return Ok(None) };
    let longest = windows.iter().filter(|window| window.length <= LOST).map(Window::spacing).max();
    Ok(longest.map(|longest| (lost_at.saturating_add(longest), Why::Lost)))
}

fn verdict(plan: &Plan, standing: &Standing, ask: &Ask<'_>, now: i64) -> Reserved {
    let wait = span(now, plan.at);
    if let Some((stop, until)) = standing.stopped(now) {
        let left = span(now, until);
        match stop {
            Stop::BlockPage => return Reserved::Blocked { wait: left },
            Stop::Told(status) if ask.max_told.is_some_and(|most| left > most) => {
                return Reserved::Told { wait: left, status };
            }
            _ => {}
        }
    }
    if ask.max_wait.is_some_and(|most| wait > most) {
        return Reserved::TooLong { wait, why: plan.why.unwrap_or(Why::Queue) };
    }
    Reserved::Slot(Slot { seq: plan.seq, at: plan.at, wait, why: plan.why, share: standing.share() })
}

/// Forgets the oldest slots, a few at a time, so that no reservation pays for a day's history.
fn prune<T: Tape>(tape: &mut T, cutoff: i64) -> Result<(), T::Error> {
    let Some(oldest) = tape.oldest()? else { return Ok(()) };
    if tape.at(oldest)?.is_some_and(|at| at < cutoff) {
        tape.forget(oldest, oldest.saturating_add(PRUNE), cutoff)?;
    }
    Ok(())
}

/// How many slots are after `since`, by bisection: slots are in order but for a few that were moved.
fn count_since<T: Tape>(tape: &mut T, since: i64) -> Result<u64, T::Error> {
    let (Some(oldest), Some(newest)) = (tape.oldest()?, tape.newest()?) else { return Ok(0) };
    let (mut low, mut high) = (oldest, newest.saturating_add(1));
    while low < high {
        let middle = low + (high - low) / 2;
        if tape.at(middle)?.is_some_and(|at| at > since) { high = middle } else { low = middle + 1 }
    }
    Ok(newest.saturating_add(1) - low)
}
