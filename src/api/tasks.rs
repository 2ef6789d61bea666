//! `/factory/tasks`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;

use super::body::{JsonBody, PageQuery, Parameters, Segment, WaitQuery, id, parse, parse_some};
use super::error::{Answer, ApiError};
use super::gate::Caller;
use super::router::Shared;
use super::{events, render};
use crate::control_plane::admission::submission::{Submission, Target};
use crate::control_plane::audit::Entry;
use crate::domain::clock::Timestamp;
use crate::domain::id::TaskId;
use crate::domain::private::Text;
use crate::journal::notice;
use crate::journal::record::FeedbackGiven;
use crate::journal::state::Task as Known;
use crate::protocol::event::Event;
use crate::protocol::page::Page;
use crate::protocol::problem::Problem;
use crate::protocol::task::{Feedback, SubmitTask, Task, TaskState};

/// The longest comment on a task, in bytes.
const COMMENT_BYTES_MAX: usize = 4_096;

/// Refuses a comment that is too long.
pub(super) fn check_comment(comment: Option<&String>) -> Answer<()> {
    match comment.filter(|comment| comment.len() > COMMENT_BYTES_MAX) {
        Some(_) => Err(ApiError::malformed(format!("comment is longer than {COMMENT_BYTES_MAX} bytes"))),
        None => Ok(()),
    }
}

/// Submits a task.
#[utoipa::path(post, path = "/factory/tasks", tag = "tasks", request_body = SubmitTask, params(WaitQuery,
    ("Idempotency-Key" = Option<String>, Header, description = "makes the submission safe to repeat for 24 hours")),
    responses((status = 200, description = "it ended within `wait`", body = Task),
        (status = 202, description = "it goes on", body = Task),
        (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn submit(
    State(rooms): State<Shared>,
    caller: Caller,
    Parameters(query): Parameters<WaitQuery>,
    headers: HeaderMap,
    JsonBody(wanted): JsonBody<SubmitTask>,
) -> Answer<Response> {
    let wait = query.wait()?;
    let streamed = accepts_events(&headers);
    let submission = Submission { streamed, ..submission(wanted, idempotency_key(&headers)?)? };
    let following = rooms.journal.events().subscribe();
    let task = rooms.orchestrator.accept(Arc::clone(&caller.0), submission).await?;
    if streamed {
        return events::stream_task(&rooms, caller, task, following).await;
    }
    drop(following);
    answer(&rooms, task, wait).await
}

/// The task as it is after at most `wait`: 200 when it has ended, else 202.
pub(super) async fn answer(rooms: &Shared, task: TaskId, wait: Duration) -> Answer<Response> {
    let task = wait_for(rooms, task, wait).await?.ok_or_else(|| ApiError::not_found("task"))?;
    let status = if task.state.has_ended() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(render::task(&task))).into_response())
}

/// Whether the task has ended or waits for a person.
pub(super) fn is_settled(task: &Known) -> bool {
    task.state.has_ended() || task.state.waits_for_person()
}

/// Waits for a task's end, or until it waits for a person, who may be the one that asks; but not beyond the daemon's end: whoever
/// waits is told how far it is instead of being cut off.
async fn wait_for(rooms: &Shared, task: TaskId, wait: Duration) -> Answer<Option<Arc<Known>>> {
    tokio::select! {
        task = rooms.journal.wait_until(task, wait, is_settled) => Ok(task?),
        () = Arc::clone(rooms).drained() => Ok(rooms.journal.task(task).await?),
    }
}

/// `?limit=&after=&state=`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// How many items, 1 to 1,000; 100 where it is not given.
    limit: Option<usize>,
    /// What the previous page gave as `next`.
    after: Option<String>,
    /// Tasks in this state alone.
    state: Option<TaskState>,
}

