//! What goes wrong between a client and iNaturalist, on demand: refusals, error pages, cut bodies, slow and broken connections.
//!
//! A fault comes from a script ([`crate::Sandbox::script`]), from the request itself (`X-Sandbox-Fault`, as header or query parameter), or
//! by chance ([`crate::Config::faults`]), in this order. `play.rs` says what each does.

mod book;
mod parse;
mod play;

use std::time::Duration;

use bytes::Bytes;

use crate::Answer;
pub(crate) use book::Book;
pub use parse::BadFault;
#[cfg(test)]
pub(crate) use parse::NAMES;
pub(crate) use play::{Cut, Manner, Wire, blocked, play, refuse, throttled};

/// What a 429 says about when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RetryAfter {
    /// JSON without `Retry-After`, the usual case.
    #[default]
    Absent,
    /// JSON with this many seconds.
    Seconds(u64),
    /// JSON with an HTTP-date this many seconds ahead.
    Date(u64),
    /// The older answer: nginx's HTML page, without `Retry-After`.
    Page,
}

/// One thing that goes wrong. The text form stands in brackets: `name`, `name=argument`, times in milliseconds unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing goes wrong (`pass`): lets one request through in the middle of a script.
    Pass,
    /// 429 (`429`, `429=SECONDS`, `429-date=SECONDS`, `429-html`).
    Throttled(RetryAfter),
    /// A server error with nginx's page (`500`, `502`, `503`, `504`), or JSON for 500.
    Status(u16),
    /// 503 for maintenance (`maintenance=SECONDS`): `Retry-After` as an HTTP-date, a text body.
    Maintenance(u64),
    /// 403 with the HTML page of a blocked address (`blocked`).
    Blocked,
    /// 200, the text cut in half, then packed and announced as if nothing were missing (`cut-body`).
    CutBody,
    /// The whole length announced, half the body sent, the connection closed (`cut-length`).
    CutLength,
    /// Chunked, closed before the last chunk (`cut-chunked`).
    CutChunked,
    /// A gzip body cut in half, its length as announced (`cut-gzip`).
    CutGzip,
    /// 200 with the HTML of the login page (`login`).
    LoginPage,
    /// The right body under the wrong `Content-Type` (`wrong-type`, `wrong-type=TYPE`; `text/html` by default).
    WrongType(String),
    /// The first byte comes late (`slow=MS`); a minute at most.
    SlowStart(Duration),
    /// The body comes byte by byte with this pause before each (`drip=MS`); ten minutes altogether at most.
    Drip(Duration),
    /// The connection is reset before the reply; the request has no effect (`reset`).
    Reset,
    /// The connection is closed in order, without a reply; the request has no effect (`close`).
    Close,
    /// The head and half the body, then a reset (`reset-mid`).
    ResetMid,
    /// The request takes effect, then the connection is reset without a reply (`lost`).
    Lost,
    /// Exactly these bytes, then the connection is closed.
    Raw(Bytes),
    /// This answer in place of the origin's.
    Answer(Answer),
}

impl Fault {
    /// [`Fault::Raw`] from anything that turns into bytes.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self::Raw(bytes.into())
    }
}

impl From<Answer> for Fault {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}
