//! What the store cannot do.

use crate::domain::failure::{Class, Failure, Retry};

/// A failure of the store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The commit failed or was not confirmed; nothing of it may be acknowledged.
    #[error("commit to the store: {0}")]
    Commit(String),
    /// The store refuses writes since an earlier failure.
    #[error("the store takes no writes since: {0}")]
    Unwell(String),
    /// A read failed.
    #[error("read from the store: {0}")]
    Read(String),
    /// A record does not match its checksum, or its pieces are missing.
    #[error("damaged record under {keyspace} {key}: {reason}")]
    Damaged {
        /// The keyspace's letter.
        keyspace: char,
        /// The key in hexadecimal.
        key: String,
        /// What does not fit.
        reason: String,
    },
    /// A batch is beyond a limit of the store.
    #[error("{found} {what} are more than {most}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much there may be.
        most: usize,
    },
    /// A batch writes where only the store itself may.
    #[error("a batch writes to a keyspace that only the store writes to")]
    Reserved,
    /// The directory cannot be opened.
    #[error("open the store: {0}")]
    Open(String),
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Commit(_) | Self::Unwell(_) => "store_unwell",
            Self::Read(_) | Self::Damaged { .. } => "store_read_failed",
            Self::TooLarge { .. } => "record_too_large",
            Self::Reserved => "store_keyspace_reserved",
            Self::Open(_) => "store_open_failed",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Commit(_) | Self::Unwell(_) | Self::Open(_) => Class::Unavailable,
            Self::TooLarge { .. } => Class::TooLarge,
            Self::Read(_) | Self::Damaged { .. } | Self::Reserved => Class::Internal,
        }
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn detail(&self) -> String {
        match self {
            Self::Commit(_) | Self::Unwell(_) => "the store cannot make anything durable now".to_owned(),
            Self::Read(_) | Self::Damaged { .. } => "a stored record cannot be read".to_owned(),
            Self::TooLarge { what, found, most } => format!("{found} {what} are more than {most}"),
            Self::Reserved => "a change cannot be stored where it was meant to be".to_owned(),
            Self::Open(_) => "the store cannot be opened".to_owned(),
        }
    }
}
