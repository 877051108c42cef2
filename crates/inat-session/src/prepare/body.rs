//! What goes out as the body. JSON goes as it is: the API takes `true`, `""` and `null` and means something by each.

use bytes::Bytes;
use http::HeaderValue;
use url::form_urlencoded;

use super::{Payload, upload};
use crate::{Body, Error};

/// A body and its type.
pub(super) struct Encoded {
    pub(super) payload: Payload,
    pub(super) content_type: ContentType,
}

/// What `Content-Type` says.
pub(super) enum ContentType {
    /// Nothing.
    Absent,
    /// This, unless the caller says otherwise.
    Is(HeaderValue),
    /// `multipart/form-data`, with a boundary that is made when the files are read.
    Multipart,
}

pub(super) fn encode(body: &Body) -> Result<Encoded, Error> {
    let encoded = match body {
        Body::Empty => Encoded { payload: Payload::Empty, content_type: ContentType::Absent },
        Body::Json(value) => match serde_json::to_vec(value) {
            Ok(json) => bytes(json.into(), HeaderValue::from_static("application/json")),
            Err(error) => return Err(unserialisable(&error.to_string())),
        },
        Body::Unserialisable(reason) => return Err(unserialisable(reason)),
        Body::Form { fields, files } if files.is_empty() => {
            let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            bytes(form.into(), HeaderValue::from_static("application/x-www-form-urlencoded"))
        }
        Body::Form { fields, files } => {
            files.iter().try_for_each(upload::check)?;
            let payload = Payload::Multipart { fields: fields.clone(), files: files.clone() };
            Encoded { payload, content_type: ContentType::Multipart }
        }
        Body::Bytes { content_type, bytes: body } if content_type.trim().is_empty() => {
            Encoded { payload: Payload::Bytes(body.clone()), content_type: ContentType::Absent }
        }
        Body::Bytes { content_type, bytes: body } => {
            let value = HeaderValue::try_from(content_type.trim()).ok().filter(|value| value.to_str().is_ok());
            let value = value.ok_or_else(|| {
                Error::invalid("the content type has characters that no header field may have")
                    .with_hint("name a type such as application/json")
            })?;
            bytes(body.clone(), value)
        }
    };
    Ok(encoded)
}

fn bytes(bytes: Bytes, content_type: HeaderValue) -> Encoded {
    Encoded { payload: Payload::Bytes(bytes), content_type: ContentType::Is(content_type) }
}

fn unserialisable(reason: &str) -> Error {
    Error::invalid(format!("the body cannot be written as JSON: {reason}"))
        .with_hint("JSON has names that are texts, and finite numbers only")
}
