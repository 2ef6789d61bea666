//! `/factory/events`, and the events of one task as they come.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::sse::{Event as Sse, KeepAlive};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::error::Answer;
use super::gate::Caller;
use super::render;
use super::router::Shared;
use crate::domain::id::TaskId;
use crate::journal::events::Event;
use crate::journal::notice;
use crate::protocol::problem::Problem;

/// The kind of the event that tells a slow listener how many it missed.
const MISSED: &str = "events_missed";
/// How often a silent stream says that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Follows everything that happens, as server-sent events.
#[utoipa::path(get, path = "/factory/events", tag = "events",
    responses((status = 200, content_type = "text/event-stream", body = crate::protocol::event::Event),
        (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn follow(State(rooms): State<Shared>, Extension(caller): Extension<Caller>) -> Response {
    let following = rooms.journal.events().subscribe();
    let events = stream::unfold((following, rooms, caller), |(mut following, rooms, caller)| async move {
        loop {
            let event = next(&mut following).await?;
            if visible(&rooms, &caller, &event).await {
                return Some((Ok::<_, Infallible>(sse(&event)), (following, rooms, caller)));
            }
        }
    });
    respond(events)
}

/// Whether a caller of one tenant may hear of it: news of the daemon is for all, of a task for its tenant.
async fn visible(rooms: &Shared, caller: &Caller, event: &Event) -> bool {
    let (Some(_), Some(task)) = (&caller.0.tenant, event.task) else { return true };
    rooms.journal.task(task).await.ok().flatten().is_some_and(|task| caller.owns(&task.order.tenant))
}

/// What a task's journal holds, then what comes, until the task has ended.
///
/// `following` began before the records are read, so that nothing is missed; what was read is not told twice.
pub(super) async fn stream_task(rooms: &Shared, task: TaskId, following: Receiver<Event>) -> Answer<Response> {
    let records = rooms.journal.records(task).await?;
    let told: VecDeque<Event> = (0..).zip(&records).map(|(number, record)| notice::of(task, number, record)).collect();
    let seen = u64::try_from(told.len()).unwrap_or(u64::MAX);
    let state = Following { task, told, following, next: seen, ended: false };
    Ok(respond(stream::unfold(state, |mut state| async move {
        let event = state.next().await?;
        Some((Ok::<_, Infallible>(sse(&event)), state))
    })))
}

struct Following {
    task: TaskId,
    told: VecDeque<Event>,
    following: Receiver<Event>,
    /// The sequence of the next event that was not told.
    next: u64,
    ended: bool,
}

impl Following {
    async fn next(&mut self) -> Option<Event> {
        if self.ended {
            return None;
        }
        let event = match self.told.pop_front() {
            Some(event) => event,
            None => loop {
                let event = next(&mut self.following).await?;
                if event.kind == MISSED {
                    // What was missed is in the records: the stream ends, and whoever asks again is told all of it.
                    return None;
                }
                let is_new = event.sequence.is_some_and(|sequence| sequence >= self.next);
                if event.task == Some(self.task) && is_new {
                    self.next = event.sequence.unwrap_or_default().saturating_add(1);
                    break event;
                }
            },
        };
        self.ended = event.kind == "task_ended";
        Some(event)
    }
}

/// The next event; a listener that lags is told how many it has missed.
async fn next(following: &mut Receiver<Event>) -> Option<Event> {
    match following.recv().await {
        Ok(event) => Some(event),
        Err(RecvError::Lagged(missed)) => Some(Event::new(MISSED).with("count", missed)),
        Err(RecvError::Closed) => None,
    }
}

fn sse(event: &Event) -> Sse {
    let wire = render::event(event);
    Sse::default().event(event.kind).json_data(&wire).unwrap_or_else(|_| Sse::default().event(event.kind))
}

fn respond<S>(events: S) -> Response
where
    S: Stream<Item = Result<Sse, Infallible>> + Send + 'static,
{
    axum::response::Sse::new(events.boxed()).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}
