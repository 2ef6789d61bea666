//! What both APIs' requests have in common from their bodies to their answers.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::checks;
use super::edge::{COST, TASK_ID, insert};
use super::outcome::Outcome;
use super::running::{Running, Wanted};
use super::stream::{self, Words};
use crate::api::body;
use crate::api::error::{Answer, ApiError};
use crate::api::gate::Caller;
use crate::api::router::Shared;
use crate::api::tasks::idempotency_key;
use crate::control_plane::template::Kind;
use crate::domain::failure::Class;

/// A request once its body has been read.
pub(super) struct Asked {
    pub(super) caller: Caller,
    pub(super) key: Option<String>,
    pub(super) body: Bytes,
}

/// Reads a request.
pub(super) async fn read(rooms: &Shared, request: Request) -> Answer<Asked> {
    let caller = request.extensions().get::<Caller>().cloned();
    let unguarded = || ApiError::new(Class::Internal, "caller_unknown", "the route does not say who asks");
    let caller = caller.ok_or_else(unguarded)?;
    let key = idempotency_key(request.headers())?;
    let body = body::read(request, rooms.settings.body_bytes_max).await?;
    Ok(Asked { caller, key, body })
}

/// Begins the task that a client wants.
pub(super) async fn begin(rooms: &Shared, caller: Caller, wanted: Wanted, key: Option<String>) -> Answer<Running> {
    if let Some(dialogue) = &wanted.dialogue
        && let Ok(name) = wanted.model.parse()
        && let Ok(template) = rooms.templates.get(&name)
        && matches!(template.kind, Kind::Orchestrator(_))
    {
        checks::text_alone(dialogue)?;
    }
    Running::begin(rooms, caller, wanted, key).await
}

/// The whole answer, or a stream of it where there are words for one. `name` is the header in which this API's clients look for
/// what names a request.
pub(super) async fn answer<W: Words>(
    mut running: Running,
    name: HeaderName,
    words: Option<W>,
    whole: impl FnOnce(&Outcome<'_>) -> String + Send,
) -> Response {
    let task = running.task().to_string();
    let mut response = match words {
        Some(words) => stream::answer(running, words).await,
        None => plain(&mut running, whole).await,
    };
    insert(&mut response, TASK_ID, &task);
    insert(&mut response, name, &task);
    response
}

async fn plain(running: &mut Running, whole: impl FnOnce(&Outcome<'_>) -> String + Send) -> Response {
    let known = match running.ended().await {
        Ok(known) => known,
        Err(error) => return error.into_response(),
    };
    match Outcome::of(&known) {
        Ok(outcome) => {
            let mut response = Response::new(Body::from(whole(&outcome)));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            insert(&mut response, COST, &known.cost().to_string());
            response
        }
        Err(error) => error.into_response(),
    }
}
