//! The messages of a request, as Chat Completions has them: a tool's result is a message of its own.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::data_plane::provider::error::Error;
use crate::data_plane::provider::exchange::{Message, Part, Role, ToolCall};
use crate::domain::private::Text;
use crate::journal::dialogue::{Image, ImageSource, ToolResult};

/// What the content of a tool's result that failed begins with.
const FAILED: &str = "Error: ";

/// One message.
#[derive(Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub(super) enum Said<'a> {
    System {
        content: &'a str,
    },
    User {
        content: Content<'a>,
    },
    Assistant {
        /// Null where there are calls alone.
        content: Option<Cow<'a, str>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call<'a>>,
    },
    Tool {
        tool_call_id: Cow<'a, str>,
        content: Cow<'a, str>,
    },
}

/// Words alone are one text, which every server takes; pictures need parts.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Content<'a> {
    Words(Cow<'a, str>),
    Parts(Vec<Piece<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Piece<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageUrl<'a> },
}

#[derive(Serialize)]
pub(super) struct ImageUrl<'a> {
    url: Url<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

/// An address, or a picture's own bytes; these are not copied before they are written.
pub(super) struct Url<'a>(&'a ImageSource);

#[derive(Serialize)]
pub(super) struct Call<'a> {
    id: Cow<'a, str>,
    #[serde(flatten)]
    kind: Kind<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", content = "function", rename_all = "lowercase")]
enum Kind<'a> {
    Function { name: &'a str, arguments: &'a str },
}

/// How a server wants the names of calls, which another provider may have given.
pub(super) type Ids = fn(&str) -> Cow<'_, str>;

/// The system prompt and the conversation.
///
/// # Errors
/// [`Error::Unsupported`]: a part that its speaker cannot say in this format.
pub(super) fn said<'a>(system: &'a Text, messages: &'a [Message], ids: Ids) -> Result<Vec<Said<'a>>, Error> {
    let mut all = Vec::with_capacity(messages.len().saturating_add(1));
    if !system.is_empty() {
        all.push(Said::System { content: system.expose() });
    }
    for message in messages {
        match message.role {
            Role::User => by_user(&message.parts, &mut all, ids)?,
            Role::Assistant => all.extend(by_assistant(&message.parts, ids)?),
        }
    }
    Ok(all)
}

fn by_user<'a>(parts: &'a [Part], all: &mut Vec<Said<'a>>, ids: Ids) -> Result<(), Error> {
    let mut pieces = Vec::new();
    for part in parts {
        match part {
            Part::Text(text) => pieces.push(Piece::Text { text: text.expose() }),
            Part::Image(image) => pieces.push(picture(image)),
            Part::Result(result) => {
                all.extend(spoken(std::mem::take(&mut pieces)));
                all.push(given(result, ids));
            }
            Part::Call(_) => return Err(Error::Unsupported { what: "a call of a tool by the user" }),
        }
    }
    all.extend(spoken(pieces));
    Ok(())
}

fn spoken(pieces: Vec<Piece<'_>>) -> Option<Said<'_>> {
    let words: Option<Vec<&str>> = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text { text } => Some(*text),
            Piece::ImageUrl { .. } => None,
        })
        .collect();
    let content = match words {
        Some(words) => Content::Words(joined(&words)?),
        None => Content::Parts(pieces),
    };
    Some(Said::User { content })
}

fn by_assistant(parts: &[Part], ids: Ids) -> Result<Option<Said<'_>>, Error> {
    let (mut words, mut tool_calls) = (Vec::new(), Vec::new());
    for part in parts {
        match part {
            Part::Text(text) => words.push(text.expose()),
            Part::Call(ToolCall { id, name, arguments, .. }) => {
                tool_calls.push(Call { id: ids(id), kind: Kind::Function { name, arguments: arguments.expose() } });
            }
            Part::Image(_) => return Err(Error::Unsupported { what: "a picture by the model" }),
            Part::Result(_) => return Err(Error::Unsupported { what: "a tool's result by the model" }),
        }
    }
    let content = joined(&words);
    Ok((content.is_some() || !tool_calls.is_empty()).then_some(Said::Assistant { content, tool_calls }))
}

/// Texts a line each, as [`Message::text`] has them; none of none.
fn joined<'a>(words: &[&'a str]) -> Option<Cow<'a, str>> {
    match words {
        [] => None,
        [one] => Some(Cow::Borrowed(one)),
        many => Some(Cow::Owned(many.join("\n"))),
    }
}

fn given(result: &ToolResult, ids: Ids) -> Said<'_> {
    let content = match result.is_error {
        true => Cow::Owned([FAILED, result.content.expose()].concat()),
        false => Cow::Borrowed(result.content.expose()),
    };
    Said::Tool { tool_call_id: ids(&result.call), content }
}

fn picture(image: &Image) -> Piece<'_> {
    Piece::ImageUrl { image_url: ImageUrl { url: Url(&image.source), detail: image.detail.as_deref() } }
}

impl fmt::Display for Url<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ImageSource::Inline { media_type, data } => write!(f, "data:{media_type};base64,{}", data.expose()),
            ImageSource::Link(link) => f.write_str(link.expose()),
        }
    }
}

impl Serialize for Url<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
