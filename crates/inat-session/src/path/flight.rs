//! Boarding: joining a twin's flight in this process, or waiting for one in another, and flying oneself otherwise.

use std::pin::Pin;
use std::sync::Arc;

use http::{Method, StatusCode};

use super::lease::{Lease, Waited};
use super::trip::Trip;
use crate::cache::Key;
use crate::coalesce::{Landing, Twin};
use crate::lookup::{Found, Question};
use crate::parts::Core;
use crate::prepare::Prepared;
use crate::response::{Expiry, Origin, Response};
use crate::{Error, Freshness, Kind, Options};

/// Asks the server, together with whoever else asks for the same.
pub(super) async fn board(trip: &Trip, prepared: Arc<Prepared>, question: Question) -> Result<Response, Error> {
    let core = trip.core();
    match question.key.filter(|key| may_share(core, &prepared, key)) {
        None => core.flights.alone(solo(trip.clone(), prepared, question)).await,
        Some(key) => {
            let twin = twin(&key, &prepared, core.shelf.writes.last(&prepared.url));
            core.flights.join(twin, || together(trip.clone(), prepared.clone(), key)).await
        }
    }
}

/// A flight as a value. Its type is named because flights may take off within flights (a file to upload that is fetched from
/// elsewhere), and types that contain themselves cannot be inferred.
type Flying = Pin<Box<dyn Future<Output = Landing> + Send>>;

/// A flight that nobody may join.
fn solo(mut trip: Trip, prepared: Arc<Prepared>, question: Question) -> Flying {
    Box::pin(async move {
        let key = question.key;
        let result = super::ask(&mut trip, &prepared, question).await;
        note(&trip, &prepared, key, &result);
        landing(trip.core(), result)
    })
}

/// A flight for all twins.
fn together(mut trip: Trip, prepared: Arc<Prepared>, key: Key) -> Flying {
    Box::pin(async move {
        let result = fly(&mut trip, &prepared, key).await;
        landing(trip.core(), result)
    })
}

/// Whether twins may share what comes of this: a read whose answer has a place in the cache, and whose last answer was not of
/// the kind that has none.
fn may_share(core: &Core, prepared: &Prepared, key: &Key) -> bool {
    !prepared.options.stream && prepared.method.is_safe() && !core.shelf.is_unshareable(key)
}

/// Twins agree in everything: key (and with it identity), fields, how they want it done, and the last write of what they ask
/// for: who has just changed something wants to see it, and not what was asked for before.
fn twin(key: &Key, prepared: &Prepared, last_write: u64) -> Twin {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&key.0).update(&last_write.to_le_bytes()).update(prepared.method.as_str().as_bytes());
    for (name, value) in &prepared.headers {
        hasher.update(name.as_str().as_bytes()).update(&[0]).update(value.as_bytes()).update(&[0]);
    }
    if prepared.options != Options::default() {
        hasher.update(format!("{:?}", prepared.options).as_bytes());
    }
    Twin(*hasher.finalize().as_bytes())
}

/// What the others get of it. An answer is theirs if it was kept; a failure is theirs if it is the server's, and not the
/// leader's own impatience. Where only HTTP decides, it has to be kept like any other answer.
fn landing(core: &Core, result: Result<Response, Error>) -> Landing {
    let shared = match &result {
        // Of a body that is still arriving each would get a part.
        Ok(response) if is_failure(response.status()) => {
            response.bytes().is_ok() && (!is_only_http(core) || is_for_all(core, response))
        }
        Ok(response) => is_for_all(core, response),
        Err(error) => {
            matches!(error.kind(), Kind::Network(_) | Kind::BadBody(_) | Kind::Blocked { .. } | Kind::RetryAfter { .. })
        }
    };
    Landing { result, shared }
}

/// Whether an answer is good for others than who asked: it is stored, and where nothing but HTTP decides, fresh as well.
/// Requests may only be collapsed where the answer may be reused (RFC 9111 §4); what has expired on arrival, or says
/// `no-cache`, may not. Sessions with rules of their own prefer one request to many.
fn is_for_all(core: &Core, response: &Response) -> bool {
    match (response.origin(), response.expiry()) {
        (Origin::Cached { .. } | Origin::Stale { .. } | Origin::Shared(_), _) | (_, Expiry::Never) => true,
        (_, Expiry::At(at)) => at > response.received() || !is_only_http(core),
        (_, Expiry::NotStored) => response.is_from_cache(),
    }
}

fn is_only_http(core: &Core) -> bool {
    core.shelf.rules().lifetimes.is_only_http()
}

/// One flight for this process: waits for one of another process that is on its way, then asks.
async fn fly(trip: &mut Trip, prepared: &Prepared, key: Key) -> Result<Response, Error> {
    let core = trip.core().clone();
    let lease = match Lease::take(trip, prepared, key).await? {
        Waited::Answered(response) => return Ok(*response),
        Waited::Leads(lease) => lease,
    };
    // Somebody may have landed between our look and now.
    let question = match core.shelf.look(prepared, core.clock.now()) {
        Found::Hit(served) if prepared.options.freshness != Freshness::ForceRefresh => {
            lease.give_back();
            let mut response = served.response;
            response.origin = response.origin.shared();
            return Ok(response);
        }
        Found::Ask(question) => question,
        Found::Hit(_) | Found::Refused(_) => Question::plain(Some(key), crate::cache::MissReason::Uri),
    };
    let result = tokio::select! {
        result = super::ask(trip, prepared, question) => result,
        never = lease.keep() => match never {},
    };
    note(trip, prepared, Some(key), &result);
    lease.give_back();
    result
}

/// Notes whether twins may share what comes of this key. A server that fails says nothing about that, nor does a `HEAD`, nor
/// a body that is still arriving.
fn note(trip: &Trip, prepared: &Prepared, key: Option<Key>, result: &Result<Response, Error>) {
    let (Some(key), Ok(response)) = (key, result) else { return };
    let is_telling = prepared.method != Method::HEAD && !prepared.options.stream && !is_failure(response.status());
    if is_telling {
        trip.core().shelf.note_shareable(&key, is_for_all(trip.core(), response));
    }
}

/// Whether a status speaks of the server, and not of what was asked for.
fn is_failure(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}
