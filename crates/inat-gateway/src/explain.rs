//! What hyper answers by itself to what it cannot read is a status and nothing else. The client is told why, in the shape of
//! all refusals.

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body::Body as _;

use crate::refusal::Refusal;

/// An answer in place of `written`, where that is one of hyper's own. `heard` is the request as far as it came.
pub(crate) fn instead_of(written: &[u8], heard: &[u8]) -> Option<Bytes> {
    let status = bare(written)?;
    let message = match status {
        StatusCode::URI_TOO_LONG => "the URL is too long",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            "the request line and its fields are too large, or too many (100 fields at most)"
        }
        _ => "the request cannot be read as HTTP",
    };
    Some(text(&Refusal::new(status, message).closing(), path(heard)))
}

/// The status of an answer that says nothing. The gateway's own always have a date.
fn bare(written: &[u8]) -> Option<StatusCode> {
    let rest = written.strip_prefix(b"HTTP/1.1 ").filter(|rest| rest.len() < 200 && rest.ends_with(b"\r\n\r\n"))?;
    let head = std::str::from_utf8(rest).ok()?.to_ascii_lowercase();
    let is_bare = head.contains("\r\ncontent-length: 0\r\n") && !head.contains("\r\ndate:");
    let status = StatusCode::from_bytes(rest.get(..3)?).ok()?;
    (is_bare && status.is_client_error()).then_some(status)
}

/// The path, if it came so far.
fn path(heard: &[u8]) -> &str {
    let target = heard.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    std::str::from_utf8(&target[..target.len().min(8)]).unwrap_or_default()
}

fn text(refusal: &Refusal, path: &str) -> Bytes {
    let (method, reason) = (Method::GET, refusal.status.canonical_reason().unwrap_or_default());
    let body = refusal.body(path);
    let answer = refusal.answer(&method, path);
    debug_assert_eq!(answer.body().size_hint().exact(), Some(body.len() as u64));
    let mut text = format!("HTTP/1.1 {} {reason}\r\n", refusal.status.as_u16()).into_bytes();
    for (name, value) in answer.headers() {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(body.as_bytes());
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_nothing_is_explained() {
        let bare = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let said = instead_of(bare, b"GET /v2/taxa HTTP/1.1\r\nX: yyy").unwrap();
        let said = std::str::from_utf8(&said).unwrap();
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"));
        assert!(
            head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())) && head.contains("connection: close")
        );
        assert!(body.contains(r#""errorCode":"431""#), "{body}");
        for other in [
            &b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\ndate: Mon, 23 Nov 2026 04:16:42 GMT\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 431",
            b"HTTP/1.1 4\r\ncontent-length: 0\r\n\r\n",
            b"",
        ] {
            assert_eq!(instead_of(other, b""), None);
        }
    }

    #[test]
    fn the_path_is_what_came_of_it() {
        for (heard, expected) in [(&b"GET /v2/x HTTP"[..], "/v2/x"), (b"GET /v", "/v"), (b"\x16\x03", ""), (b"", "")] {
            assert_eq!(path(heard), expected);
        }
    }
}
