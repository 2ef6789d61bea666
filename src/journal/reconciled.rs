//! That a bill has settled an amount in doubt, as it stands in the records; and why one settles nothing.

use minicbor::{Decode, Encode};

use super::codec;
use crate::domain::clock::Timestamp;
use crate::domain::failure::{Class, Failure, Retry};
use crate::domain::id::TaskId;
use crate::domain::money::Usd;

/// See [`TaskRecord::Reconciled`](super::record::TaskRecord::Reconciled).
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Reconciled {
    /// The step.
    #[n(0)]
    pub step: u32,
    /// What was booked for it.
    #[cbor(n(1), with = "codec::usd")]
    pub was: Usd,
    /// What it cost.
    #[cbor(n(2), with = "codec::usd")]
    pub cost: Usd,
    /// Who says so.
    #[n(3)]
    pub by: String,
    /// When.
    #[cbor(n(4), with = "codec::time")]
    pub at: Timestamp,
}

/// Why a bill settles nothing. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreconciled {
    /// There is no such task.
    #[error("reconcile {0}: there is no such task")]
    NoTask(TaskId),
    /// The task has no such step or call.
    #[error("reconcile {task}: it has no {what} {number}")]
    NoStep {
        /// The task.
        task: TaskId,
        /// `step` or `call`.
        what: &'static str,
        /// Which.
        number: u32,
    },
    /// What it cost was never in doubt.
    #[error("reconcile {task}: what {what} {number} cost is not in doubt")]
    NotInDoubt {
        /// The task.
        task: TaskId,
        /// `step` or `call`.
        what: &'static str,
        /// Which.
        number: u32,
    },
    /// Another bill has settled it.
    #[error("reconcile {task}: {what} {number} was reconciled with {cost} USD")]
    Already {
        /// The task.
        task: TaskId,
        /// `step` or `call`.
        what: &'static str,
        /// Which.
        number: u32,
        /// What it cost then.
        cost: Usd,
    },
    /// It, or a task above it, goes on.
    #[error("reconcile {task}: {open} has not ended")]
    Open {
        /// The task.
        task: TaskId,
        /// The task that goes on.
        open: TaskId,
    },
}

impl Failure for Unreconciled {
    fn code(&self) -> &'static str {
        match self {
            Self::NoTask(_) => "not_found",
            Self::NoStep { .. } => "step_not_found",
            Self::NotInDoubt { .. } => "step_not_in_doubt",
            Self::Already { .. } => "already_reconciled",
            Self::Open { .. } => "reconcile_task_open",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::NoTask(_) | Self::NoStep { .. } => Class::NotFound,
            Self::NotInDoubt { .. } | Self::Already { .. } | Self::Open { .. } => Class::Conflict,
        }
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn detail(&self) -> String {
        match self {
            Self::NoTask(task) => {
                format!("there is no task {task}; tasks are deleted when they are old, with what is in doubt of them")
            }
            Self::NoStep { task, what, number } => format!("{task} has no {what} {number}"),
            Self::NotInDoubt { task, what, number } => format!("what {what} {number} of {task} cost is not in doubt"),
            Self::Already { task, what, number, cost } => {
                format!("{what} {number} of {task} was reconciled with {cost} USD; a bill counts once")
            }
            Self::Open { task, open } => format!("{task} cannot be reconciled before {open} has ended"),
        }
    }
}
