//! What the gateway itself has to say, in the shapes of the API, so that a client's error handling needs no second branch.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use inat_session::{Clock, Fault, Kind, Timestamp};
use serde_json::json;

use crate::body::Body;

/// A request that gets no answer from upstream, and why.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    /// When to come back.
    pub(crate) retry_after: Option<Duration>,
    /// Whether the connection is of no more use: there is no knowing where the next request on it begins.
    pub(crate) close: bool,
    /// What `Allow` says, for 405.
    pub(crate) allow: Option<&'static str>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), retry_after: None, close: false, allow: None }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    pub(crate) fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Too much to do at the moment.
    pub(crate) fn busy(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message).after(Duration::from_secs(1))
    }

    /// What a failure of the session comes to.
    pub(crate) fn of(error: &inat_session::Error) -> Self {
        let text = error.kind().to_string();
        let until =
            |status, until: Timestamp| Self::new(status, text.clone()).after(until.since(Clock::system().now()));
        match error.kind() {
            Kind::Limited { until: at } | Kind::RetryAfter { until: at } => until(StatusCode::TOO_MANY_REQUESTS, *at),
            Kind::Blocked { until: at } => {
                let mut refusal = until(StatusCode::SERVICE_UNAVAILABLE, *at);
                if let Some(hint) = error.hint() {
                    refusal.message = format!("{text}; {hint}");
                }
                refusal
            }
            Kind::Budget(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, text).after(Duration::from_secs(5)),
            Kind::Closed => Self::busy("the gateway is being stopped"),
            Kind::NotCached => Self::not_cached(),
            Kind::Network(Fault::Timeout { .. }) | Kind::Deadline(_) => Self::new(StatusCode::GATEWAY_TIMEOUT, text),
            // RFC 9111 §5.2.2.2: what is stored may not be served without the server's word, and that is not to be had.
            Kind::Network(_) if error.has_stored() => Self::new(StatusCode::GATEWAY_TIMEOUT, text),
            Kind::Network(_) | Kind::BadBody(_) => Self::new(StatusCode::BAD_GATEWAY, text),
            Kind::Invalid(_) => Self::bad_request(text),
            _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, text),
        }
    }

    /// RFC 9111 §5.2.1.7: the client wants only what is cached, and it is not.
    pub(crate) fn not_cached() -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, Kind::NotCached.to_string())
    }

    /// What it says, in the shape of the version of the API that this path is of.
    pub(crate) fn body(&self, path: &str) -> String {
        let code = self.status.as_u16();
        let body = if is_v2(path) {
            json!({"status": code.to_string(), "errors": [{"errorCode": code.to_string(), "message": self.message}]})
        } else {
            json!({"error": self.message, "status": code})
        };
        body.to_string()
    }

    /// The answer. `path` tells which version of the API the client speaks.
    pub(crate) fn answer(&self, method: &Method, path: &str) -> Response<Body> {
        let body = self.body(path);
        let mut response = own(self.status, "application/json; charset=utf-8", body.into(), method);
        let headers = response.headers_mut();
        // As the API does: a page in a browser could not tell this from a broken connection otherwise.
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, whole_seconds(wait).into());
        }
        if self.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(allow) = self.allow {
            headers.insert(http::header::ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

/// An answer of the gateway's own. Nobody may keep it: it is about this moment.
pub(crate) fn own(status: StatusCode, media_type: &'static str, body: Bytes, method: &Method) -> Response<Body> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CONTENT_LENGTH, body.len().into());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    crate::answer::date(&mut headers, Clock::system().now());
    let mut response = Response::new(if *method == Method::HEAD { Body::empty() } else { Body::whole(body) });
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// At least one, and never less than the wait: a client that comes back too early would be refused again.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

fn is_v2(path: &str) -> bool {
    path.strip_prefix("/v2").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_rounded_up() {
        let rows = [(0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (59_001, 60)];
        for (millis, seconds) in rows {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds);
        }
    }

    #[test]
    fn the_path_tells_the_version() {
        for (path, v2) in [("/v2/taxa", true), ("/v2", true), ("/v20", false), ("/v1/v2/", false), ("/", false)] {
            assert_eq!(is_v2(path), v2, "{path}");
        }
    }
}
