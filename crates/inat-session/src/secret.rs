//! Secrets that cannot be printed by accident, and the masking of everything that might hold one.
//!
//! A token is masked by its type. Texts, headers and URLs that come from elsewhere are masked by name, in any letter case;
//! header values are shown only if their name is on an allow-list, so that forgetting one is safe.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;

/// What stands in place of a secret.
pub const MASK: &str = "[REDACTED]";

/// An access token: a JWT from `/users/api_token`, or an OAuth token. Prints as [`MASK`].
///
/// ```
/// let token = inat_session::Token::new("eyJhbGciOi");
/// assert_eq!(format!("{token:?}"), "Token([REDACTED])");
/// ```
#[doc(alias = "access_token")]
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token as the server gave it; a leading `Bearer ` is dropped, and white space around it.
    pub fn new(token: impl AsRef<str>) -> Self {
        let token = token.as_ref().trim();
        let bare = match token.get(..7) {
            Some(scheme) if scheme.eq_ignore_ascii_case("bearer ") => &token[7..],
            _ => token,
        };
        Self(bare.trim().to_owned())
    }

    /// The token in the environment variable `name`, when it is set and not empty.
    pub fn from_env(name: &str) -> Option<Self> {
        std::env::var(name).ok().filter(|value| !value.trim().is_empty()).map(Self::new)
    }

    /// The value of the `Authorization` field, marked sensitive. `None` when the token has characters no header may have.
    pub(crate) fn bearer(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({MASK})")
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Names whose values are secrets, compared without regard to case and to `-` or `_`.
const SECRET_NAMES: [&str; 10] = [
    "apikey",
    "authorization",
    "code",
    "codeverifier",
    "jwt",
    "key",
    "passphrase",
    // What opens a file in somebody's storage (Azure, Amazon).
    "sig",
    "xamzcredential",
    "xgoogcredential",
];
/// What any name with this in it holds, `password_confirmation` for example.
const SECRET_PARTS: [&str; 4] = ["password", "passwd", "secret", "assertion"];
/// What any name that ends so holds, `authenticity_token` for example.
const SECRET_ENDS: [&str; 2] = ["token", "signature"];

/// Header fields whose values may be shown. Everything else is masked.
const SHOWN_HEADERS: [&str; 47] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "access-control-allow-origin",
    "age",
    "allow",
    "cache-control",
    "cache-status",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "location",
    "max-forwards",
    "pragma",
    "prefer",
    "range",
    "referer",
    "retry-after",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "user-agent",
    "vary",
    "via",
    "x-cache",
    "x-http-method-override",
    "x-powered-by",
    "x-via",
];

/// Whether a parameter or field of this name holds a secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).collect();
    // `user[password]` and `oauth.client_secret` are the same secrets one level down.
    let last = plain.rsplit(['[', '.']).next().unwrap_or(&plain).trim_end_matches(']');
    SECRET_NAMES.contains(&last)
        || SECRET_NAMES.contains(&plain.as_str())
        || SECRET_PARTS.iter().any(|part| last.contains(part))
        || SECRET_ENDS.iter().any(|end| last.ends_with(end))
}

/// A URL without its user information and with the values of secret parameters masked, in the query and in the fragment.
pub fn mask_url(url: &Url) -> String {
    let mut shown = url.clone();
    if !shown.username().is_empty() || shown.password().is_some() {
        // Neither can fail on a URL that has a host, and only such a URL has user information.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
    }
    let query = url.query().map(mask_pairs);
    shown.set_query(query.as_deref());
    let fragment = url.fragment().map(mask_pairs);
    shown.set_fragment(fragment.as_deref());
    shown.to_string()
}

/// The beginning of a text that should have been a URL, without its query and without what stands before an `@`: a password,
/// perhaps.
pub(crate) fn mask_unreadable(text: &str) -> String {
    let plain = text.split(['?', '#']).next().unwrap_or_default();
    let (start, rest) = plain.split_once("//").map_or(("", plain), |(scheme, rest)| (scheme, rest));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let slashes = if plain.contains("//") { "//" } else { "" };
    let shown: String = format!("{start}{slashes}{rest}").chars().take(120).collect();
    mask_text(&shown)
}

/// A query with the values of secret parameters masked, everything else as it was.
pub(crate) fn mask_pairs(query: &str) -> String {
    let masked: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if is_secret_name(&percent_encoding::percent_decode_str(name).decode_utf8_lossy()) => {
                format!("{name}={MASK}")
            }
            _ => pair.to_owned(),
        })
        .collect();
    masked.join("&")
}

