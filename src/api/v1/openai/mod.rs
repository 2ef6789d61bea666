//! OpenAI's Chat Completions.
//!
//! `question` is the request as it is written, `dialogue` what it means, `answer` the whole answer.

mod answer;
mod dialogue;
mod question;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::edge::{COST, TASK_ID};
use super::outcome::Outcome;
use super::reading;
use super::running::Running;
use crate::api::body;
use crate::api::error::{Answer, ApiError};
use crate::api::gate::Caller;
use crate::api::router::Shared;
use crate::api::tasks::idempotency_key;
use crate::domain::failure::Class;
use crate::protocol::problem::Problem;

/// Answers a conversation, as OpenAI's API does. `model` is a template's name.
#[utoipa::path(post, path = "/v1/chat/completions", tag = "models", request_body = serde_json::Value,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes the request safe to repeat for 24 hours")),
    responses((status = 200, content_type = "application/json", body = serde_json::Value),
        (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(in crate::api) async fn chat(State(rooms): State<Shared>, request: Request) -> Answer<Response> {
    let caller = request.extensions().get::<Caller>().cloned();
    let caller =
        caller.ok_or_else(|| ApiError::new(Class::Internal, "caller_unknown", "the route does not say who asks"))?;
    let key = idempotency_key(request.headers())?;
    let bytes = body::read(request, rooms.settings.body_bytes_max).await?;
    let (asked, others) = reading::read::<question::Question<'_>>(&bytes)?;
    reading::judge(&others, question::UNMEANT)?;
    let wanted = dialogue::wanted(&asked)?;
    drop((asked, others));
    drop(bytes);
    let model = wanted.model.clone();
    let mut running = Running::begin(&rooms, caller, wanted, key).await?;
    let task = running.task().to_string();
    let answered = match running.ended().await {
        Ok(known) => Outcome::of(&known).map(|outcome| answer::whole(&outcome, &model)),
        Err(error) => Err(error),
    };
    let mut response = answered.map_or_else(IntoResponse::into_response, |(body, cost)| {
        let mut response = Response::new(Body::from(body));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        insert(&mut response, COST, &cost);
        response
    });
    insert(&mut response, TASK_ID, &task);
    insert(&mut response, X_REQUEST_ID, &task);
    Ok(response)
}

/// What OpenAI's clients tell as the request's identifier.
const X_REQUEST_ID: header::HeaderName = header::HeaderName::from_static("x-request-id");

fn insert(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
