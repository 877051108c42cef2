//! The answer.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Response {
    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn error_message(&self) -> Option<String> {
        None
    }
}
