//! `Cache-Control` (RFC 9111 §5.2), read once per message.
//!
//! One rule runs through it: **a malformed permission grants nothing, a malformed prohibition still prohibits.** `max-age=1x`
//! makes a response stale, `no-store=yes` still forbids storing. Of several values of one directive the most restrictive
//! counts (§4.2.1).

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderMap, HeaderName, header};

use super::fields;

/// What stands after the `=` of a directive.
enum Argument<'a> {
    None,
    Value(Cow<'a, [u8]>),
    Malformed,
}

impl Argument<'_> {
    fn seconds(&self) -> Option<Duration> {
        match self {
            Self::Value(digits) => fields::delta_seconds(digits),
            Self::None | Self::Malformed => None,
        }
    }
}

/// All directives of a message with their arguments, names in lower case.
fn each<'a>(headers: &'a HeaderMap, mut take: impl FnMut(&str, Argument<'a>)) {
    for line in headers.get_all(header::CACHE_CONTROL) {
        for member in fields::members(line.as_bytes()) {
            let (name, argument) = match member.iter().position(|byte| *byte == b'=') {
                None => (member, Argument::None),
                Some(equals) => {
                    let value = fields::unquoted(&member[equals + 1..]);
                    (&member[..equals], value.map_or(Argument::Malformed, Argument::Value))
                }
            };
            // White space before the `=` is not allowed either.
            let argument = if name.ends_with(b" ") || name.ends_with(b"\t") { Argument::Malformed } else { argument };
            if let Ok(name) = std::str::from_utf8(name.trim_ascii()) {
                if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
                    take(&name.to_ascii_lowercase(), argument);
                } else {
                    take(name, argument);
                }
            }
        }
    }
}

/// The smaller of what is known and what came.
fn lower(known: &mut Option<Duration>, came: Duration) {
    *known = Some(known.map_or(came, |known| known.min(came)));
}

/// Directives of a response (§5.2.2) that bind a private cache, and those that let it keep what it otherwise might not. `s-maxage`
/// and `proxy-revalidate` speak to shared ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "directives without an argument are there or not")]
pub(crate) struct ResponseDirectives {
    pub(crate) no_store: bool,
    pub(crate) no_cache: NoCache,
    pub(crate) must_revalidate: bool,
    pub(crate) must_understand: bool,
    pub(crate) public: bool,
    pub(crate) private: bool,
    pub(crate) immutable: bool,
    /// Zero if malformed.
    pub(crate) max_age: Option<Duration>,
    pub(crate) stale_while_revalidate: Option<Duration>,
    pub(crate) stale_if_error: Option<Duration>,
}

/// `no-cache` of a response (§5.2.2.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum NoCache {
    /// It does not say so.
    #[default]
    No,
    /// Without these fields it may be reused.
    Fields(Vec<HeaderName>),
    /// Every use needs validation.
    All,
}

impl NoCache {
    fn add(&mut self, argument: &Argument<'_>) {
        let named = match argument {
            Argument::Value(list) => names(list),
            Argument::None | Argument::Malformed => None,
        };
        match (named, &mut *self) {
            (None, _) => *self = Self::All,
            (Some(named), Self::No) => *self = Self::Fields(named),
            (Some(named), Self::Fields(known)) => known.extend(named),
            (Some(_), Self::All) => {}
        }
    }
}

/// Field names in the argument of `no-cache`; `None` where taking the fields out would not do.
fn names(list: &[u8]) -> Option<Vec<HeaderName>> {
    let names: Vec<HeaderName> = fields::members(list).map(HeaderName::from_bytes).collect::<Result<_, _>>().ok()?;
    (!names.is_empty() && !names.iter().any(fields::is_vital)).then_some(names)
}

impl ResponseDirectives {
    /// Whether it must not be stored. `no-store` beside `must-understand` is only meant for caches that do not know the
    /// latter (§5.2.2.3).
    pub(crate) const fn forbids_storing(&self) -> bool {
        self.no_store && !self.must_understand
    }

    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut all = Self::default();
        each(headers, |name, argument| match name {
            "no-store" => all.no_store = true,
            "no-cache" => all.no_cache.add(&argument),
            "must-revalidate" => all.must_revalidate = true,
            "must-understand" => all.must_understand = true,
            "public" => all.public = true,
            "private" => all.private = true,
            "immutable" => all.immutable = true,
            "max-age" => lower(&mut all.max_age, argument.seconds().unwrap_or_default()),
            "stale-while-revalidate" => {
                lower(&mut all.stale_while_revalidate, argument.seconds().unwrap_or_default());
            }
            "stale-if-error" => lower(&mut all.stale_if_error, argument.seconds().unwrap_or_default()),
            _ => {}
        });
        all
    }
}

/// Directives of a request (§5.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestDirectives {
    pub(crate) no_cache: bool,
    pub(crate) no_store: bool,
    pub(crate) only_if_cached: bool,
    /// Zero if malformed.
    pub(crate) max_age: Option<Duration>,
    /// Without limit if it has no argument.
    pub(crate) max_stale: Option<Duration>,
    /// Unreachable if malformed.
    pub(crate) min_fresh: Option<Duration>,
    pub(crate) stale_while_revalidate: Option<Duration>,
    pub(crate) stale_if_error: Option<Duration>,
}

