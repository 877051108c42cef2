//! What answers take while they are read whole. Each is bounded by the session, but five hundred of them at once are not:
//! so the next one is read when there is room for it, and until then its server waits.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use inat_session::{Chunks, Fault, Phase};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{timed_out, within};

/// A body beyond this is not read whole, but passed on.
pub(crate) const WHOLE: u64 = 32 << 20;
/// Room is counted in pieces of this size. What is smaller is not worth counting.
const PIECE: u64 = 64 << 10;

/// Room for answers that are being read.
#[derive(Debug)]
pub(super) struct Gathering {
    room: Room,
    pieces: u32,
}

#[derive(Clone, Debug)]
struct Room {
    free: Arc<Semaphore>,
    /// One body of unknown length may grow without finding room, else all could hold some and wait for more.
    beyond: Arc<Semaphore>,
}

impl Gathering {
    pub(super) fn new(bytes: u64) -> Self {
        let pieces = u32::try_from(bytes / PIECE).unwrap_or(u32::MAX >> 4).clamp(1, u32::MAX >> 4);
        let free = Arc::new(Semaphore::new(pieces as usize));
        Self { room: Room { free, beyond: Arc::new(Semaphore::new(1)) }, pieces }
    }

    /// Finds room for a body, of this length if that is known, and keeps it until the body is read.
    pub(super) async fn admit(
        &self,
        body: Chunks,
        length: Option<u64>,
        patience: Option<Duration>,
    ) -> Result<Chunks, Fault> {
        match length {
            Some(length) if !(PIECE..=WHOLE).contains(&length) => Ok(body),
            Some(length) => {
                let held = take(&self.room.free, self.bounded(length), patience).await?;
                Ok(Box::pin(stream::unfold((body, held), |(mut body, held)| async move {
                    let piece = body.next().await?;
                    Some((piece, (body, held)))
                })))
            }
            None => Ok(self.growing(body, patience)),
        }
    }

    /// No body may wait for more than there is.
    fn bounded(&self, length: u64) -> u32 {
        u32::try_from(length / PIECE).unwrap_or(u32::MAX).min(self.pieces)
    }

    /// Takes room as the body comes, and gives it back when it turns out to be one that is passed on.
    fn growing(&self, body: Chunks, patience: Option<Duration>) -> Chunks {
        let (room, most) = (self.room.clone(), self.pieces);
        let state = Some(Growing { body, held: None, beyond: None, came: 0 });
        Box::pin(stream::unfold(state, move |state| {
            let room = room.clone();
            async move {
                let mut state = state?;
                let bytes = match state.body.next().await? {
                    Ok(bytes) => bytes,
                    Err(fault) => return Some((Err(fault), None)),
                };
                state.came += bytes.len() as u64;
                match state.make_room(&room, most, patience).await {
                    Ok(()) => Some((Ok(bytes), Some(state))),
                    Err(fault) => Some((Err(fault), None)),
                }
            }
        }))
    }
}

struct Growing {
    body: Chunks,
    held: Option<OwnedSemaphorePermit>,
    beyond: Option<OwnedSemaphorePermit>,
    came: u64,
}

impl Growing {
    async fn make_room(&mut self, room: &Room, most: u32, patience: Option<Duration>) -> Result<(), Fault> {
        if self.came > WHOLE {
            (self.held, self.beyond) = (None, None);
            return Ok(());
        }
        if self.beyond.is_some() {
            return Ok(());
        }
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let wanted = u32::try_from(self.came / PIECE).unwrap_or(most).min(most);
        let more = wanted.saturating_sub(u32::try_from(held).unwrap_or(most));
        if more == 0 {
            return Ok(());
        }
        tokio::select! {
            biased;
            more = take(&room.free, more, patience) => match (more?, &mut self.held) {
                (more, Some(held)) => held.merge(more),
                (more, held) => *held = Some(more),
            },
            // Only who holds some can keep others waiting.
            beyond = take(&room.beyond, 1, patience), if self.held.is_some() => self.beyond = Some(beyond?),
        }
        Ok(())
    }
}

async fn take(room: &Arc<Semaphore>, pieces: u32, patience: Option<Duration>) -> Result<OwnedSemaphorePermit, Fault> {
    let got = within(patience, room.clone().acquire_many_owned(pieces)).await;
    got.and_then(Result::ok).ok_or_else(|| timed_out(Phase::Reading, patience))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn body(pieces: usize) -> Chunks {
        Box::pin(stream::iter(vec![Ok(Bytes::from(vec![0; 128 << 10])); pieces]))
    }

    #[tokio::test]
    async fn a_body_waits_for_room_and_gives_it_back() {
        let gathering = Gathering::new(1 << 20);
        let patience = Some(Duration::from_millis(20));
        for length in [Some(1 << 20), Some(16 << 20), None] {
            let mut first = gathering.admit(body(9), length, patience).await.unwrap();
            for _ in 0..8 {
                first.next().await.unwrap().unwrap();
            }
            // A small one is none of it, nor is one that is passed on.
            for other in [1000, WHOLE + 1] {
                assert!(gathering.admit(body(1), Some(other), patience).await.is_ok());
            }
            let second = gathering.admit(body(1), Some(128 << 10), patience).await;
            assert!(matches!(second, Err(Fault::Timeout { .. })), "{length:?}");
            drop(first);
            assert!(gathering.admit(body(1), Some(128 << 10), patience).await.is_ok(), "{length:?}");
        }
    }

    /// Together they are more than there is room for, and each holds some of it.
    #[tokio::test]
    async fn bodies_that_grow_do_not_wait_for_each_other() {
        let gathering = Gathering::new(1 << 20);
        let mut bodies = Vec::new();
        for _ in 0..4 {
            let mut body = gathering.admit(body(8), None, None).await.unwrap();
            body.next().await.unwrap().unwrap();
            bodies.push(body);
        }
        let read = bodies.into_iter().map(|body| body.for_each(|piece| async move { drop(piece.unwrap()) }));
        futures_util::future::join_all(read).await;
        assert_eq!(gathering.room.free.available_permits(), gathering.pieces as usize);
        assert_eq!(gathering.room.beyond.available_permits(), 1);
    }

    #[tokio::test]
    async fn what_is_passed_on_holds_nothing() {
        let gathering = Gathering::new(WHOLE);
        let mut long = gathering.admit(body(257), None, None).await.unwrap();
        for _ in 0..257 {
            long.next().await.unwrap().unwrap();
        }
        assert_eq!(gathering.room.free.available_permits(), gathering.pieces as usize);
    }
}
