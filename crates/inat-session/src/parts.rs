//! What a session is made of, and the stages share.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join;

use crate::coalesce::{Flights, Renewals};
use crate::dry_run::DryRuns;
use crate::event::Listener;
use crate::limit::Limiter;
use crate::lookup::Shelf;
use crate::prepare::{self, Defaults, Prepared, Sendable};
use crate::request::Request;
use crate::retry::Backoff;
use crate::runtime::{may_wait, spawn_apart};
use crate::stage::Stage;
use crate::tasks::Tasks;
use crate::transport::{HttpTransport, RequestTimeout, Transport};
use crate::{Clock, Error, Kind};

/// Everything the path needs. Made once, shared by all clones of a session.
pub(crate) struct Core {
    pub(crate) defaults: Defaults,
    pub(crate) shelf: Shelf,
    pub(crate) flights: Flights,
    pub(crate) renewals: Renewals,
    pub(crate) limiter: Limiter,
    pub(crate) max_retries: u32,
    pub(crate) backoff: Backoff,
    pub(crate) timeout: RequestTimeout,
    pub(crate) read_whole: u64,
    pub(crate) check_json: bool,
    pub(crate) verify: bool,
    pub(crate) dry_runs: DryRuns,
    pub(crate) clock: Clock,
    pub(crate) listener: Listener,
    pub(crate) tasks: Tasks,
    pub(crate) transport: OnceLock<Arc<dyn Transport>>,
    /// Bytes of bodies that are copied for the store on their way to callers.
    pub(crate) copied: Arc<AtomicUsize>,
    pub(crate) closed: AtomicBool,
}

impl Core {
    /// The transport, made when the first request has to be sent.
    pub(crate) fn transport(&self) -> &Arc<dyn Transport> {
        self.transport.get_or_init(|| Arc::new(HttpTransport::new(self.clock.clone())))
    }

    pub(crate) fn prepare(&self, request: &Request) -> Result<Prepared, Error> {
        prepare::prepare(request, &self.defaults, self.clock.now()).map(|prepared| self.trusting(prepared))
    }

    pub(crate) fn ready(&self, request: Sendable) -> Result<Prepared, Error> {
        match request {
            Sendable::Request(request) => self.prepare(&request),
            Sendable::Prepared(prepared) => Ok(self.trusting(*prepared)),
        }
    }

    /// Where the session checks no certificates, no request does.
    fn trusting(&self, mut prepared: Prepared) -> Prepared {
        prepared.options.verify &= self.verify;
        prepared
    }

    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(Error::new(Stage::Prepare, Kind::Closed));
        }
        Ok(())
    }

    pub(crate) async fn close(&self) {
        const PATIENCE: Duration = Duration::from_secs(10);
        self.closed.store(true, Ordering::SeqCst);
        self.tasks.finish(PATIENCE).await;
        self.end_waits().await;
        // What had its slot by then has begun meanwhile.
        self.tasks.finish(PATIENCE).await;
        self.close_files().await;
    }

    /// Without waiting for what is under way: it is ended.
    pub(crate) async fn close_now(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.tasks.end();
        self.end_waits().await;
        self.close_files().await;
    }

    /// Slots that requests wait for are handed back, and if everything is told to end, bytes that were not read. Only a session
    /// that has sent something, or was about to, has any.
    async fn end_waits(&self) {
        /// Handing back takes microseconds, unless another program holds the ledger. By the real clock, as that does.
        const PATIENCE: Duration = Duration::from_secs(1);
        let (limiter, tasks) = (self.limiter.clone(), self.tasks.clone());
        if self.transport.get().is_none() {
            // Whoever is about to wait learns that it is over.
            let _ = limiter.end_waits().now_or_never();
            return;
        }
        let ending = async move {
            if tasks.is_over() {
                join(limiter.end_waits(), tasks.ended()).await;
            } else {
                limiter.end_waits().await;
            }
        };
        // Where there is a timer, whatever executor `close` was called from.
        if let Ok(ending) = spawn_apart(async move { Clock::system().within(PATIENCE, ending).await }) {
            let _ = ending.await;
        }
    }

    /// Both may have to wait for a lock, the store to remove what it could not. Only a session that has sent something has
    /// anything to wait for, and a runtime to wait on; closing another starts none.
    async fn close_files(&self) {
        if self.transport.get().is_some() {
            let (store, limiter) = (Arc::clone(self.shelf.store()), self.limiter.clone());
            let close = move || {
                store.close();
                limiter.close();
            };
            if let Ok(closing) = spawn_apart(async move { may_wait(close) })
                && closing.await.is_ok()
            {
                return;
            }
        }
        self.shelf.close();
        self.limiter.close();
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("shelf", &self.shelf).field("clock", &self.clock).finish_non_exhaustive()
    }
}
