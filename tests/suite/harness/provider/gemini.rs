//! generateContent as Google sends it.
//!
//! After <https://ai.google.dev/api/generate-content>: a stream (`alt=sse`) is a row of whole responses, each with the usage so
//! far, the last one with a `finishReason`; nothing else ends it, and lines end as HTTP's do. Thoughts are counted beside the
//! candidates, and a prompt's tokens include those from the cache.

use serde_json::{Value, json};

use super::reply::{Counts, Stop};
use super::wire::{Piece, Said};

pub(super) fn document(said: &Said<'_>) -> Value {
    let mut parts = Vec::new();
    if !said.answer.text.is_empty() {
        parts.push(json!({"text": said.answer.text}));
    }
    parts.extend(calls(said));
    response(said, &parts.into(), Some(stop(said.answer.stop)), said.reported())
}

pub(super) fn pieces(said: &Said<'_>) -> Vec<Piece> {
    let mut written = 0;
    let mut so_far = |tokens: i64| {
        written += tokens;
        said.reported().map(|counts| Counts { output: written.min(counts.output), reasoning: 0, ..counts })
    };
    let mut pieces = Vec::new();
    for word in said.words() {
        pieces.push(piece(&response(said, &json!([{"text": word}]), None, so_far(1)), 1));
    }
    for call in calls(said) {
        pieces.push(piece(&response(said, &json!([call]), None, so_far(3)), 3));
    }
    let last = response(said, &json!([{"text": ""}]), Some(stop(said.answer.stop)), said.reported());
    pieces.push(piece(&last, 0));
    pieces
}

pub(super) fn failure(status: u16) -> Value {
    let word = match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    };
    json!({"error": {"code": status, "message": "not now", "status": word}})
}

pub(super) fn piece(document: &Value, tokens: u64) -> Piece {
    Piece { text: format!("data: {document}\r\n\r\n"), tokens }
}

fn calls(said: &Said<'_>) -> Vec<Value> {
    let call = |call: &super::ToolCall| json!({"functionCall": {"name": call.name, "args": call.arguments}});
    said.answer.calls.iter().map(call).collect()
}

fn response(said: &Said<'_>, parts: &Value, stop: Option<&str>, counts: Option<Counts>) -> Value {
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
    if let Some(stop) = stop {
        candidate["finishReason"] = stop.into();
    }
    let mut response = json!({
        "candidates": [candidate], "modelVersion": said.model, "responseId": format!("response-{}", said.number)
    });
    if let Some(counts) = counts {
        let mut usage = json!({
            "promptTokenCount": counts.input, "candidatesTokenCount": counts.output - counts.reasoning,
            "totalTokenCount": counts.input + counts.output
        });
        for (name, count) in [("cachedContentTokenCount", counts.cached), ("thoughtsTokenCount", counts.reasoning)] {
            if count != 0 {
                usage[name] = count.into();
            }
        }
        response["usageMetadata"] = usage;
    }
    response
}

/// A call of a function is told by its part, not by the reason.
fn stop(stop: Stop) -> &'static str {
    match stop {
        Stop::End | Stop::Tools => "STOP",
        Stop::Length => "MAX_TOKENS",
    }
}
