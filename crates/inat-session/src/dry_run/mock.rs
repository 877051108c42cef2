//! The answer of a dry run.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode, Version};
use serde_json::{Value, json};

use super::Plan;
use crate::Timestamp;
use crate::prepare::Prepared;
use crate::response::{Content, Expiry, Origin, Response, Sent};

/// Makes the answer of a dry run: status 200, reason `DRY_RUN`, no results, `no-store`. Its JSON has what callers usually look
/// for, and [`Response::get`] answers an empty text for anything else.
#[derive(Clone, Debug)]
pub struct MockResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Default for MockResponse {
    fn default() -> Self {
        let headers = [
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        ];
        Self {
            status: StatusCode::OK,
            headers: headers.into_iter().collect(),
            body: json!({"results": [], "total_results": 0, "access_token": "", "id": "placeholder-id"}),
        }
    }
}

impl MockResponse {
    /// One with another status.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// One with another body.
    #[must_use]
    pub fn body(mut self, body: Value) -> Self {
        self.body = body;
        self
    }

    /// The answer to this request.
    pub fn answer(self, prepared: &Prepared, plan: Plan, now: Timestamp) -> Response {
        Response {
            status: self.status,
            reason: Some(Bytes::from_static(b"DRY_RUN")),
            version: Version::HTTP_11,
            headers: self.headers,
            content: Content::Whole(Bytes::from(self.body.to_string())),
            origin: Origin::DryRun(Box::new(plan)),
            request: Sent { method: prepared.method.clone(), url: prepared.url.clone() },
            history: Vec::new(),
            received: now,
            elapsed: Duration::ZERO,
            expiry: Expiry::NotStored,
            forwarded: None,
            failed_with: None,
        }
    }
}
