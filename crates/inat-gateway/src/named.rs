//! What a write has changed, as the client sees it (RFC 9111 §4.4). The session knows resources by their upstream's name; an
//! upstream that knows where it is reached may name them by this gateway's, and what a client takes for a write may be a
//! read to the session.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::{CONTENT_LOCATION, LOCATION};
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode, Uri};
use inat_session::cache::effective_method;
use url::Url;

use crate::shared::Shared;
use crate::{Listen, upstream};

/// Where the client sees itself: the name it used for this gateway, and the address of ours that it reached.
#[derive(Clone, Debug, Default)]
pub(crate) struct Here {
    pub(crate) host: Option<Authority>,
    pub(crate) local: Option<IpAddr>,
}

/// Whether a method may change something (RFC 9110 §9.2.1); nobody knows of unknown ones.
pub(crate) fn is_write(method: &Method) -> bool {
    !method.is_safe()
}

/// Whether a `POST` calls itself another method. Servers of iNaturalist's kind listen to that; what another one does with it
/// is between it and the client, and to HTTP it is a `POST`.
pub(crate) fn is_disguised(method: &Method, headers: &HeaderMap) -> bool {
    effective_method(method, headers) != *method
}

/// Drops the stored answers of these resources. A cache that fails costs nobody the answer.
pub(crate) async fn drop_stored(shared: &Arc<Shared>, resources: Vec<Url>) {
    if resources.is_empty() {
        return;
    }
    let shared = shared.clone();
    let dropped = tokio::task::spawn_blocking(move || {
        resources.iter().try_for_each(|url| shared.session.cache().invalidate(url).map(drop))
    });
    if let Ok(Err(error)) = dropped.await {
        tracing::warn!("what a write made outdated may still be stored: {error}");
    }
}

/// The resources that the answer to a write names under this gateway's own name.
pub(crate) fn named(shared: &Shared, here: &Here, status: StatusCode, headers: &HeaderMap) -> Vec<Url> {
    if !(status.is_success() || status.is_redirection()) {
        return Vec::new();
    }
    let lines = [LOCATION, CONTENT_LOCATION].into_iter().filter_map(|name| headers.get(name)?.to_str().ok());
    lines.filter_map(|line| resource(shared, here, line.trim())).collect()
}

/// What an absolute reference leads to through this gateway, if it does. Relative ones the session understands.
fn resource(shared: &Shared, here: &Here, reference: &str) -> Option<Url> {
    let absolute = match reference.strip_prefix("//") {
        Some(_) => format!("http:{reference}"),
        None => reference.split('#').next()?.to_owned(),
    };
    let uri: Uri = absolute.parse().ok()?;
    let (scheme, authority, target) = (uri.scheme_str()?, uri.authority()?, uri.path_and_query()?);
    let port = authority.port_u16().or(match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    })?;
    if !is_own(shared, here, authority, port) {
        return None;
    }
    let upstream = upstream::find(&shared.config.upstreams, target.path(), None)?;
    Url::parse(&upstream.uri(target).ok()?.to_string()).ok()
}

/// Whether an authority is this gateway: the one the client used, or another of its names with a port it listens on.
fn is_own(shared: &Shared, here: &Here, authority: &Authority, port: u16) -> bool {
    let host = authority.host();
    if here.host.as_ref().is_some_and(|own| {
        own.host().eq_ignore_ascii_case(host) && own.port_u16().is_none_or(|own_port| own_port == port)
    }) {
        return true;
    }
    let listens = |listen: &Listen| matches!(listen, Listen::Tcp(address) if address.port() == port);
    shared.gate.owns(authority, here.local) && shared.config.listen.iter().any(listens)
}
