//! One caller's way along the path: how often it was tried, how long it took, and how long it may still take.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};

use crate::cache::Trouble;
use crate::event::Listener;
use crate::limit::{self, LedgerError, Patience, Refusal, RetryAfter};
use crate::lookup::Question;
use crate::path::Stage;
use crate::prepare::Prepared;
use crate::retry::{Tried, Why, retry_after};
use crate::secret::mask_url;
use crate::session::Core;
use crate::transport::{Body, Fault, Incoming, Outgoing, collect};
use crate::{Error, Kind, Timestamp};

use super::metered::metered;
use super::reply::{Arrived, ArrivedBody, Reply};

/// A way along the path, with what has been spent on it.
#[derive(Clone)]
pub(super) struct Trip {
    core: Arc<Core>,
    started: Duration,
    /// Requests sent.
    pub(super) attempts: u32,
    /// Tries that failed, those that were throttled apart.
    failures: u32,
    /// Time spent waiting for slots.
    pub(super) waited: Duration,
    /// Since when the server has been throttling without a break.
    throttled_since: Option<Duration>,
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
    pub(super) async fn wait_for_slot(&mut self, prepared: &Prepared) -> Result<(), Error> {
        let patience = self.patience(prepared)?;
        let timeouts = self.core.timeout.of(&prepared.method, prepared.options.timeout);
        self.core.transport().get_ready(prepared.options.verify, timeouts);
        let limiter = &self.core.limiter;
        let taken = async {
            let bytes = limiter.reserve_bytes(&prepared.url, None, patience, &|wait| self.tell_wait(wait)).await?;
            let slot = limiter.acquire(&prepared.url, patience, &|wait| self.tell_wait(wait)).await?;
            Ok(bytes.waited.saturating_add(slot.waited))
        };
        match taken.await {
            Ok(waited) => self.waited = self.waited.saturating_add(waited),
            Err(refusal) => {
                if let Refusal::RetryAfter { status, .. } = refusal {
                    self.trouble = StatusCode::from_u16(status).ok().map(Trouble::Status);
                }
                return Err(self.refusal(prepared, refusal));
            }
        }
        Ok(())
    }

    /// How long this request is ready to wait.
    fn patience(&self, prepared: &Prepared) -> Result<Patience, Error> {
        let left = self.left(prepared);
        if left == Some(Duration::ZERO) {
            return Err(self.past_deadline(Stage::Limit, prepared));
        }
        Ok(Patience { max_delay: prepared.options.max_delay, until: left.map(|left| self.now().plus(left)) })
    }

    fn tell_wait(&self, wait: &limit::Wait) {
        let pause = wait.until.since(self.now());
        self.listener()
            .tell_wait(Stage::Limit, Some(pause), || format!("waits {:.1} s: {}", pause.as_secs_f64(), wait.why));
    }

    fn refusal(&self, prepared: &Prepared, refusal: Refusal) -> Error {
        let kind = match refusal {
            Refusal::TooLong { until } => Kind::Limited { until },
            Refusal::Blocked { until } => Kind::Blocked { until },
            Refusal::RetryAfter { until, .. } => Kind::RetryAfter { until },
            Refusal::Ledger(LedgerError::Closed) => Kind::Closed,
            Refusal::Ledger(error) => Kind::Budget(error.to_string()),
        };
        self.error(Stage::Limit, prepared, kind)
    }

    /// Sends the request once.
    pub(super) async fn transmit(
        &mut self,
        prepared: &Prepared,
        question: &Question,
        body: &super::upload::Loaded,
    ) -> Result<Reply, Error> {
        let limits = self.core.timeout.of(&prepared.method, prepared.options.timeout);
        let headers = merged(&prepared.headers, &question.conditions, body.content_type.as_ref());
        let mut request = http::Request::new(body.bytes.clone());
        *request.method_mut() = prepared.method.clone();
        *request.headers_mut() = headers.clone();
        *request.uri_mut() = match prepared.uri() {
            Ok(uri) => uri,
            Err(problem) => return Ok(Reply::Failed(Fault::Unsendable(problem))),
        };
        self.attempts += 1;
        let attempt = self.attempts;
        self.listener()
            .tell(Stage::Transport, || format!("try {attempt}: {} {}", prepared.method, mask_url(&prepared.url)));
        let url = prepared.target.is_none().then(|| prepared.url.clone());
        let outgoing = Outgoing { request, timeouts: limits, verify: prepared.options.verify, url };
        let exchange = self.exchange(prepared, outgoing, headers);
        let reply = match self.left(prepared) {
            None => exchange.await?,
            Some(left) => tokio::select! {
                reply = exchange => reply?,
                () = self.core.clock.expire(left) => {
                    Reply::Failed(Fault::Timeout { phase: crate::transport::Phase::Reading, after: left })
                }
            },
        };
        if let Reply::Failed(fault) = &reply {
            self.listener().tell(Stage::Transport, || fault.to_string());
        }
        Ok(reply)
    }

