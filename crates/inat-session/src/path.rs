//! The path of a request, from the caller's hand to the answer. Only this file knows the order; stages do not know each
//! other.
//!
//! ```text
//! prepare → dry run → lookup → coalesce → [ limit → transport → validate ]* → store → answer
//!                        │         │          └──────── retry loop ───────┘      │
//!                     fresh hit   join a twin's flight                     304 freshens, writes invalidate
//! ```

mod depart;
mod doubt;
mod flight;
mod lease;
mod metered;
mod pause;
mod plan;
mod redirect;
mod renewal;
mod reply;
mod send;
mod settle;
mod stream;
mod trip;
mod upload;

pub(crate) use plan::plan;

use std::sync::Arc;

use crate::Error;
use crate::lookup::{Found, Question};
use crate::parts::Core;
use crate::prepare::{Prepared, Sendable};
use crate::response::Response;
use crate::retry::{Verdict, judge};
use doubt::Doubt;
use reply::Reply;
use trip::Trip;

/// Sends a request, follows its redirects if it asks for that, and makes a status of 400 or above an error unless it asks not to.
pub(crate) async fn run(core: &Arc<Core>, request: Sendable) -> Result<Response, Error> {
    let trip = Trip::start(core);
    let prepared = core.ready(request)?; // prepare
    let raises = prepared.options.raise_for_status;
    let mut response = redirect::follow(&trip, Arc::new(prepared)).await?;
    response.elapsed = trip.elapsed();
    if raises { response.error_for_status() } else { Ok(response) }
}

/// One request along the path: what [`redirect::follow`] does for every hop.
async fn travel(trip: &Trip, prepared: Arc<Prepared>) -> Result<Response, Error> {
    let core = trip.core();
    core.check_open()?;
    if plan::is_rehearsal(core, &prepared) {
        return Ok(plan::rehearse(core, &prepared)); // dry run
    }
    let found = core.shelf.look(&prepared, core.clock.now()); // lookup
    match found {
        Found::Hit(served) => Ok(settle::hit(trip, &prepared, served)),
        Found::Refused(reason) => plan::refuse(core, &prepared, reason),
        Found::Ask(question) => flight::board(trip, prepared, question).await, // coalesce
    }
}

/// Asks the server, and where it fails, what is stored: what [`flight::board`] does for all who wait for the same answer.
async fn ask(trip: &mut Trip, prepared: &Prepared, mut question: Question) -> Result<Response, Error> {
    match ask_server(trip, prepared, &mut question).await {
        Ok(response) => Ok(response),
        Err(error) => {
            settle::rescued(trip, prepared, &question).ok_or_else(|| error.beside_stored(question.has_answer()))
        }
    }
}

/// Asks the server until there is an answer, or nothing left to try.
async fn ask_server(trip: &mut Trip, prepared: &Prepared, question: &mut Question) -> Result<Response, Error> {
    let body = upload::load(trip, prepared).await?;
    loop {
        let permit = trip.wait_for_slot(prepared).await?; // limit
        let mut doubt = Doubt::about(trip, prepared);
        doubt.begins(trip)?;
        let reply = trip.transmit(prepared, question, &body, permit, &mut doubt).await?; // transport
        let reply = reply.validated(trip, prepared); // validate
        settle::note(trip, prepared, &reply, &mut doubt);
        let verdict = judge(&reply.outcome(trip.now()), &trip.tried(prepared), &trip.core().backoff, fastrand::f64()); // retry
        match (verdict, reply) {
            (Verdict::Answer, Reply::Answered(arrived)) => {
                match settle::arrived(trip, prepared, question, arrived, doubt).await {
                    settle::Settled::Answer(response) => return Ok(*response), // store
                    settle::Settled::AskAgain => question.unconditional(),
                }
            }
            (Verdict::Again { why, after, retry_after }, _) => {
                trip.back_off(prepared, &why, after, retry_after).await?;
            }
            (Verdict::Throttled { status, retry_after }, _) => trip.throttled(prepared, status, retry_after).await?,
            (Verdict::Blocked, _) => return Err(trip.blocked(prepared).await),
            (Verdict::Answer | Verdict::GiveUp, reply) => return Err(settle::failure(trip, prepared, reply)),
        }
    }
}
