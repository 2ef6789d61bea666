//! What an agent does next about a task: a pure function of the task's records and its route.
//!
//! ```text
//!            ┌────────── retry, failover ──────────┐
//!            v                                     │
//! Queued ─> Call ──(daemon ended meanwhile)─> Doubt ┤
//!            │^└────────(provider failed)───────────┘
//!            │└──(answered, to be refined)
//!            └──(answered, cancelled, too late, given up)─> End
//! ```
//! A call that needs a person's leave is preceded by a step that asks for it: `Wait` until there is a decision, `Settle` it, and
//! decide again as if nothing had been asked.
//!
//! Nothing here looks at more than the last step and the sums: the thousandth step is decided as fast as the tenth.

use std::time::Duration;

use super::allowance::Allowance;
use super::release;
use crate::domain::clock::Timestamp;
use crate::domain::failure::Failure;
use crate::domain::money::Usd;
use crate::domain::name::ModelRef;
use crate::journal::order::Order;
use crate::journal::record::{Outcome, StepFailed, TaskRecord, Then};
use crate::journal::state::{StepStatus, Task};

/// Attempts at one model before the route's next model is tried.
pub const ATTEMPTS_MAX: u32 = 3;

/// Calls of one task that may be cut off by the daemon's end before the task is given up: what ends the daemon every time must
/// not be paid for without limit.
pub const DOUBTS_MAX: u32 = 50;

/// Calls of one task that may be cut off by its agent's end, which may have been its supervisor's, before the task is given up.
pub const AGENT_ENDS_MAX: u32 = 10;

/// The code of a task whose deadline passed.
pub const DEADLINE_EXCEEDED: &str = "deadline_exceeded";

/// The code of a task that took longer than its template gives it.
pub const TASK_TIME_EXCEEDED: &str = "task_time_exceeded";

/// The code of a task whose records are not a story of its template.
pub const REPLAY_DIVERGED: &str = "replay_diverged";

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
    /// A person is asked what may leave.
    Wait {
        /// No longer than this.
        until: Timestamp,
    },
    /// The question is answered, or needs no answer any more: the record that concludes its step.
    Settle(Box<TaskRecord>),
    /// The task ends.
    End(Outcome),
}

/// What a task's decisions rest on beside its records.
#[derive(Debug, Clone, Copy)]
pub struct Course<'a> {
    /// The models to call, in order of preference.
    pub route: &'a [ModelRef],
    /// Answers that the task takes: the first, and one for each time that it is refined.
    pub answers: u32,
}

/// Decides what comes next for a task that has not ended and whose agent has no call under way.
#[must_use]
pub fn next(task: &Task, course: Course<'_>, now: Timestamp) -> Next {
    if let Some(open) = task.open_call() {
        return Next::Doubt { step: open.number, reserved: open.reserved };
    }
    if let Some((step, release)) = task.open_release().and_then(|step| Some((step, step.release()?))) {
        return release::after(task, step, release, now);
    }
    let finished = match task.last_told().map(|step| &step.status) {
        Some(StepStatus::Finished(finished)) => Some(finished),
        Some(StepStatus::Started | StepStatus::Failed(_)) | None => None,
    };
    if let Some(finished) = finished
        && (task.totals.finished >= course.answers || !finished.calls.is_empty())
    {
        return Next::End(Outcome::AnsweredByStep { step: finished.step });
    }
    if let Some(outcome) = interruption(task, now) {
        return Next::End(outcome);
    }
    if let Some(finished) = finished {
        // Whoever gave the answer refines it: models that failed before are not asked again.
        return call(task, task.last_model(), finished.at);
    }
    match task.after_failure() {
        None => call(task, course.route.first(), now),
        Some((failed, then)) => after_failure(task, course.route, failed, then),
    }
}

/// The end of a task that was cancelled, is late, has used up its tokens or was cut off too often, whatever else is the case.
#[must_use]
pub fn interruption(task: &Task, now: Timestamp) -> Option<Outcome> {
    if task.cancel_requested_by.is_some() {
        return Some(Outcome::Cancelled);
    }
    if let Some(outcome) = too_late(&task.order, now) {
        return Some(outcome);
    }
    if let Some(exceeded) = Allowance::of(task).and_then(Allowance::used_up) {
        return Some(Outcome::failed(exceeded.code(), &exceeded.detail()));
    }
    if task.totals.in_doubt >= DOUBTS_MAX || task.totals.agent_ended >= AGENT_ENDS_MAX {
        let message = "the daemon or its agent ended during its calls more often than is borne";
        return Some(Outcome::failed("in_doubt_too_often", message));
    }
    None
}

/// The end of a task whose time is over, by the deadline that its submitter gave it or by its template, whichever came first.
#[must_use]
pub fn too_late(order: &Order, now: Timestamp) -> Option<Outcome> {
    let passed = order.ends_by().filter(|end| *end <= now)?;
    Some(if order.deadline == Some(passed) {
        Outcome::failed(DEADLINE_EXCEEDED, "the deadline passed before the task was done")
    } else {
        Outcome::failed(TASK_TIME_EXCEEDED, "the time that the template gives a task passed before it was done")
    })
}

fn after_failure(task: &Task, route: &[ModelRef], last: &StepFailed, then: Then) -> Next {
    let Some(model) = task.last_model() else { return Next::End(Outcome::failed(&last.code, &last.message)) };
    match then {
        Then::Again { after_ms } => call(task, Some(model), last.at.after(Duration::from_millis(after_ms))),
        Then::Retry { after_ms } if task.totals.attempts < ATTEMPTS_MAX => {
            call(task, Some(model), last.at.after(Duration::from_millis(after_ms)))
        }
        Then::Retry { .. } | Then::Failover => match following(route, model) {
            Some(next) => call(task, Some(next), last.at),
            None => Next::End(Outcome::failed(&last.code, &last.message)),
        },
        Then::Continue { after_ms } => {
            let same = (task.totals.attempts < ATTEMPTS_MAX)
                .then_some((model, last.at.after(Duration::from_millis(after_ms))));
            match following(route, model).map(|next| (next, last.at)).or(same) {
                Some((model, not_before)) => call(task, Some(model), not_before),
                None => Next::End(Outcome::failed(&last.code, &last.message)),
            }
        }
        Then::Elsewhere { after_ms } => match following(route, model) {
            Some(next) => call(task, Some(next), last.at),
            None => call(task, Some(model), last.at.after(Duration::from_millis(after_ms))),
        },
        Then::GiveUp => Next::End(Outcome::failed(&last.code, &last.message)),
    }
}

/// The model of the route that comes after this one.
pub(super) fn following<'a>(route: &'a [ModelRef], model: &ModelRef) -> Option<&'a ModelRef> {
    route.iter().skip_while(|candidate| *candidate != model).nth(1)
}

fn call(task: &Task, model: Option<&ModelRef>, not_before: Timestamp) -> Next {
    match model {
        Some(model) => Next::Call { step: task.next_step(), model: model.clone(), not_before },
        None => Next::End(Outcome::failed("route_unknown", "the template's route has no model")),
    }
}
