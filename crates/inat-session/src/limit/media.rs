//! The bytes of an answer of a media host: reserved before they are read, corrected when they were.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use url::Url;

use super::bucket;
use super::bytes::{ByteAsk, ByteSlot, ReservedBytes};
use super::desk::off_thread;
use super::ledger::{Ledger, LedgerError};
use super::limiter::Limiter;
use super::permit::{BytePermit, Patience, Refusal, Wait, WaitReason};
use super::waits::Waiter;

/// Bytes that are reserved while their time has not come. They are given back where nobody waits for it any longer.
struct Waiting {
    ledger: Arc<dyn Ledger>,
    bucket: String,
    slot: Option<ByteSlot>,
    waiter: Option<Waiter>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some(slot) = self.slot.take().filter(|slot| slot.bytes > 0) else { return };
        let (ledger, bucket) = (Arc::clone(&self.ledger), std::mem::take(&mut self.bucket));
        let waiter = self.waiter.take();
        let give_back = move || {
            if let Err(error) = ledger.settle_bytes(&bucket, &slot, 0) {
                tracing::warn!("{} bytes that nobody read are missing from the budget: {error}", slot.bytes);
            }
            drop(waiter);
        };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(give_back)),
            Err(_) => give_back(),
        }
    }
}

impl Limiter {
    /// Reserves the bytes of a body from a media host, and sleeps until they fit. For other hosts it does nothing.
    pub async fn reserve_bytes(
        &self,
        url: &Url,
        expected: Option<u64>,
        patience: Patience,
        on_wait: &(dyn Fn(&Wait) + Send + Sync),
    ) -> Result<BytePermit, Refusal> {
        let clock = &self.0.clock;
        let started = clock.monotonic();
        let Some(bucket) = bucket::of_bytes(url, &self.0.limits) else {
            return Ok(BytePermit { waited: Duration::ZERO, slot: None });
        };
        let until = self.latest(&patience);
        let (ledger, limits, name) = (Arc::clone(&self.0.ledger), self.0.limits.bytes, bucket.clone());
        let max_wait = until.map(|until| until.saturating_sub(clock.monotonic()));
        let waiter = self.0.waits.begin();
        self.0.waits.check()?;
        let reserved = off_thread(move || {
            let reserved = ledger.reserve_bytes(&ByteAsk { bucket: &name, limits, expected, max_wait })?;
            Ok(match reserved {
                ReservedBytes::TooLong { wait } => Err(wait),
                ReservedBytes::Slot(slot) => {
                    Ok(Waiting { ledger, bucket: name, slot: Some(slot), waiter: Some(waiter) })
                }
            })
        });
        match reserved.await? {
            Err(wait) => Err(Refusal::TooLong { until: clock.now().plus(wait) }),
            Ok(mut waiting) => {
                let wait = waiting.slot.map_or(Duration::ZERO, |slot| slot.wait);
                if !wait.is_zero() {
                    let until = clock.now().plus(wait);
                    on_wait(&Wait { until, why: WaitReason::Bytes });
                    self.0.waits.sleep_until(clock, until).await?;
                }
                let slot = waiting.slot.take().map(|slot| (bucket, slot));
                Ok(BytePermit { waited: clock.monotonic().saturating_sub(started), slot })
            }
        }
    }

    /// Replaces the bytes reserved by those that were read, however the transfer ended.
    pub async fn settle_bytes(&self, permit: BytePermit, actual: u64) -> Result<(), LedgerError> {
        let Some((bucket, slot)) = permit.slot else { return Ok(()) };
        if slot.bytes == actual {
            return Ok(());
        }
        let ledger = Arc::clone(&self.0.ledger);
        off_thread(move || ledger.settle_bytes(&bucket, &slot, actual)).await
    }
}
