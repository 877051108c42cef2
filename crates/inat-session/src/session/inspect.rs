//! The cache, for people: what is in it, and tidying it.

use url::Url;

use crate::Error;
use crate::cache;
use crate::parts::Core;
use crate::stage::Stage;
use crate::store::{Listed, Stats, StoreError};

/// The cache of a session, to look into and to tidy. Patterns are globs over URLs
/// ([`Glob::of_entries`](crate::cache::Glob::of_entries)).
///
/// ```
/// # use inat_session::{Request, Script, blocking::Session};
/// # let server = Script::new().json(&serde_json::json!({"results": []}));
/// # let inat = Session::builder().transport(server).cache_in_memory().budget_in_memory().build()?;
/// inat.send(Request::get("taxa/1"))?;
/// assert_eq!(inat.cache().stats()?.entries, 1);
/// assert_eq!(inat.cache().remove("api.inaturalist.org/v1/taxa*")?, 1);
/// # Ok::<(), inat_session::Error>(())
/// ```
#[derive(Debug)]
pub struct Cache<'session> {
    core: &'session Core,
}

impl<'session> Cache<'session> {
    pub(crate) fn new(core: &'session Core) -> Self {
        Self { core }
    }

    /// Stored answers whose URL matches, those used last first, at most `limit`; all of them without a pattern. A pattern ends where
    /// a part of the URL ends (`taxa/1` is not `taxa/10`), and with a `*` at its end wherever it likes.
    pub fn list(&self, pattern: Option<&str>, limit: usize) -> Result<Vec<Listed>, Error> {
        self.core.shelf.store().list(pattern, limit).map_err(fault)
    }

    /// Removes stored answers whose URL matches, and says how many.
    pub fn remove(&self, pattern: &str) -> Result<u64, Error> {
        self.core.shelf.store().clear(Some(pattern)).map_err(fault)
    }

    /// Removes all stored answers, and says how many.
    pub fn clear(&self) -> Result<u64, Error> {
        self.core.shelf.store().clear(None).map_err(fault)
    }

    /// Removes what has expired and cannot be of use any more, and says how many.
    pub fn prune(&self) -> Result<u64, Error> {
        self.core.shelf.store().prune(self.core.clock.now()).map_err(fault)
    }

    /// Removes the stored answers of a resource, whatever their query and whoever asked, as a write to it does (RFC 9111 §4.4).
    /// A write whose answer names other resources in a way only the caller understands is followed by this.
    pub fn invalidate(&self, url: &Url) -> Result<u64, Error> {
        if self.core.shelf.rules().disabled {
            return Ok(0);
        }
        self.core.shelf.store().invalidate(&[cache::resource_of(url)]).map_err(fault)
    }

    /// Whether nothing but the headers of answers says how long they are kept
    /// ([`SessionBuilder::headers_only`](crate::SessionBuilder::headers_only)).
    pub fn is_headers_only(&self) -> bool {
        self.core.shelf.rules().lifetimes == cache::Rules::headers_only().lifetimes
    }

    /// How much is stored.
    pub fn stats(&self) -> Result<Stats, Error> {
        self.core.shelf.store().stats().map_err(fault)
    }
}

fn fault(error: StoreError) -> Error {
    Error::new(Stage::Lookup, error.into())
}
