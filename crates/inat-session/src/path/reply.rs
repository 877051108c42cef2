//! What came of one try, from the head of an answer to a body that was checked.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::trip::Trip;
use crate::Timestamp;
use crate::cache::Received;
use crate::prepare::{Prepared, speaks_inaturalist};
use crate::retry::{Outcome, retry_after};
use crate::runtime::may_wait;
use crate::stage::Stage;
use crate::transport::{Chunks, Fault};
use crate::validate::{self, Soundness};

/// Reading more than this as JSON takes longer than giving way to others.
const LONG: usize = 128 << 10;

/// What came of one try.
pub(super) enum Reply {
    /// An answer with a head, and a body as far as it was read.
    Answered(Box<Arrived>),
    /// An answer whose body cannot be used.
    BadBody(String),
    /// None.
    Failed(Fault),
}

/// An answer that arrived.
pub(super) struct Arrived {
    pub(super) status: StatusCode,
    pub(super) version: http::Version,
    pub(super) reason: Option<Bytes>,
    pub(super) headers: HeaderMap,
    pub(super) content: ArrivedBody,
    /// The fields it was asked with.
    pub(super) sent: HeaderMap,
    pub(super) request_time: Timestamp,
    pub(super) response_time: Timestamp,
    /// Whether it may be kept, as far as the body goes.
    pub(super) sound: bool,
}

/// A body, whole or as far as it has arrived.
pub(super) enum ArrivedBody {
    Whole(Bytes),
    Arriving { start: Bytes, rest: Chunks },
}

impl Arrived {
    pub(super) fn received(&self) -> Received<'_> {
        Received {
            status: self.status,
            headers: &self.headers,
            request_time: self.request_time,
            response_time: self.response_time,
            complete: true,
        }
    }

    /// What of the body is here already.
    fn text(&self) -> &[u8] {
        match &self.content {
            ArrivedBody::Whole(bytes) => bytes,
            ArrivedBody::Arriving { start, .. } => start,
        }
    }
}

impl Reply {
    /// Checks the body against its fields.
    pub(super) fn validated(self, trip: &Trip, prepared: &Prepared) -> Self {
        let Self::Answered(mut arrived) = self else { return self };
        let ArrivedBody::Whole(body) = &arrived.content else { return Self::Answered(arrived) };
        if !trip.core().check_json {
            return Self::Answered(arrived);
        }
        let is_api = speaks_inaturalist(&prepared.url, &trip.core().defaults.base);
        let check =
            || validate::check(&prepared.method, &prepared.headers, arrived.status, &arrived.headers, body, is_api);
        // A long one takes longer than others should wait.
        match if body.len() > LONG { may_wait(check) } else { check() } {
            Soundness::Sound => {}
            Soundness::Unexpected => arrived.sound = trip.core().shelf.rules().unasked_html,
            Soundness::False(reason) => {
                trip.listener().tell(prepared, Stage::Validate, || reason.clone());
                if arrived.status.is_success() {
                    return Self::BadBody(reason);
                }
                // What the server refuses it refuses, in whatever words: sending it again would not help.
                arrived.sound = false;
            }
        }
        Self::Answered(arrived)
    }

    /// For the verdict.
    pub(super) fn outcome(&self, now: Timestamp) -> Outcome<'_> {
        match self {
            Self::Answered(arrived) => Outcome::Answered {
                status: arrived.status,
                retry_after: retry_after(&arrived.headers, now),
                text: arrived.text(),
            },
            Self::BadBody(_) => Outcome::BadBody,
            Self::Failed(fault) => Outcome::Failed(fault),
        }
    }
}
