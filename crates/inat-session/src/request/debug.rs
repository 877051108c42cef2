//! Printing requests for programmers: whoever logs one must not log a secret.

use std::fmt;

use super::{Body, Request, Upload, UploadSource};
use crate::MASK;
use crate::secret::{is_secret_name, mask_header, mask_json, mask_pairs, mask_unreadable, mask_url};

/// Pairs as `name=value`, those with a secret name masked.
pub(crate) struct Pairs<'a, V>(pub(crate) &'a [(String, V)]);

impl<V: fmt::Debug> fmt::Debug for Pairs<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value): &(String, V)| {
            if is_secret_name(name) { format!("{name}={MASK}") } else { format!("{name}={value:?}") }
        };
        f.debug_list().entries(self.0.iter().map(shown)).finish()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = self.headers.iter().map(|(name, value)| {
            let shown = match (name.parse(), value.parse()) {
                (Ok(name), Ok(value)) => mask_header(&name, &value),
                _ => MASK.to_owned(),
            };
            format!("{name}: {shown}")
        });
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("target", &target(&self.target))
            .field("query", &Pairs(&self.query))
            .field("headers", &fields.collect::<Vec<_>>())
            .field("body", &self.body)
            .field("ids", &self.ids)
            .field("is_of_ids", &self.is_of_ids)
            .field("allow_str_ids", &self.allow_str_ids)
            .field("token", &self.token)
            .field("options", &self.options)
            .finish()
    }
}

/// A path or URL as it may be shown.
fn target(text: &str) -> String {
    if let Ok(url) = url::Url::parse(text) {
        return mask_url(&url);
    }
    let path = mask_unreadable(text);
    match text.split_once('?') {
        Some((_, query)) => format!("{path}?{}", mask_pairs(query)),
        None => path,
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Json(json) => {
                let mut shown = json.clone();
                mask_json(&mut shown);
                write!(f, "Json({shown})")
            }
            Self::Unserialisable(reason) => f.debug_tuple("Unserialisable").field(reason).finish(),
            Self::Form { fields, files } => {
                f.debug_struct("Form").field("fields", &Pairs(fields)).field("files", files).finish()
            }
            Self::Bytes { content_type, bytes } => write!(f, "Bytes({content_type}, {} bytes)", bytes.len()),
        }
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("field", &self.field)
            .field("file_name", &self.file_name)
            .field("source", &self.source)
            .finish()
    }
}

impl fmt::Debug for UploadSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.debug_tuple("Path").field(path).finish(),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Url(url) => f.debug_tuple("Url").field(&target(url)).finish(),
            Self::Unreadable(reason) => f.debug_tuple("Unreadable").field(reason).finish(),
        }
    }
}
