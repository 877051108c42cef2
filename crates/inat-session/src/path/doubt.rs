//! Writes of which nobody knows whether they were done. What is stored of a resource is outdated by a write, also by one whose
//! caller has left before the answer came: the server may have it all the same.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::trip::Trip;
use crate::Error;
use crate::parts::Core;
use crate::prepare::{Payload, Prepared};
use crate::runtime::may_wait;

/// From the moment a write is sent until it is known what became of it. Dropped before that, because its caller has left, it
/// invalidates what the write may have outdated. Who closes the session waits for it.
pub(super) struct Doubt(Option<Write>);

struct Write {
    core: Arc<Core>,
    prepared: Prepared,
    _promise: TaskTrackerToken,
}

impl Doubt {
    /// About a request that is going to be sent; there is none about one that only reads.
    pub(super) fn about(trip: &Trip, prepared: &Prepared) -> Self {
        let write = || Write {
            core: trip.core().clone(),
            prepared: Prepared { payload: Payload::Empty, ..prepared.clone() },
            _promise: trip.core().tasks.promise(),
        };
        Self((!prepared.method.is_safe()).then(write))
    }

    /// The last look before the first try: whoever closes the session waits for the writes under way by then, and for no others.
    pub(super) fn begins(&mut self, trip: &Trip) -> Result<(), Error> {
        if self.0.is_none() || trip.attempts > 0 {
            return Ok(());
        }
        trip.core().check_open().inspect_err(|_| self.ends())
    }

    /// It is known.
    pub(super) fn ends(&mut self) {
        self.0 = None;
    }
}

impl Drop for Doubt {
    fn drop(&mut self) {
        let Some(write) = self.0.take() else { return };
        let tasks = write.core.tasks.clone();
        drop(tasks.owe(async move {
            may_wait(|| write.core.shelf.invalidate(&write.prepared, StatusCode::OK, &HeaderMap::new()));
        }));
    }
}
