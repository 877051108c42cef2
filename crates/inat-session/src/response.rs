//! The answer, and where it came from.

mod body;
mod origin;
mod status;

pub use body::Reader;
pub(crate) use body::{Arriving, Content};
pub use origin::{Origin, Redirected};

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Version};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::cache::MissReason;
use crate::secret::{mask_headers, mask_url};
use crate::stage::Stage;
use crate::transport::Fault;
use crate::validate::without_mark;
use crate::{Error, Kind, Timestamp};

/// An answer: status, fields, body, and where it came from. Cloning it is cheap, and the body is shared.
///
/// ```
/// # use inat_session::{Request, Script, blocking::Session};
/// # let server = Script::new().json(&serde_json::json!({"total_results": 1, "results": [{"id": 1}]}));
/// # let inat = Session::builder().transport(server).cache_in_memory().budget_in_memory().build()?;
/// use inat_session::Origin;
///
/// let response = inat.send(Request::get("taxa/1"))?;
/// assert_eq!(response.status(), 200);
/// assert!(matches!(response.origin(), Origin::Network { .. }));
/// let page: serde_json::Value = response.json()?;
/// assert_eq!(page["total_results"], 1);
/// # Ok::<(), inat_session::Error>(())
/// ```
#[derive(Clone)]
pub struct Response {
    pub(crate) status: StatusCode,
    pub(crate) reason: Option<Bytes>,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
    pub(crate) origin: Origin,
    pub(crate) request: Sent,
    pub(crate) history: Vec<Redirected>,
    pub(crate) received: Timestamp,
    pub(crate) elapsed: Duration,
    pub(crate) expiry: Expiry,
    pub(crate) forwarded: Option<MissReason>,
    /// What the server answered, where a stored answer stands in for it.
    pub(crate) failed_with: Option<StatusCode>,
}

/// The request an answer belongs to, as far as it may be shown.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) method: Method,
    pub(crate) url: Url,
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStored => f.write_str("not kept"),
            Self::At(at) => write!(f, "good until {at}"),
            Self::Never => f.write_str("good for ever"),
        }
    }
}

/// How long an answer stays good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expiry {
    /// It was not kept.
    NotStored,
    /// It is kept, and from then on it is asked about again.
    At(Timestamp),
    /// It is kept, and never expires.
    Never,
}

impl Response {
    /// Its status. The reference's `status_code`.
    #[doc(alias = "status_code")]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Its status in words: what the server wrote there, the usual ones for a stored answer, `DRY_RUN` for that of a dry run.
    pub fn reason(&self) -> &str {
        let unusual = self.reason.as_ref().and_then(|words| std::str::from_utf8(words).ok());
        unusual.or_else(|| self.status.canonical_reason()).unwrap_or_default()
    }

    /// The same as the bytes that came; `None` where they are the usual ones.
    pub fn unusual_reason(&self) -> Option<&Bytes> {
        self.reason.as_ref()
    }

    /// The version of HTTP it came in.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Its fields.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// One field as text; `None` when it is not there, or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The URL it came from, after redirects. It may hold secrets the caller put into it; [`Response::shown_url`] does not.
    pub fn url(&self) -> &Url {
        &self.request.url
    }

    /// The URL it came from, masked.
    pub fn shown_url(&self) -> String {
        mask_url(&self.request.url)
    }

    /// The method of the request.
    pub fn method(&self) -> &Method {
        &self.request.method
    }

    /// Where it came from.
    #[doc(alias = "from_cache")]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether the body comes from the cache.
    pub fn is_from_cache(&self) -> bool {
        self.origin.is_from_cache()
    }

    /// Why the server was asked, also where it then failed and a stored answer stands in for its own; `None` when it was not.
    pub fn forwarded(&self) -> Option<MissReason> {
        self.forwarded
    }

    /// The `Cache-Status` field that tells how this session's cache handled the request (RFC 9211), e.g.
    /// `inat; hit; ttl=299` or `inat; fwd=stale; fwd-status=304; stored; ttl=300`.
    pub fn cache_status(&self, now: Timestamp) -> String {
        status::cache_status(self, now)
    }

