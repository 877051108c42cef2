//! Whose answer it is. iNaturalist marks signed-in answers `public` and never says `Vary: Authorization`, so an entry kept by
//! URL alone would show one person's private coordinates to another (original-behaviour D3). Identity is part of the key.

use std::fmt;

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
    /// The owner of a token. The `user_id` a JWT names outlives its daily renewal, so the cache does too.
    ///
    /// The claim is not verified: who runs this process vouches for the token. A gateway, which takes tokens from others,
    /// uses [`Identity::of_credentials`] instead.
    pub fn of_token(token: &str) -> Self {
        match jwt_user_id(token) {
            Some(user) => Self::hash(&format!("user:{user}")),
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

/// The `user_id` claim of a JWT, read without checking the signature.
fn jwt_user_id(token: &str) -> Option<u64> {
    let claims = token.split('.').nth(1)?;
    let decoded = data_encoding::BASE64URL_NOPAD.decode(claims.trim_end_matches('=').as_bytes()).ok()?;
    serde_json::from_slice::<serde_json::Value>(&decoded).ok()?.get("user_id")?.as_u64()
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
        let monday = Identity::of_token(&jwt("{\"user_id\":7,\"exp\":1}", "a"));
        let tuesday = Identity::of_token(&jwt("{\"user_id\":7,\"exp\":2}", "b"));
        let other = Identity::of_token(&jwt("{\"user_id\":8,\"exp\":1}", "a"));
        assert_eq!(monday, tuesday);
        assert_ne!(monday, other);
        assert_ne!(Identity::of_token("7"), monday);
        assert_ne!(Identity::of_token("opaque"), Identity::Anonymous);
    }

    #[test]
    fn credentials_are_taken_whole() {
        assert_ne!(
            Identity::of_credentials(jwt("{\"user_id\":7}", "a").as_bytes()),
            Identity::of_credentials(jwt("{\"user_id\":7}", "forged").as_bytes()),
        );
    }
}
