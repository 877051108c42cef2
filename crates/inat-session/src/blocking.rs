//! The same session for code that is not async.
//!
//! [`Session`] is a thin handle over the async one: same requests, same answers, same errors, same cache and budget. A cache
//! hit starts no thread. Inside an async task it returns [`Kind::InsideAsync`](crate::Kind::InsideAsync) instead of stalling the runtime; from
//! `tokio::task::spawn_blocking` it works.

use serde::de::DeserializeOwned;

use crate::builder::SessionBuilder;
use crate::dry_run::Plan;
use crate::limit::BucketReport;
use crate::prepare::Sendable;
use crate::request::Request;
use crate::response::Response;
use crate::runtime::wait;
use crate::session::Cache;
use crate::{Error, Prepared};

/// A session whose methods wait. Cloning it is cheap, and clones share everything.
///
/// ```no_run
/// use inat_session::{Request, blocking::Session};
///
/// let inat = Session::new()?;
/// let found: serde_json::Value = inat.json(Request::get("taxa").query("q", "monarch"))?;
/// println!("{}", found["total_results"]);
/// # Ok::<(), inat_session::Error>(())
/// ```
#[doc(alias = "ClientSession")]
#[derive(Clone, Debug)]
pub struct Session(crate::Session);

/// Sets a blocking [`Session`] up, with every setting of [`SessionBuilder`].
#[derive(Debug)]
#[must_use]
pub struct Builder(SessionBuilder);

impl From<crate::Session> for Session {
    /// The same session, for code that is not async.
    fn from(session: crate::Session) -> Self {
        Self(session)
    }
}

impl Session {
    /// A session with every default.
    pub fn new() -> Result<Self, Error> {
        crate::Session::new().map(Self)
    }

    /// The same session for async code.
    pub fn as_async(&self) -> &crate::Session {
        &self.0
    }

    /// Sends a request along the whole path: cache, budget, network, retries, checks.
    ///
    /// # Errors
    /// See [`Kind`](crate::Kind). A status of 400 or above is an error too, unless the request says otherwise.
    #[doc(alias = "request")]
    pub fn send(&self, request: impl Into<Sendable>) -> Result<Response, Error> {
        wait(self.0.send(request))?
    }

    /// Sends a request, and reads the answer's JSON as the caller's type.
    pub fn json<T: DeserializeOwned>(&self, request: impl Into<Sendable>) -> Result<T, Error> {
        self.send(request)?.json()
    }

    /// A `GET` of this path or URL.
    pub fn get(&self, target: &str) -> Result<Response, Error> {
        self.send(Request::get(target))
    }

    /// A `POST` of this JSON.
    pub fn post(&self, target: &str, json: &serde_json::Value) -> Result<Response, Error> {
        self.send(Request::post(target).json(json))
    }

    /// A `PUT` of this JSON.
    pub fn put(&self, target: &str, json: &serde_json::Value) -> Result<Response, Error> {
        self.send(Request::put(target).json(json))
    }

    /// A `DELETE`.
    pub fn delete(&self, target: &str) -> Result<Response, Error> {
        self.send(Request::delete(target))
    }

    /// What would go on the wire. The request is checked and nothing is sent.
    #[doc(alias = "prepare_inat_request")]
    pub fn prepare(&self, request: &Request) -> Result<Prepared, Error> {
        self.0.prepare(request)
    }

    /// What each stage would do with a request. Nothing is sent, taken or written.
    pub fn plan(&self, request: impl Into<Sendable>) -> Result<Plan, Error> {
        self.0.plan(request)
    }

    /// Parameters that are certain to get past the caches on the way; see [`crate::Session::refresh_params`].
    #[doc(alias = "get_refresh_params")]
    pub fn refresh_params(&self, endpoint: &str) -> Result<Option<u32>, Error> {
        self.0.refresh_params(endpoint)
    }

    /// The same request, made certain to get past every cache on the way; see [`crate::Session::newest`].
    pub fn newest(&self, request: Request) -> Result<Request, Error> {
        self.0.newest(request)
    }

