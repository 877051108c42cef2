//! Reading the body of a request: whole, because it may be sent more than once, and within bounds of size and time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, EXPECT};
use http::{HeaderMap, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::Config;
use crate::pulse::Pulse;
use crate::refusal::Refusal;

/// What all bodies take together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Purse {
    taken: Arc<AtomicU64>,
    /// Bodies that are given to several, by where they are in memory.
    shared: Arc<Mutex<Shared>>,
}

/// By address and length.
type Shared = HashMap<(usize, usize), Weak<Room>>;

/// Room taken, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Room {
    purse: Purse,
    taken: u64,
}

impl Room {
    /// Gives back what is beyond this.
    pub(crate) fn shrink(&mut self, to: u64) {
        let over = self.taken.saturating_sub(to);
        self.taken -= over;
        self.purse.taken.fetch_sub(over, Ordering::AcqRel);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.purse.taken.fetch_sub(self.taken, Ordering::AcqRel);
    }
}

impl Purse {
    /// Takes this much; `None` when there is less than that.
    pub(crate) fn take(&self, bytes: u64, most: u64) -> Option<Room> {
        let before = self.taken.fetch_add(bytes, Ordering::AcqRel);
        let room = Room { purse: self.clone(), taken: bytes };
        (before.saturating_add(bytes) <= most).then_some(room)
    }

    /// Room for a body that several clients may be given at once: it is there once, and counts once. To be kept for as long as the
    /// body is, so that its place in memory is its own.
    pub(crate) fn share(&self, body: &Bytes, most: u64) -> Option<Arc<Room>> {
        const WORTH_SWEEPING: usize = 256;
        let place = (body.as_ptr().addr(), body.len());
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(room) = shared.get(&place).and_then(Weak::upgrade) {
            return Some(room);
        }
        if shared.len() >= WORTH_SWEEPING {
            shared.retain(|_, room| room.strong_count() > 0);
        }
        let room = Arc::new(self.take((body.len() as u64).min(most), most)?);
        shared.insert(place, Arc::downgrade(&room));
        Some(room)
    }
}

/// A body, and the room it takes for as long as this lives.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    purse: Purse,
    taken: u64,
}

impl Drop for Received {
    fn drop(&mut self) {
        self.purse.taken.fetch_sub(self.taken, Ordering::AcqRel);
    }
}

impl Received {
    fn empty(purse: &Purse) -> Self {
        Self { bytes: Bytes::new(), purse: purse.clone(), taken: 0 }
    }

    /// Takes room, before the bytes that fill it are kept.
    fn take(&mut self, bytes: u64, config: &Config) -> Result<(), Refusal> {
        let before = self.purse.taken.fetch_add(bytes, Ordering::AcqRel);
        self.taken += bytes;
        if before.saturating_add(bytes) > config.max_bodies {
            return Err(Refusal::busy("too many large requests at once").closing());
        }
        Ok(())
    }
}

/// No body may come slower than this on the whole, in bytes a second.
const MIN_RATE: u64 = 1024;
/// A client that is still sending is listened to for this long before it is told that its body is too large: else the reset
/// that ends the connection would swallow the answer.
const LISTEN: Duration = Duration::from_secs(2);
/// And this many bytes.
const LISTEN_TO: u64 = 64 << 20;

/// Reads a body whole.
pub(crate) async fn receive(
    headers: &HeaderMap,
    mut body: Incoming,
    config: &Config,
    purse: &Purse,
    pulse: &Arc<Pulse>,
) -> Result<Received, Refusal> {
    let mut received = Received::empty(purse);
    if body.is_end_stream() {
        return Ok(received);
    }
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > config.max_body) {
        // Who asks before sending need not send.
        if !headers.contains_key(EXPECT) {
            listen_out(&mut body).await;
        }
        return Err(too_large(config));
    }
    let started = Instant::now();
    let listening = pulse.listen();
    let mut whole = BytesMut::new();
    loop {
        let ought = Duration::from_secs(received.taken / MIN_RATE);
        let allowed = config.body_timeout.saturating_add(ought);
        let left = allowed.saturating_sub(started.elapsed()).min(config.body_timeout);
        listening.note_lag(started.elapsed().saturating_sub(ought));
        let next = tokio::select! {
            biased;
            next = tokio::time::timeout(left, body.frame()) => next,
            () = listening.has_to_end() => {
                let message = "the body comes too slowly while others wait for a connection";
                return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, message).closing());
            }
        };
        let frame = match next {
            Err(_) => return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body came too slowly").closing()),
            Ok(None) => break,
            Ok(Some(Err(error))) => {
                return Err(Refusal::bad_request(format!("the body cannot be read: {error}")).closing());
            }
            Ok(Some(Ok(frame))) => frame,
        };
        // Trailers are dropped: what goes on has a length instead.
        let Ok(data) = frame.into_data() else { continue };
        if received.taken + data.len() as u64 > config.max_body {
            listen_out(&mut body).await;
            return Err(too_large(config));
        }
        if let Err(refusal) = received.take(data.len() as u64, config) {
            // Its room is free for others while the client is heard out.
            drop((received, whole, data));
            listen_out(&mut body).await;
            return Err(refusal);
        }
        whole.extend_from_slice(&data);
    }
    received.bytes = whole.freeze();
    Ok(received)
}

fn too_large(config: &Config) -> Refusal {
    let message = format!("the body is larger than this gateway takes ({} bytes)", config.max_body);
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message).closing()
}

async fn listen_out(body: &mut Incoming) {
    let mut heard = 0;
    let _ = tokio::time::timeout(LISTEN, async {
        while let Some(Ok(frame)) = body.frame().await {
            heard += frame.data_ref().map_or(0, |data| data.len() as u64);
            if heard > LISTEN_TO {
                return;
            }
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_many_read_counts_once() {
        let purse = Purse::default();
        let (body, other) = (Bytes::from(vec![1; 60]), Bytes::from(vec![1; 60]));
        let rooms: Vec<_> = (0..40).map(|_| purse.share(&body.clone(), 100).unwrap()).collect();
        assert!(purse.share(&other, 100).is_none());
        assert!(purse.take(40, 100).is_some());
        drop(rooms);
        assert!(purse.share(&other, 100).is_some());
        // What is larger than all the room takes all of it.
        assert!(purse.share(&Bytes::from(vec![1; 600]), 100).is_some());
    }
}
