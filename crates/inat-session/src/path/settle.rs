//! The end of the path: what is kept of an answer, and what the caller gets.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::doubt::Doubt;
use super::reply::{Arrived, ArrivedBody, Reply};
use super::stream::Body;
use super::trip::Trip;
use super::{renewal, stream};
use crate::cache::{Trouble, WhyNot};
use crate::lookup::{Answered, Invalidated, Question, Served, Written};
use crate::prepare::{Prepared, has_outlived_its_token};
use crate::response::{Content, Expiry, Origin, Response, Sent};
use crate::runtime::may_wait;
use crate::stage::Stage;
use crate::transport::Fault;
use crate::{Error, Kind};

/// What an answer of the server comes to.
pub(super) enum Settled {
    /// The caller's answer.
    Answer(Box<Response>),
    /// A 304 that fits nothing stored: ask once more, without conditions.
    AskAgain,
}

/// A hit: handed over at once, and refreshed behind the caller's back where that is allowed.
pub(super) fn hit(trip: &Trip, prepared: &Arc<Prepared>, served: Served) -> Response {
    trip.listener().tell(prepared.as_ref(), Stage::Lookup, || served.response.origin().to_string());
    if served.refresh {
        renewal::refresh_in_background(trip.core(), prepared.clone());
    }
    served.response
}

/// An answer of the server: decides what is kept of it, keeps that, and makes the caller's answer.
pub(super) async fn arrived(
    trip: &Trip,
    prepared: &Prepared,
    question: &Question,
    arrived: Box<Arrived>,
    mut doubt: Doubt,
) -> Settled {
    trip.answered(prepared, arrived.status, &arrived.headers).await;
    if let Some(response) = rescued(trip, prepared, question) {
        return Settled::Answer(Box::new(response));
    }
    let core = trip.core();
    let now = trip.now();
    let writes = if prepared.method.is_safe() { trip.writes } else { written(trip, prepared, &arrived) };
    doubt.ends();
    let origin = Origin::Network { attempts: trip.attempts, waited: trip.waited };
    let written = if arrived.sound {
        let receive = || core.shelf.receive(prepared, &arrived.sent, question, &arrived.received(), now);
        // Only what is stored already is written to here, and giving way to other tasks costs more than the decision.
        if question.variants.is_empty() { receive() } else { may_wait(receive) }
    } else {
        Written::HandedOn(WhyNot::Unusable)
    };
    let written = match written {
        Written::Store(..) if has_outlived_its_token(prepared, now) => Written::HandedOn(WhyNot::Unusable),
        written => written,
    };
    let settled = match written {
        Written::Useless304 => return Settled::AskAgain,
        Written::Unchanged(stored, entry) => {
            let origin = Origin::Revalidated { attempts: trip.attempts, waited: trip.waited };
            let body = core.shelf.body_of(&stored);
            match body.and_then(|body| core.shelf.answer(prepared, Arc::from(entry), body, origin, now)) {
                Some(response) => response,
                None => return Settled::AskAgain,
            }
        }
        Written::HandedOn(why) => {
            trip.listener().tell(prepared, Stage::Store, || format!("not kept: {why}"));
            handed_on(trip, prepared, arrived, origin)
        }
        Written::Combine(key, stored, entry, part) => {
            let mut response = handed_on(trip, prepared, arrived, origin);
            response.expiry = may_wait(|| {
                let answered = Answered { response: &response, asked: &prepared.headers, writes };
                core.shelf.combine(&key, &stored, &entry, part, &answered, now)
            });
            response
        }
        Written::Store(key, entry) => match &arrived.content {
            ArrivedBody::Arriving { .. } => stream::stored(trip, prepared, arrived, origin, (key, entry), writes),
            ArrivedBody::Whole(body) => {
                let body = body.clone();
                let mut response = handed_on(trip, prepared, arrived, origin);
                let answered = Answered { response: &response, asked: &prepared.headers, writes };
                response.expiry = core.shelf.put(&key, &entry, &body, &answered, now);
                trip.listener().tell(prepared, Stage::Store, || response.expiry.to_string());
                response
            }
        },
    };
    Settled::Answer(Box::new(Response { forwarded: Some(question.reason), ..settled }))
}

