//! What an erasure cannot do.

use std::time::Duration;

use crate::control_plane::audit;
use crate::data_plane::orchestrator;
use crate::domain::failure::{Class, Failure, Retry};
use crate::{journal, store};

/// After how long it may be asked again where too much is under way.
const PAUSE: Duration = Duration::from_secs(5);

/// A failure or refusal of an erasure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The audit log failed.
    #[error(transparent)]
    Audit(#[from] audit::Error),
    /// Open tasks could not be ended.
    #[error(transparent)]
    Tasks(#[from] orchestrator::Error),
    /// As many erasures are unfinished as may be.
    #[error("begin an erasure: {0} are unfinished")]
    Full(usize),
    /// What is on its way does not become durable, nor is it given up.
    #[error("begin an erasure: what was admitted before is still on its way")]
    Unsettled,
    /// A key that was to be destroyed is there; nothing is signed.
    #[error("finish an erasure: key {0} is not destroyed")]
    KeyLeft(u32),
    /// The daemon stops in the middle of it.
    #[error("begin an erasure: interrupted")]
    Interrupted,
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Journal(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Audit(error) => error.code(),
            Self::Tasks(error) => error.code(),
            Self::Full(_) => "erasures_full",
            Self::Unsettled => "erasure_unsettled",
            Self::KeyLeft(_) => "erasure_key_left",
            Self::Interrupted => "interrupted",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Journal(error) => error.class(),
            Self::Store(error) => error.class(),
            Self::Audit(error) => error.class(),
            Self::Tasks(error) => error.class(),
            Self::Full(_) => Class::Overload,
            Self::KeyLeft(_) => Class::Internal,
            Self::Unsettled | Self::Interrupted => Class::Unavailable,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Journal(error) => error.retry(),
            Self::Store(error) => error.retry(),
            Self::Audit(error) => error.retry(),
            Self::Tasks(error) => error.retry(),
            Self::Full(_) | Self::Unsettled | Self::KeyLeft(_) => Retry::After(PAUSE),
            Self::Interrupted => Retry::Never,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Journal(error) => error.detail(),
            Self::Store(error) => error.detail(),
            Self::Audit(error) => error.detail(),
            Self::Tasks(error) => error.detail(),
            Self::Full(limit) => format!("{limit} erasures are unfinished; wait until one is done"),
            Self::Unsettled => "work that was admitted before is still on its way; nothing was erased".to_owned(),
            Self::KeyLeft(key) => format!("key {key} is not destroyed yet; it is tried again"),
            Self::Interrupted => {
                "the request was interrupted; the list of erasures says whether it has begun".to_owned()
            }
        }
    }
}
