//! A Chat Completions answer that comes as a stream of events.
//!
//! ```text
//! chunk (role) ─> chunk (content | tool_calls)… ─> chunk (finish_reason) ─> chunk (usage, no choices) ─> [DONE]
//! ```
//!
//! Servers differ: usage with every chunk, or with the one that ends; no `finish_reason`, or no `[DONE]`. Either of the two says
//! that the answer is whole. A chunk with an `error` ends it.

use std::time::Duration;

use super::answer::{Body, Read};
use crate::data_plane::provider::error::Error;
use crate::data_plane::provider::exchange::{Completion, Delta};
use crate::data_plane::provider::piecewise::Pieces;

/// What comes last.
const DONE: &str = "[DONE]";

/// An answer as far as it has come.
#[derive(Default)]
pub(super) struct Assembly {
    read: Read,
    is_over: bool,
}

impl Pieces for Assembly {
    fn take(&mut self, data: &str) -> Result<Vec<Delta>, Error> {
        let data = data.trim();
        if data == DONE {
            self.is_over = true;
            return Ok(Vec::new());
        }
        if data.is_empty() {
            return Ok(Vec::new());
        }
        let chunk: Body<'_> =
            serde_json::from_str(data).map_err(|_| Error::Nonsense { what: "an event that makes no sense" })?;
        let news = self.read.take(chunk, data.as_bytes())?;
        let words = self.read.text().get(news.from..).filter(|words| !words.is_empty());
        let words = words.map(|words| Delta::Text(words.into()));
        Ok(words.into_iter().chain(news.usage.map(Delta::Usage)).collect())
    }

    fn is_over(&self) -> bool {
        self.is_over
    }
}

impl Assembly {
    /// Whether the model said that it is done, so that a connection which ends from then on has cut nothing.
    pub(super) fn is_whole(&self) -> bool {
        self.is_over || self.read.has_ended()
    }

    /// The whole answer, at the end of the stream.
    ///
    /// # Errors
    /// [`Error::Cut`] where its end has not come; [`Error::Nonsense`] where it holds no answer.
    pub(super) fn finish(self, asked: &str, elapsed: Duration) -> Result<Completion, Error> {
        if !self.is_whole() {
            return Err(Error::Cut("the stream ended before its end marker".to_owned()));
        }
        self.read.into_completion(asked, elapsed)
    }
}
