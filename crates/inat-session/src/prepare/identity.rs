//! Whose answer it will be, told from the fields that go out.

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName};

use super::Prepared;
use crate::Timestamp;
use crate::cache::Identity;

/// Whose answer a request with these fields gets: nobody's without credentials, else the owner of the token or of the
/// credentials. Cookies count.
pub(crate) fn identity_of(headers: &HeaderMap, now: Timestamp) -> Identity {
    // Most requests have neither, and a few names are compared faster than two are looked up.
    if !headers.keys().any(|name| matches!(*name, AUTHORIZATION | COOKIE)) {
        return Identity::Anonymous;
    }
    let cookies = values(headers, &COOKIE);
    let authorization = values(headers, &AUTHORIZATION);
    match (authorization.as_slice(), cookies.as_slice()) {
        ([], []) => Identity::Anonymous,
        ([one], []) => match std::str::from_utf8(one).ok().and_then(token) {
            Some(token) => Identity::of_token(token, now),
            None => Identity::of_credentials(one),
        },
        _ => whole_identity_of(headers),
    }
}

/// Whether the token whose owner a request was taken for has expired since: what it is answered then is not for its owner.
pub(crate) fn has_outlived_its_token(prepared: &Prepared, now: Timestamp) -> bool {
    let owner = identity_of(&prepared.headers, Timestamp::EPOCH);
    owner != Identity::Anonymous && prepared.identity == owner && identity_of(&prepared.headers, now) != owner
}

/// The same without believing what a token says of its owner, for a program that takes tokens from others.
pub(crate) fn whole_identity_of(headers: &HeaderMap) -> Identity {
    let mut credentials = Vec::new();
    for (marker, name) in [(b'a', &AUTHORIZATION), (b'c', &COOKIE)] {
        for value in values(headers, name) {
            // A field value holds no NUL, so that no two sets of credentials look alike.
            credentials.push(marker);
            credentials.extend_from_slice(value);
            credentials.push(0);
        }
    }
    if credentials.is_empty() { Identity::Anonymous } else { Identity::of_credentials(&credentials) }
}

fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a [u8]> {
    headers.get_all(name).iter().map(|value| value.as_bytes().trim_ascii()).filter(|value| !value.is_empty()).collect()
}

/// The token in `Bearer …`, or a JWT that stands alone, as iNaturalist takes it too.
fn token(value: &str) -> Option<&str> {
    match value.split_once(char::is_whitespace) {
        Some((scheme, token)) => scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()),
        None => (value.starts_with("eyJ") && value.matches('.').count() == 2).then_some(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn of(fields: &[(HeaderName, &str)]) -> (Identity, Identity) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        (identity_of(&headers, NOW), whole_identity_of(&headers))
    }

    fn jwt(claims: &str, signature: &str) -> String {
        let encode = |text: &str| data_encoding::BASE64URL_NOPAD.encode(text.as_bytes());
        format!("{}.{}.{signature}", encode("{\"alg\":\"HS512\"}"), encode(claims))
    }

    #[test]
    fn nobody_without_credentials() {
        assert_eq!(of(&[]), (Identity::Anonymous, Identity::Anonymous));
        assert_eq!(of(&[(http::header::ACCEPT, "x")]).0, Identity::Anonymous);
        assert_eq!(of(&[(AUTHORIZATION, "")]).0, Identity::Anonymous);
    }

    #[test]
    fn tokens_lead_to_their_owner_in_any_dress() {
        let token = jwt("{\"user_id\":7}", "a");
        let renewed = jwt("{\"user_id\":7}", "b");
        let expected = Identity::of_token(&token, NOW);
        for value in
            [format!("Bearer {token}"), format!("bearer   {token}"), token.clone(), format!("Bearer {renewed}")]
        {
            assert_eq!(of(&[(AUTHORIZATION, &value)]).0, expected, "{value}");
        }
        let forged = of(&[(AUTHORIZATION, &format!("Bearer {renewed}"))]).1;
        assert_ne!(of(&[(AUTHORIZATION, &format!("Bearer {token}"))]).1, forged);
    }

    #[test]
    fn other_credentials_tell_people_apart() {
        let basic = of(&[(AUTHORIZATION, "Basic YTpi")]).0;
        let cookie = of(&[(COOKIE, "Basic YTpi")]).0;
        let both = of(&[(AUTHORIZATION, "Basic YTpi"), (COOKIE, "s=1")]).0;
        let other = of(&[(AUTHORIZATION, "Basic YTpi"), (COOKIE, "s=2")]).0;
        let seen = [Identity::Anonymous, basic, cookie, both, other];
        for (i, a) in seen.iter().enumerate() {
            for b in &seen[i + 1..] {
                assert_ne!(a, b);
            }
        }
    }
}
