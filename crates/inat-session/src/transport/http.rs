//! The real transport: reqwest over rustls, with its own retries and redirects off, because both loops are ours.
//!
//! Clients are made on first use: loading certificates costs more than a hundred cache hits.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::header::{ACCEPT_ENCODING, RANGE};
use http::{HeaderMap, HeaderValue};
use hyper::ext::ReasonPhrase;
use url::Url;

use super::progress::{NoticeConnecting, Progress};
use super::{Chunks, Fault, Incoming, Outgoing, Phase, Sending, Timeouts, Transport};
use crate::Clock;
use crate::prepare::is_loopback_name;

/// Sends over the network: what a session does unless it is given another transport. Public so that a transport of one's own
/// may hand on to it.
#[derive(Debug)]
pub struct HttpTransport {
    /// reqwest fixes these for a whole client, so there may be several.
    clients: Mutex<HashMap<Settings, reqwest::Client>>,
    clock: Clock,
}

/// Most fields of an answer. hyper's own hundred is less than some servers send.
const MOST_FIELDS: usize = 500;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Settings {
    /// Whether certificates are checked.
    verify: bool,
    /// Whether it is for this machine. What goes there goes nowhere else, whatever proxy the environment names: tokens may go
    /// there in clear text, and to a proxy they may not. (Go's client does the same.)
    is_local: bool,
}

impl Settings {
    fn of(host: &str, verify: bool) -> Self {
        Self { verify, is_local: is_loopback_name(host) }
    }
}

impl HttpTransport {
    /// A transport without connections. They are made when the first request is sent.
    pub fn new(clock: Clock) -> Self {
        Self { clients: Mutex::default(), clock }
    }

    fn client(&self, settings: Settings) -> Result<reqwest::Client, Fault> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&settings) {
            return Ok(client.clone());
        }
        let Settings { verify, is_local } = settings;
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            // RFC 9112 §5.2 MUST: folded lines are read as one. A space before the colon is wrong (§5.1), but no reason to
            // lose an answer.
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_max_headers(MOST_FIELDS)
            .connector_layer(NoticeConnecting)
            .tls_danger_accept_invalid_certs(!verify)
            .tls_danger_accept_invalid_hostnames(!verify);
        let builder = if is_local { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(|error| Fault::Other(describe(&error)))?;
        clients.insert(settings, client.clone());
        Ok(client)
    }

    async fn exchange(&self, outgoing: Outgoing) -> Result<Incoming, Fault> {
        let Outgoing { request, timeouts, verify, departure, url } = outgoing;
        let client = self.client(Settings::of(request.uri().host().unwrap_or_default(), verify))?;
        // A transport around this one may have sent the request elsewhere.
        let parsed = url.filter(|url| *request.uri() == *url.as_str());
        let (mut parts, body) = request.into_parts();
        ask_for_gzip(&mut parts.headers);
        let progress = Progress::of(departure, timeouts.connect);
        let request = match parsed {
            Some(url) => from_parsed(url, parts, progress.watch(body)),
            None => reqwest::Request::try_from(http::Request::from_parts(parts, progress.watch(body)))
                .map_err(|error| Fault::Unsendable(describe(&error)))?,
        };
        let sent = progress.during(client.execute(request));
        let mut response = tokio::select! {
            biased;
            sent = sent => match sent {
                Some(sent) => sent.map_err(|error| classify(&error, timeouts))?,
                None => return Err(Fault::Connect("the request may not leave any more".to_owned())),
            },
            fault = progress.stalls(timeouts, &self.clock) => return Err(fault),
        };
        let mut incoming = Incoming {
            status: response.status(),
            version: response.version(),
            reason: response.extensions_mut().remove::<ReasonPhrase>().map(Bytes::from),
            headers: std::mem::take(response.headers_mut()),
            body: self.watch_reading(response.bytes_stream(), timeouts),
        };
        incoming.unpack();
        Ok(incoming)
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
                Some(limit) => match clock.within(limit, chunks.next()).await {
                    Some(next) => next,
                    None => return Some((Err(Fault::Timeout { phase: Phase::Reading, after: limit }), None)),
                },
            };
            match next? {
                Ok(bytes) => Some((Ok(bytes), Some((chunks, clock)))),
                Err(error) => Some((Err(cut_short(&error, timeouts)), None)),
            }
        }))
    }
}

