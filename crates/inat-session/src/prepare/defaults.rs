//! What a session gives to every request.

use std::sync::OnceLock;

use http::HeaderMap;
use url::Url;

use super::dates::Zone;
use super::fields;
use crate::Token;

/// What a session gives to every request that does not say otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Defaults {
    /// Where relative paths start; [`Defaults::BASE`] unless set. Credentials in it become an `Authorization` field.
    pub(crate) base: Url,
    /// The `User-Agent`.
    pub(crate) user_agent: String,
    /// Who asks. Sent only where a token may go, and silently left out elsewhere.
    pub(crate) token: Option<Token>,
    /// Fields of every request. `Authorization` and `Cookie` among them go where the token may go, and nowhere else.
    pub(crate) headers: Vec<(String, String)>,
    /// The zone of days and times that name none.
    pub(crate) zone: Zone,
    /// For a program that serves others: adds no fields of its own, and takes credentials whole instead of trusting the owner a
    /// JWT names.
    pub(crate) plain: bool,
    /// What `user_agent` and `headers` make, and what is wrong with them.
    pub(crate) fields: OnceLock<(HeaderMap, Vec<String>)>,
}

impl Defaults {
    /// The API's first version, the one with full records.
    pub(crate) const BASE: &str = "https://api.inaturalist.org/v1/";

    /// How this library names itself.
    pub(crate) const USER_AGENT: &str =
        concat!("inat-session/", env!("CARGO_PKG_VERSION"), " (+", env!("CARGO_PKG_REPOSITORY"), ")");
}

impl Defaults {
    /// What is wrong with the fields of every request, so that the session is refused and not its first request.
    pub(crate) fn check(&self) -> Result<(), String> {
        let (_, wrong) = self.fields.get_or_init(|| fields::shared(self));
        match &self.token {
            _ if !wrong.is_empty() => Err(wrong.join("; ")),
            Some(token) => fields::bearer(token).map(drop).map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }
}

impl Default for Defaults {
    /// Anonymous, at [`Defaults::BASE`], in the zone of this machine.
    fn default() -> Self {
        #[allow(clippy::expect_used, reason = "a constant, and a test parses it")]
        let base = Url::parse(Self::BASE).expect("the base is a URL");
        Self {
            base,
            user_agent: Self::USER_AGENT.to_owned(),
            token: None,
            headers: Vec::new(),
            zone: Zone::default(),
            plain: false,
            fields: OnceLock::new(),
        }
    }
}
