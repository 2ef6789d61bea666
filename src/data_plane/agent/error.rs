//! What stops an agent.

use crate::journal;

/// Why a task could not be brought to its end.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The journal failed. The task is still open.
    #[error(transparent)]
    Journal(#[from] journal::Error),
}
