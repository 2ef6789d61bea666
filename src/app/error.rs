//! Why the daemon does not start, or stop in good order.

use std::io;
use std::path::PathBuf;

use crate::api::BindError;
use crate::control_plane::budget;
use crate::data_plane::dlp::KeyError;
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
