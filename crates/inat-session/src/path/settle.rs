//! The end of the path: what is kept of an answer, and what the caller gets.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::reply::{Arrived, ArrivedBody, Reply};
use super::trip::Trip;
use super::{flight, stream};
use crate::cache::{Trouble, WhyNot};
use crate::lookup::{Question, Served, Written};
use crate::path::Stage;
use crate::prepare::Prepared;
use crate::response::{Content, Expiry, Origin, Response, Sent};
use crate::runtime::may_wait;
use crate::{Error, Freshness, Kind};

/// What an answer of the server comes to.
pub(super) enum Settled {
    /// The caller's answer.
    Answer(Box<Response>),
    /// A 304 that fits nothing stored: ask once more, without conditions.
    AskAgain,
}

/// A hit: handed over at once, and refreshed behind the caller's back where that is allowed.
pub(super) fn hit(trip: &Trip, prepared: &Arc<Prepared>, served: Served) -> Response {
    trip.listener().tell(Stage::Lookup, || served.response.origin().to_string());
    if served.refresh {
        let mut again = Prepared::clone(prepared);
        again.options.freshness = Freshness::Refresh;
        flight::refresh_in_background(trip.core(), Arc::new(again));
    }
    served.response
}

/// An answer of the server: decides what is kept of it, keeps that, and makes the caller's answer.
pub(super) async fn arrived(trip: &Trip, prepared: &Prepared, question: &Question, arrived: Box<Arrived>) -> Settled {
    if arrived.status.is_server_error()
        && let Some(response) = rescued(trip, prepared, question, Trouble::Status(arrived.status))
    {
        return Settled::Answer(Box::new(response));
    }
    if arrived.status.as_u16() < 400 {
        trip.answered(prepared).await;
    }
    let core = trip.core();
    let now = trip.now();
    let dropped = may_wait(|| core.shelf.invalidate(prepared, arrived.status, &arrived.headers));
    if dropped > 0 {
        trip.listener().tell(Stage::Store, || format!("{dropped} outdated answers dropped"));
    }
    let origin = Origin::Network { attempts: trip.attempts, waited: trip.waited };
    let written = if arrived.sound {
        may_wait(|| core.shelf.receive(prepared, &arrived.sent, question, &arrived.received(), now))
    } else {
        Written::HandedOn(WhyNot::Unusable)
    };
    let settled = match written {
        Written::Useless304 => return Settled::AskAgain,
        Written::Unchanged(stored, entry) => {
            let origin = Origin::Revalidated { attempts: trip.attempts, waited: trip.waited };
            match core.shelf.answer(prepared, &stored, &entry, origin, now) {
                Some(response) => response,
                None => return Settled::AskAgain,
            }
        }
        Written::HandedOn(why) => {
            trip.listener().tell(Stage::Store, || format!("not kept: {why}"));
            handed_on(prepared, arrived, origin)
        }
        Written::Combine(key, stored, entry, part) => {
            if let ArrivedBody::Whole(body) = &arrived.content {
                may_wait(|| core.shelf.combine(&key, &stored, &entry, part, body, now));
            }
            handed_on(prepared, arrived, origin)
        }
        Written::Store(key, entry) => match &arrived.content {
            ArrivedBody::Arriving { .. } => stream::stored(core, prepared, arrived, origin, key, entry),
            ArrivedBody::Whole(body) => {
                let body = body.clone();
                let mut response = handed_on(prepared, arrived, origin);
                response.expiry = may_wait(|| core.shelf.put(&key, &entry, &body, &response, now));
                trip.listener().tell(Stage::Store, || response.expiry.to_string());
                response
            }
        },
    };
    Settled::Answer(Box::new(Response { forwarded: Some(question.reason), ..settled }))
}

/// Nothing is left to try. A stored answer may help out; else the caller gets the failure.
pub(super) fn failed(trip: &Trip, prepared: &Prepared, question: &Question, reply: Reply) -> Result<Response, Error> {
    if let Some(response) = rescued(trip, prepared, question, Trouble::Network) {
        return Ok(response);
    }
    Err(match reply {
        Reply::Failed(fault) => trip.error(Stage::Transport, prepared, Kind::Network(fault)),
        Reply::BadBody(reason) => trip.error(Stage::Validate, prepared, Kind::BadBody(reason)),
        // Not reached: an answer is never given up, it is the caller's whatever its status.
        Reply::Answered(_) => trip.error(Stage::Retry, prepared, Kind::Internal("an answer was given up".to_owned())),
    })
}

fn rescued(trip: &Trip, prepared: &Prepared, question: &Question, trouble: Trouble) -> Option<Response> {
    let response = trip.core().shelf.rescue(prepared, question, trouble, trip.now())?;
    trip.listener().tell(Stage::Store, || format!("{trouble:?}: a stored answer is served in its place"));
    Some(response)
}

/// An answer as it came.
pub(super) fn handed_on(prepared: &Prepared, arrived: Box<Arrived>, origin: Origin) -> Response {
    let content = match arrived.content {
        ArrivedBody::Whole(bytes) => Content::Whole(bytes),
        ArrivedBody::Arriving { start, rest } => stream::plain(start, rest),
    };
    Response {
        status: arrived.status,
        reason: None,
        version: arrived.version,
        headers: arrived.headers,
        content,
        origin,
        request: Sent { method: prepared.method.clone(), url: prepared.url.clone() },
        history: Vec::new(),
        received: arrived.response_time,
        elapsed: Duration::ZERO,
        expiry: Expiry::NotStored,
        forwarded: None,
    }
}

/// An empty body, for answers that have none.
pub(super) const NO_BODY: Bytes = Bytes::new();
