//! URL patterns as people write them: `api.inaturalist.org/v*/taxa*`.
//!
//! They have the reach of the reference's: shell wildcards in the manner of Python's `fnmatch` (`*` crosses `/`; `?` and
//! `[a-z]`, `[!a-z]` work), the scheme does not count on either side, and what follows the pattern does not matter. They
//! differ where the reference surprises:
//!
//! - a pattern that is only a host ends where the host ends: `site.com` matches `site.com/a` and `site.com:8080/a`, but not
//!   `site.com.evil/a`;
//! - the host is compared without regard to case;
//! - a user name in a URL is no part of what is matched.

use url::{Position, Url};

/// A compiled URL pattern.
///
/// ```
/// use inat_session::cache::Glob;
///
/// let taxa = Glob::new("api.inaturalist.org/v*/taxa*");
/// assert!(taxa.matches(&"https://api.inaturalist.org/v1/taxa/1".parse().unwrap()));
/// assert!(!taxa.matches(&"https://api.inaturalist.org/v1/places".parse().unwrap()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    text: String,
    tokens: Vec<Token>,
    ending: Ending,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Byte(u8),
    Any,
    Star,
    Class { negated: bool, ranges: Vec<(u8, u8)> },
}

/// What may follow where the pattern ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Anything,
    /// Nothing, a port, a path or a query.
    HostEnd,
    /// Nothing, or the next part of a path or query.
    PartEnd,
}

impl Glob {
    /// Compiles a pattern. Every text is one: an unclosed `[` stands for itself.
    pub fn new(pattern: &str) -> Self {
        let text = pattern.split_once("://").map_or(pattern, |(_, rest)| rest);
        // `/taxa*` names a path on any host.
        let any_host = text.starts_with('/').then(|| format!("*{text}"));
        let text = any_host.as_deref().unwrap_or(text);
        let host_len = text.find('/').unwrap_or(text.len());
        let (host, rest) = text.split_at(host_len);
        let mut tokens = compile(host.to_ascii_lowercase().as_bytes());
        tokens.extend(compile(rest.as_bytes()));
        let ending = if rest.is_empty() { Ending::HostEnd } else { Ending::Anything };
        Self { text: pattern.to_owned(), tokens, ending }
    }

    /// The same pattern for picking entries, as [`Store::list`](crate::store::Store::list) and
    /// [`clear`](crate::store::Store::clear) do: it ends where a part of the URL ends, so that `taxa/1` is not `taxa/10` as well.
    /// With a `*` at its end it matches whatever begins so.
    ///
    /// ```
    /// # use inat_session::cache::Glob;
    /// let one = Glob::of_entries("/v1/taxa/1");
    /// assert!(one.matches(&"https://api.inaturalist.org/v1/taxa/1?locale=de".parse().unwrap()));
    /// assert!(!one.matches(&"https://api.inaturalist.org/v1/taxa/10".parse().unwrap()));
    /// ```
    pub fn of_entries(pattern: &str) -> Self {
        let mut glob = Self::new(pattern);
        let ends_open = pattern.is_empty() || pattern.ends_with(['*', '/', '?', '&']);
        if glob.ending == Ending::Anything && !ends_open {
            glob.ending = Ending::PartEnd;
        }
        glob
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a URL matches.
    pub fn matches(&self, url: &Url) -> bool {
        self.matches_text(&url[Position::BeforeHost..Position::AfterQuery])
    }

    /// Whether a URL without scheme, user information and fragment matches.
    pub(crate) fn matches_text(&self, text: &str) -> bool {
        let text = text.as_bytes();
        let (mut token, mut at) = (0, 0);
        // Where to go on if what follows the last `*` does not fit: one byte further into the text.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            match self.tokens.get(token) {
                None if self.ends_at(text, at) => return true,
                Some(Token::Star) => {
                    token += 1;
                    retry = Some((token, at));
                    continue;
                }
                Some(single) if text.get(at).is_some_and(|&byte| single.is(byte)) => {
                    token += 1;
                    at += 1;
                    continue;
                }
                _ => {}
            }
            match &mut retry {
                Some((after_star, from)) if *from < text.len() => {
                    *from += 1;
                    (token, at) = (*after_star, *from);
                }
                _ => return false,
            }
        }
    }

    fn ends_at(&self, text: &[u8], at: usize) -> bool {
        match (self.ending, text.get(at)) {
            (Ending::Anything, _) | (_, None) => true,
            (Ending::HostEnd, Some(next)) => {
                matches!(next, b'/' | b':' | b'?') || matches!(self.tokens.last(), Some(Token::Star))
            }
            (Ending::PartEnd, Some(next)) => matches!(next, b'/' | b'?' | b'&'),
        }
    }
}

impl Token {
    fn is(&self, byte: u8) -> bool {
        match self {
            Self::Byte(own) => *own == byte,
            Self::Any => true,
            Self::Star => false,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&byte)) != *negated
            }
        }
    }
}

fn compile(pattern: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(pattern.len());
    let mut rest = pattern;
    while let [first, after @ ..] = rest {
        rest = after;
        tokens.push(match first {
            b'*' => {
                while let [b'*', after @ ..] = rest {
                    rest = after;
                }
                Token::Star
            }
            b'?' => Token::Any,
            b'[' => match class(after) {
                Some((class, after)) => {
                    rest = after;
                    class
                }
                None => Token::Byte(b'['),
            },
            byte => Token::Byte(*byte),
        });
    }
    tokens
}

/// What stands after a `[`, up to the `]`. A `]` in first place is a member, as in `fnmatch`.
fn class(pattern: &[u8]) -> Option<(Token, &[u8])> {
    let (negated, members) = match pattern {
        [b'!', rest @ ..] => (true, rest),
        _ => (false, pattern),
    };
    let close = members.iter().skip(1).position(|byte| *byte == b']')? + 1;
    let (members, rest) = (&members[..close], &members[close + 1..]);
    let mut ranges = Vec::new();
    let mut left = members;
    while let [low, after @ ..] = left {
        left = after;
        if let [b'-', high, after @ ..] = left {
            ranges.push((*low, *high));
            left = after;
        } else {
            ranges.push((*low, *low));
        }
    }
    Some((Token::Class { negated, ranges }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_for_entries_ends_where_a_part_ends() {
        let matches = |pattern: &str, url: &str| Glob::of_entries(pattern).matches(&Url::parse(url).unwrap());
        let rows = [
            ("*/taxa/1", "https://h.test/v1/taxa/1", true),
            ("*/taxa/1", "https://h.test/v1/taxa/1?locale=de", true),
            ("*/taxa/1", "https://h.test/v1/taxa/1/history", true),
            ("*/taxa/1", "https://h.test/v1/taxa/10", false),
            ("*/taxa/1*", "https://h.test/v1/taxa/10", true),
            ("*/taxa/", "https://h.test/v1/taxa/10", true),
            ("*/taxa?", "https://h.test/v1/taxa?q=a", true),
            ("*/taxa?q=a&", "https://h.test/v1/taxa?q=a&page=2", true),
            ("https://h.test/v1/taxa?q=a", "https://h.test/v1/taxa?q=ab", false),
            ("https://h.test/v1/taxa?q=a", "https://h.test/v1/taxa?q=a&page=2", true),
            ("h.test", "https://h.test/v1/taxa", true),
            ("h.test", "https://h.testing/v1/taxa", false),
            ("*", "https://h.test/v1/taxa", true),
        ];
        for (pattern, url, expected) in rows {
            assert_eq!(matches(pattern, url), expected, "{pattern} {url}");
        }
    }
}
