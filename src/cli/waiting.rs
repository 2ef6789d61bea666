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
/// How long to leave a daemon alone that is away, or answered before its time.
const PAUSE: Duration = Duration::from_millis(200);

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
        let (asked, slice) = (Instant::now(), patience.slice());
        match client.task(id, slice).await {
            Ok(task) if has_settled(task.state) => return Ok(task),
            Ok(_) => away_since = None,
            Err(error) if is_away(&error) => {
                let since = *away_since.get_or_insert(asked);
                if since.elapsed() >= AWAY_TIME_MAX {
                    return Err(error.into());
                }
            }
            Err(error) => return Err(error.into()),
        }
        // An answer before its time, such as that of a daemon about to stop, is not asked for again at once.
        if asked.elapsed() < slice || slice.is_zero() {
            tokio::time::sleep(PAUSE).await;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::get;
    use serde_json::{Value, json};
    use tempfile::TempDir;

    use super::*;
    use crate::cli::exit::Exit;

    fn task(state: &str) -> Value {
        json!({
            "task_id": "t1", "agent_id": "a", "template_name": "x", "template_version": "1.0.0", "template_digest": "d",
            "state": state, "output": null, "cost_usd": "0.00", "usage": {"input_tokens": 1, "output_tokens": 1},
            "steps": [], "tenant": "default", "created_at": "2026-11-20T10:00:00Z"
        })
    }

    /// A daemon that answers with each of these once, then with the last one for ever.
    fn daemon(answers: Vec<(StatusCode, Value)>) -> (TempDir, Client) {
        let dir = tempfile::tempdir().expect("a directory");
        let listener = tokio::net::UnixListener::bind(dir.path().join("s")).expect("a socket");
        let asked = Arc::new(AtomicUsize::new(0));
        let answer = move || {
            let number = asked.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
            let (status, body) = answers[number].clone();
            async move { (status, axum::Json(body)) }
        };
        let router = Router::new().route("/factory/tasks/t1", get(answer));
        let _server = tokio::spawn(async move { axum::serve(listener, router).await });
        let client = Client::new(dir.path().join("s"));
        (dir, client)
    }

    async fn wait(answers: Vec<(StatusCode, Value)>, limit: Option<Duration>) -> Result<TaskState, Error> {
        let (_dir, client) = daemon(answers);
        let first = serde_json::from_value(task("queued")).expect("a task");
        let waited = until_settled(&client, first, Patience::new(limit), &Progress::start("x")).await;
        waited.map(|task| task.state)
    }

    #[tokio::test]
    async fn a_task_is_waited_for_across_a_restart_of_the_daemon() {
        let starting = json!({"type": "t", "title": "t", "status": 503, "detail": "starting", "code": "starting"});
        let answers = vec![
            (StatusCode::OK, task("running")),
            (StatusCode::SERVICE_UNAVAILABLE, starting),
            (StatusCode::OK, task("succeeded")),
        ];
        assert_eq!(wait(answers, None).await.expect("the end"), TaskState::Succeeded);
    }

    #[tokio::test]
    async fn a_task_that_needs_a_person_is_not_waited_for() {
        let answers = vec![(StatusCode::OK, task("needs_attention"))];
        assert_eq!(wait(answers, None).await.expect("an answer"), TaskState::NeedsAttention);
    }

    #[tokio::test]
    async fn patience_ends_and_the_task_goes_on() {
        let answers = vec![(StatusCode::OK, task("running"))];
        let error = wait(answers, Some(Duration::from_millis(30))).await.expect_err("too long");
        assert!(matches!(&error, Error::StillRunning { task_id, .. } if task_id == "t1"), "{error}");
        assert_eq!(error.exit(), Exit::TimedOut);
    }

    #[tokio::test]
    async fn a_task_that_is_gone_is_an_error_at_once() {
        let gone =
            json!({"type": "t", "title": "t", "status": 404, "detail": "no such task", "code": "task_not_found"});
        let error = wait(vec![(StatusCode::NOT_FOUND, gone)], None).await.expect_err("gone");
        assert_eq!(error.exit(), Exit::Failed);
    }
}
