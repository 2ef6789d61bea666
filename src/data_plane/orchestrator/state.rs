//! What an orchestrator does next about a plan: a pure function of the task's records and its plan.
//!
//! ```text
//!          ┌───────────────────── retried ─────────────────────┐
//!          v                                                   │
//! Work (start, wait) ─> Conclude ─> Work …  ─┬─> Ask ─> (needs attention) ─> rejected
//!                                            ├─> Stop ─> End(failed, cancelled)
//!                                            └─> End(aggregate)
//! ```
//! What failed before a person wanted the task retried does not count: the unit gets another attempt. What has finished stays so.

use super::aggregate::aggregate;
use super::conclusion::Conclusion;
use super::round::{Progress, Round};
use super::unit::Unit;
use crate::control_plane::template::plan::Plan;
use crate::data_plane::agent::state::{REPLAY_DIVERGED, too_late};
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::journal::record::{Outcome, StepKind};
use crate::journal::state::{StepStatus, Task};

/// Attempts at a unit whose step says `retry`.
pub const ATTEMPTS_MAX: u32 = 2;

/// The code of a task that asks what to do about a failed step.
pub const STEP_FAILED: &str = "step_failed";

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// These units run or are to run; where there is none, only somebody outside can bring the task on.
    Work {
        /// To be written down as started.
        start: Vec<Unit>,
        /// Subtasks, written down as started before.
        running: Vec<Unit>,
        /// Tools' calls, written down as started before, to be made again under the same key.
        calls: Vec<Unit>,
        /// When to decide again, whatever happens.
        until: Option<Timestamp>,
    },
    /// These steps are done; nothing needs to be called for that.
    Conclude(Vec<Conclusion>),
    /// The task cannot go on without a person.
    Ask(Question),
    /// What still runs must end before the task can.
    Stop(Stop),
    /// The task ends.
    End(Outcome),
}

/// What a person is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The open step that it is about, if it is about one.
    pub step: Option<u32>,
    /// A stable code.
    pub code: &'static str,
    /// What happened, and what a person can do.
    pub message: String,
}

/// What must end before the task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stop {
    /// Subtasks, to be cancelled and waited for.
    pub children: Vec<TaskId>,
    /// Steps that end at once.
    pub cut: Vec<u32>,
    /// Tools' calls under way, to be waited for.
    pub finishing: Vec<u32>,
}

/// What a decision is made from.
pub struct Rules<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The most units of one plan step.
    pub fan_out: u32,
    /// Whether a subtask is known to have been submitted.
    pub is_submitted: &'a dyn Fn(TaskId) -> bool,
    /// Whether the tool of a step is being called at this moment.
    pub is_called: &'a dyn Fn(u32) -> bool,
    /// Why the task's records are not a story of this plan, where they are not.
    pub diverged: Option<&'a str>,
}

/// Decides what comes next.
#[must_use]
pub fn next(task: &Task, rules: &Rules<'_>, now: Timestamp) -> Next {
    if task.cancel_requested_by.is_some() {
        return end(task, &|_| false, Outcome::Cancelled);
    }
    if let Some(late) = too_late(&task.order, now) {
        return end(task, &|_| false, late);
    }
    let rest = || Next::Work { start: Vec::new(), running: Vec::new(), calls: Vec::new(), until: None };
    if let Some(why) = rules.diverged {
        let message = format!("its records are not a story of its plan: {why}; cancel it, and submit it again");
        let question = Question { step: None, code: REPLAY_DIVERGED, message };
        return if task.attention.is_some() { rest() } else { Next::Ask(question) };
    }
    let Progress { outputs, start, running, calls, waits, until, conclude, in_doubt, failed, failure, .. } =
        Round::of(task, rules, now).advance();
    if !conclude.is_empty() {
        return Next::Conclude(conclude);
    }
    if let Some(failure) = &failure {
        return end(task, rules.is_called, Outcome::failed(&failure.code, &failure.message));
    }
    if task.attention.is_some() {
        return Next::Work { start: Vec::new(), running, calls, until };
    }
    if let Some(question) = in_doubt {
        return Next::Ask(question);
    }
    if start.is_empty() && running.is_empty() && calls.is_empty() && !waits {
        return match failed {
            Some(question) => Next::Ask(question),
            None => Next::End(aggregate(task, rules.plan, &outputs)),
        };
    }
    Next::Work { start, running, calls, until }
}

/// Ends the task, or first what is open; tools' calls under way may finish where `may_finish` says so.
fn end(task: &Task, may_finish: &dyn Fn(u32) -> bool, outcome: Outcome) -> Next {
    let mut stop = Stop { children: task.open_children(), ..Stop::default() };
    for step in task.steps.iter().filter(|step| step.status == StepStatus::Started) {
        match &step.kind {
            StepKind::Delegate { .. } => {}
            StepKind::Tool { .. } if may_finish(step.number) => stop.finishing.push(step.number),
            StepKind::Tool { .. }
            | StepKind::Model { .. }
            | StepKind::Timer { .. }
            | StepKind::Approval { .. }
            | StepKind::Signal { .. } => stop.cut.push(step.number),
        }
    }
    if stop == Stop::default() { Next::End(outcome) } else { Next::Stop(stop) }
}
