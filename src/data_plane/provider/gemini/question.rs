//! The body of a `generateContent` request, and its path.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::value::RawValue;

use super::generation::{self, GenerationConfig};
use super::signature::{Carried, Generation};
use crate::data_plane::provider::calling;
use crate::data_plane::provider::error::Error;
use crate::data_plane::provider::exchange::{Message, Part, Request, Role, ToolCall, ToolChoice, ToolSpec};
use crate::data_plane::provider::turns::{self, Turn};
use crate::journal::dialogue::{Image, ImageSource, ToolResult};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Content<'a>>,
    contents: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tools<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    generation_config: GenerationConfig<'a>,
}

#[derive(Serialize)]
struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    parts: Vec<Piece<'a>>,
}

/// Exactly one of these, and a signature with a call.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Piece<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inline_data: Option<Inline<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_data: Option<File<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_response: Option<Response<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Inline<'a> {
    mime_type: &'a str,
    data: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    file_uri: &'a str,
}

#[derive(Serialize)]
struct Call<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    name: &'a str,
    args: Box<RawValue>,
}

#[derive(Serialize)]
struct Response<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    name: &'a str,
    response: Outcome<'a>,
}

/// What a tool gave, by the names that the API knows.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome<'a> {
    Output(&'a str),
    Error(&'a str),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tools<'a> {
    function_declarations: Vec<Function<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Function<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<Box<RawValue>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfig<'a> {
    function_calling_config: Calling<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Calling<'a> {
    mode: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_function_names: Vec<&'a str>,
}

/// The path under which a model is asked, for a stream or not. A name without a path of its own is one of `models/`.
pub(super) fn path(model: &str, stream: bool) -> String {
    let collection = if model.contains('/') { "" } else { "models/" };
    let mut path = format!("/{collection}");
    for byte in model.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/' | b'@') {
            path.push(char::from(byte));
        } else {
            // Writing into a text cannot fail.
            let _written = write!(path, "%{byte:02X}");
        }
    }
    path + if stream { ":streamGenerateContent?alt=sse" } else { ":generateContent" }
}

/// Writes the body; the same for a stream or not.
///
/// # Errors
/// [`Error::Unsupported`], naming what the format cannot say.
pub(super) fn body(model: &str, request: &Request) -> Result<Vec<u8>, Error> {
    if request.sampling.parallel_calls == Some(false) && !request.tools.is_empty() {
        return Err(Error::Unsupported { what: "calls of tools one at a time" });
    }
    let writer = Writer { model, called: called(&request.messages) };
    let contents: Vec<_> =
        turns::of(&request.messages).iter().map(|turn| writer.content(turn)).collect::<Result<_, _>>()?;
    if contents.is_empty() {
        return Err(Error::Unsupported { what: "a conversation without words" });
    }
    let system =
        (!request.system.is_empty()).then(|| Content { role: None, parts: vec![Piece::said(request.system.expose())] });
    let functions: Vec<_> = request.tools.iter().map(function).collect::<Result<_, _>>()?;
    let tools = if functions.is_empty() { Vec::new() } else { vec![Tools { function_declarations: functions }] };
    let body = Body {
        system_instruction: system,
        contents,
        tools,
        tool_config: tool_config(request)?,
        generation_config: generation::config(model, request)?,
    };
    serde_json::to_vec(&body).map_err(|_| Error::Unsupported { what: "a request that cannot be written as JSON" })
}

/// Which call has which name: results are sent under the name of their tool.
fn called(messages: &[Message]) -> BTreeMap<&str, &ToolCall> {
    let parts = messages.iter().flat_map(|message| &message.parts);
    let calls = parts.filter_map(|part| match part {
        Part::Call(call) => Some((call.id.as_str(), call)),
        Part::Text(_) | Part::Image(_) | Part::Result(_) => None,
    });
    calls.collect()
}

struct Writer<'a> {
    model: &'a str,
    called: BTreeMap<&'a str, &'a ToolCall>,
}

