//! Setting a session up: one table of defaults, each with its source.

mod assemble;
mod caching;
mod limits;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use url::Url;

use crate::cache::Rules;
use crate::dry_run::DryRuns;
use crate::event::{Event, Listener};
use crate::limit::{Ledger, Limits};
use crate::lookup::{Filter, KeyOf};
use crate::prepare::Defaults;
use crate::retry::Backoff;
use crate::secret::mask_unreadable;
use crate::session::Session;
use crate::store::Store;
use crate::transport::{RequestTimeout, Transport};
use crate::{Clock, Error, Token};

/// Sets a [`Session`] up. Every setting has a default that is right for iNaturalist; `build` opens no file and no connection.
///
/// | setting | default | source |
/// |---|---|---|
/// | `base_url` | `https://api.inaturalist.org/v1/` | the reference |
/// | `cache_file` | the user's cache folder | XDG; the reference kept it among user data |
/// | `cache_control` | on | the reference |
/// | `expire_after` | 30 minutes, after headers and URL patterns | the reference |
/// | `cache_size` | 512 MiB | the reference had no bound |
/// | `per_second`, `burst` | 1, 5 | the reference |
/// | `per_minute`, `per_day` | 60, 10,000 | iNaturalist's recommended practices |
/// | `per_hour`, `per_month` | none | the reference |
/// | `ratelimit_path` | the user's state folder | XDG |
/// | `max_retries` | 5 | the reference |
/// | `backoff_factor` | 0.5, and up to a quarter of jitter | the reference; jitter is new |
/// | `retry_after_cap` | 10 minutes | the reference slept up to 6 hours |
/// | `timeout` | 5 s to connect, 20 s between bytes | the reference |
/// | `write_timeout` | 60 s | the reference |
///
/// ```
/// use inat_session::Session;
/// use std::time::Duration;
///
/// const DAY: Duration = Duration::from_secs(86_400);
/// let inat = Session::builder()
///     .cache_in_memory()
///     .budget_in_memory()
///     .expire_after(DAY)
///     .expire_url("api.inaturalist.org/v*/taxa*", 30 * DAY)
///     .per_second(1.0)
///     .burst(5)
///     .per_minute(60.0)
///     .max_retries(5)
///     .user_agent("flutter-atlas/0.3 (+https://example.org/atlas)")
///     .build()?;
/// # Ok::<(), inat_session::Error>(())
/// ```
#[doc(alias = "ClientSession")]
#[must_use]
#[allow(clippy::struct_excessive_bools, reason = "one field for each setting, and some settings are switches")]
pub struct SessionBuilder {
    /// The first setting that was refused; `build` reports it.
    problem: Option<String>,
    base_url: Url,
    user_agent: Option<String>,
    token: Option<Token>,
    headers: Vec<(String, String)>,
    plain: bool,
    place: Place<Arc<dyn Store>>,
    rules: Rules,
    read_only: bool,
    cache_size: u64,
    memory_tier: u64,
    compress: bool,
    filter: Option<Filter>,
    key_of: Option<KeyOf>,
    ledger: Place<Arc<dyn Ledger>>,
    limits: Limits,
    max_retries: u32,
    backoff: Backoff,
    timeout: RequestTimeout,
    read_whole: u64,
    check_json: bool,
    verify: bool,
    dry_runs: DryRuns,
    transport: Option<Arc<dyn Transport>>,
    clock: Clock,
    listener: Listener,
}

/// Where something is kept.
#[derive(Clone, Debug)]
enum Place<Custom> {
    /// The user's folder.
    Standard,
    /// This file.
    File(PathBuf),
    /// Memory.
    Memory,
    /// The caller's own.
    Custom(Custom),
}

impl Default for SessionBuilder {
    fn default() -> Self {
        Self {
            problem: None,
            base_url: Defaults::default().base,
            user_agent: None,
            token: None,
            headers: Vec::new(),
            plain: false,
            place: Place::Standard,
            rules: Rules::default(),
            read_only: false,
            cache_size: 512 << 20,
            memory_tier: 32 << 20,
            compress: true,
            filter: None,
            key_of: None,
            ledger: Place::Standard,
            limits: Limits::default(),
            max_retries: 5,
            backoff: Backoff::default(),
            timeout: RequestTimeout::default(),
            read_whole: 32 << 20,
            check_json: true,
            verify: true,
            dry_runs: DryRuns::default(),
            transport: None,
            clock: Clock::system(),
            listener: Listener::default(),
        }
    }
}

impl SessionBuilder {
    /// Where relative paths lead: an absolute `http` or `https` URL. iNaturalist's API, version 1, by default; its version 2
    /// is `https://api.inaturalist.org/v2/`. On a host of one's own, `v1/taxa` and `v2/taxa` reach both.
    pub fn base_url(mut self, url: &str) -> Self {
        match Url::parse(url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => self.base_url = url,
            Ok(_) => self.refuse(format!("the base URL must be http or https, not `{}`", mask_unreadable(url))),
            Err(error) => self.refuse(format!("the base URL `{}` cannot be read: {error}", mask_unreadable(url))),
        }
        self
    }

    /// Remembers why the session cannot be built as it was told.
    fn refuse(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }

