//! What people ask of a task that its state does not allow.

use std::time::Duration;

use super::state::State;
use crate::domain::failure::{Class, Failure, Retry};
use crate::domain::id::TaskId;

/// After how long a task that holds as many signals as it may can be sent another.
const SIGNALS_PAUSE: Duration = Duration::from_secs(5);

/// Why a decision, a retry or a signal is not taken. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No step waits for a decision.
    #[error("decide about {0}: nothing waits for a decision")]
    NothingToDecide(TaskId),
    /// Several steps wait for a decision, and none was named.
    #[error("decide about {task}: steps {steps:?} wait for a decision")]
    Ambiguous {
        /// The task.
        task: TaskId,
        /// The steps that wait.
        steps: Vec<u32>,
    },
    /// It was decided before.
    #[error("decide about {task}: step {step} was decided before")]
    AlreadyDecided {
        /// The task.
        task: TaskId,
        /// The step.
        step: u32,
    },
    /// It needs attention as a whole, and has steps that go on.
    #[error("reject {0}: steps of it have not concluded")]
    StepsOpen(TaskId),
    /// It neither failed nor needs attention.
    #[error("retry {task}: it is {}", .state.as_str())]
    NotRetryable {
        /// The task.
        task: TaskId,
        /// Where it stands.
        state: State,
    },
    /// It is a subtask that has ended: its parent goes on without it, or was ended by it.
    #[error("retry {task}: it is a subtask of {parent} and has ended")]
    RetryTheParent {
        /// The subtask.
        task: TaskId,
        /// The task that delegated it.
        parent: TaskId,
    },
    /// It was retried as often as a task may be.
    #[error("retry {0}: it was retried as often as a task may be")]
    RetriesFull(TaskId),
    /// It is no plan, and only plans wait for signals.
    #[error("signal {0}: it is no plan")]
    SignalUnexpected(TaskId),
    /// It holds as many signals as a task may.
    #[error("signal {0}: it holds as many signals as a task may")]
    SignalsFull(TaskId),
}

impl Failure for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::NothingToDecide(_) => "nothing_to_decide",
            Self::Ambiguous { .. } => "decision_ambiguous",
            Self::AlreadyDecided { .. } => "already_decided",
            Self::StepsOpen(_) => "steps_open",
            Self::NotRetryable { .. } => "not_retryable",
            Self::RetryTheParent { .. } => "retry_the_parent",
            Self::RetriesFull(_) => "retries_full",
            Self::SignalUnexpected(_) => "signal_unexpected",
            Self::SignalsFull(_) => "signals_full",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::NothingToDecide(_)
            | Self::Ambiguous { .. }
            | Self::AlreadyDecided { .. }
            | Self::StepsOpen(_)
            | Self::NotRetryable { .. }
            | Self::RetryTheParent { .. }
            | Self::SignalUnexpected(_) => Class::Conflict,
            Self::RetriesFull(_) => Class::Refused,
            Self::SignalsFull(_) => Class::Overload,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::SignalsFull(_) => Retry::After(SIGNALS_PAUSE),
            Self::NothingToDecide(_)
            | Self::Ambiguous { .. }
            | Self::AlreadyDecided { .. }
            | Self::StepsOpen(_)
            | Self::NotRetryable { .. }
            | Self::RetryTheParent { .. }
            | Self::RetriesFull(_)
            | Self::SignalUnexpected(_) => Retry::Never,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::NothingToDecide(task) => format!("nothing of {task} waits for a decision"),
            Self::Ambiguous { task, steps } => {
                let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
                format!("several steps of {task} wait for a decision, {}; name one as `step`", steps.join(", "))
            }
            Self::AlreadyDecided { task, step } => format!("step {step} of {task} was decided before, and that stands"),
            Self::StepsOpen(task) => {
                format!("{task} has steps that have not concluded; cancel it to stop them, or retry it")
            }
            Self::NotRetryable { task, state } => {
                format!("{task} is {}; only what failed or needs attention is retried", state.as_str())
            }
            Self::RetryTheParent { task, parent } => {
                format!("{task} is a subtask that has ended, and its plan has heard so; retry {parent}")
            }
            Self::RetriesFull(task) => format!("{task} was retried as often as a task may be; submit it anew"),
            Self::SignalUnexpected(task) => format!("{task} is no plan, and only plans wait for signals"),
            Self::SignalsFull(task) => format!("{task} holds as many signals as a task may; none was taken yet"),
        }
    }
}
