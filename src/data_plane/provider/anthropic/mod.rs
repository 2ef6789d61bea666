//! Anthropic Messages (`POST /v1/messages`), and whatever speaks it.
//!
//! ```text
//! Request ─ question ─> body ─> Endpoint ─┬─ whole ──> answer ─┐
//!                                         ├─ events ─> stream ─┴─> Completion
//!                                         └─ failure ─> fault ───> Error
//! ```
//!
//! What is sent:
//! - One speaker's messages in a row are one turn; results of tools stand first in it. Texts of white space alone are left out:
//!   the API refuses them, and they say nothing.
//! - A schema for the answer is `output_config.format`, a reasoning effort `output_config.effort`. A schema's name is a label of
//!   the client's and is left out; whether it is strict as well, since the API always follows it to the letter.
//! - Names of calls that hold other characters than the API takes are replaced, by the same one in call and result.
//! - Refused as [`Error::Unsupported`], since the API has no word for it: `seed`, penalties, a temperature above 1, JSON without a
//!   schema, a picture at less than full detail or of a kind that the API does not take.
//! - Nothing is marked for the prompt cache: a write costs more than it saves unless the prompt comes again within minutes.
//! - Thinking is not asked for; models that think all the same do so within `max_output_tokens`.
//!
//! What is read:
//! - The text is that of all `text` blocks, joined; thinking is no part of it.
//! - `input_tokens` leaves the cache out; ours is the sum of fresh, read and written tokens. `output_tokens` holds the thinking.
//! - A call that an answer cut short by `max_tokens` left half is no call.

mod answer;
mod fault;
mod question;
mod stream;
#[cfg(test)]
mod tests;
mod used;

use tokio::time::Instant;

use self::stream::Assembly;
use super::adapter::tell;
use super::error::Error;
use super::exchange::{Completion, Deltas, Request};
use super::piecewise;
use crate::data_plane::http::{Endpoint, Headers, Key, KeyHeader, Opened, Post};
use crate::domain::name::ModelRef;

const PATH: &str = "/messages";
/// What a base URL without a path is completed with.
pub(super) const BASE_PATH: &str = "/v1";
/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
const HEADERS: Headers = Headers { key: KeyHeader::Named("x-api-key"), fixed: &[("anthropic-version", "2023-06-01")] };

/// One provider that speaks Messages.
pub(super) struct Anthropic {
    endpoint: Endpoint,
    key: Key,
}

impl Anthropic {
    pub(super) fn new(endpoint: Endpoint, key: Key) -> Self {
        Self { endpoint: endpoint.with_headers(HEADERS), key }
    }

    pub(super) fn usable(&self) -> Result<(), Error> {
        self.key.current()?;
        Ok(())
    }

    pub(super) async fn complete(
        &self,
        model: &ModelRef,
        request: &Request,
        heard: Option<&Deltas>,
    ) -> Result<Completion, Error> {
        let began = Instant::now();
        let asked = model.model();
        let post = Post {
            key: self.key.current()?,
            idempotency_key: &request.idempotency_key,
            body: question::body(asked, request, heard.is_some())?,
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let answer = match heard {
            None => self.endpoint.post(PATH, post).await?,
            Some(heard) => match self.endpoint.open(PATH, post).await? {
                Opened::Whole(answer) => answer,
                Opened::Stream(stream) => {
                    let mut assembly = Assembly::default();
                    piecewise::hear(stream, &mut assembly, heard).await?;
                    return assembly.finish(asked, began.elapsed());
                }
            },
        };
        if !(200..300).contains(&answer.status) {
            return Err(fault::of(answer.status, answer.retry_after, &answer.body));
        }
        let completion = answer::read(&answer.body, asked, began.elapsed())?;
        tell(&completion, heard).await;
        Ok(completion)
    }
}
