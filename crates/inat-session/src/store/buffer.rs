//! Buffers for bodies, used again.
//!
//! A fresh allocation of a megabyte costs more in page faults than reading the row and decompressing it. A buffer given out
//! here comes back when the last `Bytes` that shares it is dropped.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// Below this an allocation is cheap.
const SMALL: usize = 16 << 10;
/// Idle buffers kept, all together.
const IDLE_BYTES: usize = 2 << 20;

static IDLE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

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
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.iter().map(Vec::len).sum::<usize>() + bytes.len() <= IDLE_BYTES {
            idle.push(bytes);
        }
    }
}

/// Sizes are rounded up by at most an eighth, so that bodies of similar size find each other's buffers.
fn room_for(len: usize) -> usize {
    len.checked_next_multiple_of(1 << (len.ilog2() - 3)).unwrap_or(len)
}

fn take(room: usize) -> Vec<u8> {
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(at) = idle.iter().position(|buffer| buffer.len() == room) {
        return idle.swap_remove(at);
    }
    drop(idle);
    vec![0; room]
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
}
