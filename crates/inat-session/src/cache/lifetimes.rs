//! How long an answer is kept, as the user says it: a layer outside the RFC engine.
//!
//! The first of these that speaks decides: the request's own lifetime, the server's headers (unless `cache_control` is off),
//! the user's URL patterns in order, the library's URL patterns, the session's `expire_after`, the fallback of 30 minutes.
//! [`Lifetime::DoNotCache`], whoever says it, counts before the headers: nothing is asked of them then.
//! `no-store` is not a lifetime: what the server forbids to store is never stored, whoever says what.

use std::time::Duration;

use url::{Position, Url};

use super::{Glob, LifetimeSource};
use crate::Timestamp;

/// How long to keep an answer.
///
/// ```
/// use inat_session::Lifetime;
/// use std::time::Duration;
///
/// assert_eq!(Lifetime::from(Duration::from_secs(60)), Lifetime::For(Duration::from_secs(60)));
/// assert_eq!("7d".parse(), Ok(Lifetime::For(Duration::from_secs(7 * 86_400))));
/// ```
#[doc(alias = "expire_after")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// It never expires. The reference's `NEVER_EXPIRE`, `None` and `-1`.
    Never,
    /// It is neither looked up nor stored. The reference's `DO_NOT_CACHE`.
    DoNotCache,
    /// It is stored if it has a validator, and revalidated with the server at every use. The reference's
    /// `EXPIRE_IMMEDIATELY` and `0`.
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

/// URL patterns with a lifetime each; the first that matches decides.
#[doc(alias = "urls_expire_after")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patterns(Vec<(Glob, Lifetime)>);

impl Patterns {
    /// Adds a pattern after those already there.
    pub fn push(&mut self, pattern: &str, lifetime: impl Into<Lifetime>) {
        self.0.push((Glob::new(pattern), lifetime.into()));
    }

    /// The lifetime of the first pattern that matches.
    pub fn find(&self, url: &Url) -> Option<Lifetime> {
        let text = &url[Position::BeforeHost..Position::AfterQuery];
        self.0.iter().find(|(glob, _)| glob.matches_text(text)).map(|(_, lifetime)| *lifetime)
    }

    /// Whether a lookup has to ask the patterns at all.
    fn may_forbid(&self) -> bool {
        self.0.iter().any(|(_, lifetime)| *lifetime == Lifetime::DoNotCache)
    }
}

impl<P: AsRef<str>, L: Into<Lifetime>> FromIterator<(P, L)> for Patterns {
    fn from_iter<I: IntoIterator<Item = (P, L)>>(patterns: I) -> Self {
        let mut all = Self::default();
        for (pattern, lifetime) in patterns {
            all.push(pattern.as_ref(), lifetime);
        }
        all
    }
}

/// Where lifetimes come from, besides the request's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Whether the server's headers count. On by default.
    pub cache_control: bool,
    /// Whether `immutable` means for ever, as it does in the reference, or for as long as `max-age` says (RFC 8246 §2).
    pub immutable_never_expires: bool,
    /// The user's patterns.
    pub patterns: Patterns,
    /// The library's patterns.
    pub builtin: Patterns,
    /// The session's `expire_after`. None by default.
    #[doc(alias = "expire_after")]
    pub session: Option<Lifetime>,
    /// For everything else; 30 minutes by default. `None` leaves it to the heuristics of RFC 9111 §4.2.2.
    pub fallback: Option<Lifetime>,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            cache_control: true,
            immutable_never_expires: true,
            patterns: Patterns::default(),
            builtin: builtin(),
            session: None,
            fallback: Some(Lifetime::For(Duration::from_secs(30 * 60))),
        }
    }
}

/// What is known about iNaturalist: names and places change slowly, photos never.
fn builtin() -> Patterns {
    [
        ("api.inaturalist.org/*autocomplete", Lifetime::For(30 * DAY)),
        ("api.inaturalist.org/v*/controlled_terms*", Lifetime::For(7 * DAY)),
        ("api.inaturalist.org/v*/places*", Lifetime::For(7 * DAY)),
        ("api.inaturalist.org/v*/taxa*", Lifetime::For(7 * DAY)),
        ("inaturalist-open-data.s3.amazonaws.com/photos", Lifetime::Never),
        ("static.inaturalist.org/photos", Lifetime::Never),
        ("www.inaturalist.org/assets/iconic_taxa", Lifetime::Never),
    ]
    .into_iter()
    .collect()
}

impl Lifetimes {
    /// What is said about a URL apart from request and headers, and by whom.
    pub(crate) fn of(&self, url: &Url) -> Option<(Lifetime, LifetimeSource)> {
        let said = |lifetime: Option<Lifetime>, source| lifetime.map(|lifetime| (lifetime, source));
        said(self.patterns.find(url), LifetimeSource::UserPattern)
            .or_else(|| said(self.builtin.find(url), LifetimeSource::BuiltinPattern))
            .or_else(|| said(self.session, LifetimeSource::Session))
            .or_else(|| said(self.fallback, LifetimeSource::Fallback))
    }

    /// Whether nobody has a say but the server's headers.
    pub(crate) fn is_only_http(&self) -> bool {
        let Self { cache_control, immutable_never_expires, patterns, builtin, session, fallback } = self;
        *cache_control
            && !*immutable_never_expires
            && patterns.0.is_empty()
            && builtin.0.is_empty()
            && session.is_none()
            && fallback.is_none()
    }

    /// Whether nothing of this URL may be looked up or stored: the request or else somebody before it said so, or the answers are
    /// credentials, which have no place in a cache file. (The reference keeps `/users/api_token` for a day.)
    pub(crate) fn bypasses(&self, url: &Url, own: Option<Lifetime>) -> bool {
        if url.path().starts_with("/users/api_token") || url.path().starts_with("/oauth/") {
            return true;
        }
        if let Some(own) = own {
            return own == Lifetime::DoNotCache;
        }
        let asks =
            self.session == Some(Lifetime::DoNotCache) || self.patterns.may_forbid() || self.builtin.may_forbid();
        asks && matches!(self.of(url), Some((Lifetime::DoNotCache, _)))
    }
}
