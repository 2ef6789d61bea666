//! What people may say about a task as it stands. Pure.

use super::record::{TaskRecord, Verdict};
use super::refusal::Refusal;
use super::release::DLP_REJECTED;
use super::state::{SIGNALS_MAX, State, StepStatus, Task};

/// How often one task may be retried.
pub const TASK_RETRIES_MAX: usize = 32;

/// The code of a task that needed attention as a whole and was rejected.
pub const REJECTED: &str = "attention_rejected";

/// The code of a step that asked for approval and was rejected.
pub const APPROVAL_REJECTED: &str = "approval_rejected";
/// The code of a tool's call in doubt that was rejected.
pub const TOOL_REJECTED: &str = "tool_rejected";
/// The note of a finished step that says who decided so.
pub const DECIDED_BY: &str = "decided_by";

/// What a decision is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A step that waits for it.
    Step(u32),
    /// The task as a whole, which ends.
    Whole,
}

/// The steps that wait for a person's decision, in order.
#[must_use]
pub fn undecided(task: &Task) -> Vec<u32> {
    task.steps.iter().map(|step| step.number).filter(|step| task.awaits_decision(*step)).collect()
}

/// What a decision about an open task is about; `wanted` is the step that the person named.
///
/// # Errors
/// Nothing waits for it, it was made before, or it is not clear what it is about.
pub fn decide(task: &Task, wanted: Option<u32>, verdict: Verdict) -> Result<Subject, Refusal> {
    let id = task.order.task;
    let waiting = undecided(task);
    match (wanted, waiting.as_slice()) {
        (Some(step), _) if waiting.contains(&step) => Ok(Subject::Step(step)),
        (Some(step), _) if was_decided(task, step) => Err(Refusal::AlreadyDecided { task: id, step }),
        (Some(_), _) => Err(Refusal::NothingToDecide(id)),
        (None, [step]) => Ok(Subject::Step(*step)),
        (None, []) => as_a_whole(task, verdict),
        (None, steps) => Err(Refusal::Ambiguous { task: id, steps: steps.to_vec() }),
    }
}

/// A decision that names no step, where none waits for it.
fn as_a_whole(task: &Task, verdict: Verdict) -> Result<Subject, Refusal> {
    let id = task.order.task;
    let needs_attention = task.attention.as_ref().is_some_and(|attention| attention.step.is_none());
    let has_open_steps = task.steps.iter().any(|step| step.status == StepStatus::Started);
    match (needs_attention, verdict, task.decisions.last()) {
        (true, Verdict::Rejected, _) if has_open_steps => Err(Refusal::StepsOpen(id)),
        (true, Verdict::Rejected, _) => Ok(Subject::Whole),
        (false, _, Some(decided)) => Err(Refusal::AlreadyDecided { task: id, step: decided.step }),
        (true, Verdict::Approved, _) | (false, _, None) => Err(Refusal::NothingToDecide(id)),
    }
}

/// Whether a person decided about a step: the decision waits to be taken up, or is what the step came to.
fn was_decided(task: &Task, number: u32) -> bool {
    let came_to = task.steps.iter().find(|step| step.number == number).is_some_and(|step| match &step.status {
        StepStatus::Started => false,
        StepStatus::Finished(finished) => finished.notes.iter().any(|(note, _)| note == DECIDED_BY),
        StepStatus::Failed(failed) => [APPROVAL_REJECTED, TOOL_REJECTED, DLP_REJECTED].contains(&failed.code.as_str()),
    });
    came_to || task.decision(number).is_some()
}

/// How often a task was retried, as its records tell.
#[must_use]
pub fn retries(records: &[TaskRecord]) -> usize {
    records.iter().filter(|record| matches!(record, TaskRecord::RetryRequested(_))).count()
}

/// Whether a task may be retried that was so `retries` times. A subtask that has ended may not: its plan has heard of its end.
///
/// # Errors
/// Why not.
pub fn retry(task: &Task, retries: usize) -> Result<(), Refusal> {
    let id = task.order.task;
    if task.attention.is_none() && task.state != State::Failed {
        return Err(Refusal::NotRetryable { task: id, state: task.state });
    }
    if let Some(parent) = task.order.parent().filter(|_| task.state.has_ended()) {
        return Err(Refusal::RetryTheParent { task: id, parent });
    }
    if retries >= TASK_RETRIES_MAX { Err(Refusal::RetriesFull(id)) } else { Ok(()) }
}

/// Whether an open task takes one more signal.
///
/// # Errors
/// Why not.
pub fn signal(task: &Task) -> Result<(), Refusal> {
    let id = task.order.task;
    if !task.is_plan() {
        Err(Refusal::SignalUnexpected(id))
    } else if task.signals.len() >= SIGNALS_MAX {
        Err(Refusal::SignalsFull(id))
    } else {
        Ok(())
    }
}
