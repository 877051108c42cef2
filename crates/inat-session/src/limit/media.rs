//! The bytes of a request to a media host: reserved before it is sent, corrected when it was read.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::bucket;
use super::bytes::{ByteAsk, ReservedBytes};
use super::desk::off_thread;
use super::ledger::LedgerError;
use super::limiter::Limiter;
use super::permit::{BytePermit, Patience, Refusal, Wait, WaitReason};

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
        let reserved =
            off_thread(move || ledger.reserve_bytes(&ByteAsk { bucket: &name, limits, expected, max_wait })).await?;
        match reserved {
            ReservedBytes::TooLong { wait } => Err(Refusal::TooLong { until: clock.now().plus(wait) }),
            ReservedBytes::Slot(slot) => {
                if !slot.wait.is_zero() {
                    let until = clock.now().plus(slot.wait);
                    on_wait(&Wait { until, why: WaitReason::Bytes });
                    clock.sleep_until(until).await;
                }
                Ok(BytePermit { waited: clock.monotonic().saturating_sub(started), slot: Some((bucket, slot)) })
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