impl RequestDirectives {
    /// What the request says; `Pragma: no-cache` counts where there is no `Cache-Control` (§5.4).
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut all = Self::default();
        if !headers.contains_key(header::CACHE_CONTROL) {
            let pragmas = headers.get_all(header::PRAGMA).iter();
            all.no_cache = pragmas
                .flat_map(|line| fields::members(line.as_bytes()))
                .any(|member| member.eq_ignore_ascii_case(b"no-cache"));
            return all;
        }
        each(headers, |name, argument| match name {
            "no-cache" => all.no_cache = true,
            "no-store" => all.no_store = true,
            "only-if-cached" => all.only_if_cached = true,
            "max-age" => lower(&mut all.max_age, argument.seconds().unwrap_or_default()),
            "max-stale" => match argument {
                Argument::None => lower(&mut all.max_stale, Duration::MAX),
                argument => lower(&mut all.max_stale, argument.seconds().unwrap_or_default()),
            },
            "min-fresh" => {
                let wanted = argument.seconds().unwrap_or(Duration::MAX);
                all.min_fresh = Some(all.min_fresh.map_or(wanted, |known| known.max(wanted)));
            }
            "stale-while-revalidate" => {
                lower(&mut all.stale_while_revalidate, argument.seconds().unwrap_or_default());
            }
            "stale-if-error" => lower(&mut all.stale_if_error, argument.seconds().unwrap_or_default()),
            _ => {}
        });
        all
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::CACHE_CONTROL, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    #[allow(clippy::unnecessary_wraps, reason = "what it is compared with is optional")]
    fn secs(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn max_age_in_every_shape() {
        for (line, expected) in [
            ("max-age=60", secs(60)),
            ("Max-Age=60", secs(60)),
            ("max-age=\"60\"", secs(60)),
            ("max-age=0060", secs(60)),
            ("foo=\"bar, max-age=9\", max-age=60", secs(60)),
            ("max-age=99999999999999999999", secs(1 << 31)),
            ("max-age=100, max-age=0", secs(0)),
            ("max-age=0, max-age=100", secs(0)),
            ("max-age=100, max-age=x", secs(0)),
            ("max-age", secs(0)),
            ("max-age=", secs(0)),
            ("max-age=-1", secs(0)),
            ("max-age=1.5", secs(0)),
            ("max-age='60'", secs(0)),
            ("max-age =60", secs(0)),
            ("max-age= 60", secs(0)),
            ("max-age=60s", secs(0)),
            ("max-age=60;x", secs(0)),
            ("\"max-age=60\"", None),
            ("xmax-age=60", None),
            ("s-maxage=60", None),
        ] {
            assert_eq!(ResponseDirectives::of(&headers(&[line])).max_age, expected, "{line}");
        }
    }

    #[test]
    fn prohibitions_hold_in_every_shape() {
        for line in
            ["no-store", "No-Store", "no-store=1", "no-store =x", "a=\"b, no-store", ",no-store,", "x; y, NO-STORE"]
        {
            assert!(ResponseDirectives::of(&headers(&[line])).no_store, "{line}");
        }
        for line in ["private=\"x, no-store, y\"", "xno-store", "a=no-store"] {
            assert!(!ResponseDirectives::of(&headers(&[line])).no_store, "{line}");
        }
        assert!(ResponseDirectives::of(&headers(&["max-age=1", "no-store"])).no_store);
    }

    #[test]
    fn no_cache_with_fields_that_can_be_taken_out() {
        let no_cache = |line: &str| ResponseDirectives::of(&headers(&[line])).no_cache;
        assert_eq!(
            no_cache("no-cache=\"Set-Cookie, X\""),
            NoCache::Fields(vec![header::SET_COOKIE, HeaderName::from_static("x")])
        );
        assert_eq!(no_cache("no-cache=set-cookie"), NoCache::Fields(vec![header::SET_COOKIE]));
        for line in
            ["no-cache", "no-cache=", "no-cache=\"\"", "no-cache=\"a b\"", "no-cache=\"vary\"", "no-cache=a, no-cache"]
        {
            assert_eq!(no_cache(line), NoCache::All, "{line}");
        }
    }

    #[test]
    fn requests_may_ask_for_less_and_more() {
        let asked = RequestDirectives::of(&headers(&["max-stale, min-fresh=x, max-age=5, max-age=x"]));
        assert_eq!(
            (asked.max_stale, asked.min_fresh, asked.max_age),
            (Some(Duration::MAX), Some(Duration::MAX), secs(0))
        );
        assert_eq!(RequestDirectives::of(&headers(&["max-stale=x"])).max_stale, secs(0));
        let mut pragma = HeaderMap::new();
        pragma.append(header::PRAGMA, HeaderValue::from_static("a, No-Cache"));
        assert!(RequestDirectives::of(&pragma).no_cache);
        pragma.append(header::CACHE_CONTROL, HeaderValue::from_static("max-age=5"));
        assert!(!RequestDirectives::of(&pragma).no_cache);
    }
}
