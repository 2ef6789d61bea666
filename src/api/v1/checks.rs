//! What both APIs ask of a conversation, and what it becomes. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;

use super::reading::{unsupported, wrong};
use super::running::Wanted;
use crate::api::error::Answer;
use crate::domain::private::Text;
use crate::journal::dialogue::{
    Dialogue, Format, ImageSource, Message, Part, Role, Sampling, ToolChoice, ToolResult, ToolSpec,
};

/// The most messages of a conversation.
pub(super) const MESSAGES_MAX: usize = 10_000;
/// The most tools.
pub(super) const TOOLS_MAX: usize = 128;
/// The longest name of a tool or schema, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// The longest identifier of a call, in bytes: one of Gemini carries the signature of its thoughts, which may be thousands.
const CALL_ID_BYTES_MAX: usize = 64 * 1024;
/// The longest text at which an answer stops, in bytes.
const STOP_BYTES_MAX: usize = 1_024;

impl Wanted {
    /// What a client wants who says this. The last message is the task's input where it is one text and the user's; where nothing
    /// else is said or asked for, there is no dialogue at all.
    pub(super) fn of(model: &str, mut dialogue: Dialogue, metadata: BTreeMap<String, String>, streamed: bool) -> Self {
        let input = match dialogue.messages.pop() {
            Some(Message { role: Role::User, mut parts }) if matches!(&parts[..], [Part::Text(text)] if !text.is_empty()) => {
                parts.pop().and_then(|part| part.text().cloned()).unwrap_or_default()
            }
            other => {
                dialogue.messages.extend(other);
                Text::default()
            }
        };
        let says_more = dialogue != Dialogue::default();
        let dialogue = says_more.then(|| Box::new(dialogue));
        Self { model: model.to_owned(), input, dialogue, metadata, streamed }
    }
}

/// Refuses too many of something.
pub(super) fn count(parameter: &str, count: usize, most: usize) -> Answer<()> {
    if count > most { Err(wrong(parameter, &format!("has more than {most} items"))) } else { Ok(()) }
}

/// Refuses what cannot name a tool or a schema.
pub(super) fn name(at: impl Fn() -> String, name: &str) -> Answer<()> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if plain && (1..=NAME_BYTES_MAX).contains(&name.len()) {
        Ok(())
    } else {
        Err(wrong(at(), &format!("is not 1 to {NAME_BYTES_MAX} letters, digits, underscores or hyphens")))
    }
}

/// Refuses what cannot name a call.
pub(super) fn call_id(at: impl Fn() -> String, id: &str) -> Answer<()> {
    if (1..=CALL_ID_BYTES_MAX).contains(&id.len()) {
        Ok(())
    } else {
        Err(wrong(at(), &format!("is not 1 to {CALL_ID_BYTES_MAX} bytes long")))
    }
}

/// Schemas of tools that are given none.
pub(super) struct Schema;

impl Schema {
    /// The schema of a tool without parameters.
    pub(super) fn of_nothing() -> Text {
        Text::from(r#"{"type":"object","properties":{}}"#)
    }
}

/// A JSON Schema as it was written.
pub(super) fn schema(at: impl Fn() -> String, schema: &RawValue) -> Answer<Text> {
    if schema.get().starts_with('{') { Ok(Text::from(schema.get())) } else { Err(wrong(at(), "is not an object")) }
}

/// Refuses texts that an answer cannot stop at.
pub(super) fn stops(parameter: &str, stops: &[String], most: usize) -> Answer<()> {
    count(parameter, stops.len(), most)?;
    if stops.iter().all(|stop| (1..=STOP_BYTES_MAX).contains(&stop.len())) {
        Ok(())
    } else {
        Err(wrong(parameter, &format!("holds a text that is not 1 to {STOP_BYTES_MAX} bytes long")))
    }
}

/// Refuses two tools of one name.
pub(super) fn distinct<'a>(parameter: &str, names: impl Iterator<Item = &'a str>) -> Answer<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(wrong(parameter, &format!("has {name} more than once")));
        }
    }
    Ok(())
}

