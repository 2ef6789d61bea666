//! A Messages answer that comes as a stream of events.
//!
//! ```text
//! message_start ─> (content_block_start ─> content_block_delta… ─> content_block_stop)… ─> message_delta ─> message_stop
//! ```
//!
//! `ping`, and kinds of tomorrow, may come anywhere and say nothing. `error` ends the answer.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::answer::{Block, Message, Read};
use super::fault::{self, Told};
use super::used::Used;
use crate::data_plane::provider::calling::{self, ARGUMENTS_BYTES_MAX, CALLS_MAX};
use crate::data_plane::provider::error::Error;
use crate::data_plane::provider::exchange::{Completion, Delta, ToolCall};
use crate::data_plane::provider::piecewise::{Pieces, failed_at_work};

/// What servers of other formats say last.
const DONE: &str = "[DONE]";
/// A failure of a kind that the format does not know.
const FAILED: Error = Error::Failed { status: 500, retry_after: None };
const NO_SENSE: Error = Error::Nonsense { what: "an event that makes no sense" };

/// An event, of whichever kind.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    message: Option<Message>,
    #[serde(default)]
    index: u64,
    #[serde(default)]
    content_block: Option<Block>,
    #[serde(default)]
    delta: Option<More>,
    #[serde(default)]
    usage: Option<Used>,
    #[serde(default)]
    error: Option<Told>,
}

/// What is new, of a block or of the whole message.
#[derive(Deserialize)]
struct More {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    partial_json: Option<String>,
    #[serde(default)]
    stop_reason: Option<String>,
}

/// A call that is still being written.
struct Open {
    id: String,
    name: String,
    arguments: String,
}

/// An answer as far as it has come.
#[derive(Default)]
pub(super) struct Assembly {
    read: Read,
    open: BTreeMap<u64, Open>,
    /// How a call failed that could not be read; that counts unless the answer turns out to have been cut short in it.
    broken: Option<Error>,
    /// Whether the model has read the prompt.
    has_begun: bool,
    is_over: bool,
}

impl Pieces for Assembly {
    fn take(&mut self, data: &str) -> Result<Vec<Delta>, Error> {
        if data.trim() == DONE {
            return Ok(Vec::new());
        }
        let event: Event = serde_json::from_str(data).map_err(|_| NO_SENSE)?;
        match event.kind.as_str() {
            "message_start" => {
                let message = event.message.ok_or(NO_SENSE)?;
                self.read.model = message.model;
                self.has_begun = true;
                self.used(message.usage.as_ref())
            }
            "content_block_start" => self.begin(event.index, event.content_block.ok_or(NO_SENSE)?),
            "content_block_delta" => self.more(event.index, event.delta.ok_or(NO_SENSE)?),
            "content_block_stop" => Ok(self.end(event.index)?.map(Delta::Call).into_iter().collect()),
            "message_delta" => {
                let stop_reason = event.delta.and_then(|delta| delta.stop_reason);
                self.read.stop_reason = stop_reason.or(self.read.stop_reason.take());
                self.used(event.usage.as_ref())
            }
            "message_stop" => {
                self.is_over = true;
                Ok(Vec::new())
            }
            "error" => {
                let failure = fault::told(&event.error.ok_or(NO_SENSE)?).unwrap_or(FAILED);
                Err(failed_at_work(failure, self.has_begun, !self.read.text.is_empty()))
            }
            _ => Ok(Vec::new()),
        }
    }

    fn is_over(&self) -> bool {
        self.is_over
    }
}

impl Assembly {
    /// The whole answer, at the end of the stream.
    ///
    /// # Errors
    /// [`Error::Cut`] where its end has not come; [`Error::Nonsense`] where half a call stands in a whole answer.
    pub(super) fn finish(self, asked: &str, elapsed: Duration) -> Result<Completion, Error> {
        if !self.is_over {
            return Err(Error::Cut("the stream ended before message_stop".to_owned()));
        }
        let half = (!self.open.is_empty()).then_some(Error::Nonsense { what: "a call of a tool without its end" });
        match self.broken.or(half) {
            Some(fault) if !self.read.is_cut_short() => Err(fault),
            Some(_) | None => Ok(self.read.into_completion(asked, elapsed)),
        }
    }

    fn used(&mut self, used: Option<&Used>) -> Result<Vec<Delta>, Error> {
        let Some(used) = used else { return Ok(Vec::new()) };
        self.read.counts.take(used)?;
        Ok(self.read.counts.usage().map(Delta::Usage).into_iter().collect())
    }

    fn begin(&mut self, index: u64, block: Block) -> Result<Vec<Delta>, Error> {
        match block.kind.as_str() {
            "text" => Ok(self.say(block.text.unwrap_or_default())),
            "tool_use" => {
                if self.open.len().saturating_add(self.read.calls.len()) >= CALLS_MAX {
                    return Err(Error::Nonsense { what: "too many calls of tools" });
                }
                // An empty object stands for arguments that are still to come.
                let begun = block.input.filter(|input| input.get() != "{}" && input.get() != "null");
                let arguments = begun.map(|input| input.get().to_owned()).unwrap_or_default();
                let (id, name) = (block.id.unwrap_or_default(), block.name.unwrap_or_default());
                self.open.insert(index, Open { id, name, arguments });
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn more(&mut self, index: u64, delta: More) -> Result<Vec<Delta>, Error> {
        match (delta.kind.as_deref(), delta.text, delta.partial_json) {
            (Some("text_delta"), Some(text), _) => Ok(self.say(text)),
            (Some("input_json_delta"), _, Some(piece)) => {
                // Pieces of what nobody asked for have no open call.
                let Some(open) = self.open.get_mut(&index) else { return Ok(Vec::new()) };
                if open.arguments.len().saturating_add(piece.len()) > ARGUMENTS_BYTES_MAX {
                    return Err(Error::Nonsense { what: "a call of a tool over the limit" });
                }
                open.arguments.push_str(&piece);
                Ok(Vec::new())
            }
            (Some("text_delta" | "input_json_delta") | None, _, _) => Err(NO_SENSE),
            (Some(_), _, _) => Ok(Vec::new()),
        }
    }

    fn end(&mut self, index: u64) -> Result<Option<ToolCall>, Error> {
        let Some(open) = self.open.remove(&index) else { return Ok(None) };
        match calling::whole(open.id, open.name, &open.arguments) {
            Ok(call) => {
                self.read.call(Ok(call.clone()), false)?;
                Ok(Some(call))
            }
            Err(fault) => {
                self.broken = Some(fault);
                Ok(None)
            }
        }
    }

    fn say(&mut self, text: String) -> Vec<Delta> {
        self.read.text.push_str(&text);
        if text.is_empty() { Vec::new() } else { vec![Delta::Text(text.into())] }
    }
}
