//! The way of one request, from the gate to the session and back.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::header::{
    ACCEPT_ENCODING, CONTENT_LENGTH, EXPECT, HOST, MAX_FORWARDS, PROXY_AUTHORIZATION, TRANSFER_ENCODING, USER_AGENT,
};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use inat_session::cache::Identity;
use inat_session::{Freshness, Lifetime, Origin, Prepared};

use crate::answer::{self, About};
use crate::body::Body;
use crate::interim::{self, Subscription};
use crate::metrics::Gauge;
use crate::named::{self, Here};
use crate::pulse::{Handling, Pulse};
use crate::receive::{self, Received};
use crate::refusal::{self, Refusal};
use crate::shared::{Shared, Stage};
use crate::status::Outcome;
use crate::target::Asked;
use crate::upstream::{self, Kind, Upstream};
use crate::{admin, gate, hop, identity};

/// Answers one request, whatever comes.
pub(crate) async fn answer(
    shared: Arc<Shared>,
    pulse: Arc<Pulse>,
    (handling, heard): (Handling, Vec<u8>),
    local: Option<IpAddr>,
    request: Request<Incoming>,
) -> Response<Body> {
    let started = Instant::now();
    let to_old = request.version() <= Version::HTTP_10;
    let counted = shared.metrics.begin();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let (outcome, response) = match way(&shared, &pulse, local, &heard, request).await {
        Ok(answered) => answered,
        Err(refusal) => {
            tracing::debug!(status = refusal.status.as_u16(), "{}", refusal.message);
            (Outcome::Refused, refusal.answer(&method, &path))
        }
    };
    shared.metrics.answered(outcome, response.status(), started);
    response.map(|body| body.watched(handling.send(to_old), counted))
}

type Answered = Result<(Outcome, Response<Body>), Refusal>;

async fn way(
    shared: &Arc<Shared>,
    pulse: &Arc<Pulse>,
    local: Option<IpAddr>,
    heard: &[u8],
    request: Request<Incoming>,
) -> Answered {
    let asked = Asked::read(&request)?;
    gate::check_framing(request.method(), request.headers(), heard)?;
    gate::check_target(request.method(), heard)?;
    shared.gate.admit(&asked, local, &shared.config)?;
    if shared.via.is_in(request.headers()) {
        return Err(Refusal::new(
            StatusCode::LOOP_DETECTED,
            "the request has been here before: the upstream leads back here",
        ));
    }
    let (target, host, absolute) = match asked {
        Asked::Path { target, host, absolute } => (target, host, absolute),
        Asked::Server { .. } => return Ok((Outcome::Own, ping(request.method()))),
    };
    if let Some(page) = admin::page(shared, request.method(), target.path()).await {
        return Ok((Outcome::Own, page?));
    }
    // Who names a server in the request line takes this for a proxy; it leads to its upstreams only.
    let named =
        host.clone().filter(|host| absolute && shared.config.upstreams.iter().any(|one| upstream::is_same(one, host)));
    let upstream = upstream::find(&shared.config.upstreams, target.path(), named.as_ref())
        .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "this gateway leads nowhere from there"))?;
    if let Some(end) = end_of_the_way(&request) {
        return Ok((Outcome::Own, end));
    }
    let here = Here { host, local };
    let question = Question::read(shared, pulse, upstream, &target, here, request).await?;
    question.ask(shared).await
}

/// What goes to the session.
struct Question {
    prepared: Prepared,
    here: Here,
    /// Has the client told what upstream says before it answers.
    _interim: Option<Subscription>,
    /// Whether the session takes it for a read, and HTTP does not.
    is_disguised: bool,
    /// Keeps the room of the body for as long as it may be sent.
    _received: Received,
}

