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
use crate::journal::state::{StepStatus, Task};

/// Attempts at one model before the route's next model is tried. Attempts that a crash cut off do not count.
pub const ATTEMPTS_MAX: usize = 3;

/// The code of a step that a crash left open.
pub const IN_DOUBT: &str = "in_doubt";
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
    if task.cancel_requested_by.is_some() {
        return Next::End(Outcome::Cancelled);
    }
    if task.order.deadline.is_some_and(|deadline| deadline <= now) {
        return Next::End(too_late());
    }
    match task.after_failure() {
        None => call(task, route.first(), now),
        Some((failed, then)) => after_failure(task, route, failed, then),
    }
}

/// The outcome of a task whose deadline passed.
#[must_use]
pub fn too_late() -> Outcome {
    failed(DEADLINE_EXCEEDED, "the deadline passed before the task was done")
}

fn after_failure(task: &Task, route: &[ModelRef], last: &StepFailed, then: Then) -> Next {
    let Some(model) = last_model(task) else { return Next::End(failed(&last.code, &last.message)) };
    match then {
        Then::Retry { after_ms } if attempts(task, model) < ATTEMPTS_MAX => {
            call(task, Some(model), last.at.after(Duration::from_millis(after_ms)))
        }
        Then::Retry { .. } | Then::Failover => {
            let following = route.iter().skip_while(|candidate| *candidate != model).nth(1);
            match following {
                Some(_) => call(task, following, last.at),
                None => Next::End(failed(&last.code, &last.message)),
            }
        }
        Then::GiveUp => Next::End(failed(&last.code, &last.message)),
    }
}

fn call(task: &Task, model: Option<&ModelRef>, not_before: Timestamp) -> Next {
    match model {
        Some(model) => Next::Call { step: task.next_step(), model: model.clone(), not_before },
        None => Next::End(failed("route_unknown", "the template's route has no model")),
    }
}

fn last_model(task: &Task) -> Option<&ModelRef> {
    match &task.steps.last()?.kind {
        StepKind::Model { model } => Some(model),
        StepKind::Delegate { .. } => None,
    }
}

/// How often `model` was tried since the route came to it.
fn attempts(task: &Task, model: &ModelRef) -> usize {
    task.steps
        .iter()
        .rev()
        .take_while(|step| matches!(&step.kind, StepKind::Model { model: tried } if tried == model))
        .filter(|step| !matches!(&step.status, StepStatus::Failed(failed) if failed.code == IN_DOUBT))
        .count()
}

fn failed(code: &str, message: &str) -> Outcome {
    Outcome::Failed { code: code.to_owned(), message: message.to_owned() }
}
