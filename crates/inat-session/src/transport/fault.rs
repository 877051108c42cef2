//! What can go wrong on the wire, sorted by what may be done about it.

use std::fmt;
use std::time::Duration;

/// Why no (whole) answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The name of the host could not be resolved. Nothing was sent.
    #[error("the host name could not be resolved: {0}")]
    Dns(String),
    /// No connection could be made. Nothing was sent.
    #[error("no connection could be made: {0}")]
    Connect(String),
    /// The server's certificate is not to be trusted. Nothing was sent.
    #[error("the server's certificate was refused: {0}")]
    Certificate(String),
    /// A time limit passed.
    #[error("timed out after {after:?} while {phase}")]
    Timeout {
        /// While doing what.
        phase: Phase,
        /// The limit.
        after: Duration,
    },
    /// The connection broke before the answer began. The server may have acted on the request.
    #[error("the connection broke before an answer came: {0}")]
    Reset(String),
    /// The answer broke off.
    #[error("the answer broke off: {0}")]
    Truncated(String),
    /// The body is not packed the way `Content-Encoding` says.
    #[error("the answer cannot be unpacked: {0}")]
    Undecodable(String),
    /// The request cannot be sent as it is.
    #[error("the request cannot be sent: {0}")]
    Unsendable(String),
    /// The session was closed while the answer was on its way, or the runtime that read it has ended.
    #[error("the session was closed")]
    Closed,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// What was being done when a time limit passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Making a connection.
    Connecting,
    /// Sending the request.
    Sending,
    /// Waiting for the first byte, or between two.
    Reading,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "connecting",
            Self::Sending => "sending the request",
            Self::Reading => "waiting for the answer",
        })
    }
}

impl Fault {
    /// Whether the request cannot have reached the server, so that sending it again does no harm whatever it is.
    pub fn is_before_sending(&self) -> bool {
        match self {
            Self::Dns(_) | Self::Connect(_) | Self::Certificate(_) | Self::Unsendable(_) => true,
            Self::Timeout { phase, .. } => *phase == Phase::Connecting,
            _ => false,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Dns(_) => {
                Some("check the network and the host's name, or use what is cached (`only_if_cached`, `--offline`)")
            }
            Self::Connect(_) => Some(
                "check the network, a proxy, and that the server is up, or use what is cached (`only_if_cached`, `--offline`)",
            ),
            Self::Certificate(_) => Some(
                "check the clock and the host's name; where a proxy re-signs, add its certificate to the system's store",
            ),
            Self::Timeout { .. } => Some("ask again later, ask for less at a time, or allow more time (`timeout`)"),
            Self::Reset(_) | Self::Truncated(_) => Some(
                "ask again; if it keeps happening, ask for less at a time. A write may have been done all the same: look before you \
                 send it again",
            ),
            Self::Undecodable(_) => Some(
                "ask again; if it keeps happening, ask for it as it is (`Accept-Encoding: identity`), and tell those who run the server",
            ),
            Self::Closed => Some("make a new session"),
            Self::Unsendable(_) | Self::Other(_) => None,
        }
    }
}