impl Question {
    async fn read(
        shared: &Shared,
        pulse: &Arc<Pulse>,
        upstream: &Upstream,
        target: &PathAndQuery,
        here: Here,
        request: Request<Incoming>,
    ) -> Result<Self, Refusal> {
        let uri = upstream.uri(target)?;
        let bypassed = !upstream::is_plain(&uri);
        let (mut parts, body) = request.into_parts();
        if parts.version >= Version::HTTP_2 {
            hop::join_crumbs(&mut parts.headers);
        }
        let received = receive::receive(&parts.headers, body, &shared.config, &shared.purse, pulse).await?;
        shared.metrics.received.fetch_add(received.bytes.len() as u64, Ordering::Relaxed);
        let max_delay = patience(&parts.headers).unwrap_or(shared.config.max_wait);
        let identity = identity::of(&parts.headers, target.query());
        let is_told = upstream.kind == Kind::Origin && interim::is_understood(parts.version, &parts.headers);

        let is_disguised = upstream.kind == Kind::Origin && named::is_disguised(&parts.method, &parts.headers);

        let mut headers = parts.headers;
        let framed = headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
        hop::strip(&mut headers);
        let mut headers = tidied(&headers, &uri, upstream.kind);
        count_down(&parts.method, &mut headers);
        shared.via.add(&mut headers, parts.version);
        if framed || !received.bytes.is_empty() {
            headers.insert(CONTENT_LENGTH, received.bytes.len().into());
        }

        let mut outgoing = Request::new(received.bytes.clone());
        (*outgoing.method_mut(), *outgoing.uri_mut(), *outgoing.headers_mut()) = (parts.method, uri, headers);
        let interim = is_told.then(|| shared.interim.subscribe(&outgoing, &pulse.words));
        let mut prepared = Prepared::raw(outgoing, identity).map_err(|error| Refusal::of(&error))?;
        prepared.options.dry_run = Some(false);
        prepared.options.raise_for_status = false;
        prepared.options.redirects = 0;
        prepared.options.max_delay = Some(max_delay);
        if bypassed || is_disguised {
            prepared.options.lifetime = Some(Lifetime::DoNotCache);
        }
        Ok(Self { prepared, here, _interim: interim, is_disguised, _received: received })
    }

    async fn ask(mut self, shared: &Arc<Shared>) -> Answered {
        let place = shared.places.try_acquire();
        let crowded = place.is_err();
        if crowded {
            self.prepared.options.freshness = Freshness::OnlyIfCached;
        }
        let sent = {
            let _waiting = Gauge::up(&shared.metrics.waiting);
            tokio::select! {
                biased;
                sent = shared.session.send_here(&self.prepared) => sent,
                () = shared.reaches(Stage::Closing) => return Err(Refusal::busy("the gateway is being stopped").closing()),
            }
        };
        drop(place);
        let response = match sent {
            Ok(response) => response,
            Err(error) => return Ok(self.failed(&error)),
        };
        if crowded && !matches!(response.origin(), Origin::Cached { .. }) {
            return Err(Refusal::busy("too many requests are waiting already"));
        }
        if matches!(response.origin(), Origin::NotCached) {
            return Err(Refusal::not_cached());
        }
        if named::is_write(&self.prepared.method) {
            self.note_write(shared, &response).await;
        }
        let replays_cookies = shared.headers_only || self.prepared.identity != Identity::Anonymous;
        let answers = (&shared.answers, shared.config.max_answers);
        let about = About { method: &self.prepared.method, replays_cookies, via: &shared.via, answers };
        let outcome = Outcome::of(response.origin());
        Ok((outcome, answer::answer(response, &about)?))
    }

    /// Drops what the session cannot know is outdated.
    async fn note_write(&self, shared: &Arc<Shared>, response: &inat_session::Response) {
        let mut outdated = named::named(shared, &self.here, response.status(), response.headers());
        if self.is_disguised && !response.status().is_client_error() && !response.status().is_server_error() {
            outdated.push(self.prepared.url.clone());
        }
        named::drop_stored(shared, outdated).await;
    }

    fn failed(&self, error: &inat_session::Error) -> (Outcome, Response<Body>) {
        let refusal = Refusal::of(error);
        tracing::info!(status = refusal.status.as_u16(), "{error}");
        let path = self.prepared.url.path();
        (Outcome::Refused, refusal.answer(&self.prepared.method, path))
    }
}

