//! The one error: what went wrong, at which stage, after how many tries, how long it took, and what to do next.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

use crate::limit::LedgerError;
use crate::stage::Stage;
use crate::store::StoreError;
use crate::transport::Fault;
use crate::{Response, Timestamp};

/// Why a request gave no answer. It never holds a secret: the URL is masked, and so are texts from elsewhere.
///
/// ```
/// use inat_session::{Kind, Request, blocking::Session};
///
/// let inat = Session::builder().cache_in_memory().budget_in_memory().build()?;
/// let error = inat.send(Request::get("observations").only_if_cached()).unwrap_err();
/// assert!(matches!(error.kind(), Kind::NotCached));
/// assert!(error.hint().is_some());
/// # Ok::<(), inat_session::Error>(())
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: Kind,
    stage: Stage,
    method: String,
    url: Option<String>,
    attempts: u32,
    elapsed: Duration,
    hint: Option<String>,
    has_stored: bool,
}

/// What went wrong.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Kind {
    /// The request itself is wrong, and was not sent. The text names every problem found.
    #[error("{0}")]
    Invalid(String),
    /// A setting of the session is wrong.
    #[error("{0}")]
    Config(String),
    /// A file to upload cannot be read, or is too large.
    #[error("{0}")]
    Upload(String),
    /// It is not in the cache, and the request forbids asking the server.
    #[error("not in the cache, and only the cache may answer")]
    NotCached,
    /// The server answered with a status of 400 or above. The answer is inside.
    #[error("the server answered {}{}", .0.status(), reason(.0))]
    Status(Box<Response>),
    /// This address is blocked: iNaturalist answered 403 with its block page. Nothing more is sent to it for a while.
    #[error("iNaturalist has blocked this address")]
    Blocked {
        /// Until when this session sends nothing more there.
        until: Timestamp,
    },
    /// No answer came: no connection, a certificate, a reset, a timeout.
    #[error("{0}")]
    Network(Fault),
    /// The answer was cut short, or is not the JSON it says it is, at every try.
    #[error("the answer is unusable: {0}")]
    BadBody(String),
    /// The wait for a slot of the budget would be longer than allowed.
    #[error("the budget has no slot until {until}")]
    Limited {
        /// When it would have one.
        until: Timestamp,
    },
    /// The budget cannot be kept (its file is locked or unusable), so nothing is sent.
    #[error("the budget cannot be kept: {0}")]
    Budget(LedgerError),
    /// The server asks to wait for longer than the cap.
    #[error("the server asks to come back at {until}")]
    RetryAfter {
        /// When it may be asked again.
        until: Timestamp,
    },
    /// The deadline of the request passed.
    #[error("the deadline of {0:?} passed")]
    Deadline(Duration),
    /// More redirects than the request follows, or one that leads nowhere.
    #[error("{0}")]
    Redirect(String),
    /// The body is not what the caller wants it to be, e.g. other JSON than the type.
    #[error("the body is not what was expected: {0}")]
    Decode(String),
    /// A blocking session was used inside an async one's runtime.
    #[error("a blocking session cannot be used inside an async runtime")]
    InsideAsync,
    /// The session is closed.
    #[error("the session is closed")]
    Closed,
    /// The cache could not do what it was asked for by name (listing, clearing).
    #[error("{0}")]
    Cache(StoreError),
    /// Something that should not happen.
    #[error("{0}")]
    Internal(String),
}

impl From<LedgerError> for Kind {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Closed => Self::Closed,
            error => Self::Budget(error),
        }
    }
}

impl From<StoreError> for Kind {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Closed => Self::Closed,
            error => Self::Cache(error),
        }
    }
}

/// What the server says about it, in brackets, from the body of an error answer.
fn reason(response: &Response) -> String {
    response.error_message().map(|message| format!(" ({message})")).unwrap_or_default()
}

impl Error {
    /// An error of this kind at this stage. What is known about the request is added as it travels up the path.
    pub(crate) fn new(stage: Stage, kind: Kind) -> Self {
        let hint = hint(&kind);
        Self(Box::new(Inner {
            kind,
            stage,
            method: String::new(),
            url: None,
            attempts: 0,
            elapsed: Duration::ZERO,
            hint,
            has_stored: false,
        }))
    }

