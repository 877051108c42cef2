//! A request as a plain value: tied to no client, sent by an async or a blocking session alike, and as often as you like.

mod debug;
mod id;
mod options;
mod param;
mod upload;

pub(crate) use debug::Pairs;
pub use id::Id;
pub use options::{Freshness, Options, TimeoutChoice};
pub use param::Param;
pub use upload::{MAX_UPLOAD, Upload, UploadSource};

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use crate::Token;
use crate::cache::Lifetime;

/// What to ask for, and how. Made by [`Request::get`] and its sisters, then told the rest in a chain; nothing is checked
/// until it is prepared, so building one never fails.
///
/// ```
/// use inat_session::Request;
///
/// let request = Request::get("observations")
///     .query("taxon_id", 48662)
///     .query("quality_grade", ["research", "needs_id"])
///     .query("photos", true);
/// assert_eq!(request.target, "observations");
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Request {
    /// The method, e.g. `GET`. Any token of RFC 9110 §9.1 will do.
    pub method: String,
    /// Where to: a path relative to the API's base, or an absolute URL of any host.
    #[doc(alias = "url")]
    pub target: String,
    /// Query parameters, in order; several of one name are allowed.
    #[doc(alias = "params")]
    pub query: Vec<(String, Param)>,
    /// Header fields; they replace the session's own of the same name.
    pub headers: Vec<(String, String)>,
    /// What to send.
    pub body: Body,
    /// Resources to ask for: they become the last segment of the path.
    pub ids: Vec<Id>,
    /// Whether it asks by id at all, be it for none.
    pub(crate) is_of_ids: bool,
    /// Whether ids may be other than integers (UUIDs, slugs).
    pub allow_str_ids: bool,
    /// Who asks.
    #[doc(alias = "access_token")]
    pub token: Option<Token>,
    /// How to go about it.
    pub options: Options,
}

/// The body of a request.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Body {
    /// None.
    #[default]
    Empty,
    /// JSON, sent exactly as given.
    Json(Value),
    /// JSON that could not be serialised; preparing it fails with this reason.
    Unserialisable(String),
    /// Form fields and files: `multipart/form-data` when there are files, else `application/x-www-form-urlencoded`.
    Form {
        /// Fields, in order.
        fields: Vec<(String, String)>,
        /// Files, in order.
        files: Vec<Upload>,
    },
    /// Bytes of a content type.
    Bytes {
        /// The `Content-Type`.
        content_type: String,
        /// The bytes.
        bytes: Bytes,
    },
}

