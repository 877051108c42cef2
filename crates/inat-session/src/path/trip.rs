//! One caller's way along the path: how often it was tried, how long it took, and how long it may still take.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::cache::Trouble;
use crate::event::{About, Listener};
use crate::limit::{self, Patience, Permit, Refusal};
use crate::parts::Core;
use crate::prepare::Prepared;
use crate::retry::Tried;
use crate::secret::mask_url;
use crate::stage::Stage;
use crate::{Error, Kind, Options, Timestamp};

/// A way along the path, with what has been spent on it.
#[derive(Clone)]
pub(super) struct Trip {
    core: Arc<Core>,
    started: Duration,
    /// Requests sent.
    pub(super) attempts: u32,
    /// Tries that failed, not counting those that were throttled.
    pub(super) failures: u32,
    /// Time spent waiting for slots.
    pub(super) waited: Duration,
    /// Since when the server has been throttling without a break.
    pub(super) throttled_since: Option<Duration>,
    /// How many writes this process had answers to when the last request was sent.
    pub(super) writes: u64,
    /// How the server failed when it was asked last, if it did.
    pub(super) trouble: Option<Trouble>,
}

impl Trip {
    pub(super) fn start(core: &Arc<Core>) -> Self {
        Self {
            started: core.clock.monotonic(),
            core: core.clone(),
            attempts: 0,
            failures: 0,
            waited: Duration::ZERO,
            throttled_since: None,
            writes: 0,
            trouble: None,
        }
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(super) fn now(&self) -> Timestamp {
        self.core.clock.now()
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.core.clock.monotonic().saturating_sub(self.started)
    }

    pub(super) fn listener(&self) -> &Listener {
        &self.core.listener
    }

    /// An error with all that is known about this trip.
    pub(super) fn error(&self, stage: Stage, prepared: &Prepared, kind: Kind) -> Error {
        Error::new(stage, kind)
            .about(prepared.method.as_str(), mask_url(&prepared.url))
            .after(self.attempts, self.elapsed())
    }

    /// What is left of the deadline, if the request has one.
    pub(super) fn left(&self, prepared: &Prepared) -> Option<Duration> {
        Some(prepared.options.deadline?.saturating_sub(self.elapsed()))
    }

    pub(super) fn past_deadline(&self, stage: Stage, prepared: &Prepared) -> Error {
        self.error(stage, prepared, Kind::Deadline(prepared.options.deadline.unwrap_or_default()))
    }

    /// Takes a slot of the budget, and waits until it has come. Where bytes are counted, there has to be room for some.
    pub(super) async fn wait_for_slot(&mut self, prepared: &Prepared) -> Result<Permit, Error> {
        let patience = self.patience(prepared)?;
        let timeouts = self.core.timeout.of(&prepared.method, prepared.options.timeout);
        self.core.transport().get_ready(&prepared.url, prepared.options.verify, timeouts);
        let limiter = &self.core.limiter;
        let tell = |wait: &_| self.tell_wait(prepared.into(), wait);
        let taken = async {
            let bytes = limiter.reserve_bytes(&prepared.url, None, patience, &tell).await?;
            let slot = limiter.acquire(&prepared.url, patience, &tell).await?;
            Ok((bytes.waited.saturating_add(slot.waited), slot))
        };
        match taken.await {
            Ok((waited, permit)) => {
                self.waited = self.waited.saturating_add(waited);
                Ok(permit)
            }
            Err(refusal) => {
                if let Refusal::RetryAfter { status, .. } = refusal {
                    self.trouble = StatusCode::from_u16(status).ok().map(Trouble::Status);
                }
                Err(self.refusal(prepared, refusal))
            }
        }
    }

    /// How long this request is ready to wait.
    pub(super) fn patience(&self, prepared: &Prepared) -> Result<Patience, Error> {
        let left = self.left(prepared);
        if left == Some(Duration::ZERO) {
            return Err(self.past_deadline(Stage::Limit, prepared));
        }
        Ok(self.patience_of(&prepared.options))
    }

    pub(super) fn patience_of(&self, options: &Options) -> Patience {
        let left = options.deadline.map(|deadline| deadline.saturating_sub(self.elapsed()));
        Patience { max_delay: options.max_delay, until: left.map(|left| self.now().plus(left)) }
    }

    /// How long the caller waits for a slot at most.
    pub(super) fn max_delay(&self, prepared: &Prepared) -> Option<Duration> {
        prepared.options.max_delay.into_iter().chain(self.core().limiter.limits().max_delay).min()
    }

    pub(super) fn tell_wait(&self, about: About<'_>, wait: &limit::Wait) {
        let pause = wait.until.since(self.now());
        let what = || format!("waits {:.1} s: {}", pause.as_secs_f64(), wait.why);
        self.listener().tell_wait(about, Stage::Limit, Some(pause), what);
    }

    pub(super) fn refusal(&self, prepared: &Prepared, refusal: Refusal) -> Error {
        let kind = match refusal {
            Refusal::TooLong { until } => Kind::Limited { until },
            Refusal::Blocked { until } => Kind::Blocked { until },
            Refusal::RetryAfter { until, .. } => Kind::RetryAfter { until },
            Refusal::Ledger(error) => error.into(),
        };
        self.error(Stage::Limit, prepared, kind)
    }

    /// What the verdict needs to know.
    pub(super) fn tried<'a>(&'a self, prepared: &'a Prepared) -> Tried<'a> {
        Tried {
            method: &prepared.method,
            idempotent: prepared.options.idempotent,
            failures: self.failures,
            max_retries: prepared.options.retries.unwrap_or(self.core.max_retries),
            limit_statuses: &self.core.limiter.limits().limit_statuses,
        }
    }
}
