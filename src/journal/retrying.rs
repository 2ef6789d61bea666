//! Retrying: what failed is open again, as it was, and what needs attention goes on.
//!
//! ```text
//! Failed ─(looked at, in turn)─> held for the ledger ─> [RetryRequested, open list, statistics, memory: one batch] ─> open
//! ```
//!
//! INVARIANT: from before the ledger is told what a reopened task has spent until the task is open, [`Journal::reopening`] names
//! it: a ledger that starts in between learns of it from there.

use std::future::Future;
use std::sync::Arc;

use super::following::{self, Following};
use super::handle::{Inner, Journal};
use super::record::{RetryRequested, TaskRecord};
use super::state::Task;
use super::{Error, agents, notice, policy, reading, stats};
use crate::domain::id::TaskId;
use crate::store::Batch;
#[cfg(test)]
use crate::store::Keyspace;

/// The mark of a task that is being reopened, until it is dropped.
struct Mark<'a>(&'a Inner, TaskId);

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        self.0.reopening.remove(&self.1);
    }
}

impl Journal {
    /// Tasks that are being reopened at this moment. Whoever also asks for the open ones asks for these first.
    #[must_use]
    pub fn reopening(&self) -> Vec<Arc<Task>> {
        self.0.reopening.iter().map(|task| Arc::clone(task.value())).collect()
    }

    /// How often a task was retried.
    ///
    /// # Errors
    /// The store failed or a record cannot be read.
    pub async fn retries(&self, id: TaskId) -> Result<usize, Error> {
        Ok(policy::retries(&self.records(id).await?))
    }

    /// Calls `close` unless a task is open, and lets nobody reopen it meanwhile.
    pub async fn while_ended(&self, id: TaskId, close: impl FnOnce()) {
        let _judging = self.0.judging.hold(id.as_bytes()).await;
        if self.0.open.get(id).is_none() {
            close();
        }
    }

    /// Opens a task that failed again, with whatever must become durable with that. `ready` is called with the task before
    /// anything is written: what it refuses does not happen. Of several who ask at once, one reopens it.
    ///
    /// # Errors
    /// The task cannot be retried, `ready` failed, or the store did: nothing was written.
    pub async fn reopen<F, W, E>(
        &self,
        id: TaskId,
        request: RetryRequested,
        extra: Batch,
        ready: F,
    ) -> Result<Arc<Task>, E>
    where
        F: FnOnce(Arc<Task>) -> W + Send + 'static,
        W: Future<Output = Result<(), E>> + Send,
        E: From<Error> + Send + 'static,
    {
        let inner = Arc::clone(&self.0);
        // Detached, so that a caller who is cut off cannot leave the projection behind the store.
        let reopened = tokio::spawn(async move {
            let _judging = inner.judging.hold(id.as_bytes()).await;
            let task = inner.failed(id).await?;
            inner.reopening.insert(id, Arc::clone(&task));
            let mark = Mark(&inner, id);
            ready(Arc::clone(&task)).await?;
            let reopened = inner.open_again(&task, request, extra).await?;
            drop(mark);
            Ok(reopened)
        });
        reopened.await.map_err(|_| E::from(Error::Interrupted(id)))?
    }
}

impl Inner {
    /// A task that has failed and may be retried.
    async fn failed(&self, id: TaskId) -> Result<Arc<Task>, Error> {
        let store = self.store.clone();
        if let Some(open) = self.open.get(id) {
            policy::retry(&open.now(), 0)?;
            // It needs attention, or ends at this moment.
            return Err(Error::Superseded(id));
        }
        let records = self.store.read(move |_| Ok(reading::records(&store, id))).await??;
        let task = Task::replay(&records).ok_or(Error::NotOpen(id))?;
        policy::retry(&task, policy::retries(&records))?;
        Ok(Arc::new(task))
    }

    /// INVARIANT: all that the task's end wrote beside its record is taken back with the record that reopens it, so that its
    /// next end counts once.
    async fn open_again(&self, failed: &Task, request: RetryRequested, extra: Batch) -> Result<Arc<Task>, Error> {
        let id = failed.order.task;
        let record = TaskRecord::RetryRequested(request);
        let (after, _, batch) = following::after(failed, Following::all(vec![record.clone()]), extra)?;
        let mut batch = batch.and(reading::listed_open(id, &failed.order.owner())).and(stats::of_reopened(failed));
        if let Some(agent) = failed.order.registered_agent() {
            batch = batch.and(agents::no_turn(agent, id));
        }
        self.commit(id, failed.records, std::slice::from_ref(&record), batch).await?;
        self.open.insert(after.clone(), false);
        notice::publish(&self.events, id, failed.records, &record);
        Ok(Arc::new(after))
    }
}

/// Whether the open list names a task.
#[cfg(test)]
pub(super) fn is_listed(journal: &Journal, id: TaskId) -> bool {
    journal.store().contains(Keyspace::Open, id.as_bytes()).expect("read")
}
