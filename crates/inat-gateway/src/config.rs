//! What can be set about a gateway, apart from the session behind it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::{Error, Listen, Upstream, gate};

/// How a gateway is reached, where it leads, and what it bounds. What it caches and how fast it asks is the session's.
///
/// ```
/// use inat_gateway::{Config, Upstream};
///
/// let mut config = Config::default();
/// config.listen = vec!["127.0.0.1:0".parse()?, "unix:/run/user/1000/inat.sock".parse()?];
/// config.upstreams = vec![Upstream::origin("http://127.0.0.1:9000")?];
/// # Ok::<(), inat_gateway::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where it listens: `127.0.0.1:8017` by default. Other than loopback addresses and sockets need `allow_remote`.
    pub listen: Vec<Listen>,
    /// Where requests lead: `/v1` and `/v2` to iNaturalist's API by default. The longest prefix that fits decides.
    pub upstreams: Vec<Upstream>,
    /// Whether addresses other machines can reach are listened on. Off by default.
    pub allow_remote: bool,
    /// Names it answers to in `Host`, besides its addresses and `localhost`. None by default.
    pub hosts: Vec<String>,
    /// The longest wait for a slot of the budget, where a request does not say it itself (`Prefer: wait=N`). 60 s by default.
    pub max_wait: Duration,
    /// The largest body of a request, in bytes: 32 MiB by default.
    pub max_body: u64,
    /// How much all bodies of requests may take together, in bytes: 256 MiB by default.
    pub max_bodies: u64,
    /// How much large answers that wait to be read by their clients may take together, in bytes: 512 MiB by default. Half as
    /// much again is for those that are being fetched.
    pub max_answers: u64,
    /// The largest header section of a request, in bytes: 64 KiB by default, at least 8 KiB.
    pub max_head: usize,
    /// How many connections are open at once: 512 by default. Idle ones make room for new ones.
    pub max_connections: usize,
    /// How many requests wait for an answer at once: 1,024 by default. Beyond it only the cache answers.
    pub max_waiting: usize,
    /// How long a header section may take to arrive: 15 s by default.
    pub head_timeout: Duration,
    /// How long a connection may be idle: 75 s by default.
    pub idle_timeout: Duration,
    /// How long the body of a request may pause: 30 s by default.
    pub body_timeout: Duration,
    /// How long a client may take nothing worth mentioning (16 KiB) of its answer: 60 s by default.
    pub stall_timeout: Duration,
    /// How long a client that has closed its side of the connection may wait for an answer to begin: 5 s by default. Most have
    /// left, and a request that waits for nobody spends the budget.
    pub half_open: Duration,
    /// How long requests under way may go on after it was told to stop: 30 s by default.
    pub drain: Duration,
}

impl Config {
    /// The port it listens on by default.
    pub const PORT: u16 = 8017;

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.listen.is_empty() {
            return Err(Error::config("no address to listen on"));
        }
        if self.upstreams.is_empty() {
            return Err(Error::config("no upstream to lead to"));
        }
        for listen in &self.listen {
            if let Listen::Tcp(address) = listen
                && !address.ip().is_loopback()
                && !self.allow_remote
            {
                return Err(Error::config(format!(
                    "{address} can be reached from other machines, whose requests would spend this machine's budget; \
                     allow that with --allow-remote, or listen on 127.0.0.1"
                )));
            }
        }
        if let Some(name) = self.hosts.iter().find(|name| !gate::is_host(name)) {
            return Err(Error::config(format!(
                "`{name}` is no name of a host; give it as `lab.example`, without a port"
            )));
        }
        for (at, upstream) in self.upstreams.iter().enumerate() {
            if self.upstreams[..at].iter().any(|other| other.prefix() == upstream.prefix()) {
                let paths = if upstream.prefix().is_empty() { "every path" } else { upstream.prefix() };
                return Err(Error::config(format!("two upstreams are named for {paths}")));
            }
        }
        if self.max_connections == 0 || self.max_waiting == 0 {
            return Err(Error::config("with no connections or no requests allowed it could not answer anybody"));
        }
        Ok(())
    }

    /// How often connections are looked at.
    pub(crate) fn tick(&self) -> Duration {
        let shortest = self.head_timeout.min(self.idle_timeout).min(self.stall_timeout);
        (shortest / 4).clamp(Duration::from_millis(20), Duration::from_secs(5))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![Listen::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, Self::PORT)))],
            upstreams: Upstream::inaturalist(),
            allow_remote: false,
            hosts: Vec::new(),
            max_wait: Duration::from_secs(60),
            max_body: 32 << 20,
            max_bodies: 256 << 20,
            max_answers: 512 << 20,
            max_head: 64 << 10,
            max_connections: 512,
            max_waiting: 1024,
            head_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(60),
            half_open: Duration::from_secs(5),
            drain: Duration::from_secs(30),
        }
    }
}
