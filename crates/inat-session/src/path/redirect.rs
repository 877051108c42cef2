//! Following redirects, above the whole path: every hop is looked up, paced, retried and stored like any other request.

use std::sync::Arc;

use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, LOCATION, PROXY_AUTHORIZATION};
use http::{Method, StatusCode};

use super::trip::Trip;
use crate::human::Count;
use crate::lookup::is_redirect;
use crate::prepare::{Payload, Prepared, identity_of};
use crate::response::{Origin, Redirected, Response};
use crate::secret::mask_url;
use crate::stage::Stage;
use crate::{Error, Kind, Timestamp};

/// Travels, and travels on where an answer points, as often as the request allows.
pub(super) async fn follow(trip: &Trip, mut prepared: Arc<Prepared>) -> Result<Response, Error> {
    let allowed = prepared.options.redirects;
    let mut history: Vec<Redirected> = Vec::new();
    loop {
        let mut response = super::travel(trip, prepared.clone()).await?;
        let Some(location) = target(&response).filter(|_| allowed > 0) else {
            if let Origin::Network { waited, .. } | Origin::Revalidated { waited, .. } = &mut response.origin {
                *waited = waited.saturating_add(history.iter().map(|hop| hop.origin.waited()).sum());
            }
            response.history = history;
            return Ok(response);
        };
        if history.len() >= allowed as usize {
            let problem = format!(
                "more than {}, the last to {}",
                Count(allowed as usize, "redirect"),
                mask_url(&next_url(&prepared, &location)?)
            );
            let attempts = history.iter().map(|hop| hop.origin.attempts()).sum::<u32>() + response.origin.attempts();
            let error = trip.error(Stage::Answer, &prepared, Kind::Redirect(problem));
            return Err(error.after(attempts, trip.elapsed()));
        }
        history.push(Redirected {
            url: mask_url(&prepared.url),
            status: response.status(),
            origin: response.origin().clone(),
        });
        prepared = Arc::new(next(&prepared, response.status(), &location, trip.now())?);
    }
}

fn target(response: &Response) -> Option<String> {
    if !is_redirect(response.status()) {
        return None;
    }
    let location = response.headers().get(LOCATION)?;
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}

fn next_url(prepared: &Prepared, location: &str) -> Result<url::Url, Error> {
    let problem = |text: String| {
        Error::new(Stage::Answer, Kind::Redirect(text)).about(prepared.method.as_str(), mask_url(&prepared.url))
    };
    let mut url =
        prepared.url.join(location).map_err(|error| problem(format!("a redirect that leads nowhere: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(problem(format!("a redirect to `{}`, which is not http or https", url.scheme())));
    }
    url.set_fragment(None);
    Ok(url)
}

/// The request an answer points to (RFC 9110 §15.4): a `POST` becomes a `GET` where browsers make it one, and credentials
/// stay with the host they were meant for.
fn next(prepared: &Prepared, status: StatusCode, location: &str, now: Timestamp) -> Result<Prepared, Error> {
    let mut next = prepared.clone();
    next.url = next_url(prepared, location)?;
    next.target = None;
    let becomes_get = match status {
        StatusCode::SEE_OTHER => prepared.method != Method::HEAD,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => prepared.method == Method::POST,
        _ => false,
    };
    if becomes_get {
        next.method = Method::GET;
        next.payload = Payload::Empty;
        next.headers.remove(CONTENT_TYPE);
        next.headers.remove(CONTENT_LENGTH);
    }
    if next.url.origin() != prepared.url.origin() {
        for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
            next.headers.remove(name);
        }
        next.identity = identity_of(&next.headers, now);
    }
    Ok(next)
}
