//! Taking a measurement several times, and leaving out what was taken while another machine had the processor.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Fallible;

/// Repetitions with a larger stolen share are dropped.
const TOO_MUCH: f64 = 0.35;

static DROPPED: AtomicUsize = AtomicUsize::new(0);

/// How many repetitions were dropped so far.
pub fn dropped() -> usize {
    DROPPED.load(Ordering::Relaxed)
}

/// Does `once` as often as asked, and as often again for repetitions that were disturbed. The argument counts from 0, so that
/// who goes first can alternate.
pub fn repeat<T>(times: usize, mut once: impl FnMut(usize) -> Fallible<T>) -> Fallible<Vec<T>> {
    let mut taken = Vec::with_capacity(times);
    for attempt in 0..times * 2 {
        let steal = Steal::now();
        let value = once(attempt)?;
        // The last chances are taken as they are: a disturbed measurement beats none.
        let last_chance = times * 2 - attempt <= times - taken.len();
        if steal.share_since() > TOO_MUCH && !last_chance {
            DROPPED.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        taken.push(value);
        if taken.len() == times {
            break;
        }
    }
    Ok(taken)
}

/// The processor's time as `/proc/stat` counts it.
#[derive(Clone, Copy, Debug)]
pub struct Steal {
    stolen: u64,
    all: u64,
}

impl Steal {
    pub fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let line = stat.lines().next().unwrap_or_default();
        // user nice system idle iowait irq softirq steal; the guests' are in the user's already.
        let ticks: Vec<u64> = line.split_whitespace().skip(1).take(8).flat_map(str::parse).collect();
        Self { stolen: ticks.get(7).copied().unwrap_or(0), all: ticks.iter().sum() }
    }

    /// Which share of the time since then other machines had.
    pub fn share_since(self) -> f64 {
        let now = Self::now();
        let all = now.all.saturating_sub(self.all);
        if all == 0 { 0.0 } else { now.stolen.saturating_sub(self.stolen) as f64 / all as f64 }
    }
}

/// Median and extremes.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len().is_multiple_of(2) { (at(middle.wrapping_sub(1)) + at(middle)) / 2.0 } else { at(middle) };
        Self { median, min: at(0), max: at(sorted.len().wrapping_sub(1)) }
    }

    pub fn text(&self, digits: usize) -> String {
        format!("{:.digits$} [{:.digits$}–{:.digits$}]", self.median, self.min, self.max)
    }
}
