//! The lease on a key: the right to ask, while other processes wait for the answer in the store.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use super::trip::Trip;
use crate::cache::Key;
use crate::lookup::Found;
use crate::parts::Core;
use crate::prepare::Prepared;
use crate::response::Response;
use crate::stage::Stage;
use crate::{Error, Freshness, Kind};

/// How long a lease holds without being renewed: how long others wait for a process that was killed.
const LEASE: Duration = Duration::from_secs(5);
/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(2);
/// How often those who wait look whether the answer is there.
const GLANCE: Duration = Duration::from_millis(25);

/// What waiting for another process came to.
pub(super) enum Waited {
    /// It fetched what was wanted.
    Answered(Box<Response>),
    /// It is ours to fetch.
    Leads(Lease),
}

/// The right to fetch something while other processes wait for it, and those of this one who ask for the same entry in another
/// way (twins agree in everything, a lease is for a key). Given back when it is dropped, too.
pub(super) struct Lease {
    core: Arc<Core>,
    key: Key,
    holder: u64,
    is_given_back: bool,
}

impl Lease {
    pub(super) async fn take(trip: &Trip, prepared: &Prepared, key: Key) -> Result<Waited, Error> {
        let core = trip.core();
        let lease = Self { core: core.clone(), key, holder: fastrand::u64(..), is_given_back: false };
        let mut told = false;
        let begun = trip.elapsed();
        while !lease.renew() {
            if core.shelf.is_unshareable(&key) {
                // Whoever went first had nothing to share: nobody queues for that.
                return Ok(Waited::Leads(lease));
            }
            if !told {
                told = true;
                core.listener
                    .tell(prepared, Stage::Coalesce, || "waits for another process that asks for the same".to_owned());
            }
            if prepared.options.deadline.is_some_and(|deadline| trip.elapsed() >= deadline) {
                let deadline = prepared.options.deadline.unwrap_or_default();
                return Err(trip.error(Stage::Coalesce, prepared, Kind::Deadline(deadline)));
            }
            if trip.max_delay(prepared).is_some_and(|most| trip.elapsed().saturating_sub(begun) >= most) {
                // Whoever goes first may wait for longer than this caller would. Let the budget say what it has to say.
                return Ok(Waited::Leads(lease));
            }
            core.clock.sleep(GLANCE).await;
            if prepared.options.freshness == Freshness::Normal
                && let Found::Hit(served) = core.shelf.look(prepared, core.clock.now())
            {
                let mut response = served.response;
                response.origin = response.origin.shared();
                return Ok(Waited::Answered(Box::new(response)));
            }
        }
        Ok(Waited::Leads(lease))
    }

    /// Takes or renews it. A store that cannot say is no reason to wait.
    fn renew(&self) -> bool {
        let now = self.core.clock.now();
        self.core.shelf.store().lease(&self.key, self.holder, now, now.plus(LEASE)).unwrap_or(true)
    }

    /// Gives it back before the answer is handed over: whoever asks next must not find it taken.
    pub(super) fn give_back(mut self) {
        self.is_given_back = true;
        release(&self.core, &self.key, self.holder);
    }

    /// Renews it for as long as it is polled.
    pub(super) async fn keep(&self) -> Infallible {
        loop {
            self.core.clock.expire(RENEWAL).await;
            self.renew();
        }
    }
}

impl Drop for Lease {
    /// For flights that are cut off. Wherever that happens, nobody waits for the file there.
    fn drop(&mut self) {
        if !self.is_given_back {
            release(&self.core, &self.key, self.holder);
        }
    }
}

fn release(core: &Core, key: &Key, holder: u64) {
    if let Err(error) = core.shelf.store().release(key, holder) {
        tracing::debug!("a lease runs out by itself: {error}");
    }
}
