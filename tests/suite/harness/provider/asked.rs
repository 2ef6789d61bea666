//! A call as it arrived, whichever wire format it speaks.

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName};
use serde_json::Value;
use tokio::time::Instant;

use super::wire::Format;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Where Anthropic and Gemini want the key.
const OTHER_KEYS: [HeaderName; 2] = [HeaderName::from_static("x-api-key"), HeaderName::from_static("x-goog-api-key")];

/// A call as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Its number, from 0.
    pub(crate) number: usize,
    /// Where it was sent, with what follows the question mark.
    pub(crate) path: String,
    /// What its path says that it speaks.
    pub(crate) format: Format,
    /// Its body as text.
    pub(crate) raw: String,
    /// Its body.
    pub(crate) body: Value,
    /// The key that it was made with, as it was sent.
    pub(crate) authorization: Option<String>,
    /// What names the call, the same at every repetition of it.
    pub(crate) idempotency_key: Option<String>,
    /// When.
    pub(crate) at: Instant,
}

impl Asked {
    pub(super) fn new(path: String, headers: &HeaderMap, raw: String) -> Self {
        let header = |name: &HeaderName| headers.get(name).map(|value| value.to_str().expect("text").to_owned());
        Self {
            number: 0,
            format: Format::of(&path),
            body: serde_json::from_str(&raw).expect("JSON"),
            authorization: header(&AUTHORIZATION).or_else(|| OTHER_KEYS.iter().find_map(header)),
            idempotency_key: header(&IDEMPOTENCY_KEY),
            at: Instant::now(),
            path,
            raw,
        }
    }

    /// What the model is asked: the text of the last message.
    pub(crate) fn prompt(&self) -> &str {
        let (turns, content) = self.format.turns();
        let last = self.body[turns].as_array().and_then(|said| said.last()).expect("a message");
        text_of(&last[content]).expect("text")
    }

    /// What the model is told to be.
    pub(crate) fn system(&self) -> &str {
        let system = match self.format {
            Format::OpenAi => &self.body["messages"][0]["content"],
            Format::Anthropic => &self.body["system"],
            Format::Gemini => &self.body["systemInstruction"]["parts"],
        };
        text_of(system).expect("text")
    }

    /// The model that is asked.
    pub(crate) fn model(&self) -> &str {
        match self.format {
            Format::OpenAi | Format::Anthropic => self.body["model"].as_str().unwrap_or_default(),
            Format::Gemini => {
                let after = self.path.rsplit_once("/models/").map_or("", |(_, after)| after);
                after.split(':').next().unwrap_or_default()
            }
        }
    }

    /// Whether the answer is wanted piece by piece.
    pub(crate) fn is_streamed(&self) -> bool {
        match self.format {
            Format::OpenAi | Format::Anthropic => self.body["stream"] == true,
            Format::Gemini => self.path.contains(":streamGenerateContent"),
        }
    }

    /// Every text that the model reads.
    pub(super) fn texts(&self) -> Vec<&str> {
        let mut found = Vec::new();
        for member in ["system", "systemInstruction", "messages", "contents", "tools"] {
            strings(&self.body[member], &mut found);
        }
        found
    }

    /// What the texts say of themselves: the value after `name=` in whichever of them has it first.
    pub(crate) fn tag(&self, name: &str) -> Option<String> {
        let tagged = |word: &str| {
            let value = word.strip_prefix(name)?.strip_prefix('=')?;
            Some(value.trim_end_matches(['.', ',']).to_owned())
        };
        self.texts().into_iter().flat_map(str::split_whitespace).find_map(tagged)
    }
}

/// A text, or the text of the first part that has one.
fn text_of(content: &Value) -> Option<&str> {
    let part = |part: &Value| part["text"].as_str().map(str::len).is_some();
    content.as_str().or_else(|| content.as_array()?.iter().find(|each| part(each))?["text"].as_str())
}

fn strings<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(members) => {
            let said = members.iter().filter(|(name, _)| !["role", "type"].contains(&name.as_str()));
            said.for_each(|(_, member)| strings(member, found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
