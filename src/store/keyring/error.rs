//! What the keys of the store cannot do.

use std::path::PathBuf;

use crate::domain::failure::{Class, Failure, Retry};

/// A failure of the keys. No message holds a key.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The store is encrypted, and nobody gave the master key.
    #[error("open the store: {} is there, and no master key was given: set [encryption] master_key_file", keyring.display())]
    MasterMissing {
        /// The keyring.
        keyring: PathBuf,
    },
    /// The master key is not the one that wraps the keys.
    #[error("open the store: the master key does not fit {}: nothing was written", keyring.display())]
    MasterWrong {
        /// The keyring.
        keyring: PathBuf,
    },
    /// A file holds no master key that may be used.
    #[error("read the master key: {} {why}", path.display())]
    MasterUnusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Records are encrypted, and the keyring that has their keys is not there, or is older than they are.
    #[error("open the store: its records need {}, and it {why}: put it back, or restore a backup", keyring.display())]
    RingMissing {
        /// The keyring.
        keyring: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The keyring cannot be read.
    #[error("open the store: {} cannot be used: {why}", keyring.display())]
    RingUnreadable {
        /// The keyring.
        keyring: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The keyring has as many keys as it may have.
    #[error("make a key: the keyring has {0} keys, which is all that it may have")]
    Full(u32),
    /// The disk failed under the keyring.
    #[error("write the keyring: {0}")]
    Failed(String),
    /// Keys are being replaced.
    #[error("replace the keys: they are being replaced")]
    Rotating,
    /// Nothing is encrypted.
    #[error("nothing is encrypted: no master key was given")]
    Off,
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::MasterMissing { .. } => "master_key_missing",
            Self::MasterWrong { .. } => "master_key_wrong",
            Self::MasterUnusable { .. } => "master_key_unusable",
            Self::RingMissing { .. } => "keyring_missing",
            Self::RingUnreadable { .. } => "keyring_unreadable",
            Self::Full(_) => "keyring_full",
            Self::Failed(_) => "keyring_failed",
            Self::Rotating => "rotation_running",
            Self::Off => "encryption_off",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::MasterMissing { .. }
            | Self::MasterWrong { .. }
            | Self::MasterUnusable { .. }
            | Self::RingMissing { .. }
            | Self::RingUnreadable { .. }
            | Self::Full(_)
            | Self::Failed(_) => Class::Unavailable,
            Self::Rotating | Self::Off => Class::Conflict,
        }
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn detail(&self) -> String {
        match self {
            Self::MasterMissing { .. } => "the store is encrypted, and there is no master key",
            Self::MasterWrong { .. } => "the master key is not the one of this store",
            Self::MasterUnusable { .. } => "the file of the master key holds none that may be used",
            Self::RingMissing { .. } | Self::RingUnreadable { .. } => "the keys of the store cannot be read",
            Self::Full(_) => "there are as many keys as there may be",
            Self::Failed(_) => "the store cannot make a key durable now",
            Self::Rotating => "the keys are being replaced; ask again when that is done",
            Self::Off => "nothing is encrypted here: no master key is set",
        }
        .to_owned()
    }
}
