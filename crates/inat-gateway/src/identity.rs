//! Whose answer it will be. What a token says of its owner is not verified here, so credentials count as a whole: who holds
//! other ones is somebody else.

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName};
use inat_session::cache::Identity;

/// Fields that say who asks, besides the standard ones.
pub(crate) const CREDENTIALS: [HeaderName; 6] = [
    AUTHORIZATION,
    COOKIE,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-auth-token"),
    HeaderName::from_static("x-access-token"),
    HeaderName::from_static("x-amz-security-token"),
];

/// Parameters that do. The session's cache leaves the values of some of these out of its keys, because elsewhere they say no
/// more than the identity already does.
const PARAMETERS: [&str; 10] = [
    "access_token",
    "api_key",
    "api_token",
    "apikey",
    "authorization",
    "client_secret",
    "jwt",
    "key",
    "password",
    "token",
];

/// Nobody's without credentials, else that of exactly these.
pub(crate) fn of(headers: &HeaderMap, query: Option<&str>) -> Identity {
    let mut credentials = Vec::new();
    let mut add = |marker: u8, value: &[u8]| {
        // Neither a field nor a query holds NUL, so that no two sets of credentials look alike.
        credentials.push(marker);
        credentials.extend_from_slice(value);
        credentials.push(0);
    };
    for (marker, name) in (b'a'..).zip(&CREDENTIALS) {
        headers
            .get_all(name)
            .iter()
            .map(|value| value.as_bytes().trim_ascii())
            .filter(|value| !value.is_empty())
            .for_each(|value| add(marker, value));
    }
    for pair in query.unwrap_or_default().split('&') {
        let name = pair.split('=').next().unwrap_or_default();
        let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
        if PARAMETERS.iter().any(|secret| name.eq_ignore_ascii_case(secret)) {
            add(b'?', pair.as_bytes());
        }
    }
    if credentials.is_empty() { Identity::Anonymous } else { Identity::of_credentials(&credentials) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn who(fields: &[(HeaderName, &'static str)], query: &str) -> Identity {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        of(&headers, Some(query))
    }

    #[test]
    fn every_set_of_credentials_is_somebody_else() {
        let people = [
            who(&[], "q=1"),
            who(&[(AUTHORIZATION, "Bearer a")], ""),
            who(&[(AUTHORIZATION, "Bearer b")], ""),
            who(&[(AUTHORIZATION, "bearer a")], ""),
            who(&[(COOKIE, "Bearer a")], ""),
            who(&[(AUTHORIZATION, "Bearer a"), (COOKIE, "s=1")], ""),
            who(&[(AUTHORIZATION, "Bearer a"), (AUTHORIZATION, "Bearer b")], ""),
            who(&[], "access_token=a"),
            who(&[], "access_token=b"),
            who(&[], "Access%5Ftoken=a"),
            who(&[(AUTHORIZATION, "Bearer a")], "access_token=a"),
        ];
        for (at, one) in people.iter().enumerate() {
            assert!(people[at + 1..].iter().all(|other| other != one), "{at}");
        }
        assert_eq!(people[0], Identity::Anonymous);
        assert_eq!(who(&[(AUTHORIZATION, " ")], "").to_string(), "anonymous");
    }
}
