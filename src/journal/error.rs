//! What the journal cannot do.

use crate::domain::failure::{Class, Failure, Retry};
use crate::domain::id::{AgentId, TaskId};
use crate::store;

use super::Refusal;
use super::reconciled::Unreconciled;

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
    /// A record is missing: what came before and what follows is there.
    #[error("replay {task}: record {sequence} is missing")]
    Hole {
        /// The task.
        task: TaskId,
        /// The sequence of the missing record.
        sequence: u64,
    },
    /// A newer version of the daemon wrote a record.
    #[error("replay {task}: record {sequence} is of version {version}, newer than this daemon")]
    Newer {
        /// The task.
        task: TaskId,
        /// The record's sequence.
        sequence: u64,
        /// The version of its encoding.
        version: u8,
    },
    /// The task has ended, or there is none of that name; nothing more is written about it.
    #[error("append to {0}: it is not open")]
    NotOpen(TaskId),
    /// The task goes on; it can be judged when it has ended.
    #[error("judge {0}: it has not ended")]
    NotEnded(TaskId),
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
    /// The task was judged as often as a task may be.
    #[error("judge {0}: it has as many judgements as a task may have")]
    FeedbackFull(TaskId),
    /// There is no registered agent of that name.
    #[error("stop {0}: there is no such agent")]
    NoAgent(AgentId),
    /// The agent was stopped before.
    #[error("stop {0}: it was stopped before")]
    AgentStopped(AgentId),
    /// The task's state does not allow what somebody asks of it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A bill settles nothing.
    #[error(transparent)]
    Unreconciled(#[from] Unreconciled),
}

impl Failure for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Undecodable { .. } => "record_undecodable",
            Self::Hole { .. } => "journal_hole",
            Self::Newer { .. } => "record_newer",
            Self::NotOpen(_) => "task_ended",
            Self::NotEnded(_) => "task_not_ended",
            Self::Fenced(_) => "task_fenced",
            Self::Superseded(_) => "task_superseded",
            Self::Full(_) => "task_too_long",
            Self::Exists(_) => "task_exists",
            Self::Interrupted(_) => "interrupted",
            Self::FeedbackFull(_) => "feedback_full",
            Self::NoAgent(_) => "agent_not_found",
            Self::AgentStopped(_) => "agent_stopped",
            Self::Refused(refusal) => refusal.code(),
            Self::Unreconciled(refusal) => refusal.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Store(error) => error.class(),
            Self::Undecodable { .. } | Self::Hole { .. } | Self::Newer { .. } | Self::Interrupted(_) => Class::Internal,
            Self::NotOpen(_)
            | Self::NotEnded(_)
            | Self::Fenced(_)
            | Self::Superseded(_)
            | Self::Exists(_)
            | Self::AgentStopped(_) => Class::Conflict,
            Self::Full(_) | Self::FeedbackFull(_) => Class::Refused,
            Self::NoAgent(_) => Class::NotFound,
            Self::Refused(refusal) => refusal.class(),
            Self::Unreconciled(refusal) => refusal.class(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Store(error) => error.retry(),
            Self::Refused(refusal) => refusal.retry(),
            Self::Unreconciled(refusal) => refusal.retry(),
            Self::Undecodable { .. }
            | Self::Hole { .. }
            | Self::Newer { .. }
            | Self::NotOpen(_)
            | Self::NotEnded(_)
            | Self::Fenced(_)
            | Self::Superseded(_)
            | Self::Full(_)
            | Self::Exists(_)
            | Self::Interrupted(_)
            | Self::FeedbackFull(_)
            | Self::NoAgent(_)
            | Self::AgentStopped(_) => Retry::Never,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Store(error) => error.detail(),
            Self::Undecodable { task, sequence, .. } => {
                format!("record {sequence} of {task} cannot be read by this version")
            }
            Self::Hole { task, sequence } => {
                format!("record {sequence} of {task} is missing; restore the last backup to have it back")
            }
            Self::Newer { task, sequence, .. } => {
                format!("record {sequence} of {task} was written by a newer factoryd; start that version")
            }
            Self::NotOpen(task) => format!("{task} has ended"),
            Self::NotEnded(task) => format!("{task} has not ended; judge it when it has"),
            Self::Fenced(task) => format!("{task} was taken up by somebody else"),
            Self::Superseded(task) => format!("{task} was changed at the same moment"),
            Self::Full(task) => format!("{task} has as many records as a task may have"),
            Self::Exists(task) => format!("{task} exists already"),
            Self::Interrupted(task) => format!("writing to {task} was interrupted"),
            Self::FeedbackFull(task) => format!("{task} was judged as often as a task may be"),
            Self::NoAgent(agent) => format!("there is no agent {agent}"),
            Self::AgentStopped(agent) => format!("{agent} was stopped before"),
            Self::Refused(refusal) => refusal.detail(),
            Self::Unreconciled(refusal) => refusal.detail(),
        }
    }
}
