//! A polite, durable HTTP session for iNaturalist's API, and for any other.
//!
//! iNaturalist gives anyone 300 million observations, if they ask politely. A [`Session`] does: what was fetched is kept on
//! disk and reused by the rules of HTTP, what has to be fetched is paced by a budget that every process on the machine shares,
//! what fails is tried again only where that is safe, and what is broken is never kept.
//!
//! ```
//! use inat_session::{Origin, Request, Session};
//! # use inat_session::Script;
//! # let server = Script::new().answer(
//! #     200,
//! #     &[("content-type", "application/json"), ("cache-control", "public, max-age=300")],
//! #     r#"{"total_results": 1, "results": [{"id": 48662, "name": "Danaus plexippus"}]}"#,
//! # );
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! # let builder = || Session::builder().transport(server.clone()).cache_in_memory().budget_in_memory();
//! // `Session::new()?` is all it takes; this one plays its server.
//! let inat = builder().build()?;
//!
//! let monarch = Request::get("taxa").query("q", "monarch").query("rank", "species");
//! let first = inat.send(&monarch).await?;
//! assert!(matches!(first.origin(), Origin::Network { .. }));
//!
//! let second = inat.send(&monarch).await?;
//! assert!(matches!(second.origin(), Origin::Cached { .. }));   // no request, no slot of the budget
//! assert_eq!(second.json::<serde_json::Value>()?["results"][0]["id"], 48662);
//! # Ok::<(), inat_session::Error>(())
//! # }).unwrap();
//! ```
//!
//! # The path of a request
//!
//! | stage | what it does | where |
//! |---|---|---|
//! | prepare | makes what the caller means into what goes on the wire | `prepare/` |
//! | dry run | plans a request and sends nothing | `dry_run` |
//! | lookup | asks the cache | [`cache`] decides, [`store`] keeps |
//! | coalesce | joins a twin in flight | `coalesce` |
//! | limit | waits for a slot of the budget | [`limit`] |
//! | transport | sends once | [`Transport`] |
//! | validate | checks the body | `validate` |
//! | retry | gives the verdict on another try | `retry/` |
//! | store | keeps what may be kept, drops what is outdated | `lookup` |
//!
//! For code that is not async there is [`blocking`], for tests without network or waiting `Script` and [`Clock`] (feature
//! `testing`).

pub mod blocking;
mod builder;
pub mod cache;
mod clock;
mod coalesce;
mod dry_run;
mod error;
mod event;
mod format;
mod human;
pub mod limit;
mod local;
mod lookup;
mod parts;
mod path;
mod paths;
mod prepare;
mod request;
mod response;
mod retry;
mod runtime;
mod secret;
mod session;
mod stage;
pub mod store;
mod tasks;
mod timestamp;
mod transport;
mod validate;

pub use builder::SessionBuilder;
pub use cache::Lifetime;
pub use clock::Clock;
pub use dry_run::{MockResponse, Plan, is_dry_run_enabled};
pub use error::{Error, Kind};
pub use event::Event;
pub use format::{format_request, format_response};
pub use local::{clear_cache, delete, get, local_session, post, put, send};
pub use paths::Paths;
pub use prepare::{Payload, Prepared, Sendable, vocabulary};
pub use request::{Body, Freshness, Id, MAX_UPLOAD, Options, Param, Request, TimeoutChoice, Upload, UploadSource};
pub use response::{Expiry, Origin, Reader, Redirected, Response};
pub use retry::Backoff;
pub use secret::{MASK, Token, mask_url};
pub use session::{Cache, Session};
pub use stage::Stage;
pub use timestamp::Timestamp;
#[cfg(any(test, feature = "testing"))]
pub use transport::Script;
pub use transport::{
    Chunks, Departure, Fault, HttpTransport, Incoming, Outgoing, Phase, RequestTimeout, Sending, Timeouts, Transport,
    is_event_stream,
};
