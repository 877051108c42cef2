//! Reading header fields (RFC 9110 §5): list members, quoted strings, fields that come once, fields that stay with the
//! connection.

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderMap, HeaderName, header};

use super::dates;
use crate::Timestamp;

/// The greatest number of seconds a field can say (RFC 9111 §1.2.2); more is taken as this much.
const MOST_SECONDS: u64 = 1 << 31;

/// The members of one line of a list field, without the white space around them, empty ones left out.
///
/// A comma inside a quoted string does not end a member. A quote that is never closed, or closes in the middle of a word,
/// quotes nothing: else one stray `"` could hide a `no-store` behind it.
pub(crate) fn members(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    let mut quotes = true;
    std::iter::from_fn(move || {
        loop {
            let line = rest?;
            let end = member_end(line, &mut quotes);
            rest = line.get(end + 1..);
            let member = line[..end].trim_ascii();
            if !member.is_empty() {
                return Some(member);
            }
        }
    })
}

/// Where the first member ends. A quoted string starts at the start of a member or after a `=`.
fn member_end(line: &[u8], quotes: &mut bool) -> usize {
    let (mut at, mut may_open) = (0, true);
    while let Some(byte) = line.get(at) {
        match byte {
            b',' => return at,
            b'"' if may_open && *quotes => match closing_quote(line, at) {
                Some(close) if ends_word(&line[close + 1..]) => at = close,
                Some(_) => may_open = false,
                None => *quotes = false,
            },
            b' ' | b'\t' => {}
            byte => may_open = *byte == b'=',
        }
        at += 1;
    }
    line.len()
}

/// Whether a quoted string may end here: at the end of a value or a parameter.
fn ends_word(rest: &[u8]) -> bool {
    rest.trim_ascii_start().first().is_none_or(|next| matches!(next, b',' | b';'))
}

/// Where the quoted string that opens at `open` closes.
fn closing_quote(line: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        match line.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The content of a token or a quoted string; `None` if it is neither.
pub(crate) fn unquoted(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let [b'"', inner @ ..] = value else {
        return (!value.is_empty() && value.iter().all(|byte| is_token(*byte))).then_some(Cow::Borrowed(value));
    };
    let close = closing_quote(value, 0)?;
    if close != value.len() - 1 {
        return None;
    }
    let inner = &inner[..inner.len() - 1];
    if !inner.contains(&b'\\') {
        return Some(Cow::Borrowed(inner));
    }
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        plain.push(if *byte == b'\\' { *bytes.next()? } else { *byte });
    }
    Some(Cow::Owned(plain))
}

/// A character of a token (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A `delta-seconds` (RFC 9111 §1.2.2): digits only, too many of them saturate.
pub(crate) fn delta_seconds(digits: &[u8]) -> Option<Duration> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = digits.iter().fold(0u64, |sum, digit| (sum * 10 + u64::from(digit - b'0')).min(MOST_SECONDS));
    Some(Duration::from_secs(seconds))
}

/// The value of a field that comes once. Several equal lines are one; several different ones are none.
pub(crate) fn once<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?;
    lines.all(|line| line == first).then(|| first.as_bytes().trim_ascii())
}

/// The date a field holds.
pub(crate) fn date(headers: &HeaderMap, name: &HeaderName, now: Timestamp) -> Option<Timestamp> {
    dates::parse(once(headers, name)?, now)
}

/// The `Age` a response came with (RFC 9111 §5.1): the first member of the list it should not be; nothing if that is odd.
pub(crate) fn age(headers: &HeaderMap) -> Option<Duration> {
    let line = headers.get(header::AGE)?.as_bytes();
    delta_seconds(line.split(|byte| *byte == b',').next()?.trim_ascii())
}

/// Fields of the connection a response came over, not of the response (RFC 9110 §7.6.1, RFC 9111 §3.1).
const CONNECTION_FIELDS: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Fields that `Connection` must not name (RFC 9110 §7.6.1), because caches everywhere depend on them.
const NEVER_OF_THE_CONNECTION: [HeaderName; 9] = [
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::DATE,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::VARY,
];

/// A field that is not stored: it belongs to the connection, or `Connection` says that it does.
pub(crate) fn stays_with_connection(name: &HeaderName, headers: &HeaderMap) -> bool {
    CONNECTION_FIELDS.contains(&name.as_str())
        || (headers.contains_key(header::CONNECTION)
            && !NEVER_OF_THE_CONNECTION.contains(name)
            && headers
                .get_all(header::CONNECTION)
                .iter()
                .flat_map(|line| members(line.as_bytes()))
                .any(|member| member.eq_ignore_ascii_case(name.as_str().as_bytes())))
}

/// Whether caches depend on a field, so that it cannot be taken out of a stored response.
pub(crate) fn is_vital(name: &HeaderName) -> bool {
    NEVER_OF_THE_CONNECTION.contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Vec<&str> {
        members(line.as_bytes()).map(|member| std::str::from_utf8(member).unwrap()).collect()
    }

    #[test]
    fn members_end_at_commas_outside_quotes() {
        assert_eq!(split("a, b=\"c, d\" ,, e"), ["a", "b=\"c, d\"", "e"]);
        assert_eq!(split("a=\"\\\", b\", c"), ["a=\"\\\", b\"", "c"]);
        assert_eq!(split("a= \"b, c\", d"), ["a= \"b, c\"", "d"]);
        assert_eq!(split("a=\"b, no-store"), ["a=\"b", "no-store"]);
        assert_eq!(split("a\", no-store, b=\""), ["a\"", "no-store", "b=\""]);
        assert_eq!(split("a=\", no-store, b=\"0\""), ["a=\"", "no-store", "b=\"0\""]);
        assert_eq!(split(" , "), [""; 0]);
    }

    #[test]
    fn quoted_strings_lose_quotes_and_escapes() {
        assert_eq!(unquoted(b"\"a\\\"b\"").as_deref(), Some(&b"a\"b"[..]));
        assert_eq!(unquoted(b"a").as_deref(), Some(&b"a"[..]));
        assert_eq!(unquoted(b"\"\"").as_deref(), Some(&b""[..]));
        for odd in [&b"\"a"[..], b"\"a\"b", b"a b", b"", b"\"", b"\"a\\\""] {
            assert_eq!(unquoted(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn seconds_are_digits_and_saturate() {
        assert_eq!(delta_seconds(b"0060"), Some(Duration::from_secs(60)));
        assert_eq!(delta_seconds(b"99999999999999999999999999"), Some(Duration::from_secs(1 << 31)));
        for odd in [&b""[..], b"-1", b"+1", b"1.5", b"1e3", b"0x10", b"1 ", b"'1'"] {
            assert_eq!(delta_seconds(odd), None, "{odd:?}");
        }
    }
}
