//! What the audit log cannot do.

use std::time::Duration;

use crate::domain::failure::{Class, Failure, Retry};
use crate::store::{self, chain::Break};
use crate::supervision::CallError;

/// A failure of the audit log.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// More refusals wait to be recorded than may.
    #[error("record a refusal: too many wait to become durable")]
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
    /// An entry cannot be read.
    #[error("read entry {sequence} of the audit log: {reason}")]
    Unreadable {
        /// Its place.
        sequence: u64,
        /// Why.
        reason: String,
    },
    /// The store failed.
    #[error("keep the audit log: {0}")]
    Store(#[from] store::Error),
    /// The actor gave no answer.
    #[error("ask the audit log: {0}")]
    Unavailable(#[from] CallError),
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Busy => "audit_busy",
            Self::Broken(_) | Self::CutOff { .. } => "audit_broken",
            Self::Unreadable { .. } => "audit_unreadable",
            Self::Store(error) => error.code(),
            Self::Unavailable(_) => "audit_unavailable",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Busy => Class::Overload,
            Self::Broken(_) | Self::CutOff { .. } | Self::Unreadable { .. } => Class::Internal,
            Self::Store(error) => error.class(),
            Self::Unavailable(_) => Class::Unavailable,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Busy | Self::Unavailable(_) => Retry::After(Duration::from_secs(1)),
            Self::Broken(_) | Self::CutOff { .. } | Self::Unreadable { .. } => Retry::Never,
            Self::Store(error) => error.retry(),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Busy => "too many requests are being refused at once".to_owned(),
            Self::Broken(_) | Self::CutOff { .. } | Self::Unreadable { .. } => self.to_string(),
            Self::Store(error) => error.detail(),
            Self::Unavailable(_) => "the audit log cannot be asked at the moment".to_owned(),
        }
    }
}
