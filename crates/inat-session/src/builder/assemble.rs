//! From settings to the parts of a session. No file is opened here: stores and ledgers open theirs when they are first used.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use url::Position;

use super::{Place, SessionBuilder};
use crate::cache::Rules;
use crate::coalesce::{Flights, Renewals};
use crate::limit::{Ledger, Limiter, MemoryLedger, SqliteLedger};
use crate::lookup::Shelf;
use crate::parts::Core;
use crate::paths::Paths;
use crate::retry::Backoff;
use crate::stage::Stage;
use crate::store::{MemoryStore, SqliteStore, Store, TieredStore};
use crate::tasks::Tasks;
use crate::transport::RequestTimeout;
use crate::{Error, Kind};

/// Everything the path needs, or which setting is wrong.
pub(super) fn assemble(builder: SessionBuilder) -> Result<Core, Error> {
    if let Some(problem) = &builder.problem {
        return Err(config(problem.clone()));
    }
    builder.limits.validate().map_err(config)?;
    check_times(&builder).map_err(config)?;
    let defaults = builder.defaults();
    defaults.check().map_err(config)?;
    let clock = builder.clock.clone();
    let file = store_file(&builder)?;
    let store = open_store(&builder, file.as_deref());
    let ledger = open_ledger(&builder)?;
    let rules = rules(&builder);
    let (tasks, transport) = (Tasks::default(), OnceLock::new());
    if let Some(own) = builder.transport {
        let _ = transport.set(own);
    }
    Ok(Core {
        defaults,
        shelf: Shelf::new(store, rules, builder.read_only, builder.filter, builder.key_of, file),
        flights: Flights::of(tasks.clone()),
        renewals: Renewals::default(),
        limiter: Limiter::new(builder.limits, ledger, clock.clone()),
        max_retries: builder.max_retries,
        backoff: builder.backoff,
        timeout: builder.timeout,
        read_whole: builder.read_whole,
        check_json: builder.check_json,
        verify: builder.verify,
        dry_runs: builder.dry_runs,
        clock,
        listener: builder.listener,
        tasks,
        transport,
        copied: Arc::default(),
        closed: AtomicBool::new(false),
    })
}

/// Limits that no request could keep, and waits that are no times.
fn check_times(builder: &SessionBuilder) -> Result<(), String> {
    let RequestTimeout { timeout, write_timeout, .. } = builder.timeout;
    for (name, limit) in [("timeout", timeout), ("write_timeout", write_timeout)] {
        if limit.is_some_and(|limit| limit.is_zero()) {
            return Err(format!("{name} is 0, which no answer can keep; leave it out, or say `None` for no limit"));
        }
    }
    let Backoff { factor, jitter } = builder.backoff;
    for (name, value) in [("backoff_factor", factor), ("backoff_jitter", jitter)] {
        if !value.is_finite() || value < 0.0 {
            return Err(format!("{name} is {value}; it must be a number, 0 or more"));
        }
    }
    Ok(())
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
fn config(problem: impl Into<String>) -> Error {
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
    let usual = crate::store::Config::default();
    let config = crate::store::Config {
        max_bytes: builder.cache_size,
        compress: builder.compress,
        page_cache: if builder.memory_tier == 0 { usual.page_cache } else { usual.page_cache / 16 },
        read_only: builder.read_only,
        clock: builder.clock.clone(),
        ..usual
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
