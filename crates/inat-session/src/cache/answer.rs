//! Making an answer from a stored response: `Age`, and 304, 206 or 416 where the caller's own fields ask for it.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

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

/// Answers a request from a stored response, in the order of RFC 9110 §13.2.2: the caller's conditions, then its range. Takes
/// the fields out of an entry that nobody else holds, and copies them else.
pub fn answer(asked: &Asked<'_>, entry: Arc<Entry>, body: Bytes, now: Timestamp) -> Answer {
    let selected = select(asked, &entry, &body, now);
    let (status, age) = (entry.status, entry.policy.age(now));
    let mut headers = match Arc::try_unwrap(entry) {
        Ok(own) => own.headers,
        Err(shared) => shared.headers.clone(),
    };
    // RFC 9111 §5.1: whole seconds; §4: always generated when it comes from a cache.
    headers.insert(header::AGE, HeaderValue::from(age.as_secs()));
    match selected {
        Selected::NotModified => not_modified(headers),
        Selected::NoBody => Answer { status, headers, body: Bytes::new() },
        Selected::Unsatisfiable { whole } => unsatisfiable(headers, whole),
        Selected::Part { slice, first, last, whole } => partial(headers, slice, first, last, whole),
        Selected::Whole => Answer { status, headers: with_length(headers, body.len()), body },
    }
}

/// What the caller's own fields make of a stored response.
enum Selected {
    /// All of it.
    Whole,
    /// Its fields only.
    NoBody,
    /// The caller has it.
    NotModified,
    /// These bytes of it, from `first` to `last`.
    Part { slice: Bytes, first: u64, last: u64, whole: u64 },
    /// Bytes that it does not have.
    Unsatisfiable { whole: u64 },
}

fn select(asked: &Asked<'_>, entry: &Entry, body: &Bytes, now: Timestamp) -> Selected {
    let conditional = is_selecting(asked) && matches!(entry.status, StatusCode::OK | StatusCode::PARTIAL_CONTENT);
    if conditional && conditions::caller_has(asked, entry, now) {
        return Selected::NotModified;
    }
    if *asked.method == Method::HEAD {
        return Selected::NoBody;
    }
    if !conditional {
        return Selected::Whole;
    }
    let whole = entry.part.map_or(body.len() as u64, |part| part.whole);
    match range::wanted(asked, entry, whole) {
        Wanted::Whole => Selected::Whole,
        Wanted::Unsatisfiable => Selected::Unsatisfiable { whole },
        Wanted::Bytes { first, last } => match slice(entry, body, first, last) {
            Some(slice) => Selected::Part { slice, first, last, whole },
            None => Selected::Whole,
        },
    }
}

/// What is handed over counts, not what a field said when it was stored.
fn with_length(mut headers: HeaderMap, len: usize) -> HeaderMap {
    let said = headers.get(header::CONTENT_LENGTH).map(HeaderValue::as_bytes);
    if said.is_some_and(|said| !is_number(said, len)) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(len));
    }
    headers
}

/// Whether a text is this number in digits, as it is nearly always: to make it anew costs an allocation.
fn is_number(text: &[u8], number: usize) -> bool {
    text.iter().all(u8::is_ascii_digit) && std::str::from_utf8(text).is_ok_and(|text| text.parse() == Ok(number))
}

/// Conditions and ranges only select what a `GET` or `HEAD` gets. Most have none: a few names are compared faster than all
/// those fields are looked up.
fn is_selecting(asked: &Asked<'_>) -> bool {
    let selects =
        |name: &HeaderName| matches!(*name, header::IF_NONE_MATCH | header::IF_MODIFIED_SINCE | header::RANGE);
    matches!(*asked.method, Method::GET | Method::HEAD) && asked.headers.keys().any(selects)
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
    // Neither what describes the body that is not there, nor what says how long it is good: a cache further on would keep this
    // answer for so long.
    for name in [
        header::CONTENT_ENCODING,
        header::CONTENT_LANGUAGE,
        header::CONTENT_TYPE,
        header::CACHE_CONTROL,
        header::EXPIRES,
        header::ETAG,
        header::LAST_MODIFIED,
        header::SET_COOKIE,
    ] {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_compared_as_a_number() {
        for (text, number) in [("0", 0), ("7", 7), ("1978", 1978), ("0012", 12), ("18446744073709551615", usize::MAX)] {
            assert!(is_number(text.as_bytes(), number), "{text}");
        }
        for (text, number) in [("", 0), ("1", 0), ("10", 0), ("8", 18), ("18", 8), ("+8", 8), ("8 ", 8), ("8, 8", 8)] {
            assert!(!is_number(text.as_bytes(), number), "{text}");
        }
    }
}
