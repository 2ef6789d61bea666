//! A task in the hands of an actor: it runs beside the mailbox and is cut off when the actor ends.

use std::fmt::Display;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::task::JoinHandle;

use crate::domain::id::TaskId;

/// A running task; dropping it cuts it off.
pub(crate) struct Hand {
    task: TaskId,
    work: JoinHandle<()>,
}

impl Hand {
    /// Starts `work`, and calls `done` with what became of it. A panic is an error: the actor's supervisor decides.
    pub(crate) fn take<E, W, D>(task: TaskId, work: W, done: D) -> Self
    where
        E: Display,
        W: Future<Output = Result<(), E>> + Send + 'static,
        D: FnOnce(Result<(), String>) + Send + 'static,
    {
        let work = tokio::spawn(async move {
            done(match AssertUnwindSafe(work).catch_unwind().await {
                Ok(ended) => ended.map_err(|error| error.to_string()),
                Err(_panic) => Err("panic".to_owned()),
            });
        });
        Self { task, work }
    }

    /// Which task it is.
    pub(crate) fn task(&self) -> TaskId {
        self.task
    }

    /// Whether this is the task at hand.
    pub(crate) fn holds(&self, task: TaskId) -> bool {
        self.task == task
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.work.abort();
    }
}
