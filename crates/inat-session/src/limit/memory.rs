//! A ledger in memory: the same promises within one process, for tests, for places without a disk, and for sessions without
//! limits, which still obey the server's refusals.
//!
//! Its time is the process's own, which nobody can set.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::book::{self, Tape, span};
use super::bytes::{self, ByteAsk, ByteSlot, Minute, ReservedBytes};
use super::ledger::{Account, Ask, Confirmed, Ledger, LedgerError, Reserved, Slot};
use super::penalty::{Penalty, Standing};
use super::refresh;
use crate::Clock;
use crate::timestamp::micros;

/// A ledger that ends with the process.
#[derive(Debug)]
pub struct MemoryLedger {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    buckets: HashMap<String, Slots>,
    bytes: HashMap<String, BTreeMap<i64, u64>>,
    versions: HashMap<String, Vec<(u32, i64)>>,
    closed: bool,
}

/// The slots of one bucket; `first` is the number of the oldest one kept.
#[derive(Debug, Default)]
pub(super) struct Slots {
    first: u64,
    at: VecDeque<i64>,
    standing: Standing,
    lost_at: Option<i64>,
}

impl MemoryLedger {
    /// An empty ledger on this clock.
    pub fn new(clock: Clock) -> Self {
        Self { clock, state: Mutex::default() }
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, LedgerError> {
        // A panic elsewhere leaves whole slots behind, never half ones.
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.closed { Err(LedgerError::Closed) } else { Ok(state) }
    }

    fn now(&self) -> i64 {
        micros(self.clock.monotonic())
    }

    fn with<T>(
        &self,
        bucket: &str,
        work: impl FnOnce(&mut Slots, i64) -> Result<T, Infallible>,
    ) -> Result<T, LedgerError> {
        let mut state = self.state()?;
        let now = self.now();
        if !state.buckets.contains_key(bucket) {
            state.buckets.insert(bucket.to_owned(), Slots::default());
        }
        let Some(slots) = state.buckets.get_mut(bucket) else { return Err(LedgerError::Closed) };
        match work(slots, now) {
            Ok(done) => Ok(done),
            Err(never) => match never {},
        }
    }
}

impl Tape for Slots {
    type Error = Infallible;

    fn standing(&mut self) -> Result<Standing, Infallible> {
        Ok(self.standing)
    }

    fn set_standing(&mut self, standing: &Standing) -> Result<(), Infallible> {
        self.standing = *standing;
        Ok(())
    }

    fn newest(&mut self) -> Result<Option<u64>, Infallible> {
        Ok((self.first + self.at.len() as u64).checked_sub(1).filter(|_| !self.at.is_empty()))
    }

    fn oldest(&mut self) -> Result<Option<u64>, Infallible> {
        Ok((!self.at.is_empty()).then_some(self.first))
    }

    fn at(&mut self, seq: u64) -> Result<Option<i64>, Infallible> {
        Ok(self.index(seq).and_then(|index| self.at.get(index).copied()))
    }

    fn put(&mut self, seq: u64, at: i64) -> Result<(), Infallible> {
        match self.index(seq).and_then(|index| self.at.get_mut(index)) {
            Some(slot) => *slot = at,
            None => self.at.push_back(at),
        }
        Ok(())
    }

    fn remove(&mut self, _seq: u64) -> Result<(), Infallible> {
        self.at.pop_back(); // Only the last one is ever removed.
        Ok(())
    }

    fn forget(&mut self, _from: u64, to: u64, cutoff: i64) -> Result<(), Infallible> {
        while self.first < to && self.at.len() > 1 && self.at.front().is_some_and(|at| *at < cutoff) {
            self.at.pop_front();
            self.first += 1;
        }
        Ok(())
    }

    fn lost_at(&mut self) -> Result<Option<i64>, Infallible> {
        Ok(self.lost_at)
    }
}

impl Slots {
    /// None, but that some were lost at this instant.
    pub(super) fn lost(at: i64) -> Self {
        Self { lost_at: Some(at), ..Self::default() }
    }

    fn index(&self, seq: u64) -> Option<usize> {
        seq.checked_sub(self.first).and_then(|index| usize::try_from(index).ok())
    }
}

impl Ledger for MemoryLedger {
    fn reserve(&self, ask: &Ask<'_>) -> Result<Reserved, LedgerError> {
        self.with(ask.bucket, |slots, now| book::reserve(slots, ask, now))
    }

