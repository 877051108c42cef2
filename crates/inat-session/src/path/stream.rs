//! Bodies that go to the caller as they arrive. A task of ours reads them, so that time limits hold whatever executor the
//! caller runs on; where the answer may be stored it keeps a copy, which becomes an entry only when the body is complete.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc;

use super::reply::{Arrived, ArrivedBody};
use super::settle::handed_on;
use crate::cache::{Entry, Key};
use crate::prepare::Prepared;
use crate::response::{Arriving, Content, Origin, Response};
use crate::runtime::{may_wait, spawn};
use crate::session::Core;
use crate::transport::{Chunks, Fault};

/// How many pieces may wait for a caller who reads slowly.
const AHEAD: usize = 16;
/// Bodies beyond this are not copied for the cache.
const MAX_COPY: usize = 64 << 20;

/// A body that is not kept.
pub(super) fn plain(start: Bytes, rest: Chunks) -> Content {
    let (sender, content) = channel();
    let _ = spawn(async move {
        let mut pieces = Box::pin(whole(start, rest));
        while let Some(piece) = pieces.next().await {
            if sender.send(piece).await.is_err() {
                return;
            }
        }
    });
    content
}

/// A body that is kept when it is complete.
pub(super) fn stored(
    core: &Arc<Core>,
    prepared: &Prepared,
    mut arrived: Box<Arrived>,
    origin: Origin,
    key: Key,
    entry: Box<Entry>,
) -> Response {
    let content = std::mem::replace(&mut arrived.content, ArrivedBody::Whole(Bytes::new()));
    let mut response = handed_on(prepared, arrived, origin);
    let (start, rest) = match content {
        ArrivedBody::Whole(bytes) => {
            response.content = Content::Whole(bytes);
            return response;
        }
        ArrivedBody::Arriving { start, rest } => (start, rest),
    };
    let (sender, content) = channel();
    response.content = content;
    let (core_of_task, head) = (core.clone(), response.clone());
    core.background.start(async move {
        let mut copy = Some(BytesMut::new());
        let mut pieces = Box::pin(whole(start, rest));
        while let Some(piece) = pieces.next().await {
            match (&piece, &mut copy) {
                (Ok(bytes), Some(kept)) if kept.len() + bytes.len() <= MAX_COPY => kept.extend_from_slice(bytes),
                _ => copy = None,
            }
            if sender.send(piece).await.is_err() {
                // Nobody wants the rest, so nobody fetches it, and a part is not kept.
                return;
            }
        }
        let Some(body) = copy.map(BytesMut::freeze) else { return };
        if !is_sound(&core_of_task, &head, &body) {
            return;
        }
        let now = core_of_task.clock.now();
        may_wait(|| core_of_task.shelf.put(&key, &entry, &body, &head, now));
    });
    response
}

/// What the whole of a streamed body turned out to be decides whether it is kept, as it does for others.
fn is_sound(core: &Core, head: &Response, body: &[u8]) -> bool {
    use crate::validate::{Soundness, check};
    !core.check_json
        || check(head.method(), &http::HeaderMap::new(), head.status(), head.headers(), body) == Soundness::Sound
}

fn channel() -> (mpsc::Sender<Result<Bytes, Fault>>, Content) {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let pieces = stream::unfold(receiver, |mut receiver: mpsc::Receiver<Result<Bytes, Fault>>| async move {
        let piece = receiver.recv().await?;
        Some((piece, receiver))
    });
    (sender, Content::Arriving(Arriving::new(Box::pin(pieces))))
}

fn whole(start: Bytes, rest: Chunks) -> impl Stream<Item = Result<Bytes, Fault>> + Send {
    stream::iter((!start.is_empty()).then_some(Ok(start))).chain(rest)
}
