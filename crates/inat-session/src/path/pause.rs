//! What a refusal or a failure means for this request, and for everybody else who asks the same server.

use std::time::Duration;

use http::{HeaderMap, StatusCode};

use super::trip::Trip;
use crate::limit::{self, RetryAfter};
use crate::prepare::Prepared;
use crate::retry::{Why, retry_after};
use crate::stage::Stage;
use crate::{Error, Kind, Timestamp};

impl Trip {
    /// Waits before the next try of a request that failed.
    pub(super) async fn back_off(
        &mut self,
        prepared: &Prepared,
        why: &Why,
        after: Duration,
        asked: Option<Duration>,
    ) -> Result<(), Error> {
        self.failures += 1;
        self.throttled_since = None;
        if let (Why::Status(status @ StatusCode::SERVICE_UNAVAILABLE), Some(asked)) = (why, asked)
            && !self.core().limiter.limits().limit_statuses.is_empty()
        {
            // A server that says when to come back says it to everybody.
            self.report(prepared, refused(*status, Some(asked))).await?;
        }
        if let Some(asked) = asked {
            self.can_wait(prepared, asked)?;
        }
        let next = self.attempts + 1;
        self.listener().tell_wait(prepared, Stage::Retry, Some(after), || {
            format!("{why}; try {next} in {:.1} s", after.as_secs_f64())
        });
        if self.left(prepared).is_some_and(|left| left <= after) {
            return Err(self.past_deadline(Stage::Retry, prepared));
        }
        self.core().clock.sleep(after).await;
        Ok(())
    }

    /// What the server asks for is waited for up to the cap, and for no longer than the caller waits for a slot.
    fn can_wait(&self, prepared: &Prepared, asked: Duration) -> Result<(), Error> {
        let limits = self.core().limiter.limits();
        let until = self.now().plus(asked);
        if asked > limits.retry_after_cap {
            return Err(self.error(Stage::Retry, prepared, Kind::RetryAfter { until }));
        }
        if self.max_delay(prepared).is_some_and(|most| asked > most) {
            return Err(self.error(Stage::Retry, prepared, Kind::Limited { until }));
        }
        Ok(())
    }

    /// Tells everybody that the server is throttling. The wait itself is the next slot's.
    pub(super) async fn throttled(
        &mut self,
        prepared: &Prepared,
        status: StatusCode,
        asked: Option<Duration>,
    ) -> Result<(), Error> {
        /// A server that throttles for an hour without a break is not going to stop.
        const ENOUGH: Duration = Duration::from_secs(3600);
        let elapsed = self.elapsed();
        let since = *self.throttled_since.get_or_insert(elapsed);
        let until = self.report(prepared, refused(status, asked)).await?;
        if elapsed.saturating_sub(since) >= ENOUGH {
            return Err(self.error(Stage::Retry, prepared, Kind::Limited { until }));
        }
        let pause = until.since(self.now());
        if self.max_delay(prepared).is_none_or(|most| pause <= most) {
            self.listener().tell_wait(prepared, Stage::Retry, Some(pause), || {
                format!("{}: throttled until {until}", status.as_u16())
            });
        }
        Ok(())
    }

    /// The server has shown its block page.
    pub(super) async fn blocked(&self, prepared: &Prepared) -> Error {
        match self.report(prepared, limit::Outcome::Blocked).await {
            Ok(until) => self.error(Stage::Retry, prepared, Kind::Blocked { until }),
            Err(error) => error,
        }
    }

    /// The server has given the answer that stands: as it should, or a refusal that is not retried and that others have to
    /// hear of all the same.
    pub(super) async fn answered(&self, prepared: &Prepared, status: StatusCode, headers: &HeaderMap) {
        let limit_statuses = &self.core().limiter.limits().limit_statuses;
        if limit_statuses.is_empty() {
            // Whoever set it so wants refusals for themselves, and nobody stopped by them.
            return;
        }
        let asked = retry_after(headers, self.now());
        let throttles = limit_statuses.contains(&status);
        let outcome = match (status, asked) {
            _ if throttles => refused(status, asked),
            (StatusCode::SERVICE_UNAVAILABLE, Some(_)) => refused(status, asked),
            _ if status.as_u16() < 400 => limit::Outcome::Fine,
            _ => return,
        };
        if let Err(refusal) = self.core().limiter.report(&prepared.url, outcome).await {
            // The answer is here; that the budget could not be told is not the caller's affair.
            tracing::debug!("the budget was not told of an answer: {refusal}");
        }
    }

    /// Reports how the server refused, to all processes; says from when on it may be asked again. A wait beyond the cap is
    /// the caller's to decide about.
    async fn report(&self, prepared: &Prepared, outcome: limit::Outcome) -> Result<Timestamp, Error> {
        let reported = match self.core().limiter.report(&prepared.url, outcome).await {
            Ok(reported) => reported,
            Err(refusal) => return Err(self.refusal(prepared, refusal)),
        };
        let until = reported.stopped_until.unwrap_or_else(|| self.now());
        if reported.beyond_cap && outcome != limit::Outcome::Blocked {
            return Err(self.error(Stage::Retry, prepared, Kind::RetryAfter { until }));
        }
        Ok(until)
    }
}

fn refused(status: StatusCode, asked: Option<Duration>) -> limit::Outcome {
    limit::Outcome::Refused { status, retry_after: asked.map(RetryAfter::In) }
}