/// Refuses the choice of a tool that is not there.
pub(super) fn choice(parameter: &str, choice: &ToolChoice, tools: &[ToolSpec]) -> Answer<()> {
    match choice {
        ToolChoice::Auto | ToolChoice::None => Ok(()),
        ToolChoice::Required if tools.is_empty() => Err(wrong(parameter, "wants a tool called, and there are none")),
        ToolChoice::Required => Ok(()),
        ToolChoice::Named(name) if tools.iter().any(|tool| tool.name == *name) => Ok(()),
        ToolChoice::Named(_) => Err(wrong(parameter, "names a tool that is not in tools")),
    }
}

/// Adds the result of a call; results that follow each other are one message, as they answer one.
pub(super) fn bring(messages: &mut Vec<Message>, result: ToolResult) {
    let part = Part::Result(result);
    match messages.last_mut() {
        Some(last) if last.role == Role::User && last.parts.iter().all(|part| matches!(part, Part::Result(_))) => {
            last.parts.push(part);
        }
        _ => messages.push(Message { role: Role::User, parts: vec![part] }),
    }
}

/// Refuses results of calls that the model never wanted.
pub(super) fn answered(messages: &[Message]) -> Answer<()> {
    let mut wanted = BTreeSet::new();
    for part in messages.iter().flat_map(|message| &message.parts) {
        match part {
            Part::Call(call) => drop(wanted.insert(call.id.as_str())),
            Part::Result(result) if !wanted.contains(result.call.as_str()) => {
                return Err(wrong(
                    "messages",
                    &format!("has a result of the call {}, which no message before it has", result.call),
                ));
            }
            Part::Result(_) | Part::Text(_) | Part::Image(_) => {}
        }
    }
    if messages.is_empty() { Err(wrong("messages", "has nothing that a user or the model said")) } else { Ok(()) }
}

/// Where a picture is, by its address.
pub(super) fn image_source(url: &str) -> Option<ImageSource> {
    if let Some(inline) = url.strip_prefix("data:") {
        let (media_type, data) = inline.split_once(";base64,")?;
        return inline_image(media_type, data);
    }
    let is_link = ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme));
    is_link.then(|| ImageSource::Link(Text::from(url)))
}

/// A picture that is here.
pub(super) fn inline_image(media_type: &str, data: &str) -> Option<ImageSource> {
    let is_image = media_type.strip_prefix("image/").is_some_and(|kind| {
        !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    });
    let is_base64 = !data.is_empty() && data.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    let source = || ImageSource::Inline { media_type: media_type.to_owned(), data: Text::from(data) };
    (is_image && is_base64).then(source)
}

/// Several texts as one, a line each.
pub(super) fn lines(texts: &[Text]) -> Text {
    joined(texts, "\n")
}

/// Several texts as one, a paragraph each.
pub(super) fn paragraphs(texts: &[Text]) -> Text {
    joined(texts, "\n\n")
}

fn joined(texts: &[Text], between: &str) -> Text {
    match texts {
        [] => Text::default(),
        [one] => one.clone(),
        many => many.iter().map(Text::expose).collect::<Vec<_>>().join(between).into(),
    }
}

/// Refuses what a plan cannot take: it is given one text, and none of its models is the client's to set.
pub(super) fn text_alone(dialogue: &Dialogue) -> Answer<()> {
    let Dialogue { system, messages, tools, choice, format, sampling, max_output_tokens: _ } = dialogue;
    let taken = [
        ("tools", tools.is_empty()),
        ("tool_choice", *choice == ToolChoice::Auto),
        ("response_format", *format == Format::Text),
        ("system", system.is_empty()),
        ("messages", messages.is_empty()),
        ("temperature", *sampling == Sampling::default()),
    ];
    match taken.iter().find(|(_, is_empty)| !is_empty) {
        Some(("temperature", _)) => {
            let why = "and what else sets how a model chooses its words is not for an orchestrator, whose plan says so";
            Err(unsupported("temperature", why))
        }
        Some((parameter, _)) => {
            Err(unsupported(parameter, "is more than an orchestrator takes: one message of the user's that is a text"))
        }
        None => Ok(()),
    }
}
