//! A Chat Completions answer, whole or a piece of a stream: both say the same things, one as a `message`, the other as `delta`s.
//!
//! Read with tolerance, since servers differ. Not part of the answer: reasoning (`reasoning_content`, `reasoning`, parts of kind
//! `thinking`), further choices, and what servers add for themselves (`timings`, `prompt_filter_results`, `cost`).

use std::fmt;
use std::time::Duration;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::calls::{Calls, Piece};
use super::fault;
use super::used::Used;
use crate::data_plane::provider::error::Error;
use crate::data_plane::provider::exchange::{Completion, Stop};
use crate::data_plane::provider::naming;
use crate::domain::usage::Usage;

/// A whole answer, or an event of a stream.
#[derive(Deserialize)]
pub(super) struct Body<'a> {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    object: Option<String>,
    #[serde(default, borrow)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    usage: Option<Used>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: u64,
    #[serde(default, borrow)]
    message: Option<Said<'a>>,
    #[serde(default, borrow)]
    delta: Option<Said<'a>>,
    #[serde(default)]
    finish_reason: Option<String>,
    /// What vLLM stopped at: a text, the number of a token, or nothing.
    #[serde(default)]
    stop_reason: Option<Value>,
    /// Some gateways say it here.
    #[serde(default)]
    usage: Option<Used>,
}

#[derive(Deserialize, Default)]
struct Said<'a> {
    #[serde(default)]
    content: Option<Words>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default, borrow)]
    tool_calls: Option<Vec<Piece<'a>>>,
    /// Reasoning, of which only counts that there is some.
    #[serde(default)]
    reasoning_content: Option<Value>,
    #[serde(default)]
    reasoning: Option<Value>,
}

/// Content: one text, or the texts among its parts.
struct Words(String);

#[derive(Deserialize)]
struct Part {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    text: Option<String>,
}

/// What was read of an answer, in whichever form it came.
#[derive(Default)]
pub(super) struct Read {
    id: String,
    text: String,
    refused: bool,
    /// Whether the model has written anything, reasoning and calls of tools included.
    has_worked: bool,
    calls: Calls,
    usage: Option<Usage>,
    has_choices: bool,
    stop: Option<Stop>,
    model: Option<String>,
}

/// What an event was good for.
pub(super) struct News {
    /// Where in [`Read::text`] the new words begin.
    pub(super) from: usize,
    /// The usage, where it is said anew.
    pub(super) usage: Option<Usage>,
}

/// Reads a successful answer.
///
/// # Errors
/// [`Error::Nonsense`]; or what the body says, where a gateway puts a failure under a successful status.
pub(super) fn read(body: &[u8], asked: &str, elapsed: Duration) -> Result<Completion, Error> {
    let parsed: Body<'_> =
        serde_json::from_slice(body).map_err(|_| Error::Nonsense { what: "not a JSON completion" })?;
    let mut read = Read::default();
    read.take(parsed, body)?;
    read.into_completion(asked, elapsed)
}

impl Read {
    /// Takes in an answer or an event; `bytes` are what it was read from.
    ///
    /// # Errors
    /// What it says of a failure; [`Error::Nonsense`].
    pub(super) fn take(&mut self, body: Body<'_>, bytes: &[u8]) -> Result<News, Error> {
        if let Some(failure) = body.error {
            return Err(self.in_doubt(fault::told(&failure)));
        }
        if body.object.as_deref() == Some("error") {
            let failure = serde_json::from_slice(bytes).unwrap_or_default();
            return Err(self.in_doubt(fault::told(&failure)));
        }
        let from = self.text.len();
        if let Some(id) = body.id.filter(|_| self.id.is_empty()) {
            self.id = id;
        }
        self.model = body.model.filter(|name| !name.is_empty()).or(self.model.take());
        let mut used = body.usage;
        // One answer was asked for.
        if let Some(choice) = body.choices.unwrap_or_default().into_iter().find(|choice| choice.index == 0) {
            self.has_choices |= choice.message.is_some() || choice.delta.is_some();
            if let Some(message) = choice.message {
                self.said(message, Calls::whole)?;
            }
            if let Some(delta) = choice.delta {
                self.said(delta, Calls::piece)?;
            }
            let reason = choice.finish_reason.filter(|reason| !reason.is_empty());
            if let Some(reason) = reason {
                self.stop = Some(stop(&reason, choice.stop_reason.as_ref())?);
            }
            used = used.or(choice.usage);
        }
        let usage = used.as_ref().map_or(Ok(None), Used::usage)?;
        let usage = usage.filter(|usage| self.usage != Some(*usage));
        self.usage = usage.or(self.usage);
        Ok(News { from, usage })
    }

    fn said<'a>(&mut self, said: Said<'a>, take: fn(&mut Calls, Piece<'a>) -> Result<(), Error>) -> Result<(), Error> {
        self.text.push_str(said.content.as_ref().map_or("", |words| &words.0));
        if let Some(refusal) = said.refusal.filter(|words| !words.is_empty()) {
            self.text.push_str(&refusal);
            self.refused = true;
        }
        for piece in said.tool_calls.unwrap_or_default() {
            take(&mut self.calls, piece)?;
        }
        let is_reasoning =
            |value: &Option<Value>| value.as_ref().and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        self.has_worked |= is_reasoning(&said.reasoning_content) || is_reasoning(&said.reasoning);
        self.has_worked |= !self.text.is_empty() || !self.calls.is_empty();
        Ok(())
    }

    /// A failure of a model that has begun to work. Where no words came that could be billed, what it has cost is in doubt, even
    /// where the failure as such would be free.
    fn in_doubt(&self, failure: Error) -> Error {
        use crate::data_plane::provider::error::Charge;
        if self.has_worked && self.text.is_empty() && failure.charge() == Charge::None {
            return Error::Cut("the provider failed while the model was at work".to_owned());
        }
        failure
    }

