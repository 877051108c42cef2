//! A polite, durable HTTP session.

pub mod cache;
mod clock;
mod error;
pub mod limit;
mod path;
mod prepare;
mod request;
mod response;
mod retry;
mod secret;
pub mod store;
mod timestamp;
mod transport;

pub use cache::Lifetime;
pub use clock::Clock;
pub use error::{Error, Kind};
pub use path::Stage;
pub use prepare::{Payload, Prepared, vocabulary};
pub use request::{Body, Freshness, Id, MAX_UPLOAD, Options, Param, Request, TimeoutChoice, Upload, UploadSource};
pub use response::Response;
pub use secret::{MASK, Token};
pub use timestamp::Timestamp;
pub use transport::{Chunks, Fault, Incoming, Outgoing, Phase, RequestTimeout, Sending, Timeouts, Transport};