/// A write was answered: drops what it has made outdated. Its own answer may be kept as what there is to read now, if no other
/// write to it was answered meanwhile; says how many writes it knows of.
fn written(trip: &Trip, prepared: &Prepared, arrived: &Arrived) -> u64 {
    let shelf = &trip.core().shelf;
    let Invalidated { dropped, write } = may_wait(|| shelf.invalidate(prepared, arrived.status, &arrived.headers));
    if dropped > 0 {
        trip.listener().tell(prepared, Stage::Store, || {
            format!("{dropped} outdated {} dropped", if dropped == 1 { "answer" } else { "answers" })
        });
    }
    write.filter(|write| write.before <= trip.writes).map_or(trip.writes, |write| write.number)
}

/// What one try means for what is stored: whether it may stand in for the server, and whether a write whose answer was lost or
/// broken may have made it outdated.
pub(super) fn note(trip: &mut Trip, prepared: &Prepared, reply: &Reply, doubt: &mut Doubt) {
    let (trouble, in_doubt) = match reply {
        Reply::Answered(arrived) if arrived.status.is_server_error() => (Some(Trouble::Status(arrived.status)), false),
        Reply::Answered(_) => (None, false),
        Reply::BadBody(_) => (Some(Trouble::Network), true),
        Reply::Failed(fault) => (Some(Trouble::Network), !fault.is_before_sending()),
    };
    trip.trouble = trouble;
    if in_doubt {
        let shelf = &trip.core().shelf;
        may_wait(|| shelf.invalidate(prepared, StatusCode::OK, &HeaderMap::new()));
    }
    // Only of one that was done it is still to be noted.
    if !matches!(reply, Reply::Answered(arrived) if arrived.status.as_u16() < 400) {
        doubt.ends();
    }
}

/// Nothing is left to try: what the caller is told, unless something stored helps out.
pub(super) fn failure(trip: &Trip, prepared: &Prepared, reply: Reply) -> Error {
    match reply {
        Reply::Failed(Fault::Timeout { .. }) if trip.left(prepared) == Some(Duration::ZERO) => {
            trip.past_deadline(Stage::Transport, prepared)
        }
        Reply::Failed(fault) => trip.error(Stage::Transport, prepared, Kind::Network(fault)),
        Reply::BadBody(reason) => trip.error(Stage::Validate, prepared, Kind::BadBody(reason)),
        // Not reached: an answer is never given up, it is the caller's whatever its status.
        Reply::Answered(_) => trip.error(Stage::Retry, prepared, Kind::Internal("an answer was given up".to_owned())),
    }
}

/// What is stored, in place of a server that failed, where that is allowed.
pub(super) fn rescued(trip: &Trip, prepared: &Prepared, question: &Question) -> Option<Response> {
    let trouble = trip.trouble?;
    let mut response = trip.core().shelf.rescue(prepared, question, trouble, trip.now())?;
    if trip.attempts > 0 {
        response.forwarded = Some(question.reason);
        response.failed_with = match trouble {
            Trouble::Status(status) => Some(status),
            Trouble::Network => None,
        };
    }
    trip.listener().tell(prepared, Stage::Store, || format!("{trouble:?}: a stored answer is served in its place"));
    Some(response)
}

/// An answer as it came.
pub(super) fn handed_on(trip: &Trip, prepared: &Prepared, arrived: Box<Arrived>, origin: Origin) -> Response {
    let content = match arrived.content {
        ArrivedBody::Whole(bytes) => Content::Whole(bytes),
        ArrivedBody::Arriving { start, rest } => {
            stream::plain(&trip.core().tasks, Body::new(trip, prepared, start, rest))
        }
    };
    Response {
        status: arrived.status,
        reason: arrived.reason,
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
        failed_with: None,
    }
}

/// An empty body, for answers that have none.
pub(super) const NO_BODY: Bytes = Bytes::new();