    fn confirm(&self, ask: &Ask<'_>, slot: &Slot) -> Result<Confirmed, LedgerError> {
        self.with(ask.bucket, |slots, now| book::confirm(slots, ask, slot, now))
    }

    fn release(&self, bucket: &str, slot: &Slot, _at_once: bool) -> Result<bool, LedgerError> {
        self.with(bucket, |slots, _| book::release(slots, slot))
    }

    fn forecast(&self, ask: &Ask<'_>, ahead: u64) -> Result<Reserved, LedgerError> {
        self.with(ask.bucket, |slots, now| book::forecast(slots, ask, now, ahead))
    }

    fn refuse(&self, bucket: &str, penalty: &Penalty) -> Result<(Duration, f64), LedgerError> {
        self.with(bucket, |slots, now| {
            slots.standing = slots.standing.refused(penalty, now);
            Ok((span(now, slots.standing.stopped_until), slots.standing.share()))
        })
    }

    fn succeed(&self, bucket: &str) -> Result<f64, LedgerError> {
        self.with(bucket, |slots, now| {
            slots.standing = slots.standing.succeeded(now);
            Ok(slots.standing.share())
        })
    }

    fn reserve_bytes(&self, ask: &ByteAsk<'_>) -> Result<ReservedBytes, LedgerError> {
        let mut state = self.state()?;
        let now = self.now();
        let counted = state.bytes.entry(ask.bucket.to_owned()).or_default();
        counted.retain(|number, _| *number >= bytes::first_minute(now));
        let at = bytes::earliest(&minutes(counted), ask.limits, ask.expected, now);
        let wait = span(now, at);
        if ask.max_wait.is_some_and(|most| wait > most) {
            return Ok(ReservedBytes::TooLong { wait });
        }
        let slot = ByteSlot { minute: bytes::minute_of(at), bytes: ask.expected.unwrap_or(0), wait };
        let minute = counted.entry(slot.minute).or_default();
        *minute = minute.saturating_add(slot.bytes);
        Ok(ReservedBytes::Slot(slot))
    }

    fn forecast_bytes(&self, ask: &ByteAsk<'_>) -> Result<Duration, LedgerError> {
        let state = self.state()?;
        let now = self.now();
        let counted = state.bytes.get(ask.bucket).map(minutes).unwrap_or_default();
        Ok(span(now, bytes::earliest(&counted, ask.limits, ask.expected, now)))
    }

    fn settle_bytes(&self, bucket: &str, slot: &ByteSlot, actual: u64) -> Result<(), LedgerError> {
        let mut state = self.state()?;
        let minute = state.bytes.entry(bucket.to_owned()).or_default().entry(slot.minute).or_default();
        *minute = minute.saturating_sub(slot.bytes).saturating_add(actual);
        Ok(())
    }

    fn refresh_version(&self, endpoint: &str, hold: Duration) -> Result<Option<u32>, LedgerError> {
        let mut state = self.state()?;
        let now = self.now();
        let since = now.saturating_sub(micros(hold));
        state.versions.retain(|_, used| {
            used.retain(|(_, at)| *at > since);
            !used.is_empty()
        });
        let used = state.versions.entry(endpoint.to_owned()).or_default();
        let version = refresh::lowest_free(&used.iter().map(|(version, _)| *version).collect::<Vec<_>>());
        used.push((version, now));
        Ok(Some(version).filter(|version| *version > 0))
    }

    fn buckets(&self) -> Result<Vec<String>, LedgerError> {
        let state = self.state()?;
        let mut names: Vec<String> = state.buckets.keys().chain(state.bytes.keys()).cloned().collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn account(&self, ask: &Ask<'_>) -> Result<Account, LedgerError> {
        let mut account = self.with(ask.bucket, |slots, now| book::account(slots, ask, now))?;
        let state = self.state()?;
        if let Some(counted) = state.bytes.get(ask.bucket) {
            account.bytes = bytes::totals(&minutes(counted), self.now());
        }
        Ok(account)
    }

    fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State { closed: true, ..State::default() };
    }
}

fn minutes(counted: &BTreeMap<i64, u64>) -> Vec<Minute> {
    counted.iter().map(|(number, bytes)| Minute { number: *number, bytes: *bytes }).collect()
}
