//! What a request of Messages means. Pure.

use std::collections::BTreeMap;

use super::question::{Block, OutputConfig, Question, Said, Source, Tool};
use crate::api::error::Answer;
use crate::api::fault::without_values;
use crate::api::v1::checks;
use crate::api::v1::reading::{Content, Str, unsupported, within, wrong};
use crate::api::v1::running::Wanted;
use crate::domain::private::Text;
use crate::journal::dialogue::{
    Dialogue, Format, Image, ImageSource, Message, Part, Role, Sampling, ToolCall, ToolChoice, ToolResult, ToolSpec,
};

/// The most texts at which an answer stops.
const STOPS_MAX: usize = 64;
/// Anthropic's words for how much a model does for an answer.
const EFFORTS: [&str; 5] = ["low", "medium", "high", "xhigh", "max"];
/// What a schema is called that this API gives no name.
const SCHEMA_NAME: &str = "answer";

/// What the request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api::v1) enum Purpose {
    /// An answer, whose most tokens must be given.
    Answer,
    /// The count of its tokens.
    Count,
}

/// What the client wants.
pub(super) fn wanted(asked: &Question<'_>, purpose: Purpose) -> Answer<Wanted> {
    let model = asked.model.as_ref().ok_or_else(|| wrong("model", "is missing"))?;
    let max_output_tokens = match (asked.max_tokens, purpose) {
        (None, Purpose::Answer) => return Err(wrong("max_tokens", "is missing")),
        (Some(0), _) => return Err(wrong("max_tokens", "is not at least 1")),
        (most, _) => most,
    };
    let tools = tools(asked.tools.as_deref().unwrap_or_default())?;
    let (system, messages) = conversation(asked)?;
    let dialogue = Dialogue {
        system,
        messages,
        choice: choice(asked, &tools)?,
        tools,
        format: format(asked.output_config.as_ref())?,
        sampling: sampling(asked)?,
        max_output_tokens,
    };
    let user = asked.metadata.as_ref().and_then(|metadata| metadata.user_id.clone());
    let metadata: BTreeMap<_, _> = user.map(|user| ("user_id".to_owned(), user)).into_iter().collect();
    Ok(Wanted::of(model, dialogue, metadata, asked.stream.unwrap_or(false)))
}

fn sampling(asked: &Question<'_>) -> Answer<Sampling> {
    let stop = asked.stop_sequences.clone().unwrap_or_default();
    checks::stops("stop_sequences", &stop, STOPS_MAX)?;
    let effort = asked.output_config.as_ref().and_then(|config| config.effort.as_ref());
    if effort.is_some_and(|effort| !EFFORTS.contains(&&**effort)) {
        return Err(wrong("output_config.effort", &format!("is none of {}", EFFORTS.join(", "))));
    }
    let one_at_a_time = asked.tool_choice.as_ref().and_then(|choice| choice.disable_parallel_tool_use);
    Ok(Sampling {
        temperature: within("temperature", asked.temperature, 0.0, 1.0)?,
        top_p: within("top_p", asked.top_p, 0.0, 1.0)?,
        top_k: asked.top_k,
        stop,
        reasoning_effort: effort.map(ToString::to_string),
        parallel_calls: one_at_a_time.map(|one| !one),
        ..Sampling::default()
    })
}

fn format(config: Option<&OutputConfig<'_>>) -> Answer<Format> {
    let Some(format) = config.and_then(|config| config.format.as_ref()) else { return Ok(Format::Text) };
    if &*format.kind != "json_schema" {
        return Err(unsupported("output_config.format.type", "is not json_schema, which alone is supported here"));
    }
    let schema = checks::schema(|| "output_config.format.schema".to_owned(), format.schema)?;
    Ok(Format::Schema { name: SCHEMA_NAME.to_owned(), schema, strict: Some(true) })
}

