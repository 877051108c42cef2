//! Counting the bytes of bodies whose host has a budget of bytes: what was declared is reserved before, what was read is what
//! counts in the end, however the transfer ended.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::task::JoinHandle;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::limit::{BytePermit, Limiter};
use crate::parts::Core;
use crate::tasks::Tasks;
use crate::transport::{Chunks, Fault};

/// What was read of a body so far.
struct Count {
    limiter: Limiter,
    tasks: Tasks,
    read: u64,
    permit: Option<BytePermit>,
    /// The session is not closed before this is settled.
    _promise: TaskTrackerToken,
}

/// A body that is counted while it is read. Who has heard that it ended, or broke off, finds it settled.
pub(super) fn metered(chunks: Chunks, core: &Core, permit: BytePermit) -> Chunks {
    if !permit.is_counted() {
        return chunks;
    }
    let (limiter, tasks) = (core.limiter.clone(), core.tasks.clone());
    let count = Count { _promise: tasks.promise(), limiter, tasks, read: 0, permit: Some(permit) };
    Box::pin(stream::unfold(Some((chunks, count)), |state| async move {
        let (mut chunks, mut count) = state?;
        match chunks.next().await {
            Some(Ok(bytes)) => {
                count.read += bytes.len() as u64;
                Some((Ok::<Bytes, Fault>(bytes), Some((chunks, count))))
            }
            end => {
                if let Some(settled) = count.settle() {
                    let _ = settled.await;
                }
                end.map(|fault| (fault, None))
            }
        }
    }))
}

impl Count {
    /// Has the bytes that were read counted, once, whether or not anybody waits for that.
    fn settle(&mut self) -> Option<JoinHandle<()>> {
        let (permit, limiter, read) = (self.permit.take()?, self.limiter.clone(), self.read);
        self.tasks.owe(async move {
            if let Err(error) = limiter.settle_bytes(permit, read).await {
                tracing::warn!("{read} bytes are missing from the budget: {error}");
            }
        })
    }
}

impl Drop for Count {
    /// Let go before it ended.
    fn drop(&mut self) {
        drop(self.settle());
    }
}
