//! Gemini's `generateContent`, and whatever speaks it.
//!
//! ```text
//! Request ─ question ─> path, body ─> Endpoint ─┬─ whole or pieces ─> answer ─> Completion
//!              '─ signature (names of calls) ───┴─ failure ─────────> fault ──> Error
//! ```
//!
//! What is sent:
//! - One speaker's messages in a row are one turn; results of tools stand first in it, under the name of their tool. Texts of white
//!   space alone are left out.
//! - Schemas go as `parametersJsonSchema` and `responseJsonSchema`; an answer's is always followed, and its name has no place. One
//!   strict tool makes all calls follow their schemas (`VALIDATED`).
//! - A reasoning effort is a `thinkingBudget` for models until 2.5 and a `thinkingLevel` for later ones.
//! - A call goes back with what its name carries; see [`signature`]. Signatures of texts are not kept: no model demands them.
//! - Refused as [`Error::Unsupported`], since the API has no word for it: calls one at a time, a seed of more than 32 bits, more
//!   than five texts to stop at, pictures at different details.
//!
//! What is read:
//! - The first candidate; its text is that of all parts that are no thoughts, joined.
//! - Output is candidates and thoughts; input is the prompt, cached or not, and what tools of Google's own read.
//! - A blocked prompt is [`Error::Refused`]; a blocked answer keeps what was said until then.

mod answer;
mod fault;
mod generation;
mod question;
mod signature;
#[cfg(test)]
mod tests;

use tokio::time::Instant;

use self::answer::Assembly;
use super::adapter::tell;
use super::error::Error;
use super::exchange::{Completion, Deltas, Request};
use super::piecewise;
use crate::data_plane::http::{Endpoint, Headers, Key, KeyHeader, Opened, Post};
use crate::domain::name::ModelRef;

/// What a base URL without a path is completed with.
pub(super) const BASE_PATH: &str = "/v1beta";
/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
const HEADERS: Headers = Headers { key: KeyHeader::Named("x-goog-api-key"), fixed: &[] };

/// One provider that speaks `generateContent`.
pub(super) struct Gemini {
    endpoint: Endpoint,
    key: Key,
}

impl Gemini {
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
            body: question::body(asked, request)?,
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let path = question::path(asked, heard.is_some());
        let mut assembly = Assembly::new(asked, &request.idempotency_key);
        let answer = match heard {
            None => self.endpoint.post(&path, post).await?,
            Some(heard) => match self.endpoint.open(&path, post).await? {
                Opened::Whole(answer) => answer,
                Opened::Stream(stream) => {
                    match piecewise::hear(stream, &mut assembly, heard).await {
                        // What breaks behind the answer's end breaks nothing of it.
                        Ok(()) => {}
                        Err(Error::Cut(_) | Error::TimedOut) if assembly.has_ended() => {}
                        Err(fault) => return Err(fault),
                    }
                    return assembly.finish(began.elapsed());
                }
            },
        };
        if !(200..300).contains(&answer.status) {
            return Err(fault::of(answer.status, answer.retry_after, &answer.body));
        }
        let completion = answer::read(&answer.body, assembly, began.elapsed())?;
        tell(&completion, heard).await;
        Ok(completion)
    }
}
