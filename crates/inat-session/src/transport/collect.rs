//! Reading a body whole, up to a bound.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

use super::{Chunks, Fault, Incoming};

/// What a body turned out to be.
pub(crate) enum Body {
    /// All of it.
    Whole(Bytes),
    /// It is larger than the bound: what was read so far, and the rest as it arrives.
    Larger {
        /// What was read.
        start: Bytes,
        /// What was not.
        rest: Chunks,
    },
    /// It broke off.
    Cut(Fault),
}

/// Reads a body, but never much more than `bound` bytes of it into memory.
pub(crate) async fn collect(incoming: &mut Incoming, bound: u64) -> Body {
    let mut chunks = incoming.take_body();
    let declared = incoming.declared_length();
    if declared.is_some_and(|length| length > bound) {
        return Body::Larger { start: Bytes::new(), rest: chunks };
    }
    let first = match chunks.next().await {
        None => return Body::Whole(Bytes::new()),
        Some(Err(fault)) => return Body::Cut(fault),
        Some(Ok(first)) => first,
    };
    if first.len() as u64 > bound {
        // Whoever takes it piece by piece need not wait for the second one.
        return Body::Larger { start: first, rest: chunks };
    }
    // Most answers are one chunk, which is handed on as it is.
    let mut whole = match chunks.next().await {
        None => return Body::Whole(first),
        Some(Err(fault)) => return Body::Cut(fault),
        Some(Ok(second)) => {
            let expected = declared.map_or(0, |length| usize::try_from(length).unwrap_or(0));
            let mut whole = BytesMut::with_capacity(expected.max(first.len() + second.len()));
            whole.extend_from_slice(&first);
            whole.extend_from_slice(&second);
            whole
        }
    };
    loop {
        if whole.len() as u64 > bound {
            return Body::Larger { start: whole.freeze(), rest: chunks };
        }
        match chunks.next().await {
            None => return Body::Whole(whole.freeze()),
            Some(Ok(chunk)) => whole.extend_from_slice(&chunk),
            Some(Err(fault)) => return Body::Cut(fault),
        }
    }
}
