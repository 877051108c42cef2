//! Answering from what is stored.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Version;

use super::{Question, Shelf, asked, warn};
use crate::Timestamp;
use crate::cache::{self, Entry, Flags, Hit, Policy, Trouble};
use crate::prepare::Prepared;
use crate::response::{Content, Expiry, Origin, Response, Sent};
use crate::store::Stored;

/// An answer from the cache.
pub(crate) struct Served {
    /// The answer.
    pub(crate) response: Response,
    /// Whether to ask the server meanwhile.
    pub(crate) refresh: bool,
}

impl Shelf {
    /// Makes the answer of a hit; `None` when its body is gone, or the filter says no.
    pub(super) fn serve(&self, prepared: &Prepared, stored: Stored, hit: &Hit, now: Timestamp) -> Option<Served> {
        let origin = match hit.stale {
            Some(because) => Origin::Stale { age: hit.age, because },
            None => Origin::Cached { age: hit.age, fresh_for: hit.fresh_for },
        };
        let body = self.body_of(&stored)?;
        let response = self.answer(prepared, stored.entry, body, origin, now)?;
        Some(Served { response, refresh: hit.refresh_in_background })
    }

    /// The body of a stored variant; `None` when it is gone, or cannot be read.
    pub(crate) fn body_of(&self, stored: &Stored) -> Option<Bytes> {
        stored.body.clone().or_else(|| {
            self.store().body(stored).unwrap_or_else(|error| {
                warn(&error);
                None
            })
        })
    }

    /// An answer with these metadata and this body; `None` when the filter says no.
    pub(crate) fn answer(
        &self,
        prepared: &Prepared,
        entry: Arc<Entry>,
        body: Bytes,
        origin: Origin,
        now: Timestamp,
    ) -> Option<Response> {
        let policy = entry.policy;
        let answer = cache::answer(&asked(prepared), entry, body, now);
        let response = Response {
            status: answer.status,
            reason: None,
            version: Version::HTTP_11,
            headers: answer.headers,
            content: Content::Whole(answer.body),
            origin,
            request: Sent { method: prepared.method.clone(), url: prepared.url.clone() },
            history: Vec::new(),
            received: policy.response_time,
            elapsed: Duration::ZERO,
            expiry: expiry(&policy),
            forwarded: None,
            failed_with: None,
        };
        match &self.filter {
            Some(filter) if !filter(&response) => None,
            _ => Some(response),
        }
    }

    /// What may be served although the server failed.
    pub(crate) fn rescue(
        &self,
        prepared: &Prepared,
        question: &Question,
        trouble: Trouble,
        now: Timestamp,
    ) -> Option<Response> {
        let entry = question.entries.get(question.fallback?)?;
        let hit = cache::rescue(&asked(prepared), entry, trouble, self.rules(), now)?;
        let stored = question.variants.get(question.fallback?)?.clone();
        Some(self.serve(prepared, stored, &hit, now)?.response)
    }
}

/// Until when an entry may be used without asking.
pub(super) fn expiry(policy: &Policy) -> Expiry {
    if policy.flags.has(Flags::NO_CACHE) {
        return Expiry::At(policy.response_time);
    }
    if policy.flags.has(Flags::NEVER_EXPIRES) {
        return Expiry::Never;
    }
    // In the past where it came expired.
    Expiry::At(policy.response_time.plus(policy.lifetime).minus(policy.initial_age))
}
