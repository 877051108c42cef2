//! The name an entry is kept under.
use http::{HeaderMap, Method};
use url::Url;
use super::{Asked, Identity, Rules};

/// A hash of method, normalised URL, body and identity. Secrets go in and do not come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub(crate) [u8; 32]);

impl Key {
    /// of
    pub fn of(_asked: &Asked<'_>, _body: &[u8], _identity: &Identity, _rules: &Rules) -> Self { Self([0; 32]) }
    /// The first 64 bits, for an integer primary key; the rest is checked in the row.
    pub fn short(&self) -> i64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        i64::from_be_bytes(first)
    }
}
/// resource_of
pub fn resource_of(url: &Url) -> String { url.to_string() }
/// effective
pub fn effective_method(method: &Method, _headers: &HeaderMap) -> Method { method.clone() }
