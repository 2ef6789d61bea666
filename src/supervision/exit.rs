//! How an incarnation ended, and what is told about it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{ChildId, Intensity};

/// Bytes of an error's text that are kept.
const DETAIL_BYTES_MAX: usize = 512;

/// How an incarnation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// As it should, or because it was asked to.
    Normal,
    /// A handler panicked.
    Panic(Arc<str>),
    /// A handler, or a later start, returned an error.
    Error(Arc<str>),
    /// It was killed, or its task was aborted.
    Killed,
    /// Its supervisor killed it, because it had been at one message for too long.
    Stuck,
    /// It was told by an earlier process.
    Recalled(Arc<str>),
}

impl Exit {
    /// A panic, told by its message.
    pub(super) fn panic(message: &str) -> Self {
        Self::Panic(shortened(message).into())
    }

    /// An error, told by its text.
    pub(super) fn error(message: &str) -> Self {
        Self::Error(shortened(message).into())
    }

    /// Whether a transient child is started again after it.
    #[must_use]
    pub const fn is_abnormal(&self) -> bool {
        match self {
            Self::Normal => false,
            Self::Panic(_) | Self::Error(_) | Self::Killed | Self::Stuck | Self::Recalled(_) => true,
        }
    }

    /// The word for it in metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Panic(_) => "panic",
            Self::Error(_) => "error",
            Self::Killed => "killed",
            Self::Stuck => "stuck",
            Self::Recalled(_) => "recalled",
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("normal"),
            Self::Panic(message) => write!(f, "panic: {message}"),
            Self::Error(message) => write!(f, "error: {message}"),
            Self::Killed => f.write_str("killed"),
            Self::Stuck => f.write_str("stuck"),
            Self::Recalled(told) => f.write_str(told),
        }
    }
}

fn shortened(message: &str) -> &str {
    message.get(..message.floor_char_boundary(DETAIL_BYTES_MAX)).unwrap_or_default()
}

/// A restart that was decided, as it is told to the observer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartNotice {
    /// The supervisor that decided it.
    pub supervisor: Arc<str>,
    /// The child that ended. Its siblings may share its fate.
    pub child: ChildId,
    /// How it ended.
    pub exit: Exit,
    /// How often it has been restarted before this.
    pub restarts: u32,
    /// How long the restart is put off.
    pub delay: Duration,
}

/// A dynamic child that is started no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GiveUp {
    /// The supervisor that gave it up.
    pub supervisor: Arc<str>,
    /// The child.
    pub child: ChildId,
    /// How it ended last.
    pub exit: Exit,
    /// How often it was restarted.
    pub restarts: u32,
    /// What it exceeded.
    pub intensity: Intensity,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_details_are_cut_between_characters() {
        let exit = Exit::panic(&"é".repeat(400));
        assert_eq!(exit, Exit::Panic("é".repeat(256).into()));
    }
}