    /// Statuses from their codes.
    fn statuses(&mut self, codes: impl IntoIterator<Item = u16>) -> Vec<StatusCode> {
        let mut statuses = Vec::new();
        for code in codes {
            match StatusCode::from_u16(code) {
                Ok(status) => statuses.push(status),
                Err(_) => self.refuse(format!("{code} is no status code; they go from 100 to 999")),
            }
        }
        statuses
    }

    /// Who is asking: appended to the session's own `User-Agent`, e.g. `flutter-atlas/0.3 (+https://example.org/atlas)`.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = Some(user_agent.into());
        self
    }

    /// A token for every request to iNaturalist that brings none of its own.
    pub fn token(mut self, token: impl Into<Option<Token>>) -> Self {
        self.token = token.into();
        self
    }

    /// A header field for every request that does not bring it itself.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// How often to try again after a failure, at most. 5 by default; 0 for never, and then a 429 is the answer too. Otherwise a
    /// throttled request (429) has not failed: it waits for as long as the server asks, which costs none of these tries, until the
    /// server has throttled for an hour; `max_delay` and a deadline end that sooner.
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = retries;
        self
    }

    /// Seconds the waits between tries grow from: 0.5 gives 0, 1, 2, 4, 8 s.
    pub fn backoff_factor(mut self, factor: f64) -> Self {
        self.backoff.factor = factor;
        self
    }

    /// The largest part of a wait that is added at random: 0.25 by default, 0 for none.
    pub fn backoff_jitter(mut self, jitter: f64) -> Self {
        self.backoff.jitter = jitter;
        self
    }

    /// The longest `Retry-After` that is obeyed; beyond it the caller is told until when. 10 minutes by default.
    pub fn retry_after_cap(mut self, cap: Duration) -> Self {
        self.limits.retry_after_cap = cap;
        self
    }

    /// The longest silence of the server while reading: 20 s by default; `None` turns every limit off, that of writes too.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout.timeout = timeout.into();
        self
    }

    /// The same for `POST`, `PUT` and `PATCH`, also for connecting and sending: 60 s by default; `None` turns it off for them.
    pub fn write_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout.write_timeout = timeout.into();
        self
    }

    /// Bodies up to this many bytes are read whole and checked before they are handed over; larger ones go to the caller as
    /// they arrive. 32 MiB by default.
    pub fn read_whole(mut self, bytes: u64) -> Self {
        self.read_whole = bytes;
        self
    }

    /// Whether bodies that say they are JSON are checked to be (on by default).
    pub fn check_json(mut self, check: bool) -> Self {
        self.check_json = check;
        self
    }

    /// Whether servers have to prove who they are (on by default). Off, anybody on the way can read and change everything, tokens
    /// too, whatever a request says; answers are stored apart from those of sessions that check. Who has certificates of their
    /// own names them in `SSL_CERT_FILE` or `SSL_CERT_DIR` instead.
    #[doc(alias = "REQUESTS_CA_BUNDLE")]
    pub fn verify(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// Whether requests that say nothing about it are rehearsed: planned, logged and answered with a mock, and never sent. By
    /// default the environment decides (see [`crate::is_dry_run_enabled`]); `false` sends whatever it says.
    #[doc(alias = "DRY_RUN_ENABLED")]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_runs.all = Some(dry_run);
        self
    }

    /// The same for requests that write only: `POST`, `PUT`, `PATCH` and `DELETE`. Off by default.
    #[doc(alias = "DRY_RUN_WRITE_ONLY")]
    pub fn dry_run_write_only(mut self, dry_run: bool) -> Self {
        self.dry_runs.writes = dry_run;
        self
    }

    /// Sends what callers say and nothing else: no `User-Agent`, no `Accept: application/json`, and credentials are taken whole to
    /// tell who asks, because they come from others. For gateways. (The library's own transport adds `Accept: */*` and
    /// `Accept-Encoding` where they are missing.)
    pub fn plain(mut self) -> Self {
        self.plain = true;
        self
    }

    /// Sends through this transport instead of the network.
    pub fn transport(mut self, transport: impl Transport + 'static) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Reads the time from this clock, and waits on it.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Tells this listener what happens: why a request waits, that it is tried again, where its answer comes from.
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.listener = Listener::new(listener);
        self
    }

    /// The session.
    ///
    /// # Errors
    /// [`crate::Kind::Config`] names the setting that is wrong.
    pub fn build(self) -> Result<Session, Error> {
        assemble::assemble(self).map(Session::from_core)
    }

    /// What requests are prepared with.
    fn defaults(&self) -> Defaults {
        let own = Defaults::USER_AGENT;
        let user_agent = self.user_agent.as_ref().map_or_else(|| own.to_owned(), |extra| format!("{own} {extra}"));
        Defaults {
            base: self.base_url.clone(),
            user_agent,
            token: self.token.clone(),
            headers: self.headers.clone(),
            plain: self.plain,
            ..Defaults::default()
        }
    }
}

impl std::fmt::Debug for SessionBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionBuilder")
            .field("base_url", &crate::secret::mask_url(&self.base_url))
            .field("place", &self.place)
            .field("rules", &self.rules)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
