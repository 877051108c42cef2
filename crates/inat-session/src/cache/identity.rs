//! Whose answer it is. iNaturalist marks signed-in answers `public` and never says `Vary: Authorization`, so an entry kept by
//! URL alone would show one person's private coordinates to another (original-behaviour D3). Identity is part of the key.

use std::fmt;

use crate::Timestamp;

/// Nobody in particular, or the owner of some credentials, told by a keyed hash that never leads back to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Identity {
    /// No credentials were sent.
    #[default]
    Anonymous,
    /// The owner of the credentials: a keyed hash of the JWT's `user_id`, or else of the credentials themselves.
    Owner([u8; 16]),
}

impl Identity {
    /// The owner of a token. The `user_id` a JWT names outlives its daily renewal, so the cache does too. One that has expired
    /// (its `exp`, RFC 7519 §4.1.4) stands for itself only: iNaturalist answers it as it answers nobody, with 200.
    ///
    /// The claim is not verified: who runs this process vouches for the token. A gateway, which takes tokens from others,
    /// uses [`Identity::of_credentials`] instead.
    pub fn of_token(token: &str, now: Timestamp) -> Self {
        match Claims::of(token).filter(|claims| claims.hold(now)) {
            Some(Claims { user_id, .. }) => Self::hash(&format!("user:{user_id}")),
            None => Self::hash(&format!("token:{token}")),
        }
    }

    /// Exactly these credentials, e.g. the whole value of an `Authorization` field.
    pub fn of_credentials(credentials: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(b"credentials:").update(credentials);
        Self::Owner(first_16(hasher.finalize()))
    }

    fn hash(what: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(what.as_bytes());
        Self::Owner(first_16(hasher.finalize()))
    }

    /// The bytes that go into the key: a marker, then the hash.
    pub(crate) fn bytes(&self) -> [u8; 17] {
        let mut bytes = [0; 17];
        if let Self::Owner(hash) = self {
            bytes[0] = 1;
            bytes[1..].copy_from_slice(hash);
        }
        bytes
    }
}

const CONTEXT: &str = "inat-session 2026-11 identity of the owner of credentials";

fn first_16(hash: blake3::Hash) -> [u8; 16] {
    let mut first = [0; 16];
    first.copy_from_slice(&hash.as_bytes()[..16]);
    first
}

/// What a JWT says, read without checking the signature.
#[derive(serde::Deserialize)]
struct Claims {
    user_id: u64,
    /// Seconds since the epoch.
    exp: Option<f64>,
}

impl Claims {
    fn of(token: &str) -> Option<Self> {
        let claims = token.split('.').nth(1)?;
        let decoded = data_encoding::BASE64URL_NOPAD.decode(claims.trim_end_matches('=').as_bytes()).ok()?;
        serde_json::from_slice(&decoded).ok()
    }

    #[allow(clippy::cast_precision_loss, reason = "a second more or less decides nothing")]
    fn hold(&self, now: Timestamp) -> bool {
        self.exp.is_none_or(|exp| exp > now.as_secs() as f64)
    }
}

impl fmt::Display for Identity {
    /// A short marker for people: `anonymous`, or the first eight hexadecimal digits of the hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Owner(hash) => f.write_str(&data_encoding::HEXLOWER.encode(&hash[..4])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(claims: &str, signature: &str) -> String {
        let encode = |text: &str| data_encoding::BASE64URL_NOPAD.encode(text.as_bytes());
        format!("{}.{}.{signature}", encode("{\"alg\":\"HS512\"}"), encode(claims))
    }

    #[test]
    fn a_renewed_token_has_the_same_owner_and_others_have_not() {
        let of = |token: &str| Identity::of_token(token, Timestamp::from_secs(100));
        let monday = of(&jwt("{\"user_id\":7,\"exp\":101}", "a"));
        let tuesday = of(&jwt("{\"user_id\":7,\"exp\":202}", "b"));
        assert_eq!(monday, tuesday);
        assert_eq!(monday, of(&jwt("{\"user_id\":7}", "c")), "it does not expire");
        assert_ne!(monday, of(&jwt("{\"user_id\":8,\"exp\":101}", "a")));
        assert_ne!(monday, of("7"));
        assert_ne!(of("opaque"), Identity::Anonymous);
    }

    #[test]
    fn an_expired_token_stands_for_itself() {
        let token = |exp: &str, signature: &str| jwt(&format!("{{\"user_id\":7,\"exp\":{exp}}}"), signature);
        let at = |token: &str, now: i64| Identity::of_token(token, Timestamp::from_secs(now));
        for exp in ["100", "100.5", "1e2"] {
            assert_eq!(at(&token(exp, "a"), 99), at(&token("1000", "b"), 99));
            assert_ne!(at(&token(exp, "a"), 101), at(&token("1000", "b"), 101));
            assert_ne!(at(&token(exp, "a"), 101), at(&token(exp, "b"), 101));
            assert_ne!(at(&token(exp, "a"), 101), Identity::Anonymous);
        }
    }

    #[test]
    fn credentials_are_taken_whole() {
        assert_ne!(
            Identity::of_credentials(jwt("{\"user_id\":7}", "a").as_bytes()),
            Identity::of_credentials(jwt("{\"user_id\":7}", "forged").as_bytes()),
        );
    }
}
