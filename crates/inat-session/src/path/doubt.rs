//! Writes of which nobody knows whether they were done. What is stored of a resource is outdated by a write, also by one whose
//! caller has left before the answer came: the server may have it all the same.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use super::trip::Trip;
use crate::lookup::is_safe;
use crate::parts::Core;
use crate::prepare::{Payload, Prepared};
use crate::runtime::may_wait;

/// From the moment a write is sent until it is known what became of it. Dropped before that, because its caller has left, it
/// invalidates what the write may have outdated.
pub(super) struct Doubt(Option<(Arc<Core>, Prepared)>);

impl Doubt {
    /// About a request that is going to be sent; there is none about one that only reads.
    pub(super) fn about(trip: &Trip, prepared: &Prepared) -> Self {
        let write = || (trip.core().clone(), Prepared { payload: Payload::Empty, ..prepared.clone() });
        Self((!is_safe(&prepared.method)).then(write))
    }

    /// It is known.
    pub(super) fn ends(&mut self) {
        self.0 = None;
    }
}

impl Drop for Doubt {
    fn drop(&mut self) {
        let Some((core, prepared)) = self.0.take() else { return };
        let background = core.background.clone();
        background.start(async move {
            may_wait(|| core.shelf.invalidate(&prepared, StatusCode::OK, &HeaderMap::new()));
        });
    }
}
