//! Counting the bytes of bodies whose host has a budget of bytes: what was declared is reserved before, what was read is what
//! counts in the end, however the transfer ended.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use crate::limit::{BytePermit, Limiter};
use crate::runtime::spawn;
use crate::transport::{Chunks, Fault};

/// A body that is counted while it is read. The count is settled when it ends or is let go.
struct Metered {
    chunks: Chunks,
    read: u64,
    settle: Option<(Limiter, BytePermit)>,
}

pub(super) fn metered(chunks: Chunks, limiter: &Limiter, permit: BytePermit) -> Chunks {
    if !permit.is_counted() {
        return chunks;
    }
    Box::pin(Metered { chunks, read: 0, settle: Some((limiter.clone(), permit)) })
}

impl Stream for Metered {
    type Item = Result<Bytes, Fault>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.chunks.poll_next_unpin(context);
        if let Poll::Ready(Some(Ok(bytes))) = &polled {
            self.read += bytes.len() as u64;
        }
        polled
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        let Some((limiter, permit)) = self.settle.take() else { return };
        let read = self.read;
        let _ = spawn(async move {
            if let Err(error) = limiter.settle_bytes(permit, read).await {
                tracing::warn!("{read} bytes are missing from the budget: {error}");
            }
        });
    }
}
