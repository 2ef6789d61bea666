//! Whose a stored record is, told by the record: for stores that were begun before records were encrypted, and for whoever wants
//! everything of somebody. What takes a store blocks.

use super::agents::AgentRecord;
use super::handle::Journal;
use super::record::TaskRecord;
use super::retention::next_task;
use super::{Error, decode, outbox, reading};
use crate::domain::id::{AgentId, TaskId};
use crate::domain::owner::{Owner, Selector};
use crate::store::{Keyspace, Record, Store};

/// Tasks that one look goes through.
const LOOKED_AT_MAX: usize = 256;

/// Some tasks of somebody, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TasksOf {
    /// Them.
    pub tasks: Vec<TaskId>,
    /// Where the next look begins; none at the end.
    pub next: Option<TaskId>,
}

impl Journal {
    /// Tasks of somebody beyond `after`; looks at a bounded number.
    ///
    /// # Errors
    /// The store failed.
    pub async fn tasks_of(&self, whose: &Selector, after: Option<TaskId>) -> Result<TasksOf, Error> {
        let (store, whose) = (self.store().clone(), whose.clone());
        let look = move || {
            let (mut tasks, mut cursor) = (Vec::new(), after);
            for _ in 0..LOOKED_AT_MAX {
                let Some(next) = next_task(&store, cursor)? else { return Ok(TasksOf { tasks, next: None }) };
                if whose.selects(&of_task(&store, next)) {
                    tasks.push(next);
                }
                cursor = Some(next);
            }
            Ok(TasksOf { tasks, next: cursor })
        };
        self.read_durably(look).await
    }
}

/// The owner of what the journal stores under a key; the host's is what is nobody's, or cannot be told. Of idempotency keys
/// whoever keeps them knows the task ([`of_task`]).
#[must_use]
pub fn of(store: &Store, keyspace: Keyspace, key: &[u8], record: &Record) -> Owner {
    match keyspace {
        Keyspace::Task | Keyspace::Snapshot | Keyspace::Open | Keyspace::Doubt => {
            task_at(key, 0).map_or(Owner::Host, |task| of_task(store, task))
        }
        Keyspace::Turn => match task_at(key, 16).map(|task| of_task(store, task)) {
            Some(owner @ Owner::Of { .. }) => owner,
            Some(Owner::Host) | None => agent_at(key).map_or(Owner::Host, |agent| of_agent(store, agent)),
        },
        Keyspace::Outbox => outbox::task_of(record).map_or(Owner::Host, |task| of_task(store, task)),
        Keyspace::Agent => decode::<AgentRecord>(record, &"an agent", 0).map_or(Owner::Host, |agent| agent.owner()),
        Keyspace::Budget
        | Keyspace::Counter
        | Keyspace::Idempotency
        | Keyspace::Audit
        | Keyspace::Checkpoint
        | Keyspace::Erasure
        | Keyspace::Meta
        | Keyspace::Policy
        | Keyspace::Piece
        | Keyspace::Restart
        | Keyspace::Mark
        | Keyspace::Template => Owner::Host,
    }
}

/// The owner of a task; the host, where its first record is not to be read.
#[must_use]
pub fn of_task(store: &Store, task: TaskId) -> Owner {
    let Ok(Some(record)) = store.find(Keyspace::Task, &reading::key(task, 0)) else { return Owner::Host };
    match decode::<TaskRecord>(&record, &task, 0) {
        Ok(TaskRecord::Submitted(submitted)) => submitted.order.owner(),
        Ok(
            TaskRecord::StepStarted(_)
            | TaskRecord::StepFinished(_)
            | TaskRecord::StepFailed(_)
            | TaskRecord::StepSkipped(_)
            | TaskRecord::CancelRequested(_)
            | TaskRecord::Ended(_)
            | TaskRecord::FeedbackGiven(_)
            | TaskRecord::Decided(_)
            | TaskRecord::Signalled(_)
            | TaskRecord::AttentionNeeded(_)
            | TaskRecord::RetryRequested(_)
            | TaskRecord::Reconciled(_),
        )
        | Err(_) => Owner::Host,
    }
}

fn of_agent(store: &Store, agent: AgentId) -> Owner {
    let Ok(Some(record)) = store.find(Keyspace::Agent, agent.as_bytes()) else { return Owner::Host };
    decode::<AgentRecord>(&record, &agent, 0).map_or(Owner::Host, |agent| agent.owner())
}

fn task_at(key: &[u8], at: usize) -> Option<TaskId> {
    key.get(at..)?.first_chunk().copied().map(TaskId::from_bytes)
}

fn agent_at(key: &[u8]) -> Option<AgentId> {
    key.first_chunk().copied().map(AgentId::from_bytes)
}
