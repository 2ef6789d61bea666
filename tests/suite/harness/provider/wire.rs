//! The three wire formats: what an answer looks like in each, whole and in pieces.

use serde_json::{Value, json};

use super::reply::{Answer, Counts, Reported};
use super::{anthropic, gemini, openai};

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Format {
    OpenAi,
    Anthropic,
    Gemini,
}

impl Format {
    /// Each of them.
    pub(crate) const ALL: [Self; 3] = [Self::OpenAi, Self::Anthropic, Self::Gemini];

    pub(super) fn of(path: &str) -> Self {
        if path.contains(":generateContent") || path.contains(":streamGenerateContent") {
            Self::Gemini
        } else if path.trim_end_matches('/').ends_with("/messages") {
            Self::Anthropic
        } else {
            Self::OpenAi
        }
    }

    /// As the settings call it.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// The members of a body that hold the conversation, and of a turn what is said.
    pub(super) fn turns(self) -> (&'static str, &'static str) {
        match self {
            Self::OpenAi | Self::Anthropic => ("messages", "content"),
            Self::Gemini => ("contents", "parts"),
        }
    }

    /// An answer in one document.
    pub(super) fn document(self, said: &Said<'_>) -> Value {
        match self {
            Self::OpenAi => openai::document(said),
            Self::Anthropic => anthropic::document(said),
            Self::Gemini => gemini::document(said),
        }
    }

    /// An answer in pieces.
    pub(super) fn pieces(self, said: &Said<'_>) -> Vec<Piece> {
        match self {
            Self::OpenAi => openai::pieces(said),
            Self::Anthropic => anthropic::pieces(said),
            Self::Gemini => gemini::pieces(said),
        }
    }

    /// The body of a failure.
    pub(super) fn failure(self, status: u16) -> Value {
        match self {
            Self::OpenAi => openai::failure(status),
            Self::Anthropic => anthropic::failure(status),
            Self::Gemini => gemini::failure(status),
        }
    }

    /// A failure in the middle of a stream.
    pub(super) fn failing_piece(self) -> Piece {
        match self {
            Self::OpenAi => data(&openai::failure(500), 0),
            Self::Anthropic => event(&json!({"type": "error", "error": anthropic::failure(529)["error"]}), 0),
            Self::Gemini => gemini::piece(&gemini::failure(503), 0),
        }
    }
}

/// What is said, by whom, for how much.
pub(super) struct Said<'a> {
    pub(super) answer: &'a Answer,
    /// The number of the call.
    pub(super) number: usize,
    /// The model that says it.
    pub(super) model: String,
    /// What was used, for the answer's own words.
    pub(super) counted: Counts,
    /// Whether a stream of OpenAI's is to tell its usage.
    pub(super) include_usage: bool,
}

impl Said<'_> {
    /// What the provider says that it used.
    pub(super) fn reported(&self) -> Option<Counts> {
        match self.answer.usage {
            Reported::Counted => Some(self.counted),
            Reported::Exactly(counts) | Reported::Lie(counts) => Some(counts),
            Reported::Unsaid => None,
        }
    }

    /// The words of the answer, each with the space before it; or its pieces, where it says how long they are.
    pub(super) fn words(&self) -> Vec<&str> {
        let text = self.answer.text.as_str();
        let Some(characters) = self.answer.piece_characters else { return words(text) };
        let places: Vec<usize> =
            text.char_indices().map(|(at, _)| at).step_by(characters).chain([text.len()]).collect();
        places.windows(2).map(|place| &text[place[0]..place[1]]).collect()
    }
}

/// Cuts a text before each space that follows something else; the pieces make up the text.
pub(super) fn words(text: &str) -> Vec<&str> {
    let starts = text
        .char_indices()
        .zip(text.chars().skip(1))
        .filter(|((_, one), next)| !one.is_whitespace() && next.is_whitespace())
        .map(|((at, one), _)| at + one.len_utf8());
    let starts: Vec<usize> = std::iter::once(0).chain(starts).collect();
    let ends = starts.iter().copied().skip(1).chain([text.len()]);
    starts.iter().zip(ends).map(|(start, end)| &text[*start..end]).filter(|word| !word.is_empty()).collect()
}

/// A call of a tool comes in as many pieces that the model has written.
pub(super) const TOKENS_OF_A_TOOL_CALL: usize = 3;

/// A piece of a stream.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) text: String,
    /// The tokens that the model has written for it.
    pub(super) tokens: u64,
}

/// A piece of OpenAI's: data alone.
pub(super) fn data(document: &Value, tokens: u64) -> Piece {
    Piece { text: format!("data: {document}\n\n"), tokens }
}

/// A piece of Anthropic's: an event of the data's own type.
pub(super) fn event(document: &Value, tokens: u64) -> Piece {
    let name = document["type"].as_str().expect("a type");
    Piece { text: format!("event: {name}\ndata: {document}\n\n"), tokens }
}
