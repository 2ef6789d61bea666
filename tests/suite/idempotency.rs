//! A submission under a key happens once, whoever repeats it and whatever happens in between.

use std::time::Duration;

use agent_factory::protocol::task::{SubmitTask, Task, TaskState};
use futures::future::join_all;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;

use crate::harness::{Daemon, Gate, PATIENCE, Provider, Reply, Workshop, code};

fn work(input: &str) -> SubmitTask {
    SubmitTask { template_name: Some("worker".into()), input: input.into(), ..SubmitTask::default() }
}

async fn submit(daemon: &Daemon, key: &str, input: &str) -> Task {
    daemon.client.submit(&work(input), Some(key), PATIENCE).await.expect("a task")
}

#[tokio::test]
async fn a_repeated_key_is_answered_with_the_first_task_also_after_kill_9() {
    let provider = Provider::echo().await;
    let mut daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let first = submit(&daemon, "k", "hello").await;
    assert_eq!(submit(&daemon, "k", "hello").await, first);
    daemon.kill9();
    daemon.start_again().await;
    assert_eq!(submit(&daemon, "k", "hello").await, first);
    assert_eq!(provider.count(), 1);
    assert_ne!(submit(&daemon, "other", "hello").await.task_id, first.task_id);
}

#[tokio::test]
async fn concurrent_submissions_under_one_key_are_one_task() {
    let provider = Provider::echo().await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let tasks = join_all((0..16).map(|_| submit(&daemon, "k", "hello"))).await;
    assert!(tasks.iter().all(|task| task.task_id == tasks[0].task_id && task.state == TaskState::Succeeded));
    assert_eq!(provider.count(), 1);
    assert_eq!(daemon.client.tasks(None, None).await.expect("tasks").items.len(), 1);
}

#[tokio::test]
async fn a_key_that_is_repeated_while_its_task_runs_and_dies_is_still_one_task() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::start(move |_| Reply::echo_behind(&held)).await;
    let mut daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let first = daemon.client.submit(&work("hello"), Some("k"), Duration::ZERO).await.expect("a task");
    provider.was_asked(1).await;
    daemon.kill9();
    daemon.start_again().await;
    gate.open();
    let repeated = submit(&daemon, "k", "hello").await;
    assert_eq!((repeated.task_id, repeated.state), (first.task_id, TaskState::Succeeded));
    assert_eq!(daemon.client.tasks(None, None).await.expect("tasks").items.len(), 1);
}

#[tokio::test]
async fn a_key_is_not_used_for_another_request() {
    let provider = Provider::echo().await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    submit(&daemon, "k", "hello").await;
    let before = daemon.holdings().await;
    let others = [
        work("something else"),
        SubmitTask { budget_usd: Some("1.00".into()), ..work("hello") },
        SubmitTask { tenant: Some("acme".into()), ..work("hello") },
    ];
    for other in others {
        let refused = daemon.client.submit(&other, Some("k"), Duration::ZERO).await;
        assert_eq!(code(refused), (409, "idempotency_key_reused".to_owned()), "{other:?}");
    }
    assert_eq!((daemon.holdings().await, provider.count()), (before, 1));
}

#[tokio::test]
async fn a_refused_request_does_not_use_its_key_up() {
    let daemon = Daemon::start(Workshop::with(&Provider::echo().await, "").worker(json!({}))).await;
    let nobody = SubmitTask { template_name: Some("later".into()), ..work("hello") };
    assert_eq!(code(daemon.client.submit(&nobody, Some("k"), Duration::ZERO).await).0, 404);
    daemon.workshop.template("later", json!({}));
    crate::harness::until("the new template", async || daemon.client.template("later").await.ok()).await;
    let task = daemon.client.submit(&nobody, Some("k"), PATIENCE).await.expect("a task");
    assert_eq!(task.state, TaskState::Succeeded);
}

/// A client that sends a submission whole.
async fn sent(daemon: &Daemon, key: &str, input: &str) -> UnixStream {
    let body = json!({"template_name": "worker", "input": input}).to_string();
    let head = format!(
        "POST /factory/tasks?wait=20s HTTP/1.1\r\nhost: x\r\nidempotency-key: {key}\r\ncontent-type: application/json"
    );
    let mut client = UnixStream::connect(daemon.workshop.socket()).await.expect("a connection");
    let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    client.write_all(request.as_bytes()).await.expect("sent");
    client
}

#[tokio::test]
async fn an_accepted_task_goes_on_when_its_client_goes_away_and_is_found_again_by_its_key() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::start(move |_| Reply::echo_behind(&held)).await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let client = sent(&daemon, "k", "hello").await;
    provider.was_asked(1).await;
    drop(client);
    gate.open();
    let tasks = daemon.client.tasks(None, None).await.expect("tasks").items;
    assert_eq!(tasks.len(), 1, "{tasks:?}");
    let ended = daemon.finished(&tasks[0].task_id).await;
    assert_eq!((ended.state, &ended.output), (TaskState::Succeeded, &json!("echo: hello")));
    assert_eq!(submit(&daemon, "k", "hello").await, ended);
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn a_client_that_does_not_wait_for_any_answer_has_submitted_once_or_not_at_all() {
    let provider = Provider::echo().await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let keys: Vec<String> = (0..20).map(|number| format!("k{number}")).collect();
    for key in &keys {
        drop(sent(&daemon, key, key).await);
    }
    let again = join_all(keys.iter().map(|key| submit(&daemon, key, key))).await;
    assert!(again.iter().all(|task| task.state == TaskState::Succeeded), "{again:?}");
    let tasks = daemon.client.tasks(Some(100), None).await.expect("tasks").items;
    assert_eq!((tasks.len(), provider.count()), (keys.len(), keys.len()));
}