/// The fields without what was settled with this gateway, in their order, the upstream's `Host` first (RFC 9110 §7.2). Over
/// TLS it may be HTTP/2, which has another place for that, and the client library sees to it.
fn tidied(came: &HeaderMap, uri: &Uri, kind: Kind) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(came.keys_len() + 4);
    let plain = uri.authority().filter(|_| uri.scheme() == Some(&Scheme::HTTP));
    if let Some(host) = plain.and_then(|authority| HeaderValue::from_str(authority.as_str()).ok()) {
        headers.insert(HOST, host);
    }
    for (name, value) in came {
        let settled = match *name {
            HOST => true,
            EXPECT => value.as_bytes().eq_ignore_ascii_case(b"100-continue"),
            ACCEPT_ENCODING => kind == Kind::Api,
            _ => false,
        };
        if !settled {
            headers.append(name.clone(), value.clone());
        }
    }
    if kind == Kind::Api {
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(concat!(
            "inat-gateway/",
            env!("CARGO_PKG_VERSION"),
            " (+",
            env!("CARGO_PKG_REPOSITORY"),
            ")"
        )));
    }
    headers
}

/// One hop fewer (RFC 9110 §7.6.2).
fn count_down(method: &Method, headers: &mut HeaderMap) {
    if matches!(*method, Method::TRACE | Method::OPTIONS)
        && let Some(forwards) =
            headers.get(MAX_FORWARDS).and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok())
    {
        headers.insert(MAX_FORWARDS, forwards.saturating_sub(1).into());
    }
}

/// How long the client says it waits (RFC 7240 §4.3), up to ten minutes.
fn patience(headers: &HeaderMap) -> Option<Duration> {
    const PREFER: HeaderName = HeaderName::from_static("prefer");
    const MOST: u64 = 600;
    let lines = headers.get_all(PREFER).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .filter_map(|preference| preference.split(';').next()?.split_once('='))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))
        .find_map(|(_, seconds)| seconds.trim().trim_matches('"').parse::<u64>().ok())
        .map(|seconds| Duration::from_secs(seconds.min(MOST)))
}

/// The answer to `OPTIONS *`: it is here.
fn ping(method: &Method) -> Response<Body> {
    let mut response = refusal::own(StatusCode::NO_CONTENT, "text/plain", bytes::Bytes::new(), method);
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().remove(http::header::CONTENT_TYPE);
    response
}

/// Answers requests that were meant to get no further (RFC 9110 §7.6.2).
fn end_of_the_way(request: &Request<Incoming>) -> Option<Response<Body>> {
    if !matches!(*request.method(), Method::TRACE | Method::OPTIONS) {
        return None;
    }
    let forwards = request.headers().get(MAX_FORWARDS)?.to_str().ok()?.trim().parse::<u64>().ok()?;
    (forwards == 0).then(|| match *request.method() {
        Method::TRACE => traced(request),
        _ => ping(request.method()),
    })
}

/// RFC 9110 §9.3.8: what came, without fields that are secret.
fn traced(request: &Request<Incoming>) -> Response<Body> {
    let mut text = format!("{} {} {:?}\r\n", request.method(), request.uri(), request.version()).into_bytes();
    for (name, value) in request.headers() {
        if *name != PROXY_AUTHORIZATION && !identity::CREDENTIALS.contains(name) {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value.as_bytes());
            text.extend_from_slice(b"\r\n");
        }
    }
    refusal::own(StatusCode::OK, "message/http", text.into(), request.method())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_what_prefer_says() {
        let rows: [(&[&'static str], Option<u64>); 9] = [
            (&[], None),
            (&["wait=5"], Some(5)),
            (&["respond-async, wait=100"], Some(100)),
            (&["respond-async", "Wait = \"7\" ; x=1"], Some(7)),
            (&["wait=0"], Some(0)),
            (&["wait=100000"], Some(600)),
            (&["wait=-1"], None),
            (&["wait"], None),
            (&["wait=x, wait=3"], Some(3)),
        ];
        for (lines, seconds) in rows {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("prefer", HeaderValue::from_static(line));
            }
            assert_eq!(patience(&headers), seconds.map(Duration::from_secs), "{lines:?}");
        }
    }
}
