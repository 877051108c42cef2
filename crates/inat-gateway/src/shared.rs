//! What all connections of a gateway share.

use std::sync::Arc;

use inat_session::Session;
use tokio::sync::{Semaphore, watch};

use crate::Config;
use crate::gate::Gate;
use crate::hop::Via;
use crate::interim::Interim;
use crate::metrics::Metrics;
use crate::receive::Purse;

/// How far a gateway is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// It serves.
    Open,
    /// It takes no new connections, and ends those that are idle.
    Draining,
    /// Whoever still waits for an answer is sent away.
    Closing,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) session: Session,
    pub(crate) gate: Gate,
    pub(crate) via: Via,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) interim: Arc<Interim>,
    pub(crate) purse: Purse,
    /// What answers take until their clients have read them.
    pub(crate) answers: Purse,
    /// One for each request that may wait for an answer.
    pub(crate) places: Semaphore,
    /// Whether nothing but HTTP says what is kept.
    pub(crate) headers_only: bool,
    pub(crate) stage: watch::Receiver<Stage>,
}

impl Shared {
    /// Ends when the gateway is at this stage, or past it.
    pub(crate) async fn reaches(&self, stage: Stage) {
        let mut seen = self.stage.clone();
        // The sender lives as long as the gateway; when it is gone everything is over.
        let _ = seen.wait_for(|now| *now >= stage).await;
    }
}
