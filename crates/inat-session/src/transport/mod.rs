//! The only door to the network.
//!
//! A [`Transport`] sends one request once and hands back one answer. It does not retry, redirect, wait for a slot, cache or
//! decide: all of that is above it. Yours may stand in for it (`SessionBuilder::transport`).

mod collect;
mod departure;
mod fault;
mod http;
mod progress;
#[cfg(any(test, feature = "testing"))]
mod scripted;
mod timeout;
mod unpack;

use std::pin::Pin;

use ::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use futures_util::Stream;
use url::Url;

pub(crate) use collect::{Body, collect};
pub use departure::Departure;
pub(crate) use departure::{Asking, Leave};
pub use fault::{Fault, Phase};
pub use http::HttpTransport;
#[cfg(any(test, feature = "testing"))]
pub use scripted::Script;
pub use timeout::{RequestTimeout, Timeouts};

/// One request, as it goes out.
#[non_exhaustive]
pub struct Outgoing {
    /// Method, URL and fields. The body is whole.
    pub request: ::http::Request<Bytes>,
    /// The time limits.
    pub timeouts: Timeouts,
    /// Whether the certificate is checked.
    pub verify: bool,
    /// What to ask before anything is written to a connection that was made for this request.
    pub departure: Departure,
    /// The URL again, parsed, where the request has it as a URL is written.
    pub(crate) url: Option<Url>,
}

/// One answer, as it comes in: its head, and a body that is still arriving.
#[non_exhaustive]
pub struct Incoming {
    /// Status.
    pub status: StatusCode,
    /// HTTP version.
    pub version: ::http::Version,
    /// The words after the status, where they are not the usual ones (RFC 9112 §4).
    pub reason: Option<Bytes>,
    /// Fields, with those of the connection.
    pub headers: HeaderMap,
    /// The body. It ends with an error when it is cut short.
    pub body: Chunks,
}

/// A body as it arrives.
pub type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, Fault>> + Send>>;

/// What [`Transport::send`] returns.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<Incoming, Fault>> + Send + 'a>>;

/// Sends one request once.
pub trait Transport: Send + Sync {
    /// Sends it, and returns when the head of the answer is there.
    fn send(&self, outgoing: Outgoing) -> Sending<'_>;

    /// Makes ready what a request to this URL with these settings needs and takes time, before its slot of the budget comes: what is still
    /// to be done afterwards makes it late. Does nothing by default.
    fn get_ready(&self, _url: &Url, _verify: bool, _timeouts: Timeouts) {}
}

impl Incoming {
    /// An answer whose body is at hand: for transports of one's own, and tests.
    pub fn new(status: StatusCode, headers: HeaderMap, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self {
            status,
            version: ::http::Version::HTTP_11,
            reason: None,
            headers,
            body: Box::pin(futures_util::stream::once(std::future::ready(Ok(body)))),
        }
    }
}

impl Incoming {
    /// How long the server says the body is.
    pub(crate) fn declared_length(&self) -> Option<u64> {
        self.headers.get(::http::header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
    }

    /// The body, with nothing left in its place.
    pub(crate) fn take_body(&mut self) -> Chunks {
        std::mem::replace(&mut self.body, Box::pin(futures_util::stream::empty()))
    }
}

/// Whether fields are those of a stream of events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>), which is
/// passed on as it comes, and stored only where its server says for how long it holds.
pub fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(::http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case("text/event-stream"))
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing")
            .field("method", self.request.method())
            .field("headers", &crate::secret::mask_headers(self.request.headers()))
            .field("timeouts", &self.timeouts)
            .field("verify", &self.verify)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming")
            .field("status", &self.status)
            .field("headers", &crate::secret::mask_headers(&self.headers))
            .finish_non_exhaustive()
    }
}
