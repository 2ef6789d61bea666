//! What becomes of a plan's step, as it is written down. Pure.

use crate::domain::clock::Timestamp;
use crate::domain::money::Usd;
use crate::domain::private::Text;
use crate::domain::usage::Usage;
use crate::journal::record::{StepFailed, StepFinished, StepSkipped, TaskRecord, Then};
pub use crate::journal::state::TOOL_IN_DOUBT;
use crate::journal::state::{State, Task};

/// The code of a step that ended because its plan did.
pub const CANCELLED: &str = "cancelled";

/// A step's end.
#[derive(Debug, Clone, PartialEq)]
pub struct Conclusion {
    /// Its number.
    pub step: u32,
    /// How it ended.
    pub end: End,
    /// The unit's name, where the plan goes on without it.
    pub skipped: Option<String>,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// With a result.
    Finished {
        /// The result.
        output: Text,
        /// Tokens that a subtask used.
        usage: Usage,
        /// What a subtask cost.
        cost: Usd,
        /// Who decided, for instance.
        notes: Vec<(String, String)>,
    },
    /// Without.
    Failed {
        /// A stable code.
        code: String,
        /// What happened.
        message: String,
        /// What a subtask cost all the same.
        cost: Usd,
        /// What may follow.
        then: Then,
    },
}

impl End {
    /// A result that cost nothing.
    #[must_use]
    pub fn given(output: Text) -> Self {
        Self::Finished { output, usage: Usage::default(), cost: Usd::ZERO, notes: Vec::new() }
    }

    /// A failure that cost nothing and that nothing follows.
    #[must_use]
    pub fn failed(code: &str, message: impl Into<String>) -> Self {
        Self::Failed { code: code.to_owned(), message: message.into(), cost: Usd::ZERO, then: Then::GiveUp }
    }

    /// What a subtask that has ended means to its parent.
    #[must_use]
    pub fn of(child: &Task) -> Self {
        let (cost, usage) = (child.cost(), child.usage());
        match (&child.output, &child.fault) {
            (Some(output), _) if child.state == State::Succeeded => {
                Self::Finished { output: output.clone(), usage, cost, notes: Vec::new() }
            }
            (_, Some(fault)) => {
                Self::Failed { code: fault.code.clone(), message: fault.message.clone(), cost, then: Then::GiveUp }
            }
            (_, None) => Self::Failed {
                code: CANCELLED.to_owned(),
                message: "the subtask was cancelled".to_owned(),
                cost,
                then: Then::GiveUp,
            },
        }
    }

    /// Its code and message, where it is a failure.
    #[must_use]
    pub fn fault(&self) -> Option<(&str, &str)> {
        match self {
            Self::Finished { .. } => None,
            Self::Failed { code, message, .. } => Some((code, message)),
        }
    }

    /// Whether it is a failure that counts against the step.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Finished { .. } | Self::Failed { then: Then::Again { .. } | Then::Elsewhere { .. }, .. } => false,
            Self::Failed {
                then: Then::Retry { .. } | Then::Failover | Then::GiveUp | Then::Continue { .. }, ..
            } => true,
        }
    }
}

impl Conclusion {
    /// The records of it.
    #[must_use]
    pub fn into_records(self, at: Timestamp) -> Vec<TaskRecord> {
        let step = self.step;
        let record = match self.end {
            End::Finished { output, usage, cost, notes } => {
                TaskRecord::StepFinished(StepFinished { step, output, usage, cost, notes, at, calls: Vec::new() })
            }
            End::Failed { code, message, cost, then } => {
                let in_doubt = Usd::ZERO;
                TaskRecord::StepFailed(StepFailed { step, code, message, in_doubt, then, cost, at, arrived: None })
            }
        };
        let skipped = self.skipped.map(|name| {
            let reason = "it failed, and the plan goes on without it".to_owned();
            TaskRecord::StepSkipped(StepSkipped { name, reason, at })
        });
        std::iter::once(record).chain(skipped).collect()
    }
}
