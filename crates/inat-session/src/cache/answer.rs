use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use super::{Asked, Entry};
use crate::Timestamp;
/// An answer made from a stored one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}
/// answer
pub fn answer(_asked: &Asked<'_>, entry: &Entry, body: &Bytes, _now: Timestamp) -> Answer { Answer { status: entry.status, headers: entry.headers.clone(), body: body.clone() } }
