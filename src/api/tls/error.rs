//! Why files of TLS are not used. The caller of the API never sees these: they are of the start and of SIGHUP.

use std::path::PathBuf;

use crate::domain::failure::{Class, Failure};

/// A set of files that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("read {}: {reason}", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// What the host says.
        reason: String,
    },
    /// Others may read the key, or write what decides who gets in.
    #[error("{} has mode {mode:03o} and belongs to uid {owner}: {wanted}", file.display())]
    Exposed {
        /// Which.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Its owner.
        owner: u32,
        /// What would be right.
        wanted: &'static str,
    },
    /// What is in a file is not what is expected there.
    #[error("understand {}: {reason}", file.display())]
    Malformed {
        /// Which.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Each file is right, and together they are not.
    #[error("put {} to use: {reason}", file.display())]
    Unusable {
        /// The file that does not fit the others.
        file: PathBuf,
        /// How.
        reason: String,
    },
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "tls_file_unreadable",
            Self::Exposed { .. } => "tls_file_exposed",
            Self::Malformed { .. } => "tls_file_malformed",
            Self::Unusable { .. } => "tls_files_unusable",
        }
    }

    fn class(&self) -> Class {
        Class::Internal
    }

    fn detail(&self) -> String {
        "the certificates of this daemon cannot be used".to_owned()
    }
}