/// Lists tasks, the newest first, without their outputs.
#[utoipa::path(get, path = "/factory/tasks", tag = "tasks", params(ListQuery),
    responses((status = 200, body = Page<Task>), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn list(
    State(rooms): State<Shared>,
    caller: Caller,
    Parameters(query): Parameters<ListQuery>,
) -> Answer<Json<Page<Task>>> {
    let ListQuery { limit, after, state } = query;
    let page = PageQuery { limit, after };
    let owned = move |task: &Known| {
        let listed = caller.owns(&task.order.tenant).then(|| render::listed(task))?;
        state.is_none_or(|wanted| wanted == listed.state).then_some(listed)
    };
    let found = rooms.journal.list(page.after()?, page.limit()?, owned).await?;
    Ok(Json(Page { items: found.items, next: found.next.map(|next| next.to_string()) }))
}

/// Shows a task, after waiting for its end if asked to.
#[utoipa::path(get, path = "/factory/tasks/{id}", tag = "tasks", params(("id" = String, Path), WaitQuery),
    responses((status = 200, body = Task), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn show(
    State(rooms): State<Shared>,
    caller: Caller,
    Segment(task): Segment,
    Parameters(query): Parameters<WaitQuery>,
) -> Answer<Json<Task>> {
    let wait = query.wait()?;
    let known = find(&rooms, &caller, &task).await?;
    let ended = wait_for(&rooms, known.order.task, wait).await?;
    Ok(Json(render::task(&ended.unwrap_or(known))))
}

/// Shows a task's journal: a page, or all events as they come where `text/event-stream` is accepted.
#[utoipa::path(get, path = "/factory/tasks/{id}/events", tag = "tasks", params(("id" = String, Path), PageQuery),
    responses((status = 200, body = Page<Event>), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn events(
    State(rooms): State<Shared>,
    caller: Caller,
    Segment(task): Segment,
    Parameters(page): Parameters<PageQuery>,
    headers: HeaderMap,
) -> Answer<Response> {
    let (after, limit) = (page.after::<u64>()?, page.limit()?);
    let following = rooms.journal.events().subscribe();
    let known = find(&rooms, &caller, &task).await?;
    if accepts_events(&headers) {
        return events::stream_task(&rooms, caller, known.order.task, following).await;
    }
    let id = known.order.task;
    let first = after.map_or(0, |after| after.saturating_add(1));
    // One more than the page holds tells whether there is another.
    let records = rooms.journal.records_page(id, first, limit.saturating_add(1)).await?;
    let numbered = (first..).zip(&records).take(limit);
    let items: Vec<Event> = numbered.map(|(number, record)| render::event(&notice::of(id, number, record))).collect();
    let last = items.last().and_then(|event| event.sequence).filter(|_| records.len() > limit);
    Ok(Json(Page { items, next: last.map(|last| last.to_string()) }).into_response())
}

/// Asks for the end of a task. What is under way is cut off; what it cost is booked.
#[utoipa::path(post, path = "/factory/tasks/{id}/cancel", tag = "tasks", params(("id" = String, Path)),
    responses((status = 200, body = Task), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn cancel(State(rooms): State<Shared>, caller: Caller, Segment(task): Segment) -> Answer<Json<Task>> {
    let known = find(&rooms, &caller, &task).await?;
    let id = known.order.task;
    let entry = Entry::allowed(Timestamp::now(), (&*caller.0).into(), "cancel_task").on(id);
    let task = rooms.orchestrator.cancel(id, &caller.0.name, rooms.audit.batch(entry)).await?;
    Ok(Json(render::task(&task)))
}

/// Judges a task that has ended.
#[utoipa::path(post, path = "/factory/tasks/{id}/feedback", tag = "tasks", params(("id" = String, Path)),
    request_body = Feedback,
    responses((status = 200, body = Task), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn feedback(
    State(rooms): State<Shared>,
    caller: Caller,
    Segment(task): Segment,
    JsonBody(feedback): JsonBody<Feedback>,
) -> Answer<Json<Task>> {
    let known = find(&rooms, &caller, &task).await?;
    check_comment(feedback.comment.as_ref())?;
    let score_per_mille = per_mille(feedback.score)?;
    let (now, by) = (Timestamp::now(), caller.0.name.to_string());
    let given = FeedbackGiven { score_per_mille, comment: feedback.comment, by, at: now };
    let entry = Entry::allowed(now, (&*caller.0).into(), "give_feedback").on(known.order.task);
    let judged = rooms.journal.judge(known.order.task, given, rooms.audit.batch(entry)).await?;
    Ok(Json(render::task(&judged)))
}

/// The task of this name, if the caller may see it.
pub(super) async fn find(rooms: &Shared, caller: &Caller, text: &str) -> Answer<Arc<Known>> {
    let id: TaskId = id("task", text)?;
    let found = rooms.journal.task(id).await?.filter(|task| caller.owns(&task.order.tenant));
    found.ok_or_else(|| ApiError::not_found("task"))
}

fn submission(wanted: SubmitTask, idempotency_key: Option<String>) -> Answer<Submission> {
    let target = match (wanted.template_name, wanted.agent_id, wanted.capability) {
        (Some(name), None, None) => Target::Template(parse("template_name", &name)?),
        (None, Some(agent), None) => Target::Agent(id("agent", &agent)?),
        (None, None, Some(capability)) => Target::Capability(parse("capability", &capability)?),
        (_, _, _) => {
            return Err(ApiError::malformed("name exactly one of template_name, agent_id and capability"));
        }
    };
    Ok(Submission {
        target,
        input: input(wanted.input)?,
        budget: parse_some("budget_usd", wanted.budget_usd.as_ref())?,
        deadline: parse_some("deadline", wanted.deadline.as_ref())?,
        tenant: parse_some("tenant", wanted.tenant.as_ref())?,
        user: parse_some("user", wanted.user.as_ref())?,
        metadata: wanted.metadata,
        idempotency_key,
        dialogue: None,
        streamed: false,
    })
}

/// Text as it is; an object as compact JSON.
pub(super) fn input(value: Value) -> Answer<Text> {
    match value {
        Value::String(text) => Ok(Text::from(text)),
        Value::Object(_) => Ok(Text::from(value.to_string())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            Err(ApiError::malformed("input is neither text nor an object"))
        }
    }
}

pub(super) fn idempotency_key(headers: &HeaderMap) -> Answer<Option<String>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().map_err(|_| ApiError::malformed("Idempotency-Key is not visible ASCII"))?;
    if key.is_empty() { Err(ApiError::malformed("Idempotency-Key is empty")) } else { Ok(Some(key.to_owned())) }
}

fn accepts_events(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|accept| accept.contains("text/event-stream"))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be between 0 and 1,000")]
fn per_mille(score: f64) -> Answer<u16> {
    if (0.0..=1.0).contains(&score) {
        Ok((score * 1_000.0).round() as u16)
    } else {
        Err(ApiError::malformed("score is not between 0 and 1"))
    }
}
