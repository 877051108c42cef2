//! How a body stands in its row: checksum, packing, length, then the bytes, compressed where that helps.
//!
//! The checksum is seeded with the row's number, so that neither a flipped bit nor a body that strayed to another row is
//! ever served. It is checked before anything is unpacked.

use bytes::Bytes;
use lz4_flex::block;
use twox_hash::XxHash3_64;

use super::buffer;

/// Smaller bodies are not worth the work.
const WORTH_COMPRESSING: usize = 1024;
/// Checksum, packing, length.
const HEADER: usize = 8 + 1 + 8;

const RAW: u8 = 0;
const LZ4: u8 = 1;

/// A body packed and ready to be written, but for the number of its row.
pub(super) struct Frame(Vec<u8>);

impl Frame {
    /// Packs a body.
    pub(super) fn pack(body: &[u8], compress: bool) -> Self {
        let mut frame = Vec::new();
        let mut packing = RAW;
        if compress && body.len() > WORTH_COMPRESSING {
            // Fresh zeros: the system gives memory only to the part that is written to.
            frame = vec![0; HEADER + block::get_maximum_output_size(body.len())];
            // An eighth must be gained, else reading it costs more than it saves.
            match block::compress_into(body, &mut frame[HEADER..]) {
                Ok(len) if len < body.len() - body.len() / 8 => {
                    frame.truncate(HEADER + len);
                    packing = LZ4;
                }
                _ => frame = Vec::new(),
            }
        }
        if packing == RAW {
            frame.reserve_exact(HEADER + body.len());
            frame.resize(HEADER, 0);
            frame.extend_from_slice(body);
        }
        frame[8] = packing;
        frame[9..HEADER].copy_from_slice(&(body.len() as u64).to_le_bytes());
        Self(frame)
    }

    /// Bytes in the row.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The frame for the row `id`.
    pub(super) fn seal(&mut self, id: i64) -> &[u8] {
        let sum = checksum(id, &self.0[8..]);
        self.0[..8].copy_from_slice(&sum.to_le_bytes());
        &self.0
    }
}

/// The body in a frame of the row `id`; `None` when it is damaged.
pub(super) fn unpack(frame: &[u8], id: i64) -> Option<Bytes> {
    let (sum, rest) = frame.split_first_chunk::<8>()?;
    if u64::from_le_bytes(*sum) != checksum(id, rest) {
        return None;
    }
    let (&packing, rest) = rest.split_first()?;
    let (len, data) = rest.split_first_chunk::<8>()?;
    let len = usize::try_from(u64::from_le_bytes(*len)).ok()?;
    match packing {
        RAW if data.len() == len => buffer::filled(len, |room| {
            room.copy_from_slice(data);
            Some(())
        }),
        // The best that lz4 can do is 255 to 1: no length in a forged frame makes us allocate much more than the file holds.
        LZ4 if len / 256 <= data.len() => {
            buffer::filled(len, |room| (block::decompress_into(data, room).ok()? == len).then_some(()))
        }
        _ => None,
    }
}

/// A fast checksum against accidents, not against forgery: who can write the file can write anything.
pub(super) fn checksum(id: i64, bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(id.cast_unsigned(), bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_body_comes_back_as_it_was(body in bodies(), id: i64, compress: bool) {
            let mut frame = Frame::pack(&body, compress);
            prop_assert!(frame.len() <= HEADER + body.len());
            prop_assert_eq!(unpack(frame.seal(id), id).unwrap(), body);
        }

        #[test]
        fn a_damaged_or_strayed_body_is_refused(body in bodies(), id: i64, at: prop::sample::Index, bit in 0u8..8) {
            let mut frame = Frame::pack(&body, true);
            let mut bytes = frame.seal(id).to_vec();
            prop_assert!(unpack(&bytes, id.wrapping_add(1)).is_none());
            prop_assert!(unpack(&bytes[..bytes.len() - 1], id).is_none());
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(unpack(&bytes, id).is_none());
        }

        #[test]
        fn nothing_in_a_file_makes_it_panic(mut bytes: Vec<u8>, packing in 0u8..3, len: u64, id: i64) {
            bytes.splice(0..0, [packing].into_iter().chain(len.to_le_bytes()));
            let sum = checksum(id, &bytes);
            bytes.splice(0..0, sum.to_le_bytes());
            let _ = unpack(&bytes, id);
        }
    }

    fn bodies() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..3000),
            (any::<u8>(), 0usize..40_000).prop_map(|(byte, len)| vec![byte; len]),
        ]
    }

    #[test]
    fn text_is_compressed_and_noise_is_not() {
        let text = "{\"quality_grade\":\"research\"},".repeat(100);
        assert!(Frame::pack(text.as_bytes(), true).len() < text.len() / 5);
        assert_eq!(Frame::pack(text.as_bytes(), false).len(), HEADER + text.len());
        let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(5000).collect();
        assert_eq!(Frame::pack(&noise, true).len(), HEADER + noise.len());
    }
}