/// What is packed travels faster, and is unpacked here. But ranges are counted in the bytes of what is sent (RFC 9110 §14.1), and a
/// part of something packed is of no use.
fn ask_for_gzip(headers: &mut HeaderMap) {
    let coding = if headers.contains_key(RANGE) { "identity" } else { "gzip" };
    headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static(coding));
}

/// reqwest asks for a URL, and parses the text of any other request again; one that is parsed already spares it that.
fn from_parsed(url: Url, parts: http::request::Parts, body: reqwest::Body) -> reqwest::Request {
    let mut request = reqwest::Request::new(parts.method, url);
    *request.headers_mut() = parts.headers;
    *request.version_mut() = parts.version;
    *request.body_mut() = Some(body);
    request
}

impl Transport for HttpTransport {
    fn send(&self, outgoing: Outgoing) -> Sending<'_> {
        Box::pin(self.exchange(outgoing))
    }

    fn get_ready(&self, url: &Url, verify: bool, _: Timeouts) {
        // A client that cannot be made says so when it is to send.
        drop(self.client(Settings::of(url.host_str().unwrap_or_default(), verify)));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_made_ready_is_the_one_that_sends() {
        let transport = HttpTransport::new(Clock::system());
        let timeouts = Timeouts { connect: None, send: None, read: None };
        let url = Url::parse("https://api.inaturalist.org/v1/taxa").unwrap();
        transport.get_ready(&url, true, timeouts);
        transport.get_ready(&url, true, timeouts);
        let made = || transport.clients.lock().unwrap_or_else(PoisonError::into_inner).len();
        assert_eq!(made(), 1);
        assert!(transport.client(Settings::of("api.inaturalist.org", true)).is_ok());
        assert_eq!(made(), 1);
        assert!(transport.client(Settings::of("127.0.0.1", true)).is_ok());
        assert_eq!(made(), 2, "no proxy for this machine");
    }

    /// Whether a request waits for a connection is read off what hyper does; should another version do it otherwise, this shows.
    /// On one thread: a connection that stands before the request's first step is over takes no time, and is not asked about.
    #[tokio::test]
    async fn a_request_asks_before_it_leaves_on_a_connection_that_was_made_for_it() {
        use std::io::{Read, Write};
        use std::sync::Arc;
        use std::sync::atomic::{AtomicUsize, Ordering};

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let mut bytes = [0; 4096];
                    while stream.read(&mut bytes).is_ok_and(|length| length > 0) {
                        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
                            return;
                        }
                    }
                });
            }
        });
        let transport = HttpTransport::new(Clock::system());
        let send = async |body: &'static str, may_leave: bool| {
            let asked = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&asked);
            let departure = crate::transport::Departure::new(move |_| {
                count.fetch_add(1, Ordering::SeqCst);
                Box::pin(std::future::ready(may_leave))
            });
            let request = http::Request::post(&url).body(Bytes::from_static(body.as_bytes())).unwrap();
            let timeouts = Timeouts { connect: None, send: None, read: None };
            let outgoing = Outgoing { request, timeouts, verify: true, departure, url: None };
            let sent = transport.exchange(outgoing).await;
            let answer = match sent {
                Ok(mut incoming) => incoming.body.next().await.unwrap(),
                Err(fault) => Err(fault),
            };
            (answer, asked.load(Ordering::SeqCst))
        };
        let (refused, asked) = send("", false).await;
        assert!(matches!(refused, Err(Fault::Connect(_))), "{refused:?}");
        assert_eq!(asked, 1);
        for body in ["", "body"] {
            let (answer, asked) = send(body, true).await;
            assert_eq!(answer.unwrap(), "ok");
            // The connection that was refused above may have been kept for this one.
            assert!(asked <= 2, "{asked}");
            // It takes a moment until a connection is kept.
            let mut kept = send(body, false).await;
            for _ in 0..1000 {
                if kept.0.is_ok() {
                    break;
                }
                tokio::task::yield_now().await;
                kept = send(body, false).await;
            }
            assert_eq!((kept.0.unwrap(), kept.1), (Bytes::from_static(b"ok"), 0), "one that is kept is there at once");
        }
    }
}
