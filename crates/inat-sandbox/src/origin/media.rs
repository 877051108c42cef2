//! The media host: photos and sounds with strong validators and ranges.

use std::ops::Range;

use super::{Origin, call::Call, reply::Refusal};
use crate::{Answer, data::jpeg};

/// When every file was last changed, as far as anybody can tell.
pub(super) const CHANGED: &str = "Tue, 16 Jul 2024 12:00:00 GMT";
/// Seconds of silence in a sound.
const SAMPLES: u32 = 8_000 * 2;

impl Origin {
    pub(super) fn photo_file(&self, call: &Call<'_>, id: &str, file: &str) -> Answer {
        let size = file.rsplit_once('.').filter(|(_, kind)| matches!(*kind, "jpg" | "jpeg")).map(|(size, _)| size);
        let photo = id.parse().ok().zip(size).and_then(|(id, size)| jpeg(self.world.seed, id, size));
        match photo {
            Some(photo) => ranged(call, Answer::new(200).header("Content-Type", "image/jpeg").body(photo), CHANGED),
            None => missing(),
        }
    }

    pub(super) fn icon(&self, call: &Call<'_>) -> Answer {
        match jpeg(self.world.seed, call.segments.iter().map(|part| part.len() as u64).sum(), "square") {
            Some(icon) => ranged(call, Answer::new(200).header("Content-Type", "image/jpeg").body(icon), CHANGED),
            None => Refusal::no_route(call),
        }
    }

    pub(super) fn sound_file(&self, call: &Call<'_>, file: &str) -> Answer {
        match file.strip_suffix(".wav").and_then(|id| id.parse::<u64>().ok()) {
            Some(id) => {
                let samples = self.world.dice("sound", id).bytes(SAMPLES as usize);
                ranged(call, Answer::new(200).header("Content-Type", "audio/x-wav").body(wav(&samples)), CHANGED)
            }
            None => missing(),
        }
    }
}

/// How S3 says that there is nothing, or that it will not tell.
fn missing() -> Answer {
    let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    Answer::new(403).header("Content-Type", "application/xml").body(text)
}

/// Eight-bit mono at 8 kHz.
fn wav(samples: &[u8]) -> Vec<u8> {
    let size = u32::try_from(samples.len()).unwrap_or(0);
    let mut out = Vec::with_capacity(samples.len() + 44);
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&(36 + size).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data");
    out.extend_from_slice(&size.to_le_bytes());
    out.extend_from_slice(samples);
    out
}

/// The whole file with its validators, or the part asked for (RFC 9110 §14).
pub(super) fn ranged(call: &Call<'_>, mut answer: Answer, changed: &str) -> Answer {
    let etag = format!("\"{}\"", &blake3::hash(&answer.body).to_hex()[..32]);
    answer.set("ETag", etag.as_str());
    answer.set("Last-Modified", changed);
    answer.set("Accept-Ranges", "bytes");
    let size = answer.body.len();
    // RFC 9110 §14.2: a range goes with GET only; §13.1.5: a validator that does not match exactly asks for the whole.
    let wanted = call.seen.header("range").filter(|_| call.seen.method == "GET");
    let unchanged = call.seen.header("if-range").is_none_or(|known| known == etag || known == changed);
    match wanted.filter(|_| unchanged).map(|range| parse(range, size)) {
        None | Some(Asked::Whole) => answer,
        Some(Asked::Part(part)) => {
            answer.status = 206;
            answer.set("Content-Range", format!("bytes {}-{}/{size}", part.start, part.end - 1));
            answer.body = answer.body.slice(part);
            answer
        }
        Some(Asked::Nothing) => {
            Answer::new(416).header("Content-Range", format!("bytes */{size}")).header("Accept-Ranges", "bytes")
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// No range, one that is malformed, or several: the whole file is a right answer to all.
    Whole,
    Part(Range<usize>),
    Nothing,
}

fn parse(range: &str, size: usize) -> Asked {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
        return Asked::Whole;
    };
    let part = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Ok(first), Err(_)) if last.is_empty() => first..size,
        (Err(_), Ok(count)) if first.is_empty() => size.saturating_sub(count)..size,
        _ => return Asked::Whole,
    };
    if part.start < part.end { Asked::Part(part) } else { Asked::Nothing }
}

#[cfg(test)]
mod tests {
    use super::{Asked, parse};

    #[test]
    fn ranges() {
        let table = [
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=2-4", Asked::Part(2..5)),
            ("bytes=5-", Asked::Part(5..10)),
            ("bytes=-3", Asked::Part(7..10)),
            ("bytes=-30", Asked::Part(0..10)),
            ("bytes=8-99", Asked::Part(8..10)),
            ("bytes=10-", Asked::Nothing),
            ("bytes=10-20", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=4-2", Asked::Whole),
            ("bytes=0-1,3-4", Asked::Whole),
            ("lines=1-2", Asked::Whole),
            ("bytes=18446744073709551615-", Asked::Nothing),
            ("bytes=0-18446744073709551615", Asked::Part(0..10)),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text, 10), expected, "{text}");
        }
    }
}
