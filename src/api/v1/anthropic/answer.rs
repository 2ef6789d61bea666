//! A whole answer as Messages says it.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::api::v1::edge::json;
use crate::api::v1::outcome::{Outcome, Stop};
use crate::domain::usage::Usage;
use crate::journal::dialogue::ToolCall;

#[derive(Serialize)]
struct Answer<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Block<'a>>,
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
    usage: Used,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text { text: &'a str },
    ToolUse { id: &'a str, name: &'a str, input: Box<RawValue> },
}

/// Tokens used.
#[derive(Serialize)]
pub(super) struct Used {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    output_tokens: u64,
}

/// The answer's body.
pub(super) fn whole(outcome: &Outcome<'_>, model: &str) -> String {
    let text = (!outcome.text.is_empty()).then_some(Block::Text { text: outcome.text });
    let calls = outcome.calls.iter().filter_map(|call| {
        let input = RawValue::from_string(input(call).into_owned()).ok()?;
        Some(Block::ToolUse { id: &call.id, name: &call.name, input })
    });
    json(&Answer {
        id: format!("msg_{}", outcome.task.order.task),
        kind: "message",
        role: "assistant",
        model,
        content: text.into_iter().chain(calls).collect(),
        stop_reason: stop_reason(outcome.stop),
        stop_sequence: stop_sequence(outcome),
        usage: used(outcome.task.usage()),
    })
}

/// A call's arguments as an object, which this API's clients read: what a model wrote that is none is put into one, under
/// `unparsed_arguments`.
pub(super) fn input(call: &ToolCall) -> Cow<'_, str> {
    let written = call.arguments.expose().trim();
    let is_object = written.starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(written).is_ok();
    match written {
        "" => Cow::Borrowed("{}"),
        written if is_object => Cow::Borrowed(written),
        written => Cow::Owned([r#"{"unparsed_arguments":"#, &json(&written), "}"].concat()),
    }
}

/// Anthropic's word for why the model stopped.
pub(super) fn stop_reason(stop: Stop) -> &'static str {
    match stop {
        Stop::End => "end_turn",
        Stop::Length => "max_tokens",
        Stop::Sequence => "stop_sequence",
        Stop::Calls => "tool_use",
        Stop::Filtered | Stop::Declined => "refusal",
    }
}

/// The text at which it stopped, where there is only one that it can be.
pub(super) fn stop_sequence<'a>(outcome: &Outcome<'a>) -> Option<&'a str> {
    let dialogue = outcome.task.order.dialogue.as_ref().filter(|_| outcome.stop == Stop::Sequence)?;
    match dialogue.sampling.stop.as_slice() {
        [one] => Some(one),
        _ => None,
    }
}

/// Tokens in Anthropic's words: what came from the cache is not in the input.
pub(super) fn used(usage: Usage) -> Used {
    Used {
        input_tokens: usage.input_tokens.minus(usage.cached_input_tokens).count(),
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: usage.cached_input_tokens.count(),
        output_tokens: usage.output_tokens.count(),
    }
}