fn tools(asked: &[Tool<'_>]) -> Answer<Vec<ToolSpec>> {
    checks::count("tools", asked.len(), checks::TOOLS_MAX)?;
    let tool = |(index, tool): (usize, &Tool<'_>)| {
        let at = |rest: &str| format!("tools[{index}]{rest}");
        if tool.kind.as_ref().is_some_and(|kind| &**kind != "custom") {
            return Err(unsupported(&at(".type"), "is not custom; the provider's own tools are not supported here"));
        }
        let strange = [
            (".allowed_callers", tool.allowed_callers.as_ref().is_some_and(|callers| callers != &["direct"])),
            (".defer_loading", tool.defer_loading == Some(true)),
            (".input_examples", tool.input_examples.as_ref().is_some_and(|examples| !examples.is_empty())),
        ];
        if let Some((member, _)) = strange.iter().find(|(_, is_there)| *is_there) {
            return Err(unsupported(&at(member), "is not supported here"));
        }
        checks::name(|| at(".name"), &tool.name)?;
        let schema = tool.input_schema.ok_or_else(|| wrong(at(".input_schema"), "is missing"))?;
        Ok(ToolSpec {
            name: tool.name.to_string(),
            description: tool.description.as_ref().map(Text::from).unwrap_or_default(),
            parameters: checks::schema(|| at(".input_schema"), schema)?,
            strict: tool.strict,
        })
    };
    let tools = asked.iter().enumerate().map(tool).collect::<Answer<Vec<_>>>()?;
    checks::distinct("tools", tools.iter().map(|tool| tool.name.as_str()))?;
    Ok(tools)
}

fn choice(asked: &Question<'_>, tools: &[ToolSpec]) -> Answer<ToolChoice> {
    let Some(wanted) = &asked.tool_choice else { return Ok(ToolChoice::Auto) };
    let choice = match (&*wanted.kind, &wanted.name) {
        ("auto", None) => ToolChoice::Auto,
        ("any", None) => ToolChoice::Required,
        ("none", None) => ToolChoice::None,
        ("tool", Some(name)) => ToolChoice::Named(name.to_string()),
        (_, _) => return Err(wrong("tool_choice", "is none of auto, any, none, and tool with a name")),
    };
    checks::choice("tool_choice", &choice, tools)?;
    Ok(choice)
}

fn conversation(asked: &Question<'_>) -> Answer<(Text, Vec<Message>)> {
    let system = match &asked.system {
        Content::Nothing => Text::default(),
        Content::Text(text) => text.into(),
        Content::Parts(blocks) => words(blocks, &|rest| format!("system{rest}"))?,
    };
    let said = asked.messages.as_deref().ok_or_else(|| wrong("messages", "is missing"))?;
    checks::count("messages", said.len(), checks::MESSAGES_MAX)?;
    let messages = said.iter().enumerate().map(|(index, said)| message(index, said)).collect::<Answer<Vec<_>>>()?;
    checks::answered(&messages)?;
    Ok((system, messages))
}

fn message(index: usize, said: &Said<'_>) -> Answer<Message> {
    let at = |rest: &str| format!("messages[{index}]{rest}");
    let role = match &*said.role {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        _ => return Err(wrong(at(".role"), "is neither user nor assistant")),
    };
    let parts = match &said.content {
        Content::Nothing => return Err(wrong(at(".content"), "is missing")),
        Content::Text(text) => vec![Part::Text(text.into())],
        Content::Parts(blocks) => {
            let one = |(index, block): (usize, &Block<'_>)| {
                part(role, block, &|rest| at(&format!(".content[{index}]{rest}")))
            };
            blocks.iter().enumerate().map(one).collect::<Answer<Vec<_>>>()?
        }
    };
    if parts.is_empty() { Err(wrong(at(".content"), "is empty")) } else { Ok(Message { role, parts }) }
}

fn part(role: Role, block: &Block<'_>, at: &impl Fn(&str) -> String) -> Answer<Part> {
    match (&*block.kind, role) {
        ("text", _) => text(block, at).map(Part::Text),
        ("image", Role::User) => image(block.source.as_ref(), at),
        ("tool_use", Role::Assistant) => call(block, at).map(Part::Call),
        ("tool_result", Role::User) => result(block, at).map(Part::Result),
        ("image" | "tool_use" | "tool_result", _) => Err(wrong(at(".type"), "is not for this role")),
        (_, _) => {
            let why = "is none of text, image, tool_use and tool_result, which alone are supported here";
            Err(unsupported(&at(".type"), why))
        }
    }
}

fn text(block: &Block<'_>, at: &impl Fn(&str) -> String) -> Answer<Text> {
    if block.citations.as_ref().is_some_and(|citations| !citations.is_empty()) {
        return Err(unsupported(&at(".citations"), "is not supported here"));
    }
    block.text.as_ref().map(Text::from).ok_or_else(|| wrong(at(".text"), "is missing"))
}

/// Blocks that are words alone.
fn words(blocks: &[Block<'_>], at: &impl Fn(&str) -> String) -> Answer<Text> {
    let one = |(index, block): (usize, &Block<'_>)| {
        let here = |rest: &str| at(&format!("[{index}]{rest}"));
        match &*block.kind {
            "text" => text(block, &here),
            _ => Err(unsupported(&here(".type"), "is not text, which alone is supported in this place")),
        }
    };
    let texts = blocks.iter().enumerate().map(one).collect::<Answer<Vec<_>>>()?;
    Ok(checks::lines(&texts))
}

fn image(source: Option<&Source<'_>>, at: &impl Fn(&str) -> String) -> Answer<Part> {
    let source = source.ok_or_else(|| wrong(at(".source"), "is missing"))?;
    let found = match (&*source.kind, &source.media_type, &source.data, &source.url) {
        ("base64", Some(media_type), Some(data), None) => checks::inline_image(media_type, data),
        ("url", None, None, Some(url)) => {
            checks::image_source(url).filter(|source| matches!(source, ImageSource::Link(_)))
        }
        ("file", _, _, _) => return Err(unsupported(&at(".source.type"), "is file, which is not supported here")),
        (_, _, _, _) => None,
    };
    let why = "is neither base64 of a picture with its media_type, nor the http(s) url of one";
    found.map(|source| Part::Image(Image { source, detail: None })).ok_or_else(|| wrong(at(".source"), why))
}

fn call(block: &Block<'_>, at: &impl Fn(&str) -> String) -> Answer<ToolCall> {
    let there = |member: &str, value: &Option<Str<'_>>| {
        value.as_ref().map(ToString::to_string).ok_or_else(|| wrong(at(member), "is missing"))
    };
    let (id, name) = (there(".id", &block.id)?, there(".name", &block.name)?);
    checks::call_id(|| at(".id"), &id)?;
    checks::name(|| at(".name"), &name)?;
    let input = block.input.ok_or_else(|| wrong(at(".input"), "is missing"))?;
    Ok(ToolCall { id, name, arguments: checks::schema(|| at(".input"), input)? })
}

fn result(block: &Block<'_>, at: &impl Fn(&str) -> String) -> Answer<ToolResult> {
    let call = block.tool_use_id.as_ref().ok_or_else(|| wrong(at(".tool_use_id"), "is missing"))?;
    let content = match block.content {
        None => Text::default(),
        Some(raw) => {
            let read: Content<'_, Block<'_>> = serde_json::from_str(raw.get()).map_err(|fault| {
                wrong(at(".content"), &format!("is not what is expected: {}", without_values(&fault)))
            })?;
            match &read {
                Content::Nothing => Text::default(),
                Content::Text(text) => text.into(),
                Content::Parts(blocks) => words(blocks, &|rest| at(&format!(".content{rest}")))?,
            }
        }
    };
    Ok(ToolResult { call: call.to_string(), content, is_error: block.is_error.unwrap_or(false) })
}
