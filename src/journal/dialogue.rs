//! A conversation with a model: what is said, beyond one text, and how the answer is wanted.
//!
//! It is stored with the order that asks for it, and is also what providers are handed: one shape from the front door to the wire,
//! so that nothing is lost between formats. Vendors' words for it live in the adapters and in the front door alone.

use minicbor::{Decode, Encode};

use super::codec;
use crate::domain::model::{Abilities, Ability};
use crate::domain::private::Text;

/// Who speaks in a message. The system's text has a place of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Role {
    /// The caller, who also brings the results of tools.
    #[n(0)]
    User,
    /// The model, in an earlier turn.
    #[n(1)]
    Assistant,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Message {
    /// Who speaks.
    #[n(0)]
    pub role: Role,
    /// What is said, in order.
    #[n(1)]
    pub parts: Vec<Part>,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum Part {
    /// Words.
    #[n(0)]
    Text(#[cbor(n(0), with = "codec::text")] Text),
    /// A picture.
    #[n(1)]
    Image(#[n(0)] Image),
    /// The model wants a tool of the caller's called. In the assistant's messages only.
    #[n(2)]
    Call(#[n(0)] ToolCall),
    /// What the tool gave. In the user's messages only.
    #[n(3)]
    Result(#[n(0)] ToolResult),
}

/// A picture, passed through as it came.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Image {
    /// Where it is.
    #[n(0)]
    pub source: ImageSource,
    /// How closely the model is to look: OpenAI's `detail`.
    #[n(1)]
    pub detail: Option<String>,
}

/// Where a picture is.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub enum ImageSource {
    /// Here.
    #[n(0)]
    Inline {
        /// Its media type: `image/png`.
        #[n(0)]
        media_type: String,
        /// Its bytes in base64.
        #[cbor(n(1), with = "codec::text")]
        data: Text,
    },
    /// At an address that the provider fetches.
    #[n(1)]
    Link(#[cbor(n(0), with = "codec::text")] Text),
}

/// A call of one of the caller's tools, as the model wants it made.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ToolCall {
    /// Names the call, so that its result can be told to belong to it.
    #[n(0)]
    pub id: String,
    /// The tool.
    #[n(1)]
    pub name: String,
    /// A JSON object, as the model wrote it.
    #[cbor(n(2), with = "codec::text")]
    pub arguments: Text,
}

/// What a call of a tool gave.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ToolResult {
    /// The call's `id`.
    #[n(0)]
    pub call: String,
    /// What it gave.
    #[cbor(n(1), with = "codec::text")]
    pub content: Text,
    /// Whether that is an error.
    #[n(2)]
    pub is_error: bool,
}

/// A tool of the caller's that the model may want called. The daemon calls none of them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ToolSpec {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// What it does.
    #[cbor(n(1), with = "codec::text")]
    pub description: Text,
    /// The JSON Schema of its arguments, as JSON.
    #[cbor(n(2), with = "codec::text")]
    pub parameters: Text,
    /// Whether arguments must follow the schema to the letter.
    #[n(3)]
    pub strict: Option<bool>,
}

/// Which tools the model may want.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub enum ToolChoice {
    /// Any or none.
    #[n(0)]
    #[default]
    Auto,
    /// None.
    #[n(1)]
    None,
    /// One at least.
    #[n(2)]
    Required,
    /// This one.
    #[n(3)]
    Named(#[n(0)] String),
}

/// What the answer's text is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub enum Format {
    /// Any text.
    #[n(0)]
    #[default]
    Text,
    /// A JSON object.
    #[n(1)]
    Json,
    /// JSON of a schema.
    #[n(2)]
    Schema {
        /// What the schema is called.
        #[n(0)]
        name: String,
        /// The JSON Schema, as JSON.
        #[cbor(n(1), with = "codec::text")]
        schema: Text,
        /// Whether the answer must follow it to the letter.
        #[n(2)]
        strict: Option<bool>,
    },
}

/// How the model is to choose its words. What is none is the provider's default.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
pub struct Sampling {
    /// From 0; the greater, the more various.
    #[n(0)]
    pub temperature: Option<f64>,
    /// The share of probability that is sampled from, above 0 to 1.
    #[n(1)]
    pub top_p: Option<f64>,
    /// How many candidates are sampled from.
    #[n(2)]
    pub top_k: Option<u32>,
    /// Texts at which the answer ends.
    #[n(3)]
    pub stop: Vec<String>,
    /// For repeatable answers.
    #[n(4)]
    pub seed: Option<i64>,
    /// From -2 to 2: OpenAI's `presence_penalty`.
    #[n(5)]
    pub presence_penalty: Option<f64>,
    /// From -2 to 2: OpenAI's `frequency_penalty`.
    #[n(6)]
    pub frequency_penalty: Option<f64>,
    /// How much it reasons first: OpenAI's `reasoning_effort`.
    #[n(7)]
    pub reasoning_effort: Option<String>,
    /// Whether it may want several tools called at once.
    #[n(8)]
    pub parallel_calls: Option<bool>,
}

/// What a submission says beyond its input, where it comes from a client that speaks to a model.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
pub struct Dialogue {
    /// The client's own instructions; they follow the template's system prompt.
    #[cbor(n(0), with = "codec::text")]
    pub system: Text,
    /// What was said before the order's input, oldest first. Where the last message is more than a text, it is here and the
    /// input is empty.
    #[n(1)]
    pub messages: Vec<Message>,
    /// The client's tools.
    #[n(2)]
    pub tools: Vec<ToolSpec>,
    /// Which of them the model may want.
    #[n(3)]
    pub choice: ToolChoice,
    /// What the answer's text is.
    #[n(4)]
    pub format: Format,
    /// How the model is to choose its words; the template's temperature counts where this has none.
    #[n(5)]
    pub sampling: Sampling,
    /// The most tokens of an answer; the template's limit binds as well.
    #[n(6)]
    pub max_output_tokens: Option<u32>,
}