/// A header value as it may be shown: masked unless its name is known to be harmless. Locations are masked as URLs.
pub(crate) fn mask_header(name: &HeaderName, value: &HeaderValue) -> String {
    if value.is_sensitive() || !SHOWN_HEADERS.contains(&name.as_str()) {
        return MASK.to_owned();
    }
    let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
    match name.as_str() {
        "location" | "content-location" | "referer" => match Url::parse(&text) {
            Ok(url) => mask_url(&url),
            Err(_) => {
                text.split_once('?').map_or(text.clone(), |(path, query)| format!("{path}?{}", mask_pairs(query)))
            }
        },
        _ => text,
    }
}

/// All fields, one `Name: value` a line, masked.
pub(crate) fn mask_headers(headers: &HeaderMap) -> String {
    headers.iter().map(|(name, value)| format!("{name}: {}", mask_header(name, value))).collect::<Vec<_>>().join("\n")
}

/// Masks the values of secret members in place, at any depth.
pub(crate) fn mask_json(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                if is_secret_name(name) && !member.is_null() {
                    *member = Value::String(MASK.to_owned());
                } else {
                    mask_json(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask_json),
        _ => {}
    }
}

/// A text from elsewhere (an error of a library, a server's message) with what looks like a token masked: anything after
/// `Bearer`, and JWTs wherever they stand.
pub(crate) fn mask_text(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut after_bearer = false;
    for (i, word) in text.split(' ').enumerate() {
        if i > 0 {
            shown.push(' ');
        }
        let is_jwt = word.contains("eyJ") && word.matches('.').count() >= 2;
        if is_jwt || (after_bearer && !word.is_empty()) {
            shown.push_str(MASK);
        } else if word.contains('=') && word.contains("://") {
            let trimmed = word.trim_matches(['(', ')', '"', '\'', ',']);
            match Url::parse(trimmed) {
                Ok(url) => shown.push_str(&word.replace(trimmed, &mask_url(&url))),
                Err(_) => shown.push_str(MASK),
            }
        } else {
            shown.push_str(word);
        }
        after_bearer = word.to_ascii_lowercase().ends_with("bearer");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_secret_in_any_case_and_depth() {
        for name in
            ["Access_Token", "access-token", "PASSWORD", "user[password]", "oauth.client_secret", "Authorization"]
        {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "user[password_confirmation]",
            "current_password",
            "authenticity_token",
            "auth_token",
            "client_assertion",
            "subject_token",
            "oauth_signature",
            "X-Amz-Signature",
            "X-Amz-Security-Token",
            "X-Amz-Credential",
            "sig",
            "jwt",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["q", "taxon_id", "code_name", "place_id", "tokens", "token_type", "design", "signature_species"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn urls_lose_user_information_and_secret_values_only() {
        let url = Url::parse("https://me:pw@h.org/a?q=x&Access_Token=T0P&b=#token=T0P").unwrap();
        let shown = mask_url(&url);
        assert_eq!(shown, "https://h.org/a?q=x&Access_Token=[REDACTED]&b=#token=[REDACTED]");
    }

    #[test]
    fn what_is_no_url_loses_what_may_be_a_password() {
        for (text, shown) in [
            ("http://u:pw@[bad/", "http://[bad/"),
            ("u:pw@host", "host"),
            ("http://u:p@w@[bad/", "http://[bad/"),
            ("http://[bad/?access_token=T0P", "http://[bad/"),
            ("@://x", "@://x"),
        ] {
            assert_eq!(mask_unreadable(text), shown);
        }
    }

    #[test]
    fn headers_are_shown_by_allow_list() {
        let show = |name: &'static str, value: &'static str| {
            mask_header(&HeaderName::from_static(name), &HeaderValue::from_static(value))
        };
        assert_eq!(show("etag", "W/\"1\""), "W/\"1\"");
        assert_eq!(show("authorization", "Bearer T0P"), MASK);
        assert_eq!(show("x-brand-new", "T0P"), MASK);
        assert_eq!(show("location", "/x?token=T0P&a=1"), "/x?token=[REDACTED]&a=1");
    }

    #[test]
    fn texts_lose_bearers_and_tokens() {
        assert_eq!(mask_text("sent Bearer T0P to it"), "sent Bearer [REDACTED] to it");
        assert_eq!(mask_text("bad eyJhbGci.eyJ1c2Vy.c2ln here"), "bad [REDACTED] here");
        assert_eq!(mask_text("for url (https://h.org/?jwt=T0P)"), "for url (https://h.org/?jwt=[REDACTED])");
    }
}
