//! Where a request goes.

use std::cell::RefCell;

use data_encoding::BASE64;
use http::HeaderValue;
use percent_encoding::percent_decode_str;
use url::{ParseError, Position, Url};

use crate::secret::mask_unreadable;
use crate::stage::Stage;
use crate::{Error, Kind};

/// A URL without credentials, and the credentials.
pub(super) struct Resolved {
    pub(super) url: Url,
    /// User and password of the URL, as an `Authorization` field. A URL is logged, stored and passed on; a field is not.
    pub(super) basic: Option<HeaderValue>,
}

/// Resolves a target against the base: an absolute URL stands as it is, anything else is a path below the base, with or
/// without a slash in front. A path that begins with a version (`v2/taxa`) replaces the base's version.
pub(super) fn resolve(target: &str, base: &Url) -> Result<Resolved, Error> {
    let target = target.trim();
    if target.chars().any(char::is_control) {
        return Err(malformed("the URL has control characters in it"));
    }
    let text = match scheme(target) {
        Some((scheme, rest)) => absolute(scheme, rest, target)?,
        None => below(base, target)?,
    };
    let mut url =
        parse(&text).map_err(|error| malformed(format!("`{}` is no URL: {error}", mask_unreadable(target))))?;
    let basic = take_credentials(&mut url)?;
    Ok(Resolved { url, basic })
}

thread_local! {
    /// The last URL with a new origin, without credentials.
    static LAST: RefCell<Option<Url>> = const { RefCell::new(None) };
}

/// Parses a URL. Reading the name of its host is half of the work, and programs ask one host again and again; so where the
/// origin is that of the last one, word for word, only the rest is read.
pub(super) fn parse(text: &str) -> Result<Url, ParseError> {
    LAST.with_borrow_mut(|last| {
        if let Some(last) = last
            && let Some(rest) = text.strip_prefix(&last[..Position::BeforePath])
            && is_plain_path(rest)
        {
            return Url::options().base_url(Some(last)).parse(rest);
        }
        let url = Url::parse(text)?;
        if url.username().is_empty() && url.password().is_none() {
            *last = Some(url.clone());
        }
        Ok(url)
    })
}

/// Whether a reference can only mean a path below the same origin (RFC 3986 §4.2; `\\` is read like `/`).
fn is_plain_path(rest: &str) -> bool {
    let mut bytes = rest.bytes();
    bytes.next() == Some(b'/') && !matches!(bytes.next(), Some(b'/' | b'\\'))
}

/// Makes `segment`, already encoded, the last one of the path.
pub(super) fn append(url: &mut Url, segment: &str) {
    let path = format!("{}/{segment}", url.path().trim_end_matches('/'));
    url.set_path(&path);
}

/// The scheme and what follows its colon (RFC 3986 §3.1). The first segment of a relative path has no colon (§4.2).
fn scheme(target: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = target.split_once(':')?;
    let mut letters = scheme.chars();
    let first = letters.next()?;
    let rest_fits = letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    (first.is_ascii_alphabetic() && rest_fits).then_some((scheme, rest))
}

fn absolute(scheme: &str, rest: &str, target: &str) -> Result<String, Error> {
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        let shown: String = scheme.chars().take(20).collect();
        return Err(malformed(format!("`{shown}:` is neither http nor https")));
    }
    // A lenient parser would make a host of whatever follows `https:`, and send it the token.
    if !rest.starts_with("//") || rest.starts_with("///") {
        return Err(malformed(format!("`{}` has no `//host` after its scheme", mask_unreadable(target))));
    }
    Ok(target.to_owned())
}

/// Built as text, not joined: joining takes `//host` and `\\host` for another host.
fn below(base: &Url, target: &str) -> Result<String, Error> {
    if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
        let error = Error::new(Stage::Prepare, Kind::Config("the base is not an http or https URL".to_owned()));
        return Err(error.with_hint("set a base such as https://api.inaturalist.org/v1/"));
    }
    if target.starts_with("//") {
        return Err(malformed(format!("`{}` may mean a host or a path", mask_unreadable(target))));
    }
    let target = target.strip_prefix('/').unwrap_or(target);
    let first = target.split(['/', '?', '#']).next().unwrap_or_default();
    let mut path = base.path().trim_matches('/');
    if is_version(first) {
        let (parent, last) = path.rsplit_once('/').unwrap_or(("", path));
        if is_version(last) {
            path = parent.trim_end_matches('/');
        }
    }
    let (root, slash) = (&base[..Position::BeforePath], if path.is_empty() { "" } else { "/" });
    Ok(format!("{root}{slash}{path}/{target}"))
}