    /// The cache, to look into and to tidy.
    pub fn cache(&self) -> Cache<'_> {
        self.0.cache()
    }

    /// Removes every stored answer.
    pub fn clear_cache(&self) -> Result<u64, Error> {
        self.0.clear_cache()
    }

    /// How much of the budget is used and left.
    pub fn budget(&self) -> Result<Vec<BucketReport>, Error> {
        self.0.budget()
    }

    /// Waits for writes under way and for work in the background (at most ten seconds), then closes the files.
    pub fn close(&self) -> Result<(), Error> {
        wait(self.0.close())
    }

    /// The same for a program that is told to end, as by Ctrl-C: requests under way, bodies on their way and work in the background
    /// are ended.
    pub fn close_now(&self) -> Result<(), Error> {
        wait(self.0.close_now())
    }
}

impl Session {
    /// A session set up as one likes.
    pub fn builder() -> Builder {
        Builder(SessionBuilder::default())
    }
}

/// Passes every setting on, so that `Session::builder()` reads the same in both worlds.
macro_rules! settings {
    ($($name:ident($($argument:ident: $type:ty),*);)*) => {
        impl Builder {
            $(
                #[doc = concat!("See [`SessionBuilder::", stringify!($name), "`].")]
                pub fn $name(self, $($argument: $type),*) -> Self {
                    Self(self.0.$name($($argument),*))
                }
            )*
        }
    };
}

settings! {
    base_url(url: &str);
    user_agent(user_agent: impl Into<String>);
    token(token: impl Into<Option<crate::Token>>);
    header(name: impl Into<String>, value: impl Into<String>);
    max_retries(retries: u32);
    backoff_factor(factor: f64);
    backoff_jitter(jitter: f64);
    retry_after_cap(cap: std::time::Duration);
    timeout(timeout: impl Into<Option<std::time::Duration>>);
    write_timeout(timeout: impl Into<Option<std::time::Duration>>);
    read_whole(bytes: u64);
    check_json(check: bool);
    verify(verify: bool);
    dry_run(dry_run: bool);
    dry_run_write_only(dry_run: bool);
    plain();
    transport(transport: impl crate::Transport + 'static);
    clock(clock: crate::Clock);
    on_event(listener: impl Fn(&crate::Event) + Send + Sync + 'static);
    cache_file(path: impl Into<std::path::PathBuf>);
    cache_in_memory();
    store(store: impl crate::store::Store + 'static);
    cache_size(bytes: u64);
    memory_tier(bytes: u64);
    compress(compress: bool);
    cache_control(obey: bool);
    expire_after(lifetime: impl Into<crate::Lifetime>);
    expire_url(pattern: &str, lifetime: impl Into<crate::Lifetime>);
    headers_only();
    allowable_codes(codes: impl IntoIterator<Item = u16>);
    allowable_methods(methods: impl IntoIterator<Item = http::Method>);
    match_headers(headers: crate::cache::MatchHeaders);
    always_revalidate(always: bool);
    stale_if_error(stale: impl Into<crate::cache::Stale>);
    stale_while_revalidate(stale: impl Into<crate::cache::Stale>);
    only_if_cached(only: bool);
    read_only(read_only: bool);
    cache_disabled(disabled: bool);
    filter(filter: impl Fn(&Response) -> bool + Send + Sync + 'static);
    key(key: impl Fn(&Prepared) -> String + Send + Sync + 'static);
    per_second(rate: f64);
    burst(burst: u32);
    per_minute(rate: f64);
    per_hour(rate: f64);
    per_day(rate: f64);
    per_month(rate: f64);
    limits(limits: crate::limit::Limits);
    unlimited();
    ratelimit_path(path: impl Into<std::path::PathBuf>);
    budget_in_memory();
    ledger(ledger: impl crate::limit::Ledger + 'static);
    use_file_lock(use_it: bool);
    limit_statuses(statuses: impl IntoIterator<Item = u16>);
    max_delay(delay: impl Into<Option<std::time::Duration>>);
    bucket_name(name: impl Into<String>);
    per_host(per_host: bool);
}

impl Builder {
    /// See [`SessionBuilder::urls_expire_after`].
    pub fn urls_expire_after<P: AsRef<str>, L: Into<crate::Lifetime>>(
        self,
        patterns: impl IntoIterator<Item = (P, L)>,
    ) -> Self {
        Self(self.0.urls_expire_after(patterns))
    }

    /// See [`SessionBuilder::ignored_parameters`].
    pub fn ignored_parameters<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        Self(self.0.ignored_parameters(names))
    }

    /// The session.
    pub fn build(self) -> Result<Session, Error> {
        self.0.build().map(Session)
    }
}

pub use crate::local::blocking::{clear_cache, delete, get, local_session, post, put, send};
