//! From what the caller means to what goes on the wire: URL, parameters, body, fields and identity.
//!
//! Everything is checked here, before anything is looked up or sent, and nothing of the caller's is changed: a [`Request`]
//! goes in by reference, a [`Prepared`] comes out. There is no clock and no I/O in it: equal requests give equal results,
//! and a file to upload is read later, when it is sent ([`upload::load`]).

mod body;
mod choices;
mod dates;
mod debug;
mod defaults;
mod fields;
mod hosts;
mod identity;
mod ids;
mod multipart;
mod params;
mod phrase;
mod ranks;
mod sendable;
#[cfg(test)]
mod tests;
pub(crate) mod upload;
mod url;

pub(crate) use defaults::Defaults;
pub(crate) use hosts::{is_loopback_name, speaks_inaturalist};

pub(crate) use identity::{has_outlived_its_token, identity_of, whole_identity_of};
pub(crate) use multipart::encode_multipart;
pub use sendable::Sendable;

use ::url::Url;
use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::cache::Identity;
use crate::request::{Options, Upload};
use crate::secret::mask_url;
use crate::{Error, Request, Timestamp};

/// The words of iNaturalist's parameters: which names take one of a few values, which take dates, and what ranks there are.
pub mod vocabulary {
    pub use super::choices::{CHOICES, choices_of};
    pub use super::dates::DATE_PARAMS;
    pub use super::params::OPTION_NAMES;
    pub use super::ranks::{RANK_ALIASES, RANK_PARAMS, RANKS};
}

/// A request as it will be sent. It can be kept, looked at, and sent again.
#[doc(alias = "PreparedRequest")]
#[doc(alias = "prepare_inat_request")]
#[derive(Clone)]
#[non_exhaustive]
pub struct Prepared {
    /// The method.
    pub method: Method,
    /// The absolute URL. Its fragment, if it has one, stays here: it is not sent, and only tells stored answers apart, as it
    /// does in the reference.
    pub url: Url,
    /// All fields but those of the connection.
    pub headers: HeaderMap,
    /// The body.
    pub payload: Payload,
    /// Whose answer it will be.
    pub identity: Identity,
    /// How to go about it.
    pub options: Options,
    /// The very text to ask for, where it must not be normalised as a URL is: a gateway passes on what its client said.
    pub(crate) target: Option<http::Uri>,
}

impl Prepared {
    /// A request that was prepared elsewhere, to be sent as it is: nothing is added to it. `uri` has to be absolute, and goes
    /// out byte for byte where the transport allows.
    ///
    /// # Errors
    /// [`crate::Kind::Invalid`] when it is not an absolute `http` or `https` URL.
    pub fn raw(request: http::Request<Bytes>, identity: Identity) -> Result<Self, Error> {
        let (parts, body) = request.into_parts();
        let url = url::parse(&parts.uri.to_string()).map_err(|error| Error::invalid(format!("not a URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(Error::invalid("the URL must be absolute, and http or https"));
        }
        let payload = if body.is_empty() { Payload::Empty } else { Payload::Bytes(body) };
        Ok(Self {
            method: parts.method,
            url,
            headers: parts.headers,
            payload,
            identity,
            options: Options::default(),
            target: Some(parts.uri),
        })
    }

    /// The query as it is sent.
    pub(crate) fn query(&self) -> Option<&str> {
        match &self.target {
            Some(target) => target.query(),
            None => self.url.query(),
        }
    }

    /// What to ask for, as the transport takes it.
    pub(crate) fn uri(&self) -> Result<http::Uri, String> {
        match &self.target {
            Some(target) => Ok(target.clone()),
            None => self.url[..::url::Position::AfterQuery].parse().map_err(|error| format!("{error}")),
        }
    }
}

/// The body of a prepared request.
#[derive(Clone)]
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

/// Turns a request into what will be sent, or says everything that is wrong with it.
///
/// The reference knows this as `prepare_inat_request`.
pub(crate) fn prepare(request: &Request, defaults: &Defaults, now: Timestamp) -> Result<Prepared, Error> {
    let method = method(&request.method)?;
    let resolved = url::resolve(&request.target, &defaults.base)?;
    assemble(request, defaults, now, method.clone(), resolved).map_err(|error| {
        // What was resolved is gone by now. Doing it again is for the few that fail, masking would be for all.
        let url =
            url::resolve(&request.target, &defaults.base).map_or_else(|_| String::new(), |again| mask_url(&again.url));
        error.about(method.as_str(), url)
    })
}

fn assemble(
    request: &Request,
    defaults: &Defaults,
    now: Timestamp,
    method: Method,
    resolved: url::Resolved,
) -> Result<Prepared, Error> {
    let url::Resolved { mut url, basic } = resolved;
    match ids::segment(&request.ids, request.allow_str_ids)? {
        Some(segment) => url::append(&mut url, &segment),
        None if request.is_of_ids => {
            let error =
                Error::invalid("a list of no ids asks for nothing, and would be taken for the whole collection");
            return Err(error.with_hint("skip the request, or leave `ids` out to ask for the collection"));
        }
        None => {}
    }
    let mut options = request.options.clone();
    let translated =
        params::translate(&request.query, &defaults.zone, hosts::speaks_inaturalist(&url, &defaults.base))?;
    if translated.dry_run && options.dry_run.is_none() {
        options.dry_run = Some(true);
    }
    if !translated.pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(&translated.pairs);
    }
    let body = body::encode(&request.body)?;
    let headers = fields::assemble(request, defaults, &url, basic, &body.content_type)?;
    let identity = if defaults.plain { whole_identity_of(&headers) } else { identity_of(&headers, now) };
    Ok(Prepared { method, url, headers, payload: body.payload, identity, options, target: None })
}

/// Methods are case-sensitive (RFC 9110 §9.1), but nobody who writes `get` means anything but `GET`.
fn method(text: &str) -> Result<Method, Error> {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
    let text = text.trim();
    let known = KNOWN.into_iter().find(|known| known.eq_ignore_ascii_case(text)).unwrap_or(text);
    Method::from_bytes(known.as_bytes()).map_err(|_| {
        // Not shown: a text with spaces in it may be anything, a header line with a secret for example.
        Error::invalid("the method is not one word of letters, digits and signs (RFC 9110 §9.1)")
            .with_hint("name a method such as GET, POST, PUT or DELETE")
    })
}
