//! What a session takes: requests, and requests that are prepared already.

use super::Prepared;
use crate::request::Request;

/// What may be sent: a [`Request`], or one that is [`Prepared`] already.
#[derive(Debug)]
#[non_exhaustive]
pub enum Sendable {
    /// Prepared when it is sent.
    Request(Box<Request>),
    /// Sent as it is.
    Prepared(Box<Prepared>),
}

impl From<Request> for Sendable {
    fn from(request: Request) -> Self {
        Self::Request(Box::new(request))
    }
}

impl From<&Request> for Sendable {
    fn from(request: &Request) -> Self {
        Self::Request(Box::new(request.clone()))
    }
}

impl From<Prepared> for Sendable {
    fn from(prepared: Prepared) -> Self {
        Self::Prepared(Box::new(prepared))
    }
}

impl From<&Prepared> for Sendable {
    fn from(prepared: &Prepared) -> Self {
        Self::Prepared(Box::new(prepared.clone()))
    }
}
