//! What is asked of a model and what it answers, whichever wire format carries it.

use std::time::Duration;

use crate::domain::private::Text;
use crate::domain::usage::Usage;
pub(super) use crate::journal::dialogue::{Format, Sampling, ToolChoice, ToolSpec};
pub use crate::journal::dialogue::{Message, Part, Role, ToolCall};

/// One model call. Everything in it has passed DLP; it is sent as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The system prompt; sent first, left out when empty.
    pub system: Text,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// The caller's tools that the model may want called.
    pub tools: Vec<ToolSpec>,
    /// Which of them.
    pub choice: ToolChoice,
    /// What the answer's text is to be.
    pub format: Format,
    /// How the model is to choose its words.
    pub sampling: Sampling,
    /// The most tokens that the model may write.
    pub max_output_tokens: u32,
    /// Names this call, so that a provider that honours `Idempotency-Key` runs and bills a repetition once.
    pub idempotency_key: String,
}

impl Request {
    /// A request of these messages that asks for nothing special.
    #[must_use]
    pub fn new(system: Text, messages: Vec<Message>, max_output_tokens: u32, idempotency_key: String) -> Self {
        Self {
            system,
            messages,
            tools: Vec::new(),
            choice: ToolChoice::default(),
            format: Format::default(),
            sampling: Sampling::default(),
            max_output_tokens,
            idempotency_key,
        }
    }
}

/// A piece of an answer that is still being written. Provisional until the step that asked for it is recorded.
///
/// All texts in order are the [`Completion`]'s text, all calls its calls.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    /// More of the text.
    Text(Text),
    /// A tool that is to be called; told when its arguments are whole.
    Call(ToolCall),
    /// What was used so far, by the provider's own word; the last one counts.
    Usage(Usage),
}

/// Where pieces of an answer go. Whoever reads them keeps up: a provider waits at a full channel.
pub type Deltas = tokio::sync::mpsc::Sender<Delta>;

/// Why the model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It was done.
    End,
    /// It reached `max_output_tokens`.
    Length,
    /// It wrote one of the texts at which it was to stop.
    Sequence,
    /// It wants tools called.
    Calls,
    /// The provider's content rules ended it.
    Filtered,
    /// Anything else.
    Other,
}

/// A model's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// The answer.
    pub text: Text,
    /// The caller's tools that the model wants called.
    pub calls: Vec<ToolCall>,
    /// What the provider says it used; none where it said nothing.
    pub usage: Option<Usage>,
    /// Why it ended.
    pub stop: Stop,
    /// The model that answered, by the provider's own word.
    pub model: String,
    /// What the reader of the answer should know, for its metadata: `("method", "extractive")`.
    pub notes: Vec<(&'static str, String)>,
    /// How long the provider took, without the time spent waiting for a free slot.
    pub elapsed: Duration,
}

impl Stop {
    /// The word that a step's record keeps in its notes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::Length => "length",
            Self::Sequence => "sequence",
            Self::Calls => "calls",
            Self::Filtered => "filtered",
            Self::Other => "other",
        }
    }
}
