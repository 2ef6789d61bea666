//! What is asked of a model and what it answers, whichever wire format carries it.

use std::time::Duration;

use crate::domain::private::Text;
use crate::domain::usage::Usage;

/// Who speaks in a message. The system's text has a place of its own in [`Request`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The caller.
    User,
    /// The model, in an earlier turn.
    Assistant,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, already masked.
    pub content: Text,
}

/// One model call. Everything in it has passed DLP; it is sent as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The system prompt; sent first, left out when empty.
    pub system: Text,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// The most tokens that the model may write.
    pub max_output_tokens: u32,
    /// The sampling temperature; the provider's default where none.
    pub temperature: Option<f64>,
    /// Names this call, so that a provider that honours `Idempotency-Key` runs and bills a repetition once.
    pub idempotency_key: String,
}

/// Why the model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It was done.
    End,
    /// It reached `max_output_tokens`.
    Length,
    /// Anything else, such as the provider's content filter.
    Other,
}

/// A model's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// The answer.
    pub text: Text,
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
