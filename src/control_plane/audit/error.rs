//! What the audit log cannot do.

use std::time::Duration;

use crate::domain::failure::{Class, Failure, Retry};
use crate::store::{self, chain::Break};
use crate::supervision::CallError;

use super::note::Fault;

/// A failure of the audit log.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// More wait than may.
    #[error("ask the audit log: too many wait")]
    Busy,
    /// The chain does not hold.
    #[error("verify the audit log: {0}")]
    Broken(#[from] Break),
    /// The chain does not end where its head says.
    #[error("verify the audit log: it ends at {found} instead of {expected}")]
    CutOff {
        /// The last sequence number according to the head.
        expected: u64,
        /// The last one found.
        found: u64,
    },
    /// A checkpoint was made over more entries than there are.
    #[error("verify the audit log: a checkpoint was signed over {checkpoint} entries, and there are {found}")]
    Cut {
        /// How many there were.
        checkpoint: u64,
        /// How many there are.
        found: u64,
    },
    /// A checkpoint was made over other entries.
    #[error("verify the audit log: the first {size} entries are not those that a checkpoint was signed over")]
    OtherRoot {
        /// Over how many.
        size: u64,
    },
    /// A stored checkpoint was changed or is damaged.
    #[error("verify the audit log: the checkpoint over {size} entries: {fault}")]
    Checkpoint {
        /// Over how many.
        size: u64,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The last checkpoint was signed by another key than the daemon's.
    #[error("verify the audit log: the checkpoint over {size} entries was signed by another key than the present one")]
    OtherKey {
        /// Over how many.
        size: u64,
    },
    /// An entry cannot be read.
    #[error("read entry {sequence} of the audit log: {reason}")]
    Unreadable {
        /// Its place.
        sequence: u64,
        /// Why.
        reason: String,
    },
    /// There is no such entry.
    #[error("read entry {sequence} of the audit log: there are {entries}")]
    Unknown {
        /// What was asked for.
        sequence: u64,
        /// How many there are.
        entries: u64,
    },
    /// The store failed.
    #[error("keep the audit log: {0}")]
    Store(#[from] store::Error),
    /// The actor gave no answer.
    #[error("ask the audit log: {0}")]
    Unavailable(#[from] CallError),
}

impl Error {
    /// Whether it says that the log is not what it was, and not only that it could not be asked.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Broken(_)
            | Self::CutOff { .. }
            | Self::Cut { .. }
            | Self::OtherRoot { .. }
            | Self::Checkpoint { .. }
            | Self::OtherKey { .. }
            | Self::Unreadable { .. }
            | Self::Store(store::Error::Damaged { .. }) => true,
            Self::Busy | Self::Unknown { .. } | Self::Store(_) | Self::Unavailable(_) => false,
        }
    }
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Busy => "audit_busy",
            Self::Broken(_)
            | Self::CutOff { .. }
            | Self::Cut { .. }
            | Self::OtherRoot { .. }
            | Self::Checkpoint { .. } => "audit_broken",
            Self::OtherKey { .. } => "audit_other_key",
            Self::Unreadable { .. } => "audit_unreadable",
            Self::Unknown { .. } => "audit_entry_unknown",
            Self::Store(error) => error.code(),
            Self::Unavailable(_) => "audit_unavailable",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Busy => Class::Overload,
            Self::Broken(_)
            | Self::CutOff { .. }
            | Self::Cut { .. }
            | Self::OtherRoot { .. }
            | Self::Checkpoint { .. }
            | Self::OtherKey { .. }
            | Self::Unreadable { .. } => Class::Internal,
            Self::Unknown { .. } => Class::NotFound,
            Self::Store(error) => error.class(),
            Self::Unavailable(_) => Class::Unavailable,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Busy | Self::Unavailable(_) => Retry::After(Duration::from_secs(1)),
            Self::Broken(_)
            | Self::CutOff { .. }
            | Self::Cut { .. }
            | Self::OtherRoot { .. }
            | Self::Checkpoint { .. }
            | Self::OtherKey { .. }
            | Self::Unreadable { .. }
            | Self::Unknown { .. } => Retry::Never,
            Self::Store(error) => error.retry(),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Busy => "too many ask the audit log at once".to_owned(),
            Self::Broken(_)
            | Self::CutOff { .. }
            | Self::Cut { .. }
            | Self::OtherRoot { .. }
            | Self::Checkpoint { .. }
            | Self::OtherKey { .. }
            | Self::Unreadable { .. } => self.to_string(),
            Self::Unknown { entries, .. } => format!("there is no such entry; the audit log has {entries}"),
            Self::Store(error) => error.detail(),
            Self::Unavailable(_) => "the audit log cannot be asked at the moment".to_owned(),
        }
    }
}
