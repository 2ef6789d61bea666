//! `/factory/events`, and the events of one task as they come.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event as Sse, KeepAlive};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::error::Answer;
use super::gate::Caller;
use super::render;
use super::router::Shared;
use crate::data_plane::agent::live;
use crate::domain::id::TaskId;
use crate::journal::Journal;
use crate::journal::events::Event;
use crate::journal::notice;
use crate::protocol::problem::Problem;

/// The kind of the event that tells a slow listener how many it missed.
const MISSED: &str = "events_missed";
/// The kind of the event that tells more of an answer that is being written. It is no record, and only a task's own stream has it.
const DELTA: &str = "delta";
/// What the kinds of all news about templates begin with; templates are shared by all tenants.
const OF_TEMPLATES: &str = "template_";
/// Tasks that a listener remembers to be its own or not; with one more it forgets them all.
const KNOWN_TASKS_MAX: usize = 1_024;
/// How often a silent stream says that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Follows everything that happens, as server-sent events.
#[utoipa::path(get, path = "/factory/events", tag = "events",
    responses((status = 200, content_type = "text/event-stream", body = crate::protocol::event::Event),
        (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn follow(State(rooms): State<Shared>, caller: Caller) -> Response {
    let following = rooms.journal.events().subscribe();
    let listener = Listener { journal: rooms.journal.clone(), caller: caller.clone(), known: HashMap::new() };
    respond(
        &rooms,
        caller,
        stream::unfold((following, listener), |(mut following, mut listener)| async move {
            loop {
                let event = next(&mut following).await?;
                if listener.may_hear(&event).await {
                    return Some((Ok::<_, Infallible>(sse(&event)), (following, listener)));
                }
            }
        }),
    )
}

/// For whom news is.
#[derive(Debug, PartialEq, Eq)]
enum Audience {
    /// It concerns what all tenants share.
    Everybody,
    /// It concerns a task.
    TenantOf(TaskId),
    /// It concerns the daemon as a whole, or names what may be another tenant's.
    EveryTenant,
}

/// A kind that is not known here is not for principals of one tenant.
fn audience(event: &Event) -> Audience {
    match event.task {
        Some(task) => Audience::TenantOf(task),
        None if event.kind == MISSED || event.kind.starts_with(OF_TEMPLATES) => Audience::Everybody,
        None => Audience::EveryTenant,
    }
}

/// Who listens, and which tasks are known to be theirs or not.
struct Listener {
    journal: Journal,
    caller: Caller,
    /// A task's tenant never changes, so that the records of one that has ended are read once.
    known: HashMap<TaskId, bool>,
}

impl Listener {
    async fn may_hear(&mut self, event: &Event) -> bool {
        match audience(event) {
            _ if self.caller.0.tenant.is_none() => true,
            Audience::Everybody => true,
            Audience::TenantOf(task) => self.owns(task).await,
            Audience::EveryTenant => false,
        }
    }

    async fn owns(&mut self, task: TaskId) -> bool {
        if let Some(owns) = self.known.get(&task) {
            return *owns;
        }
        let Ok(Some(found)) = self.journal.task(task).await else { return false };
        let owns = self.caller.owns(&found.order.tenant);
        if self.known.len() >= KNOWN_TASKS_MAX {
            self.known.clear();
        }
        self.known.insert(task, owns);
        owns
    }
}

/// What a task's journal holds, then what comes, until the task has ended; and between the records what is heard of an answer
/// while it is written, which is provisional until its step is recorded.
///
/// `following` began before the records are read, so that nothing is missed; what was read is not told twice.
pub(super) async fn stream_task(
    rooms: &Shared,
    caller: Caller,
    task: TaskId,
    following: Receiver<Event>,
) -> Answer<Response> {
    let records = rooms.journal.records(task).await?;
    let told: VecDeque<Event> = (0..).zip(&records).map(|(number, record)| notice::of(task, number, record)).collect();
    let seen = u64::try_from(told.len()).unwrap_or(u64::MAX);
    let listener = rooms.live.listen(task);
    let state = Following { task, told, following, listener, next: seen, ended: false };
    Ok(respond(
        rooms,
        caller,
        stream::unfold(state, |mut state| async move {
            let event = state.next().await?;
            Some((Ok::<_, Infallible>(sse(&event)), state))
        }),
    ))
}

struct Following {
    task: TaskId,
    told: VecDeque<Event>,
    following: Receiver<Event>,
    /// What is heard of the answer.
    listener: live::Listener,
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
                let event = tokio::select! {
                    // What was said before a record is told before it.
                    biased;
                    text = self.listener.more() => return Some(self.delta(&text)),
                    event = next(&mut self.following) => event?,
                };
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
        let goes_on = self.told.iter().any(|later| later.kind == "retry_requested");
        self.ended = event.kind == "task_ended" && !goes_on;
        Some(event)
    }

    fn delta(&self, text: &str) -> Event {
        Event { task: Some(self.task), ..Event::new(DELTA).with("text", text) }
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

/// A stream of events, which ends when the daemon's connections do, or when whoever listens is no longer who they were.
fn respond<S>(rooms: &Shared, caller: Caller, events: S) -> Response
where
    S: Stream<Item = Result<Sse, Infallible>> + Send + 'static,
{
    let access = rooms.access.clone();
    let rooms = Arc::clone(rooms);
    let until = async move {
        tokio::select! {
            () = access.ended(&caller.0) => {}
            () = Arc::clone(&rooms).drained() => {}
        }
    };
    axum::response::Sse::new(events.take_until(until).boxed())
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::super::tests::caller;
    use super::*;
    use crate::journal::tests::Desk;

    const OF_THE_DAEMON: [&str; 14] = [
        "budget_exceeded",
        "budget_threshold_reached",
        "actor_restarted",
        "actor_stuck",
        "actor_quarantined",
        "actor_released",
        "agent_quarantined",
        "audit_broken",
        "provider_breaker_opened",
        "provider_breaker_closed",
        "provider_key_rejected",
        "experiment_started",
        "experiment_ended",
        "experiment_variant_halted",
    ];
    const OF_ALL: [&str; 7] = [
        "template_published",
        "template_refused",
        "template_withdrawn",
        "template_rolled_back",
        "template_rollback_lifted",
        "template_edit_held",
        MISSED,
    ];

    fn listener(desk: &Desk, tenant: Option<&str>) -> Listener {
        Listener { journal: desk.journal.clone(), caller: caller(tenant), known: HashMap::new() }
    }

    fn of(task: TaskId) -> Event {
        Event { task: Some(task), ..Event::new("step_started") }
    }

    #[tokio::test]
    async fn a_principal_of_one_tenant_hears_of_its_own_tasks_and_of_templates_alone() {
        let desk = Desk::open();
        let (own, foreign) = (desk.open_task("acme").await, desk.open_task("rival").await);
        let (ended, foreign_ended) = (desk.ended_task("acme").await, desk.ended_task("rival").await);
        let mut listener = listener(&desk, Some("acme"));
        for (task, hears) in
            [(own, true), (foreign, false), (ended, true), (foreign_ended, false), (TaskId::generate(), false)]
        {
            assert_eq!(listener.may_hear(&of(task)).await, hears);
        }
        for kind in OF_ALL {
            assert!(listener.may_hear(&Event::new(kind)).await, "{kind}");
        }
        for kind in OF_THE_DAEMON.into_iter().chain(["a_kind_of_tomorrow"]) {
            assert!(!listener.may_hear(&Event::new(kind)).await, "{kind}");
        }
    }

    #[tokio::test]
    async fn a_principal_of_every_tenant_hears_everything() {
        let desk = Desk::open();
        let mut listener = listener(&desk, None);
        for event in OF_ALL.into_iter().chain(OF_THE_DAEMON).map(Event::new) {
            assert!(listener.may_hear(&event).await, "{}", event.kind);
        }
        assert!(listener.may_hear(&of(desk.ended_task("rival").await)).await);
        assert!(listener.known.is_empty(), "nothing was looked up");
    }

    #[tokio::test]
    async fn the_tenant_of_a_task_is_looked_up_once_and_few_are_remembered() {
        let desk = Desk::open();
        let mut listener = listener(&desk, Some("acme"));
        let task = desk.ended_task("acme").await;
        assert!(listener.may_hear(&of(task)).await);
        assert_eq!(listener.known.get(&task), Some(&true));
        // What is remembered is believed: the journal is not asked again.
        listener.known.insert(task, false);
        assert!(!listener.may_hear(&of(task)).await);
        while listener.known.len() < KNOWN_TASKS_MAX {
            listener.known.insert(TaskId::generate(), false);
        }
        assert!(listener.may_hear(&of(desk.ended_task("acme").await)).await);
        assert_eq!(listener.known.len(), 1);
    }
}
