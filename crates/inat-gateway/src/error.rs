//! Why a gateway cannot be started.

use std::io;

/// Why a gateway cannot be started. Once it runs, whatever goes wrong is some client's answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is wrong.
    #[error("{0}")]
    Config(String),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The session cannot be built.
    #[error(transparent)]
    Session(#[from] inat_session::Error),
}

impl Error {
    pub(crate) fn config(problem: impl Into<String>) -> Self {
        Self::Config(problem.into())
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Config(_) => None,
            Self::Listen { source, .. } => match source.kind() {
                io::ErrorKind::AddrInUse => Some("another program listens there; stop it, or name another address"),
                io::ErrorKind::PermissionDenied => Some("ports below 1024 are the system's; name a higher one"),
                _ => None,
            },
            Self::Session(error) => error.hint(),
        }
    }
}
