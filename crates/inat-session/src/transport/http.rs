//! The real transport: reqwest over rustls, with its own retries and redirects off, because both loops are ours.
//!
//! Clients are made on first use: loading certificates costs more than a hundred cache hits.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};

use super::{Chunks, Fault, Incoming, Outgoing, Phase, Sending, Timeouts, Transport};
use crate::Clock;

/// Sends over the network: what a session does unless it is given another transport. Public so that a transport of one's own
/// may hand on to it.
#[derive(Debug)]
pub struct HttpTransport {
    /// reqwest fixes these two for a whole client, so there is one for each pair in use: usually two, reads and writes.
    clients: Mutex<HashMap<(bool, Option<Duration>), reqwest::Client>>,
    decompress: bool,
    clock: Clock,
}

/// More kinds of clients than this at once means limits that differ by request; the oldest connections are not worth keeping.
const MAX_CLIENTS: usize = 8;
/// Bodies are handed to the connection in pieces of this size, so that progress can be seen.
const PIECE: usize = 64 * 1024;

impl HttpTransport {
    /// A transport without connections. They are made when the first request is sent.
    pub fn new(clock: Clock) -> Self {
        Self { clients: Mutex::default(), decompress: true, clock }
    }

    fn client(&self, verify: bool, connect: Option<Duration>) -> Result<reqwest::Client, Fault> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&(verify, connect)) {
            return Ok(client.clone());
        }
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .gzip(self.decompress)
            .tls_danger_accept_invalid_certs(!verify)
            .tls_danger_accept_invalid_hostnames(!verify);
        if let Some(limit) = connect {
            builder = builder.connect_timeout(limit);
        }
        let client = builder.build().map_err(|error| Fault::Other(describe(&error)))?;
        if clients.len() >= MAX_CLIENTS {
            clients.clear();
        }
        clients.insert((verify, connect), client.clone());
        Ok(client)
    }

    async fn exchange(&self, outgoing: Outgoing) -> Result<Incoming, Fault> {
        let Outgoing { request, timeouts, verify } = outgoing;
        let client = self.client(verify, timeouts.connect)?;
        let (parts, body) = request.into_parts();
        let progress = Progress::default();
        let request = reqwest::Request::try_from(http::Request::from_parts(parts, progress.watch(body)))
            .map_err(|error| Fault::Unsendable(describe(&error)))?;
        let sent = client.execute(request);
        let response = tokio::select! {
            sent = sent => sent.map_err(|error| classify(&error, timeouts))?,
            fault = self.stall(&progress, timeouts) => return Err(fault),
        };
        Ok(Incoming {
            status: response.status(),
            version: response.version(),
            headers: response.headers().clone(),
            body: self.watch_reading(response.bytes_stream(), timeouts),
        })
    }

    /// Ends when nothing has moved for longer than the limit of what is being done. The client does not say when it is
    /// connected, so the first wait has the time for connecting on top; connecting itself is bounded inside the client.
    async fn stall(&self, progress: &Progress, timeouts: Timeouts) -> Fault {
        let mut last = progress.count();
        let mut connecting = timeouts.connect;
        loop {
            let (phase, limit) =
                if progress.is_done() { (Phase::Reading, timeouts.read) } else { (Phase::Sending, timeouts.send) };
            let Some(limit) = limit else { return std::future::pending().await };
            self.clock.expire(limit.saturating_add(connecting.take().unwrap_or_default())).await;
            let count = progress.count();
            if count == last {
                return Fault::Timeout { phase, after: limit };
            }
            last = count;
        }
    }

    fn watch_reading(
        &self,
        chunks: impl Stream<Item = reqwest::Result<Bytes>> + Send + 'static,
        timeouts: Timeouts,
    ) -> Chunks {
        let clock = self.clock.clone();
        let state = Some((Box::pin(chunks), clock));
        Box::pin(stream::unfold(state, move |state| async move {
            let (mut chunks, clock) = state?;
            let next = match timeouts.read {
                None => chunks.next().await,
                Some(limit) => tokio::select! {
                    next = chunks.next() => next,
                    () = clock.expire(limit) => {
                        return Some((Err(Fault::Timeout { phase: Phase::Reading, after: limit }), None));
                    }
                },
            };
            match next? {
                Ok(bytes) => Some((Ok(bytes), Some((chunks, clock)))),
                Err(error) => Some((Err(cut_short(&error, timeouts)), None)),
            }
        }))
    }
}

