//! The session: what a program holds in its hand.

mod inspect;

pub use inspect::Cache;

use std::sync::Arc;

use serde::de::DeserializeOwned;

#[cfg(doc)]
use crate::Kind;
use crate::builder::SessionBuilder;
use crate::dry_run::Plan;
use crate::parts::Core;
use crate::path;
use crate::prepare::Sendable;
use crate::request::Request;
use crate::response::Response;
use crate::stage::Stage;
use crate::{Error, Prepared};

/// A polite, durable HTTP session: paced, cached, retried. Cloning it is cheap, and clones share everything; it may be used
/// from any number of threads and tasks, on any executor.
///
/// ```no_run
/// use inat_session::{Request, Session};
///
/// # async fn example() -> Result<(), inat_session::Error> {
/// let inat = Session::new()?;
/// let found: serde_json::Value = inat.json(Request::get("taxa").query("q", "monarch")).await?;
/// println!("{}", found["total_results"]);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "ClientSession")]
#[derive(Clone, Debug)]
pub struct Session {
    core: Arc<Core>,
}

impl Session {
    /// iNaturalist's API, which relative paths resolve against.
    pub const API: &str = "https://api.inaturalist.org/v1/";

    /// A session with every default: nothing to set up.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A session set up as one likes.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    pub(crate) fn from_core(core: Core) -> Self {
        Self { core: Arc::new(core) }
    }

    /// Sends a request along the whole path: cache, budget, network, retries, checks.
    ///
    /// # Errors
    /// See [`Kind`]. A status of 400 or above is an error too, unless the request says otherwise.
    #[doc(alias = "request")]
    pub async fn send(&self, request: impl Into<Sendable>) -> Result<Response, Error> {
        path::run(&self.core, request.into()).await
    }

    /// The same on the caller's own tokio runtime, for servers. Otherwise a request that has to be sent moves to a small runtime
    /// of the library's and back, which a program that outlives all its requests has no use for. Where the caller's runtime
    /// has only one thread, or is none of tokio's, it is [`Session::send`]. Not for a `LocalSet`, where tokio forbids what this
    /// does on a thread that has to wait for a file, and cannot be asked beforehand.
    ///
    /// # Errors
    /// As for [`Session::send`]. When the runtime ends before the request does, [`Kind::Internal`].
    pub async fn send_here(&self, request: impl Into<Sendable>) -> Result<Response, Error> {
        crate::runtime::here(self.send(request)).await
    }

    /// Sends a request, and reads the answer's JSON as the caller's type.
    pub async fn json<T: DeserializeOwned>(&self, request: impl Into<Sendable>) -> Result<T, Error> {
        self.send(request).await?.json()
    }

    /// A `GET` of this path or URL.
    pub async fn get(&self, target: &str) -> Result<Response, Error> {
        self.send(Request::get(target)).await
    }

    /// A `POST` of this JSON.
    pub async fn post(&self, target: &str, json: &serde_json::Value) -> Result<Response, Error> {
        self.send(Request::post(target).json(json)).await
    }

    /// A `PUT` of this JSON.
    pub async fn put(&self, target: &str, json: &serde_json::Value) -> Result<Response, Error> {
        self.send(Request::put(target).json(json)).await
    }

    /// A `DELETE`.
    pub async fn delete(&self, target: &str) -> Result<Response, Error> {
        self.send(Request::delete(target)).await
    }

    /// What would go on the wire. The request is checked and nothing is sent.
    #[doc(alias = "prepare_inat_request")]
    pub fn prepare(&self, request: &Request) -> Result<Prepared, Error> {
        self.core.prepare(request)
    }

    /// What each stage would do with a request. Nothing is sent, taken or written.
    pub fn plan(&self, request: impl Into<Sendable>) -> Result<Plan, Error> {
        let prepared = self.core.ready(request.into())?;
        Ok(path::plan(&self.core, &prepared))
    }

    /// The value of the parameter `v` that is certain to get past the caches between here and iNaturalist: the lowest that was
    /// not used for this endpoint in the last 122 seconds by any process that shares the budget file, and `None` when even the
    /// plain URL was not. Marks it as used. To get past this session's own cache too, send it with [`Request::force_refresh`];
    /// [`Session::newest`] does both.
    ///
    /// The content network serves answers up to two minutes old whatever a request's fields say; a `v` it has not seen is a new
    /// URL to it.
    #[doc(alias = "get_refresh_params")]
    pub fn refresh_params(&self, endpoint: &str) -> Result<Option<u32>, Error> {
        self.core.limiter.refresh_version(endpoint).map_err(|error| Error::new(Stage::Limit, error.into()))
    }

    /// The same request, made certain to get past every cache on the way.
    #[doc(alias = "get_refresh_params")]
    pub fn newest(&self, request: Request) -> Result<Request, Error> {
        let endpoint = self.core.prepare(&request)?.url;
        let version = self.refresh_params(&crate::secret::mask_url(&endpoint))?;
        let mut request = request.force_refresh();
        request.query.retain(|(name, _)| name != "v");
        Ok(match version {
            Some(version) => request.query("v", version),
            None => request,
        })
    }

    /// The cache, to look into and to tidy.
    pub fn cache(&self) -> Cache<'_> {
        Cache::new(&self.core)
    }

    /// Removes every stored answer.
    pub fn clear_cache(&self) -> Result<u64, Error> {
        self.cache().clear()
    }

    /// How much of the budget is used and left, for each bucket and window.
    pub fn budget(&self) -> Result<Vec<crate::limit::BucketReport>, Error> {
        self.core.limiter.budget().map_err(|error| Error::new(Stage::Limit, error.into()))
    }

    /// Whether nothing goes on in the background: for tests that have to wait for it.
    #[cfg(any(test, feature = "testing"))]
    pub fn is_idle(&self) -> bool {
        self.core.tasks.is_idle()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.core.check_open().is_err()
    }

    /// Waits for writes under way, for bodies that are being stored or whose bytes count, and for work in the background; at most ten
    /// seconds, then they are ended. Then it closes the files. Whoever holds an answer that is still arriving and does not read it
    /// makes it wait. Requests sent later fail with [`Kind::Closed`], and so do those that wait for a slot of the budget, which they
    /// hand back. Clones are closed too. A session that is dropped closes its files without waiting.
    pub async fn close(&self) {
        self.core.close().await;
    }

    /// The same for a program that is told to end, as by Ctrl-C: requests under way, bodies on their way and work in the background
    /// are ended. Slots of the budget that were waited for are handed back, and bytes that were not read, so that the next program
    /// has them. Futures of [`Session::send_here`] have to be polled meanwhile, or be dropped before. It takes milliseconds, unless
    /// other programs hold the files: a second at most for the budget, and up to ten for what is out of date in the cache and could
    /// not be removed.
    pub async fn close_now(&self) {
        self.core.close_now().await;
    }
}
