//! OpenAI Chat Completions, and whatever speaks it: Ollama, vLLM, llama.cpp, gateways.

mod answer;
mod fault;
mod question;

use tokio::time::Instant;

use self::question::LimitField;
use super::adapter::tell;
use super::error::Error;
use super::exchange::{Completion, Deltas, Request};
use crate::data_plane::http::{Endpoint, Key, Post};
use crate::domain::name::ModelRef;

const PATH: &str = "/chat/completions";
/// The largest answer that is read, in bytes.
pub(super) const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One provider that speaks Chat Completions.
pub(super) struct OpenAi {
    endpoint: Endpoint,
    key: Key,
    limit_field: LimitField,
}

impl OpenAi {
    pub(super) fn new(endpoint: Endpoint, key: Key) -> Self {
        let limit_field = LimitField::of_host(endpoint.host());
        Self { endpoint, key, limit_field }
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
        let post = Post {
            key: self.key.current()?,
            idempotency_key: &request.idempotency_key,
            body: question::body(model.model(), request, self.limit_field),
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let answer = self.endpoint.post(PATH, post).await?;
        if !(200..300).contains(&answer.status) {
            return Err(fault::of(answer.status, answer.retry_after, &answer.body));
        }
        let completion = answer::read(&answer.body, model.model(), began.elapsed())?;
        tell(&completion, heard).await;
        Ok(completion)
    }
}