impl Transport for HttpTransport {
    fn send(&self, outgoing: Outgoing) -> Sending<'_> {
        Box::pin(self.exchange(outgoing))
    }
}

/// How much of the request the connection has taken.
#[derive(Clone, Default)]
struct Progress(Arc<AtomicU64>);

impl Progress {
    const DONE: u64 = 1 << 63;

    /// The body, counting as it is taken. An empty one is taken with the head.
    fn watch(&self, body: Bytes) -> reqwest::Body {
        if body.len() <= PIECE {
            self.0.store(Self::DONE, Ordering::Relaxed);
            return body.into();
        }
        let progress = self.clone();
        let length = body.len() as u64;
        let pieces = stream::unfold(body, move |mut rest| {
            let progress = progress.clone();
            async move {
                if rest.is_empty() {
                    return None;
                }
                let piece = rest.split_to(rest.len().min(PIECE));
                progress.0.fetch_add(1, Ordering::Relaxed);
                if rest.is_empty() {
                    progress.0.fetch_or(Self::DONE, Ordering::Relaxed);
                }
                Some((Ok::<_, std::convert::Infallible>(piece), rest))
            }
        });
        reqwest::Body::wrap(Sized { pieces: Box::pin(pieces), length })
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed) & !Self::DONE
    }

    fn is_done(&self) -> bool {
        self.0.load(Ordering::Relaxed) & Self::DONE != 0
    }
}

/// A body in pieces whose length is known, so that it goes out with `Content-Length` and not in chunks.
struct Sized<S> {
    pieces: S,
    length: u64,
}

impl<S> http_body::Body for Sized<S>
where
    S: Stream<Item = Result<Bytes, std::convert::Infallible>> + Unpin,
{
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        self.pieces.poll_next_unpin(context).map(|piece| piece.map(|piece| piece.map(http_body::Frame::data)))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.length)
    }
}

/// Sorts an error that came before the head of the answer.
fn classify(error: &reqwest::Error, timeouts: Timeouts) -> Fault {
    let text = describe(error);
    if is_certificate(error) {
        Fault::Certificate(text)
    } else if error.is_dns() {
        Fault::Dns(text)
    } else if error.is_connect() && error.is_timeout() {
        Fault::Timeout { phase: Phase::Connecting, after: timeouts.connect.unwrap_or_default() }
    } else if error.is_connect() {
        Fault::Connect(text)
    } else if error.is_builder() {
        Fault::Unsendable(text)
    } else {
        Fault::Reset(text)
    }
}

/// Sorts an error in the middle of a body.
fn cut_short(error: &reqwest::Error, timeouts: Timeouts) -> Fault {
    if error.is_timeout() {
        return Fault::Timeout { phase: Phase::Reading, after: timeouts.read.unwrap_or_default() };
    }
    Fault::Truncated(describe(error))
}

/// A handshake that failed over the certificate. Other TLS faults may pass; this one comes back at every try.
fn is_certificate(error: &reqwest::Error) -> bool {
    let mut source = StdError::source(error);
    while let Some(cause) = source {
        if let Some(rustls::Error::InvalidCertificate(_)) = tls_error(cause) {
            return true;
        }
        source = cause.source();
    }
    false
}

/// The TLS error an error is or wraps. An I/O error that holds another has the source of that other, not the other itself, so
/// walking sources is not enough.
fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref().or_else(|| tls_error(error.downcast_ref::<std::io::Error>()?.get_ref()?))
}

/// The whole chain of an error in one line, masked. reqwest's own text stops at "error sending request".
fn describe(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut source: Option<&dyn StdError> = StdError::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    if text.is_empty() { crate::secret::mask_text(&error.to_string()) } else { crate::secret::mask_text(&text) }
}
