//! OpenAI's Chat Completions.
//!
//! `question` is the request as it is written, `dialogue` what it means, `answer` the whole answer, `chunks` the stream of it.

mod answer;
mod chunks;
mod dialogue;
mod question;

#[cfg(test)]
pub(super) use question::UNMEANT;

use axum::extract::{Request, State};
use axum::http::HeaderName;
use axum::response::Response;

use super::running::Wanted;
use super::{door, reading};
use crate::api::error::Answer;
use crate::api::router::Shared;

/// What OpenAI's clients tell as the request's identifier.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Answers a conversation as OpenAI's API does. `model` is a template's name.
#[utoipa::path(post, path = "/v1/chat/completions", tag = "models", request_body = serde_json::Value,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes the request safe to repeat for 24 hours")),
    responses((status = 200, content_type = "application/json", body = serde_json::Value),
        (status = "4XX", body = serde_json::Value), (status = "5XX", body = serde_json::Value)))]
pub(in crate::api) async fn chat(State(rooms): State<Shared>, request: Request) -> Answer<Response> {
    let asked = door::read(&rooms, request).await?;
    let (wanted, with_usage) = wanted(&asked.body)?;
    let model = wanted.model.clone();
    let words = wanted.streamed.then(|| chunks::Chunks::new(&model, with_usage));
    let running = door::begin(&rooms, asked.caller, wanted, asked.key).await?;
    Ok(door::answer(running, REQUEST_ID, words, |outcome| answer::whole(outcome, &model)).await)
}

/// What a body asks for, and whether a stream of it ends with the usage.
pub(super) fn wanted(body: &[u8]) -> Answer<(Wanted, bool)> {
    let (asked, others) = reading::read::<question::Question<'_>>(body)?;
    reading::judge(&others, question::UNMEANT)?;
    Ok((dialogue::wanted(&asked)?, dialogue::wants_usage(&asked)))
}
