//! How a tool's call fails, and whether the tool may have done its work all the same.

use std::time::Duration;

use crate::data_plane::http;
use crate::domain::failure::{Class, Failure, Retry};
use crate::domain::name::ToolName;

/// A tool's call without an output. No variant holds a key, an input or the tool's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The settings name no such tool.
    #[error("call a tool: the settings name no tool {0}")]
    Unknown(ToolName),
    /// The tool needs a key and there is none to use.
    #[error("read the tool's key: {0}")]
    MissingKey(String),
    /// There is no way to the tool.
    #[error("connect to the tool: {0}")]
    Unreachable(String),
    /// The tool asks for patience (status 429).
    #[error("call the tool: it limits the rate")]
    Busy {
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// The call was sent and not answered in time.
    #[error("wait for the tool's answer: none in time")]
    TimedOut,
    /// The connection ended before the answer did.
    #[error("read the tool's answer: {0}")]
    Cut(String),
    /// The tool does not take the call (3xx, 4xx).
    #[error("call the tool: it answered {status}")]
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// The tool failed (5xx).
    #[error("call the tool: it failed with {status}")]
    Failed {
        /// The HTTP status.
        status: u16,
    },
    /// The tool did its work, and its answer cannot be an output.
    #[error("read the tool's answer: {what}")]
    Nonsense {
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Whether a failed call reached the tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It did not, or the tool said that it did nothing: it can be made again.
    No,
    /// Nobody here knows.
    Perhaps,
    /// It did, and the tool answered.
    Answered,
}

impl Error {
    /// Whether the call reached the tool.
    #[must_use]
    pub fn sent(&self) -> Sent {
        match self {
            Self::Unknown(_) | Self::MissingKey(_) | Self::Unreachable(_) | Self::Busy { .. } => Sent::No,
            Self::TimedOut | Self::Cut(_) => Sent::Perhaps,
            Self::Refused { .. } | Self::Failed { .. } | Self::Nonsense { .. } => Sent::Answered,
        }
    }
}

impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        match error {
            http::Error::MissingKey(what) => Self::MissingKey(what),
            http::Error::Unreachable(why) => Self::Unreachable(why),
            http::Error::Cut(why) => Self::Cut(why),
            http::Error::Quiet => Self::TimedOut,
            http::Error::TooLarge => Self::Nonsense { what: "it is larger than an output may be" },
        }
    }
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "tool_unknown",
            Self::MissingKey(_) => "tool_key_missing",
            Self::Unreachable(_) => "tool_unreachable",
            Self::Busy { .. } => "tool_busy",
            Self::TimedOut => "tool_timed_out",
            Self::Cut(_) => "tool_cut",
            Self::Refused { .. } => "tool_refused",
            Self::Failed { .. } => "tool_failed",
            Self::Nonsense { .. } => "tool_nonsense",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Unknown(_) | Self::MissingKey(_) => Class::Unavailable,
            Self::Unreachable(_)
            | Self::Busy { .. }
            | Self::TimedOut
            | Self::Cut(_)
            | Self::Refused { .. }
            | Self::Failed { .. }
            | Self::Nonsense { .. } => Class::Upstream,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Busy { retry_after } => retry_after.map_or(Retry::Never, Retry::After),
            Self::Unknown(_)
            | Self::MissingKey(_)
            | Self::Unreachable(_)
            | Self::TimedOut
            | Self::Cut(_)
            | Self::Refused { .. }
            | Self::Failed { .. }
            | Self::Nonsense { .. } => Retry::Never,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Unknown(name) => format!("the settings name no tool {name}"),
            Self::MissingKey(_) => "the tool's key cannot be used".to_owned(),
            Self::Unreachable(_) => "there is no way to the tool".to_owned(),
            Self::Busy { .. } => "the tool limits the rate of calls".to_owned(),
            Self::TimedOut => "the tool did not answer in time".to_owned(),
            Self::Cut(_) => "the connection to the tool ended before its answer did".to_owned(),
            Self::Refused { status } => format!("the tool refused the call with status {status}"),
            Self::Failed { status } => format!("the tool failed with status {status}"),
            Self::Nonsense { what } => format!("the tool's answer cannot be used: {what}"),
        }
    }
}
