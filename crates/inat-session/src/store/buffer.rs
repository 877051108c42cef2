//! Buffers for bodies, used again.
//!
//! A fresh allocation of a megabyte costs more in page faults than reading the row and decompressing it. A buffer given out
//! here comes back when the last `Bytes` that shares it is dropped.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Below this an allocation is cheap.
const SMALL: usize = 16 << 10;
/// From here on a fresh allocation is a mapping of its own, faulted in page by page.
const LARGE: usize = 256 << 10;
/// Idle buffers kept, all together, below [`LARGE`]: a few for each thread that reads.
const IDLE_BYTES: usize = 128 << 10;
/// The same from there on: several threads that read large bodies at once should each find one.
const IDLE_BYTES_LARGE: usize = 8 << 20;

static IDLE: Idle = Idle::new(IDLE_BYTES);
static IDLE_LARGE: Idle = Idle::new(IDLE_BYTES_LARGE);

/// `len` bytes of which `fill` writes every one; `None` when it fails. What they held before is arbitrary.
pub(super) fn filled(len: usize, fill: impl FnOnce(&mut [u8]) -> Option<()>) -> Option<Bytes> {
    if len < SMALL {
        let mut bytes = vec![0; len];
        fill(&mut bytes)?;
        return Some(Bytes::from(bytes));
    }
    let mut buffer = Buffer { bytes: take(room_for(len)), len };
    fill(buffer.bytes.get_mut(..len)?)?;
    Some(Bytes::from_owner(buffer))
}

/// The memory that a body of `len` bytes takes when it comes from here.
pub(super) fn taken(len: usize) -> usize {
    if len < SMALL { len } else { room_for(len) }
}

struct Buffer {
    bytes: Vec<u8>,
    len: usize,
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        idle(bytes.len()).put(bytes);
    }
}

/// Sizes are rounded up by at most an eighth, so that bodies of similar size find each other's buffers.
fn room_for(len: usize) -> usize {
    len.checked_next_multiple_of(1 << (len.ilog2() - 3)).unwrap_or(len)
}

fn take(room: usize) -> Vec<u8> {
    idle(room).take(room).unwrap_or_else(|| vec![0; room])
}

fn idle(room: usize) -> &'static Idle {
    if room < LARGE { &IDLE } else { &IDLE_LARGE }
}

/// Buffers that nobody uses, the longest idle first.
struct Idle {
    bound: usize,
    buffers: Mutex<VecDeque<Vec<u8>>>,
}

impl Idle {
    const fn new(bound: usize) -> Self {
        Self { bound, buffers: Mutex::new(VecDeque::new()) }
    }

    /// The last one put that has exactly this room: it is likely to be in the processor's cache still.
    fn take(&self, room: usize) -> Option<Vec<u8>> {
        let mut buffers = self.lock();
        let at = buffers.iter().rposition(|buffer| buffer.len() == room)?;
        buffers.remove(at)
    }

    /// Keeps a buffer, in place of those that have been idle for longest: they may have a size nobody asks for any more.
    fn put(&self, buffer: Vec<u8>) {
        let mut gone = Vec::new();
        let mut buffers = self.lock();
        buffers.push_back(buffer);
        while buffers.iter().map(Vec::len).sum::<usize>() > self.bound {
            gone.extend(buffers.pop_front());
        }
        // Giving memory back can take as long as reading a body: others need not wait for it.
        drop(buffers);
        drop(gone);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Vec<u8>>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_holds_what_was_written_whatever_it_held_before() {
        for (len, byte) in [(100_000, 1), (99_000, 2), (100_000, 3), (SMALL - 1, 4), (SMALL, 5)] {
            let bytes = filled(len, |room| {
                room.fill(byte);
                Some(())
            });
            assert_eq!(bytes.unwrap(), vec![byte; len]);
        }
        assert!(filled(50_000, |_| None).is_none());
    }

    #[test]
    fn rounding_wastes_at_most_an_eighth() {
        for len in [SMALL, 54_321, 1 << 20, (1 << 20) + 1, 20_000_000] {
            assert!(room_for(len) >= len && room_for(len) <= len + len / 8, "{len}");
        }
    }

    #[test]
    fn the_longest_idle_give_way_and_the_bound_holds() {
        let idle = Idle::new(1000);
        for len in [400, 500, 600] {
            idle.put(vec![0; len]);
        }
        assert!(idle.take(400).is_none() && idle.take(500).is_none(), "both gave way to the last");
        assert_eq!(idle.take(600).map(|buffer| buffer.len()), Some(600));
        assert!(idle.take(600).is_none(), "it is in use");
        idle.put(vec![0; 1001]);
        assert!(idle.take(1001).is_none(), "too large to be kept");
    }
}
