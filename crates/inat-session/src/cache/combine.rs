//! Putting parts of one representation together (RFC 9111 §3.4): only where a strong validator says that they are of one.

use std::time::Duration;

use bytes::Bytes;
use http::header::LAST_MODIFIED;

use super::conditions::Tag;
use super::{Entry, Part, Received, fields, look};
use crate::Timestamp;

/// The body of a stored response together with a range that arrived, in the order of the bytes. `None` when the lengths do
/// not fit: then it is not stored.
///
/// `stored` is the entry as it was before [`super::Keep::Combine`], `part` the range that arrived.
pub fn splice(stored: &Entry, stored_body: &Bytes, part: Part, received: &Bytes) -> Option<Bytes> {
    let whole = Part { first: 0, last: part.whole.checked_sub(1)?, whole: part.whole };
    let held = stored.part.unwrap_or(whole);
    if stored_body.len() as u64 != held.size()? || received.len() as u64 != part.size()? {
        return None;
    }
    let joined = join(held, part)?;
    if joined == held {
        return Some(stored_body.clone());
    }
    let mut body = Vec::with_capacity(usize::try_from(joined.size()?).ok()?);
    let (front, front_part, back, back_part) = if held.first <= part.first {
        (stored_body, held, received, part)
    } else {
        (received, part, stored_body, held)
    };
    body.extend_from_slice(front);
    let overlap = usize::try_from((front_part.last + 1).checked_sub(back_part.first)?).ok()?;
    body.extend_from_slice(back.get(overlap..).unwrap_or_default());
    Some(body.into())
}

/// The range two ranges make together, if they touch.
pub(crate) fn join(one: Part, other: Part) -> Option<Part> {
    let touch = one.first <= other.last.saturating_add(1) && other.first <= one.last.saturating_add(1);
    (touch && one.whole == other.whole).then(|| Part {
        first: one.first.min(other.first),
        last: one.last.max(other.last),
        whole: one.whole,
    })
}

/// Whether two responses are of one representation, byte by byte: by equal strong tags, or where neither has a tag, by equal
/// dates that are strong validators.
pub(crate) fn same_bytes(one: &Entry, other: &Entry) -> bool {
    match (Tag::in_response(&one.headers), Tag::in_response(&other.headers)) {
        (Some(one), Some(other)) => one.matches_strongly(other),
        (None, None) => strong_date(one).is_some_and(|date| strong_date(other) == Some(date)),
        _ => false,
    }
}

/// When a representation was last modified, if that is long enough before the response was made to leave no room for another
/// change within the same second, or for two clocks (RFC 9110 §8.8.2.2).
fn strong_date(entry: &Entry) -> Option<Timestamp> {
    let modified = fields::date(&entry.headers, &LAST_MODIFIED, entry.policy.response_time)?;
    (look::date_of(entry).since(modified) >= Duration::from_secs(60)).then_some(modified)
}

/// Whether a part that arrived is not stored, but says that a stored response of the same resource is of another representation
/// than the one there is now.
pub(crate) fn is_outdated_by(stored: &Entry, received: &Received<'_>) -> bool {
    let tags = Tag::in_response(&stored.headers).zip(Tag::in_response(received.headers));
    tags.is_some_and(|(stored, now)| !stored.weak && !now.weak && !stored.matches_strongly(now))
}

/// Whether two responses say that they are of different representations.
pub(crate) fn other_bytes(one: &Entry, other: &Entry) -> bool {
    if let (Some(one), Some(other)) = (Tag::in_response(&one.headers), Tag::in_response(&other.headers)) {
        return !one.matches_weakly(other);
    }
    let modified = |entry: &Entry| fields::date(&entry.headers, &LAST_MODIFIED, entry.policy.response_time);
    modified(one).zip(modified(other)).is_some_and(|(one, other)| one != other)
}
