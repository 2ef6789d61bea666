//! What was not confirmed: a commit whose answer got lost with the committer may be durable all the same.
//!
//! INVARIANT: nothing is written to a story whose projection is behind what is stored. Records that are stored would be
//! overwritten by others under the same sequence otherwise. In an unwell store nothing is written any more, and what is
//! there may not be on the disk, so nobody hears of it.

use std::sync::Arc;

use super::handle::Inner;
use super::open::Open;
use super::record::TaskRecord;
use super::state::Task;
use super::{Error, reading};
use crate::domain::id::TaskId;
use crate::store::{Batch, Health, Position, Store};

impl Inner {
    /// Commits a batch that holds these records of a task from `first` on. Where the answer gets lost, what is stored answers: a
    /// batch is there as a whole or not at all.
    pub(super) async fn commit(
        &self,
        id: TaskId,
        first: u64,
        records: &[TaskRecord],
        batch: Batch,
    ) -> Result<Position, Error> {
        let failed = match self.store.commit(batch).await {
            Ok(position) => return Ok(position),
            Err(failed) => failed,
        };
        let count = records.len();
        let found = self.durably(move |store| reading::page(store, id, first, count)).await;
        if records.is_empty() || !found.is_some_and(|found| found == records) {
            return Err(failed.into());
        }
        // Its own position is lost. A later one makes the ledger count a cost twice at worst, never not at all.
        let (position, _none) = self.store.counters(UNUSED_COUNTERS).await?;
        tracing::warn!(task = %id, %failed, "a commit that was not confirmed is durable");
        Ok(position)
    }

    /// Brings the projection of a task up to what is stored; called with the right to write it.
    pub(super) async fn catch_up(&self, id: TaskId, open: &Open) {
        let known = open.now().records;
        let stored = self.durably(move |store| reading::task(store, id)).await.flatten();
        let Some(task) = stored.filter(|task: &Task| task.records > known) else { return };
        tracing::warn!(task = %id, records = task.records, "a task is brought up to what is stored");
        self.outbox.announce_all(&task.order);
        if task.state.has_ended() {
            self.open.remove(id);
        }
        open.task.send_replace(Arc::new(task));
    }

    /// The same for a writer that ended without a word.
    pub(super) async fn bring_up(&self, id: TaskId, open: &Open) {
        let _writing = open.writing.lock().await;
        self.catch_up(id, open).await;
    }

    /// What is durable; none where that cannot be told.
    async fn durably<T, F>(&self, read: F) -> Option<T>
    where
        T: Send + 'static,
        F: FnOnce(&Store) -> Result<T, Error> + Send + 'static,
    {
        if self.store.health() != Health::Well {
            return None;
        }
        let read = self.store.read(move |store| Ok(read(store))).await;
        match read {
            // A store that became unwell meanwhile shows what may not be on the disk.
            Ok(Ok(found)) => (self.store.health() == Health::Well).then_some(found),
            Ok(Err(error)) => {
                tracing::error!(%error, "what is stored of a task could not be read");
                None
            }
            Err(error) => {
                tracing::error!(%error, "the store could not be read");
                None
            }
        }
    }
}

/// A prefix that no counter has: only the position is asked for.
const UNUSED_COUNTERS: &[u8] = b"none/";
