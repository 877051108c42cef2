//! Timing calls one by one.

use std::time::{Duration, Instant};

use crate::Fallible;

/// What some time of calling came to.
#[derive(Debug)]
pub struct Timed {
    pub per_second: f64,
    /// Microseconds.
    pub p50: f64,
    /// Microseconds.
    pub p99: f64,
}

/// Calls for about `span`. The argument counts calls, from 0.
pub fn timed(span: Duration, mut call: impl FnMut(usize) -> Fallible<()>) -> Fallible<Timed> {
    let mut stamps = Stamps::new(span);
    while stamps.go_on() {
        call(stamps.calls())?;
        stamps.stamp();
    }
    Ok(stamps.timed())
}

/// The same for calls that are awaited.
pub async fn timed_async(span: Duration, mut call: impl AsyncFnMut(usize) -> Fallible<()>) -> Fallible<Timed> {
    let mut stamps = Stamps::new(span);
    while stamps.go_on() {
        call(stamps.calls()).await?;
        stamps.stamp();
    }
    Ok(stamps.timed())
}

struct Stamps {
    started: Instant,
    last: Instant,
    span: Duration,
    nanos: Vec<u64>,
}

impl Stamps {
    fn new(span: Duration) -> Self {
        let nanos = Vec::with_capacity(1 << 20);
        let now = Instant::now();
        Self { started: now, last: now, span, nanos }
    }

    fn calls(&self) -> usize {
        self.nanos.len()
    }

    fn go_on(&self) -> bool {
        self.nanos.is_empty() || self.last - self.started < self.span
    }

    fn stamp(&mut self) {
        let now = Instant::now();
        self.nanos.push(u64::try_from((now - self.last).as_nanos()).unwrap_or(u64::MAX));
        self.last = now;
    }

    fn timed(mut self) -> Timed {
        let per_second = self.nanos.len() as f64 / (self.last - self.started).as_secs_f64();
        let (p50, p99) = percentiles(&mut self.nanos);
        Timed { per_second, p50, p99 }
    }
}

/// Median and 99th percentile in microseconds.
pub fn percentiles(nanos: &mut [u64]) -> (f64, f64) {
    nanos.sort_unstable();
    let at = |share: f64| {
        let index = (nanos.len() as f64 * share) as usize;
        nanos.get(index.min(nanos.len().saturating_sub(1))).copied().unwrap_or(0) as f64 / 1000.0
    };
    (at(0.5), at(0.99))
}
