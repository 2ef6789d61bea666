//! Whose a stored record is, told by the record: for stores that were begun before records were encrypted, and for whoever wants
//! everything of somebody. What takes a store blocks.

use super::agents::AgentRecord;
use super::handle::Journal;
use super::record::TaskRecord;
use super::retention::next_task;
use super::{Error, decode, outbox, reading};
use crate::domain::id::{AgentId, TaskId};
use crate::domain::owner::{Owner, Selector};
use crate::store::{self, Keyspace, Record, Store};

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
                match of_task(&store, next) {
                    Ok(owner) if whose.selects(&owner) => tasks.push(next),
                    Ok(_) => {}
                    Err(error @ store::Error::Damaged { .. }) => {
                        tracing::error!(task = %next, %error, "damage hides whose a task is: it is passed over");
                    }
                    Err(error) => return Err(error.into()),
                }
                cursor = Some(next);
            }
            Ok(TasksOf { tasks, next: cursor })
        };
        self.read_durably(look).await
    }
}

/// The owner of what the journal stores under a key; the host's is what is nobody's. Of idempotency keys whoever keeps them knows
/// the task ([`of_task`]).
///
/// # Errors
/// [`store::Error::Damaged`] where damage hides whose it is; any other: it could not be read, which says nothing about whose it is.
pub fn of(store: &Store, keyspace: Keyspace, key: &[u8], record: &Record) -> Result<Owner, store::Error> {
    let damaged = |what: &str| damaged(keyspace, key, what);
    match keyspace {
        Keyspace::Task | Keyspace::Snapshot | Keyspace::Open | Keyspace::Doubt => {
            // What names no task is the journal's own, such as the latch of an index.
            task_at(key, 0).map_or(Ok(Owner::Host), |task| of_task(store, task))
        }
        Keyspace::Turn => of_turn(store, key),
        Keyspace::Outbox => {
            outbox::task_of(record).ok_or_else(|| damaged("it names no task")).and_then(|task| of_task(store, task))
        }
        Keyspace::Agent => {
            let read = decode::<AgentRecord>(record, &"an agent", 0);
            read.map(|agent| agent.owner()).map_err(|fault| damaged(&fault.to_string()))
        }
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
        | Keyspace::Template => Ok(Owner::Host),
    }
}

/// The owner of a task; the host, where there is none, or it was erased.
///
/// # Errors
/// As [`of`].
pub fn of_task(store: &Store, task: TaskId) -> Result<Owner, store::Error> {
    let key = reading::key(task, 0);
    let Some(record) = store.find(Keyspace::Task, &key)? else { return Ok(Owner::Host) };
    match decode::<TaskRecord>(&record, &task, 0) {
        Ok(TaskRecord::Submitted(submitted)) => Ok(submitted.order.owner()),
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
        ) => Err(damaged(Keyspace::Task, &key, "a task does not begin with it")),
        Err(fault) => Err(damaged(Keyspace::Task, &key, &fault.to_string())),
    }
}

/// That of its task; where there is none any more, or damage hides it, that of its agent.
fn of_turn(store: &Store, key: &[u8]) -> Result<Owner, store::Error> {
    let task = match task_at(key, 16).map(|task| of_task(store, task)) {
        Some(Ok(owner @ Owner::Of { .. })) => return Ok(owner),
        Some(Err(error @ store::Error::Damaged { .. })) => Err(error),
        Some(Err(error)) => return Err(error),
        Some(Ok(Owner::Host)) | None => Ok(Owner::Host),
    };
    match agent_at(key).map(|agent| of_agent(store, agent)).transpose()? {
        Some(owner @ Owner::Of { .. }) => Ok(owner),
        Some(Owner::Host) | None => task,
    }
}

fn of_agent(store: &Store, agent: AgentId) -> Result<Owner, store::Error> {
    let Some(record) = store.find(Keyspace::Agent, agent.as_bytes())? else { return Ok(Owner::Host) };
    of(store, Keyspace::Agent, agent.as_bytes(), &record)
}

/// The error that says that damage hides whose a record is.
#[must_use]
pub fn damaged(keyspace: Keyspace, key: &[u8], reason: &str) -> store::Error {
    store::Error::Damaged { keyspace: char::from(keyspace as u8), key: hex::encode(key), reason: reason.to_owned() }
}

fn task_at(key: &[u8], at: usize) -> Option<TaskId> {
    key.get(at..)?.first_chunk().copied().map(TaskId::from_bytes)
}

fn agent_at(key: &[u8]) -> Option<AgentId> {
    key.first_chunk().copied().map(AgentId::from_bytes)
}
