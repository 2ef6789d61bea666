//! Faults on request: whatever actor is killed under load, no request fails and the tree is whole again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use agent_factory::client::{Client, Error};
use agent_factory::protocol::task::{SubmitTask, Task, TaskState};
use agent_factory::protocol::tree::TreeNode;
use serde_json::json;

use crate::harness::{Daemon, Provider, Workshop, joined, on_a_thread, until};

const ENABLED: &str = "[chaos]\nenabled = true\n";
/// Clients that submit without pause.
const CLIENTS: usize = 4;
/// Within this the tree is whole again on a host that has nothing else to do; on one that has, the test waits longer and says so.
const WHOLE_WITHIN: Duration = Duration::from_secs(1);

/// Paths to every actor but the root, deepest first; agents and plans left out: those come and go.
fn paths(node: &TreeNode, above: &str, found: &mut Vec<String>) {
    for child in node.children.iter().filter(|child| !child.name.contains('#')) {
        let path = format!("{above}/{}", child.name);
        paths(child, &path, found);
        found.push(path);
    }
}

async fn actors(daemon: &Daemon) -> Vec<String> {
    let tree = daemon.client.tree().await.expect("a tree");
    let mut found = Vec::new();
    paths(&tree, &tree.name, &mut found);
    found
}

fn is_whole(node: &TreeNode) -> bool {
    node.state == "running" && node.children.iter().all(|child| child.name.contains('#') || is_whole(child))
}

async fn kill(daemon: &Daemon, path: &str) -> (u16, serde_json::Value) {
    daemon.post("/factory/chaos/kill", &json!({"path": path})).await
}

/// What passes when a part restarts; a caller may have to repeat a request, under its key.
fn passes(error: &Error) -> bool {
    match error {
        Error::Unreachable { .. } | Error::TimedOut { .. } => true,
        Error::Problem { problem, .. } => matches!(problem.status, 429 | 503),
        Error::Address { .. } | Error::Protocol { .. } => false,
    }
}

async fn acknowledged(client: &Client, wanted: &SubmitTask, key: &str) -> Task {
    until(&format!("an answer for {key}"), async || {
        match client.submit(wanted, Some(key), Duration::from_secs(10)).await {
            Ok(task) => Some(task),
            Err(error) if passes(&error) => None,
            Err(error) => panic!("{key}: {error}"),
        }
    })
    .await
}

/// Submits until told to stop; each task that is acknowledged must succeed.
async fn submitting(client: Client, number: usize, stop: Arc<AtomicBool>, done: Arc<AtomicUsize>) {
    for round in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let wanted =
            SubmitTask { template_name: Some("worker".into()), input: "hello".into(), ..SubmitTask::default() };
        let accepted = acknowledged(&client, &wanted, &format!("client-{number}-{round}")).await;
        let ended = until(&format!("the end of {}", accepted.task_id), async || {
            let task = client.task(&accepted.task_id, Duration::from_secs(10)).await;
            task.ok().filter(|task| task.state.has_ended())
        })
        .await;
        assert_eq!((ended.state, ended.output), (TaskState::Succeeded, json!("echo: hello")), "{:?}", ended.error);
        done.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_actor_is_killed_no_request_fails_and_the_tree_is_whole_again() {
    let provider = Provider::echo().await;
    let daemon = Daemon::start(Workshop::with(&provider, ENABLED).worker(json!({}))).await;
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (client, stop, done) = (Client::new(daemon.workshop.socket()), stop.clone(), done.clone());
            on_a_thread(move || submitting(client, number, stop, done))
        })
        .collect();
    let all = actors(&daemon).await;
    assert!(all.len() > 20, "{all:?}");
    let mut slowest = (Duration::ZERO, "");
    for path in &all {
        let before = done.load(Ordering::Relaxed);
        // A group that still settles after the kill before is between two states.
        until(&format!("{path} is killed"), async || {
            let (status, problem) = kill(&daemon, path).await;
            assert!(matches!(status, 204 | 503) || problem["code"] == "child_unknown", "{path}: {problem}");
            (status == 204).then_some(())
        })
        .await;
        let killed = Instant::now();
        until(&format!("the tree is whole after {path} was killed"), async || {
            let tree = daemon.client.tree().await.ok()?;
            let mut found = Vec::new();
            paths(&tree, &tree.name, &mut found);
            (is_whole(&tree) && found == all).then_some(())
        })
        .await;
        slowest = slowest.max((killed.elapsed(), path));
        until(&format!("tasks end after {path} was killed"), async || {
            let gone = clients.iter().any(JoinHandle::is_finished);
            (gone || done.load(Ordering::Relaxed) > before).then_some(())
        })
        .await;
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        joined(client).await;
    }
    let (took, path) = slowest;
    let verdict = if took > WHOLE_WITHIN { "more than it should be" } else { "as it should be" };
    eprintln!("{} actors killed; the tree was whole again after {took:?} at most ({path}): {verdict}", all.len());
    assert_eq!(daemon.settled("global").await.reserved_usd, "0.00");
    let (_, audit) = daemon.get("/factory/audit?limit=1000").await;
    let recorded = audit["items"].as_array().expect("entries").iter().filter(|entry| entry["action"] == "kill_actor");
    let first = recorded.map(|entry| entry["subject"].as_str().expect("a path").to_owned()).next();
    assert_eq!(first.as_deref(), all.first().map(String::as_str), "kills are in the audit log");
}

#[tokio::test]
async fn an_actor_that_is_not_there_is_told() {
    let daemon = Daemon::start(Workshop::new(ENABLED)).await;
    for path in ["root", "root/", "", "core", "root/core/nobody", "root/core/data/dlp/0"] {
        let (status, problem) = kill(&daemon, path).await;
        assert_eq!((status, &problem["code"]), (404, &json!("child_unknown")), "{path}");
    }
    let (status, problem) = daemon.post("/factory/chaos/kill", &json!({"actor": "root/core"})).await;
    assert_eq!((status, &problem["code"]), (400, &json!("malformed_request")));
    let tree = daemon.client.tree().await.expect("a tree");
    assert!(is_whole(&tree) && tree.restarts == 0, "{tree:?}");
}

#[tokio::test]
async fn without_the_setting_there_is_no_such_route() {
    let daemon = Daemon::start(Workshop::new("")).await;
    let before = daemon.get("/factory/audit").await;
    let (status, problem) = kill(&daemon, "root/core").await;
    assert_eq!((status, &problem["code"]), (404, &json!("route_not_found")));
    assert_eq!(daemon.get("/factory/audit").await, before, "nothing was done");
}