impl<'a> Writer<'a> {
    fn content(&self, turn: &Turn<'a>) -> Result<Content<'a>, Error> {
        let role = match turn.role {
            Role::User => "user",
            Role::Assistant => "model",
        };
        let mut parts = Vec::with_capacity(turn.parts.len());
        let mut is_first = true;
        for part in &turn.parts {
            parts.push(match (part, turn.role) {
                (Part::Text(text), _) => Piece::said(text.expose()),
                (Part::Image(image), Role::User) => picture(image),
                (Part::Call(call), Role::Assistant) => self.call(call, std::mem::take(&mut is_first))?,
                (Part::Result(result), Role::User) => self.result(result)?,
                (Part::Image(_), Role::Assistant) => {
                    return Err(Error::Unsupported { what: "a picture by the model" });
                }
                (Part::Call(_), Role::User) => {
                    return Err(Error::Unsupported { what: "a call of a tool by the caller" });
                }
                (Part::Result(_), Role::Assistant) => {
                    return Err(Error::Unsupported { what: "a tool's result by the model" });
                }
            });
        }
        Ok(Content { role: Some(role), parts })
    }

    fn call(&self, call: &'a ToolCall, is_first: bool) -> Result<Piece<'a>, Error> {
        let carried = Carried::of(&call.id);
        let function_call = Some(Call { id: carried.id(), name: &call.name, args: calling::arguments(call)? });
        let thought_signature = carried.signature_for(self.model, Generation::of(self.model), is_first);
        Ok(Piece { function_call, thought_signature, ..Piece::default() })
    }

    fn result(&self, result: &'a ToolResult) -> Result<Piece<'a>, Error> {
        let call = self
            .called
            .get(result.call.as_str())
            .ok_or(Error::Unsupported { what: "a tool's result without its call" })?;
        let content = result.content.expose();
        let response = if result.is_error { Outcome::Error(content) } else { Outcome::Output(content) };
        let response = Response { id: Carried::of(&call.id).id(), name: &call.name, response };
        Ok(Piece { function_response: Some(response), ..Piece::default() })
    }
}

impl<'a> Piece<'a> {
    fn said(text: &'a str) -> Self {
        Self { text: Some(text), ..Self::default() }
    }
}

fn picture(image: &Image) -> Piece<'_> {
    match &image.source {
        ImageSource::Inline { media_type, data } => {
            Piece { inline_data: Some(Inline { mime_type: media_type, data: data.expose() }), ..Piece::default() }
        }
        ImageSource::Link(uri) => Piece { file_data: Some(File { file_uri: uri.expose() }), ..Piece::default() },
    }
}

fn function(tool: &ToolSpec) -> Result<Function<'_>, Error> {
    let parameters = tool.parameters.expose();
    let parameters_json_schema = match parameters.trim() {
        "" => None,
        _ => Some(
            calling::object(parameters).ok_or(Error::Unsupported { what: "a tool's schema that is no JSON object" })?,
        ),
    };
    Ok(Function { name: &tool.name, description: tool.description.expose(), parameters_json_schema })
}

/// Where one tool is strict, all calls follow their schemas: the API has no narrower word for it.
fn tool_config(request: &Request) -> Result<Option<ToolConfig<'_>>, Error> {
    let strict = request.tools.iter().any(|tool| tool.strict == Some(true));
    let (mode, allowed_function_names) = match &request.choice {
        ToolChoice::Auto | ToolChoice::None if request.tools.is_empty() => return Ok(None),
        ToolChoice::Required | ToolChoice::Named(_) if request.tools.is_empty() => {
            return Err(Error::Unsupported { what: "a choice among no tools" });
        }
        ToolChoice::Auto if strict => ("VALIDATED", Vec::new()),
        ToolChoice::Auto => return Ok(None),
        ToolChoice::None => ("NONE", Vec::new()),
        ToolChoice::Required => ("ANY", Vec::new()),
        ToolChoice::Named(name) => ("ANY", vec![name.as_str()]),
    };
    Ok(Some(ToolConfig { function_calling_config: Calling { mode, allowed_function_names } }))
}
