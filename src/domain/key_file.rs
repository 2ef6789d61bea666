//! Where a key of the host's lies.

use std::path::{Path, PathBuf};

/// A file with a key; the key itself is never in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFile {
    /// A file that the settings name.
    File(PathBuf),
    /// A credential that systemd passed to the service.
    Credential(PathBuf),
}

impl KeyFile {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Credential(path) => path,
        }
    }
}
