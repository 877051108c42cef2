//! stub
use super::bytes::{ByteAsk, ByteSlot, ReservedBytes};
use super::ledger::{Account, Ask, Confirmed, Ledger, LedgerError, Reserved, Slot};
use super::memory::MemoryLedger;
use super::penalty::Penalty;
use crate::Clock;
use std::path::PathBuf;
use std::time::Duration;

/// A ledger in a file that all processes of the machine share.
#[derive(Debug)]
pub struct SqliteLedger {
    inner: MemoryLedger,
}
impl SqliteLedger {
    /// A ledger in this file. Nothing is opened or created before it is needed.
    pub fn at(_path: impl Into<PathBuf>, clock: Clock) -> Self {
        Self { inner: MemoryLedger::new(clock) }
    }
}
impl Ledger for SqliteLedger {
    fn reserve(&self, ask: &Ask<'_>) -> Result<Reserved, LedgerError> {
        self.inner.reserve(ask)
    }
    fn confirm(&self, ask: &Ask<'_>, slot: &Slot) -> Result<Confirmed, LedgerError> {
        self.inner.confirm(ask, slot)
    }
    fn release(&self, bucket: &str, slot: &Slot, a: bool) -> Result<bool, LedgerError> {
        self.inner.release(bucket, slot, a)
    }
    fn forecast(&self, ask: &Ask<'_>, ahead: u64) -> Result<Reserved, LedgerError> {
        self.inner.forecast(ask, ahead)
    }
    fn refuse(&self, bucket: &str, penalty: &Penalty) -> Result<(Duration, f64), LedgerError> {
        self.inner.refuse(bucket, penalty)
    }
    fn succeed(&self, bucket: &str) -> Result<f64, LedgerError> {
        self.inner.succeed(bucket)
    }
    fn reserve_bytes(&self, ask: &ByteAsk<'_>) -> Result<ReservedBytes, LedgerError> {
        self.inner.reserve_bytes(ask)
    }
    fn settle_bytes(&self, bucket: &str, slot: &ByteSlot, actual: u64) -> Result<(), LedgerError> {
        self.inner.settle_bytes(bucket, slot, actual)
    }
    fn refresh_version(&self, endpoint: &str, hold: Duration) -> Result<Option<u32>, LedgerError> {
        self.inner.refresh_version(endpoint, hold)
    }
    fn buckets(&self) -> Result<Vec<String>, LedgerError> {
        self.inner.buckets()
    }
    fn account(&self, ask: &Ask<'_>) -> Result<Account, LedgerError> {
        self.inner.account(ask)
    }
    fn close(&self) {
        self.inner.close();
    }
}
