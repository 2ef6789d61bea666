//! Steps of a task, and what is summed over them. Pure.

use std::sync::Arc;

use super::record::{StepFailed, StepFinished, StepKind};
use super::release::Release;
use crate::domain::clock::Timestamp;
use crate::domain::money::Usd;
use crate::domain::usage::Usage;

/// The code of a step that the daemon's end left open. It is not the task's fault and does not count as an attempt.
pub const IN_DOUBT: &str = "in_doubt";
/// The code of a step that its agent's end left open.
pub const AGENT_ENDED: &str = "agent_ended";
/// The code of a tool's call of which nobody knows whether it was made.
pub const TOOL_IN_DOUBT: &str = "tool_in_doubt";

/// A step and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its number, from 0.
    pub number: u32,
    /// The sequence of the record that started it.
    pub sequence: u64,
    /// What it does.
    pub kind: StepKind,
    /// What was reserved for it.
    pub reserved: Usd,
    /// When it started.
    pub started_at: Timestamp,
    /// What became of it.
    pub status: StepStatus,
    /// What a bill says that it cost, where that was not known.
    pub billed: Option<Usd>,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum StepStatus {
    /// Nothing yet, or the daemon ended before it was known.
    Started,
    /// A result.
    Finished(Arc<StepFinished>),
    /// None.
    Failed(Arc<StepFailed>),
}

impl Step {
    /// What a person is asked to let leave, where that is what the step does.
    #[must_use]
    pub fn release(&self) -> Option<&Release> {
        match &self.kind {
            StepKind::Approval { release, .. } => release.as_deref(),
            StepKind::Model { .. }
            | StepKind::Delegate { .. }
            | StepKind::Tool { .. }
            | StepKind::Timer { .. }
            | StepKind::Signal { .. } => None,
        }
    }

    /// What a person has let leave.
    #[must_use]
    pub fn granted(&self) -> Option<&Release> {
        self.release().filter(|_| matches!(self.status, StepStatus::Finished(_)))
    }

    /// What the step cost, doubtful amounts included.
    #[must_use]
    pub fn cost(&self) -> Usd {
        if let Some(billed) = self.billed {
            return billed;
        }
        match &self.status {
            StepStatus::Started => Usd::ZERO,
            StepStatus::Finished(finished) => finished.cost,
            StepStatus::Failed(failed) => failed.cost.plus(failed.in_doubt),
        }
    }
}

/// Why a task failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// A stable code.
    pub code: String,
    /// What happened.
    pub message: String,
}

/// Sums over all steps of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Steps that have started; the next one's number.
    pub started: u32,
    /// Steps that have finished.
    pub finished: u32,
    /// What the concluded ones cost, doubtful amounts included.
    pub cost: Usd,
    /// Tokens that the finished ones used.
    pub usage: Usage,
    /// Steps that ended with code [`IN_DOUBT`] since the task was last retried.
    pub in_doubt: u32,
    /// Steps that ended with code [`AGENT_ENDED`] since the task was last retried.
    pub agent_ended: u32,
    /// Failed attempts at the present model in a row that count as such.
    pub attempts: u32,
    /// The first step of those that make the present call: the others repeat it because nobody knows what became of it.
    pub call: u32,
}

/// What a task waits for a person for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attention {
    /// The open step that it is about, if it is about one.
    pub step: Option<u32>,
    /// What happened.
    pub fault: Fault,
}
