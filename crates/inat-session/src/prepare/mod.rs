//! From what the caller means to what goes on the wire: URL, parameters, body, fields and identity.
//!
//! Everything is checked here, before anything is looked up or sent, and nothing of the caller's is changed: a [`Request`]
//! goes in by reference, a [`Prepared`] comes out.

use bytes::Bytes;
use http::{HeaderMap, Method};
use url::Url;

use crate::cache::Identity;
use crate::request::{Options, Upload};

/// A request as it will be sent. It can be kept, looked at, and sent again.
#[doc(alias = "PreparedRequest")]
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Prepared {
    /// The method.
    pub method: Method,
    /// The absolute URL, without fragment.
    pub url: Url,
    /// All fields but those of the connection.
    pub headers: HeaderMap,
    /// The body.
    pub payload: Payload,
    /// Whose answer it will be.
    pub identity: Identity,
    /// How to go about it.
    pub options: Options,
}

/// The body of a prepared request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Payload {
    /// None.
    Empty,
    /// These bytes; their type is in the fields.
    Bytes(Bytes),
    /// A form with files, whose bytes are read when it is sent.
    Multipart {
        /// Fields, in order.
        fields: Vec<(String, String)>,
        /// Files, in order.
        files: Vec<Upload>,
    },
}
