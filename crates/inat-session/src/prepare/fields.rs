//! The header fields that go out, and the credentials among them.
//!
//! `Authorization` comes from the first of these that there is: the caller's own field, the request's token, user and
//! password of the URL, the session's field, the session's token. An own field that is empty asks anonymously.

use http::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::body::ContentType;
use super::{Defaults, hosts};
use crate::{Error, Request, Token};

/// All fields of a request but those of the connection, which the transport writes (RFC 9110 §7.6.1, RFC 9112 §6).
pub(super) fn assemble(
    request: &Request,
    defaults: &Defaults,
    url: &Url,
    basic: Option<HeaderValue>,
    content_type: &ContentType,
) -> Result<HeaderMap, Error> {
    let (shared, wrong) = defaults.fields.get_or_init(|| shared(defaults));
    let mut problems = wrong.clone();
    let own = parsed(request.headers.iter().map(pair), &mut problems);
    if !problems.is_empty() {
        let error = Error::invalid(problems.join("; "));
        return Err(error.with_hint(
            "a name is one word of letters, digits and hyphens; a value is printable ASCII: write other characters \
             percent-encoded",
        ));
    }

    let trusted = hosts::may_carry_token(url, &defaults.base);
    let mut headers = shared.clone();
    if !trusted {
        headers.remove(AUTHORIZATION);
        headers.remove(COOKIE);
    }
    if let ContentType::Is(value) = content_type {
        headers.insert(CONTENT_TYPE, value.clone());
    }
    if let Some(value) = authorization(request, defaults, url, basic, headers.contains_key(AUTHORIZATION), trusted)? {
        headers.insert(AUTHORIZATION, value);
    }
    replace(&mut headers, &own);
    tidy(headers, url, content_type)
}

/// The fields of every request, and what is wrong with them: worked out once for a session.
pub(super) fn shared(defaults: &Defaults) -> (HeaderMap, Vec<String>) {
    let mut problems = Vec::new();
    let builtin = [("Accept", "application/json"), ("User-Agent", defaults.user_agent.as_str())];
    let mut shared = if defaults.plain { HeaderMap::new() } else { parsed(builtin, &mut problems) };
    replace(&mut shared, &parsed(defaults.headers.iter().map(pair), &mut problems));
    (shared, problems)
}

fn pair((name, value): &(String, String)) -> (&str, &str) {
    (name, value)
}

/// The fields of a list that are well formed; the others become problems. Values are never shown.
fn parsed<'a>(list: impl IntoIterator<Item = (&'a str, &'a str)>, problems: &mut Vec<String>) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in list {
        let Ok(name) = HeaderName::try_from(name.trim()) else {
            problems.push(format!("`{}` is no name of a header field", shown_name(name)));
            continue;
        };
        let value = value.trim_matches([' ', '\t']);
        let printable = value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
        match HeaderValue::try_from(value) {
            Ok(mut value) if printable => {
                value.set_sensitive(matches!(name, AUTHORIZATION | COOKIE | PROXY_AUTHORIZATION));
                if is_single(&name) {
                    fields.insert(name, value);
                } else {
                    fields.append(name, value);
                }
            }
            _ => problems.push(format!("the value of `{name}` has characters that no header field may have")),
        }
    }
    fields
}

/// What of a wrong name may be shown: its first word. Someone may have written `Authorization: Bearer …` in one piece.
fn shown_name(name: &str) -> String {
    name.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).take(40).collect()
}

/// Fields of which there is one; of several the last counts.
fn is_single(name: &HeaderName) -> bool {
    matches!(*name, ACCEPT | AUTHORIZATION | CONTENT_TYPE | HOST | USER_AGENT)
}

/// Puts fields in the place of those of the same name.
fn replace(headers: &mut HeaderMap, fields: &HeaderMap) {
    for name in fields.keys() {
        headers.remove(name);
    }
    for (name, value) in fields {
        headers.append(name, value.clone());
    }
}

/// The session's own choice of credentials for this request; the caller's field is put over it later.
fn authorization(
    request: &Request,
    defaults: &Defaults,
    url: &Url,
    basic: Option<HeaderValue>,
    has_session_field: bool,
    trusted: bool,
) -> Result<Option<HeaderValue>, Error> {
    let has_own_field = request.headers.iter().any(|(name, _)| name.trim().eq_ignore_ascii_case("authorization"));
    match (&request.token, &defaults.token) {
        _ if has_own_field => Ok(None),
        (Some(token), _) if trusted => bearer(token).map(Some),
        (Some(_), _) => Err(untrusted(url)),
        _ if basic.is_some() => Ok(basic),
        _ if has_session_field => Ok(None),
        (None, Some(token)) if trusted => bearer(token).map(Some),
        _ => Ok(None),
    }
}

pub(super) fn bearer(token: &Token) -> Result<HeaderValue, Error> {
    let value = token.bearer().filter(|value| value.to_str().is_ok_and(|text| text.trim_end() != "Bearer"));
    value.ok_or_else(|| {
        Error::invalid("the token is empty, or has characters that no token has")
            .with_hint("copy it anew from https://www.inaturalist.org/users/api_token")
    })
}

fn untrusted(url: &Url) -> Error {
    let place = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
    Error::invalid(format!(
        "a token goes only to iNaturalist's own hosts over https, to this machine or to the session's base, and {place} is \
         none of these"
    ))
    .with_hint("ask without a token, or over https; if the host is to have it, set `Authorization` yourself")
}

/// Takes out what the transport writes itself, and what is empty on purpose.
fn tidy(mut headers: HeaderMap, url: &Url, content_type: &ContentType) -> Result<HeaderMap, Error> {
    const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
    const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
    let written_elsewhere =
        [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, CONTENT_LENGTH];
    // The boundary is made when the files are read; a type without it is of no use to anyone.
    if matches!(content_type, ContentType::Multipart) {
        headers.remove(CONTENT_TYPE);
    }
    // There is hardly ever any of these, and a few names are compared faster than many are looked up.
    let is_untidy =
        |name: &HeaderName| written_elsewhere.contains(name) || matches!(*name, HOST | AUTHORIZATION | COOKIE);
    if !headers.keys().any(is_untidy) {
        return Ok(headers);
    }
    for name in &written_elsewhere {
        headers.remove(name);
    }
    if let Some(host) = headers.remove(HOST) {
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        if !host.as_bytes().eq_ignore_ascii_case(authority.as_bytes()) {
            let message = "`Host` names another host than the URL, and answers are kept by URL";
            return Err(Error::invalid(message).with_hint("name the host in the URL"));
        }
    }
    for name in [AUTHORIZATION, COOKIE] {
        if headers.get(&name).is_some_and(|value| value.as_bytes().is_empty()) {
            headers.remove(name);
        }
    }
    Ok(headers)
}
