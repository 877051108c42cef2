//! A request as a command line for `curl`, masked, for bug reports and for trying it by hand.

use http::Method;

use crate::prepare::{Payload, Prepared};
use crate::request::UploadSource;
use crate::secret::{is_secret_name, mask_header, mask_json, mask_pairs, mask_url};

pub(super) fn line(prepared: &Prepared) -> String {
    let mut words = vec!["curl".to_owned()];
    match prepared.method {
        Method::GET => {}
        // Told the method only, curl waits for a body that does not come.
        Method::HEAD => words.push("--head".to_owned()),
        _ => words.extend(["-X".to_owned(), prepared.method.to_string()]),
    }
    words.push(quote(&mask_url(&prepared.url)));
    for (name, value) in &prepared.headers {
        words.extend(["-H".to_owned(), quote(&format!("{name}: {}", mask_header(name, value)))]);
    }
    match &prepared.payload {
        Payload::Empty => {}
        Payload::Bytes(bytes) => words.extend(["--data-raw".to_owned(), quote(&mask_body(bytes))]),
        Payload::Multipart { fields, files } => {
            for (name, value) in fields {
                let value = if is_secret_name(name) { crate::MASK } else { value };
                words.extend(["-F".to_owned(), quote(&format!("{name}={value}"))]);
            }
            for file in files {
                let source = match &file.source {
                    UploadSource::Path(path) => path.display().to_string(),
                    UploadSource::Url(url) => {
                        url::Url::parse(url).map_or_else(|_| "FILE".to_owned(), |url| mask_url(&url))
                    }
                    UploadSource::Bytes(_) | UploadSource::Unreadable(_) => {
                        file.file_name.clone().unwrap_or_else(|| "FILE".to_owned())
                    }
                };
                words.extend(["-F".to_owned(), quote(&format!("{}=@{source}", file.field))]);
            }
        }
    }
    words.join(" ")
}

/// A body as it may be shown: JSON and forms with their secrets masked, anything else by its size.
pub(crate) fn mask_body(bytes: &[u8]) -> String {
    if let Ok(mut json) = serde_json::from_slice::<serde_json::Value>(bytes) {
        mask_json(&mut json);
        return json.to_string();
    }
    match std::str::from_utf8(bytes) {
        Ok(form) if form.contains('=') && !form.contains(['\n', '{']) => mask_pairs(form),
        _ => format!("({} bytes)", bytes.len()),
    }
}

/// Quotes a word for a POSIX shell, when it needs quoting.
fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,@%+=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(quote("https://h.org/a"), "https://h.org/a");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote("a b&c"), "'a b&c'");
        assert_eq!(quote(""), "''");
    }

    #[test]
    fn bodies_lose_their_secrets() {
        assert_eq!(mask_body(b"{\"user\":{\"Password\":\"T0P\"}}"), "{\"user\":{\"Password\":\"[REDACTED]\"}}");
        assert_eq!(mask_body(b"grant_type=password&client_secret=T0P"), "grant_type=password&client_secret=[REDACTED]");
        assert_eq!(mask_body(&[0, 159, 146, 150]), "(4 bytes)");
    }
}
