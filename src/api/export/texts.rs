//! The texts of a record, for whoever they belong to: what events never tell. Pure.

use serde_json::{Map, Value, json};

use crate::journal::dialogue::{Dialogue, ImageSource, Message, Part, Role, ToolCall};
use crate::journal::record::{Outcome, StepKind, TaskRecord};

/// Every text of a record by what it is; empty where there is none.
pub(super) fn of(record: &TaskRecord) -> Map<String, Value> {
    let mut texts = Map::new();
    let mut put = |name: &str, value: Value| drop(texts.insert(name.to_owned(), value));
    match record {
        TaskRecord::Submitted(submitted) => {
            put("input", submitted.order.input.expose().into());
            if let Some(dialogue) = &submitted.order.dialogue {
                put("conversation", conversation(dialogue));
            }
            if !submitted.order.metadata.is_empty() {
                put("metadata", json!(submitted.order.metadata));
            }
        }
        TaskRecord::StepStarted(started) => {
            if let StepKind::Approval { question, .. } = &started.kind {
                put("question", question.expose().into());
            }
        }
        TaskRecord::StepFinished(finished) => {
            put("output", finished.output.expose().into());
            if !finished.calls.is_empty() {
                put("calls", finished.calls.iter().map(call).collect());
            }
            if !finished.notes.is_empty() {
                put("notes", json!(finished.notes));
            }
        }
        TaskRecord::StepFailed(failed) => {
            put("message", failed.message.as_str().into());
            if let Some(arrived) = &failed.arrived {
                put("arrived", arrived.text.expose().into());
            }
        }
        TaskRecord::Ended(ended) => match &ended.outcome {
            Outcome::Answered { output } => put("output", output.expose().into()),
            Outcome::Failed { message, .. } => put("message", message.as_str().into()),
            Outcome::AnsweredByStep { .. } | Outcome::Cancelled => {}
        },
        TaskRecord::FeedbackGiven(feedback) => {
            put("by", feedback.by.as_str().into());
            put("comment", json!(feedback.comment));
        }
        TaskRecord::Decided(decided) => put("comment", json!(decided.comment)),
        TaskRecord::Signalled(signalled) => put("payload", signalled.payload.expose().into()),
        TaskRecord::StepSkipped(_)
        | TaskRecord::CancelRequested(_)
        | TaskRecord::AttentionNeeded(_)
        | TaskRecord::RetryRequested(_)
        | TaskRecord::Reconciled(_) => {}
    }
    texts
}

fn conversation(dialogue: &Dialogue) -> Value {
    json!({
        "system": dialogue.system.expose(),
        "messages": dialogue.messages.iter().map(message).collect::<Value>(),
    })
}

fn message(message: &Message) -> Value {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    json!({"role": role, "parts": message.parts.iter().map(part).collect::<Value>()})
}

fn part(part: &Part) -> Value {
    match part {
        Part::Text(text) => json!({"text": text.expose()}),
        Part::Image(image) => match &image.source {
            ImageSource::Inline { media_type, data } => json!({"image": data.expose(), "media_type": media_type}),
            ImageSource::Link(link) => json!({"image_url": link.expose()}),
        },
        Part::Call(made) => json!({"call": call(made)}),
        Part::Result(result) => {
            json!({"result": result.content.expose(), "call_id": result.call, "is_error": result.is_error})
        }
    }
}

fn call(call: &ToolCall) -> Value {
    json!({"id": call.id, "name": call.name, "arguments": call.arguments.expose()})
}
