//! Anthropic's Messages.
//!
//! `question` is the request as it is written, `dialogue` what it means, `answer` the whole answer, `events` the stream of it.

mod answer;
mod dialogue;
mod events;
mod question;

pub(super) use dialogue::Purpose;
#[cfg(test)]
pub(super) use question::UNMEANT;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::running::Wanted;
use super::{door, reading};
use crate::api::error::{Answer, ApiError};
use crate::api::router::Shared;
use crate::control_plane::budget::tokens::{self, Input};
use crate::domain::model::{Counting, Tokenizer};
use crate::domain::private::Text;
use crate::domain::usage::Tokens;

/// What Anthropic's clients tell as the request's identifier.
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// Where clients ask for what is not generally available.
const BETA: &str = "anthropic-beta";

/// How tokens are counted for whoever asks how many there are: as nearly as can be told without knowing the model, not at worst.
const COUNTING: Counting =
    Counting { tokenizer: Tokenizer::O200k, margin_percent: 0, image: Tokens::new(1_600), tool_prompt: Tokens::new(0) };

/// Answers a conversation as Anthropic's API does. `model` is a template's name.
#[utoipa::path(post, path = "/v1/messages", tag = "models", request_body = serde_json::Value,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes the request safe to repeat for 24 hours")),
    responses((status = 200, content_type = "application/json", body = serde_json::Value),
        (status = "4XX", body = serde_json::Value), (status = "5XX", body = serde_json::Value)))]
pub(in crate::api) async fn messages(State(rooms): State<Shared>, request: Request) -> Answer<Response> {
    check_headers(request.headers())?;
    let asked = door::read(&rooms, request).await?;
    let wanted = wanted(&asked.body, Purpose::Answer)?;
    let model = wanted.model.clone();
    let words = wanted.streamed.then(|| events::Events::new(&model));
    let running = door::begin(&rooms, asked.caller, wanted, asked.key).await?;
    Ok(door::answer(running, REQUEST_ID, words, |outcome| answer::whole(outcome, &model)).await)
}

/// Counts the tokens of a conversation as Anthropic's API does. Nothing is asked of a model, and nothing is spent.
#[utoipa::path(post, path = "/v1/messages/count_tokens", tag = "models", request_body = serde_json::Value,
    responses((status = 200, content_type = "application/json", body = serde_json::Value),
        (status = "4XX", body = serde_json::Value), (status = "5XX", body = serde_json::Value)))]
pub(in crate::api) async fn count(State(rooms): State<Shared>, request: Request) -> Answer<Response> {
    check_headers(request.headers())?;
    let asked = door::read(&rooms, request).await?;
    let wanted = wanted(&asked.body, Purpose::Count)?;
    let name = wanted.model.parse().map_err(|_| ApiError::not_found("template"))?;
    if !rooms.admission.may_use_by_name(&asked.caller.0, &name).await {
        return Err(super::models::unknown());
    }
    let template = rooms.templates.get(&name)?;
    let counted = tokens::count(read_by_model(&template.system_prompt, wanted)).await.tokens(&COUNTING);
    let body = format!(r#"{{"input_tokens":{counted}}}"#);
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response())
}

fn check_headers(headers: &HeaderMap) -> Answer<()> {
    if headers.contains_key(BETA) {
        return Err(reading::unsupported(BETA, "is not supported here: what is not generally available is not known"));
    }
    Ok(())
}

/// What a body asks for.
pub(super) fn wanted(body: &[u8], purpose: Purpose) -> Answer<Wanted> {
    let (asked, others) = reading::read::<question::Question<'_>>(body)?;
    reading::judge(&others, question::UNMEANT)?;
    dialogue::wanted(&asked, purpose)
}

/// Everything that the model would read.
fn read_by_model(system: &Text, wanted: Wanted) -> Input {
    let dialogue = wanted.dialogue.unwrap_or_default();
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let (messages, tools, images) = (dialogue.messages.len(), dialogue.tools.len(), dialogue.images());
    let mut texts = vec![system.clone(), wanted.input];
    texts.extend(dialogue.tools.iter().map(|tool| Text::from(tool.name.as_str())));
    texts.extend(dialogue.written());
    texts.retain(|text| !text.is_empty());
    Input { texts, messages: count(messages.saturating_add(1)), tools: count(tools), images: count(images) }
}
