//! Numbers for Prometheus. Counting is a few atomic additions, because hits are counted too.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::StatusCode;

use crate::status::Outcome;

/// Upper bounds of the buckets of the histogram, in seconds.
const BOUNDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];
/// Three-digit statuses.
const STATUSES: usize = 900;

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// By outcome and status.
    requests: Vec<AtomicU64>,
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) in_flight: AtomicI64,
    pub(crate) waiting: AtomicI64,
    pub(crate) connections: AtomicI64,
    pub(crate) turned_away: AtomicU64,
    pub(crate) cut_off: AtomicU64,
    pub(crate) upstream_requests: AtomicU64,
    pub(crate) upstream_faults: AtomicU64,
    pub(crate) upstream_bytes: AtomicU64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: std::iter::repeat_with(AtomicU64::default).take(STATUSES * Outcome::ALL.len()).collect(),
            buckets: Default::default(),
            micros: AtomicU64::default(),
            sent: AtomicU64::default(),
            received: AtomicU64::default(),
            in_flight: AtomicI64::default(),
            waiting: AtomicI64::default(),
            connections: AtomicI64::default(),
            turned_away: AtomicU64::default(),
            cut_off: AtomicU64::default(),
            upstream_requests: AtomicU64::default(),
            upstream_faults: AtomicU64::default(),
            upstream_bytes: AtomicU64::default(),
        }
    }
}

/// One more, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Gauge<'a>(&'a AtomicI64);

impl<'a> Gauge<'a> {
    pub(crate) fn up(gauge: &'a AtomicI64) -> Self {
        gauge.fetch_add(1, Ordering::Relaxed);
        Self(gauge)
    }
}

impl Drop for Gauge<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request under way, until its answer is through.
#[derive(Debug)]
pub(crate) struct Counted {
    metrics: Arc<Metrics>,
}

impl Counted {
    pub(crate) fn sent(&self, bytes: usize) {
        self.metrics.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.metrics.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    pub(crate) fn begin(self: &Arc<Self>) -> Counted {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Counted { metrics: self.clone() }
    }

    /// The answer of a request that came at `started` begins.
    pub(crate) fn answered(&self, outcome: Outcome, status: StatusCode, started: Instant) {
        let at = outcome as usize * STATUSES + usize::from(status.as_u16() - 100);
        if let Some(count) = self.requests.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let elapsed = started.elapsed();
        let bucket = BOUNDS.iter().position(|bound| elapsed.as_secs_f64() <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The text Prometheus reads (exposition format 0.0.4).
    pub(crate) fn text(&self) -> String {
        let mut text = String::with_capacity(4096);
        text.push_str("# HELP inat_requests_total Requests answered, by status and by what the cache did.\n");
        text.push_str("# TYPE inat_requests_total counter\n");
        for (row, outcome) in self.requests.chunks(STATUSES).zip(Outcome::ALL) {
            for (count, status) in row.iter().zip(100..) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let cache = outcome.as_str();
                    let _ = writeln!(text, "inat_requests_total{{status=\"{status}\",cache=\"{cache}\"}} {count}");
                }
            }
        }
        self.histogram(&mut text);
        let counters = [
            ("sent_bytes", "Bytes of bodies sent to clients.", &self.sent),
            ("received_bytes", "Bytes of bodies received from clients.", &self.received),
            (
                "upstream_requests",
                "Requests sent upstream, retries and revalidations included.",
                &self.upstream_requests,
            ),
            ("upstream_faults", "Requests upstream that got no whole answer.", &self.upstream_faults),
            ("upstream_bytes", "Bytes of bodies received from upstream.", &self.upstream_bytes),
            ("connections_turned_away", "Connections refused because there were too many.", &self.turned_away),
            (
                "connections_cut_off",
                "Connections, and answers over HTTP/2, ended because their client was too slow.",
                &self.cut_off,
            ),
        ];
        for (name, help, count) in counters {
            let count = count.load(Ordering::Relaxed);
            let _ = writeln!(
                text,
                "# HELP inat_{name}_total {help}\n# TYPE inat_{name}_total counter\ninat_{name}_total {count}"
            );
        }
        let gauges = [
            ("requests_in_flight", "Requests whose answer is not through yet.", &self.in_flight),
            ("requests_waiting", "Requests that wait for an answer: for a slot, for upstream.", &self.waiting),
            ("connections", "Connections that are open.", &self.connections),
        ];
        for (name, help, gauge) in gauges {
            let gauge = gauge.load(Ordering::Relaxed);
            let _ = writeln!(text, "# HELP inat_{name} {help}\n# TYPE inat_{name} gauge\ninat_{name} {gauge}");
        }
        text
    }

    fn histogram(&self, text: &mut String) {
        text.push_str("# HELP inat_request_duration_seconds Time until the answer began.\n");
        text.push_str("# TYPE inat_request_duration_seconds histogram\n");
        let mut sum = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            sum += count.load(Ordering::Relaxed);
            let bound = BOUNDS.get(at).map_or_else(|| "+Inf".to_owned(), ToString::to_string);
            let _ = writeln!(text, "inat_request_duration_seconds_bucket{{le=\"{bound}\"}} {sum}");
        }
        let seconds = Duration::from_micros(self.micros.load(Ordering::Relaxed)).as_secs_f64();
        let _ =
            writeln!(text, "inat_request_duration_seconds_sum {seconds}\ninat_request_duration_seconds_count {sum}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_come_out_where_they_went_in() {
        let metrics = Arc::new(Metrics::default());
        let counted = metrics.begin();
        counted.sent(7);
        metrics.answered(Outcome::Hit, StatusCode::OK, Instant::now());
        metrics.answered(Outcome::Refused, StatusCode::from_u16(999).unwrap(), Instant::now());
        let text = metrics.text();
        for line in [
            "inat_requests_total{status=\"200\",cache=\"hit\"} 1",
            "inat_requests_total{status=\"999\",cache=\"refused\"} 1",
            "inat_sent_bytes_total 7",
            "inat_requests_in_flight 1",
            "inat_request_duration_seconds_count 2",
            "inat_request_duration_seconds_bucket{le=\"+Inf\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        drop(counted);
        assert!(metrics.text().contains("inat_requests_in_flight 0\n"));
    }
}
