//! The list of tasks, open and ended, in pages.

use super::state::Task;
use super::{Error, Journal, reading};
use crate::domain::id::TaskId;
use crate::store;

/// Stored tasks that one page may look at before it ends, found or not.
const LOOKED_AT_MAX: usize = 10_000;

/// A part of the list of tasks, as the reader wanted them.
pub struct TaskPage<T> {
    /// What was made of each.
    pub items: Vec<T>,
    /// Where the next page begins.
    pub next: Option<TaskId>,
}

impl Journal {
    /// What `wanted` makes of up to `limit` tasks, the newest first, beyond `after`; and where to go on, if there is more. One
    /// task at a time is in memory.
    ///
    /// # Errors
    /// The store failed.
    pub async fn list<T, F>(&self, after: Option<TaskId>, limit: usize, wanted: F) -> Result<TaskPage<T>, Error>
    where
        T: Send + 'static,
        F: Fn(&Task) -> Option<T> + Send + 'static,
    {
        let journal = self.clone();
        self.read_durably(move || journal.read_page(after, limit, &wanted)).await
    }

    fn read_page<T>(
        &self,
        after: Option<TaskId>,
        limit: usize,
        wanted: &dyn Fn(&Task) -> Option<T>,
    ) -> Result<TaskPage<T>, Error> {
        let (mut items, mut cursor) = (Vec::new(), after);
        for _ in 0..LOOKED_AT_MAX {
            let Some(id) = reading::previous_task(&self.0.store, cursor)? else {
                return Ok(TaskPage { items, next: None });
            };
            if items.len() == limit {
                return Ok(TaskPage { items, next: cursor });
            }
            cursor = Some(id);
            match self.read(id) {
                Ok(task) => items.extend(task.and_then(|task| wanted(&task))),
                Err(
                    Error::Store(store::Error::Damaged { .. })
                    | Error::Undecodable { .. }
                    | Error::Hole { .. }
                    | Error::Newer { .. },
                ) => {
                    tracing::error!(task = %id, "a task cannot be read and is left out of a list");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(TaskPage { items, next: cursor })
    }
}
