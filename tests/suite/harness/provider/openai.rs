//! Chat Completions as OpenAI sends them.
//!
//! After <https://platform.openai.com/docs/api-reference/chat/object>, `…/chat-streaming` and
//! <https://platform.openai.com/docs/guides/error-codes>: with `stream_options.include_usage` one more chunk comes before
//! `[DONE]`, with an empty list of choices and the usage; every other chunk then has a `usage` of null.

use serde_json::{Value, json};

use super::reply::{Counts, Stop};
use super::wire::{Piece, Said, data};

pub(super) fn document(said: &Said<'_>) -> Value {
    let mut message = json!({"role": "assistant", "content": said.answer.text, "refusal": null});
    if !said.answer.calls.is_empty() {
        let calls = said.answer.calls.iter().map(|call| {
            let function = json!({"name": call.name, "arguments": call.arguments.to_string()});
            json!({"id": call.id, "type": "function", "function": function})
        });
        message["tool_calls"] = calls.collect();
        if said.answer.text.is_empty() {
            message["content"] = Value::Null;
        }
    }
    let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": stop(said.answer.stop)});
    let mut document = json!({
        "id": format!("chatcmpl-{}", said.number), "object": "chat.completion", "created": 1_700_000_000,
        "model": said.model, "choices": [choice]
    });
    if let Some(counts) = said.reported() {
        document["usage"] = usage(counts);
    }
    document
}

pub(super) fn pieces(said: &Said<'_>) -> Vec<Piece> {
    let chunk = |choices: Value| {
        let mut chunk = json!({
            "id": format!("chatcmpl-{}", said.number), "object": "chat.completion.chunk", "created": 1_700_000_000,
            "model": said.model, "choices": choices
        });
        if said.include_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    };
    let delta = |delta: Value| chunk(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": null}]));
    let mut pieces = vec![data(&delta(json!({"role": "assistant", "content": "", "refusal": null})), 0)];
    pieces.extend(said.words().into_iter().map(|word| data(&delta(json!({"content": word})), 1)));
    for (index, call) in said.answer.calls.iter().enumerate() {
        let begun = json!({
            "index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}
        });
        pieces.push(data(&delta(json!({"tool_calls": [begun]})), 1));
        let arguments = call.arguments.to_string();
        let (first, second) = arguments.split_at(arguments.len() / 2);
        for part in [first, second] {
            let more = json!({"index": index, "function": {"arguments": part}});
            pieces.push(data(&delta(json!({"tool_calls": [more]})), 1));
        }
    }
    let last = json!([{"index": 0, "delta": {}, "logprobs": null, "finish_reason": stop(said.answer.stop)}]);
    pieces.push(data(&chunk(last), 0));
    if let (true, Some(counts)) = (said.include_usage, said.reported()) {
        let mut told = chunk(json!([]));
        told["usage"] = usage(counts);
        pieces.push(data(&told, 0));
    }
    pieces.push(Piece { text: "data: [DONE]\n\n".to_owned(), tokens: 0 });
    pieces
}

pub(super) fn failure(status: u16) -> Value {
    let kind = match status {
        429 => "rate_limit_exceeded",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    };
    json!({"error": {"message": "not now", "type": kind, "param": null, "code": null}})
}

fn stop(stop: Stop) -> &'static str {
    match stop {
        Stop::End => "stop",
        Stop::Length => "length",
        Stop::Tools => "tool_calls",
    }
}

fn usage(counts: Counts) -> Value {
    json!({
        "prompt_tokens": counts.input, "completion_tokens": counts.output, "total_tokens": counts.input + counts.output,
        "prompt_tokens_details": {"cached_tokens": counts.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": counts.reasoning, "audio_tokens": 0}
    })
}
