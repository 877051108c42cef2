//! Sorting what the client library says by what may be done about it.

use std::error::Error;
use std::io;
use std::time::Duration;

use hyper_util::client::legacy::Error as ClientError;
use inat_session::{Fault, Phase};

use super::dial::TookTooLong;

/// An error that came before the head of an answer.
pub(super) fn of(error: &ClientError, connect: Option<Duration>) -> Fault {
    let text = describe(error);
    if causes(error).any(<dyn Error>::is::<TookTooLong>) {
        Fault::Timeout { phase: Phase::Connecting, after: connect.unwrap_or_default() }
    } else if causes(error).any(is_certificate) {
        Fault::Certificate(text)
    } else if error.is_connect() && text.contains("dns error") {
        Fault::Dns(text)
    } else if error.is_connect() {
        Fault::Connect(text)
    } else if causes(error).filter_map(|cause| cause.downcast_ref::<hyper::Error>()).any(hyper::Error::is_user) {
        Fault::Unsendable(text)
    } else {
        Fault::Reset(text)
    }
}

/// Whether a failure on a connection used before is about the connection and not about the request: it was closed before
/// an answer began, or what stood in it was no answer to this request.
pub(super) fn says_nothing_of_the_request(error: &ClientError) -> bool {
    causes(error).any(|cause| {
        let closed = cause.downcast_ref::<hyper::Error>().is_some_and(|error| {
            error.is_incomplete_message() || error.is_canceled() || error.is_closed() || error.is_parse()
        });
        let reset = cause.downcast_ref::<io::Error>().is_some_and(|error| {
            matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted
            )
        });
        closed || reset
    })
}

/// The whole chain in one line. The outermost text alone says nothing.
pub(super) fn describe(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in causes(error).skip(usize::from(error.source().is_some())) {
        let part = cause.to_string();
        if !text.contains(&part) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&part);
        }
    }
    text
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

fn is_certificate(cause: &(dyn Error + 'static)) -> bool {
    let tls = cause
        .downcast_ref::<rustls::Error>()
        .or_else(|| cause.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref::<rustls::Error>());
    matches!(tls, Some(rustls::Error::InvalidCertificate(_)))
}
