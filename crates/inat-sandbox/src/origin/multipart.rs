//! `multipart/form-data`, as far as uploads need it.

use bytes::Bytes;

/// One part of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) filename: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) body: Bytes,
}

const PARTS: usize = 100;

/// The parts of a body; `None` where it is not the form its header says it is, or is not complete.
pub(super) fn parse(content_type: &str, body: &Bytes) -> Option<Vec<Part>> {
    let delimiter = format!("--{}", boundary(content_type)?);
    let mut parts = Vec::new();
    let mut at = find(body, delimiter.as_bytes(), 0)? + delimiter.len();
    while parts.len() < PARTS {
        if body.get(at..at + 2) == Some(b"--") {
            return Some(parts);
        }
        let start = find(body, b"\r\n", at)? + 2;
        let head_end = find(body, b"\r\n\r\n", start.checked_sub(2)?)?;
        let content = head_end + 4;
        let end = find(body, format!("\r\n{delimiter}").as_bytes(), content.checked_sub(2)?)?;
        let head = String::from_utf8_lossy(body.get(start..head_end.max(start))?).into_owned();
        parts.push(part(&head, body.slice(content.min(end.max(content))..end.max(content))));
        at = end + 2 + delimiter.len();
    }
    None
}

fn boundary(content_type: &str) -> Option<String> {
    let (kind, rest) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameter(rest, "boundary").filter(|boundary| !boundary.is_empty() && boundary.len() <= 200)
}

fn part(head: &str, body: Bytes) -> Part {
    let header = |wanted: &str| {
        head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
        })
    };
    let disposition = header("content-disposition").unwrap_or_default();
    Part {
        name: parameter(&disposition, "name").unwrap_or_default(),
        filename: parameter(&disposition, "filename"),
        content_type: header("content-type"),
        body,
    }
}

/// A parameter of a header value, quoted or not. Semicolons inside quotes belong to the value.
fn parameter(text: &str, wanted: &str) -> Option<String> {
    let mut quoted = false;
    let pieces = text.split(|letter| {
        quoted ^= letter == '"';
        letter == ';' && !quoted
    });
    for piece in pieces {
        let Some((name, value)) = piece.split_once('=') else { continue };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value.trim().trim_matches('"').replace("%22", "\""));
        }
    }
    None
}

fn find(body: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    body.get(from..)?.windows(wanted.len()).position(|window| window == wanted).map(|place| place + from)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::parse;

    #[test]
    fn a_form() {
        let body = "--xx\r\nContent-Disposition: form-data; name=\"observation_photo[uuid]\"\r\n\r\nabc\r\n\
            --xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a;b.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n\
            \u{1}\r\n--x\r\n\r\n--xx--\r\n";
        let parts = parse("multipart/form-data; boundary=xx", &Bytes::from(body)).expect("parts");
        assert_eq!(parts.len(), 2);
        assert_eq!((parts[0].name.as_str(), &parts[0].body[..]), ("observation_photo[uuid]", &b"abc"[..]));
        assert_eq!(parts[1].filename.as_deref(), Some("a;b.jpg"));
        assert_eq!(parts[1].content_type.as_deref(), Some("image/jpeg"));
        assert_eq!(&parts[1].body[..], b"\x01\r\n--x\r\n");
    }

    #[test]
    fn empty_content_and_cut_bodies() {
        let body = "--xx\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--xx--\r\n";
        let parts = parse("multipart/form-data; boundary=\"xx\"", &Bytes::from(body)).expect("parts");
        assert_eq!((parts[0].name.as_str(), parts[0].body.len()), ("a", 0));
        for length in 0..body.len() - 4 {
            assert_eq!(parse("multipart/form-data; boundary=xx", &Bytes::from(&body[..length])), None, "{length}");
        }
        assert_eq!(parse("text/plain", &Bytes::from(body)), None);
    }

    proptest! {
        #[test]
        fn any_body_is_survived(body in "(--x|\r\n|:|a|;|=|\"|--){0,60}") {
            parse("multipart/form-data; boundary=x", &Bytes::from(body));
        }
    }
}
