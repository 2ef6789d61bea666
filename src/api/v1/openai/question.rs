//! A request of Chat Completions as it is written (platform.openai.com/docs/api-reference/chat/create).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess};
use serde_json::value::RawValue;

use crate::api::v1::reading::{Content, Members, Str, Unmeant};

/// Parameters that have no meaning here, and what is done about them.
pub(in crate::api::v1) const UNMEANT: &[(&str, Unmeant)] = &[
    ("audio", Unmeant::At(&[])),
    ("function_call", Unmeant::At(&[])),
    ("functions", Unmeant::At(&[])),
    ("logit_bias", Unmeant::At(&["{}"])),
    ("logprobs", Unmeant::At(&["false"])),
    ("modalities", Unmeant::At(&["[\"text\"]"])),
    ("moderation", Unmeant::At(&[])),
    ("n", Unmeant::At(&["1"])),
    ("prediction", Unmeant::At(&[])),
    ("prompt_cache_key", Unmeant::Hint),
    ("prompt_cache_options", Unmeant::Hint),
    ("prompt_cache_retention", Unmeant::Hint),
    ("service_tier", Unmeant::At(&["\"auto\"", "\"default\""])),
    ("store", Unmeant::At(&["false"])),
    ("top_logprobs", Unmeant::At(&["0"])),
    ("verbosity", Unmeant::At(&["\"medium\""])),
    ("web_search_options", Unmeant::At(&[])),
];

/// The request.
#[derive(Default)]
pub(super) struct Question<'a> {
    pub(super) model: Option<Str<'a>>,
    pub(super) messages: Option<Vec<Said<'a>>>,
    pub(super) tools: Option<Vec<Tool<'a>>>,
    pub(super) tool_choice: Option<&'a RawValue>,
    pub(super) parallel_tool_calls: Option<bool>,
    pub(super) response_format: Option<ResponseFormat<'a>>,
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) stop: Content<'a, Str<'a>>,
    pub(super) seed: Option<i64>,
    pub(super) presence_penalty: Option<f64>,
    pub(super) frequency_penalty: Option<f64>,
    pub(super) reasoning_effort: Option<Str<'a>>,
    pub(super) max_tokens: Option<u32>,
    pub(super) max_completion_tokens: Option<u32>,
    pub(super) stream: Option<bool>,
    pub(super) stream_options: Option<StreamOptions>,
    pub(super) user: Option<Str<'a>>,
    pub(super) safety_identifier: Option<Str<'a>>,
    pub(super) metadata: Option<BTreeMap<String, String>>,
}

impl<'a> Members<'a> for Question<'a> {
    fn take<A: MapAccess<'a>>(&mut self, name: &str, body: &mut A) -> Result<bool, A::Error> {
        match name {
            "model" => self.model = body.next_value()?,
            "messages" => self.messages = body.next_value()?,
            "tools" => self.tools = body.next_value()?,
            "tool_choice" => self.tool_choice = body.next_value()?,
            "parallel_tool_calls" => self.parallel_tool_calls = body.next_value()?,
            "response_format" => self.response_format = body.next_value()?,
            "temperature" => self.temperature = body.next_value()?,
            "top_p" => self.top_p = body.next_value()?,
            "stop" => self.stop = body.next_value()?,
            "seed" => self.seed = body.next_value()?,
            "presence_penalty" => self.presence_penalty = body.next_value()?,
            "frequency_penalty" => self.frequency_penalty = body.next_value()?,
            "reasoning_effort" => self.reasoning_effort = body.next_value()?,
            "max_tokens" => self.max_tokens = body.next_value()?,
            "max_completion_tokens" => self.max_completion_tokens = body.next_value()?,
            "stream" => self.stream = body.next_value()?,
            "stream_options" => self.stream_options = body.next_value()?,
            "user" => self.user = body.next_value()?,
            "safety_identifier" => self.safety_identifier = body.next_value()?,
            "metadata" => self.metadata = body.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// How a stream is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamOptions {
    pub(super) include_usage: Option<bool>,
    pub(super) include_obfuscation: Option<bool>,
}

/// A message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said<'a> {
    #[serde(borrow)]
    pub(super) role: Str<'a>,
    #[serde(borrow, default)]
    pub(super) content: Content<'a, Part<'a>>,
    #[serde(borrow, default)]
    pub(super) refusal: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) tool_calls: Option<Vec<Call<'a>>>,
    #[serde(borrow, default)]
    pub(super) tool_call_id: Option<Str<'a>>,
    #[serde(default)]
    pub(super) name: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) audio: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) function_call: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) annotations: Option<Vec<IgnoredAny>>,
    // What the official client's `parse` adds to an answer, and sends back with it.
    #[serde(default, rename = "parsed")]
    _parsed: Option<IgnoredAny>,
}

/// A part of a message's content.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Str<'a>,
    #[serde(borrow, default)]
    pub(super) text: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) refusal: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) image_url: Option<ImageUrl<'a>>,
    // What parts of kinds that are not supported have, so that the kind is what is refused.
    #[serde(default, rename = "input_audio")]
    _input_audio: Option<IgnoredAny>,
    #[serde(default, rename = "file")]
    _file: Option<IgnoredAny>,
    // A hint for OpenAI's own cache, as the other members of its kind.
    #[serde(default, rename = "prompt_cache_breakpoint")]
    _prompt_cache_breakpoint: Option<IgnoredAny>,
}

/// A picture.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ImageUrl<'a> {
    #[serde(borrow)]
    pub(super) url: Str<'a>,
    #[serde(borrow, default)]
    pub(super) detail: Option<Str<'a>>,
}

/// A call that the model wanted.
#[derive(Deserialize)]
pub(super) struct Call<'a> {
    #[serde(borrow)]
    pub(super) id: Str<'a>,
    #[serde(borrow, rename = "type", default)]
    pub(super) kind: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) function: Option<Function<'a>>,
}

/// What of a function a call names.
#[derive(Deserialize)]
pub(super) struct Function<'a> {
    #[serde(borrow)]
    pub(super) name: Str<'a>,
    #[serde(borrow)]
    pub(super) arguments: Str<'a>,
}

/// A tool.
#[derive(Deserialize)]
pub(super) struct Tool<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Str<'a>,
    #[serde(borrow, default)]
    pub(super) function: Option<Definition<'a>>,
}

/// A function that may be called.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Definition<'a> {
    #[serde(borrow)]
    pub(super) name: Str<'a>,
    #[serde(borrow, default)]
    pub(super) description: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) parameters: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) strict: Option<bool>,
}

/// What the answer's text is to be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResponseFormat<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Str<'a>,
    #[serde(borrow, default)]
    pub(super) json_schema: Option<JsonSchema<'a>>,
}

/// A schema of the answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JsonSchema<'a> {
    #[serde(borrow)]
    pub(super) name: Str<'a>,
    #[serde(borrow, default)]
    pub(super) description: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) schema: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) strict: Option<bool>,
}

/// `tool_choice` where it is no word.
#[derive(Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Str<'a>,
    #[serde(borrow, default)]
    pub(super) function: Option<Named<'a>>,
}

/// A function by name.
#[derive(Deserialize)]
pub(super) struct Named<'a> {
    #[serde(borrow)]
    pub(super) name: Str<'a>,
}
