//! A client's task, for as long as the client stays.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::api::error::{Answer, ApiError};
use crate::api::gate::Caller;
use crate::api::router::Shared;
use crate::api::tasks::is_settled;
use crate::control_plane::admission::submission::{Submission, Target};
use crate::control_plane::audit::Entry;
use crate::data_plane::agent::live::Listener;
use crate::domain::clock::Timestamp;
use crate::domain::failure::Class;
use crate::domain::id::TaskId;
use crate::domain::name::TemplateName;
use crate::domain::private::Text;
use crate::journal::dialogue::Dialogue;
use crate::journal::state::Task as Known;

/// What a client asks for, in neither API's words.
pub(super) struct Wanted {
    /// `model`, as the client wrote it.
    pub(super) model: String,
    /// The last message, where it is one text.
    pub(super) input: Text,
    /// Everything else that was said.
    pub(super) dialogue: Option<Box<Dialogue>>,
    /// Kept with the task.
    pub(super) metadata: BTreeMap<String, String>,
    /// Whether the answer is sent as it is written.
    pub(super) streamed: bool,
}

/// A task whose client is there. Dropped before it is told to [`Running::rest`], it cancels the task: its client has gone.
pub(super) struct Running {
    rooms: Shared,
    caller: Caller,
    task: TaskId,
    following: Option<watch::Receiver<Arc<Known>>>,
    is_cancelled_when_dropped: bool,
}

impl Running {
    /// Has the task admitted and acknowledged. Whoever gave an idempotency key can come back for the answer; whoever gave none
    /// and goes away, also meanwhile, cancels the task.
    pub(super) async fn begin(rooms: &Shared, caller: Caller, wanted: Wanted, key: Option<String>) -> Answer<Self> {
        let target = wanted.model.parse::<TemplateName>().map_err(|_| unknown_model())?;
        let is_cancelled_when_dropped = key.is_none();
        let submission = Submission {
            target: Target::Template(target),
            input: wanted.input,
            budget: None,
            deadline: None,
            tenant: None,
            user: None,
            metadata: wanted.metadata,
            idempotency_key: key,
            dialogue: wanted.dialogue,
            streamed: wanted.streamed,
        };
        let (principal, held) = (Arc::clone(&caller.0), Arc::clone(rooms));
        let made = move |task| {
            let following = held.journal.watch(task);
            Self { rooms: held, caller, task, following, is_cancelled_when_dropped }
        };
        Ok(rooms.orchestrator.accept_as(principal, submission, made).await?)
    }

    /// The task.
    pub(super) fn task(&self) -> TaskId {
        self.task
    }

    /// Listens to the answer as it is written.
    pub(super) fn listen(&self) -> Listener {
        self.rooms.live.listen(self.task)
    }

    /// Waits until the task has ended. A client cannot be told to come back, so that a task that waits for a person, and one that
    /// the daemon's end finds open, is a failure to it; the latter is cancelled unless it can be asked for again.
    pub(super) async fn ended(&mut self) -> Answer<Arc<Known>> {
        let rooms = Arc::clone(&self.rooms);
        let known = tokio::select! {
            known = self.settled() => known?,
            () = rooms.drained() => return Err(self.give_up().await),
        };
        self.rest();
        if known.state.has_ended() {
            return Ok(known);
        }
        let detail = format!("{} waits for a person, and goes on when it has one's word", self.task);
        Err(ApiError::new(Class::Refused, "task_waits_for_person", detail))
    }

    async fn settled(&mut self) -> Answer<Arc<Known>> {
        if let Some(following) = &mut self.following {
            let settled = following.wait_for(|task| is_settled(task)).await.map(|task| Arc::clone(&task));
            if let Ok(known) = settled {
                return Ok(known);
            }
        }
        self.rooms.journal.task(self.task).await?.ok_or_else(|| ApiError::not_found("task"))
    }

    /// Lets the task be: its client has heard all of it, or can ask for it again.
    pub(super) fn rest(&mut self) {
        self.is_cancelled_when_dropped = false;
    }

    /// Ends what the daemon's end would leave open for nobody.
    async fn give_up(&mut self) -> ApiError {
        if self.is_cancelled_when_dropped {
            cancel(&self.rooms, &self.caller, self.task).await;
            // Not before: where this is dropped meanwhile, the task is cancelled all the same.
            self.is_cancelled_when_dropped = false;
        }
        ApiError::new(Class::Unavailable, "draining", "the daemon is draining")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Without a runtime the daemon is gone, and whatever is open goes on when it starts again.
        if self.is_cancelled_when_dropped
            && let Ok(runtime) = Handle::try_current()
        {
            let (rooms, caller, task) = (Arc::clone(&self.rooms), self.caller.clone(), self.task);
            runtime.spawn(async move { cancel(&rooms, &caller, task).await });
        }
    }
}

async fn cancel(rooms: &Shared, caller: &Caller, task: TaskId) {
    let entry = Entry::allowed(Timestamp::now(), (&*caller.0).into(), "cancel_task").on(task);
    let cancelled = rooms.orchestrator.cancel(task, &caller.0.name, rooms.audit.batch(entry)).await;
    match cancelled {
        Ok(_) => tracing::debug!(%task, "a task was cancelled because its client has gone"),
        // It ended at this moment, or the store is unwell and takes nothing.
        Err(error) => tracing::debug!(%task, %error, "a task whose client has gone was not cancelled"),
    }
}

/// `model` cannot be a template's name.
fn unknown_model() -> ApiError {
    ApiError::new(Class::NotFound, "template_not_found", "model names no template; /v1/models lists them")
        .about("model")
}
