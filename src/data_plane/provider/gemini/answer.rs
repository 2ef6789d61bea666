//! A `generateContent` answer: whole, or one of the pieces of a stream, which have the same shape.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::fault;
use super::signature::Carried;
use crate::data_plane::provider::calling::{self, CALLS_MAX};
use crate::data_plane::provider::error::Error;
use crate::data_plane::provider::exchange::{Completion, Delta, Stop, ToolCall};
use crate::data_plane::provider::naming;
use crate::data_plane::provider::piecewise::{Pieces, failed_at_work};
use crate::data_plane::provider::tally::count;
use crate::domain::usage::{Tokens, Usage};

/// What gateways of other formats say last.
const DONE: &str = "[DONE]";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(default)]
    candidates: Vec<Candidate>,
    #[serde(default)]
    prompt_feedback: Option<Feedback>,
    #[serde(default)]
    usage_metadata: Option<Used>,
    #[serde(default)]
    model_version: Option<String>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    #[serde(default)]
    block_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    #[serde(default)]
    content: Option<Content>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(default)]
    text: Option<String>,
    /// Whether the text is a thought, and no part of the answer.
    #[serde(default)]
    thought: bool,
    #[serde(default)]
    thought_signature: Option<String>,
    #[serde(default)]
    function_call: Option<Called>,
}

#[derive(Deserialize)]
struct Called {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    args: Option<Box<RawValue>>,
}

/// Numbers that are zero are left out.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Used {
    prompt_token_count: Option<Value>,
    candidates_token_count: Option<Value>,
    thoughts_token_count: Option<Value>,
    tool_use_prompt_token_count: Option<Value>,
    cached_content_token_count: Option<Value>,
    total_token_count: Option<Value>,
}

/// An answer as far as it has come.
pub(super) struct Assembly {
    /// The model asked, and the request, of which names of calls are made.
    model: String,
    request: String,
    text: String,
    calls: Vec<ToolCall>,
    usage: Option<Usage>,
    finish_reason: Option<String>,
    answered: Option<String>,
    /// Whether the prompt was refused.
    is_blocked: bool,
    /// Whether there was a candidate at all.
    has_candidate: bool,
}

impl Assembly {
    /// Whether the answer is whole: nothing of it comes behind the reason for its end.
    pub(super) fn has_ended(&self) -> bool {
        self.finish_reason.is_some() || self.is_blocked
    }
}

impl Pieces for Assembly {
    fn take(&mut self, data: &str) -> Result<Vec<Delta>, Error> {
        if data.trim() == DONE {
            return Ok(Vec::new());
        }
        let body = serde_json::from_str(data).map_err(|_| Error::Nonsense { what: "an event that makes no sense" })?;
        self.piece(body)
    }

    /// The last piece has no mark that nothing comes after it: the body's end ends the answer.
    fn is_over(&self) -> bool {
        false
    }
}

/// Reads a whole answer.
///
/// # Errors
/// [`Error::Nonsense`]; [`Error::Refused`]; or what the body says, where a gateway puts a failure under a successful status.
pub(super) fn read(body: &[u8], mut assembly: Assembly, elapsed: Duration) -> Result<Completion, Error> {
    let body = serde_json::from_slice(body).map_err(|_| Error::Nonsense { what: "not a JSON answer" })?;
    assembly.piece(body)?;
    if !assembly.has_candidate && !assembly.is_blocked {
        return Err(Error::Nonsense { what: "no candidates" });
    }
    assembly.into_completion(elapsed)
}

impl Assembly {
    /// The beginning of an answer of this model to the request of this name.
    pub(super) fn new(model: &str, request: &str) -> Self {
        Self {
            model: model.to_owned(),
            request: request.to_owned(),
            text: String::new(),
            calls: Vec::new(),
            usage: None,
            finish_reason: None,
            answered: None,
            is_blocked: false,
            has_candidate: false,
        }
    }

    /// The whole answer, at the end of the stream.
    ///
    /// # Errors
    /// [`Error::Cut`] where its end has not come; [`Error::Refused`]; [`Error::Nonsense`] where the model's words made none.
    pub(super) fn finish(self, elapsed: Duration) -> Result<Completion, Error> {
        if self.finish_reason.is_none() && !self.is_blocked {
            return Err(Error::Cut("the stream ended before a finishReason".to_owned()));
        }
        self.into_completion(elapsed)
    }

