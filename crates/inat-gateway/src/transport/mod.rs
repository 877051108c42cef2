//! The gateway's own way to upstreams.
//!
//! The library's transport is made for those who write requests: it reads URLs with a parser that tidies them, and unpacks
//! answers. Here what came in goes out byte for byte, and what comes back is handed on as it is. Only for APIs (where which
//! clients accept what encoding would otherwise keep apart answers that are the same) is gzip asked for and unpacked.

mod dial;
mod fault;
mod gather;
mod upload;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, RANGE, TRANSFER_ENCODING};
use http::{Extensions, HeaderMap, HeaderValue, Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming as Arriving;
use hyper::ext::ReasonPhrase;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use inat_session::{
    Chunks, Clock, Departure, Fault, Incoming, Outgoing, Phase, Sending, Timeouts, Transport, is_event_stream,
};

use crate::interim::Interim;
use crate::metrics::Metrics;
use crate::upstream::Kind;
use crate::{Config, Error};
use dial::{CURRENT, Connector, Needs, Uses};
use gather::Gathering;
pub(crate) use gather::WHOLE;
use upload::{Progress, Upload};

/// Servers commonly keep idle connections for five seconds or more; one that is given up before the server gives it up
/// cannot fail.
const KEEP_IDLE: Duration = Duration::from_secs(4);

/// Most fields of an answer. hyper's own hundred is less than some servers send.
const MOST_FIELDS: usize = 1000;

/// Sends requests as they are.
#[derive(Debug)]
pub(crate) struct Raw {
    client: Client<Connector, Upload>,
    /// Keeps no connections: what goes again, goes on a new one.
    anew: Client<Connector, Upload>,
    /// Servers whose answers travel compressed and are handed on plain.
    unpacked: HashSet<String>,
    gathering: Gathering,
    metrics: Arc<Metrics>,
    interim: Arc<Interim>,
}

impl Raw {
    pub(crate) fn new(config: &Config, metrics: Arc<Metrics>, interim: Arc<Interim>) -> Result<Self, Error> {
        let upstreams = &config.upstreams;
        let connector = dial::connector(upstreams).map_err(|error| Error::config(format!("no TLS: {error}")))?;
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(KEEP_IDLE)
            .pool_max_idle_per_host(64)
            // RFC 9112 §5.2: a gateway may take folded lines, and puts spaces in their place.
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            // RFC 9112 §5.1: and takes away spaces before the colon.
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_max_headers(MOST_FIELDS);
        let client = builder.build(connector.clone());
        let anew = builder.pool_max_idle_per_host(0).build(connector);
        let apis = upstreams.iter().filter(|upstream| upstream.kind == Kind::Api);
        let unpacked = apis.map(|upstream| upstream.authority().to_ascii_lowercase()).collect();
        let gathering = Gathering::new(config.max_answers / 2);
        Ok(Self { client, anew, unpacked, gathering, metrics, interim })
    }

    fn unpacks(&self, request: &Request<Bytes>) -> bool {
        let authority = request.uri().authority().map(|authority| authority.as_str().to_ascii_lowercase());
        authority.is_some_and(|authority| self.unpacked.contains(&authority))
    }

    async fn exchange(&self, outgoing: Outgoing) -> Result<Incoming, Fault> {
        let Outgoing { mut request, timeouts, verify, departure, .. } = outgoing;
        if !verify {
            return Err(Fault::Unsendable("the gateway always checks certificates".to_owned()));
        }
        let unpacks = self.unpacks(&request);
        if unpacks && !request.headers().contains_key(ACCEPT_ENCODING) && !request.headers().contains_key(RANGE) {
            request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if !unpacks {
            self.interim.listen(&mut request);
        }
        // The session sends to the API again by itself, and pays for it.
        let again = (!unpacks && may_go_again(&request)).then(|| copy(&request));
        let sent = self.once(&self.client, request, timeouts, &departure).await;
        let response = match (sent, again) {
            (Ok(response), _) => response,
            (Err(failure), Some(request)) if failure.on_a_stale_connection => {
                // Every attempt pays; the server has seen the first one.
                if !departure.may_leave_again().await {
                    return Err(may_not_leave());
                }
                let sent = self.once(&self.anew, request, timeouts, &departure).await;
                sent.map_err(|failure| failure.fault)?
            }
            (Err(failure), _) => return Err(failure.fault),
        };
        let (mut parts, body) = response.into_parts();
        let reason = parts.extensions.remove::<ReasonPhrase>();
        settle_framing(&mut parts.headers)?;
        let mut incoming = Incoming::new(parts.status, parts.headers, Bytes::new());
        (incoming.version, incoming.reason) = (parts.version, reason.map(Bytes::from));
        let length = body.size_hint().exact();
        incoming.body = self.watched(body, timeouts);
        let is_changed = unpacks && incoming.unpack();
        let body = std::mem::replace(&mut incoming.body, Box::pin(stream::empty()));
        let length = length.filter(|length| !is_changed || *length == 0);
        let are_events = is_event_stream(&incoming.headers);
        // Of those nothing is gathered.
        incoming.body = if are_events { body } else { self.gathering.admit(body, length, timeouts.read).await? };
        Ok(incoming)
    }

    /// One try on one connection.
    async fn once(
        &self,
        client: &Client<Connector, Upload>,
        request: Request<Bytes>,
        timeouts: Timeouts,
        departure: &Departure,
    ) -> Result<Response<Arriving>, Failure> {
        self.metrics.upstream_requests.fetch_add(1, Ordering::Relaxed);
        let progress = Progress::default();
        let (parts, body) = request.into_parts();
        let mut request = Request::from_parts(parts, Upload::new(body, progress.clone()));
        let mut connection = capture_connection(&mut request);
        let needs = Needs { within: timeouts.connect, ..Needs::default() };
        let (has_dialed, found) = (Arc::clone(&needs.has_dialed), connection.clone());
        let is_dialing = || has_dialed.load(Ordering::Acquire) && found.connection_metadata().is_none();
        let sending = CURRENT.scope(needs, client.request(request));
        let mut response = std::pin::pin!(departure.escort(is_dialing, sending));
        // While no connection is found this does not end, so the client's own end is listened to as well.
        let connecting = async {
            drop(connection.wait_for_connection_metadata().await);
        };
        let early = tokio::select! {
            biased;
            early = &mut response => Some(early),
            () = connecting => None,
        };
        let reused = count_use(&connection);
        let answered = match early {
            Some(answered) => answered,
            None => self.moving(&mut response, &progress, timeouts).await.map_err(Failure::new)?,
        };
        let answered = answered.ok_or_else(|| Failure::new(may_not_leave()))?;
        answered.map_err(|error| Failure {
            on_a_stale_connection: reused && fault::says_nothing_of_the_request(&error),
            fault: fault::of(&error, timeouts.connect),
        })
    }

    /// Waits for the head of the answer, for as long as something moves.
    async fn moving<F>(
        &self,
        response: &mut std::pin::Pin<&mut F>,
        progress: &Progress,
        timeouts: Timeouts,
    ) -> Result<F::Output, Fault>
    where
        F: Future<Output = Option<Result<Response<Arriving>, ClientError>>>,
    {
        loop {
            let before = progress.count();
            let (phase, limit) =
                if progress.is_done() { (Phase::Reading, timeouts.read) } else { (Phase::Sending, timeouts.send) };
            if let Some(answered) = within(limit, response.as_mut()).await {
                return Ok(answered);
            }
            // What is sent already has no progress to make; taken by the connection late, it would count as some.
            if phase == Phase::Reading || progress.count() == before {
                return Err(timed_out(phase, limit));
            }
        }
    }

    /// The body as it arrives, with a limit on every silence.
    fn watched(&self, body: Arriving, timeouts: Timeouts) -> Chunks {
        let metrics = self.metrics.clone();
        Box::pin(stream::unfold(Some(body), move |body| {
            let metrics = metrics.clone();
            async move {
                let mut body = body?;
                loop {
                    let fault = match within(timeouts.read, body.frame()).await {
                        None => timed_out(Phase::Reading, timeouts.read),
                        Some(None) => return None,
                        Some(Some(Err(error))) => Fault::Truncated(fault::describe(&error)),
                        Some(Some(Ok(frame))) => match frame.into_data() {
                            Ok(bytes) => {
                                metrics.upstream_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                                return Some((Ok(bytes), Some(body)));
                            }
                            Err(_trailers) => continue,
                        },
                    };
                    metrics.upstream_faults.fetch_add(1, Ordering::Relaxed);
                    return Some((Err(fault), None));
                }
            }
        }))
    }
}

impl Transport for Raw {
    fn send(&self, outgoing: Outgoing) -> Sending<'_> {
        Box::pin(async move {
            let sent = self.exchange(outgoing).await;
            if sent.is_err() {
                self.metrics.upstream_faults.fetch_add(1, Ordering::Relaxed);
            }
            sent
        })
    }
}

/// A try that got no answer.
struct Failure {
    fault: Fault,
    /// The server had given the connection up meanwhile; it says nothing about the request (RFC 9112 §9.3.1).
    on_a_stale_connection: bool,
}

impl Failure {
    fn new(fault: Fault) -> Self {
        Self { fault, on_a_stale_connection: false }
    }
}

/// Leaves one word about where the body ends, or none, whatever the answer said in how many ways: what is handed on is framed
/// anew. A coding that was not asked for and cannot be undone makes the answer unreadable (RFC 9112 §6.1, §7).
fn settle_framing(headers: &mut HeaderMap) -> Result<(), Fault> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        if codings.next().is_some() || !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") {
            return Err(Fault::Truncated(format!("the transfer coding {coding:?} cannot be read")));
        }
        // RFC 9112 §6.3: it overrides the length.
        headers.remove(CONTENT_LENGTH);
        return Ok(());
    }
    // Several equal lengths are one; others hyper has refused.
    if let Some(length) = headers.get(CONTENT_LENGTH)
        && let Some(first) = length.as_bytes().split(|byte| *byte == b',').next()
        && let Ok(one) = HeaderValue::from_bytes(first.trim_ascii())
    {
        headers.insert(CONTENT_LENGTH, one);
    }
    Ok(())
}

