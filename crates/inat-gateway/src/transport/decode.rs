//! Unpacking gzip on the way in.

use std::io::Write;

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, StatusCode};
use inat_session::{Chunks, Fault, Incoming};

/// Hands an answer on plain, if it is packed with gzip, and says whether it was. Other encodings were not asked for, and stay
/// as they are.
pub(super) fn unpack(incoming: &mut Incoming) -> bool {
    if !is_gzip(&incoming.headers) {
        return false;
    }
    incoming.headers.remove(CONTENT_ENCODING);
    incoming.headers.remove(CONTENT_LENGTH);
    // A part of something packed cannot be unpacked; nobody asked for one.
    if matches!(incoming.status, StatusCode::NOT_MODIFIED | StatusCode::NO_CONTENT) {
        return false;
    }
    let packed = std::mem::replace(&mut incoming.body, Box::pin(stream::empty()));
    incoming.body = unpacked(packed);
    true
}

fn is_gzip(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(CONTENT_ENCODING).iter();
    let coding = lines.next().map(|line| line.as_bytes().trim_ascii());
    lines.next().is_none()
        && coding.is_some_and(|coding| coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip"))
}

/// How much is unpacked at once. A thousand times as much may come of it, and no more is held.
const STEP: usize = 4 << 10;

fn unpacked(packed: Chunks) -> Chunks {
    let state = State { packed, came: Bytes::new(), decoder: MultiGzDecoder::new(Vec::new()), began: false };
    Box::pin(stream::unfold(Some(state), |state| async move {
        let mut state = state?;
        loop {
            let came = if state.came.is_empty() { state.packed.next().await } else { Some(Ok(state.came)) };
            state.came = Bytes::new();
            let step = match came {
                Some(Ok(mut bytes)) => {
                    state.began |= !bytes.is_empty();
                    let now = bytes.split_to(bytes.len().min(STEP));
                    state.came = bytes;
                    state.decoder.write_all(&now)
                }
                // The answer to HEAD: nothing is no broken gzip.
                None if !state.began => return None,
                None => {
                    return match state.decoder.try_finish() {
                        Ok(()) => Some((Ok(Bytes::from(std::mem::take(state.decoder.get_mut()))), None))
                            .filter(|(rest, _)| rest.as_ref().is_ok_and(|rest: &Bytes| !rest.is_empty())),
                        Err(error) => Some((Err(cut(&error)), None)),
                    };
                }
                Some(Err(fault)) => return Some((Err(fault), None)),
            };
            if let Err(error) = step {
                return Some((Err(cut(&error)), None));
            }
            let ready = std::mem::take(state.decoder.get_mut());
            if !ready.is_empty() {
                return Some((Ok(Bytes::from(ready)), Some(state)));
            }
        }
    }))
}

struct State {
    packed: Chunks,
    /// What came and is not unpacked yet.
    came: Bytes,
    decoder: MultiGzDecoder<Vec<u8>>,
    began: bool,
}

fn cut(error: &std::io::Error) -> Fault {
    Fault::Truncated(format!("the gzip is broken: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::GzEncoder;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack_in_pieces(bytes: &[u8], size: usize) -> Result<Vec<u8>, Fault> {
        Ok(pieces_of(bytes, size)?.concat())
    }

    fn pieces_of(bytes: &[u8], size: usize) -> Result<Vec<Bytes>, Fault> {
        let pieces: Vec<_> = bytes.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut all = Vec::new();
            let mut stream = unpacked(Box::pin(stream::iter(pieces)));
            while let Some(piece) = stream.next().await {
                all.push(piece?);
            }
            Ok(all)
        })
    }

    #[test]
    fn whatever_the_pieces_the_text_is_the_same() {
        let text: Vec<u8> = (0..20_000_u32).flat_map(u32::to_le_bytes).collect();
        let gzip = packed(&text);
        for size in [1, 7, 1024, gzip.len()] {
            assert_eq!(unpack_in_pieces(&gzip, size).unwrap(), text);
        }
        assert_eq!(unpack_in_pieces(&[], 1).unwrap(), b"");
    }

    #[test]
    fn no_piece_is_out_of_all_proportion() {
        let gzip = packed(&vec![0; 64 << 20]);
        let pieces = pieces_of(&gzip, gzip.len()).unwrap();
        assert_eq!(pieces.iter().map(Bytes::len).sum::<usize>(), 64 << 20);
        assert!(pieces.iter().all(|piece| piece.len() <= 1100 * STEP));
    }

    #[test]
    fn a_cut_is_seen() {
        let gzip = packed(b"{\"results\": [1, 2, 3]}");
        for length in 1..gzip.len() {
            assert!(matches!(unpack_in_pieces(&gzip[..length], 5), Err(Fault::Truncated(_))), "{length}");
        }
    }
}
