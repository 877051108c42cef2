//! Reading `Retry-After` (RFC 9110 §10.2.3): whole seconds, or an HTTP date. iNaturalist sends both.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;

use crate::Timestamp;
use crate::cache::parse_date;

/// How long the server asks to wait from `now`; `None` when it does not say, or says it so that nobody can read it.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    Some(parse_date(text.as_bytes(), now)?.since(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn seconds_dates_and_nonsense() {
        let now = Timestamp::from_secs(784_111_777);
        let rows = [
            ("2", Some(2)),
            (" 7 ", Some(7)),
            ("0", Some(0)),
            ("99999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sunday, 06-Nov-94 08:49:47 GMT", Some(10)),
            ("Sun Nov  6 08:49:47 1994", Some(10)),
            ("Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ];
        for (text, expected) in rows {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
