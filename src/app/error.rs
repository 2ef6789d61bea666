//! Why the daemon does not start, or stop in good order.

use std::io;
use std::path::PathBuf;

use crate::api::BindError;
use crate::control_plane::{audit, budget};
use crate::data_plane::dlp::KeyError;
use crate::data_plane::dlp::rules::Refused;
use crate::data_plane::erasure;
use crate::supervision::{CallError, StartError};
use crate::{journal, store};

/// A failure of the daemon as a whole.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing to listen on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The data directory cannot be made.
    #[error("create the data directory {}: {fault}", directory.display())]
    DataDirectory {
        /// The directory.
        directory: PathBuf,
        /// What the host says.
        fault: io::Error,
    },
    /// The store cannot be opened or closed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The journal cannot be replayed.
    #[error("replay the journal: {0}")]
    Journal(#[from] journal::Error),
    /// The key of pseudonyms cannot be read or made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key of the audit log cannot be read or made.
    #[error(transparent)]
    AuditKey(#[from] audit::KeyError),
    /// The operator's DLP rules cannot be used.
    #[error("read the DLP rules:\n{0}")]
    Rules(#[from] Refused),
    /// An erasure that was begun cannot be read.
    #[error("go on with erasures: {0}")]
    Erasures(#[from] erasure::Error),
    /// A part of the tree did not start.
    #[error("start the supervision tree: {0}")]
    Tree(StartError),
    /// The new settings are not in force.
    #[error("reload settings: {0}")]
    Reload(CallError),
    /// The new limits are not in force.
    #[error("reload limits: {0}")]
    Limits(#[from] budget::Error),
    /// A thread that started a part ended early.
    #[error("start a part: {0}")]
    Thread(tokio::task::JoinError),
}

impl Error {
    /// What an operator can do where the data directory keeps the daemon from starting.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Store(error) | Self::Journal(journal::Error::Store(error)) => advice_on_store(error),
            Self::DataDirectory { .. } => {
                Some("let the daemon's user make and write it, or name another with --data-dir")
            }
            Self::Bind(_)
            | Self::Journal(_)
            | Self::Key(_)
            | Self::AuditKey(_)
            | Self::Rules(_)
            | Self::Erasures(_)
            | Self::Tree(_)
            | Self::Reload(_)
            | Self::Limits(_)
            | Self::Thread(_) => None,
        }
    }
}

fn advice_on_store(error: &store::Error) -> Option<&'static str> {
    use store::Error as E;
    match error {
        E::InUse(_) => Some("stop the other daemon, or give this one another --data-dir"),
        E::Foreign { .. } => {
            Some("name the right directory with data_dir or --data-dir; nothing in this one was changed")
        }
        E::Newer { .. } => Some(
            "run the release that wrote it, or a newer one; nothing was changed. A backup of this release can be restored",
        ),
        E::Corrupt { .. } => Some(
            "put back the last backup with `factoryctl restore FILE`, which keeps the damaged directory beside the new one; \
             a directory without writes since its last backup loses nothing",
        ),
        E::Incomplete { .. } => Some(
            "put back the last backup with `factoryctl restore FILE`, which keeps this directory beside the new one; or, to go on \
             without what is lost, remove the file store.position from the data directory",
        ),
        E::Open(_) => Some(
            "free space, or let the daemon's user write the directory; if it is damaged, `factoryctl restore FILE`",
        ),
        E::Read(_) | E::Damaged { .. } => Some("put back the last backup with `factoryctl restore FILE`"),
        E::Keys(error) => advice_on_keys(error),
        E::Commit(_)
        | E::Unwell(_)
        | E::Erased { .. }
        | E::NoRoom(_)
        | E::TooLarge { .. }
        | E::Reserved
        | E::BackupRunning
        | E::BackupOvertaken(_)
        | E::BackupAbandoned(_)
        | E::Archive { .. }
        | E::Restore(_) => None,
    }
}

fn advice_on_keys(error: &store::KeyError) -> Option<&'static str> {
    use store::KeyError as E;
    match error {
        E::MasterMissing { .. } => Some(
            "set [encryption] master_key_file, or pass the credential factoryd.master-key: without the key that the store was \
             encrypted under nothing of it can be read",
        ),
        E::MasterWrong { .. } => Some(
            "name the key of this data directory in [encryption] master_key_file; after a change of keys, name the one before in \
             previous_master_key_file as well",
        ),
        E::MasterUnusable { .. } => Some("make one with `factoryctl keys master FILE`, outside the data directory"),
        E::RingMissing { .. } | E::RingUnreadable { .. } => {
            Some("put back the last backup with `factoryctl restore FILE`; nothing in this directory was changed")
        }
        E::Full(_) | E::Failed(_) | E::Rotating | E::Off => None,
    }
}
