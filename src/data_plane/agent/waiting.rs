//! How an agent waits: for a person, for a while, and never beyond the end of its task.

use std::time::Duration;

use super::turn::Turn;
use crate::domain::clock::Timestamp;
use crate::journal::state::Task;

/// The longest wait for a person before the agent looks at the records again.
const LOOK_AGAIN: Duration = Duration::from_secs(3_600);

impl Turn {
    /// Waits until a person has said something about the task, or its time is over.
    pub(super) async fn attend(&mut self, seen: &Task) {
        self.listen(seen, Timestamp::now().after(LOOK_AGAIN)).await;
    }

    /// As [`Self::attend`], but no longer than `until`.
    pub(super) async fn listen(&mut self, seen: &Task, until: Timestamp) {
        let left = seen.order.ends_by().map_or(until, |end| end.min(until)).since(Timestamp::now());
        tokio::select! {
            () = self.custody.changed(seen.records) => {}
            () = tokio::time::sleep(left.min(LOOK_AGAIN)) => {}
        }
    }

    /// Waits, but not beyond a cancellation or the end of the task's time.
    pub(super) async fn pause(&mut self, pause: Duration) {
        let left = self.custody.task().order.ends_by().map_or(Duration::MAX, |end| end.since(Timestamp::now()));
        tokio::select! {
            () = tokio::time::sleep(pause.min(left)) => {}
            () = self.custody.cancelled() => {}
        }
    }
}