    /// How long it stays good.
    #[doc(alias = "expires")]
    pub fn expiry(&self) -> Expiry {
        self.expiry
    }

    /// The redirects that led here, the first first.
    pub fn history(&self) -> &[Redirected] {
        &self.history
    }

    /// When it arrived; for a stored one, when it was stored or last found unchanged.
    #[doc(alias = "created_at")]
    pub fn received(&self) -> Timestamp {
        self.received
    }

    /// How long the caller waited for it: for a slot, for the server, for retries.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// The body. An error when it is still arriving (asked for with [`crate::Request::stream`], or larger than the session
    /// reads whole); [`Response::chunk`] and [`Response::read`] give it then.
    #[doc(alias = "content")]
    pub fn bytes(&self) -> Result<&Bytes, Error> {
        match &self.content {
            Content::Whole(bytes) => Ok(bytes),
            Content::Arriving(_) => Err(self
                .error(Kind::Decode("it is still arriving".to_owned()))
                .with_hint("read it with `chunk` or `read`")),
        }
    }

    /// The body as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> Result<std::borrow::Cow<'_, str>, Error> {
        Ok(String::from_utf8_lossy(self.bytes()?))
    }

    /// The body as the caller's type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(without_mark(self.bytes()?)).map_err(|error| self.error(Kind::Decode(error.to_string())))
    }

    /// One member of the body's JSON object. In a dry run a member that is not there is an empty text, as in the reference, so
    /// that a program can be rehearsed; otherwise it is null.
    pub fn get(&self, name: &str) -> Value {
        let object = self.json::<Value>().ok();
        match object.as_ref().and_then(|object| object.get(name)) {
            Some(member) => member.clone(),
            None if matches!(self.origin, Origin::DryRun(_)) => Value::String(String::new()),
            None => Value::Null,
        }
    }

    /// The next piece of the body; `None` at its end. A whole body is one piece.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let piece = match &mut self.content {
            Content::Whole(bytes) => return Ok(Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty())),
            Content::Arriving(arriving) => arriving.next().await,
        };
        piece.transpose().map_err(|fault| {
            self.error(match fault {
                Fault::Closed => Kind::Closed,
                fault => Kind::Network(fault),
            })
        })
    }

    /// The whole body, however long it takes to arrive.
    pub async fn read(mut self) -> Result<Bytes, Error> {
        if let Content::Whole(bytes) = self.content {
            return Ok(bytes);
        }
        let mut whole = Vec::new();
        while let Some(piece) = self.chunk().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.into())
    }

    /// The body as a [`std::io::Read`], for code that is not async.
    pub fn into_reader(self) -> Reader {
        Reader::new(self.content)
    }

    /// This answer, or an error with it inside when its status is 400 or above.
    #[doc(alias = "raise_for_status")]
    pub fn error_for_status(self) -> Result<Self, Error> {
        match self.status.as_u16() {
            400.. => {
                let (method, url) = (self.request.method.to_string(), self.shown_url());
                let (attempts, elapsed) = (self.origin.attempts(), self.elapsed);
                let kind = Kind::Status(Box::new(self));
                Err(Error::new(Stage::Answer, kind).about(&method, url).after(attempts, elapsed))
            }
            _ => Ok(self),
        }
    }

    /// What the server says went wrong, in the shapes of v1, v2 and OAuth (inaturalist-api §1.7).
    pub(crate) fn error_message(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(self.bytes().ok()?).ok()?;
        let first = body.get("errors").and_then(|errors| errors.get(0)).and_then(|error| error.get("message"));
        let message = [body.get("error_description"), first, body.get("error"), body.get("message")];
        let message = message.into_iter().flatten().find_map(Value::as_str)?;
        Some(crate::secret::mask_text(&message.chars().take(300).collect::<String>()))
    }

    fn error(&self, kind: Kind) -> Error {
        Error::new(Stage::Answer, kind).about(self.request.method.as_str(), self.shown_url())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("url", &self.shown_url())
            .field("headers", &mask_headers(&self.headers))
            .field("content", &self.content)
            .field("origin", &self.origin)
            .field("elapsed", &self.elapsed)
            .finish_non_exhaustive()
    }
}
