//! What the orchestrator cannot do.

use crate::control_plane::admission;
use crate::domain::failure::{Class, Failure, Retry};
use crate::journal;

/// A failure or refusal of the orchestrator.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The journal failed, or the task has ended.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The request is not admitted.
    #[error(transparent)]
    Refused(#[from] admission::Refusal),
    /// The daemon stops in the middle of accepting a request; whether the task is durable will be known after its next start.
    #[error("accept a request: interrupted")]
    Interrupted,
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Journal(error) => error.code(),
            Self::Refused(refusal) => refusal.code(),
            Self::Interrupted => "interrupted",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Journal(error) => error.class(),
            Self::Refused(refusal) => refusal.class(),
            Self::Interrupted => Class::Unavailable,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Journal(error) => error.retry(),
            Self::Refused(refusal) => refusal.retry(),
            Self::Interrupted => Retry::Never,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Journal(error) => error.detail(),
            Self::Refused(refusal) => refusal.detail(),
            Self::Interrupted => "the request was interrupted; repeat it under the same idempotency key".to_owned(),
        }
    }
}
