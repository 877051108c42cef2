//! One request as it was received, and one answer as it will be sent.

use std::{
    net::SocketAddr,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;

use crate::Fault;

/// A request the sandbox received, and what became of it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Counts requests from 1, over the life of the sandbox; a cleared log does not reset it.
    pub number: u64,
    /// Counts connections from 1: requests with the same number shared one connection.
    pub connection: u64,
    /// Who asked.
    pub peer: SocketAddr,
    /// When the request was complete, for measuring distances.
    pub at: Instant,
    /// The same moment on the sandbox's clock, moved on by [`crate::Sandbox::advance`].
    pub when: SystemTime,
    /// The method, as received.
    pub method: String,
    /// Path and query, as received.
    pub target: String,
    /// The headers in order, names as received; bytes that are not UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The body, after chunked decoding.
    pub body: Bytes,
    /// The status decided on, set before the first byte leaves. `None` while no answer is decided, and for good when the connection was
    /// dropped or a [`Fault::Raw`] was sent.
    pub status: Option<u16>,
    /// The fault that was played on this request.
    pub fault: Option<Fault>,
}

impl Seen {
    /// Microseconds since 1970 of [`Seen::when`].
    pub fn micros(&self) -> i64 {
        self.when.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// The first value of a header; the name in any letter case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find_header(&self.headers, name)
    }

    /// The target without its query.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The query without its question mark; empty where there is none.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The decoded query parameters in order.
    pub fn params(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.query().as_bytes()).into_owned().collect()
    }

    /// The first value of one query parameter.
    pub fn param(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query().as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}

/// An answer: scripted by a test, given by a handler, or made by the origin.
///
/// It is sent as it stands. Only `Content-Length` is added, and only where neither it nor `Transfer-Encoding` is given; a
/// `Transfer-Encoding: chunked` makes the body go out in chunks. A `Content-Length` that lies is sent as given and the connection closed.
///
/// ```
/// use inat_sandbox::Answer;
///
/// let answer = Answer::new(200).header("Cache-Control", "max-age=60").header("ETag", "\"one\"").body("hello");
/// assert_eq!(answer.get("cache-control"), Some("max-age=60"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// An answer with no headers and no body.
    pub fn new(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// 200 with a JSON body.
    pub fn json(value: &serde_json::Value) -> Self {
        Self::new(200).header("Content-Type", "application/json; charset=utf-8").body(value.to_string())
    }

    /// An HTML page.
    pub fn html(status: u16, page: impl Into<Bytes>) -> Self {
        Self::new(status).header("Content-Type", "text/html; charset=utf-8").body(page)
    }

    /// A plain text.
    pub fn text(status: u16, text: impl Into<Bytes>) -> Self {
        Self::new(status).header("Content-Type", "text/plain; charset=utf-8").body(text)
    }

    /// Adds one header line; a name may stand on several.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The first value of a header; the name in any letter case.
    pub fn get(&self, name: &str) -> Option<&str> {
        find_header(&self.headers, name)
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.headers.push((name.to_owned(), value.into()));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }
}

fn find_header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}
