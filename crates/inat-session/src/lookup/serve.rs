//! Answering from what is stored.

use std::time::Duration;

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
    pub(super) fn serve(&self, prepared: &Prepared, variants: &[Stored], hit: Hit, now: Timestamp) -> Option<Served> {
        let stored = variants.get(hit.index)?;
        let origin = match hit.stale {
            Some(because) => Origin::Stale { age: hit.age, because },
            None => Origin::Cached { age: hit.age, fresh_for: hit.fresh_for },
        };
        let response = self.answer(prepared, stored, &stored.entry, origin, now)?;
        Some(Served { response, refresh: hit.refresh_in_background })
    }

    /// An answer with the body of a stored variant and these metadata.
    pub(crate) fn answer(
        &self,
        prepared: &Prepared,
        stored: &Stored,
        entry: &Entry,
        origin: Origin,
        now: Timestamp,
    ) -> Option<Response> {
        let body = match &stored.body {
            Some(body) => body.clone(),
            None => self.store().body(stored).unwrap_or_else(|error| {
                warn(&error);
                None
            })?,
        };
        let answer = cache::answer(&asked(prepared), entry, &body, now);
        let response = Response {
            status: answer.status,
            reason: None,
            version: Version::HTTP_11,
            headers: answer.headers,
            content: Content::Whole(answer.body),
            origin,
            request: Sent { method: prepared.method.clone(), url: prepared.url.clone() },
            history: Vec::new(),
            received: entry.policy.response_time,
            elapsed: Duration::ZERO,
            expiry: expiry(&entry.policy),
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
        let mut hit = cache::rescue(&asked(prepared), entry, trouble, self.rules(), now)?;
        hit.index = question.fallback?;
        Some(self.serve(prepared, &question.variants, hit, now)?.response)
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
    Expiry::At(policy.response_time.plus(policy.lifetime.saturating_sub(policy.initial_age)))
}
