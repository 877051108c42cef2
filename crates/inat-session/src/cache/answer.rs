//! Making an answer from a stored response: `Age`, and 304, 206 or 416 where the caller's own fields ask for it.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::range::{self, Wanted};
use super::{Asked, Entry, conditions};
use crate::Timestamp;

/// An answer made from a stored one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub headers: HeaderMap,
    /// Its body: shared with the stored one, not copied.
    pub body: Bytes,
}

/// Answers a request from a stored response, in the order of RFC 9110 §13.2.2: the caller's conditions, then its range.
pub fn answer(asked: &Asked<'_>, entry: &Entry, body: &Bytes, now: Timestamp) -> Answer {
    let mut headers = entry.headers.clone();
    // RFC 9111 §5.1: whole seconds; §4: always generated when it comes from a cache.
    headers.insert(header::AGE, HeaderValue::from(entry.policy.age(now).as_secs()));
    let conditional = is_selecting(asked) && matches!(entry.status, StatusCode::OK | StatusCode::PARTIAL_CONTENT);
    if conditional && conditions::caller_has(asked, entry, now) {
        return not_modified(headers);
    }
    if *asked.method == Method::HEAD {
        return Answer { status: entry.status, headers, body: Bytes::new() };
    }
    if conditional {
        let whole = entry.part.map_or(body.len() as u64, |part| part.whole);
        match range::wanted(asked, entry, whole) {
            Wanted::Whole => {}
            Wanted::Unsatisfiable => return unsatisfiable(headers, whole),
            Wanted::Bytes { first, last } => {
                if let Some(slice) = slice(entry, body, first, last) {
                    return partial(headers, slice, first, last, whole);
                }
            }
        }
    }
    // What is handed over counts, not what a field said when it was stored.
    if headers.contains_key(header::CONTENT_LENGTH) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    Answer { status: entry.status, headers, body: body.clone() }
}

/// Conditions and ranges only select what a `GET` or `HEAD` gets.
fn is_selecting(asked: &Asked<'_>) -> bool {
    matches!(*asked.method, Method::GET | Method::HEAD)
}

/// RFC 9110 §15.4.5: no metadata of a body that is not there, except what guides the caller's own cache.
fn not_modified(mut headers: HeaderMap) -> Answer {
    for name in [
        header::CONTENT_ENCODING,
        header::CONTENT_LANGUAGE,
        header::CONTENT_LENGTH,
        header::CONTENT_RANGE,
        header::CONTENT_TYPE,
    ] {
        headers.remove(name);
    }
    if headers.contains_key(header::ETAG) {
        headers.remove(header::LAST_MODIFIED);
    }
    Answer { status: StatusCode::NOT_MODIFIED, headers, body: Bytes::new() }
}

/// RFC 9110 §15.5.17.
fn unsatisfiable(mut headers: HeaderMap, whole: u64) -> Answer {
    for name in [header::CONTENT_ENCODING, header::CONTENT_LANGUAGE, header::CONTENT_TYPE] {
        headers.remove(name);
    }
    set(&mut headers, header::CONTENT_RANGE, &format!("bytes */{whole}"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    Answer { status: StatusCode::RANGE_NOT_SATISFIABLE, headers, body: Bytes::new() }
}

/// RFC 9110 §15.3.7.1.
fn partial(mut headers: HeaderMap, slice: Bytes, first: u64, last: u64, whole: u64) -> Answer {
    set(&mut headers, header::CONTENT_RANGE, &format!("bytes {first}-{last}/{whole}"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(slice.len()));
    Answer { status: StatusCode::PARTIAL_CONTENT, headers, body: slice }
}

/// The bytes from `first` to `last` of the representation, if the stored body has them.
fn slice(entry: &Entry, body: &Bytes, first: u64, last: u64) -> Option<Bytes> {
    let offset = entry.part.map_or(0, |part| part.first);
    let from = usize::try_from(first.checked_sub(offset)?).ok()?;
    let to = usize::try_from(last.checked_sub(offset)?).ok()?.checked_add(1)?;
    (from < to && to <= body.len()).then(|| body.slice(from..to))
}

fn set(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
