//! Records as news.

use super::events::{Event, Events};
use super::record::{Outcome, StepKind, TaskRecord, Verdict};
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;

/// Tells whoever listens that a record is durable.
pub(super) fn publish(events: &Events, task: TaskId, sequence: u64, record: &TaskRecord) {
    if events.has_listeners() {
        events.publish(of(task, sequence, record));
    }
}

/// The news that a record is. It holds neither input nor output.
#[must_use]
pub fn of(task: TaskId, sequence: u64, record: &TaskRecord) -> Event {
    let (kind, at) = kind_and_time(record);
    Event { kind, at, task: Some(task), sequence: Some(sequence), details: details(record) }
}

/// What a record is called as news, and when it was.
pub(super) fn kind_and_time(record: &TaskRecord) -> (&'static str, Timestamp) {
    match record {
        TaskRecord::Submitted(submitted) => ("task_submitted", submitted.at),
        TaskRecord::StepStarted(started) => ("step_started", started.at),
        TaskRecord::StepFinished(finished) => ("step_finished", finished.at),
        TaskRecord::StepFailed(failed) => ("step_failed", failed.at),
        TaskRecord::StepSkipped(skipped) => ("step_skipped", skipped.at),
        TaskRecord::CancelRequested(request) => ("cancel_requested", request.at),
        TaskRecord::Ended(ended) => ("task_ended", ended.at),
        TaskRecord::FeedbackGiven(feedback) => ("feedback_given", feedback.at),
        TaskRecord::Decided(decided) => ("step_decided", decided.at),
        TaskRecord::Signalled(signalled) => ("task_signalled", signalled.at),
        TaskRecord::AttentionNeeded(needed) => ("attention_needed", needed.at),
        TaskRecord::RetryRequested(request) => ("retry_requested", request.at),
        TaskRecord::Reconciled(reconciled) => ("cost_reconciled", reconciled.at),
    }
}

fn details(record: &TaskRecord) -> Vec<(&'static str, String)> {
    match record {
        TaskRecord::Submitted(submitted) => vec![
            ("template_name", submitted.order.template.to_string()),
            ("template_version", submitted.order.version.to_string()),
            ("tenant", submitted.order.tenant.to_string()),
        ],
        TaskRecord::StepStarted(started) => {
            [vec![("step", started.step.to_string())], kind_details(&started.kind)].concat()
        }
        TaskRecord::StepFinished(finished) => vec![
            ("step", finished.step.to_string()),
            ("cost_usd", finished.cost.to_string()),
            ("input_tokens", finished.usage.input_tokens.to_string()),
            ("output_tokens", finished.usage.output_tokens.to_string()),
        ],
        TaskRecord::StepFailed(failed) => vec![("step", failed.step.to_string()), ("code", failed.code.clone())],
        TaskRecord::StepSkipped(skipped) => vec![("name", skipped.name.clone()), ("reason", skipped.reason.clone())],
        TaskRecord::CancelRequested(request) => vec![("by", request.by.clone())],
        TaskRecord::Ended(ended) => match &ended.outcome {
            Outcome::Answered { .. } | Outcome::AnsweredByStep { .. } => vec![("state", "succeeded".to_owned())],
            Outcome::Failed { code, .. } => vec![("state", "failed".to_owned()), ("code", code.clone())],
            Outcome::Cancelled => vec![("state", "cancelled".to_owned())],
        },
        TaskRecord::FeedbackGiven(feedback) => vec![("score_per_mille", feedback.score_per_mille.to_string())],
        TaskRecord::Decided(decided) => {
            let verdict = match decided.verdict {
                Verdict::Approved => "approved",
                Verdict::Rejected => "rejected",
            };
            vec![("step", decided.step.to_string()), ("verdict", verdict.to_owned()), ("by", decided.by.clone())]
        }
        TaskRecord::Signalled(signalled) => vec![("signal", signalled.signal.clone()), ("by", signalled.by.clone())],
        TaskRecord::AttentionNeeded(needed) => {
            let step = needed.step.map(|step| ("step", step.to_string()));
            step.into_iter().chain([("code", needed.code.clone()), ("message", needed.message.clone())]).collect()
        }
        TaskRecord::RetryRequested(request) => vec![("by", request.by.clone())],
        TaskRecord::Reconciled(reconciled) => vec![
            ("step", reconciled.step.to_string()),
            ("was_usd", reconciled.was.to_string()),
            ("cost_usd", reconciled.cost.to_string()),
            ("by", reconciled.by.clone()),
        ],
    }
}

fn kind_details(kind: &StepKind) -> Vec<(&'static str, String)> {
    let named = |name: &String| vec![("step_kind", kind.as_str().to_owned()), ("name", name.clone())];
    match kind {
        StepKind::Model { model } => vec![("model", model.to_string())],
        StepKind::Delegate { name, child } => vec![("name", name.clone()), ("child", child.to_string())],
        StepKind::Tool { name, tool, .. } => [named(name), vec![("tool", tool.to_string())]].concat(),
        StepKind::Timer { name, until } => [named(name), vec![("until", until.to_string())]].concat(),
        StepKind::Approval { name, until, .. } => [named(name), too_late(*until)].concat(),
        StepKind::Signal { name, signal, until } => {
            [named(name), vec![("signal", signal.clone())], too_late(*until)].concat()
        }
    }
}

fn too_late(until: Option<Timestamp>) -> Vec<(&'static str, String)> {
    until.map(|until| ("until", until.to_string())).into_iter().collect()
}
