//! What a session, or its user, has to say about caching. HTTP's own rules are not in here: they hold anyway.

use std::time::Duration;

use http::{HeaderMap, HeaderName, Method, StatusCode};

use super::{Lifetimes, Patterns, effective_method};

/// Everything a session may set about its cache. [`Rules::default`] is the library's, [`Rules::headers_only`] is HTTP's.
///
/// ```
/// use inat_session::cache::{Rules, Stale};
///
/// assert_eq!(Rules::default().stale_if_error, Stale::Always);
/// assert_eq!(Rules::headers_only().stale_if_error, Stale::Off);
/// ```
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "settings that are on or off, each with a name of its own")]
pub struct Rules {
    /// Neither look up nor store anything. Off by default.
    pub disabled: bool,
    /// Statuses that are stored; `None` for whatever HTTP allows. Only 200 by default.
    pub allowable_codes: Option<Vec<StatusCode>>,
    /// Methods whose answers are looked up and stored. `GET` and `HEAD` by default. Others are kept apart by their body.
    pub allowable_methods: Vec<Method>,
    /// Request fields that keep answers apart even where no `Vary` names them. None by default.
    pub match_headers: MatchHeaders,
    /// Parameters (and, with `match_headers`, fields) whose value does not keep answers apart; that they are there does.
    /// Compared without regard to case. `Authorization`, `access_token`, `password`, `client_secret` by default.
    pub ignored_parameters: Vec<String>,
    /// Ask the server at every use of an answer that has a validator. Off by default.
    pub always_revalidate: bool,
    /// Serve what has expired when the server cannot be reached or answers 500, 502, 503 or 504. Always, by default.
    pub stale_if_error: Stale,
    /// Serve what has expired while it is refreshed in the background. Off by default.
    pub stale_while_revalidate: Stale,
    /// Never ask the server. Off by default. What has expired is served where `stale_if_error` of these rules allows it, or
    /// `max-stale` or `stale-while-revalidate`; a header's `stale-if-error` does not, for no error has happened.
    pub only_if_cached: bool,
    /// How long answers are kept.
    pub lifetimes: Lifetimes,
    /// Treat a query as a form: `?b=2&a=1` asks for the same as `?a=1&b=2`. On by default; HTTP itself does not say so.
    pub sort_parameters: bool,
    /// Hosts (`host`, or `host:port` for other than the default one) whose parameters `v` and `ttl` only speak to caches on
    /// the way, and are no part of what is asked for. iNaturalist's own by default.
    pub inat_hosts: Vec<String>,
    /// Take a `POST` that names another method in `X-HTTP-Method-Override` for that method: iNaturalist's way to ask for more
    /// than a URL can hold. On by default; HTTP itself knows no such field.
    pub method_overrides: bool,
    /// Keep HTML that comes with a success though the request accepts none. Off by default, for these are login and maintenance
    /// pages; HTTP itself makes no difference.
    pub unasked_html: bool,
}

/// Which request fields keep answers apart besides those `Vary` names.
#[doc(alias = "match_headers")]
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum MatchHeaders {
    /// None.
    #[default]
    Off,
    /// These.
    These(Vec<HeaderName>),
    /// All but those that only steer caches (`Cache-Control`, `Pragma`, `Range`, `If-*`).
    All,
}

/// Whether, and for how long after it expired, an answer may still be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Stale {
    /// Not unless a header allows it.
    #[default]
    Off,
    /// However long ago.
    Always,
    /// For this long.
    For(Duration),
}

impl Stale {
    /// The longest staleness allowed.
    pub(crate) const fn window(self) -> Duration {
        match self {
            Self::Off => Duration::ZERO,
            Self::Always => Duration::MAX,
            Self::For(window) => window,
        }
    }
}

impl From<bool> for Stale {
    fn from(on: bool) -> Self {
        if on { Self::Always } else { Self::Off }
    }
}

impl From<Duration> for Stale {
    fn from(window: Duration) -> Self {
        Self::For(window)
    }
}

/// Hosts whose cache-busting parameters are known.
const INAT_HOSTS: [&str; 2] = ["api.inaturalist.org", "www.inaturalist.org"];

/// Names whose values are secrets that must not tell entries apart: who asks is in the identity.
const IGNORED_PARAMETERS: [&str; 4] = ["Authorization", "access_token", "password", "client_secret"];

impl Default for Rules {
    fn default() -> Self {
        Self {
            disabled: false,
            allowable_codes: Some(vec![StatusCode::OK]),
            allowable_methods: vec![Method::GET, Method::HEAD],
            match_headers: MatchHeaders::Off,
            ignored_parameters: IGNORED_PARAMETERS.map(str::to_owned).to_vec(),
            always_revalidate: false,
            stale_if_error: Stale::Always,
            stale_while_revalidate: Stale::Off,
            only_if_cached: false,
            lifetimes: Lifetimes::default(),
            sort_parameters: true,
            inat_hosts: INAT_HOSTS.map(str::to_owned).to_vec(),
            method_overrides: true,
            unasked_html: false,
        }
    }
}

impl Rules {
    /// Only what HTTP says: every final status HTTP lets a cache store, no lifetime that the headers do not give (heuristics
    /// aside), stale answers only where a header allows them, URLs told apart byte by byte, methods as they are, HTML kept
    /// like anything else.
    pub fn headers_only() -> Self {
        Self {
            allowable_codes: None,
            stale_if_error: Stale::Off,
            lifetimes: Lifetimes {
                cache_control: true,
                immutable_never_expires: false,
                patterns: Patterns::default(),
                builtin: Patterns::default(),
                session: None,
                fallback: None,
            },
            sort_parameters: false,
            ignored_parameters: Vec::new(),
            inat_hosts: Vec::new(),
            method_overrides: false,
            unasked_html: true,
            ..Self::default()
        }
    }

    /// The method a request means.
    pub(crate) fn method(&self, method: &Method, headers: &HeaderMap) -> Method {
        if self.method_overrides { effective_method(method, headers) } else { method.clone() }
    }

    /// Whether answers to this method are looked up and stored.
    pub(crate) fn allows(&self, method: &Method) -> bool {
        self.allowable_methods.contains(method)
    }
}
