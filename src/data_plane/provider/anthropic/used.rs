//! What a Messages answer says it used.

use serde::Deserialize;
use serde_json::Value;

use crate::data_plane::provider::error::Error;
use crate::data_plane::provider::tally::count;
use crate::domain::usage::{Tokens, Usage};

/// As the answer writes it. `input_tokens` leaves out what was read from the cache or written into it.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Used {
    input_tokens: Option<Value>,
    cache_read_input_tokens: Option<Value>,
    cache_creation_input_tokens: Option<Value>,
    output_tokens: Option<Value>,
    output_tokens_details: Option<Details>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Details {
    thinking_tokens: Option<Value>,
}

/// What was said so far. Each number that a stream says again is the whole until then, and takes the place of the one before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    fresh: Option<u64>,
    read: u64,
    written: u64,
    output: Option<u64>,
    thinking: u64,
}

impl Counts {
    /// Takes in what is said now.
    ///
    /// # Errors
    /// [`Error::Nonsense`] where a number is absurd.
    pub(super) fn take(&mut self, used: &Used) -> Result<(), Error> {
        let thinking = used.output_tokens_details.as_ref().and_then(|details| details.thinking_tokens.as_ref());
        self.fresh = count(used.input_tokens.as_ref())?.or(self.fresh);
        self.read = count(used.cache_read_input_tokens.as_ref())?.unwrap_or(self.read);
        self.written = count(used.cache_creation_input_tokens.as_ref())?.unwrap_or(self.written);
        self.output = count(used.output_tokens.as_ref())?.or(self.output);
        self.thinking = count(thinking)?.unwrap_or(self.thinking);
        Ok(())
    }

    /// The usage; none where not both input and output were said.
    pub(super) fn usage(self) -> Option<Usage> {
        let (fresh, output) = (self.fresh?, self.output?);
        Some(Usage {
            input_tokens: Tokens::new(fresh.saturating_add(self.read).saturating_add(self.written)),
            output_tokens: Tokens::new(output),
            cached_input_tokens: Tokens::new(self.read),
            reasoning_tokens: Tokens::new(self.thinking.min(output)),
            cache_write_tokens: Tokens::new(self.written),
        })
    }
}
