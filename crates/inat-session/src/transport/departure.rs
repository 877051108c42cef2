//! The right to leave. It was given for a moment, and may have passed when there is a connection to leave on.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

/// What asks for it: whether the request may be sent.
pub(crate) type Asking = Pin<Box<dyn Future<Output = bool> + Send>>;

/// Whether a request may leave, asked again by a transport that first had to make a connection for it.
#[derive(Clone, Default)]
pub struct Departure(Option<Arc<dyn Fn() -> Asking + Send + Sync>>);

impl Departure {
    pub(crate) fn new(ask: impl Fn() -> Asking + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(ask)))
    }

    /// To be awaited when a connection was made for this request, before anything is written to it. Waits for another slot of
    /// the budget where the first has passed meanwhile; that may take as long as the caller has patience. `false`: the request
    /// must not be sent, and its caller knows why; it ends with [`super::Fault::Connect`].
    pub async fn may_leave(&self) -> bool {
        match &self.0 {
            None => true,
            Some(ask) => ask().await,
        }
    }
}

impl fmt::Debug for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Departure").field(&self.0.is_some()).finish()
    }
}
