//! The body of a request on its way out, in pieces, so that progress can be seen.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

const PIECE: usize = 64 << 10;

/// How much the connection has taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Arc<(AtomicU64, AtomicBool)>);

impl Progress {
    pub(super) fn count(&self) -> u64 {
        self.0.0.load(Ordering::Relaxed)
    }

    pub(super) fn is_done(&self) -> bool {
        self.0.1.load(Ordering::Relaxed)
    }
}

/// A body whose length is known.
#[derive(Debug)]
pub(super) struct Upload {
    rest: Bytes,
    progress: Progress,
}

impl Upload {
    pub(super) fn new(rest: Bytes, progress: Progress) -> Self {
        // A small one leaves with the head.
        progress.0.1.store(rest.len() <= PIECE, Ordering::Relaxed);
        Self { rest, progress }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        self.progress.0.0.fetch_add(1, Ordering::Relaxed);
        self.progress.0.1.store(self.rest.is_empty(), Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
