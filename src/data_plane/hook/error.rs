//! Why a tool was not told.

use crate::data_plane::tool;
use crate::domain::failure::{Class, Failure, Retry};

/// Why an entry of the outbox was given up, or has to wait.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The call failed.
    #[error(transparent)]
    Tool(#[from] tool::Error),
    /// The entry was written by a later version, or is damaged.
    #[error("read an entry of the outbox: this version cannot")]
    Unreadable,
    /// More entries wait for the tool than may.
    #[error("keep an entry of the outbox: more wait for this tool than may")]
    Full,
}

impl Error {
    /// Whether the same call can never succeed while the daemon runs.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Tool(error) => matches!(error, tool::Error::Unknown(_)),
            Self::Unreadable | Self::Full => true,
        }
    }
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Tool(error) => error.code(),
            Self::Unreadable => "hook_unreadable",
            Self::Full => "hook_outbox_full",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Tool(error) => error.class(),
            Self::Unreadable => Class::Internal,
            Self::Full => Class::Overload,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Tool(error) => error.retry(),
            Self::Unreadable | Self::Full => Retry::Never,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Tool(error) => error.detail(),
            Self::Unreadable => "what the tool was to be told cannot be read by this version".to_owned(),
            Self::Full => "more waits for the tool than may; what was oldest was dropped".to_owned(),
        }
    }
}
