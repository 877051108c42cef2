//! The stages of the path, by name.

use std::fmt;

/// Where on the path something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The session was being set up.
    Build,
    /// The request was being prepared.
    Prepare,
    /// A dry run was being planned.
    DryRun,
    /// The cache was asked.
    Lookup,
    /// A twin's flight was joined.
    Coalesce,
    /// A slot of the budget was asked for.
    Limit,
    /// The request was sent.
    Transport,
    /// The answer was checked.
    Validate,
    /// The verdict on another try.
    Retry,
    /// The answer was stored.
    Store,
    /// The answer was handed over.
    Answer,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Build => "build",
            Self::Prepare => "prepare",
            Self::DryRun => "dry run",
            Self::Lookup => "lookup",
            Self::Coalesce => "coalesce",
            Self::Limit => "limit",
            Self::Transport => "transport",
            Self::Validate => "validate",
            Self::Retry => "retry",
            Self::Store => "store",
            Self::Answer => "answer",
        })
    }
}