    fn piece(&mut self, body: Body) -> Result<Vec<Delta>, Error> {
        if let Some(failure) = body.error.filter(|failure| !failure.is_null()) {
            let told = fault::told(&failure).ok_or(Error::Nonsense { what: "an error under a successful status" })?;
            return Err(failed_at_work(told, self.usage.is_some(), !self.text.is_empty()));
        }
        self.answered = body.model_version.or(self.answered.take());
        self.is_blocked |= body.prompt_feedback.is_some_and(|feedback| feedback.block_reason.is_some());
        let mut told = Vec::new();
        if let Some(candidate) = body.candidates.into_iter().next() {
            self.has_candidate = true;
            for part in candidate.content.map(|content| content.parts).unwrap_or_default() {
                told.extend(self.part(part)?);
            }
            self.finish_reason = candidate.finish_reason.or(self.finish_reason.take());
        }
        let usage = body.usage_metadata.map_or(Ok(None), |metadata| used(&metadata))?;
        if usage.is_some() && usage != self.usage {
            self.usage = usage;
            told.extend(usage.map(Delta::Usage));
        }
        Ok(told)
    }

    fn part(&mut self, part: Part) -> Result<Option<Delta>, Error> {
        if let Some(called) = part.function_call {
            let call = self.call(&called, part.thought_signature.as_deref())?;
            self.calls.push(call.clone());
            return Ok(Some(Delta::Call(call)));
        }
        let text = part.text.filter(|text| !part.thought && !text.is_empty());
        Ok(text.map(|text| {
            self.text.push_str(&text);
            Delta::Text(text.into())
        }))
    }

    fn call(&self, called: &Called, signature: Option<&str>) -> Result<ToolCall, Error> {
        let number = self.calls.len();
        if number >= CALLS_MAX {
            return Err(Error::Nonsense { what: "too many calls of tools" });
        }
        let name = Carried::name(&self.request, number, &self.model, called.id.as_deref(), signature)?;
        let arguments = called.args.as_ref().map_or("", |args| args.get());
        calling::whole(name, called.name.clone().unwrap_or_default(), arguments)
    }

    fn into_completion(self, elapsed: Duration) -> Result<Completion, Error> {
        if self.is_blocked && self.text.is_empty() && self.calls.is_empty() {
            return Err(Error::Refused);
        }
        let stop = stop(self.finish_reason.as_deref(), !self.calls.is_empty())?;
        let (model, other) = naming::answered(&self.model, self.answered);
        let Self { text, calls, usage, .. } = self;
        Ok(Completion { text: text.into(), calls, usage, stop, model, notes: other.into_iter().collect(), elapsed })
    }
}

/// Why the model stopped. The API has one word for the end, for a text to stop at, and for a call.
fn stop(reason: Option<&str>, has_calls: bool) -> Result<Stop, Error> {
    match reason {
        Some("STOP") if has_calls => Ok(Stop::Calls),
        Some("STOP") => Ok(Stop::End),
        Some("MAX_TOKENS") => Ok(Stop::Length),
        Some(
            "SAFETY"
            | "RECITATION"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "IMAGE_SAFETY"
            | "IMAGE_RECITATION"
            | "IMAGE_PROHIBITED_CONTENT"
            | "MODEL_ARMOR",
        ) => Ok(Stop::Filtered),
        // What the model wrote for a call could not be read, by the API's own word; there is no answer.
        Some(
            "MALFORMED_FUNCTION_CALL"
            | "UNEXPECTED_TOOL_CALL"
            | "TOO_MANY_TOOL_CALLS"
            | "MISSING_THOUGHT_SIGNATURE"
            | "MALFORMED_RESPONSE",
        ) => Err(Error::Nonsense { what: "a call of a tool that the provider could not read" }),
        Some(_) | None => Ok(Stop::Other),
    }
}

/// What was used; nothing where the input is not said. Thoughts and what tools of Google's own read are counted apart; where the
/// total says more than the parts, the larger reading is taken, since it is what will be billed.
fn used(used: &Used) -> Result<Option<Usage>, Error> {
    let Some(prompt) = count(used.prompt_token_count.as_ref())? else { return Ok(None) };
    let said = |value: &Option<Value>| Ok::<_, Error>(count(value.as_ref())?.unwrap_or(0));
    let thoughts = said(&used.thoughts_token_count)?;
    let input = prompt.saturating_add(said(&used.tool_use_prompt_token_count)?);
    let output = said(&used.candidates_token_count)?.saturating_add(thoughts);
    let total = said(&used.total_token_count)?;
    Ok(Some(Usage {
        input_tokens: Tokens::new(input),
        output_tokens: Tokens::new(output.max(total.saturating_sub(input))),
        cached_input_tokens: Tokens::new(said(&used.cached_content_token_count)?.min(input)),
        reasoning_tokens: Tokens::new(thoughts),
        // What is put into a cache is not told, and not billed as such.
        cache_write_tokens: Tokens::default(),
    }))
}