    /// The request is wrong: the shape most errors of preparing have.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Stage::Prepare, Kind::Invalid(message.into()))
    }

    /// Says which request it was.
    #[must_use]
    pub(crate) fn about(mut self, method: &str, url: impl Into<String>) -> Self {
        if self.0.url.is_none() {
            method.clone_into(&mut self.0.method);
            self.0.url = Some(url.into());
        }
        self
    }

    /// Says how often it was tried, and for how long.
    #[must_use]
    pub(crate) fn after(mut self, attempts: u32, elapsed: Duration) -> Self {
        self.0.attempts = self.0.attempts.max(attempts);
        self.0.elapsed = self.0.elapsed.max(elapsed);
        self
    }

    /// Replaces the advice.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Says that an answer is stored which may not be served.
    #[must_use]
    pub(crate) fn beside_stored(mut self, stored: bool) -> Self {
        self.0.has_stored = stored;
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// At which stage of the path.
    pub fn stage(&self) -> Stage {
        self.0.stage
    }

    /// The method of the request that failed, in capitals; empty where there is none. For a file to upload that is fetched from the web
    /// first, it is that of fetching it.
    pub fn method(&self) -> &str {
        &self.0.method
    }

    /// How many requests were sent for it.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// How long it took, waiting included.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// The URL, masked.
    pub fn url(&self) -> Option<&str> {
        self.0.url.as_deref()
    }

    /// What to do next.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Whether an answer is stored that may not be served without the server's word. A cache in front of others then says 504
    /// (RFC 9111 §5.2.2.2).
    pub fn has_stored(&self) -> bool {
        self.0.has_stored
    }

    /// The status of the server's answer, when there was one.
    pub fn status(&self) -> Option<StatusCode> {
        match &self.0.kind {
            Kind::Status(response) => Some(response.status()),
            Kind::Blocked { .. } => Some(StatusCode::FORBIDDEN),
            _ => None,
        }
    }

    /// The server's answer, when there was one.
    pub fn into_response(self) -> Option<Response> {
        match self.0.kind {
            Kind::Status(response) => Some(*response),
            _ => None,
        }
    }

    /// Whether the same request may well succeed later.
    pub fn is_transient(&self) -> bool {
        match &self.0.kind {
            Kind::Network(fault) => !matches!(fault, Fault::Certificate(_) | Fault::Unsendable(_)),
            Kind::Status(response) => {
                response.status().is_server_error() || response.status() == StatusCode::TOO_MANY_REQUESTS
            }
            Kind::BadBody(_)
            | Kind::Limited { .. }
            | Kind::RetryAfter { .. }
            | Kind::Deadline(_)
            | Kind::Budget(_)
            | Kind::Blocked { .. } => true,
            _ => false,
        }
    }
}

/// The advice each kind ends in.
fn hint(kind: &Kind) -> Option<String> {
    let text = match kind {
        Kind::NotCached => "ask once without the restriction to the cache, and it will be there",
        Kind::Status(response) => match response.status().as_u16() {
            401 => {
                "sign in: the token is missing, wrong or older than a day (get one at www.inaturalist.org/users/api_token)"
            }
            403 => {
                "the account may not do this, or the page asked for lies beyond the first 10,000 results (walk with id_above)"
            }
            404 | 410 => "the record does not exist, or no longer",
            413 => "the request is larger than the server takes",
            422 => {
                "a parameter is not as the server takes it (a name it does not know, too many ids); its message says which"
            }
            429 => "the server is throttling; ask again later, or with a lower rate",
            500..=599 => "the server is in trouble; ask again later",
            _ => return None,
        },
        Kind::Blocked { .. } => {
            "write to help@inaturalist.org, and say what you were doing; asking again makes it worse"
        }
        Kind::Network(fault) => return fault.hint().map(str::to_owned),
        Kind::BadBody(_) => "the server or something before it is in trouble; ask again later",
        Kind::Limited { .. } => "wait until then, or allow a longer wait (`max_delay`)",
        Kind::Budget(_) => "check the file and folder of the budget, or name another (`ratelimit_path`)",
        Kind::Cache(_) => "check the cache file and its folder, or name another (`cache_file`)",
        Kind::RetryAfter { .. } => "ask again then",
        Kind::Deadline(_) => "allow more time (`deadline`)",
        Kind::InsideAsync => "use `inat_session::Session` here, or call this from `tokio::task::spawn_blocking`",
        Kind::Closed => "make a new session",
        Kind::Config(_) => "change that setting, or leave it at its default",
        Kind::Decode(_) => "look at the body as text; the endpoint may answer in another shape than the type",
        _ => return None,
    };
    Some(text.to_owned())
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.kind)?;
        write!(f, " (at {}", self.0.stage)?;
        if let Some(url) = &self.0.url {
            write!(f, ", {} {url}", self.0.method)?;
        }
        if self.0.attempts > 0 {
            let tries = if self.0.attempts == 1 { "try" } else { "tries" };
            write!(f, ", after {} {tries} and {:.1} s", self.0.attempts, self.0.elapsed.as_secs_f64())?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("stage", &self.0.stage)
            .field("url", &self.0.url)
            .field("attempts", &self.0.attempts)
            .field("elapsed", &self.0.elapsed)
            .field("hint", &self.0.hint)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0.kind)
    }
}
