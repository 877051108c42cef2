//! Unpacking gzip on the way in.

use std::io::{ErrorKind, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, StatusCode};

use super::{Chunks, Fault, Incoming};

impl Incoming {
    /// Hands the answer on plain, if it is packed with gzip, and says whether it was: for transports that ask for gzip themselves.
    /// Other codings stay as they are, and so does a part of something packed (206): it cannot be unpacked by itself, and where
    /// it belongs is counted in packed bytes (RFC 9110 §14.4).
    pub fn unpack(&mut self) -> bool {
        if !is_gzip(&self.headers) || self.status == StatusCode::PARTIAL_CONTENT {
            return false;
        }
        self.headers.remove(CONTENT_ENCODING);
        self.headers.remove(CONTENT_LENGTH);
        if matches!(self.status, StatusCode::NOT_MODIFIED | StatusCode::NO_CONTENT) {
            return false;
        }
        self.body = unpacked(self.take_body());
        true
    }

    /// Whether it is a part of something packed.
    pub(crate) fn is_packed_part(&self) -> bool {
        self.status == StatusCode::PARTIAL_CONTENT && is_gzip(&self.headers)
    }
}

fn is_gzip(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(CONTENT_ENCODING).iter();
    let coding = lines.next().map(|line| line.as_bytes().trim_ascii());
    lines.next().is_none()
        && coding.is_some_and(|coding| coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip"))
}

/// What gzip begins with (RFC 1952 §2.3.1). Without a look at it, a few bytes of anything would pass for gzip that was cut short.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// How much is unpacked at once. A thousand times as much may come of it, and no more is held.
const STEP: usize = 4 << 10;

fn unpacked(packed: Chunks) -> Chunks {
    let state = State { packed, came: Bytes::new(), decoder: MultiGzDecoder::new(Vec::new()), begun: 0 };
    Box::pin(stream::unfold(Some(state), |state| async move {
        let mut state = state?;
        loop {
            let came = if state.came.is_empty() { state.packed.next().await } else { Some(Ok(state.came)) };
            state.came = Bytes::new();
            let step = match came {
                Some(Ok(mut bytes)) => {
                    let now = bytes.split_to(bytes.len().min(STEP));
                    for byte in now.iter().take(MAGIC.len().saturating_sub(state.begun)) {
                        if MAGIC.get(state.begun) != Some(byte) {
                            return Some((Err(no_gzip("it does not begin like gzip")), None));
                        }
                        state.begun += 1;
                    }
                    state.came = bytes;
                    // Flushed: else what came out waits in a buffer for what comes next.
                    state.decoder.write_all(&now).and_then(|()| state.decoder.flush())
                }
                // The answer to HEAD: nothing is no broken gzip.
                None if state.begun == 0 => return None,
                None => {
                    return match state.decoder.try_finish() {
                        Ok(()) => Some((Ok(Bytes::from(std::mem::take(state.decoder.get_mut()))), None))
                            .filter(|(rest, _)| rest.as_ref().is_ok_and(|rest: &Bytes| !rest.is_empty())),
                        Err(error) => Some((Err(state.unfinished(&error)), None)),
                    };
                }
                Some(Err(fault)) => return Some((Err(fault), None)),
            };
            if let Err(error) = step {
                return Some((Err(no_gzip(&error.to_string())), None));
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
    /// How many of the first two bytes have come.
    begun: usize,
}

impl State {
    /// Why it does not end as gzip does: its last eight bytes are missing, or say that something else was packed. The decoder calls
    /// both by one name; but only where some are missing it takes another.
    fn unfinished(&mut self, error: &std::io::Error) -> Fault {
        match error.kind() {
            ErrorKind::InvalidInput if !matches!(self.decoder.write(&[0]), Ok(1)) => no_gzip(&error.to_string()),
            _ => Fault::Truncated(format!("the gzip ends too early: {error}")),
        }
    }
}

/// It comes again however often it is asked for.
fn no_gzip(why: &str) -> Fault {
    Fault::Undecodable(format!("Content-Encoding says gzip: {why}"))
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
    fn what_is_not_what_was_packed_is_seen() {
        let mut gzip = packed(b"{\"results\": [1, 2, 3]}");
        let length = gzip.len();
        gzip[length - 6] ^= 1;
        assert!(matches!(unpack_in_pieces(&gzip, 5), Err(Fault::Undecodable(_))));
    }

    #[test]
    fn what_came_is_handed_on_before_more_comes() {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(b"data: 1\n\n").unwrap();
        encoder.flush().unwrap();
        let first = Bytes::from(std::mem::take(encoder.get_mut()));
        let mut stream = unpacked(Box::pin(stream::iter([Ok(first)]).chain(stream::pending())));
        let event = futures_util::FutureExt::now_or_never(stream.next()).flatten();
        assert_eq!(event.unwrap().unwrap(), "data: 1\n\n");
    }

    #[test]
    fn a_cut_is_seen() {
        let gzip = packed(b"{\"results\": [1, 2, 3]}");
        for length in 1..gzip.len() {
            assert!(matches!(unpack_in_pieces(&gzip[..length], 5), Err(Fault::Truncated(_))), "{length}");
        }
    }
}
