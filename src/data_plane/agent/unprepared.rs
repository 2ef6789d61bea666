//! Why a call cannot be made.

use super::allowance::Exceeded;
use crate::control_plane::admission::route::PassedOver;
use crate::data_plane::dlp;
use crate::domain::failure::{Class, Failure, Retry};

/// Why a call cannot be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unprepared {
    /// The text may not leave, or cannot be checked.
    #[error(transparent)]
    Dlp(#[from] dlp::Error),
    /// The model does not suit the call: the settings give it no price any more, or the task has grown beyond what it takes or
    /// what its route lets a call cost.
    #[error(transparent)]
    Unsuitable(#[from] PassedOver),
    /// The task has too few tokens left for it.
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
}

impl Failure for Unprepared {
    fn code(&self) -> &'static str {
        match self {
            Self::Dlp(error) => error.code(),
            Self::Unsuitable(passed) => passed.code(),
            Self::Exceeded(exceeded) => exceeded.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Dlp(error) => error.class(),
            Self::Unsuitable(passed) => passed.class(),
            Self::Exceeded(exceeded) => exceeded.class(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Dlp(error) => error.retry(),
            Self::Unsuitable(passed) => passed.retry(),
            Self::Exceeded(exceeded) => exceeded.retry(),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Dlp(error) => error.detail(),
            Self::Unsuitable(passed) => passed.detail(),
            Self::Exceeded(exceeded) => exceeded.detail(),
        }
    }
}
