/// bad
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad")]
pub struct BadLifetime;
impl std::str::FromStr for super::Lifetime { type Err = BadLifetime; fn from_str(_: &str) -> Result<Self, BadLifetime> { Err(BadLifetime) } }
