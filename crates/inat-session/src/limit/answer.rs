//! What the server's answers do to the budget.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use url::Url;

use super::desk::{Desk, off_thread};
use super::limiter::Limiter;
use super::penalty::{Penalty, Stop};
use super::permit::{Outcome, Refusal, Reported, RetryAfter};

/// After a refusal that names no time.
const THROTTLED: Duration = Duration::from_secs(60);
/// `Retry-After: 0` is not taken at its word: several requests in flight would halve the rate several times.
const LEAST_STOP: Duration = Duration::from_secs(1);

impl Limiter {
    /// Tells the budget what became of a request. A refusal stops the bucket for all processes, and slows it down.
    pub async fn report(&self, url: &Url, outcome: Outcome) -> Result<Reported, Refusal> {
        let desk = self.desk(url);
        let Some(penalty) = self.penalty(&desk, outcome) else {
            let share = if desk.slow.load(Ordering::Relaxed) {
                let told = Arc::clone(&desk);
                let share = off_thread(move || told.ledger.succeed(&told.name)).await?;
                desk.slow.store(share < 1.0, Ordering::Relaxed);
                share
            } else {
                1.0
            };
            return Ok(Reported { stopped_until: None, beyond_cap: false, rate_share: share });
        };
        let told = Arc::clone(&desk);
        let (stopped, share) = off_thread(move || told.ledger.refuse(&told.name, &penalty)).await?;
        desk.slow.store(share < 1.0, Ordering::Relaxed);
        let named = matches!(penalty.stop, Stop::Told(_));
        Ok(Reported {
            stopped_until: (!stopped.is_zero()).then(|| self.0.clock.now().plus(stopped)),
            beyond_cap: named && penalty.length > self.0.limits.retry_after_cap,
            rate_share: share,
        })
    }

    fn penalty(&self, desk: &Desk, outcome: Outcome) -> Option<Penalty> {
        let limits = &self.0.limits;
        let (status, retry_after) = match outcome {
            Outcome::Fine => return None,
            Outcome::Blocked => {
                return Some(Penalty { stop: Stop::BlockPage, length: limits.blocked_for, halve: false });
            }
            Outcome::Refused { status, retry_after } => (status, retry_after),
        };
        let halve = limits.limit_statuses.contains(&status);
        match retry_after {
            Some(told) => {
                let length = match told {
                    RetryAfter::In(length) => length,
                    RetryAfter::At(until) => until.since(self.0.clock.now()),
                };
                Some(Penalty { stop: Stop::Told(status.as_u16()), length: length.max(LEAST_STOP), halve })
            }
            None if halve => {
                let smallest = desk.windows.iter().map(|window| window.length).min().unwrap_or_default();
                Some(Penalty { stop: Stop::Throttled(status.as_u16()), length: THROTTLED.max(smallest), halve })
            }
            None => None,
        }
    }
}
