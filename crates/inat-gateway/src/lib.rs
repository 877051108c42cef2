//! The session behind a local port: programs in any language share one cache and one budget.
//!
//! A script in R, another in Python and a page in JavaScript each change one base URL, and from then on nobody is throttled
//! and nothing is fetched twice. The gateway adds no cache and no limiter of its own: every request that is let in becomes
//! one [`inat_session::Prepared`], and the session answers it.
//!
//! ```no_run
//! use inat_gateway::{Config, serve};
//! use inat_session::Session;
//!
//! # async fn example() -> Result<(), inat_gateway::Error> {
//! let gateway = serve(Config::default(), Session::builder()).await?;
//! println!("serving v1 and v2 at {}", gateway.addresses().join(", "));
//! gateway.run_until(inat_gateway::signalled()).await;
//! # Ok(())
//! # }
//! ```
//!
//! # The way of a request
//!
//! | step | what it does | where |
//! |---|---|---|
//! | accept | bounds connections, cuts off the slow | `serve`, `connection`, `pulse`, `wire` |
//! | gate | refuses a foreign `Host`, malformed shapes, loops | `gate`, `target` |
//! | route | finds the upstream, or answers under `/-/` itself | `upstream`, `admin` |
//! | receive | reads the body, within bounds | `receive` |
//! | ask | hands it to the session as it is | `ask`, `hop`, `identity` |
//! | send | puts it on the wire byte for byte | `transport/` |
//! | answer | the session's answer, or a refusal in the API's shape; what upstream says before it | `answer`, `refusal`, `status`, `interim` |

mod admin;
mod answer;
mod ask;
mod body;
mod config;
mod connection;
mod error;
mod explain;
mod gate;
mod hop;
mod identity;
mod interim;
mod listen;
mod metrics;
mod named;
mod pulse;
mod receive;
mod refusal;
mod serve;
mod shared;
mod status;
mod streams;
mod target;
mod transport;
mod upstream;
mod wire;

pub use config::Config;
pub use error::Error;
pub use listen::Listen;
pub use serve::{Drained, Gateway, faithful, serve, signalled};
pub use upstream::Upstream;
