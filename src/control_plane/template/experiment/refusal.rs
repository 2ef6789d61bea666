//! What the experiment room refuses, and what fails in it.

use super::state::{VARIANTS_MAX, VARIANTS_MIN};
use crate::control_plane::template;
use crate::domain::failure::{Class, Failure, Retry};
use crate::domain::name::{TemplateName, Version};
use crate::store;

/// The most experiments that run at once.
pub const EXPERIMENTS_MAX: usize = 256;

/// Why an experiment cannot be as it was asked for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// There are too few or too many versions.
    #[error("an experiment has {VARIANTS_MIN} to {VARIANTS_MAX} versions, not {0}")]
    Variants(usize),
    /// A share is not one.
    #[error("the share of version {0} is not a number above 0")]
    Share(Version),
    /// The shares do not make a whole.
    #[error("the shares add up to {0}, not to 1")]
    Shares(f64),
    /// The control is none of the versions.
    #[error("the control {0} is none of the experiment's versions")]
    Control(Version),
    /// A version was never published.
    #[error(
        "version {version} of {template} was never published; `factoryctl templates history {template}` lists those that were"
    )]
    UnknownVersion {
        /// The template.
        template: TemplateName,
        /// The version.
        version: Version,
    },
    /// A version may not run now.
    #[error("version {version} of {template} may not run: {}", reasons.join("; "))]
    NotAllowed {
        /// The template.
        template: TemplateName,
        /// The version.
        version: Version,
        /// Why.
        reasons: Vec<String>,
    },
    /// Somebody went back to an earlier version, which all tasks get.
    #[error("template {0} is rolled back: lift that first, then start an experiment")]
    RolledBack(TemplateName),
    /// No experiment runs.
    #[error("no experiment runs with template {0}")]
    NoneRuns(TemplateName),
    /// There was never one.
    #[error("there was never an experiment with template {0}")]
    NeverRan(TemplateName),
    /// As many run as may.
    #[error("start an experiment: {EXPERIMENTS_MAX} run already; end one first")]
    Full,
}

impl Refusal {
    /// Whether a rule says no, by trust, policy or a rollback: a decision, which is to be on record.
    #[must_use]
    pub fn is_by_rule(&self) -> bool {
        match self {
            Self::NotAllowed { .. } | Self::RolledBack(_) => true,
            Self::Variants(_)
            | Self::Share(_)
            | Self::Shares(_)
            | Self::Control(_)
            | Self::UnknownVersion { .. }
            | Self::NoneRuns(_)
            | Self::NeverRan(_)
            | Self::Full => false,
        }
    }
}

/// A failure or refusal of the experiment room.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// It cannot be so.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The template room fails or refuses.
    #[error(transparent)]
    Template(#[from] template::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A stored experiment cannot be read back.
    #[error("read the stored experiment with template {template}: {reason}")]
    Stored {
        /// The template.
        template: TemplateName,
        /// What does not fit.
        reason: String,
    },
    /// A task of this room was cancelled or panicked; whether it was done will be seen.
    #[error("change the experiment with template {0}: interrupted")]
    Interrupted(TemplateName),
}

impl Failure for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Variants(_) | Self::Share(_) | Self::Shares(_) | Self::Control(_) => "experiment_invalid",
            Self::UnknownVersion { .. } => "experiment_version_not_found",
            Self::NotAllowed { .. } => "experiment_version_refused",
            Self::NoneRuns(_) | Self::NeverRan(_) => "experiment_not_found",
            Self::RolledBack(_) => "experiment_while_rolled_back",
            Self::Full => "experiments_full",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Variants(_) | Self::Share(_) | Self::Shares(_) | Self::Control(_) => Class::Malformed,
            Self::UnknownVersion { .. } | Self::NoneRuns(_) | Self::NeverRan(_) => Class::NotFound,
            Self::NotAllowed { .. } => Class::Refused,
            Self::RolledBack(_) | Self::Full => Class::Conflict,
        }
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn detail(&self) -> String {
        self.to_string()
    }
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Template(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Stored { .. } => "store_read_failed",
            Self::Interrupted(_) => "internal",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Refused(refusal) => refusal.class(),
            Self::Template(error) => error.class(),
            Self::Store(error) => error.class(),
            Self::Stored { .. } | Self::Interrupted(_) => Class::Internal,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Template(error) => error.retry(),
            Self::Store(error) => error.retry(),
            Self::Refused(_) | Self::Stored { .. } | Self::Interrupted(_) => Retry::Never,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.detail(),
            Self::Template(error) => error.detail(),
            Self::Store(error) => error.detail(),
            Self::Stored { .. } => "a stored experiment cannot be read".to_owned(),
            Self::Interrupted(_) => "changing the experiment was interrupted; look at it again".to_owned(),
        }
    }
}