fn is_version(segment: &str) -> bool {
    segment
        .strip_prefix('v')
        .is_some_and(|number| !number.is_empty() && number.len() <= 3 && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Moves user and password out of the URL (RFC 7617).
fn take_credentials(url: &mut Url) -> Result<Option<HeaderValue>, Error> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let mut credentials = percent_decode_str(url.username()).collect::<Vec<u8>>();
    if credentials.contains(&b':') {
        return Err(malformed("the user name in the URL has a colon in it, which RFC 7617 does not allow"));
    }
    credentials.push(b':');
    credentials.extend(percent_decode_str(url.password().unwrap_or_default()));
    // Neither fails on a URL with a host, and only such a one has credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let value = HeaderValue::try_from(format!("Basic {}", BASE64.encode(&credentials)));
    let mut value = value.map_err(|_| malformed("the credentials in the URL cannot be sent"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn malformed(message: impl Into<String>) -> Error {
    Error::invalid(message)
        .with_hint("give a path such as `observations`, or a whole URL that begins with https:// or http://")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(base: &str, target: &str) -> String {
        resolve(target, &Url::parse(base).unwrap()).unwrap().url.to_string()
    }

    #[test]
    fn paths_start_at_the_base() {
        let table = [
            ("https://api.inaturalist.org/v1/", "observations", "https://api.inaturalist.org/v1/observations"),
            ("https://api.inaturalist.org/v1", "observations", "https://api.inaturalist.org/v1/observations"),
            ("https://api.inaturalist.org/v1", "/taxa/1?a=b#c", "https://api.inaturalist.org/v1/taxa/1?a=b#c"),
            ("https://api.inaturalist.org/v1/", "v2/taxa", "https://api.inaturalist.org/v2/taxa"),
            ("https://api.inaturalist.org/v1/", "/v2/taxa", "https://api.inaturalist.org/v2/taxa"),
            ("https://api.inaturalist.org/v1/", "v1/taxa", "https://api.inaturalist.org/v1/taxa"),
            ("https://api.inaturalist.org/v1/", "v2?x", "https://api.inaturalist.org/v2?x"),
            ("https://api.inaturalist.org/v2/", "v1/taxa", "https://api.inaturalist.org/v1/taxa"),
            ("https://api.inaturalist.org/v1/", "vision/1", "https://api.inaturalist.org/v1/vision/1"),
            ("http://127.0.0.1:8787", "v2/taxa", "http://127.0.0.1:8787/v2/taxa"),
            ("http://127.0.0.1:8787/inat/v1/", "v2/taxa", "http://127.0.0.1:8787/inat/v2/taxa"),
            ("http://127.0.0.1:8787/", "taxa", "http://127.0.0.1:8787/taxa"),
            ("http://h/v1?key=1", "taxa", "http://h/v1/taxa"),
            ("https://api.inaturalist.org/v1/", "", "https://api.inaturalist.org/v1/"),
            (
                "https://api.inaturalist.org/v1/",
                "\\\\evil.example/x",
                "https://api.inaturalist.org/v1///evil.example/x",
            ),
            ("https://api.inaturalist.org/v1/", "a b", "https://api.inaturalist.org/v1/a%20b"),
            ("https://api.inaturalist.org/v1/", "HTTP://H.org:80/x?q=%20#f", "http://h.org/x?q=%20#f"),
            ("https://api.inaturalist.org/v1/", " https://h.org/a\n", "https://h.org/a"),
        ];
        for (base, target, expected) in table {
            assert_eq!(at(base, target), expected, "{target} at {base}");
        }
    }

    #[test]
    fn what_is_no_http_url_is_refused_without_its_secrets() {
        let base = Url::parse("https://api.inaturalist.org/v1/").unwrap();
        for target in [
            "ftp://h/T0P",
            "file:///T0P",
            "javascript:T0P",
            "https:h/?token=T0P",
            "https:///h?token=T0P",
            "https://me:T0P@h:port/x?token=T0P",
            "https://?T0P",
            "//evil.example/?T0P",
            "ob\u{0}servations?T0P",
            "obser\nvations",
            "localhost:8080/x",
        ] {
            let error = resolve(target, &base).err().unwrap_or_else(|| panic!("{target}"));
            assert!(matches!(error.kind(), Kind::Invalid(_)));
            assert!(error.hint().is_some());
            assert!(!format!("{error} {error:?}").contains("T0P"), "{error}");
        }
    }

    proptest! {
        /// The second time the origin is known.
        #[test]
        fn a_known_origin_changes_nothing(
            host in prop::sample::select(vec!["https://api.inaturalist.org", "http://127.0.0.1:8017", "http://[::1]:80", "https://H.org", "https://u:p@h.org"]),
            rest in r"[/\\.?#%:@a-z\[é -]{0,12}",
        ) {
            let text = format!("{host}{rest}");
            parse(host).unwrap();
            prop_assert_eq!(parse(&text), Url::parse(&text));
            prop_assert_eq!(parse(&text), Url::parse(&text));
        }
    }

    #[test]
    fn credentials_leave_the_url() {
        let base = Url::parse("https://api.inaturalist.org/v1/").unwrap();
        let resolved = resolve("https://me%40x:p%20w@h.org/a", &base).unwrap();
        assert_eq!(resolved.url.as_str(), "https://h.org/a");
        let basic = resolved.basic.unwrap();
        assert!(basic.is_sensitive());
        assert_eq!(basic, format!("Basic {}", BASE64.encode(b"me@x:p w")));
        assert!(resolve("https://a%3Ab:c@h.org/", &base).is_err());
    }
}
