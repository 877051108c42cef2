//! One try: the request goes out, and what comes back is counted and collected.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::doubt::Doubt;
use super::metered::metered;
use super::reply::{Arrived, ArrivedBody, Reply};
use super::trip::Trip;
use super::upload::Loaded;
use crate::Error;
use crate::limit::{Permit, Refusal};
use crate::lookup::Question;
use crate::prepare::Prepared;
use crate::secret::mask_url;
use crate::stage::Stage;
use crate::transport::{Body, Fault, Incoming, Leave, Outgoing, Phase, collect, is_event_stream};

impl Trip {
    /// Sends the request once.
    pub(super) async fn transmit(
        &mut self,
        prepared: &Prepared,
        question: &Question,
        body: &Loaded,
        permit: Permit,
        doubt: &mut Doubt,
    ) -> Result<Reply, Error> {
        let limits = self.core().timeout.of(&prepared.method, prepared.options.timeout);
        let headers = merged(&prepared.headers, &question.conditions, body.content_type.as_ref());
        let mut request = http::Request::new(body.bytes.clone());
        *request.method_mut() = prepared.method.clone();
        *request.headers_mut() = headers.clone();
        *request.uri_mut() = match prepared.uri() {
            Ok(uri) => uri,
            Err(problem) => return Ok(Reply::Failed(Fault::Unsendable(problem))),
        };
        self.attempts += 1;
        self.writes = self.core().shelf.writes.count();
        let attempt = self.attempts;
        self.listener().tell(prepared, Stage::Transport, || {
            format!("try {attempt}: {} {}", prepared.method, mask_url(&prepared.url))
        });
        let url = prepared.target.is_none().then(|| prepared.url.clone());
        let (departure, asked) = self.departure(prepared, permit);
        let outgoing = Outgoing { request, timeouts: limits, verify: prepared.options.verify, departure, url };
        let exchange = self.exchange(prepared, outgoing, headers);
        let reply = match self.left(prepared) {
            None => exchange.await?,
            Some(left) => tokio::select! {
                biased;
                reply = exchange => reply?,
                () = self.core().clock.elapse(left) => {
                    Reply::Failed(Fault::Timeout { phase: Phase::Reading, after: left })
                }
            },
        };
        let (waited, refusal) = asked.result();
        self.waited = self.waited.saturating_add(waited);
        if let Some((leave, refusal)) = refusal
            // Else a transport of somebody's own has sent it all the same.
            && matches!(&reply, Reply::Failed(fault) if fault.is_before_sending())
        {
            // What was to be sent again has been sent before.
            if leave == Leave::Still {
                self.attempts -= 1;
                doubt.ends();
            }
            return Err(self.refusal(prepared, refusal));
        }
        if let Reply::Failed(fault) = &reply {
            self.listener().tell(prepared, Stage::Transport, || fault.to_string());
        }
        Ok(reply)
    }

    async fn exchange(&self, prepared: &Prepared, outgoing: Outgoing, sent: HeaderMap) -> Result<Reply, Error> {
        let request_time = self.now();
        let mut incoming = match self.core().transport().send(outgoing).await {
            Ok(incoming) => incoming,
            Err(fault) => return Ok(Reply::Failed(fault)),
        };
        let response_time = self.now();
        let (status, version, reason) = (incoming.status, incoming.version, incoming.reason.take());
        self.listener().tell(prepared, Stage::Transport, || {
            format!("{} in {} ms", status.as_u16(), response_time.since(request_time).as_millis())
        });
        let bodiless = has_no_body(&prepared.method, status);
        if bodiless && !names_a_length(&incoming.headers) {
            // RFC 9110 §8.6: what is no length must not be passed on. Of an answer with a body it makes no answer at all.
            incoming.headers.remove(CONTENT_LENGTH);
        }
        let declared = if bodiless { Some(0) } else { incoming.declared_length() };
        if let Err(refusal) = self.count_bytes(prepared, &mut incoming, declared).await {
            return Err(self.refusal(prepared, refusal));
        }
        let bound = match (bodiless, prepared.options.stream && status.is_success()) {
            (true, _) => u64::MAX,
            (_, true) => 0,
            // What may still be an error is read whole, so that the caller can be told what the server says.
            (_, false) => self.core().read_whole,
        };
        // What is joined or cut later is counted in unpacked bytes, and events are for those who hear them, unless their server
        // says for how long they hold.
        let are_events = !bodiless && status.is_success() && is_event_stream(&incoming.headers);
        let are_past = are_events && !incoming.headers.contains_key(CACHE_CONTROL);
        let mut sound = !are_past && !incoming.is_packed_part();
        let content = if are_events {
            // They have no end, and each is meant for now.
            ArrivedBody::Arriving { start: Bytes::new(), rest: incoming.take_body() }
        } else {
            match collect(&mut incoming, bound).await {
                Body::Whole(bytes) => ArrivedBody::Whole(bytes),
                Body::Larger { start, rest } => ArrivedBody::Arriving { start, rest },
                // A server that is asked too often has said so with the head.
                Body::Cut(_) if self.core().limiter.limits().limit_statuses.contains(&status) => {
                    sound = false;
                    ArrivedBody::Whole(Bytes::new())
                }
                Body::Cut(fault) => return Ok(Reply::Failed(fault)),
            }
        };
        let headers = incoming.headers;
        let arrived = Arrived { status, version, reason, headers, content, sent, request_time, response_time, sound };
        Ok(Reply::Answered(Box::new(arrived)))
    }

    /// Reserves what the answer says it will bring, where bytes are counted, and counts what it does bring.
    async fn count_bytes(
        &self,
        prepared: &Prepared,
        incoming: &mut Incoming,
        declared: Option<u64>,
    ) -> Result<(), Refusal> {
        let Ok(patience) = self.patience(prepared) else { return Ok(()) };
        let limiter = &self.core().limiter;
        let permit = limiter
            .reserve_bytes(&prepared.url, declared, patience, &|wait| self.tell_wait(prepared.into(), wait))
            .await?;
        let body = incoming.take_body();
        incoming.body = metered(body, self.core(), permit);
        Ok(())
    }
}

/// Whether an answer ends with its head. The length it may name is that of the body another request would get (RFC 9110 §8.6).
fn has_no_body(method: &Method, status: StatusCode) -> bool {
    *method == Method::HEAD || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Whether `Content-Length` is what it has to be, a number (RFC 9110 §8.6).
fn names_a_length(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(CONTENT_LENGTH).iter();
    let is_number = |line: &HeaderValue| !line.is_empty() && line.as_bytes().iter().all(u8::is_ascii_digit);
    lines.next().is_some_and(is_number) && lines.next().is_none()
}

/// The request's fields, with those of the cache in place of its own of the same names.
fn merged(own: &HeaderMap, conditions: &HeaderMap, content_type: Option<&HeaderValue>) -> HeaderMap {
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
