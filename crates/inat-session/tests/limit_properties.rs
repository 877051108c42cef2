//! Whatever happens in whatever order, no window ever holds too many departures, measured in real time.
#![allow(clippy::unwrap_used, clippy::unreachable, reason = "tests")]

use std::time::Duration;

use inat_session::Clock;
use inat_session::limit::{Ask, Confirmed, Ledger, Limits, MemoryLedger, Reserved, Slot, SqliteLedger, Window};
use proptest::prelude::*;

const PROCESSES: usize = 3;

#[derive(Clone, Debug)]
enum Event {
    /// A process reserves.
    Reserve(usize),
    /// One that holds a slot sends, if its time has come.
    Send(usize),
    /// One that holds a slot gives up.
    GiveUp(usize),
    /// A process is killed, with all its slots, and starts again.
    Kill(usize),
    /// Time passes, in milliseconds.
    Pass(u32),
    /// Somebody sets the wall clock, by so many seconds.
    SetClock(i32),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        6 => (0..PROCESSES).prop_map(Event::Reserve),
        6 => (0usize..100).prop_map(Event::Send),
        2 => (0usize..100).prop_map(Event::GiveUp),
        1 => (0..PROCESSES).prop_map(Event::Kill),
        4 => (0u32..3000).prop_map(Event::Pass),
        1 => prop_oneof![Just(3600), Just(-3600), Just(40_000_000), Just(-40_000_000), -10i32..10].prop_map(Event::SetClock),
    ];
    prop::collection::vec(event, 1..120)
}

fn limits() -> impl Strategy<Value = Limits> {
    (1u32..4, 1u32..5, 3u32..12).prop_map(|(per_second, burst, per_minute)| Limits {
        per_second: f64::from(per_second),
        burst,
        per_minute: f64::from(per_minute),
        ..Limits::unlimited()
    })
}

/// Runs the events; returns when requests were sent, in the machine's real time.
fn run(clock: &Clock, windows: &[Window], events: &[Event], open: impl Fn() -> Box<dyn Ledger>) -> Vec<Duration> {
    let ask = Ask::new("b", windows);
    let mut ledgers: Vec<Box<dyn Ledger>> = (0..PROCESSES).map(|_| open()).collect();
    let mut waiting: Vec<(usize, Slot, Duration)> = Vec::new();
    let mut sent = Vec::new();
    for event in events {
        match *event {
            Event::Reserve(process) => {
                let Reserved::Slot(slot) = ledgers[process].reserve(&ask).unwrap() else { continue };
                waiting.push((process, slot, clock.monotonic() + slot.wait));
            }
            Event::Send(which) => {
                let due: Vec<usize> =
                    (0..waiting.len()).filter(|index| waiting[*index].2 <= clock.monotonic()).collect();
                let Some(index) = due.get(which % due.len().max(1)) else { continue };
                let (process, slot, _) = waiting[*index];
                match ledgers[process].confirm(&ask, &slot).unwrap() {
                    Confirmed::Go { .. } => {
                        waiting.remove(*index);
                        sent.push(clock.monotonic());
                    }
                    Confirmed::Gone => drop(waiting.remove(*index)),
                    Confirmed::Early { wait } => waiting[*index].2 = clock.monotonic() + wait,
                }
            }
            Event::GiveUp(which) if !waiting.is_empty() => {
                let (process, slot, _) = waiting.remove(which % waiting.len());
                ledgers[process].release("b", &slot, false).unwrap();
            }
            Event::GiveUp(_) => {}
            Event::Kill(process) => {
                waiting.retain(|(owner, ..)| *owner != process);
                ledgers[process] = open();
            }
            Event::Pass(millis) => clock.advance(Duration::from_millis(millis.into())),
            Event::SetClock(seconds) => {
                let step = Duration::from_secs(seconds.unsigned_abs().into());
                let now = clock.now();
                clock.set(if seconds < 0 { now.minus(step) } else { now.plus(step) });
            }
        }
    }
    sent
}

fn check(windows: &[Window], sent: &[Duration]) -> Result<(), TestCaseError> {
    for window in windows {
        for start in sent {
            let count = sent.iter().filter(|at| *at >= start && **at < *start + window.length).count() as u64;
            prop_assert!(count <= window.limit, "{count} in a window of {window:?} from {start:?}: {sent:?}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn on_file(limits in limits(), events in events()) {
        let (clock, folder, windows) = (Clock::manual(), tempfile::tempdir().unwrap(), limits.windows(false));
        let path = folder.path().join("ratelimit.db");
        let sent = run(&clock, &windows, &events, || Box::new(SqliteLedger::at(&path, clock.clone())));
        check(&windows, &sent)?;
    }

    #[test]
    fn in_memory(limits in limits(), events in events()) {
        // One process only: a kill would forget everything.
        let (clock, windows) = (Clock::manual(), limits.windows(false));
        let events: Vec<Event> = events
            .into_iter()
            .filter(|event| !matches!(event, Event::Kill(_)))
            .map(|event| if let Event::Reserve(_) = event { Event::Reserve(0) } else { event })
            .collect();
        let sent = run(&clock, &windows, &events, || Box::new(MemoryLedger::new(clock.clone())));
        check(&windows, &sent)?;
    }

    /// With nobody killed, late or giving up, every slot there is gets used: exact in both directions.
    #[test]
    fn nothing_is_wasted(limits in limits(), count in 1usize..60) {
        let (clock, windows) = (Clock::manual(), limits.windows(false));
        let ledger = MemoryLedger::new(clock.clone());
        let ask = Ask::new("b", &windows);
        let mut sent: Vec<Duration> = Vec::new();
        for next in 0..count {
            let Reserved::Slot(slot) = ledger.reserve(&ask).unwrap() else { unreachable!("nobody is refused") };
            let at = clock.monotonic() + slot.wait;
            let legal = |at: Duration| windows.iter().all(|window| {
                let before = usize::try_from(window.limit).ok().and_then(|limit| next.checked_sub(limit));
                before.is_none_or(|before| at >= sent[before] + window.length + window.margin)
            });
            prop_assert!(legal(at));
            prop_assert!(slot.wait.is_zero() || sent.last() == Some(&at) || !legal(at.saturating_sub(Duration::from_micros(1))));
            sent.push(at);
        }
    }
}
