//! A whole answer as Chat Completions says it.

use serde::Serialize;

use crate::api::v1::edge::json;
use crate::api::v1::outcome::{Outcome, Stop};
use crate::domain::usage::Usage;
use crate::journal::dialogue::ToolCall;

#[derive(Serialize)]
struct Completion<'a> {
    id: String,
    object: &'static str,
    created: i64,
    model: &'a str,
    choices: [Choice<'a>; 1],
    usage: Used,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    message: Message<'a>,
    logprobs: Option<()>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<&'a str>,
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
}

/// A call that the model wants.
#[derive(Serialize)]
pub(super) struct Call<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

/// Tokens used.
#[derive(Serialize)]
pub(super) struct Used {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: Prompt,
    completion_tokens_details: Written,
}

#[derive(Serialize)]
struct Prompt {
    cached_tokens: u64,
}

#[derive(Serialize)]
struct Written {
    reasoning_tokens: u64,
}

/// The answer's body.
pub(super) fn whole(outcome: &Outcome<'_>, model: &str) -> String {
    let (content, refusal) = match (outcome.stop, outcome.text) {
        (Stop::Declined, text) => (None, Some(text)),
        (_, "") if !outcome.calls.is_empty() => (None, None),
        (_, text) => (Some(text), None),
    };
    let tool_calls = outcome.calls.iter().map(call).collect();
    let message = Message { role: "assistant", content, refusal, tool_calls };
    let body = Completion {
        id: format!("chatcmpl-{}", outcome.task.order.task),
        object: "chat.completion",
        created: created(outcome),
        model,
        choices: [Choice { index: 0, message, logprobs: None, finish_reason: finish_reason(outcome.stop) }],
        usage: used(outcome.task.usage()),
    };
    json(&body)
}

/// When the task was submitted, in seconds.
fn created(outcome: &Outcome<'_>) -> i64 {
    outcome.task.created_at.micros().div_euclid(1_000_000)
}

/// A call in OpenAI's words.
pub(super) fn call(call: &ToolCall) -> Call<'_> {
    Call { id: &call.id, kind: "function", function: Function { name: &call.name, arguments: call.arguments.expose() } }
}

/// OpenAI's word for why the model stopped.
pub(super) fn finish_reason(stop: Stop) -> &'static str {
    match stop {
        Stop::End | Stop::Sequence | Stop::Declined => "stop",
        Stop::Length => "length",
        Stop::Calls => "tool_calls",
        Stop::Filtered => "content_filter",
    }
}

/// Tokens in OpenAI's words.
pub(super) fn used(usage: Usage) -> Used {
    let (input, output) = (usage.input_tokens.count(), usage.output_tokens.count());
    Used {
        prompt_tokens: input,
        completion_tokens: output,
        total_tokens: input.saturating_add(output),
        prompt_tokens_details: Prompt { cached_tokens: usage.cached_input_tokens.count() },
        completion_tokens_details: Written { reasoning_tokens: usage.reasoning_tokens.count() },
    }
}
