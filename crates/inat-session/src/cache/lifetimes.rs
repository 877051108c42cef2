//! How long an answer is kept, as the user says it: a layer outside the RFC engine.

use std::time::Duration;

use crate::Timestamp;

/// How long to keep an answer.
///
/// ```
/// use inat_session::Lifetime;
/// use std::time::Duration;
///
/// assert_eq!(Lifetime::from(Duration::from_secs(60)), Lifetime::For(Duration::from_secs(60)));
/// ```
#[doc(alias = "expire_after")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// It never expires. The reference's `NEVER_EXPIRE`, `None` and `-1`.
    Never,
    /// It is neither looked up nor stored. The reference's `DO_NOT_CACHE`.
    DoNotCache,
    /// It is stored, and revalidated with the server at every use. The reference's `EXPIRE_IMMEDIATELY` and `0`.
    Immediately,
    /// It is fresh for this long.
    For(Duration),
    /// It is fresh until then.
    Until(Timestamp),
}

impl From<Duration> for Lifetime {
    fn from(duration: Duration) -> Self {
        if duration.is_zero() { Self::Immediately } else { Self::For(duration) }
    }
}

impl From<Timestamp> for Lifetime {
    fn from(at: Timestamp) -> Self {
        Self::Until(at)
    }
}
