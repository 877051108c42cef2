//! The URL of an entry: text until somebody looks into it.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use url::Url;

/// The URL an entry answers. A hit has no use for its parts, so what comes from a file is parsed when they are asked for.
///
/// ```
/// use inat_session::cache::StoredUrl;
///
/// let url: StoredUrl = "https://api.inaturalist.org/v1/taxa".parse()?;
/// assert_eq!(url.parsed().map(|url| url.path()), Some("/v1/taxa"));
/// assert_eq!(StoredUrl::from_text("damaged").parsed(), None);
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone)]
pub struct StoredUrl {
    text: Box<str>,
    parsed: OnceLock<Option<Box<Url>>>,
}

impl StoredUrl {
    /// The URL that was stored as this text.
    pub fn from_text(text: &str) -> Self {
        Self { text: text.into(), parsed: OnceLock::new() }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The URL; `None` if the text is none.
    pub fn parsed(&self) -> Option<&Url> {
        self.parsed.get_or_init(|| Url::parse(&self.text).ok().map(Box::new)).as_deref()
    }
}

impl From<Url> for StoredUrl {
    fn from(url: Url) -> Self {
        Self { text: url.as_str().into(), parsed: OnceLock::from(Some(Box::new(url))) }
    }
}

impl FromStr for StoredUrl {
    type Err = url::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Url::parse(text).map(Self::from)
    }
}

impl PartialEq for StoredUrl {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for StoredUrl {}

impl fmt::Display for StoredUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for StoredUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}
