//! Messages as Anthropic sends them.
//!
//! After <https://docs.anthropic.com/en/api/messages>, <https://docs.anthropic.com/en/api/messages-streaming> and
//! <https://docs.anthropic.com/en/api/errors>: `message_start` tells the input's tokens and a first count of the output,
//! `message_delta` the whole output; `input_tokens` leaves out what was read from the cache; pings may come anywhere.

use serde_json::{Value, json};

use super::reply::{Counts, Stop};
use super::wire::{Piece, Said, event};

pub(super) fn document(said: &Said<'_>) -> Value {
    let mut content = Vec::new();
    if !said.answer.text.is_empty() {
        content.push(json!({"type": "text", "text": said.answer.text}));
    }
    let calls = said.answer.calls.iter();
    content.extend(
        calls.map(|call| json!({"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments})),
    );
    let mut document = message(said);
    document["content"] = content.into();
    document["stop_reason"] = stop(said.answer.stop).into();
    if let Some(counts) = said.reported() {
        document["usage"] = usage(counts, counts.output);
    }
    document
}

pub(super) fn pieces(said: &Said<'_>) -> Vec<Piece> {
    let mut start = message(said);
    if let Some(counts) = said.reported() {
        start["usage"] = usage(counts, counts.output.min(1));
    }
    let mut pieces = vec![event(&json!({"type": "message_start", "message": start}), 0)];
    let mut index = 0;
    if !said.answer.text.is_empty() {
        pieces.push(begun(index, &json!({"type": "text", "text": ""})));
        pieces.push(event(&json!({"type": "ping"}), 0));
        for word in said.words() {
            pieces.push(more(index, &json!({"type": "text_delta", "text": word})));
        }
        pieces.push(ended(index));
        index += 1;
    }
    for call in &said.answer.calls {
        pieces.push(begun(index, &json!({"type": "tool_use", "id": call.id, "name": call.name, "input": {}})));
        let arguments = call.arguments.to_string();
        let (first, second) = arguments.split_at(arguments.len() / 2);
        for part in ["", first, second] {
            pieces.push(more(index, &json!({"type": "input_json_delta", "partial_json": part})));
        }
        pieces.push(ended(index));
        index += 1;
    }
    let delta = json!({"stop_reason": stop(said.answer.stop), "stop_sequence": null});
    let mut last = json!({"type": "message_delta", "delta": delta});
    if let Some(counts) = said.reported() {
        last["usage"] = json!({"output_tokens": counts.output});
    }
    pieces.push(event(&last, 0));
    pieces.push(event(&json!({"type": "message_stop"}), 0));
    pieces
}

pub(super) fn failure(status: u16) -> Value {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    };
    json!({"type": "error", "error": {"type": kind, "message": "not now"}, "request_id": "req_1"})
}

fn message(said: &Said<'_>) -> Value {
    json!({
        "id": format!("msg_{}", said.number), "type": "message", "role": "assistant", "model": said.model,
        "content": [], "stop_reason": null, "stop_sequence": null
    })
}

fn begun(index: usize, block: &Value) -> Piece {
    event(&json!({"type": "content_block_start", "index": index, "content_block": block}), 0)
}

fn more(index: usize, delta: &Value) -> Piece {
    event(&json!({"type": "content_block_delta", "index": index, "delta": delta}), 1)
}

fn ended(index: usize) -> Piece {
    event(&json!({"type": "content_block_stop", "index": index}), 0)
}

fn stop(stop: Stop) -> &'static str {
    match stop {
        Stop::End => "end_turn",
        Stop::Length => "max_tokens",
        Stop::Tools => "tool_use",
    }
}

fn usage(counts: Counts, output: i64) -> Value {
    json!({
        "input_tokens": counts.input - counts.cached, "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": counts.cached, "output_tokens": output, "service_tier": "standard"
    })
}
