//! Why a tool was not told.

use crate::data_plane::tool;
use crate::domain::failure::{Class, Failure, Retry};

/// Statuses below 500 that pass by themselves, or that somebody mends: unauthorised, forbidden, request time-out, too early, too
/// many requests ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-15.5), RFC 8470, RFC 6585).
const PASSING: [u16; 5] = [401, 403, 408, 425, 429];

/// Why an entry of the outbox was given up, or has to wait.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The call failed.
    #[error(transparent)]
    Tool(#[from] tool::Error),
    /// The entry is damaged.
    #[error("read an entry of the outbox: it is damaged")]
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

    /// Whether the tool does not take the call, and nothing says that this will pass.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Tool(tool::Error::Refused { status }) => !PASSING.contains(status),
            Self::Tool(_) | Self::Unreadable | Self::Full => false,
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
            Self::Unreadable => "what the tool was to be told is damaged".to_owned(),
            Self::Full => "more waits for the tool than may; what was oldest was dropped".to_owned(),
        }
    }
}
