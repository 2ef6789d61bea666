//! The body of a Messages request.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::data_plane::provider::calling::{self, plain_id};
use crate::data_plane::provider::error::Error;
use crate::data_plane::provider::exchange::{Format, Part, Request, Role, Sampling, ToolChoice, ToolSpec};
use crate::data_plane::provider::turns::{self, Turn};
use crate::journal::dialogue::{Image, ImageSource};

/// The longest name of a call that is sent as it is.
const CALL_ID_CHARS_MAX: usize = 16 * 1024;
/// Kinds of pictures that the API takes.
const MEDIA_TYPES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];
/// How much effort can be asked for.
const EFFORTS: [&str; 5] = ["low", "medium", "high", "xhigh", "max"];

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    system: &'a str,
    messages: Vec<Said<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
    stream: bool,
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: &'a str,
    },
    Image {
        source: Source<'a>,
    },
    ToolUse {
        id: String,
        name: &'a str,
        input: Box<RawValue>,
    },
    ToolResult {
        tool_use_id: String,
        content: &'a str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Source<'a> {
    Base64 { media_type: &'a str, data: &'a str },
    Url { url: &'a str },
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    input_schema: Box<RawValue>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict: bool,
}

#[derive(Serialize)]
struct Choice<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disable_parallel_tool_use: bool,
}

#[derive(Serialize)]
struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<OutputFormat>,
}

#[derive(Serialize)]
struct OutputFormat {
    #[serde(rename = "type")]
    kind: &'static str,
    schema: Box<RawValue>,
}

/// Writes the body, for a stream or not.
///
/// # Errors
/// [`Error::Unsupported`], naming what the format cannot say.
pub(super) fn body(model: &str, request: &Request, stream: bool) -> Result<Vec<u8>, Error> {
    let sampling = &request.sampling;
    unsupported(sampling)?;
    let messages: Vec<_> = turns::of(&request.messages).iter().map(said).collect::<Result<_, _>>()?;
    if messages.is_empty() {
        return Err(Error::Unsupported { what: "a conversation without words" });
    }
    let body = Body {
        model,
        max_tokens: request.max_output_tokens,
        system: request.system.expose(),
        messages,
        tools: request.tools.iter().map(tool).collect::<Result<_, _>>()?,
        tool_choice: choice(request)?,
        output_config: output_config(request)?,
        stop_sequences: &sampling.stop,
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        stream,
    };
    serde_json::to_vec(&body).map_err(|_| Error::Unsupported { what: "a request that cannot be written as JSON" })
}

/// Refuses what the API has no word for. A penalty of zero is what it does without one.
fn unsupported(sampling: &Sampling) -> Result<(), Error> {
    let given = |penalty: Option<f64>| penalty.is_some_and(|penalty| penalty != 0.0);
    let odd = |value: Option<f64>| value.is_some_and(|value| !(0.0..=1.0).contains(&value));
    let table = [
        (odd(sampling.temperature), "a temperature outside 0 to 1"),
        (odd(sampling.top_p), "a top_p outside 0 to 1"),
        (sampling.seed.is_some(), "a seed"),
        (given(sampling.presence_penalty), "a presence penalty"),
        (given(sampling.frequency_penalty), "a frequency penalty"),
    ];
    match table.into_iter().find(|(found, _)| *found) {
        Some((_, what)) => Err(Error::Unsupported { what }),
        None => Ok(()),
    }
}

fn said<'a>(turn: &Turn<'a>) -> Result<Said<'a>, Error> {
    let role = match turn.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    Ok(Said { role, content: turn.parts.iter().map(|part| block(part, turn.role)).collect::<Result<_, _>>()? })
}

