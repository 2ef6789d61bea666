//! All open tasks of somebody are ended, because their data is to be erased.

use std::time::Duration;

use super::Error;
use super::handle::Orchestrator;
use crate::data_plane::agent::abandon::abandon;
use crate::domain::id::TaskId;
use crate::domain::owner::Selector;
use crate::journal;
use crate::journal::order::Worker;
use crate::store::Batch;

/// The code with which a task fails that did not end by itself in time.
const ERASED: &str = "erased";

impl Orchestrator {
    /// Ends every open task of somebody: all are asked to, and those that have not ended `within` that time are ended without their
    /// agents. What each has cost is booked. Returns how many there were.
    ///
    /// # Errors
    /// The journal failed: some may be open.
    pub async fn end_all_of(&self, whose: &Selector, by: &str, within: Duration) -> Result<usize, Error> {
        let open = self.open_of(whose);
        for (task, _) in &open {
            match self.cancel(*task, by, Batch::new()).await {
                Ok(_) | Err(Error::Journal(journal::Error::NotOpen(_) | journal::Error::Superseded(_))) => {}
                Err(error) => return Err(error),
            }
        }
        let ends = futures::future::join_all(open.iter().map(|(task, _)| self.journal().wait(*task, within)));
        // Who has ended is seen below.
        let _waited = tokio::time::timeout(within, ends).await.is_ok();
        for (task, worker) in self.open_of(whose) {
            tracing::warn!(%task, "a task did not end when it was asked to, and is ended without its agent");
            let message = "the data of its tenant or user is being erased";
            match worker {
                Worker::Orchestrator => self.abandon(task, ERASED, message).await?,
                Worker::Own | Worker::Registered(_) => match abandon(self.environment(), task, ERASED, message).await {
                    // It ended at this moment.
                    Ok(()) | Err(journal::Error::NotOpen(_)) => {}
                    Err(error) => return Err(error.into()),
                },
            }
        }
        Ok(open.len())
    }

    fn open_of(&self, whose: &Selector) -> Vec<(TaskId, Worker)> {
        let open = self.journal().open_tasks().into_iter();
        open.filter(|task| whose.selects(&task.order.owner()))
            .map(|task| (task.order.task, task.order.worker))
            .collect()
    }
}
