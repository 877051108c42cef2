//! Ranges of bytes (RFC 9110 §14): one range of a stored response is cut out here; for several, the whole is a right answer
//! too (§14.2), and a simpler one.

use http::{HeaderMap, header};

use super::{Asked, Entry, Part, conditions, fields};

/// What a request wants of a representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it: no `Range`, one that is not understood, several ranges, or `If-Range` does not hold.
    Whole,
    /// The bytes from the first to the last.
    Bytes { first: u64, last: u64 },
    /// Bytes it does not have.
    Unsatisfiable,
}

/// What a request wants of a stored response whose representation is `whole` bytes long.
pub(crate) fn wanted(asked: &Asked<'_>, entry: &Entry, whole: u64) -> Wanted {
    if *asked.method != http::Method::GET || !asked.headers.contains_key(header::RANGE) {
        return Wanted::Whole;
    }
    let range = fields::once(asked.headers, &header::RANGE).and_then(|range| parse(range, whole));
    match range {
        Some(range) if conditions::if_range_holds(asked, entry) => range,
        _ => Wanted::Whole,
    }
}

/// Reads one `bytes` range; `None` for anything else, which RFC 9110 §14.2 lets a recipient ignore.
fn parse(range: &[u8], whole: u64) -> Option<Wanted> {
    let (unit, set) = std::str::from_utf8(range).ok()?.split_once('=')?;
    // Lists may have empty elements (RFC 9110 §5.6.1.2).
    let mut ranges = set.split(',').map(|range| range.trim_matches([' ', '\t'])).filter(|range| !range.is_empty());
    let (only, None) = (ranges.next()?, ranges.next()) else { return None };
    let (from, to) = only.split_once('-')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let last_byte = whole.checked_sub(1);
    match (position(from), position(to)) {
        (None, Some(0)) if from.is_empty() => Some(Wanted::Unsatisfiable),
        // Of an empty representation any suffix is everything, and that is no range.
        (None, Some(suffix)) if from.is_empty() => {
            last_byte.map(|last| Wanted::Bytes { first: whole.saturating_sub(suffix), last })
        }
        (Some(first), to_position) if to.is_empty() || to_position.is_some_and(|to| first <= to) => {
            Some(match last_byte {
                Some(last) if first <= last => Wanted::Bytes { first, last: to_position.unwrap_or(last).min(last) },
                _ => Wanted::Unsatisfiable,
            })
        }
        _ => None,
    }
}

/// Digits; more than fit are as good as the greatest number.
fn position(digits: &str) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// The range a 206 holds, if it says so, in bytes, and says of how many (RFC 9110 §14.4).
pub(crate) fn content_range(headers: &HeaderMap) -> Option<Part> {
    let text = std::str::from_utf8(fields::once(headers, &header::CONTENT_RANGE)?).ok()?;
    let (unit, rest) = text.split_once(' ')?;
    let (range, whole) = rest.trim_matches(' ').split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let part = Part { first: position(first)?, last: position(last)?, whole: position(whole)? };
    (unit.eq_ignore_ascii_case("bytes") && part.first <= part.last && part.last < part.whole).then_some(part)
}

/// Whether a stored response has the bytes a request wants: a whole one always does.
pub(crate) fn covers(asked: &Asked<'_>, entry: &Entry) -> bool {
    let Some(part) = entry.part else { return true };
    match wanted(asked, entry, part.whole) {
        Wanted::Bytes { first, last } => part.first <= first && last <= part.last,
        Wanted::Unsatisfiable => true,
        Wanted::Whole => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_read_and_the_rest_ignored() {
        let bytes = |first, last| Some(Wanted::Bytes { first, last });
        for (range, expected) in [
            ("bytes=0-4", bytes(0, 4)),
            ("Bytes=2-", bytes(2, 9)),
            ("bytes=-3", bytes(7, 9)),
            ("bytes=-30", bytes(0, 9)),
            ("bytes=5-99999999999999999999999", bytes(5, 9)),
            ("bytes= 0-0 ", bytes(0, 0)),
            ("bytes=0-1,", bytes(0, 1)),
            ("bytes=, ,0-1 ,", bytes(0, 1)),
            ("bytes=,", None),
            ("bytes=10-", Some(Wanted::Unsatisfiable)),
            ("bytes=10-20", Some(Wanted::Unsatisfiable)),
            ("bytes=-0", Some(Wanted::Unsatisfiable)),
            ("bytes=4-2", None),
            ("bytes=0-1,3-4", None),
            ("bytes=a-b", None),
            ("bytes=-", None),
            ("bytes", None),
            ("items=0-4", None),
        ] {
            assert_eq!(parse(range.as_bytes(), 10), expected, "{range}");
        }
        assert_eq!(parse(b"bytes=0-", 0), Some(Wanted::Unsatisfiable));
        assert_eq!(parse(b"bytes=-5", 0), None);
    }
}
