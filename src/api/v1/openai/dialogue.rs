//! What a request of Chat Completions means. Pure.

use std::collections::BTreeMap;

use super::question::{Call, Choice, ImageUrl, Part, Question, ResponseFormat, Said, Tool};
use crate::api::error::Answer;
use crate::api::v1::checks::{self, Schema};
use crate::api::v1::reading::{Content, unsupported, within, wrong};
use crate::api::v1::running::Wanted;
use crate::domain::private::Text;
use crate::journal::dialogue::{
    self as said, Dialogue, Format, Image, Message, Role, Sampling, ToolCall, ToolChoice, ToolResult, ToolSpec,
};

/// The most texts at which an answer stops.
const STOPS_MAX: usize = 4;
/// OpenAI's words for how much a model reasons.
const EFFORTS: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/// What the client wants.
pub(super) fn wanted(asked: &Question<'_>) -> Answer<Wanted> {
    let model = asked.model.as_ref().ok_or_else(|| wrong("model", "is missing"))?;
    let mut dialogue = Dialogue {
        tools: tools(asked.tools.as_deref().unwrap_or_default())?,
        format: format(asked.response_format.as_ref())?,
        sampling: sampling(asked)?,
        max_output_tokens: most(asked)?,
        ..Dialogue::default()
    };
    dialogue.choice = choice(asked, &dialogue.tools)?;
    let messages = asked.messages.as_deref().ok_or_else(|| wrong("messages", "is missing"))?;
    (dialogue.system, dialogue.messages) = conversation(messages)?;
    check_stream(asked)?;
    let metadata = metadata(asked)?;
    let streamed = asked.stream.unwrap_or(false);
    Ok(Wanted::of(model, dialogue, metadata, streamed))
}

/// Whether a chunk with the usage is wanted at a stream's end.
pub(super) fn wants_usage(asked: &Question<'_>) -> bool {
    asked.stream_options.as_ref().and_then(|options| options.include_usage).unwrap_or(false)
}

