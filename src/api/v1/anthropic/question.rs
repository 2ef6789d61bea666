//! A request of Messages as it is written (docs.anthropic.com/en/api/messages).

use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess};
use serde_json::value::RawValue;

use crate::api::v1::reading::{Content, Members, Str, Unmeant};

/// Parameters that have no meaning here, and what is done about them.
pub(in crate::api::v1) const UNMEANT: &[(&str, Unmeant)] = &[
    ("cache_control", Unmeant::Hint),
    ("container", Unmeant::At(&[])),
    ("context_management", Unmeant::At(&[])),
    ("diagnostics", Unmeant::At(&[])),
    ("inference_geo", Unmeant::At(&[])),
    ("mcp_servers", Unmeant::At(&["[]"])),
    ("service_tier", Unmeant::At(&["\"auto\"", "\"standard_only\""])),
    ("speed", Unmeant::At(&["\"standard\""])),
    ("thinking", Unmeant::At(&["{\"type\":\"disabled\"}"])),
    ("user_profile_id", Unmeant::At(&[])),
    ("workspace_id", Unmeant::At(&[])),
];

/// The request.
#[derive(Default)]
pub(super) struct Question<'a> {
    pub(super) model: Option<Str<'a>>,
    pub(super) max_tokens: Option<u32>,
    pub(super) system: Content<'a, Block<'a>>,
    pub(super) messages: Option<Vec<Said<'a>>>,
    pub(super) tools: Option<Vec<Tool<'a>>>,
    pub(super) tool_choice: Option<Choice<'a>>,
    pub(super) stop_sequences: Option<Vec<String>>,
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) top_k: Option<u32>,
    pub(super) output_config: Option<OutputConfig<'a>>,
    pub(super) metadata: Option<Metadata>,
    pub(super) stream: Option<bool>,
}

impl<'a> Members<'a> for Question<'a> {
    fn take<A: MapAccess<'a>>(&mut self, name: &str, body: &mut A) -> Result<bool, A::Error> {
        match name {
            "model" => self.model = body.next_value()?,
            "max_tokens" => self.max_tokens = body.next_value()?,
            "system" => self.system = body.next_value()?,
            "messages" => self.messages = body.next_value()?,
            "tools" => self.tools = body.next_value()?,
            "tool_choice" => self.tool_choice = body.next_value()?,
            "stop_sequences" => self.stop_sequences = body.next_value()?,
            "temperature" => self.temperature = body.next_value()?,
            "top_p" => self.top_p = body.next_value()?,
            "top_k" => self.top_k = body.next_value()?,
            "output_config" => self.output_config = body.next_value()?,
            "metadata" => self.metadata = body.next_value()?,
            "stream" => self.stream = body.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// What is said about the request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metadata {
    #[serde(default)]
    pub(super) user_id: Option<String>,
}

/// How the answer is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OutputConfig<'a> {
    #[serde(borrow, default)]
    pub(super) effort: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) format: Option<OutputFormat<'a>>,
}

/// What the answer's text is to be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OutputFormat<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Str<'a>,
    #[serde(borrow)]
    pub(super) schema: &'a RawValue,
}

/// A message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said<'a> {
    #[serde(borrow)]
    pub(super) role: Str<'a>,
    #[serde(borrow, default)]
    pub(super) content: Content<'a, Block<'a>>,
}

/// A block of a message's content. Members of kinds that are not supported are skipped, as the kind is what is refused.
#[derive(Deserialize)]
pub(super) struct Block<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Str<'a>,
    #[serde(borrow, default)]
    pub(super) text: Option<Str<'a>>,
    #[serde(default)]
    pub(super) citations: Option<Vec<IgnoredAny>>,
    #[serde(borrow, default)]
    pub(super) source: Option<Source<'a>>,
    #[serde(borrow, default)]
    pub(super) id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) name: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) tool_use_id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) content: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) is_error: Option<bool>,
}

/// Where a picture is.
#[derive(Deserialize)]
pub(super) struct Source<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Str<'a>,
    #[serde(borrow, default)]
    pub(super) media_type: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) data: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) url: Option<Str<'a>>,
}

/// A tool. `cache_control` is a hint, and so is how its arguments are streamed.
#[derive(Deserialize)]
pub(super) struct Tool<'a> {
    #[serde(borrow, rename = "type", default)]
    pub(super) kind: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) name: Str<'a>,
    #[serde(borrow, default)]
    pub(super) description: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) input_schema: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) strict: Option<bool>,
    #[serde(default)]
    pub(super) allowed_callers: Option<Vec<String>>,
    #[serde(default)]
    pub(super) defer_loading: Option<bool>,
    #[serde(default)]
    pub(super) input_examples: Option<Vec<IgnoredAny>>,
}

/// Which tools the model may want.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Choice<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Str<'a>,
    #[serde(borrow, default)]
    pub(super) name: Option<Str<'a>>,
    #[serde(default)]
    pub(super) disable_parallel_tool_use: Option<bool>,
}
