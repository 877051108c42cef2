//! What is stored, and what it is good for: the store asked by the engine's rules. The lookup stage of the path, and the
//! store stage at its end.

mod serve;
mod write;
mod written;

pub(crate) use serve::Served;
pub(crate) use write::{Answered, Invalidated, Written};
pub(crate) use written::Writes;

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::Timestamp;
use crate::cache::{self, Asked, Entry, Key, Lookup, MissReason, Rules};
use crate::prepare::{Payload, Prepared};
use crate::response::Response;
use crate::store::{Store, StoreError, Stored};

/// Says whether an answer may be kept, and whether a kept one may be used.
pub(crate) type Filter = Arc<dyn Fn(&Response) -> bool + Send + Sync>;

/// Says what tells requests apart, instead of method, URL and body. The identity counts whatever it says.
pub(crate) type KeyOf = Arc<dyn Fn(&Prepared) -> String + Send + Sync>;

/// The store with the rules by which it is used.
pub(crate) struct Shelf {
    store: Arc<dyn Store>,
    rules: Rules,
    read_only: bool,
    filter: Option<Filter>,
    key_of: Option<KeyOf>,
    /// Where the file of the store is, if it is one: a plan must not make it.
    file: Option<PathBuf>,
    /// Keys whose last answer was not kept: twins would wait for each other in vain.
    /// Made when the first answer comes from the server: a hit has no use for it.
    unshareable: LazyLock<quick_cache::sync::Cache<Key, ()>>,
    /// What this process has changed on servers.
    pub(crate) writes: Writes,
}

/// What the cache says about a request.
pub(crate) enum Found {
    /// This is the answer.
    Hit(Served),
    /// The server has to be asked.
    Ask(Question),
    /// The server would have to be asked, and must not be.
    Refused(MissReason),
}

/// What to ask the server, and what is known already.
pub(crate) struct Question {
    /// Where the answer belongs; `None` when it is not to be kept.
    pub(crate) key: Option<Key>,
    /// What is stored under it.
    pub(crate) variants: Vec<Stored>,
    /// The same, for the engine.
    pub(crate) entries: Vec<Arc<Entry>>,
    /// Fields to send in place of the request's own.
    pub(crate) conditions: HeaderMap,
    /// The variant that may help out if the server fails.
    pub(crate) fallback: Option<usize>,
    /// Why the cache cannot answer.
    pub(crate) reason: MissReason,
}