fn check_stream(asked: &Question<'_>) -> Answer<()> {
    match &asked.stream_options {
        Some(_) if !asked.stream.unwrap_or(false) => Err(wrong("stream_options", "is for streams alone")),
        Some(options) if options.include_obfuscation == Some(true) => {
            Err(unsupported("stream_options.include_obfuscation", "is not supported here"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Who the answer is for is kept with the task, where people look for it.
fn metadata(asked: &Question<'_>) -> Answer<BTreeMap<String, String>> {
    let mut metadata = asked.metadata.clone().unwrap_or_default();
    for (name, value) in [("user", &asked.user), ("safety_identifier", &asked.safety_identifier)] {
        let Some(value) = value else { continue };
        if metadata.insert(name.to_owned(), value.to_string()).is_some() {
            return Err(wrong(name, "is in metadata as well"));
        }
    }
    Ok(metadata)
}

fn most(asked: &Question<'_>) -> Answer<Option<u32>> {
    let named = match (asked.max_completion_tokens, asked.max_tokens) {
        (Some(_), Some(_)) => return Err(wrong("max_tokens", "is given beside max_completion_tokens")),
        (Some(most), None) => Some(("max_completion_tokens", most)),
        (None, most) => most.map(|most| ("max_tokens", most)),
    };
    match named {
        Some((name, 0)) => Err(wrong(name, "is not at least 1")),
        named => Ok(named.map(|(_, most)| most)),
    }
}

fn sampling(asked: &Question<'_>) -> Answer<Sampling> {
    let effort = asked.reasoning_effort.as_ref();
    if effort.is_some_and(|effort| !EFFORTS.contains(&&**effort)) {
        return Err(wrong("reasoning_effort", &format!("is none of {}", EFFORTS.join(", "))));
    }
    let stop = match &asked.stop {
        Content::Nothing => Vec::new(),
        Content::Text(stop) => vec![stop.to_string()],
        Content::Parts(stops) => stops.iter().map(ToString::to_string).collect(),
    };
    checks::stops("stop", &stop, STOPS_MAX)?;
    Ok(Sampling {
        temperature: within("temperature", asked.temperature, 0.0, 2.0)?,
        top_p: within("top_p", asked.top_p, 0.0, 1.0)?,
        top_k: None,
        stop,
        seed: asked.seed,
        presence_penalty: within("presence_penalty", asked.presence_penalty, -2.0, 2.0)?,
        frequency_penalty: within("frequency_penalty", asked.frequency_penalty, -2.0, 2.0)?,
        reasoning_effort: effort.map(ToString::to_string),
        parallel_calls: asked.parallel_tool_calls.filter(|_| asked.tools.is_some()),
    })
}

fn format(asked: Option<&ResponseFormat<'_>>) -> Answer<Format> {
    let Some(asked) = asked else { return Ok(Format::Text) };
    match (&*asked.kind, &asked.json_schema) {
        ("text", None) => Ok(Format::Text),
        ("json_object", None) => Ok(Format::Json),
        ("json_schema", Some(wanted)) => {
            const AT: &str = "response_format.json_schema";
            if wanted.description.is_some() {
                return Err(unsupported(
                    &format!("{AT}.description"),
                    "is not supported here; the schema may have one",
                ));
            }
            checks::name(|| format!("{AT}.name"), &wanted.name)?;
            let schema = wanted.schema.ok_or_else(|| wrong(format!("{AT}.schema"), "is missing"))?;
            let schema = checks::schema(|| format!("{AT}.schema"), schema)?;
            Ok(Format::Schema { name: wanted.name.to_string(), schema, strict: wanted.strict })
        }
        (_, _) => Err(wrong("response_format", "is none of text, json_object, and json_schema with its schema")),
    }
}

fn tools(asked: &[Tool<'_>]) -> Answer<Vec<ToolSpec>> {
    checks::count("tools", asked.len(), checks::TOOLS_MAX)?;
    let tool = |(index, tool): (usize, &Tool<'_>)| {
        let at = |rest: &str| format!("tools[{index}]{rest}");
        let ("function", Some(function)) = (&*tool.kind, &tool.function) else {
            return Err(unsupported(&at(".type"), "is not function; other tools are not supported here"));
        };
        checks::name(|| at(".function.name"), &function.name)?;
        Ok(ToolSpec {
            name: function.name.to_string(),
            description: function.description.as_ref().map(Text::from).unwrap_or_default(),
            parameters: match function.parameters {
                Some(schema) => checks::schema(|| at(".function.parameters"), schema)?,
                None => Schema::of_nothing(),
            },
            strict: function.strict,
        })
    };
    let tools = asked.iter().enumerate().map(tool).collect::<Answer<Vec<_>>>()?;
    checks::distinct("tools", tools.iter().map(|tool| tool.name.as_str()))?;
    Ok(tools)
}

fn choice(asked: &Question<'_>, tools: &[ToolSpec]) -> Answer<ToolChoice> {
    let Some(raw) = asked.tool_choice else { return Ok(ToolChoice::Auto) };
    let choice = match raw.get() {
        "\"auto\"" => return Ok(ToolChoice::Auto),
        "\"none\"" => return Ok(ToolChoice::None),
        "\"required\"" => ToolChoice::Required,
        object => {
            let choice: Choice<'_> = serde_json::from_str(object)
                .map_err(|_| wrong("tool_choice", "is none of auto, none, required, and a function"))?;
            match (&*choice.kind, choice.function) {
                ("function", Some(function)) => ToolChoice::Named(function.name.to_string()),
                (_, _) => {
                    return Err(unsupported("tool_choice.type", "is not function, which alone is supported here"));
                }
            }
        }
    };
    checks::choice("tool_choice", &choice, tools)?;
    Ok(choice)
}

/// The instructions, wherever they stand, and everything else in order.
fn conversation(asked: &[Said<'_>]) -> Answer<(Text, Vec<Message>)> {
    checks::count("messages", asked.len(), checks::MESSAGES_MAX)?;
    let (mut system, mut messages) = (Vec::new(), Vec::<Message>::new());
    for (index, said) in asked.iter().enumerate() {
        let at = |rest: &str| format!("messages[{index}]{rest}");
        check_members(said, &at)?;
        match &*said.role {
            "system" | "developer" => system.push(words(&said.content, &at)?),
            "user" => messages.push(Message { role: Role::User, parts: parts(&said.content, &at)? }),
            "assistant" => messages.push(Message { role: Role::Assistant, parts: spoken(said, &at)? }),
            "tool" => checks::bring(&mut messages, result(said, &at)?),
            _ => return Err(wrong(at(".role"), "is none of system, developer, user, assistant and tool")),
        }
    }
    checks::answered(&messages)?;
    Ok((checks::paragraphs(&system), messages))
}

fn check_members(said: &Said<'_>, at: &impl Fn(&str) -> String) -> Answer<()> {
    let (is_assistant, is_tool) = (&*said.role == "assistant", &*said.role == "tool");
    let strange = [
        (".name", said.name.is_some() && !is_tool),
        (".audio", said.audio.is_some()),
        (".function_call", said.function_call.is_some()),
        (".annotations", said.annotations.as_ref().is_some_and(|annotations| !annotations.is_empty())),
    ];
    if let Some((member, _)) = strange.iter().find(|(_, is_there)| *is_there) {
        return Err(unsupported(&at(member), "is not supported here"));
    }
    let misplaced = [
        (".tool_calls", said.tool_calls.is_some() && !is_assistant),
        (".refusal", said.refusal.is_some() && !is_assistant),
        (".tool_call_id", said.tool_call_id.is_some() && !is_tool),
    ];
    match misplaced.iter().find(|(_, is_there)| *is_there) {
        Some((member, _)) => Err(wrong(at(member), &format!("is not for the role {}", &*said.role))),
        None => Ok(()),
    }
}

/// Content that is words alone.
fn words(content: &Content<'_, Part<'_>>, at: &impl Fn(&str) -> String) -> Answer<Text> {
    match content {
        Content::Text(text) => Ok(Text::from(text)),
        Content::Nothing => Err(wrong(at(".content"), "is missing")),
        Content::Parts(parts) => {
            let one = |(index, part): (usize, &Part<'_>)| match (&*part.kind, &part.text) {
                ("text", Some(text)) => Ok(Text::from(text)),
                (_, _) => Err(wrong(at(&format!(".content[{index}]")), "is not a text, which alone may stand here")),
            };
            let texts = parts.iter().enumerate().map(one).collect::<Answer<Vec<_>>>()?;
            Ok(checks::lines(&texts))
        }
    }
}

/// What a user says.
fn parts(content: &Content<'_, Part<'_>>, at: &impl Fn(&str) -> String) -> Answer<Vec<said::Part>> {
    let parts = match content {
        Content::Text(text) => return Ok(vec![said::Part::Text(text.into())]),
        Content::Nothing => return Err(wrong(at(".content"), "is missing")),
        Content::Parts(parts) => parts,
    };
    let one = |(index, part): (usize, &Part<'_>)| match (&*part.kind, &part.text, &part.image_url) {
        ("text", Some(text), None) => Ok(said::Part::Text(text.into())),
        ("image_url", None, Some(url)) => image(url, || at(&format!(".content[{index}].image_url"))),
        ("text" | "image_url", _, _) => Err(wrong(at(&format!(".content[{index}]")), "lacks what its type says")),
        (_, _, _) => Err(unsupported(
            &at(&format!(".content[{index}].type")),
            "is neither text nor image_url, which alone are supported here",
        )),
    };
    let parts = parts.iter().enumerate().map(one).collect::<Answer<Vec<_>>>()?;
    if parts.is_empty() { Err(wrong(at(".content"), "is empty")) } else { Ok(parts) }
}

fn image(url: &ImageUrl<'_>, at: impl Fn() -> String) -> Answer<said::Part> {
    let detail = url.detail.as_ref().map(ToString::to_string);
    if detail.as_deref().is_some_and(|detail| !["auto", "low", "high", "original"].contains(&detail)) {
        return Err(wrong(format!("{}.detail", at()), "is none of auto, low and high"));
    }
    let source = checks::image_source(&url.url).ok_or_else(|| {
        wrong(format!("{}.url", at()), "is neither an http(s) address nor data:MEDIA/TYPE;base64,… of a picture")
    })?;
    Ok(said::Part::Image(Image { source, detail }))
}

/// What the model said and wanted earlier.
fn spoken(said: &Said<'_>, at: &impl Fn(&str) -> String) -> Answer<Vec<said::Part>> {
    let mut parts = Vec::new();
    match &said.content {
        Content::Nothing => {}
        Content::Text(text) if text.is_empty() => {}
        Content::Text(text) => parts.push(said::Part::Text(text.into())),
        Content::Parts(spoken) => {
            for (index, part) in spoken.iter().enumerate() {
                let text = match &*part.kind {
                    "text" => part.text.as_ref(),
                    "refusal" => part.refusal.as_ref(),
                    _ => None,
                };
                let text =
                    text.ok_or_else(|| wrong(at(&format!(".content[{index}]")), "is neither text nor refusal"))?;
                parts.push(said::Part::Text(text.into()));
            }
        }
    }
    parts.extend(said.refusal.as_ref().filter(|text| !text.is_empty()).map(|text| said::Part::Text(text.into())));
    for (index, call) in said.tool_calls.iter().flatten().enumerate() {
        parts.push(said::Part::Call(wanted_call(call, || at(&format!(".tool_calls[{index}]")))?));
    }
    if parts.is_empty() { Err(wrong(at(".content"), "is missing, and there are no tool_calls")) } else { Ok(parts) }
}

fn wanted_call(call: &Call<'_>, at: impl Fn() -> String) -> Answer<ToolCall> {
    let is_function = call.kind.as_ref().is_none_or(|kind| &**kind == "function");
    let Some(function) = call.function.as_ref().filter(|_| is_function) else {
        return Err(unsupported(&format!("{}.type", at()), "is not function, which alone is supported here"));
    };
    checks::name(|| format!("{}.function.name", at()), &function.name)?;
    checks::call_id(|| format!("{}.id", at()), &call.id)?;
    Ok(ToolCall { id: call.id.to_string(), name: function.name.to_string(), arguments: (&function.arguments).into() })
}

fn result(said: &Said<'_>, at: &impl Fn(&str) -> String) -> Answer<ToolResult> {
    let call = said.tool_call_id.as_ref().ok_or_else(|| wrong(at(".tool_call_id"), "is missing"))?;
    Ok(ToolResult { call: call.to_string(), content: words(&said.content, at)?, is_error: false })
}
