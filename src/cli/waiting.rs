//! Waiting for the end of a task that the daemon has acknowledged, also across a restart of the daemon.

use std::time::Duration;

use tokio::time::Instant;

use super::exit::Error;
use super::progress::Progress;
use super::words;
use crate::client::{self, Client};
use crate::domain::failure::{Class, Failure};
use crate::protocol::task::{Task, TaskState};

/// How long one request waits for the end before it is asked again.
const SLICE: Duration = Duration::from_secs(30);
/// How long a daemon may be away (restarting) while a task is waited for.
const AWAY_TIME_MAX: Duration = Duration::from_secs(30);
/// How long to leave a daemon alone that is away.
const AWAY_PAUSE: Duration = Duration::from_millis(200);

/// How long somebody is willing to wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    limit: Option<(Instant, Duration)>,
}

impl Patience {
    /// From now on, for so long or for ever.
    pub(super) fn new(limit: Option<Duration>) -> Self {
        // A time beyond what the clock can tell is for ever.
        Self { limit: limit.and_then(|limit| Some((Instant::now().checked_add(limit)?, limit))) }
    }

    /// How long the next request may wait for the end.
    pub(super) fn slice(&self) -> Duration {
        self.limit.map_or(SLICE, |(until, _)| until.saturating_duration_since(Instant::now()).min(SLICE))
    }

    fn is_over(&self) -> bool {
        self.limit.is_some_and(|(until, _)| Instant::now() >= until)
    }

    /// Does `work` for as long as patience lasts.
    pub(super) async fn with<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
        over: impl FnOnce(String) -> Error,
    ) -> Result<T, Error> {
        match self.limit {
            None => work.await,
            Some((until, limit)) => {
                tokio::time::timeout_at(until, work).await.unwrap_or_else(|_| Err(over(words::duration(limit))))
            }
        }
    }
}

/// Whether nothing more will happen without a person.
pub(super) fn has_settled(state: TaskState) -> bool {
    state.has_ended() || matches!(state, TaskState::WaitingApproval | TaskState::NeedsAttention)
}

/// Waits until the task has ended or needs a person, and shows how far it is.
pub(super) async fn until_settled(
    client: &Client,
    task: Task,
    patience: Patience,
    progress: &Progress,
) -> Result<Task, Error> {
    if has_settled(task.state) {
        return Ok(task);
    }
    let id = task.task_id;
    let still_running = |waited| Error::StillRunning { task_id: id.clone(), waited };
    let waiting = async {
        tokio::select! {
            settled = ask_until_settled(client, &id, patience) => settled,
            never = count_steps(client, &id, progress) => match never {},
        }
    };
    patience.with(waiting, still_running).await
}

async fn ask_until_settled(client: &Client, id: &str, patience: Patience) -> Result<Task, Error> {
    let mut away_since = None;
    loop {
        match client.task(id, patience.slice()).await {
            Ok(task) if has_settled(task.state) => return Ok(task),
            // At the very end the slice is nothing; whoever bounds this future ends it now.
            Ok(_) if patience.is_over() => tokio::task::yield_now().await,
            Ok(_) => away_since = None,
            Err(error) if is_away(&error) => {
                let since = *away_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= AWAY_TIME_MAX {
                    return Err(error.into());
                }
                tokio::time::sleep(AWAY_PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the daemon is restarting, as far as can be told; the task itself survives that.
fn is_away(error: &client::Error) -> bool {
    error.class() == Class::Unavailable
}

/// Shows how many steps are done, where somebody sees it. It has no result and never ends: the waiting beside it does.
async fn count_steps(client: &Client, id: &str, progress: &Progress) -> std::convert::Infallible {
    if progress.is_visible()
        && let Ok(mut events) = client.follow_task(id).await
    {
        let mut done: usize = 0;
        while let Ok(Some(event)) = events.next().await {
            if event.kind == "step_finished" {
                done = done.saturating_add(1);
                progress.say(format!("working, {} done", words::count(done, "step")));
            }
        }
    }
    std::future::pending().await
}
