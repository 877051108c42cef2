//! What a sandbox is made of: which layers are on, which faults happen by themselves.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use crate::{Answer, Cdn, Fault, Seen, Throttle, faults::BadFault};

/// Plays the origin: `Some` answers the request, `None` leaves it to the synthetic data. It runs on a thread of its own and may wait.
pub type Handler = Arc<dyn Fn(&Seen) -> Option<Answer> + Send + Sync>;

/// How a sandbox behaves. The default listens on a free loopback port and plays a server without limits, CDN or faults.
///
/// ```
/// use inat_sandbox::{Config, Throttle};
///
/// let config = Config { throttle: Some(Throttle::default()), observations: 500, ..Config::default() };
/// assert!(config.faults.is_empty());
/// ```
#[derive(Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Decides the synthetic data and the order of random faults.
    pub seed: u64,
    /// How many synthetic observations there are (25,000). They are made when asked for.
    pub observations: u32,
    /// Faults that happen by themselves, each with its rate from 0 to 1. Paths under `/__sandbox/` are spared.
    pub faults: Vec<(Fault, f64)>,
    /// The limit per client address; off by default.
    pub throttle: Option<Throttle>,
    /// The cache in front of the origin; off by default.
    pub cdn: Option<Cdn>,
    /// Whether the origin keeps plain searches for an hour by itself, as the real one does in Redis; off by default.
    pub hidden_cache: bool,
    /// The start of photo and sound addresses; the sandbox's own by default, so that nothing leads out of it.
    pub media_base: Option<String>,
    /// Plays the origin instead of the synthetic data.
    pub handler: Option<Handler>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 1,
            observations: 25_000,
            faults: Vec::new(),
            throttle: None,
            cdn: None,
            hidden_cache: false,
            media_base: None,
            handler: None,
        }
    }
}

impl Config {
    /// A configuration whose origin is the given function.
    pub fn handler(handler: impl Fn(&Seen) -> Option<Answer> + Send + Sync + 'static) -> Self {
        Self { handler: Some(Arc::new(handler)), ..Self::default() }
    }

    /// Faults and seed as text, as in `429=5@0.02,cut-body@0.01`: name, argument, rate. See [`Fault`] for the names.
    ///
    /// ```
    /// use inat_sandbox::Config;
    ///
    /// let config = Config::default().with_faults("429=5@0.02, cut-body@0.01").unwrap();
    /// assert_eq!(config.faults.len(), 2);
    /// assert!(Config::default().with_faults("no-such-fault@0.5").is_err());
    /// ```
    pub fn with_faults(mut self, text: &str) -> Result<Self, BadFault> {
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let (fault, rate) = item.rsplit_once('@').unwrap_or((item, "1"));
            let rate = rate.trim().parse::<f64>().ok().filter(|rate| (0.0..=1.0).contains(rate));
            let rate = rate.ok_or_else(|| BadFault::Rate(item.to_owned()))?;
            self.faults.push((fault.trim().parse()?, rate));
        }
        Ok(self)
    }

    /// Takes faults from `INAT_SANDBOX_FAULTS` and the seed from `INAT_SANDBOX_SEED`, where they are set.
    pub fn with_env(mut self) -> Result<Self, BadFault> {
        if let Ok(seed) = std::env::var("INAT_SANDBOX_SEED") {
            self.seed = seed.trim().parse().map_err(|_| BadFault::Argument(seed))?;
        }
        match std::env::var("INAT_SANDBOX_FAULTS") {
            Ok(faults) => self.with_faults(&faults),
            Err(_) => Ok(self),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("seed", &self.seed)
            .field("observations", &self.observations)
            .field("faults", &self.faults)
            .field("throttle", &self.throttle)
            .field("cdn", &self.cdn)
            .field("handler", &self.handler.is_some())
            .finish_non_exhaustive()
    }
}
