//! What the orchestrator cannot do.

use crate::domain::failure::{Class, Failure, Retry};
use crate::journal;

/// A failure or refusal of the orchestrator.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The journal failed, or the task has ended.
    #[error(transparent)]
    Journal(#[from] journal::Error),
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Journal(error) => error.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Journal(error) => error.class(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Journal(error) => error.retry(),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Journal(error) => error.detail(),
        }
    }
}
