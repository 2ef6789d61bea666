//! What a task came to, in neither API's words. Pure.

use crate::api::error::ApiError;
use crate::domain::failure::Class;
use crate::domain::private::Text;
use crate::journal::dialogue::ToolCall;
use crate::journal::record::{StepFinished, StepKind};
use crate::journal::state::{State, StepStatus, Task};

/// Why the model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It was done.
    End,
    /// It reached the most tokens that it may write.
    Length,
    /// It wrote a text at which it was to stop.
    Sequence,
    /// It wants tools called.
    Calls,
    /// Content rules ended it.
    Filtered,
    /// It declined, and the text says so.
    Declined,
}

/// An answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome<'a> {
    /// The task.
    pub(super) task: &'a Task,
    /// The text.
    pub(super) text: &'a str,
    /// The tools that the model wants called.
    pub(super) calls: &'a [ToolCall],
    /// Why it stopped.
    pub(super) stop: Stop,
}

impl<'a> Outcome<'a> {
    /// The answer of a task that has ended, or why there is none.
    pub(super) fn of(task: &'a Task) -> Result<Self, ApiError> {
        match task.state {
            State::Succeeded => {
                let last = last_call(task);
                let text = task.output.as_ref().map_or("", Text::expose);
                let calls = last.map_or(&[][..], |last| &last.calls);
                Ok(Self { task, text, calls, stop: stop(last, calls, text) })
            }
            State::Cancelled => Err(ApiError::new(Class::Conflict, "cancelled", "the task was cancelled")),
            State::Failed | State::Queued | State::Running | State::WaitingApproval | State::NeedsAttention => {
                Err(failed(task))
            }
        }
    }
}

/// The model call that gave the answer, where one did.
fn last_call(task: &Task) -> Option<&StepFinished> {
    let last = task.steps.iter().rev().find_map(|step| match (&step.kind, &step.status) {
        (_, StepStatus::Started | StepStatus::Failed(_)) => None,
        (kind, StepStatus::Finished(finished)) => Some((kind, &**finished)),
    });
    match last? {
        (StepKind::Model { .. }, finished) => Some(finished),
        (
            StepKind::Delegate { .. }
            | StepKind::Tool { .. }
            | StepKind::Timer { .. }
            | StepKind::Approval { .. }
            | StepKind::Signal { .. },
            _,
        ) => None,
    }
}

fn stop(last: Option<&StepFinished>, calls: &[ToolCall], text: &str) -> Stop {
    let note =
        |name: &str| last.and_then(|last| last.notes.iter().find(|(key, _)| key == name)).map(|(_, value)| value);
    match note("stop").map(String::as_str) {
        Some("length") => Stop::Length,
        // A model that says why it will not is told from a filter that cut it off, though both are one to a provider.
        _ if note("refusal").is_some() && !text.is_empty() => Stop::Declined,
        Some("filtered") => Stop::Filtered,
        _ if !calls.is_empty() => Stop::Calls,
        Some("sequence") => Stop::Sequence,
        Some(_) | None => Stop::End,
    }
}

/// Why a task has no answer, in the words that its records have for it.
fn failed(task: &Task) -> ApiError {
    let Some(fault) = &task.fault else {
        return ApiError::new(Class::Internal, "internal", "the task has no answer");
    };
    ApiError::ended(class(&fault.code), fault.code.clone(), fault.message.clone())
}

/// What the code of a failed task is to whoever waited for its answer: the class that it has where it refuses a request, and for
/// the codes that tasks alone have, the nearest.
fn class(code: &str) -> Class {
    match code {
        "budget_exceeded" | "budget_ledger_full" => Class::Budget,
        "input_too_large" | "provider_context_too_large" | "dlp_text_too_large" => Class::TooLarge,
        "dlp_blocked"
        | "dlp_consent_needed"
        | "dlp_image_blocked"
        | "dlp_rejected"
        | "model_unpriced"
        | "provider_refused"
        | "approval_rejected"
        | "attention_rejected"
        | "template_refused"
        | "plan_input"
        | "tool_not_granted"
        | "tool_rejected"
        | "fan_out_exceeded"
        | "delegation_too_deep" => Class::Refused,
        "template_use_denied" => Class::Forbidden,
        "route_unknown"
        | "route_unusable"
        | "provider_key_missing"
        | "provider_quarantined"
        | "provider_unknown"
        | "provider_model_unknown"
        | "budget_unavailable"
        | "dlp_unavailable"
        | "store_unwell" => Class::Unavailable,
        "overloaded" | "provider_overloaded" | "dlp_overloaded" => Class::Overload,
        "internal"
        | "replay_diverged"
        | "agent_given_up"
        | "orchestrator_given_up"
        | "store_read_failed"
        | "record_undecodable" => Class::Internal,
        _ => Class::Upstream,
    }
}
