//! Resources asked for by id: the last segment of the path.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::Error;
use crate::request::Id;

/// Everything but the unreserved characters of RFC 3986 §2.3, so that nothing an id holds can end the segment.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Up to here an `f64` holds every whole number exactly (2^53).
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The segment for these ids, or `None` when there are none. Ids that are no positive integers are refused, unless texts are
/// allowed: zero, nothing or a cut-off fraction would name another resource, or the whole collection.
pub(super) fn segment(ids: &[Id], allow_texts: bool) -> Result<Option<String>, Error> {
    let mut parts = Vec::with_capacity(ids.len());
    let mut wrong = Vec::new();
    for id in ids {
        match id {
            Id::Number(number) if *number > 0 => parts.push(number.to_string()),
            Id::Number(number) => wrong.push(number.to_string()),
            Id::Float(number) if number.fract() == 0.0 && *number > 0.0 && *number <= EXACT => {
                parts.push(format!("{number:.0}"));
            }
            Id::Float(number) => wrong.push(number.to_string()),
            Id::Text(text) => {
                for item in text.split(',').map(str::trim) {
                    match if allow_texts { encoded(item) } else { integer(item) } {
                        Some(part) => parts.push(part),
                        None => wrong.push(format!("`{}`", item.chars().take(40).collect::<String>().escape_debug())),
                    }
                }
            }
        }
    }
    if wrong.is_empty() {
        return Ok((!parts.is_empty()).then(|| parts.join(",")));
    }
    let (must, hint) = if allow_texts {
        ("neither be empty nor `.` or `..`", "leave `ids` out to ask for the collection")
    } else {
        ("be whole numbers above zero", "give numbers, or allow UUIDs and slugs with `allow_str_ids`")
    };
    Err(Error::invalid(format!("ids must {must}; not so: {}", wrong.join(", "))).with_hint(hint))
}

fn integer(text: &str) -> Option<String> {
    let number: u64 = text.parse().ok()?;
    (number > 0).then(|| number.to_string())
}

/// `.` and `..` are refused because no encoding keeps them from being steps (the WHATWG takes `%2e` for a dot).
fn encoded(text: &str) -> Option<String> {
    (!matches!(text, "" | "." | "..")).then(|| utf8_percent_encode(text, ENCODED).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<T: Into<Id>>(ids: impl IntoIterator<Item = T>, texts: bool) -> Result<Option<String>, Error> {
        segment(&ids.into_iter().map(Into::into).collect::<Vec<_>>(), texts)
    }

    #[test]
    fn integers_in_any_dress_are_taken() {
        assert_eq!(of(["1,2,3"], false).unwrap().as_deref(), Some("1,2,3"));
        assert_eq!(of([" 1 , 02 ", "3"], false).unwrap().as_deref(), Some("1,2,3"));
        assert_eq!(of([1e5, 2e5], false).unwrap().as_deref(), Some("100000,200000"));
        assert_eq!(of([1, 2, 3], false).unwrap().as_deref(), Some("1,2,3"));
        assert_eq!(of([u64::MAX], false).unwrap().as_deref(), Some("18446744073709551615"));
        assert_eq!(of(Vec::<i64>::new(), false).unwrap(), None);
    }

    #[test]
    fn what_would_name_another_resource_is_refused() {
        for id in ["one", "", " ", "1,,2", "1,", "0", "-1", "1.9", "1e5", "../admin", "99999999999999999999"] {
            assert!(of([id], false).is_err(), "{id}");
        }
        for id in [1.9, 0.0, -1.0, 0.5, f64::NAN, f64::INFINITY, 1e300] {
            assert!(of([id], false).is_err(), "{id}");
        }
        for id in [0, -1, i64::MIN] {
            assert!(of([id], false).is_err(), "{id}");
            assert!(of([id], true).is_err(), "{id}");
        }
        let error = of(["one", "2", "0"], false).unwrap_err().to_string();
        assert!(error.contains("`one`, `0`"), "{error}");
    }

    #[test]
    fn texts_stay_in_their_segment() {
        let table = [
            ("one", "one"),
            ("one,two", "one,two"),
            ("../admin?x=1#f", "..%2Fadmin%3Fx%3D1%23f"),
            ("%2e%2e", "%252e%252e"),
            ("a b", "a%20b"),
            ("É", "%C3%89"),
            ("a\\b", "a%5Cb"),
            ("8a1f6c3e-0000-4000-8000-000000000000", "8a1f6c3e-0000-4000-8000-000000000000"),
        ];
        for (id, expected) in table {
            assert_eq!(of([id], true).unwrap().as_deref(), Some(expected));
        }
        for id in ["", ".", "..", "a,", "a,..,b"] {
            assert!(of([id], true).is_err(), "{id}");
        }
    }
}
