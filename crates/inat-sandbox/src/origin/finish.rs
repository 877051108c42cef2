//! What Express and its middleware add to every reply: date, CORS, weak `ETag`, `Vary`, 304, gzip.

use std::{
    io::{Read, Write},
    time::SystemTime,
};

use bytes::Bytes;
use data_encoding::BASE64_NOPAD;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use crate::{Answer, Seen};

/// Smaller bodies are not worth compressing (the default of the `compression` middleware).
const COMPRESS_FROM: usize = 1_024;

pub(crate) fn finish(seen: &Seen, mut answer: Answer, now: SystemTime) -> Answer {
    answer.set("Date", httpdate::fmt_http_date(now));
    answer.set("Access-Control-Allow-Origin", "*");
    if json(&answer) {
        answer.set("X-Powered-By", "Express");
        answer.set("Vary", "Accept-Encoding");
        if answer.get("etag").is_none() {
            answer.set("ETag", weak_etag(&answer.body));
        }
    }
    let answer = not_modified(seen, answer);
    compressed(seen, answer)
}

fn json(answer: &Answer) -> bool {
    answer.get("content-type").is_some_and(|kind| kind.starts_with("application/json"))
}

/// Express's form: length in hex, then 27 characters of Base64. The digest is not SHA-1 here, which nobody can tell from outside.
pub(super) fn weak_etag(body: &[u8]) -> String {
    let digest = blake3::hash(body);
    let digest = BASE64_NOPAD.encode(digest.as_bytes().get(..20).unwrap_or_default());
    format!("W/\"{:x}-{digest}\"", body.len())
}

/// A 304 where the client has the reply already, by the rules of Express's `fresh`: a request with `no-cache` always gets the whole body,
/// `no-store` replies are revalidated like any other, `If-None-Match` goes before `If-Modified-Since`.
pub(crate) fn not_modified(seen: &Seen, mut answer: Answer) -> Answer {
    if answer.status != 200 || !matches!(seen.method.as_str(), "GET" | "HEAD") || asks_no_cache(seen) {
        return answer;
    }
    let known = match (seen.header("if-none-match"), seen.header("if-modified-since")) {
        (Some(tags), _) => answer.get("etag").is_some_and(|etag| matches_any(tags, etag)),
        (None, Some(since)) => answer.get("last-modified").is_some_and(|changed| not_after(changed, since)),
        (None, None) => false,
    };
    if known {
        answer.status = 304;
        answer.body = Bytes::new();
        for name in ["content-type", "content-length", "transfer-encoding", "content-encoding"] {
            answer.remove(name);
        }
    }
    answer
}

fn asks_no_cache(seen: &Seen) -> bool {
    let control = seen.header("cache-control").unwrap_or_default();
    control.split(',').any(|directive| directive.trim().eq_ignore_ascii_case("no-cache"))
}

/// Weak comparison, RFC 9110 §8.8.3.2.
fn matches_any(tags: &str, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    tags.split(',').any(|tag| tag.trim() == "*" || opaque(tag) == opaque(etag))
}

fn not_after(changed: &str, since: &str) -> bool {
    match (httpdate::parse_http_date(changed), httpdate::parse_http_date(since)) {
        (Ok(changed), Ok(since)) => changed <= since,
        _ => false,
    }
}

fn compressed(seen: &Seen, mut answer: Answer) -> Answer {
    let worth_it = json(&answer) && answer.body.len() >= COMPRESS_FROM;
    if worth_it && seen.method != "HEAD" && accepts_gzip(seen.header("accept-encoding")) {
        answer.body = gzip(&answer.body);
        answer.set("Content-Encoding", "gzip");
        answer.set("Transfer-Encoding", "chunked");
    }
    answer
}

pub(crate) fn accepts_gzip(header: Option<&str>) -> bool {
    header.unwrap_or_default().split(',').any(|item| {
        let (name, weight) = item.split_once(';').unwrap_or((item, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.trim().parse() == Ok(0.0));
        !refused && (name.trim().eq_ignore_ascii_case("gzip") || name.trim() == "*")
    })
}

pub(crate) fn gzip(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail; were it to, the client would see a cut body, which is our trade.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default().into()
}

/// `None` where it is no gzip.
pub(crate) fn gunzip(body: &[u8]) -> Option<Bytes> {
    let mut out = Vec::new();
    GzDecoder::new(body).read_to_end(&mut out).ok()?;
    Some(out.into())
}

#[cfg(test)]
mod tests {
    use super::{accepts_gzip, matches_any, weak_etag};

    #[test]
    fn etags_have_the_form_of_express() {
        let etag = weak_etag(b"{\"results\":[]}");
        assert!(etag.starts_with("W/\"e-") && etag.len() == "W/\"e-\"".len() + 27, "{etag}");
        assert!(matches_any(&format!("\"other\", {etag}"), &etag));
        assert!(matches_any(etag.trim_start_matches("W/"), &etag));
        assert!(matches_any("*", &etag));
        assert!(!matches_any("W/\"e-0\"", &etag));
    }

    #[test]
    fn gzip_is_accepted() {
        for (header, expected) in [
            (None, false),
            (Some("gzip"), true),
            (Some("br, gzip;q=0.5"), true),
            (Some("gzip;q=0"), false),
            (Some("gzip; q=0.0"), false),
            (Some("*"), true),
            (Some("identity"), false),
        ] {
            assert_eq!(accepts_gzip(header), expected, "{header:?}");
        }
    }
}
