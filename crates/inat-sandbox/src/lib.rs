//! An offline stand-in for api.inaturalist.org: synthetic data of the true shapes, its caching and throttling, and faults on demand.
//!
//! ```
//! use std::io::{Read, Write};
//!
//! use inat_sandbox::{Config, Fault, Sandbox};
//!
//! # fn main() -> std::io::Result<()> {
//! let sandbox = Sandbox::start(Config::default())?;
//! sandbox.script("/v1/taxa", ["503".parse::<Fault>().unwrap()]);
//!
//! let get = |target: &str| -> std::io::Result<String> {
//!     let mut connection = std::net::TcpStream::connect(sandbox.addr())?;
//!     write!(connection, "GET {target} HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\n\r\n")?;
//!     let mut reply = String::new();
//!     connection.read_to_string(&mut reply)?;
//!     Ok(reply)
//! };
//! assert!(get("/v1/taxa/48662")?.starts_with("HTTP/1.1 503"));
//! assert!(get("/v1/taxa/48662")?.contains("Danaus plexippus"));
//! assert_eq!(sandbox.count("/v1/taxa"), 2);
//! # Ok(())
//! # }
//! ```
//!
//! A request passes these layers, in the order of the real server:
//!
//! | layer | does | default |
//! |---|---|---|
//! | [`Throttle`] | counts per address, before it looks at anything else | off |
//! | [`Fault`] | refuses, cuts, slows, resets; scripted, asked for by the request, or by chance | none |
//! | [`Cdn`] | keeps replies by exact URL, 120 s where nothing is said | off |
//! | [`Handler`] | a test plays the origin | none |
//! | origin | v1 and v2 of the API, sign-in, media, and helpers under `/__sandbox/` | 25,000 observations |
//!
//! [`GUIDE`] lists routes and faults, and `GET /` shows it. Helpers: `/__sandbox/bytes/N`, `/__sandbox/json/N`, `/__sandbox/status/NNN`, `/__sandbox/redirect/LOCATION`, `/__sandbox/echo`.
//!
//! What it is not: the data are invented, tokens are believed unsigned, ranking and full-text search are rough.

#![recursion_limit = "256"]

mod cdn;
mod clock;
mod config;
mod data;
mod exchange;
mod faults;
mod guide;
mod log;
mod origin;
mod sandbox;
mod server;
mod shared;
mod throttle;

pub use cdn::Cdn;
pub use config::{Config, Handler};
pub use exchange::{Answer, Seen};
pub use faults::{BadFault, Fault, RetryAfter};
pub use guide::GUIDE;
pub use origin::Upload;
pub use sandbox::Sandbox;
pub use throttle::Throttle;