impl Message {
    /// A message of one text.
    #[must_use]
    pub fn said(role: Role, text: impl Into<Text>) -> Self {
        Self { role, parts: vec![Part::Text(text.into())] }
    }

    /// Its words: those of its one text, or of all its texts, a line each.
    #[must_use]
    pub fn text(&self) -> Text {
        let texts: Vec<&Text> = self.parts.iter().filter_map(Part::text).collect();
        match texts.as_slice() {
            [one] => (*one).clone(),
            many => many.iter().map(|text| text.expose()).collect::<Vec<_>>().join("\n").into(),
        }
    }

    /// How many pictures it has.
    #[must_use]
    pub fn images(&self) -> usize {
        self.parts.iter().filter(|part| matches!(part, Part::Image(_))).count()
    }
}

impl Part {
    /// Its words, where it is nothing but words.
    #[must_use]
    pub fn text(&self) -> Option<&Text> {
        match self {
            Self::Text(text) => Some(text),
            Self::Image(_) | Self::Call(_) | Self::Result(_) => None,
        }
    }

    /// What in it a person or a model wrote, pictures left out: what DLP looks at and tokens are counted of.
    pub fn written_mut(&mut self) -> Option<&mut Text> {
        match self {
            Self::Text(text) => Some(text),
            Self::Call(call) => Some(&mut call.arguments),
            Self::Result(result) => Some(&mut result.content),
            Self::Image(_) => None,
        }
    }

    /// Its size in memory and on disk, about, in bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Image(Image { source: ImageSource::Inline { data, .. }, .. }) => data.len(),
            Self::Image(Image { source: ImageSource::Link(link), .. }) => link.len(),
            Self::Call(call) => call.id.len().saturating_add(call.name.len()).saturating_add(call.arguments.len()),
            Self::Result(result) => result.call.len().saturating_add(result.content.len()),
        }
    }
}

impl Dialogue {
    /// Everything in it that a person, a program or a model wrote, pictures and names left out, always in the same order: what
    /// DLP looks at.
    pub fn written_mut(&mut self) -> impl Iterator<Item = &mut Text> {
        let schema = match &mut self.format {
            Format::Schema { schema, .. } => Some(schema),
            Format::Text | Format::Json => None,
        };
        let messages = self.messages.iter_mut().flat_map(|message| &mut message.parts);
        let tools = self.tools.iter_mut().flat_map(|tool| [&mut tool.description, &mut tool.parameters]);
        std::iter::once(&mut self.system).chain(messages.filter_map(Part::written_mut)).chain(tools).chain(schema)
    }

    /// Every name and address in it: what leaves beside what was written, and cannot be replaced, because answers refer to it or
    /// because it says where something is.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        let parts = self.messages.iter().flat_map(|message| &message.parts).flat_map(|part| match part {
            Part::Text(_) => [None, None],
            Part::Call(call) => [Some(call.id.as_str()), Some(call.name.as_str())],
            Part::Result(result) => [Some(result.call.as_str()), None],
            Part::Image(Image { source: ImageSource::Link(link), detail }) => [Some(link.expose()), detail.as_deref()],
            Part::Image(Image { source: ImageSource::Inline { media_type, .. }, detail }) => {
                [Some(media_type.as_str()), detail.as_deref()]
            }
        });
        let chosen = match &self.choice {
            ToolChoice::Named(name) => Some(name.as_str()),
            ToolChoice::Auto | ToolChoice::None | ToolChoice::Required => None,
        };
        let schema = match &self.format {
            Format::Schema { name, .. } => Some(name.as_str()),
            Format::Text | Format::Json => None,
        };
        let tools = self.tools.iter().map(|tool| tool.name.as_str());
        let effort = self.sampling.reasoning_effort.as_deref();
        parts.flatten().chain(tools).chain(chosen).chain(schema).chain(effort).filter(|name| !name.is_empty())
    }

    /// What a model must be able to do for it.
    #[must_use]
    pub fn needs(&self) -> Abilities {
        needs(!self.tools.is_empty(), self.images(), &self.format)
    }

    /// The same, to be counted.
    #[must_use]
    pub fn written(&self) -> Vec<Text> {
        // Texts are shared: copying the frame around them is all that this costs.
        self.clone().written_mut().map(|text| text.clone()).collect()
    }

    /// How many bytes it is, about: what limits are measured against.
    #[must_use]
    pub fn len(&self) -> usize {
        let messages = self.messages.iter().flat_map(|message| &message.parts).map(Part::len);
        let tools = self
            .tools
            .iter()
            .map(|tool| tool.name.len().saturating_add(tool.description.len()).saturating_add(tool.parameters.len()));
        let schema = match &self.format {
            Format::Schema { schema, .. } => schema.len(),
            Format::Text | Format::Json => 0,
        };
        messages.chain(tools).chain([self.system.len(), schema]).fold(0, usize::saturating_add)
    }

    /// Whether nothing is said in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many pictures it has.
    #[must_use]
    pub fn images(&self) -> usize {
        self.messages.iter().map(Message::images).fold(0, usize::saturating_add)
    }
}

/// What a model must be able to do for a conversation with tools or without, with so many pictures, answered in this format.
#[must_use]
pub fn needs(has_tools: bool, images: usize, format: &Format) -> Abilities {
    let wanted = [
        (has_tools, Ability::Tools),
        (images > 0, Ability::Images),
        (matches!(format, Format::Schema { .. }), Ability::StructuredOutput),
    ];
    wanted.into_iter().filter(|(is_wanted, _)| *is_wanted).map(|(_, ability)| ability).collect()
}
