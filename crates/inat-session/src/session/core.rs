//! What a session is made of, and the stages share.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use url::Position;

use crate::background::Background;
use crate::builder::{Place, SessionBuilder};
use crate::cache::Rules;
use crate::coalesce::{Flights, Renewals};
use crate::event::Listener;
use crate::limit::{Ledger, Limiter, MemoryLedger, SqliteLedger};
use crate::lookup::Shelf;
use crate::path::Stage;
use crate::paths::Paths;
use crate::prepare::{self, Defaults, Prepared};
use crate::request::Request;
use crate::retry::Backoff;
use crate::session::Sendable;
use crate::store::{MemoryStore, SqliteStore, Store, TieredStore};
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
    pub(crate) clock: Clock,
    pub(crate) listener: Listener,
    pub(crate) background: Background,
    transport: OnceLock<Arc<dyn Transport>>,
    closed: AtomicBool,
}

impl Core {
    pub(crate) fn new(builder: SessionBuilder) -> Result<Self, Error> {
        if let Some(problem) = &builder.problem {
            return Err(config(problem.clone()));
        }
        builder.limits.validate().map_err(config)?;
        let defaults = builder.defaults();
        let clock = builder.clock.clone();
        let file = store_file(&builder)?;
        let store = open_store(&builder, file.as_deref());
        let ledger = open_ledger(&builder)?;
        let rules = rules(&builder);
        let transport = OnceLock::new();
        if let Some(own) = builder.transport {
            let _ = transport.set(own);
        }
        Ok(Self {
            defaults,
            shelf: Shelf::new(store, rules, builder.read_only, builder.filter, builder.key_of, file),
            flights: Flights::default(),
            renewals: Renewals::default(),
            limiter: Limiter::new(builder.limits, ledger, clock.clone()),
            max_retries: builder.max_retries,
            backoff: builder.backoff,
            timeout: builder.timeout,
            read_whole: builder.read_whole,
            check_json: builder.check_json,
            clock,
            listener: builder.listener,
            background: Background::default(),
            transport,
            closed: AtomicBool::new(false),
        })
    }

    /// The transport, made when the first request has to be sent.
    pub(crate) fn transport(&self) -> &Arc<dyn Transport> {
        self.transport.get_or_init(|| Arc::new(HttpTransport::new(self.clock.clone())))
    }

    pub(crate) fn prepare(&self, request: &Request) -> Result<Prepared, Error> {
        prepare::prepare(request, &self.defaults)
    }

    pub(crate) fn ready(&self, request: Sendable) -> Result<Prepared, Error> {
        match request {
            Sendable::Request(request) => self.prepare(&request),
            Sendable::Prepared(prepared) => Ok(*prepared),
        }
    }

    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::new(Stage::Prepare, Kind::Closed));
        }
        Ok(())
    }

    pub(crate) async fn close(&self) {
        const PATIENCE: Duration = Duration::from_secs(10);
        self.closed.store(true, Ordering::Release);
        self.background.finish(&self.clock, PATIENCE).await;
        self.shelf.close();
        self.limiter.close();
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("shelf", &self.shelf).field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// The rules of the cache. Where the API's base is somebody else's host (a sandbox, a gateway), it is iNaturalist's all the
/// same: `v` and `ttl` are for the caches on the way there too.
fn rules(builder: &SessionBuilder) -> Rules {
    let mut rules = builder.rules.clone();
    let base = &builder.base_url[Position::BeforeHost..Position::AfterPort];
    if !rules.inat_hosts.is_empty() && !rules.inat_hosts.iter().any(|host| host == base) {
        rules.inat_hosts.push(base.to_owned());
    }
    rules
}

/// A setting is wrong.
pub(crate) fn config(problem: impl Into<String>) -> Error {
    Error::new(Stage::Build, Kind::Config(problem.into()))
}

fn standard() -> Result<Paths, Error> {
    Paths::standard().ok_or_else(|| {
        config("this user has no home folder to keep files in")
            .with_hint("name the files, or set INAT_HOME to a folder")
    })
}

/// The file of the cache, where it is one.
fn store_file(builder: &SessionBuilder) -> Result<Option<PathBuf>, Error> {
    Ok(match &builder.place {
        _ if builder.rules.disabled => None,
        Place::Memory | Place::Custom(_) => None,
        Place::File(path) => Some(path.clone()),
        Place::Standard => Some(standard()?.cache_file),
    })
}

fn open_store(builder: &SessionBuilder, file: Option<&Path>) -> Arc<dyn Store> {
    let Some(path) = file else {
        return match &builder.place {
            Place::Custom(store) => store.clone(),
            _ => Arc::new(MemoryStore::new(builder.cache_size)),
        };
    };
    let config = crate::store::Config {
        max_bytes: builder.cache_size,
        compress: builder.compress,
        read_only: builder.read_only,
        clock: builder.clock.clone(),
        ..crate::store::Config::default()
    };
    let store = SqliteStore::at(path, config);
    match builder.memory_tier {
        0 => Arc::new(store),
        bytes => Arc::new(TieredStore::new(store, bytes)),
    }
}

fn open_ledger(builder: &SessionBuilder) -> Result<Arc<dyn Ledger>, Error> {
    if builder.limits.is_unlimited() {
        return Ok(Arc::new(MemoryLedger::new(builder.clock.clone())));
    }
    let path = match &builder.ledger {
        Place::Memory => return Ok(Arc::new(MemoryLedger::new(builder.clock.clone()))),
        Place::Custom(ledger) => return Ok(ledger.clone()),
        Place::File(path) => path.clone(),
        Place::Standard => standard()?.budget_file,
    };
    Ok(Arc::new(SqliteLedger::at(path, builder.clock.clone())))
}
