//! Ended tasks that are old enough are deleted, with their subtasks, records, payloads and turns; counters and the audit log stay.
//!
//! A subtask goes with the task that the outside submitted, its root, and before it; so whatever is found of a task whose
//! deletion was cut off leads to the rest of it, or is what is left behind a first record that is gone.

use std::time::Duration;

use super::handle::Journal;
use super::reading;
use super::state::{State, Task};
use super::{Error, agents, doubts};
use crate::domain::clock::Timestamp;
use crate::domain::id::{AgentId, TaskId};
use crate::store::{self, Batch, Direction, Keyspace, Store};

/// Tasks that one round looks at: it bounds how long one round reads.
const LOOKED_AT_MAX: usize = 256;
/// Records that one batch deletes: it bounds how long a commit of somebody else waits behind it.
const DELETED_AT_ONCE: usize = 1_024;
/// Subtasks of one root that are deleted with it. A root with more stays, and the log says so.
const SUBTASKS_MAX: usize = 100_000;

/// What one round did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// Tasks that were deleted, subtasks included.
    pub deleted: u64,
    /// Where the next round begins; none when no older task is left.
    pub next: Option<TaskId>,
}

/// What a round found out about one task.
enum Found {
    /// It and its subtasks go, in this order.
    Due(Vec<(TaskId, Option<AgentId>)>),
    /// It stays, or goes with another one.
    Stays,
}

/// Whether a task is old enough to be deleted: it has ended, and so long ago. Pure.
#[must_use]
pub fn is_due(state: State, finished_at: Option<Timestamp>, now: Timestamp, keep: Duration) -> bool {
    state.has_ended() && finished_at.is_some_and(|at| now.since(at) >= keep)
}

impl Journal {
    /// Deletes tasks that ended longer than `keep` ago, the oldest first, beyond `after`; a bounded number of them.
    ///
    /// # Errors
    /// The store failed. What was deleted is; the rest is found by the next round.
    pub async fn retire(&self, after: Option<TaskId>, now: Timestamp, keep: Duration) -> Result<Round, Error> {
        let (mut deleted, mut cursor) = (0_u64, after);
        for _ in 0..LOOKED_AT_MAX {
            let journal = self.clone();
            let looked = self.store().read(move |_| Ok(journal.look_beyond(cursor, now, keep))).await??;
            let Some((id, found)) = looked else { return Ok(Round { deleted, next: None }) };
            cursor = Some(id);
            if let Found::Due(tasks) = found {
                let is_due = move |task: &Task| is_due(task.state, task.finished_at, now, keep);
                deleted = deleted.saturating_add(self.delete_family(id, tasks, is_due).await?);
            }
        }
        Ok(Round { deleted, next: cursor })
    }

    /// The next task beyond `after` that was made early enough, and what is to become of it. Blocks.
    fn look_beyond(
        &self,
        after: Option<TaskId>,
        now: Timestamp,
        keep: Duration,
    ) -> Result<Option<(TaskId, Found)>, Error> {
        let Some(id) = next_task(self.store(), after)? else { return Ok(None) };
        // Identifiers sort by the time at which they were made, and no task ends before it is made.
        if now.since(made_at(id)) < keep {
            return Ok(None);
        }
        let found = match self.judge_age(id, now, keep) {
            Err(Error::Store(
                fault @ (store::Error::Read(_)
                | store::Error::Commit(_)
                | store::Error::Unwell(_)
                | store::Error::NoRoom(_)),
            )) => {
                return Err(fault.into());
            }
            Err(error) => {
                tracing::debug!(task = %id, %error, "an old task cannot be read and stays");
                Found::Stays
            }
            Ok(found) => found,
        };
        Ok(Some((id, found)))
    }

    fn judge_age(&self, id: TaskId, now: Timestamp, keep: Duration) -> Result<Found, Error> {
        if self.watch(id).is_some() {
            return Ok(Found::Stays);
        }
        if !self.store().contains(Keyspace::Task, &reading::key(id, 0))? {
            // The deletion of a task takes its first record first.
            return Ok(Found::Due(vec![(id, None)]));
        }
        let Some(task) = self.read(id)? else { return Ok(Found::Stays) };
        if !is_due(task.state, task.finished_at, now, keep) {
            return Ok(Found::Stays);
        }
        if let Some(root) = task.order.ancestors.last()
            && self.store().contains(Keyspace::Task, &reading::key(root.task, 0))?
        {
            return Ok(Found::Stays);
        }
        let mut tasks = Vec::new();
        let all_ended = self.gather(&task, &mut tasks)?;
        Ok(if all_ended { Found::Due(tasks) } else { Found::Stays })
    }

