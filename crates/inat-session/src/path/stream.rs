//! Bodies that go to the caller as they arrive. A task of ours reads them, so that time limits hold whatever executor the
//! caller runs on; where the answer may be stored it keeps a copy, which becomes an entry only when the body is complete.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use http::HeaderMap;
use tokio::sync::mpsc;

use super::reply::{Arrived, ArrivedBody};
use super::settle::handed_on;
use super::trip::Trip;
use crate::Clock;
use crate::cache::{Entry, Key};
use crate::lookup::Answered;
use crate::parts::Core;
use crate::prepare::{Prepared, speaks_inaturalist};
use crate::response::{Arriving, Content, Origin, Response};
use crate::runtime::{may_wait, spawn};
use crate::tasks::Tasks;
use crate::transport::{Chunks, Fault, Phase};

/// How many pieces may wait for a caller who reads slowly. A piece may be some hundred kilobytes.
const AHEAD: usize = 4;
/// How long the end of a body that nobody listens to any more may take.
const MOMENT: Duration = Duration::from_millis(500);
/// Bodies beyond this are not copied for the cache.
const MAX_COPY: usize = 64 << 20;
/// Nor is a body when copies take more than this together: callers who read slowly would fill the memory.
const MAX_COPIES: usize = 256 << 20;

/// A body on its way, and how long it may still take.
pub(super) struct Body {
    start: Bytes,
    rest: Chunks,
    clock: Clock,
    left: Option<Duration>,
}

/// What goes to the caller: pieces, and in the end the word that this was all. A channel that just closes is a body cut short.
enum Word {
    Piece(Result<Bytes, Fault>),
    End,
}

/// A body that is not kept.
pub(super) fn plain(tasks: &Tasks, body: Body) -> Content {
    let (sender, content) = channel();
    // Where no thread can be had for it, the body ends in a fault.
    let _ = spawn(tasks.bound(async move {
        let word = match body.deliver(&sender, |_| {}).await {
            Ok(true) => Word::End,
            Ok(false) => return,
            Err(fault) => Word::Piece(Err(fault)),
        };
        let _ = sender.send(word).await;
    }));
    content
}

/// A body that is kept when it is complete, unless there have been more than these writes by then.
pub(super) fn stored(
    trip: &Trip,
    prepared: &Prepared,
    mut arrived: Box<Arrived>,
    origin: Origin,
    (key, entry): (Key, Box<Entry>),
    writes: u64,
) -> Response {
    let content = std::mem::replace(&mut arrived.content, ArrivedBody::Whole(Bytes::new()));
    let mut response = handed_on(trip, prepared, arrived, origin);
    let body = match content {
        ArrivedBody::Whole(bytes) => {
            response.content = Content::Whole(bytes);
            return response;
        }
        ArrivedBody::Arriving { start, rest } => Body::new(trip, prepared, start, rest),
    };
    // Without the body: whoever holds a clone of that keeps it from ending when the caller leaves.
    let mut head = response.clone();
    let (sender, content) = channel();
    response.content = content;
    let (core, asked) = (trip.core().clone(), prepared.headers.clone());
    let tasks = core.tasks.clone();
    let promise = tasks.promise();
    // Where no thread can be had for it, the body ends in a fault.
    let _ = spawn(tasks.bound(async move {
        let mut copy = Some(Kept::new(core.copied.clone()));
        let whole = body.deliver(&sender, |bytes| {
            if copy.as_mut().is_some_and(|copy| !copy.take(bytes)) {
                copy = None;
            }
        });
        let word = match whole.await {
            Ok(true) => Word::End,
            // Nobody wants the rest, so nobody fetches it, and a part is not kept.
            Ok(false) => return,
            Err(fault) => Word::Piece(Err(fault)),
        };
        let now = core.clock.now();
        match copy.map(Kept::finish) {
            _ if !matches!(word, Word::End) => {}
            Some(body) if is_sound(&core, &asked, &head, &body) => {
                head.content = Content::Whole(body.clone());
                let answered = Answered { response: &head, asked: &asked, writes };
                core.shelf.put(&key, &entry, &body, &answered, now);
            }
            // Too large to keep, and newer than what is kept.
            None => may_wait(|| core.shelf.forget(&key, &asked, now)),
            Some(_) => {}
        }
        // Who closes the session need not wait until the caller has read so far.
        drop(promise);
        // Only now: who has read to the end finds it stored.
        let _ = sender.send(word).await;
    }));
    response
}

/// A body as far as it has come, counted with all others.
struct Kept {
    bytes: BytesMut,
    all: Arc<AtomicUsize>,
}

