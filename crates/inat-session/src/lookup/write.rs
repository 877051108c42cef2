//! Keeping what the server said.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};

use super::written::Write;
use super::{Question, Shelf, asked, warn};
use crate::Timestamp;
use crate::cache::{self, Entry, Keep, Key, Part, Received, Rules, WhyNot};
use crate::prepare::Prepared;
use crate::response::{Expiry, Response};
use crate::runtime::may_wait;
use crate::store::{StoreError, Stored};

/// What has become of an answer.
pub(crate) enum Written {
    /// It is to be stored, under this key.
    Store(Key, Box<Entry>),
    /// It is a 304, and this stored variant is the answer, with these metadata (this once: what is kept may say less).
    Unchanged(Stored, Box<Entry>),
    /// It is a 304 that nothing stored matches.
    Useless304,
    /// It is a part of something, of which another part is stored; together they make this entry.
    Combine(Key, Stored, Box<Entry>, Part),
    /// It is handed on, and not kept.
    HandedOn(WhyNot),
}

/// An answer that is to be stored, and what it answers.
pub(crate) struct Answered<'a> {
    /// The answer.
    pub(crate) response: &'a Response,
    /// The fields of the request.
    pub(crate) asked: &'a HeaderMap,
    /// How many writes had been answered when it was sent.
    pub(crate) writes: u64,
}

/// What a write has made outdated.
#[derive(Default)]
pub(crate) struct Invalidated {
    /// How many stored answers.
    pub(crate) dropped: u64,
    /// Its place among the writes of this process, if it outdates anything.
    pub(crate) write: Option<Write>,
}

impl Shelf {
    /// Decides what becomes of an answer, and notes at once what it says about entries already stored. Where there are any, it is
    /// called from a thread that may wait for the file.
    pub(crate) fn receive(
        &self,
        prepared: &Prepared,
        sent: &HeaderMap,
        question: &Question,
        received: &Received<'_>,
        now: Timestamp,
    ) -> Written {
        let asked = asked(prepared);
        let Some(key) = question.key else {
            let entry = cache::keep_written(&asked, received, prepared.identity, &self.rules);
            return match self.key_of_read(prepared).zip(entry) {
                Some((key, entry)) => Written::Store(key, entry),
                None => Written::HandedOn(WhyNot::Bypass),
            };
        };
        let rules = self.rules_for(prepared, received.status);
        let keep = cache::keep(&asked, sent, &question.entries, received, prepared.identity, &rules);
        match keep {
            Keep::Store(entry) => Written::Store(key, entry),
            Keep::Useless304 => Written::Useless304,
            Keep::Nothing(why) => Written::HandedOn(why),
            Keep::Freshen { index, entry, also } => {
                for (index, entry) in &also {
                    self.freshen(&key, question, *index, entry, now);
                }
                self.freshen(&key, question, index, &entry, now);
                match question.variants.get(index) {
                    Some(stored) => {
                        let answer = cache::revalidated(&asked, &stored.entry, received, &rules);
                        Written::Unchanged(stored.clone(), Box::new(answer))
                    }
                    None => Written::Useless304,
                }
            }
            Keep::Update(updates) => {
                for (index, entry) in &updates {
                    self.freshen(&key, question, *index, entry, now);
                }
                Written::HandedOn(WhyNot::Head)
            }
            Keep::Forget { indexes, why } => {
                for stored in indexes.iter().filter_map(|index| question.variants.get(*index)) {
                    if !self.read_only {
                        self.store().remove(&key, stored.id).unwrap_or_else(|error| warn(&error));
                    }
                }
                Written::HandedOn(why)
            }
            Keep::Combine { index, entry, part } => match question.variants.get(index) {
                Some(stored) => Written::Combine(key, stored.clone(), entry, part),
                None => Written::HandedOn(WhyNot::Range),
            },
        }
    }