impl Request {
    /// A request with any method.
    ///
    /// ```
    /// assert_eq!(inat_session::Request::new("REPORT", "observations").method, "REPORT");
    /// ```
    pub fn new(method: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::Empty,
            ids: Vec::new(),
            is_of_ids: false,
            allow_str_ids: false,
            token: None,
            options: Options::default(),
        }
    }

    /// A `GET`.
    pub fn get(target: impl Into<String>) -> Self {
        Self::new("GET", target)
    }

    /// A `HEAD`.
    pub fn head(target: impl Into<String>) -> Self {
        Self::new("HEAD", target)
    }

    /// A `POST`.
    pub fn post(target: impl Into<String>) -> Self {
        Self::new("POST", target)
    }

    /// A `PUT`.
    pub fn put(target: impl Into<String>) -> Self {
        Self::new("PUT", target)
    }

    /// A `PATCH`.
    pub fn patch(target: impl Into<String>) -> Self {
        Self::new("PATCH", target)
    }

    /// A `DELETE`.
    pub fn delete(target: impl Into<String>) -> Self {
        Self::new("DELETE", target)
    }

    /// Adds a query parameter. Booleans, lists, dates, ranks and multiple-choice values are written as the API wants them;
    /// empty values are dropped.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<Param>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Adds a header field, which replaces the session's own of that name.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends this value as JSON, exactly as it serialises.
    #[must_use]
    pub fn json(mut self, value: &(impl Serialize + ?Sized)) -> Self {
        self.body = match serde_json::to_value(value) {
            Ok(value) => Body::Json(value),
            Err(error) => Body::Unserialisable(error.to_string()),
        };
        self
    }

    /// Adds a form field.
    #[doc(alias = "data")]
    #[must_use]
    pub fn form(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let field = (name.into(), value.into());
        match &mut self.body {
            Body::Form { fields, .. } => fields.push(field),
            other => *other = Body::Form { fields: vec![field], files: Vec::new() },
        }
        self
    }

    /// Adds a file to upload, under the field name the API expects: `file`, unless the upload names another.
    #[doc(alias = "files")]
    #[must_use]
    pub fn file(mut self, file: Upload) -> Self {
        match &mut self.body {
            Body::Form { files, .. } => files.push(file),
            other => *other = Body::Form { fields: Vec::new(), files: vec![file] },
        }
        self
    }

    /// Sends these bytes.
    #[must_use]
    pub fn bytes(mut self, content_type: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        self.body = Body::Bytes { content_type: content_type.into(), bytes: bytes.into() };
        self
    }

    /// Asks for these resources: integers, texts like `"1,2,3"`, or both. A list of none is refused when the request is prepared:
    /// it would be taken for the whole collection.
    ///
    /// ```
    /// use inat_session::Request;
    /// let request = Request::get("observations").ids([1, 2]);
    /// assert_eq!(request.ids.len(), 2);
    /// ```
    #[must_use]
    pub fn ids<I: Into<Id>>(mut self, ids: impl IntoIterator<Item = I>) -> Self {
        self.ids.extend(ids.into_iter().map(Into::into));
        self.is_of_ids = true;
        self
    }

    /// Lets ids be other than integers. They are percent-encoded and never leave the collection.
    #[must_use]
    pub fn allow_str_ids(mut self) -> Self {
        self.allow_str_ids = true;
        self
    }

    /// Asks as the owner of this token. It goes only to iNaturalist's own hosts over https, or to this machine.
    #[must_use]
    pub fn token(mut self, token: &Token) -> Self {
        self.token = Some(token.clone());
        self
    }

    /// Plans the request and sends nothing (`true`), or sends it whatever the environment says (`false`).
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.options.dry_run = Some(dry_run);
        self
    }

    /// How long to keep the answer; this beats the server's headers.
    #[must_use]
    pub fn expire_after(mut self, lifetime: impl Into<Lifetime>) -> Self {
        self.options.lifetime = Some(lifetime.into());
        self
    }

    /// Asks the server whether a stored answer is still good before using it, as F5 does in a browser.
    #[must_use]
    pub fn refresh(mut self) -> Self {
        self.options.freshness = self.options.freshness.or_only_if_cached(Freshness::Refresh);
        self
    }

    /// Asks the server anew and replaces whatever is stored, as Ctrl-F5 does in a browser.
    #[must_use]
    pub fn force_refresh(mut self) -> Self {
        self.options.freshness = self.options.freshness.or_only_if_cached(Freshness::ForceRefresh);
        self
    }

    /// Answers from the cache or not at all. This beats [`Request::refresh`] and [`Request::force_refresh`], whichever is said
    /// last.
    #[must_use]
    pub fn only_if_cached(mut self) -> Self {
        self.options.freshness = Freshness::OnlyIfCached;
        self
    }

    /// Whether a status of 400 or above is an error (`true`, the default) or an answer like others.
    #[must_use]
    pub fn raise_for_status(mut self, raise: bool) -> Self {
        self.options.raise_for_status = raise;
        self
    }

    /// Whether to follow redirects (`false` unless asked). At most ten; credentials never cross to another host.
    #[must_use]
    pub fn allow_redirects(mut self, follow: bool) -> Self {
        self.options.redirects = if follow { Options::MAX_REDIRECTS } else { 0 };
        self
    }

    /// Hands the body over as it arrives, instead of whole.
    #[must_use]
    pub fn stream(mut self) -> Self {
        self.options.stream = true;
        self
    }

    /// Time limit for connecting and between bytes, instead of the session's; [`TimeoutChoice::Off`] for none.
    #[must_use]
    pub fn timeout(mut self, timeout: impl Into<TimeoutChoice>) -> Self {
        self.options.timeout = timeout.into();
        self
    }

    /// Whether the server's certificate is checked (`true`, the default).
    #[must_use]
    pub fn verify(mut self, verify: bool) -> Self {
        self.options.verify = verify;
        self
    }

    /// How often to try again, instead of the session's `max_retries`.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.options.retries = Some(retries);
        self
    }

    /// Says that sending this twice does no harm, so that a `POST` or `PATCH` may be retried: for example a create that
    /// carries its own `uuid`, which iNaturalist treats as an upsert.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.options.idempotent = true;
        self
    }

    /// A bound on everything together: waiting for a slot, sending, receiving and retrying.
    #[must_use]
    pub fn deadline(mut self, within: Duration) -> Self {
        self.options.deadline = Some(within);
        self
    }

    /// The longest wait for a slot of the budget; beyond it the request fails with [`crate::Kind::Limited`] at once. The shorter of
    /// this and the session's [`crate::SessionBuilder::max_delay`] counts.
    #[must_use]
    pub fn max_delay(mut self, longest: Duration) -> Self {
        self.options.max_delay = Some(longest);
        self
    }
}