    async fn exchange(&self, prepared: &Prepared, outgoing: Outgoing, sent: HeaderMap) -> Result<Reply, Error> {
        let request_time = self.now();
        let mut incoming = match self.core.transport().send(outgoing).await {
            Ok(incoming) => incoming,
            Err(fault) => return Ok(Reply::Failed(fault)),
        };
        let response_time = self.now();
        let (status, version) = (incoming.status, incoming.version);
        self.listener().tell(Stage::Transport, || {
            format!("{} in {} ms", status.as_u16(), response_time.since(request_time).as_millis())
        });
        if let Err(refusal) = self.count_bytes(prepared, &mut incoming).await {
            return Err(self.refusal(prepared, refusal));
        }
        let bound = match (&prepared.method, prepared.options.stream && status.is_success()) {
            // The length it names is that of the body a `GET` would get.
            (&Method::HEAD, _) => u64::MAX,
            (_, true) => 0,
            // What may still be an error is read whole, so that the caller can be told what the server says.
            (_, false) => self.core.read_whole,
        };
        let content = match collect(&mut incoming, bound).await {
            Body::Whole(bytes) => ArrivedBody::Whole(bytes),
            Body::Larger { start, rest } => ArrivedBody::Arriving { start, rest },
            Body::Cut(fault) => return Ok(Reply::Failed(fault)),
        };
        let headers = incoming.headers;
        let arrived = Arrived { status, version, headers, content, sent, request_time, response_time, sound: true };
        Ok(Reply::Answered(Box::new(arrived)))
    }

    /// Reserves what the answer says it will bring, where bytes are counted, and counts what it does bring.
    async fn count_bytes(&self, prepared: &Prepared, incoming: &mut Incoming) -> Result<(), Refusal> {
        let Ok(patience) = self.patience(prepared) else { return Ok(()) };
        let declared = incoming.declared_length();
        let limiter = &self.core.limiter;
        let permit = limiter.reserve_bytes(&prepared.url, declared, patience, &|wait| self.tell_wait(wait)).await?;
        let body = std::mem::replace(&mut incoming.body, Box::pin(futures_util::stream::empty()));
        incoming.body = metered(body, limiter, permit);
        Ok(())
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
            && !self.core.limiter.limits().limit_statuses.is_empty()
        {
            // A server that says when to come back says it to everybody.
            self.report(prepared, refused(*status, Some(asked))).await?;
        }
        let next = self.attempts + 1;
        self.listener()
            .tell_wait(Stage::Retry, Some(after), || format!("{why}; try {next} in {:.1} s", after.as_secs_f64()));
        if self.left(prepared).is_some_and(|left| left <= after) {
            return Err(self.past_deadline(Stage::Retry, prepared));
        }
        self.core.clock.sleep(after).await;
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
        self.listener()
            .tell_wait(Stage::Retry, Some(pause), || format!("{}: throttled until {until}", status.as_u16()));
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
        let limit_statuses = &self.core.limiter.limits().limit_statuses;
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
        if let Err(refusal) = self.core.limiter.report(&prepared.url, outcome).await {
            // The answer is here; that the budget could not be told is not the caller's affair.
            tracing::debug!("the budget was not told of an answer: {refusal}");
        }
    }

    /// Reports how the server refused, to all processes; says from when on it may be asked again. A wait beyond the cap is
    /// the caller's to decide about.
    async fn report(&self, prepared: &Prepared, outcome: limit::Outcome) -> Result<Timestamp, Error> {
        let reported = match self.core.limiter.report(&prepared.url, outcome).await {
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

/// The request's fields, with those of the cache in place of its own of the same names.
fn merged(own: &HeaderMap, conditions: &HeaderMap, content_type: Option<&http::HeaderValue>) -> HeaderMap {
    let mut headers = own.clone();
    for name in conditions.keys() {
        headers.remove(name);
    }
    for (name, value) in conditions {
        headers.append(name.clone(), value.clone());
    }
    if let Some(content_type) = content_type {
        headers.insert(http::header::CONTENT_TYPE, content_type.clone());
    }
    headers
}