impl Kept {
    fn new(all: Arc<AtomicUsize>) -> Self {
        Self { bytes: BytesMut::new(), all }
    }

    /// Keeps these too, if there is room; else nothing of it is of use.
    fn take(&mut self, more: &[u8]) -> bool {
        let others = self.all.load(Ordering::Relaxed);
        if self.bytes.len() + more.len() > MAX_COPY || others + more.len() > MAX_COPIES {
            return false;
        }
        self.all.fetch_add(more.len(), Ordering::Relaxed);
        self.bytes.extend_from_slice(more);
        true
    }

    fn finish(mut self) -> Bytes {
        self.all.fetch_sub(self.bytes.len(), Ordering::Relaxed);
        std::mem::take(&mut self.bytes).freeze()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

impl Body {
    pub(super) fn new(trip: &Trip, prepared: &Prepared, start: Bytes, rest: Chunks) -> Self {
        Self { start, rest, clock: trip.core().clock.clone(), left: trip.left(prepared) }
    }

    /// Passes pieces on until the end, the deadline, or until nobody wants them; whether that was all of the body. What was to come
    /// is let go before the caller is told of a fault, who may read no further for long.
    async fn deliver(self, sender: &mpsc::Sender<Word>, copy: impl FnMut(&Bytes)) -> Result<bool, Fault> {
        let Self { start, rest, clock, left } = self;
        let late = async {
            match left {
                Some(left) => clock.elapse(left).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = late => Err(Fault::Timeout { phase: Phase::Reading, after: left.unwrap_or_default() }),
            whole = pass_on(start, rest, sender, copy) => whole,
        }
    }
}

/// Passes pieces on until the end, or until nobody wants them; whether that was all.
async fn pass_on(
    start: Bytes,
    rest: Chunks,
    sender: &mpsc::Sender<Word>,
    mut copy: impl FnMut(&Bytes),
) -> Result<bool, Fault> {
    let first = stream::iter((!start.is_empty()).then_some(Ok(start)));
    let mut pieces = first.chain(rest);
    loop {
        let piece = tokio::select! {
            piece = pieces.next() => piece,
            // A caller who has all of it need not wait to be told so. The end may still have bytes to settle.
            () = sender.closed() => {
                return Ok(matches!(Clock::system().within(MOMENT, pieces.next()).await, Some(None)));
            }
        };
        let Some(piece) = piece.transpose()? else { return Ok(true) };
        copy(&piece);
        if sender.send(Word::Piece(Ok(piece))).await.is_err() {
            return Ok(false);
        }
    }
}

/// What the whole of a streamed body turned out to be decides whether it is kept, as it does for others.
fn is_sound(core: &Core, asked: &HeaderMap, head: &Response, body: &[u8]) -> bool {
    use crate::validate::{Soundness, check};
    let is_api = speaks_inaturalist(head.url(), &core.defaults.base);
    !core.check_json
        || match check(head.method(), asked, head.status(), head.headers(), body, is_api) {
            Soundness::Sound => true,
            Soundness::Unexpected => core.shelf.rules().unasked_html,
            Soundness::False(_) => false,
        }
}

fn channel() -> (mpsc::Sender<Word>, Content) {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let pieces = stream::unfold(Some(receiver), |receiver: Option<mpsc::Receiver<Word>>| async move {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Word::Piece(piece)) => Some((piece, Some(receiver))),
            Some(Word::End) => None,
            None => Some((Err(Fault::Closed), None)),
        }
    });
    (sender, Content::Arriving(Arriving::new(Box::pin(pieces))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_bounded_together() {
        let all = Arc::new(AtomicUsize::new(MAX_COPIES - 10));
        let (mut one, mut two) = (Kept::new(all.clone()), Kept::new(all.clone()));
        assert!(one.take(b"12345678") && !two.take(b"abc") && two.take(b"ab"));
        assert_eq!(one.finish(), "12345678");
        assert!(two.take(b"cdef"));
        drop(two);
        assert_eq!(all.load(Ordering::Relaxed), MAX_COPIES - 10);
    }

    #[tokio::test]
    async fn only_a_word_ends_a_body() {
        for (says_so, expected) in [(true, true), (false, false)] {
            let (sender, content) = channel();
            let Content::Arriving(arriving) = content else { panic!("it is whole") };
            sender.send(Word::Piece(Ok(Bytes::from_static(b"a")))).await.ok();
            if says_so {
                sender.send(Word::End).await.ok();
            }
            drop(sender);
            assert_eq!(arriving.next().await.unwrap().unwrap(), "a");
            assert_eq!(arriving.next().await.is_none(), expected);
            assert!(arriving.next().await.is_none());
        }
    }
}