    /// The words so far.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the model said that it is done.
    pub(super) fn has_ended(&self) -> bool {
        self.stop.is_some()
    }

    /// The answer, at its end.
    ///
    /// # Errors
    /// [`Error::Nonsense`]: there is none.
    pub(super) fn into_completion(self, asked: &str, elapsed: Duration) -> Result<Completion, Error> {
        if !self.has_choices {
            return Err(Error::Nonsense { what: "no choices" });
        }
        let calls = self.calls.finish(&self.id, self.stop == Some(Stop::Length))?;
        let stop = match (self.stop.unwrap_or(Stop::Other), calls.is_empty()) {
            (_, _) if self.refused => Stop::Filtered,
            // Some servers say of calls what they say of words.
            (Stop::End | Stop::Other, false) => Stop::Calls,
            (Stop::Calls, true) => Stop::Other,
            (stop, _) => stop,
        };
        let (model, other) = naming::answered(asked, self.model);
        let refusal = self.refused.then(|| ("refusal", "the model declined".to_owned()));
        let notes = refusal.into_iter().chain(other).collect();
        Ok(Completion { text: self.text.into(), calls, usage: self.usage, stop, model, notes, elapsed })
    }
}

/// Why the model stopped, in the words of whichever server.
///
/// # Errors
/// The answer was not finished: the provider ran out of something, gave up or failed.
fn stop(reason: &str, at: Option<&Value>) -> Result<Stop, Error> {
    match reason.to_ascii_lowercase().as_str() {
        "stop" if at.is_some_and(Value::is_string) => Ok(Stop::Sequence),
        "stop" | "eos" | "end_turn" => Ok(Stop::End),
        "length" | "max_tokens" | "model_length" => Ok(Stop::Length),
        "tool_calls" | "function_call" => Ok(Stop::Calls),
        "content_filter" => Ok(Stop::Filtered),
        "error" => Err(Error::Failed { status: 502, retry_after: None }),
        "insufficient_system_resource" | "abort" => Err(Error::Cut("the provider gave the answer up".to_owned())),
        _ => Ok(Stop::Other),
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Words;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or parts")
            }

            fn visit_str<E>(self, text: &str) -> Result<Words, E> {
                Ok(Words(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<Words, E> {
                Ok(Words(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Words, A::Error> {
                let mut words = String::new();
                while let Some(part) = parts.next_element::<Part>()? {
                    if matches!(part.kind.as_deref(), None | Some("text" | "output_text")) {
                        words.push_str(&part.text.unwrap_or_default());
                    }
                }
                Ok(Words(words))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Completion, Error> {
        super::read(body.as_bytes(), "asked", Duration::ZERO)
    }

    #[test]
    fn content_comes_whole_in_parts_or_not_at_all() {
        let table = [
            (r#"{"content":[{"type":"text","text":"a"},{"type":"image"},{"type":"text","text":"b"}]}"#, "ab"),
            (
                r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"b"}]}"#,
                "b",
            ),
            (r#"{"content":null}"#, ""),
            (r#"{}"#, ""),
            (r#"{"content":"a","reasoning_content":"because","reasoning":"because"}"#, "a"),
            (r#"{"content":null,"refusal":"I will not."}"#, "I will not."),
        ];
        for (message, text) in table {
            let body = format!(r#"{{"choices":[{{"message":{message},"finish_reason":"length"}}]}}"#);
            assert_eq!(read(&body).expect("an answer").text.expose(), text);
        }
    }

    #[test]
    fn reasons_to_stop_are_told_apart() {
        let table = [
            (r#""finish_reason":"stop""#, Ok(Stop::End)),
            (r#""finish_reason":"stop","stop_reason":null"#, Ok(Stop::End)),
            (r#""finish_reason":"stop","stop_reason":128009"#, Ok(Stop::End)),
            (r#""finish_reason":"stop","stop_reason":"END""#, Ok(Stop::Sequence)),
            (r#""finish_reason":"length""#, Ok(Stop::Length)),
            (r#""finish_reason":"model_length""#, Ok(Stop::Length)),
            (r#""finish_reason":"content_filter""#, Ok(Stop::Filtered)),
            (r#""finish_reason":"tool_calls""#, Ok(Stop::Other)),
            (r#""finish_reason":"moonrise""#, Ok(Stop::Other)),
            (r#""finish_reason":"""#, Ok(Stop::Other)),
            (r#""finish_reason":null"#, Ok(Stop::Other)),
            (r#""finish_reason":"error""#, Err(Error::Failed { status: 502, retry_after: None })),
            (
                r#""finish_reason":"insufficient_system_resource""#,
                Err(Error::Cut("the provider gave the answer up".to_owned())),
            ),
        ];
        for (ending, expected) in table {
            let body = format!(r#"{{"choices":[{{"index":0,"message":{{"content":"x"}},{ending}}}]}}"#);
            assert_eq!(read(&body).map(|completion| completion.stop), expected, "{ending}");
        }
    }

    #[test]
    fn nonsense_is_told_from_a_failure_in_disguise() {
        for body in ["", "{", "[]", "<html>", "{}", r#"{"choices":[]}"#, r#"{"choices":[{}]}"#, r#"{"error":{}}"#] {
            assert!(matches!(read(body), Err(Error::Nonsense { .. })), "{body}");
        }
        let disguised = r#"{"error":{"code":429,"message":"slow down"}}"#;
        assert_eq!(read(disguised), Err(Error::RateLimited { retry_after: None }));
        let bare = r#"{"object":"error","message":"This model's maximum context length is 4096 tokens.","code":400}"#;
        assert_eq!(read(bare), Err(Error::ContextTooLarge));
    }
}
