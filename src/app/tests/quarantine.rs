//! Actors and agents that fail again and again, across a restart of the daemon.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::{WHOLE_WITHIN, begun_in, daemon_in};
use crate::app::Daemon;
use crate::client::{Client, Error};
use crate::control_plane::template::signing;
use crate::protocol::agent::CreateAgent;
use crate::protocol::dlp::ScanRequest;
use crate::protocol::task::{SubmitTask, Task, TaskState};
use crate::supervision::{ChildId, Node, NodeState};

/// How long anything awaited may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The path to the first actor below `node` whose name begins so.
fn find(node: &Node, name: &str) -> Option<(Vec<ChildId>, NodeState)> {
    node.children.iter().find_map(|child| {
        let (mut path, state) =
            if child.name.starts_with(name) { (Vec::new(), child.state) } else { find(child, name)? };
        path.insert(0, child.name.clone());
        Some((path, state))
    })
}

/// Kills the actor whenever it runs, until `enough`.
async fn kill_until(daemon: &Daemon, name: &str, enough: impl AsyncFn(Option<NodeState>) -> bool) {
    let killed = async {
        loop {
            let found = find(&daemon.root.snapshot().await, name);
            if enough(found.as_ref().map(|(_, state)| *state)).await {
                return;
            }
            if let Some((path, NodeState::Running)) = found {
                // One that has just ended needs no killing.
                drop(daemon.root.kill(&path).await);
            }
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, killed).await.is_ok(), "{name} goes on");
}

async fn quarantine_filter(daemon: &Daemon) {
    for worker in ["dlp/0", "dlp/1"] {
        kill_until(daemon, worker, async |state| state == Some(NodeState::Quarantined)).await;
    }
}

/// A template whose agents are given up after two crashes.
fn add_fragile(home: &Path) {
    let templates = home.join("templates");
    let text = std::fs::read_to_string(templates.join("documentaliste.json")).expect("a template");
    let mut template: Value = serde_json::from_str(&text).expect("JSON");
    template["name"] = "fragile".into();
    template["capabilities"] = serde_json::json!(["breaking"]);
    template["supervision"] =
        serde_json::json!({"intensity": 1, "period": "60s", "backoff": {"initial": "1ms", "max": "1ms"}});
    let file = templates.join("fragile.json");
    std::fs::write(&file, template.to_string()).expect("a template");
    signing::sign_file(&file, &home.join("private").join("test.pem")).expect("a signature");
}

async fn ended(client: &Client, id: &str) -> Task {
    let task = client.task(id, PATIENCE).await.expect("a task");
    assert!(task.state.has_ended(), "{:?}", task.state);
    task
}

fn code(error: &Error) -> String {
    match error {
        Error::Problem { problem, .. } => problem.code.clone(),
        Error::Address { .. } | Error::Unreachable { .. } | Error::Protocol { .. } | Error::TimedOut { .. } => {
            error.to_string()
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quarantines_outlive_the_daemon_until_they_are_released_and_what_waited_goes_on() {
    let home = tempfile::tempdir().expect("a directory");
    let daemon = daemon_in(home.path(), PATIENCE).await;
    add_fragile(home.path());
    let client = Client::new(home.path().join("c.sock"));
    let served = async {
        while client.template("fragile").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, served).await.expect("the template is served");

    // Without any worker of the filter no text leaves, at once and not after a time-out; and tasks wait.
    quarantine_filter(&daemon).await;
    let text = ScanRequest { text: "ann@example.org".to_owned(), tenant: None };
    let refused = tokio::time::timeout(WHOLE_WITHIN, client.scan(&text)).await.expect("an answer at once");
    assert_eq!(code(&refused.expect_err("no text passes")), "dlp_unavailable");

    let wanted = CreateAgent { template_name: "fragile".to_owned(), name: None, tenant: None, user: None };
    let agent = client.create_agent(&wanted).await.expect("an agent").agent_id;
    let wanted = SubmitTask {
        agent_id: Some(agent.clone()),
        input: Value::String("Rain fell on the hills all night.".to_owned()),
        ..SubmitTask::default()
    };
    let mut tasks = Vec::new();
    for _ in 0..4 {
        tasks.push(client.submit(&wanted, None, Duration::ZERO).await.expect("acknowledged").task_id);
    }
    let is_quarantined = async |_| client.agent(&agent).await.expect("an agent").quarantined;
    kill_until(&daemon, &format!("{agent}#"), is_quarantined).await;
    let waiting = tasks.pop().expect("four tasks");
    for id in &tasks {
        let task = ended(&client, id).await;
        assert_eq!(task.error.expect("a failure").code, "agent_given_up");
    }
    let refused = client.submit(&wanted, None, Duration::ZERO).await.expect_err("a refusal");
    assert_eq!(code(&refused), "agent_quarantined");
    let retried = client.retry(&tasks[0]).await.expect_err("a refusal");
    assert_eq!(code(&retried), "agent_quarantined", "what is retried is a new task to it");
    // What waits for a release does not keep the daemon from stopping.
    let stopped = tokio::time::timeout(WHOLE_WITHIN, daemon.stop(std::future::pending())).await;
    stopped.expect("at once").expect("a stop in good order");

    let daemon = begun_in(home.path(), PATIENCE).await;
    assert!(is_quarantined(None).await, "also after a restart");
    let tree = daemon.root.snapshot().await;
    assert_eq!(find(&tree, "dlp/0").map(|(_, state)| state), Some(NodeState::Quarantined), "also after a restart");
    assert_eq!(client.task(&waiting, Duration::ZERO).await.expect("a task").state, TaskState::Queued, "it waits");

    client.release_actor("root/core/data/dlp/dlp/0").await.expect("released");
    let again = client.release_actor("root/core/data/dlp/dlp/0").await.expect_err("it runs");
    assert_eq!(code(&again), "child_not_quarantined");
    let released = client.release_agent(&agent).await.expect("released");
    assert!(!released.quarantined);
    assert_eq!(code(&client.release_agent(&agent).await.expect_err("no quarantine")), "agent_not_quarantined");
    assert_eq!(ended(&client, &waiting).await.state, TaskState::Succeeded);
    daemon.stop(std::future::pending()).await.expect("a stop in good order");
}
