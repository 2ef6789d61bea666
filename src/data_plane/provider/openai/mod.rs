//! OpenAI Chat Completions, and whatever speaks it: Ollama, vLLM, llama.cpp, gateways.

mod answer;
mod fault;
mod question;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use self::question::LimitField;
use super::error::Error;
use super::exchange::{Completion, Request};
use super::http::Endpoint;
use super::key::Key;
use crate::domain::name::ModelRef;
use crate::domain::private::Secret;

const PATH: &str = "/chat/completions";
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

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
        self.key.current().map(|_| ())
    }

    pub(super) async fn complete(&self, model: &ModelRef, request: &Request) -> Result<Completion, Error> {
        let began = Instant::now();
        let headers = headers(self.key.current()?, &request.idempotency_key)?;
        let body = question::body(model.model(), request, self.limit_field);
        let answer = self.endpoint.post(PATH, headers, body).await?;
        if !(200..300).contains(&answer.status) {
            return Err(fault::of(answer.status, answer.retry_after, &answer.body));
        }
        answer::read(&answer.body, model.model(), began.elapsed())
    }
}

/// Of the idempotency key only what a header can carry is sent.
fn headers(key: Option<Secret>, idempotency_key: &str) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let printable: String = idempotency_key.chars().filter(char::is_ascii_graphic).collect();
    if let (false, Ok(value)) = (printable.is_empty(), HeaderValue::try_from(printable)) {
        headers.insert(IDEMPOTENCY_KEY, value);
    }
    if let Some(key) = key {
        let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose()))
            .map_err(|_| Error::MissingKey("it does not fit into a header".to_owned()))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}
