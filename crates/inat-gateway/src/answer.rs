//! The session's answer as the client gets it: the same bytes, without what was the upstream connection's, with `Age`,
//! `Via` and `Cache-Status`.

use bytes::Bytes;
use http::header::{AGE, CONTENT_LENGTH, DATE, HeaderValue, SET_COOKIE};
use http::{HeaderMap, Method, Response, StatusCode};
use hyper::ext::ReasonPhrase;
use inat_session::{Clock, Origin, Timestamp, is_event_stream};

use crate::body::Body;
use crate::hop::{self, Via};
use crate::receive::Purse;
use crate::refusal::Refusal;
use crate::status;
use crate::transport::WHOLE;

/// What is known about the question besides the answer.
pub(crate) struct About<'a> {
    pub(crate) method: &'a Method,
    /// Whether a stored cookie may be set again: the client is somebody, or HTTP alone decides what is kept and it lets the
    /// answer be kept as it is (RFC 9111 §7.3).
    pub(crate) replays_cookies: bool,
    pub(crate) via: &'a Via,
    /// Where large answers take room, and how much there is.
    pub(crate) answers: (&'a Purse, u64),
}

/// Answers smaller than this are not worth counting.
const SMALL: usize = 64 << 10;
/// What waits for a client to read on, of an answer that is passed on as it comes.
pub(crate) const AHEAD: u64 = 2 << 20;

/// Makes the client's answer.
pub(crate) fn answer(mut response: inat_session::Response, about: &About<'_>) -> Result<Response<Body>, Refusal> {
    let status = response.status();
    if status.is_informational() {
        // 101 to a request that asked for no upgrade: upstream has left HTTP.
        return Err(Refusal::new(StatusCode::BAD_GATEWAY, format!("upstream answered {}", status.as_u16())));
    }
    let mut headers = response.headers().clone();
    hop::strip(&mut headers);
    date(&mut headers, response.received());
    age(&mut headers, response.origin());
    let is_others = response.is_from_cache() || matches!(response.origin(), Origin::Shared(_));
    if is_others && !about.replays_cookies {
        // A cookie is made for whom it was sent to, and nobody in particular may be anybody.
        headers.remove(SET_COOKIE);
    }
    about.via.add(&mut headers, response.version());
    status::add(&mut headers, &response, Clock::system().now());
    let reason = response.unusual_reason().cloned();
    let body = body(&mut headers, &mut response, about.method);
    let (answers, most) = about.answers;
    let body = match body {
        Some(bytes) if bytes.len() < SMALL => Body::whole(bytes),
        Some(bytes) => {
            let room = answers.share(&bytes, most).ok_or_else(|| no_room(about.method))?;
            Body::whole(bytes).with_shared_room(room)
        }
        None => {
            let length = length(&headers);
            // Where the length was not known, it was read until it turned out to be a large one, but for a stream of events.
            let begun = if length.is_none() && !is_event_stream(&headers) { WHOLE } else { 0 };
            let room = answers.take(begun.max(AHEAD).min(most), most).ok_or_else(|| no_room(about.method))?;
            Body::arriving(response, length).with_room(room, begun)
        }
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    if let Some(reason) = reason.and_then(|reason| ReasonPhrase::try_from(reason).ok()) {
        answer.extensions_mut().insert(reason);
    }
    Ok(answer)
}

fn no_room(method: &Method) -> Refusal {
    if method.is_safe() {
        return Refusal::busy("too many large answers are being read at once");
    }
    // It may be done: whoever is told to come again would do it twice.
    let answered = "upstream has answered, but too many large answers are being read at once to pass this one on";
    let look = "look whether it was done before you send it again";
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{answered}; {look}"))
}

/// The body, with `Content-Length` made true of it; `None` when it is still arriving.
fn body(headers: &mut HeaderMap, response: &mut inat_session::Response, method: &Method) -> Option<Bytes> {
    let status = response.status();
    match status {
        // RFC 9110 §8.6: these have no body, and the first two no length either.
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT => {
            headers.remove(CONTENT_LENGTH);
            if status == StatusCode::RESET_CONTENT {
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            return Some(Bytes::new());
        }
        StatusCode::NOT_MODIFIED => return Some(Bytes::new()),
        _ if *method == Method::HEAD => return Some(Bytes::new()),
        _ => {}
    }
    let bytes = response.bytes().ok()?.clone();
    headers.insert(CONTENT_LENGTH, bytes.len().into());
    Some(bytes)
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// RFC 9110 §6.6.1: whoever forwards a message without a date says when it came.
pub(crate) fn date(headers: &mut HeaderMap, received: Timestamp) {
    if headers.contains_key(DATE) {
        return;
    }
    // Years that such a date cannot have are taken for those it begins and ends with.
    let at = received.clamp(Timestamp::EPOCH, Timestamp::from_secs(253_402_300_799));
    if let Ok(value) = HeaderValue::try_from(httpdate::fmt_http_date(at.into())) {
        headers.insert(DATE, value);
    }
}

/// RFC 9111 §5.1: an answer from a cache says how old it is. One that upstream has just sent says what upstream said.
fn age(headers: &mut HeaderMap, origin: &Origin) {
    match origin {
        Origin::Cached { age, .. } | Origin::Stale { age, .. } => {
            headers.insert(AGE, age.as_secs().into());
        }
        Origin::Shared(inner) => age_of_shared(headers, inner),
        _ => {}
    }
}

fn age_of_shared(headers: &mut HeaderMap, inner: &Origin) {
    match inner {
        Origin::Network { .. } => {
            if !headers.contains_key(AGE) {
                headers.insert(AGE, HeaderValue::from_static("0"));
            }
        }
        other => age(headers, other),
    }
}
