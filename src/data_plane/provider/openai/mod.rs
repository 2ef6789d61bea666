//! OpenAI Chat Completions, and whatever speaks it: Ollama, vLLM, llama.cpp, Azure, Mistral, DeepSeek, OpenRouter, gateways.
//!
//! ```text
//! Request ─ question ─> POST …/chat/completions ─┬─ answer ─────────────> Completion
//!                                                ├─ stream ─> Deltas ─┬─> Completion
//!                                                └─ fault             '─> Error
//! ```
//!
//! What is asked follows OpenAI's reference but for the few words in which a host is known to differ ([`question::Dialect`]); what
//! is answered is read with tolerance. Calls of tools are told when all are whole, at the answer's end.

mod answer;
mod calls;
mod fault;
mod question;
mod stream;
#[cfg(test)]
mod tests;
mod used;

use tokio::time::Instant;

use self::question::Dialect;
use self::stream::Assembly;
use super::adapter::tell;
use super::error::Error;
use super::exchange::{Completion, Delta, Deltas, Request};
use super::piecewise;
use crate::data_plane::http::{Endpoint, Key, Opened, Post, Stream};
use crate::domain::name::ModelRef;

const PATH: &str = "/chat/completions";
/// The largest answer that is read, in bytes.
pub(super) const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One provider that speaks Chat Completions.
pub(super) struct OpenAi {
    endpoint: Endpoint,
    key: Key,
    dialect: Dialect,
}

impl OpenAi {
    pub(super) fn new(endpoint: Endpoint, key: Key) -> Self {
        let dialect = Dialect::of_host(endpoint.host());
        Self { endpoint, key, dialect }
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
            body: question::body(asked, request, self.dialect, heard.is_some())?,
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let answer = match heard {
            None => self.endpoint.post(PATH, post).await?,
            Some(heard) => match self.endpoint.open(PATH, post).await? {
                Opened::Whole(answer) => answer,
                Opened::Stream(stream) => {
                    let assembly = hear(stream, heard).await?;
                    let completion = assembly.finish(asked, began.elapsed())?;
                    tell_calls(&completion, heard).await;
                    return Ok(completion);
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

/// Hears a stream to its end. A connection that breaks after the model has said that it is done takes nothing away but perhaps the
/// usage.
async fn hear(stream: Stream, heard: &Deltas) -> Result<Assembly, Error> {
    let mut assembly = Assembly::default();
    match piecewise::hear(stream, &mut assembly, heard).await {
        Ok(()) => Ok(assembly),
        Err(Error::Cut(_) | Error::TimedOut) if assembly.is_whole() => Ok(assembly),
        Err(fault) => Err(fault),
    }
}

async fn tell_calls(completion: &Completion, heard: &Deltas) {
    for call in &completion.calls {
        // Who has gone hears nothing; the answer counts all the same.
        let _gone = heard.send(Delta::Call(call.clone())).await.is_err();
    }
}
