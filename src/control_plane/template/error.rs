//! What the template room cannot do, and what it refuses.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::failure::{Class, Failure, Retry};
use crate::domain::name::{Digest, TemplateName, Version};
use crate::store;
use crate::supervision::CallError;

use super::format::mistake::Mistake;
use super::orders::Target;
use super::trust::fault::Fault;

/// A failure or refusal of the template room.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// No template has this name.
    #[error("there is no template {0}")]
    NotFound(TemplateName),
    /// The template was never good.
    #[error("template {name} is refused: {}", reasons.join("; "))]
    Refused {
        /// The template.
        name: TemplateName,
        /// Why.
        reasons: Vec<String>,
    },
    /// The template never had this content.
    #[error("template {name} was never published as {digest}")]
    VersionNotFound {
        /// The template.
        name: TemplateName,
        /// The digest that was asked for.
        digest: Digest,
    },
    /// The template was never published so.
    #[error("template {name} was never published as {target}")]
    TargetNotFound {
        /// The template.
        name: TemplateName,
        /// What was asked for.
        target: Target,
    },
    /// More than one version has a digest that begins so.
    #[error("more than one version of template {name} has a digest that begins with {digits}; give more of it")]
    TargetAmbiguous {
        /// The template.
        name: TemplateName,
        /// The beginning that was given.
        digits: String,
    },
    /// Nothing else was ever published.
    #[error("template {0} was never published with other content than it has now")]
    NothingBefore(TemplateName),
    /// A version may not be served any more.
    #[error("roll template {name} back to {version}: {}", reasons.join("; "))]
    RollbackRefused {
        /// The template.
        name: TemplateName,
        /// The version.
        version: Version,
        /// Why.
        reasons: Vec<String>,
    },
    /// As many requests wait as may.
    #[error("decide about template {0}: too many decisions wait")]
    Busy(TemplateName),
    /// The actor gave no answer.
    #[error("ask the templates: {0}")]
    Unavailable(#[from] CallError),
    /// The first look at the templates is not over.
    #[error("templates are not read yet")]
    NotReady,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A stored template cannot be read back.
    #[error("read stored template {name}: {reason}")]
    Stored {
        /// The template.
        name: TemplateName,
        /// What does not fit.
        reason: String,
    },
    /// The stored list of revocations cannot be read back.
    #[error("read the stored list of revocations: {0}")]
    StoredRevocations(String),
    /// A task of this room was cancelled or panicked.
    #[error("look at the templates: {0}")]
    Interrupted(String),
    /// A file cannot be read or written.
    #[error("{action} {}: {reason}", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the host says.
        reason: String,
    },
    /// A key is not written over another.
    #[error("{} exists already; a key is never overwritten", .0.display())]
    KeyExists(PathBuf),
    /// A key file cannot be used for signing.
    #[error("use the key {}: {reason}", path.display())]
    KeyUnusable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file is no good template.
    #[error("{} is not a template: {}", path.display(), told(mistakes))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// All its mistakes.
        mistakes: Vec<Mistake>,
    },
    /// The list of revocations cannot be raised.
    #[error("{}: {reason}", path.display())]
    Revocations {
        /// The list's file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file's signature makes it not trusted.
    #[error("{}: {fault}", path.display())]
    Signature {
        /// The file.
        path: PathBuf,
        /// Why.
        fault: Fault,
    },
}

fn told(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "template_not_found",
            Self::Refused { .. } => "template_refused",
            Self::VersionNotFound { .. } => "template_version_not_found",
            Self::TargetNotFound { .. } | Self::NothingBefore(_) => "template_version_not_found",
            Self::TargetAmbiguous { .. } => "template_version_ambiguous",
            Self::RollbackRefused { .. } => "template_rollback_refused",
            Self::Busy(_) => "templates_busy",
            Self::Unavailable(_) => "templates_unavailable",
            Self::NotReady => "templates_not_ready",
            Self::Store(error) => error.code(),
            Self::Stored { .. } | Self::StoredRevocations(_) => "store_read_failed",
            Self::Interrupted(_) => "internal",
            Self::File { .. } => "file_inaccessible",
            Self::KeyExists(_) => "key_exists",
            Self::KeyUnusable { .. } => "key_unusable",
            Self::Invalid { .. } => "template_invalid",
            Self::Revocations { .. } => "revocations_refused",
            Self::Signature { .. } => "template_signature_invalid",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::NotFound(_) | Self::VersionNotFound { .. } | Self::TargetNotFound { .. } | Self::NothingBefore(_) => {
                Class::NotFound
            }
            Self::TargetAmbiguous { .. } => Class::Conflict,
            Self::Busy(_) => Class::Overload,
            Self::Unavailable(_) => Class::Unavailable,
            Self::Refused { .. }
            | Self::RollbackRefused { .. }
            | Self::Invalid { .. }
            | Self::Revocations { .. }
            | Self::Signature { .. } => Class::Refused,
            Self::NotReady => Class::Unavailable,
            Self::Store(error) => error.class(),
            Self::Stored { .. } | Self::StoredRevocations(_) | Self::Interrupted(_) | Self::File { .. } => {
                Class::Internal
            }
            Self::KeyExists(_) => Class::Conflict,
            Self::KeyUnusable { .. } => Class::Malformed,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::NotReady | Self::Busy(_) | Self::Unavailable(_) => Retry::After(Duration::from_secs(1)),
            Self::Store(error) => error.retry(),
            Self::NotFound(_)
            | Self::Refused { .. }
            | Self::VersionNotFound { .. }
            | Self::TargetNotFound { .. }
            | Self::NothingBefore(_)
            | Self::TargetAmbiguous { .. }
            | Self::RollbackRefused { .. }
            | Self::Stored { .. }
            | Self::StoredRevocations(_)
            | Self::Interrupted(_)
            | Self::File { .. }
            | Self::KeyExists(_)
            | Self::KeyUnusable { .. }
            | Self::Invalid { .. }
            | Self::Revocations { .. }
            | Self::Signature { .. } => Retry::Never,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::NotFound(_)
            | Self::Refused { .. }
            | Self::VersionNotFound { .. }
            | Self::TargetNotFound { .. }
            | Self::NothingBefore(_)
            | Self::TargetAmbiguous { .. }
            | Self::RollbackRefused { .. }
            | Self::NotReady => self.to_string(),
            Self::Busy(_) => "too many decisions about templates wait; try again soon".to_owned(),
            Self::Unavailable(_) => "templates cannot be asked at the moment".to_owned(),
            Self::Store(error) => error.detail(),
            Self::Stored { .. } => "a stored template cannot be read".to_owned(),
            Self::StoredRevocations(_) => "the stored list of revocations cannot be read".to_owned(),
            Self::Interrupted(_) => "looking at the templates was interrupted".to_owned(),
            Self::File { action, .. } => format!("cannot {action} a file"),
            Self::KeyExists(_) => "a key of this name exists already; a key is never overwritten".to_owned(),
            Self::KeyUnusable { reason, .. } => format!("the key cannot be used: {reason}"),
            Self::Invalid { mistakes, .. } => format!("not a template: {}", told(mistakes)),
            Self::Revocations { reason, .. } => format!("the list of revocations {reason}"),
            Self::Signature { fault, .. } => format!("the template {fault}"),
        }
    }
}
