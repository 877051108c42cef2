//! Answers over HTTP/2, each watched by itself.
//!
//! Of a connection with one answer at a time the watchman sees when its client stops reading. Over HTTP/2 a client may leave an
//! answer lying and go on with others, and what lies takes room that is everybody's. hyper runs each stream as a task of its
//! own; here such a task ends when its client has taken next to nothing for too long, and the client is told by a reset. The last
//! piece of an answer is out of sight: up to 64 KiB of each may lie in the connection until that ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hyper::rt::Executor;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::Config;
use crate::metrics::Metrics;
use crate::pulse::MIN_PROGRESS;

tokio::task_local! {
    /// The stream whose task this is.
    static OWN: Arc<Flow>;
}

/// What an answer has given to its stream so far.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    bytes: AtomicU64,
    /// Whether the client is who is waited for: not before the answer begins, nor while upstream has nothing.
    is_its_turn: AtomicBool,
}

impl Flow {
    /// The one of this task, which HTTP/1 has none of.
    pub(crate) fn own() -> Option<Arc<Self>> {
        OWN.try_with(Arc::clone).ok()
    }

    /// The stream asked for more; this much was there, or nothing yet.
    pub(crate) fn moved(&self, bytes: Option<usize>) {
        self.bytes.fetch_add(bytes.unwrap_or(0) as u64, Ordering::Relaxed);
        self.is_its_turn.store(bytes.is_some(), Ordering::Relaxed);
    }

    /// Ends when the client has taken too little for too long.
    async fn stands_still(&self, tick: Duration, patience: Duration) {
        let mut tick = interval(tick);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Counted in looks, so that time for which this process did not run is not the client's.
        let (mut marked, mut stood) = (0, Duration::ZERO);
        loop {
            let before = Instant::now();
            tick.tick().await;
            let bytes = self.bytes.load(Ordering::Relaxed);
            if !self.is_its_turn.load(Ordering::Relaxed) || bytes.saturating_sub(marked) >= MIN_PROGRESS {
                (marked, stood) = (bytes, Duration::ZERO);
                continue;
            }
            stood += before.elapsed().min(tick.period());
            if stood > patience {
                return;
            }
        }
    }
}

/// Runs the streams of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    tick: Duration,
    patience: Duration,
    metrics: Arc<Metrics>,
}

impl Streams {
    pub(crate) fn new(config: &Config, metrics: &Arc<Metrics>) -> Self {
        Self { tick: config.tick(), patience: config.stall_timeout, metrics: metrics.clone() }
    }
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let Self { tick, patience, metrics } = self.clone();
        let flow = Arc::new(Flow::default());
        tokio::spawn(OWN.scope(flow.clone(), async move {
            tokio::select! {
                biased;
                () = stream => {}
                () = flow.stands_still(tick, patience) => {
                    metrics.cut_off.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!("an answer that nobody reads was cut off");
                }
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(10);
    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_cut_off_and_nobody_else() {
        let piece = usize::try_from(MIN_PROGRESS).unwrap();
        let over = async |moves: &dyn Fn(&Flow)| {
            let flow = Flow::default();
            let still = flow.stands_still(TICK, PATIENCE);
            let goes_on = async {
                for _ in 0..1000 {
                    moves(&flow);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            };
            tokio::select! {
                () = still => true,
                () = goes_on => false,
            }
        };
        assert!(!over(&|_| {}).await, "its answer has not begun");
        assert!(!over(&|flow| flow.moved(None)).await, "upstream is waited for");
        assert!(!over(&|flow| flow.moved(Some(piece / 50))).await, "it is slow, but goes on");
        assert!(over(&|flow| flow.moved(Some(1))).await);
    }
}
