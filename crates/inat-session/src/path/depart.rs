//! Leaving in time. A request leaves when its slot comes; but where a connection has to be made first, that takes longer than
//! a slot lasts, and what arrives late is too close to the next. So the transport asks again before it writes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::trip::Trip;
use crate::event::About;
use crate::limit::{Permit, Refusal};
use crate::prepare::Prepared;
use crate::transport::{Departure, Leave};

/// What was asked, and what came of it.
#[derive(Clone, Default)]
pub(super) struct Asked(Arc<Mutex<Found>>);

#[derive(Default)]
struct Found {
    /// Time spent waiting for another slot.
    waited: Duration,
    refusal: Option<(Leave, Refusal)>,
}

impl Asked {
    /// How long it was waited for another slot, and what was asked in vain, and why.
    pub(super) fn result(&self) -> (Duration, Option<(Leave, Refusal)>) {
        let mut found = self.lock();
        (found.waited, found.refusal.take())
    }

    fn lock(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trip {
    /// What the transport asks before it writes, when it had to wait for a connection, or sends a second time.
    pub(super) fn departure(&self, prepared: &Prepared, permit: Permit) -> (Departure, Asked) {
        let asked = Asked::default();
        if !permit.may_pass() {
            return (Departure::default(), asked);
        }
        let (trip, options) = (self.clone(), prepared.options.clone());
        let (method, url) = (prepared.method.clone(), prepared.url.clone());
        let (found, permit) = (Arc::downgrade(&asked.0), Arc::new(Mutex::new(permit)));
        let ask = move |leave| {
            let (trip, found, permit) = (trip.clone(), found.upgrade(), permit.clone());
            let (method, url) = (method.clone(), url.clone());
            let patience = trip.patience_of(&options);
            let asking = async move {
                // The request may have had its answer meanwhile.
                let Some(found) = found.map(Asked) else { return true };
                let limiter = &trip.core().limiter;
                let tell = |wait: &_| trip.tell_wait(About { method: &method, url: &url }, wait);
                let renewed = match leave {
                    Leave::Still => {
                        let last = permit.lock().unwrap_or_else(PoisonError::into_inner).clone();
                        limiter.renew(&url, last, patience, &tell).await
                    }
                    Leave::Again => limiter.acquire(&url, patience, &tell).await,
                };
                match renewed {
                    Ok(renewed) => {
                        found.lock().waited += renewed.waited;
                        *permit.lock().unwrap_or_else(PoisonError::into_inner) = renewed;
                        true
                    }
                    Err(refusal) => {
                        found.lock().refusal = Some((leave, refusal));
                        false
                    }
                }
            };
            Box::pin(asking) as crate::transport::Asking
        };
        (Departure::new(ask), asked)
    }
}
