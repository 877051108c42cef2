//! Time limits, by method: reads get one, writes another.

use std::time::Duration;

use http::Method;

use crate::request::TimeoutChoice;

/// The limits of one request; `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For making a connection.
    pub connect: Option<Duration>,
    /// For sending the request, body included.
    pub send: Option<Duration>,
    /// Between two bytes of the answer, and before the first.
    pub read: Option<Duration>,
}

/// The session's limits, and how they apply to a method.
///
/// ```
/// use inat_session::{RequestTimeout, TimeoutChoice};
/// use std::time::Duration;
///
/// let limits = RequestTimeout::default();
/// assert_eq!(limits.of(&http::Method::GET, TimeoutChoice::Session).connect, Some(Duration::from_secs(5)));
/// assert_eq!(limits.of(&http::Method::PATCH, TimeoutChoice::Session).connect, Some(Duration::from_secs(60)));
/// assert_eq!(limits.of(&http::Method::GET, TimeoutChoice::Off).read, None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestTimeout {
    /// Between two bytes of an answer; `None` turns every limit off, that of writes included.
    pub timeout: Option<Duration>,
    /// For connecting and sending of a write, and for its answer to begin; `None` turns the limits of writes off.
    pub write_timeout: Option<Duration>,
}

impl RequestTimeout {
    /// The limit for connecting, for reads: 5 seconds.
    pub const CONNECT: Duration = Duration::from_secs(5);

    /// The limits for one request. A limit of the request itself counts for everything, as in the reference.
    pub fn of(&self, method: &Method, choice: TimeoutChoice) -> Timeouts {
        let all = |limit| Timeouts { connect: limit, send: limit, read: limit };
        match (choice, self.timeout) {
            (TimeoutChoice::Off, _) | (TimeoutChoice::Session, None) => all(None),
            (TimeoutChoice::After(limit), _) => all(Some(limit)),
            (TimeoutChoice::Session, Some(_)) if is_write(method) => all(self.write_timeout),
            (TimeoutChoice::Session, Some(read)) => {
                Timeouts { connect: Some(Self::CONNECT), send: Some(read), read: Some(read) }
            }
        }
    }
}

impl Default for RequestTimeout {
    /// 20 seconds for reads, 60 for writes.
    fn default() -> Self {
        Self { timeout: Some(Duration::from_secs(20)), write_timeout: Some(Duration::from_secs(60)) }
    }
}

/// Methods that send data and may take long: `POST`, `PUT`, `PATCH`. The reference forgot `PATCH`, and `DELETE` sends none.
fn is_write(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_follow_method_session_and_request() {
        let secs = |n| Some(Duration::from_secs(n));
        let (reads, writes, none) = ((secs(5), secs(20)), (secs(60), secs(60)), (None, None));
        let (default, off) = (RequestTimeout::default(), RequestTimeout { timeout: None, ..RequestTimeout::default() });
        let no_write = RequestTimeout { write_timeout: None, ..default };
        let ten = TimeoutChoice::After(Duration::from_secs(10));
        let rows = [
            (default, Method::GET, TimeoutChoice::Session, reads),
            (default, Method::HEAD, TimeoutChoice::Session, reads),
            (default, Method::DELETE, TimeoutChoice::Session, reads),
            (default, Method::POST, TimeoutChoice::Session, writes),
            (default, Method::PUT, TimeoutChoice::Session, writes),
            (default, Method::PATCH, TimeoutChoice::Session, writes),
            (off, Method::GET, TimeoutChoice::Session, none),
            (off, Method::POST, TimeoutChoice::Session, none),
            (no_write, Method::GET, TimeoutChoice::Session, reads),
            (no_write, Method::PUT, TimeoutChoice::Session, none),
            (default, Method::GET, ten, (secs(10), secs(10))),
            (off, Method::POST, ten, (secs(10), secs(10))),
            (default, Method::PUT, TimeoutChoice::Off, none),
        ];
        for (limits, method, choice, expected) in rows {
            let of = limits.of(&method, choice);
            assert_eq!((of.connect, of.read), expected, "{method} {choice:?}");
        }
    }
}