    /// A task behind all its subtasks; says whether all of them have ended.
    fn gather(&self, task: &Task, into: &mut Vec<(TaskId, Option<AgentId>)>) -> Result<bool, Error> {
        let mut parents = vec![(task.order.task, task.order.registered_agent())];
        let mut waiting = children(task);
        // Parents before children; turned round at the end.
        while let Some(child) = waiting.pop() {
            if self.watch(child).is_some() {
                return Ok(false);
            }
            let found = match self.read(child) {
                Ok(Some(found)) => found,
                // Its deletion was begun before: what is left of it is found by itself.
                Ok(None) | Err(Error::Hole { sequence: 0, .. }) => continue,
                Err(error) => return Err(error),
            };
            if !found.state.has_ended() {
                return Ok(false);
            }
            parents.push((child, found.order.registered_agent()));
            if parents.len() > SUBTASKS_MAX {
                tracing::warn!(task = %task.order.task, "a task has too many subtasks to be deleted");
                return Ok(false);
            }
            waiting.extend(children(&found));
        }
        parents.reverse();
        into.append(&mut parents);
        Ok(true)
    }

    /// Deletes a root behind its subtasks, as long as nobody has it retried; tells how many tasks are gone.
    pub(super) async fn delete_family<F>(
        &self,
        root: TaskId,
        tasks: Vec<(TaskId, Option<AgentId>)>,
        is_due: F,
    ) -> Result<u64, Error>
    where
        F: Fn(&Task) -> bool,
    {
        let mut deleted = 0_u64;
        for (task, agent) in tasks {
            // Nobody judges the task or has it retried meanwhile.
            let _judging = self.judging().hold(task.as_bytes()).await;
            if self.watch(root).is_some() || self.watch(task).is_some() {
                break;
            }
            // Its subtasks took their time: it may have been retried since it was looked at, and have ended anew.
            if task == root && !self.is_still(root, &is_due).await? {
                break;
            }
            self.delete(task, agent).await?;
            deleted = deleted.saturating_add(1);
        }
        Ok(deleted)
    }

    async fn is_still(&self, id: TaskId, due: impl Fn(&Task) -> bool) -> Result<bool, Error> {
        match self.task(id).await {
            Ok(found) => Ok(found.is_none_or(|found| due(&found))),
            // It is what an earlier deletion has left.
            Err(Error::Hole { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Deletes everything about one task that has ended, its first record in the first batch: from then on there is no such task.
    async fn delete(&self, id: TaskId, agent: Option<AgentId>) -> Result<(), Error> {
        let mut first = true;
        loop {
            let keys = self
                .store()
                .read(move |store| {
                    store.keys(Keyspace::Task, id.as_bytes(), None, Direction::Ascending, DELETED_AT_ONCE)
                })
                .await?;
            if keys.is_empty() {
                return Ok(());
            }
            let batch = keys.into_iter().fold(Batch::new(), |batch, key| batch.delete(Keyspace::Task, key));
            let batch = batch.delete(Keyspace::Snapshot, id.as_bytes().as_slice());
            // With the first batch nothing is left of it there.
            let doubts = self.store().read(move |store| Ok(doubts::forget(store, id))).await??;
            let batch = batch.and(doubts);
            let batch = match agent.filter(|_| first) {
                Some(agent) => batch.delete(Keyspace::Turn, agents::turn_key(agent, id)),
                None => batch,
            };
            self.store().commit(batch).await?;
            first = false;
        }
    }
}

/// The subtasks that a task delegated to, each once.
fn children(task: &Task) -> Vec<TaskId> {
    let mut children: Vec<TaskId> = task.steps.iter().filter_map(|step| step.kind.child()).collect();
    children.sort_unstable();
    children.dedup();
    children
}

/// The first task beyond another, by identifier.
pub(super) fn next_task(store: &Store, after: Option<TaskId>) -> Result<Option<TaskId>, Error> {
    let behind = after.map(|id| reading::key(id, u64::MAX));
    let found = store.keys(Keyspace::Task, &[], behind.as_deref(), Direction::Ascending, 1)?;
    let id = found.first().and_then(|key| key.get(..16)).and_then(|bytes| bytes.try_into().ok());
    Ok(id.map(TaskId::from_bytes))
}

/// When an identifier was made: its first 48 bits are milliseconds (RFC 9562, sections 5.7 and 5.8 as `domain::id` fills it).
fn made_at(id: TaskId) -> Timestamp {
    let [a, b, c, d, e, f, ..] = *id.as_bytes();
    let milliseconds = i64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    Timestamp::from_micros(milliseconds.saturating_mul(1_000))
}
