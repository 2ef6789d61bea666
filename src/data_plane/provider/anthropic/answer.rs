//! A Messages answer that comes whole.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fault::{self, Told};
use super::used::{Counts, Used};
use crate::data_plane::provider::calling::{self, CALLS_MAX};
use crate::data_plane::provider::error::Error;
use crate::data_plane::provider::exchange::{Completion, Stop, ToolCall};
use crate::data_plane::provider::naming;

/// An answer, or the frame of one that a stream begins with.
#[derive(Deserialize)]
pub(super) struct Message {
    #[serde(default)]
    content: Option<Vec<Block>>,
    #[serde(default)]
    pub(super) model: Option<String>,
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default)]
    pub(super) usage: Option<Used>,
    #[serde(default)]
    error: Option<Told>,
}

/// A part of an answer. Of thinking, and of kinds that nobody asked for, nothing is kept.
#[derive(Deserialize)]
pub(super) struct Block {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) input: Option<Box<RawValue>>,
}

/// What was read of an answer, in whichever form it came.
#[derive(Default)]
pub(super) struct Read {
    pub(super) text: String,
    pub(super) calls: Vec<ToolCall>,
    pub(super) counts: Counts,
    pub(super) stop_reason: Option<String>,
    pub(super) model: Option<String>,
}

/// Reads a successful answer.
///
/// # Errors
/// [`Error::Nonsense`]; or what the body says, where a gateway puts a failure under a successful status.
pub(super) fn read(body: &[u8], asked: &str, elapsed: Duration) -> Result<Completion, Error> {
    let message: Message = serde_json::from_slice(body).map_err(|_| Error::Nonsense { what: "not a JSON message" })?;
    if let Some(told) = message.error {
        return Err(fault::told(&told).unwrap_or(Error::Nonsense { what: "an error under a successful status" }));
    }
    let content = message.content.ok_or(Error::Nonsense { what: "no content" })?;
    let mut read = Read { model: message.model, stop_reason: message.stop_reason, ..Read::default() };
    if let Some(used) = &message.usage {
        read.counts.take(used)?;
    }
    let cut_short = read.is_cut_short();
    for block in content {
        match block.kind.as_str() {
            "text" => read.text.push_str(&block.text.unwrap_or_default()),
            "tool_use" => {
                let arguments = block.input.as_ref().map_or("", |input| input.get());
                let id = block.id.unwrap_or_default();
                read.call(calling::whole(id, block.name.unwrap_or_default(), arguments), cut_short)?;
            }
            _ => {}
        }
    }
    Ok(read.into_completion(asked, elapsed))
}

impl Read {
    /// Whether the answer ended where the model could not go on, perhaps in the middle of a call.
    pub(super) fn is_cut_short(&self) -> bool {
        stop(self.stop_reason.as_deref()) == Stop::Length
    }

    /// Takes a call in; half of one, where the answer was cut short, is none.
    ///
    /// # Errors
    /// The call's own, and too many calls.
    pub(super) fn call(&mut self, call: Result<ToolCall, Error>, cut_short: bool) -> Result<(), Error> {
        match call {
            Ok(_) if self.calls.len() >= CALLS_MAX => Err(Error::Nonsense { what: "too many calls of tools" }),
            Ok(call) => {
                self.calls.push(call);
                Ok(())
            }
            Err(_) if cut_short => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    pub(super) fn into_completion(self, asked: &str, elapsed: Duration) -> Completion {
        let stop = stop(self.stop_reason.as_deref());
        let (model, other) = naming::answered(asked, self.model);
        let refusal = (stop == Stop::Filtered).then(|| ("refusal", "the model declined".to_owned()));
        let notes = refusal.into_iter().chain(other).collect();
        let usage = self.counts.usage();
        Completion { text: self.text.into(), calls: self.calls, usage, stop, model, notes, elapsed }
    }
}

fn stop(reason: Option<&str>) -> Stop {
    match reason {
        Some("end_turn") => Stop::End,
        Some("max_tokens" | "model_context_window_exceeded") => Stop::Length,
        Some("stop_sequence") => Stop::Sequence,
        Some("tool_use") => Stop::Calls,
        Some("refusal") => Stop::Filtered,
        Some(_) | None => Stop::Other,
    }
}
