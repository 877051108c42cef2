//! The name an entry is kept under.

/// A hash of method, normalised URL, body and identity. Secrets go in and do not come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub(crate) [u8; 32]);

impl Key {
    /// The first 64 bits, for an integer primary key; the rest is checked in the row.
    pub fn short(&self) -> i64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        i64::from_be_bytes(first)
    }
}
