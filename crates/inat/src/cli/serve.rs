//! `inat serve`.

use clap::Args;
use inat_gateway::Listen;

use super::values::{self, Size, Within};

/// Serve the API on a local port: one cache and one budget for programs in any language
///
/// Programs change one base URL, e.g. to http://127.0.0.1:8017/v1/, and share everything. How long answers are kept and how
/// fast the server is asked is said by the same options as for a request. Ctrl-C and SIGTERM end it in order.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where to listen: address and port, or unix:PATH; may be given several times
    #[arg(
        long,
        value_name = "ADDR",
        env = "INAT_SERVE_LISTEN",
        value_delimiter = ',',
        default_value = "127.0.0.1:8017"
    )]
    pub(crate) listen: Vec<Listen>,
    /// Lead every path to this server instead of to iNaturalist, or with PREFIX=URL those that begin so; may be given
    /// several times. It gets no limits and no second tries but those given with it
    #[arg(long, value_name = "URL", env = "INAT_SERVE_UPSTREAM", value_delimiter = ',')]
    pub(crate) upstream: Vec<String>,
    /// Let other machines in, where the address lets them
    #[arg(long, env = "INAT_SERVE_ALLOW_REMOTE", value_parser = values::flag())]
    pub(crate) allow_remote: bool,
    /// Answer to this name in `Host` as well; may be given several times
    #[arg(long, value_name = "NAME", env = "INAT_SERVE_HOST", value_delimiter = ',')]
    pub(crate) host: Vec<String>,
    /// The largest body of a request
    #[arg(long, value_name = "SIZE", env = "INAT_SERVE_MAX_BODY", default_value = "32MiB")]
    pub(crate) max_body: Size,
    /// How many connections are open at once
    #[arg(long, value_name = "N", env = "INAT_SERVE_MAX_CONNECTIONS", default_value_t = 512)]
    pub(crate) max_connections: usize,
    /// How many requests wait for an answer at once
    #[arg(long, value_name = "N", env = "INAT_SERVE_MAX_WAITING", default_value_t = 1024)]
    pub(crate) max_waiting: usize,
    /// How long requests under way may go on after it was told to stop
    #[arg(long, value_name = "TIME", env = "INAT_SERVE_DRAIN", default_value = "30s")]
    pub(crate) drain: Within,
}
