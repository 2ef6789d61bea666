//! The body of a Chat Completions request, written straight from the request's own texts.
//!
//! Everything in a request is translated or refused, with these exceptions: a tool's result has no mark of failure in this format,
//! so its content begins with the word; `parallel_tool_calls` and a `tool_choice` that forbids tools say nothing without tools, and
//! are left out.

mod said;

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use self::said::{Ids, Said, said};
use crate::data_plane::provider::calling;
use crate::data_plane::provider::error::Error;
use crate::data_plane::provider::exchange::{Format, Request, Sampling, ToolChoice, ToolSpec};
use crate::domain::private::Text;

/// Room for what is not the request's own texts, in bytes.
const FRAME_BYTES: usize = 1_024;
/// The longest name of a call that OpenAI takes.
const OPENAI_CALL_ID_BYTES_MAX: usize = 40;
/// How long the name of a call is at Mistral.
const MISTRAL_CALL_ID_CHARS: usize = 9;

/// The words in which a host differs from what every server knows. The host decides, since nothing else is known before a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// OpenAI's own service, and Azure's: `max_completion_tokens` in place of `max_tokens`, which their newer models refuse; no
    /// `top_k`.
    OpenAi,
    /// Mistral's service refuses words that it does not know: `random_seed` in place of `seed`, no `stream_options` (it says the
    /// usage unasked), no `top_k`.
    Mistral,
    /// Everybody else knows `max_tokens`, and many know nothing else; `top_k` is theirs (vLLM, llama.cpp, OpenRouter).
    Common,
}

impl Dialect {
    pub(super) fn of_host(host: &str) -> Self {
        let azure = [".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"];
        let openai = host == "api.openai.com" || host.ends_with(".api.openai.com");
        if openai || azure.iter().any(|domain| host.ends_with(domain)) {
            Self::OpenAi
        } else if host == "api.mistral.ai" || host == "codestral.mistral.ai" {
            Self::Mistral
        } else {
            Self::Common
        }
    }

    /// Names of calls come from whichever provider answered before; OpenAI takes 40 characters, Mistral nine letters and digits.
    fn call_ids(self) -> Ids {
        match self {
            Self::OpenAi => |id| calling::short_id(id, OPENAI_CALL_ID_BYTES_MAX),
            Self::Mistral => |id| calling::exact_id(id, MISTRAL_CALL_ID_CHARS),
            Self::Common => |id| Cow::Borrowed(id),
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Said<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
    #[serde(flatten)]
    words: Words<'a>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

/// How the model is to choose its words.
#[derive(Serialize)]
struct Words<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    random_seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", content = "function", rename_all = "lowercase")]
enum Tool<'a> {
    Function(Function<'a>),
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Choice<'a> {
    Word(&'static str),
    One(Chosen<'a>),
}

#[derive(Serialize)]
#[serde(tag = "type", content = "function", rename_all = "lowercase")]
enum Chosen<'a> {
    Function { name: &'a str },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ResponseFormat<'a> {
    JsonObject,
    JsonSchema { json_schema: Schema<'a> },
}

#[derive(Serialize)]
struct Schema<'a> {
    name: &'a str,
    schema: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

/// Writes the body.
///
/// # Errors
/// [`Error::Unsupported`]: the format, or this host's dialect of it, has no word for something.
pub(super) fn body(model: &str, request: &Request, dialect: Dialect, stream: bool) -> Result<Vec<u8>, Error> {
    let limit = Some(request.max_output_tokens);
    let (max_tokens, max_completion_tokens) = match dialect {
        Dialect::OpenAi => (None, limit),
        Dialect::Mistral | Dialect::Common => (limit, None),
    };
    let has_tools = !request.tools.is_empty();
    let body = Body {
        model,
        messages: said(&request.system, &request.messages, dialect.call_ids())?,
        max_tokens,
        max_completion_tokens,
        tools: request.tools.iter().map(tool).collect::<Result<_, _>>()?,
        tool_choice: choice(&request.choice, has_tools)?,
        parallel_tool_calls: request.sampling.parallel_calls.filter(|_| has_tools),
        response_format: format(&request.format)?,
        words: words(&request.sampling, dialect)?,
        stream,
        stream_options: (stream && dialect != Dialect::Mistral).then_some(StreamOptions { include_usage: true }),
    };
    let mut bytes = Vec::with_capacity(size(request));
    serde_json::to_writer(&mut bytes, &body)
        .map_err(|_| Error::Unsupported { what: "a value that JSON does not have" })?;
    Ok(bytes)
}

fn words(sampling: &Sampling, dialect: Dialect) -> Result<Words<'_>, Error> {
    if sampling.top_k.is_some() && dialect != Dialect::Common {
        return Err(Error::Unsupported { what: "a top_k" });
    }
    let numbers = [sampling.temperature, sampling.top_p, sampling.presence_penalty, sampling.frequency_penalty];
    if numbers.into_iter().flatten().any(|number| !number.is_finite()) {
        return Err(Error::Unsupported { what: "a number that is not finite" });
    }
    let (seed, random_seed) = match dialect {
        Dialect::Mistral => (None, sampling.seed),
        Dialect::OpenAi | Dialect::Common => (sampling.seed, None),
    };
    Ok(Words {
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        stop: &sampling.stop,
        seed,
        random_seed,
        presence_penalty: sampling.presence_penalty,
        frequency_penalty: sampling.frequency_penalty,
        reasoning_effort: sampling.reasoning_effort.as_deref(),
    })
}

fn tool(spec: &ToolSpec) -> Result<Tool<'_>, Error> {
    let parameters = if spec.parameters.is_empty() { None } else { Some(schema(&spec.parameters)?) };
    let (name, description) = (spec.name.as_str(), spec.description.expose());
    Ok(Tool::Function(Function { name, description, parameters, strict: spec.strict }))
}

fn choice(choice: &ToolChoice, has_tools: bool) -> Result<Option<Choice<'_>>, Error> {
    match choice {
        ToolChoice::Auto => Ok(None),
        ToolChoice::None => Ok(has_tools.then_some(Choice::Word("none"))),
        ToolChoice::Required | ToolChoice::Named(_) if !has_tools => {
            Err(Error::Unsupported { what: "a call of a tool without tools" })
        }
        ToolChoice::Required => Ok(Some(Choice::Word("required"))),
        ToolChoice::Named(name) => Ok(Some(Choice::One(Chosen::Function { name }))),
    }
}

fn format(format: &Format) -> Result<Option<ResponseFormat<'_>>, Error> {
    match format {
        Format::Text => Ok(None),
        Format::Json => Ok(Some(ResponseFormat::JsonObject)),
        Format::Schema { name, schema: text, strict } => {
            let json_schema = Schema { name, schema: schema(text)?, strict: *strict };
            Ok(Some(ResponseFormat::JsonSchema { json_schema }))
        }
    }
}

/// A JSON Schema, passed on to the letter.
fn schema(text: &Text) -> Result<&RawValue, Error> {
    serde_json::from_str(text.expose()).map_err(|_| Error::Unsupported { what: "a schema that is no JSON" })
}

/// About how large the body is, so that it is written in one piece of memory.
fn size(request: &Request) -> usize {
    use crate::data_plane::provider::exchange::Part;
    let messages = request.messages.iter().flat_map(|message| &message.parts).map(Part::len);
    let tools = request.tools.iter().map(|tool| tool.description.len().saturating_add(tool.parameters.len()));
    messages.chain(tools).fold(FRAME_BYTES.saturating_add(request.system.len()), usize::saturating_add)
}
