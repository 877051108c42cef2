//! Who asks. Tokens are JSON Web Tokens in form; nobody checks their signature here, only what they say.

use std::time::SystemTime;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::clock::unix_seconds;

/// What access tokens of the sandbox's own sign-in start with; the user id follows.
const ACCESS: &str = "sandbox-access-";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    Anonymous,
    /// A token that is expired, malformed or of another kind. Reads ignore it without a word, as the real server does.
    Unusable,
    /// An OAuth access token: good for `/users/api_token`, ignored by the API.
    OAuth(u64),
    User(u64),
}

impl Identity {
    pub(crate) fn read(authorization: Option<&str>, now: SystemTime) -> Self {
        let Some(authorization) = authorization else { return Self::Anonymous };
        // v2 takes two tokens, user and application, with a comma between.
        let mut best = Self::Unusable;
        for token in authorization.split(',') {
            let token = token.trim();
            let bare = token
                .get(..7)
                .filter(|scheme| scheme.eq_ignore_ascii_case("bearer "))
                .map_or(token, |_| token[7..].trim());
            match token_user(bare, now) {
                Self::User(user) => return Self::User(user),
                Self::OAuth(user) => best = Self::OAuth(user),
                _ => {}
            }
        }
        best
    }
}

fn token_user(token: &str, now: SystemTime) -> Identity {
    if let Some(user) = token.strip_prefix(ACCESS) {
        return user.parse().map_or(Identity::Unusable, Identity::OAuth);
    }
    let mut parts = token.split('.');
    let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Identity::Unusable;
    };
    let payload = BASE64URL_NOPAD.decode(payload.trim_end_matches('=').as_bytes()).ok();
    let Some(payload) = payload.and_then(|payload| serde_json::from_slice::<Value>(&payload).ok()) else {
        return Identity::Unusable;
    };
    let expires = payload["exp"].as_i64().unwrap_or(0);
    match payload["user_id"].as_u64() {
        Some(user) if expires > unix_seconds(now) => Identity::User(user),
        _ => Identity::Unusable,
    }
}

pub(crate) fn access_token(user: u64) -> String {
    format!("{ACCESS}{user}")
}

/// A token in the form of `/users/api_token`: HS512 says the header, 64 bytes are the signature.
pub(crate) fn jwt(user_id: u64, expires_in_secs: i64, now: SystemTime) -> String {
    let header = BASE64URL_NOPAD.encode(br#"{"alg":"HS512"}"#);
    let expires = unix_seconds(now).saturating_add(expires_in_secs);
    let payload = BASE64URL_NOPAD.encode(json!({ "user_id": user_id, "exp": expires }).to_string().as_bytes());
    let mut signature = [0; 64];
    blake3::Hasher::new().update(header.as_bytes()).update(payload.as_bytes()).finalize_xof().fill(&mut signature);
    format!("{header}.{payload}.{}", BASE64URL_NOPAD.encode(&signature))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{Identity, access_token, jwt};

    #[test]
    fn tokens() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let (good, old) = (jwt(7, 60, now), jwt(7, -60, now));
        let table = [
            (None, Identity::Anonymous),
            (Some(good.clone()), Identity::User(7)),
            (Some(format!("Bearer {good}")), Identity::User(7)),
            (Some(format!("bearer {good}, Bearer other")), Identity::User(7)),
            (Some(format!("Bearer {old}")), Identity::Unusable),
            (Some("Bearer a.b.c".into()), Identity::Unusable),
            (Some("Bearer".into()), Identity::Unusable),
            (Some("ÄÖÜÄÖÜ".into()), Identity::Unusable),
            (Some(format!("Bearer {}", access_token(9))), Identity::OAuth(9)),
        ];
        for (header, expected) in table {
            assert_eq!(Identity::read(header.as_deref(), now), expected, "{header:?}");
        }
    }
}
