//! Printing prepared requests for programmers: whoever logs one must not log a secret.

use std::fmt;

use super::{Payload, Prepared};
use crate::request::Pairs;
use crate::secret::{mask_headers, mask_url};

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("method", &self.method)
            .field("url", &mask_url(&self.url))
            .field("headers", &mask_headers(&self.headers))
            .field("payload", &self.payload)
            .field("identity", &self.identity)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Multipart { fields, files } => {
                f.debug_struct("Multipart").field("fields", &Pairs(fields)).field("files", files).finish()
            }
        }
    }
}
