//! What the journal cannot do.

use crate::domain::failure::{Class, Failure, Retry};
use crate::domain::id::TaskId;
use crate::store;

/// A failure or refusal of the journal.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A record cannot be read by this version.
    #[error("decode record {sequence} of {task}: {reason}")]
    Undecodable {
        /// The task.
        task: String,
        /// The record's sequence.
        sequence: u64,
        /// What is wrong.
        reason: String,
    },
    /// The task has ended, or there is none of that name; nothing more is written about it.
    #[error("append to {0}: it is not open")]
    NotOpen(TaskId),
    /// Somebody else has taken the task up since; whoever wrote is a ghost and must stop.
    #[error("append to {0}: somebody else has taken it up")]
    Fenced(TaskId),
    /// Another writer was there first.
    #[error("append to {0}: another writer was there first")]
    Superseded(TaskId),
    /// The task has as many records as a task may have.
    #[error("append to {0}: it has as many records as a task may have")]
    Full(TaskId),
    /// A task of that name exists.
    #[error("submit {0}: it exists")]
    Exists(TaskId),
    /// The writer of a record was cut off; whether the record is durable will be known after a restart.
    #[error("append to {0}: interrupted")]
    Interrupted(TaskId),
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Undecodable { .. } => "record_undecodable",
            Self::NotOpen(_) => "task_ended",
            Self::Fenced(_) => "task_fenced",
            Self::Superseded(_) => "task_superseded",
            Self::Full(_) => "task_too_long",
            Self::Exists(_) => "task_exists",
            Self::Interrupted(_) => "interrupted",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Store(error) => error.class(),
            Self::Undecodable { .. } | Self::Interrupted(_) => Class::Internal,
            Self::NotOpen(_) | Self::Fenced(_) | Self::Superseded(_) | Self::Exists(_) => Class::Conflict,
            Self::Full(_) => Class::Refused,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Store(error) => error.retry(),
            Self::Undecodable { .. }
            | Self::NotOpen(_)
            | Self::Fenced(_)
            | Self::Superseded(_)
            | Self::Full(_)
            | Self::Exists(_)
            | Self::Interrupted(_) => Retry::Never,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Store(error) => error.detail(),
            Self::Undecodable { task, sequence, .. } => {
                format!("record {sequence} of {task} cannot be read by this version")
            }
            Self::NotOpen(task) => format!("{task} has ended"),
            Self::Fenced(task) => format!("{task} was taken up by somebody else"),
            Self::Superseded(task) => format!("{task} was changed at the same moment"),
            Self::Full(task) => format!("{task} has as many records as a task may have"),
            Self::Exists(task) => format!("{task} exists already"),
            Self::Interrupted(task) => format!("writing to {task} was interrupted"),
        }
    }
}