impl Shelf {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        rules: Rules,
        read_only: bool,
        filter: Option<Filter>,
        key_of: Option<KeyOf>,
        file: Option<PathBuf>,
    ) -> Self {
        let unshareable: LazyLock<_> = LazyLock::new(|| quick_cache::sync::Cache::new(1024));
        Self { store, rules, read_only, filter, key_of, file, unshareable, writes: Writes::default() }
    }

    /// Whether the last answer of this key was not kept.
    pub(crate) fn is_unshareable(&self, key: &Key) -> bool {
        self.unshareable.get(key).is_some()
    }

    /// Notes whether an answer of this key was kept.
    pub(crate) fn note_shareable(&self, key: &Key, kept: bool) {
        if kept {
            self.unshareable.remove(key);
        } else {
            self.unshareable.insert(*key, ());
        }
    }

    /// What a lookup would say, without making a file that is not there yet.
    pub(crate) fn forecast(&self, prepared: &Prepared, now: Timestamp) -> Found {
        if self.file.as_ref().is_some_and(|file| !file.exists()) {
            return match cache::look(&asked(prepared), &[], &self.rules, now) {
                Lookup::Refused(reason) => Found::Refused(reason),
                _ => Found::Ask(Question::plain(None, MissReason::Uri)),
            };
        }
        self.look(prepared, now)
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(crate) fn close(&self) {
        self.store.close();
    }

    /// Looks a request up. A store that fails is a cache without answers: it costs a request, not the answer.
    pub(crate) fn look(&self, prepared: &Prepared, now: Timestamp) -> Found {
        let asked = asked(prepared);
        if !self.covers(prepared) {
            return match cache::look(&asked, &[], &self.rules, now) {
                Lookup::Refused(reason) => Found::Refused(reason),
                Lookup::Miss(reason @ MissReason::Method) => Found::Ask(Question::plain(None, reason)),
                _ => Found::Ask(Question::plain(None, MissReason::Bypass)),
            };
        }
        let key = self.key(prepared);
        let mut variants = self.store.variants(&key, now).unwrap_or_else(|error| {
            warn(&error);
            Vec::new()
        });
        if self.read_only && self.writes.last(&prepared.url) > 0 {
            // What a write of this session outdated cannot be removed.
            variants.clear();
        }
        for stored in &mut variants {
            if let Some(entry) = cache::as_headers_say(&stored.entry, asked.lifetime.is_some(), &self.rules) {
                stored.entry = Arc::new(entry);
            }
        }
        let entries: Vec<Arc<Entry>> = variants.iter().map(|stored| stored.entry.clone()).collect();
        match cache::look(&asked, &entries, &self.rules, now) {
            Lookup::Hit(hit) => {
                // Who holds an entry alone need not copy its fields.
                drop(entries);
                let stored = variants.into_iter().nth(hit.index);
                match stored.and_then(|stored| self.serve(prepared, stored, &hit, now)) {
                    Some(served) => Found::Hit(served),
                    // Its body is gone or damaged, or the filter says no: as if it had never been there.
                    None => match cache::look(&asked, &[], &self.rules, now) {
                        Lookup::Refused(reason) => Found::Refused(reason),
                        _ => Found::Ask(Question::plain(Some(key), MissReason::Uri)),
                    },
                }
            }
            Lookup::Validate { conditions, fallback, reason } => {
                Found::Ask(Question { key: Some(key), variants, entries, conditions, fallback, reason })
            }
            Lookup::Miss(reason) => {
                let question = Question::plain(Some(key), reason);
                Found::Ask(Question { variants, entries, ..question })
            }
            Lookup::Refused(reason) => Found::Refused(reason),
        }
    }

    /// Whether the cache has any part in this request.
    pub(crate) fn covers(&self, prepared: &Prepared) -> bool {
        let bypassed = self.rules.disabled || prepared.options.lifetime == Some(cache::Lifetime::DoNotCache);
        let keyless = matches!(prepared.payload, Payload::Multipart { .. });
        !bypassed && !keyless && self.rules.allows(&self.rules.method(&prepared.method, &prepared.headers))
    }

    pub(crate) fn key(&self, prepared: &Prepared) -> Key {
        let body: &[u8] = match &prepared.payload {
            Payload::Bytes(bytes) => bytes,
            Payload::Empty | Payload::Multipart { .. } => &[],
        };
        match &self.key_of {
            None => self.key_with(&asked(prepared), prepared, body),
            Some(key_of) => {
                let mut hasher = blake3::Hasher::new_derive_key("inat-session 2026-11 key named by the caller");
                hasher.update(&prepared.identity.bytes()).update(key_of(prepared).as_bytes());
                of_trust(prepared, Key(*hasher.finalize().as_bytes()))
            }
        }
    }

    /// Where the answer to a `GET` of the same URL belongs; `None` where the caller decides that by the whole request.
    fn key_of_read(&self, prepared: &Prepared) -> Option<Key> {
        let asked = Asked { method: &Method::GET, ..asked(prepared) };
        self.key_of.is_none().then(|| self.key_with(&asked, prepared, &[]))
    }

    fn key_with(&self, asked: &Asked<'_>, prepared: &Prepared, body: &[u8]) -> Key {
        of_trust(prepared, Key::with_query(asked, prepared.query(), body, &prepared.identity, &self.rules))
    }
}

impl Question {
    pub(crate) fn plain(key: Option<Key>, reason: MissReason) -> Self {
        Self { key, variants: Vec::new(), entries: Vec::new(), conditions: HeaderMap::new(), fallback: None, reason }
    }

    /// Whether a stored answer would do, were it certain that it still holds.
    pub(crate) fn has_answer(&self) -> bool {
        self.fallback.is_some() || (self.reason == MissReason::Request && !self.entries.is_empty())
    }

    /// The same question without any condition, after an answer to the conditional one that is of no use.
    pub(crate) fn unconditional(&mut self) {
        self.conditions = HeaderMap::from_iter([(http::header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))]);
        self.variants.clear();
        self.entries.clear();
        self.fallback = None;
    }
}

pub(crate) fn asked(prepared: &Prepared) -> Asked<'_> {
    Asked {
        method: &prepared.method,
        url: &prepared.url,
        headers: &prepared.headers,
        freshness: prepared.options.freshness,
        lifetime: prepared.options.lifetime,
    }
}

/// Answers of servers that need not prove who they are stay apart. The reference has `verify` in its keys too.
fn of_trust(prepared: &Prepared, key: Key) -> Key {
    if prepared.options.verify { key } else { key.unverified() }
}

/// Whether a status leads elsewhere (RFC 9110 §15.4).
pub(crate) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn warn(error: &StoreError) {
    tracing::warn!("the cache is left out: {error}");
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf").field("store", &self.store).field("rules", &self.rules).finish_non_exhaustive()
    }
}