fn block(part: &Part, role: Role) -> Result<Block<'_>, Error> {
    match (part, role) {
        (Part::Text(text), _) => Ok(Block::Text { text: text.expose() }),
        (Part::Image(image), Role::User) => Ok(Block::Image { source: source(image)? }),
        (Part::Call(call), Role::Assistant) => Ok(Block::ToolUse {
            id: plain_id(&call.id, CALL_ID_CHARS_MAX),
            name: &call.name,
            input: calling::arguments(call)?,
        }),
        (Part::Result(result), Role::User) => Ok(Block::ToolResult {
            tool_use_id: plain_id(&result.call, CALL_ID_CHARS_MAX),
            content: result.content.expose(),
            is_error: result.is_error,
        }),
        (Part::Image(_), Role::Assistant) => Err(Error::Unsupported { what: "a picture by the model" }),
        (Part::Call(_), Role::User) => Err(Error::Unsupported { what: "a call of a tool by the caller" }),
        (Part::Result(_), Role::Assistant) => Err(Error::Unsupported { what: "a tool's result by the model" }),
    }
}

/// The API looks as closely as it can, which is what `auto` and `high` ask for; it cannot be told to look less closely.
fn source(image: &Image) -> Result<Source<'_>, Error> {
    if !matches!(image.detail.as_deref(), None | Some("auto" | "high")) {
        return Err(Error::Unsupported { what: "a picture at less than full detail" });
    }
    match &image.source {
        ImageSource::Inline { media_type, data } if MEDIA_TYPES.contains(&media_type.as_str()) => {
            Ok(Source::Base64 { media_type, data: data.expose() })
        }
        ImageSource::Inline { .. } => Err(Error::Unsupported { what: "a picture of this media type" }),
        ImageSource::Link(url) => Ok(Source::Url { url: url.expose() }),
    }
}

fn tool(tool: &ToolSpec) -> Result<Tool<'_>, Error> {
    let parameters = tool.parameters.expose();
    // A tool without parameters takes an object of anything; the API wants its schema all the same.
    let parameters = if parameters.trim().is_empty() { r#"{"type":"object"}"# } else { parameters };
    let input_schema =
        calling::object(parameters).ok_or(Error::Unsupported { what: "a tool's schema that is no JSON object" })?;
    Ok(Tool {
        name: &tool.name,
        description: tool.description.expose(),
        input_schema,
        strict: tool.strict.unwrap_or_default(),
    })
}

fn choice(request: &Request) -> Result<Option<Choice<'_>>, Error> {
    let one_at_a_time = request.sampling.parallel_calls == Some(false);
    let (kind, name) = match &request.choice {
        // Without tools none is called, one by one or not.
        ToolChoice::Auto | ToolChoice::None if request.tools.is_empty() => return Ok(None),
        ToolChoice::Auto if !one_at_a_time => return Ok(None),
        ToolChoice::None => {
            return Ok(Some(Choice { kind: "none", name: None, disable_parallel_tool_use: false }));
        }
        ToolChoice::Required | ToolChoice::Named(_) if request.tools.is_empty() => {
            return Err(Error::Unsupported { what: "a choice among no tools" });
        }
        ToolChoice::Auto => ("auto", None),
        ToolChoice::Required => ("any", None),
        ToolChoice::Named(name) => ("tool", Some(name.as_str())),
    };
    Ok(Some(Choice { kind, name, disable_parallel_tool_use: one_at_a_time }))
}

/// A schema is always followed to the letter; its name is the client's own label, and the API has no place for one.
fn output_config(request: &Request) -> Result<Option<OutputConfig<'_>>, Error> {
    let format = match &request.format {
        Format::Text => None,
        Format::Json => return Err(Error::Unsupported { what: "JSON without a schema" }),
        Format::Schema { schema, .. } => {
            let schema = calling::object(schema.expose())
                .ok_or(Error::Unsupported { what: "an answer's schema that is no JSON object" })?;
            Some(OutputFormat { kind: "json_schema", schema })
        }
    };
    let effort = request.sampling.reasoning_effort.as_deref();
    if effort.is_some_and(|effort| !EFFORTS.contains(&effort)) {
        return Err(Error::Unsupported { what: "this reasoning effort" });
    }
    Ok((format.is_some() || effort.is_some()).then_some(OutputConfig { effort, format }))
}
