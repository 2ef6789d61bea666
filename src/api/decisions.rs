//! `/factory/tasks/{id}` `approve`, `reject`, `retry`, `signals`: what people and programs outside say about a task.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::body::{JsonBody, OptionalJson, Segment, Segments, parse};
use super::error::{Answer, ApiError};
use super::gate::Caller;
use super::render;
use super::router::Shared;
use super::tasks::{check_comment, find, input};
use crate::control_plane::admission::policy::check_input;
use crate::control_plane::audit::Entry;
use crate::data_plane::orchestrator::Decision;
use crate::domain::clock::Timestamp;
use crate::domain::name::SignalName;
use crate::journal::record::{Signalled, Verdict};
use crate::journal::state::Step;
use crate::protocol::problem::Problem;
use crate::protocol::task::{Decision as Decided, Signal, Task};

/// Says yes to what a task waits for a person for: the step that asks, or that needs attention, counts as done.
#[utoipa::path(post, path = "/factory/tasks/{id}/approve", tag = "tasks", params(("id" = String, Path)),
    request_body = Decided,
    responses((status = 200, body = Task), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn approve(
    State(rooms): State<Shared>,
    caller: Caller,
    Segment(task): Segment,
    OptionalJson(decision): OptionalJson<Decided>,
) -> Answer<Json<Task>> {
    decide(&rooms, &caller, &task, decision, Verdict::Approved).await
}

/// Says no: the step counts as failed. A task that needs attention as a whole fails.
#[utoipa::path(post, path = "/factory/tasks/{id}/reject", tag = "tasks", params(("id" = String, Path)),
    request_body = Decided,
    responses((status = 200, body = Task), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn reject(
    State(rooms): State<Shared>,
    caller: Caller,
    Segment(task): Segment,
    OptionalJson(decision): OptionalJson<Decided>,
) -> Answer<Json<Task>> {
    decide(&rooms, &caller, &task, decision, Verdict::Rejected).await
}

async fn decide(
    rooms: &Shared,
    caller: &Caller,
    task: &str,
    decision: Decided,
    verdict: Verdict,
) -> Answer<Json<Task>> {
    let known = find(rooms, caller, task).await?;
    check_comment(decision.comment.as_ref())?;
    let action = match verdict {
        Verdict::Approved => "approve_task",
        Verdict::Rejected => "reject_task",
    };
    let id = known.order.task;
    let mut entry = Entry::allowed(Timestamp::now(), (&*caller.0).into(), action).on(id);
    let Decided { comment, step } = decision;
    if let Some(asked) = known.open_release().and_then(Step::release) {
        entry = entry.because(asked.question());
    }
    let decision = Decision { verdict, step, comment, by: caller.0.name.to_string() };
    let task = rooms.orchestrator.decide(id, &decision, rooms.audit.batch(entry)).await?;
    Ok(Json(render::task(&task)))
}

/// Has a task that failed, or that needs attention, go on from where it is: what it finished is not done again.
#[utoipa::path(post, path = "/factory/tasks/{id}/retry", tag = "tasks", params(("id" = String, Path)),
    responses((status = 200, body = Task), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn retry(State(rooms): State<Shared>, caller: Caller, Segment(task): Segment) -> Answer<Json<Task>> {
    let known = find(&rooms, &caller, &task).await?;
    let id = known.order.task;
    let entry = Entry::allowed(Timestamp::now(), (&*caller.0).into(), "retry_task").on(id);
    let task = rooms.orchestrator.retry(&caller.0, id, rooms.audit.batch(entry)).await?;
    Ok(Json(render::task(&task)))
}

/// Sends a task word that its plan waits for, or will. Each request is one signal.
#[utoipa::path(post, path = "/factory/tasks/{id}/signals/{name}", tag = "tasks",
    params(("id" = String, Path), ("name" = String, Path)), request_body = Signal,
    responses((status = 202, body = Task), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn signal(
    State(rooms): State<Shared>,
    caller: Caller,
    Segments(task, name): Segments,
    headers: HeaderMap,
    JsonBody(Signal { payload }): JsonBody<Signal>,
) -> Answer<Response> {
    let known = find(&rooms, &caller, &task).await?;
    let name: SignalName = parse("the signal's name", &name)?;
    if headers.contains_key("idempotency-key") {
        return Err(ApiError::malformed("Idempotency-Key is not taken here: each request is one signal"));
    }
    let payload = input(payload)?;
    check_input(&payload)?;
    let (id, at, by) = (known.order.task, Timestamp::now(), caller.0.name.to_string());
    let signalled = Signalled { signal: name.to_string(), payload, by, at };
    let entry = Entry::allowed(at, (&*caller.0).into(), "signal_task").on(id);
    let task = rooms.orchestrator.signal(id, signalled, rooms.audit.batch(entry)).await?;
    Ok((StatusCode::ACCEPTED, Json(render::task(&task))).into_response())
}
