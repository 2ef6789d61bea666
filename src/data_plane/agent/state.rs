//! What an agent does next about a task: a pure function of the task's records and its route.
//!
//! ```text
//!            ┌────────── retry, failover ──────────┐
//!            v                                     │
//! Queued ─> Call ──(daemon ended meanwhile)─> Doubt ┤
//!            │ └────────(provider failed)───────────┘
//!            └──(answered, cancelled, too late, given up)─> End
//! ```

use std::time::Duration;

use crate::domain::clock::Timestamp;
use crate::domain::money::Usd;
use crate::domain::name::ModelRef;
use crate::journal::record::{Outcome, StepFailed, StepKind, Then};
use crate::journal::state::{Step, StepStatus, Task};

/// Attempts at one model before the route's next model is tried.
pub const ATTEMPTS_MAX: usize = 3;

/// Calls of one task that may be cut off by the daemon's end before the task is given up: what ends the daemon every time must
/// not be paid for without limit.
pub const DOUBTS_MAX: usize = 50;

/// The code of a step that the daemon's end left open. It is not the task's fault and does not count as an attempt.
pub const IN_DOUBT: &str = "in_doubt";
/// Calls of one task that may be cut off by its agent's end, which may have been its supervisor's, before the task is given up.
pub const AGENT_ENDS_MAX: usize = 10;

/// The code of a step that its agent's end left open.
pub const AGENT_ENDED: &str = "agent_ended";
/// The code of a task whose deadline passed.
pub const DEADLINE_EXCEEDED: &str = "deadline_exceeded";

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// A call was under way when its agent ended; whether the provider bills it is not known. It is booked as spent.
    Doubt {
        /// The step.
        step: u32,
        /// What is booked.
        reserved: Usd,
    },
    /// A model is called.
    Call {
        /// The new step.
        step: u32,
        /// The model.
        model: ModelRef,
        /// No sooner than this.
        not_before: Timestamp,
    },
    /// The task ends.
    End(Outcome),
}

/// Decides what comes next for a task that has not ended and whose agent has no call under way.
#[must_use]
pub fn next(task: &Task, route: &[ModelRef], now: Timestamp) -> Next {
    if let Some(open) = task.open_call() {
        return Next::Doubt { step: open.number, reserved: open.reserved };
    }
    if let Some(StepStatus::Finished(finished)) = task.steps.last().map(|step| &step.status) {
        return Next::End(Outcome::AnsweredByStep { step: finished.step });
    }
    if let Some(outcome) = interruption(task, now) {
        return Next::End(outcome);
    }
    match task.after_failure() {
        None => call(task, route.first(), now),
        Some((failed, then)) => after_failure(task, route, failed, then),
    }
}

/// The end of a task that was cancelled, is late, or was cut off too often, whatever else is the case.
#[must_use]
pub fn interruption(task: &Task, now: Timestamp) -> Option<Outcome> {
    if task.cancel_requested_by.is_some() {
        return Some(Outcome::Cancelled);
    }
    if task.order.deadline.is_some_and(|deadline| deadline <= now) {
        return Some(Outcome::failed(DEADLINE_EXCEEDED, "the deadline passed before the task was done"));
    }
    let cut_off = |code: &str| {
        let by = |step: &&Step| matches!(&step.status, StepStatus::Failed(failed) if failed.code == code);
        task.steps.iter().filter(by).count()
    };
    if cut_off(IN_DOUBT) >= DOUBTS_MAX || cut_off(AGENT_ENDED) >= AGENT_ENDS_MAX {
        let message = "the daemon or its agent ended during its calls more often than is borne";
        return Some(Outcome::failed("in_doubt_too_often", message));
    }
    None
}

fn after_failure(task: &Task, route: &[ModelRef], last: &StepFailed, then: Then) -> Next {
    let Some(model) = last_model(task) else { return Next::End(Outcome::failed(&last.code, &last.message)) };
    match then {
        Then::Again { after_ms } => call(task, Some(model), last.at.after(Duration::from_millis(after_ms))),
        Then::Retry { after_ms } if attempts(task, model) < ATTEMPTS_MAX => {
            call(task, Some(model), last.at.after(Duration::from_millis(after_ms)))
        }
        Then::Retry { .. } | Then::Failover => {
            let following = route.iter().skip_while(|candidate| *candidate != model).nth(1);
            match following {
                Some(_) => call(task, following, last.at),
                None => Next::End(Outcome::failed(&last.code, &last.message)),
            }
        }
        Then::GiveUp => Next::End(Outcome::failed(&last.code, &last.message)),
    }
}

fn call(task: &Task, model: Option<&ModelRef>, not_before: Timestamp) -> Next {
    match model {
        Some(model) => Next::Call { step: task.next_step(), model: model.clone(), not_before },
        None => Next::End(Outcome::failed("route_unknown", "the template's route has no model")),
    }
}

fn last_model(task: &Task) -> Option<&ModelRef> {
    match &task.steps.last()?.kind {
        StepKind::Model { model } => Some(model),
        StepKind::Delegate { .. } => None,
    }
}

/// How often `model` was tried since the route came to it, but for attempts that say that they do not count.
fn attempts(task: &Task, model: &ModelRef) -> usize {
    task.steps
        .iter()
        .rev()
        .take_while(|step| matches!(&step.kind, StepKind::Model { model: tried } if tried == model))
        .filter(|step| !matches!(&step.status, StepStatus::Failed(failed) if matches!(failed.then, Then::Again { .. })))
        .count()
}
