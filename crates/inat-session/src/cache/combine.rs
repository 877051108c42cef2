use bytes::Bytes;
use super::{Entry, Part};
/// splice
pub fn splice(_stored: &Entry, _stored_body: &[u8], _part: Part, _received: &[u8]) -> Option<Bytes> { None }