/// Safe methods without a body may be sent again on a fresh connection, when the old one turns out to be dead.
fn may_go_again(request: &Request<Bytes>) -> bool {
    request.method().is_safe() && request.body().is_empty()
}

fn copy(request: &Request<Bytes>) -> Request<Bytes> {
    let mut copy = Request::new(Bytes::new());
    request.method().clone_into(copy.method_mut());
    request.uri().clone_into(copy.uri_mut());
    request.headers().clone_into(copy.headers_mut());
    request.extensions().clone_into(copy.extensions_mut());
    copy
}

/// Whether the connection had carried a request before this one.
fn count_use(connection: &CaptureConnection) -> bool {
    let mut extras = Extensions::new();
    if let Some(connected) = connection.connection_metadata().as_ref() {
        connected.get_extras(&mut extras);
    }
    extras.get::<Uses>().is_some_and(|uses| uses.0.fetch_add(1, Ordering::Relaxed) > 0)
}

async fn within<F: Future>(limit: Option<Duration>, future: F) -> Option<F::Output> {
    match limit {
        None => Some(future.await),
        Some(limit) => Clock::system().within(limit, future).await,
    }
}

/// Its caller knows why.
fn may_not_leave() -> Fault {
    Fault::Connect("the request may not leave any more".to_owned())
}

fn timed_out(phase: Phase, limit: Option<Duration>) -> Fault {
    Fault::Timeout { phase, after: limit.unwrap_or_default() }
}

/// A fresh count of uses.
fn unused() -> Uses {
    Uses(Arc::new(AtomicU32::new(0)))
}