    /// The rules for an answer with this status. Who follows redirects wants them kept like what they lead to; the reference
    /// keeps the answer under both URLs.
    fn rules_for(&self, prepared: &Prepared, status: StatusCode) -> Cow<'_, Rules> {
        let is_followed = prepared.options.redirects > 0 && super::is_redirect(status);
        match &self.rules().allowable_codes {
            Some(codes) if is_followed && !codes.contains(&status) => {
                let codes = codes.iter().copied().chain([status]).collect();
                Cow::Owned(Rules { allowable_codes: Some(codes), ..self.rules().clone() })
            }
            _ => Cow::Borrowed(self.rules()),
        }
    }

    fn freshen(&self, key: &Key, question: &Question, index: usize, entry: &Entry, now: Timestamp) {
        if self.read_only {
            return;
        }
        if let Some(stored) = question.variants.get(index)
            && let Err(error) = self.store().freshen(key, stored.id, entry, now)
        {
            warn(&error);
        }
    }

    /// Stores an entry with its body, where this is called if that takes a moment only; says until when it is good. The filter has
    /// its say.
    pub(crate) fn put(
        &self,
        key: &Key,
        entry: &Entry,
        body: &Bytes,
        answered: &Answered<'_>,
        now: Timestamp,
    ) -> Expiry {
        let Answered { response, asked, writes } = *answered;
        let is_outdated = || self.writes.last(&response.request.url) > writes;
        if !fits(entry, body, response.status)
            || is_outdated()
            || self.read_only
            || self.filter.as_ref().is_some_and(|filter| !filter(response))
        {
            return Expiry::NotStored;
        }
        let store = self.store();
        let put = store.put_at_once(key, entry, body, now);
        match put.unwrap_or_else(|| may_wait(|| store.put(key, entry, body, now))) {
            // A write was answered at this very moment, and dropped what was there before.
            Ok(()) if is_outdated() => {
                self.forget(key, asked, now);
                Expiry::NotStored
            }
            Ok(()) => super::serve::expiry(&entry.policy),
            Err(StoreError::Outdated) => Expiry::NotStored,
            Err(error) => {
                warn(&error);
                // Of other faults the store takes care itself: it may not be able to remove anything either.
                if matches!(error, StoreError::TooLarge { .. }) {
                    self.forget(key, asked, now);
                }
                Expiry::NotStored
            }
        }
    }

    /// Removes what would answer a request with these fields: there is a newer answer, though it cannot be stored.
    pub(crate) fn forget(&self, key: &Key, asked: &HeaderMap, now: Timestamp) {
        if self.read_only {
            return;
        }
        let older = self.store().variants(key, now).unwrap_or_default();
        for stored in older.iter().filter(|stored| stored.entry.vary.matches(asked)) {
            self.store().remove(key, stored.id).unwrap_or_else(|error| warn(&error));
        }
    }

    /// Joins a part that arrived with the part that is stored, and stores both.
    pub(crate) fn combine(
        &self,
        key: &Key,
        stored: &Stored,
        entry: &Entry,
        part: Part,
        answered: &Answered<'_>,
        now: Timestamp,
    ) -> Expiry {
        let have = stored.body.clone().or_else(|| self.store().body(stored).ok().flatten());
        let joined = have
            .zip(answered.response.bytes().ok())
            .and_then(|(have, body)| cache::splice(&stored.entry, &have, part, body));
        joined.map_or(Expiry::NotStored, |joined| self.put(key, entry, &joined, answered, now))
    }

    /// Drops what a write has made outdated (RFC 9111 §4.4).
    pub(crate) fn invalidate(&self, prepared: &Prepared, status: StatusCode, headers: &HeaderMap) -> Invalidated {
        let method = self.rules().method(&prepared.method, &prepared.headers);
        let changes_nothing = method.is_safe() || self.rules().allows(&method);
        if changes_nothing || self.rules().disabled {
            return Invalidated::default();
        }
        let resources = cache::invalidated(&method, &prepared.url, status, headers);
        if resources.is_empty() {
            return Invalidated::default();
        }
        let write = Some(self.writes.note(&prepared.url, &resources));
        if self.read_only {
            return Invalidated { dropped: 0, write };
        }
        let dropped = self.store().invalidate(&resources).unwrap_or_else(|error| {
            warn(&error);
            0
        });
        Invalidated { dropped, write }
    }
}

/// Whether a body that came as a range is as long as its `Content-Range` says.
fn fits(entry: &Entry, body: &Bytes, status: StatusCode) -> bool {
    let length = || entry.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
    match entry.part {
        Some(part) => part.size() == Some(body.len() as u64),
        None => status != StatusCode::PARTIAL_CONTENT || length() == Some(body.len() as u64),
    }
}
