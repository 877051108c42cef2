//! Why a run did not do what it was told.

use std::io;

use crate::exit::Exit;

/// What ends a run early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line is wrong in a way that only shows when it is put together.
    Usage { what: String, hint: Option<&'static str> },
    /// A request, the cache or the budget failed.
    Session { error: Box<inat_session::Error>, similar: Option<Similar> },
    /// The body broke off while it was handed on.
    Broken(inat_session::Fault),
    /// The gateway does not start.
    Gateway(inat_gateway::Error),
    /// Something could not be written or read.
    Files { what: String, error: io::Error },
    /// `--fail-empty`, and nothing matched.
    Empty,
}

/// What the cache has that is like what was asked for.
#[derive(Debug)]
pub(crate) struct Similar {
    /// How many answers.
    pub(crate) count: usize,
    /// The pattern that finds them.
    pub(crate) pattern: String,
}

impl Failure {
    pub(crate) fn usage(what: impl Into<String>, hint: Option<&'static str>) -> Self {
        Self::Usage { what: what.into(), hint }
    }

    pub(crate) fn files(what: impl Into<String>, error: io::Error) -> Self {
        Self::Files { what: what.into(), error }
    }

    /// Whoever read our output has gone: not an error, there is just nobody left to write to.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Files { error, .. } if error.kind() == io::ErrorKind::BrokenPipe)
    }

    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage { .. } | Self::Gateway(inat_gateway::Error::Config(_)) => Exit::Usage,
            Self::Session { error, .. } => Exit::of(error),
            Self::Broken(fault) => Exit::of_fault(fault),
            Self::Gateway(inat_gateway::Error::Session(error)) => Exit::of(error),
            Self::Gateway(_) | Self::Files { .. } => Exit::Other,
            Self::Empty => Exit::Empty,
        }
    }
}

impl From<inat_session::Error> for Failure {
    fn from(error: inat_session::Error) -> Self {
        Self::Session { error: Box::new(error), similar: None }
    }
}

impl From<io::Error> for Failure {
    /// Writing to standard output is what may fail everywhere.
    fn from(error: io::Error) -> Self {
        Self::files("the output", error)
    }
}
