//! The whole daemon in one process, with its actors killed under load.

mod quarantine;
mod simulation;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::Value;

use super::Daemon;
use crate::client::Client;
use crate::config::{self, Overrides, Sources};
use crate::control_plane::template::{Algorithm, keys, signing};
use crate::protocol::task::{SubmitTask, Task, TaskState};
use crate::supervision::{self, ChildId, Node, NodeState};
use crate::telemetry::metrics::Metrics;

/// How long the tree may take to be whole again. What is measured is whether, not how fast.
const WHOLE_WITHIN: Duration = Duration::from_secs(20);
/// How often one request may be repeated, under one idempotency key, while parts of the daemon are killed.
const REPEATS_MAX: usize = 400;
/// Clients that submit without pause meanwhile.
const CLIENTS: usize = 4;

/// The recorder of this process, which takes one.
fn metrics() -> Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS.get_or_init(|| Metrics::install().expect("the only recorder of this process")).clone()
}

async fn daemon_in(home: &Path, drain_grace: Duration) -> Daemon {
    let key =
        keys::generate(&"test".parse().expect("a key id"), Algorithm::Ed25519, &home.join("private")).expect("a key");
    std::fs::create_dir_all(home.join("keys")).expect("a directory");
    std::fs::create_dir_all(home.join("templates")).expect("a directory");
    std::fs::copy(&key.public, home.join("keys/test.pub.pem")).expect("a trusted key");
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/templates")).expect("shipped templates") {
        let from = entry.expect("a template").path();
        let to = home.join("templates").join(from.file_name().expect("a name"));
        std::fs::copy(&from, &to).expect("a copy");
        signing::sign_file(&to, &key.private).expect("a signature");
    }
    begun_in(home, drain_grace).await
}

/// A daemon over what is there.
async fn begun_in(home: &Path, drain_grace: Duration) -> Daemon {
    let file = home.join("factoryd.toml");
    let grace = humantime::format_duration(drain_grace);
    let settings = format!(
        "data_dir = \"data\"\ntemplates_dir = \"templates\"\nsocket = \"c.sock\"\nmax_workers = 2\n[templates]\ntrusted_keys_dir = \"keys\"\n[api]\ndrain_grace = \"{grace}\"\n"
    );
    std::fs::write(&file, settings).expect("settings");
    let sources = Sources { file: Some(file), environment: Vec::new(), flags: Overrides::default() };
    let settings = config::load(&sources).expect("good settings");
    Daemon::start(settings, metrics(), None).await.expect("a daemon")
}

/// Paths to every actor but the root, agents and plans left out: those come and go.
fn paths(node: &Node, above: &[ChildId], found: &mut Vec<Vec<ChildId>>) {
    for child in &node.children {
        if child.name.contains('#') {
            continue;
        }
        let path: Vec<ChildId> = above.iter().cloned().chain([child.name.clone()]).collect();
        paths(child, &path, found);
        found.push(path);
    }
}

fn is_whole(node: &Node) -> bool {
    node.state == NodeState::Running && node.children.iter().all(|child| child.name.contains('#') || is_whole(child))
}

/// Kills an actor; one whose group still settles after the one before is waited for.
async fn kill(daemon: &Daemon, path: &[ChildId]) {
    let killed = async {
        while let Err(refusal) = daemon.root.kill(path).await {
            assert!(
                matches!(refusal, supervision::Error::Restarting { .. } | supervision::Error::Call(_)),
                "{refusal}"
            );
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(WHOLE_WITHIN, killed).await.is_ok(), "{path:?} cannot be reached");
}

async fn whole_again(daemon: &Daemon, killed: &[ChildId], actors: usize) {
    let whole = async {
        loop {
            let (tree, mut found) = (daemon.root.snapshot().await, Vec::new());
            paths(&tree, &[], &mut found);
            if is_whole(&tree) && found.len() == actors {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    assert!(
        tokio::time::timeout(WHOLE_WITHIN, whole).await.is_ok(),
        "the tree stays broken after {killed:?} was killed"
    );
}

/// Submits until told to stop; every submission must be acknowledged, and every acknowledged task must succeed.
async fn submit_all_the_time(client: Client, number: usize, stop: Arc<AtomicBool>, done: Arc<AtomicUsize>) {
    for round in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let wanted = SubmitTask {
            template_name: Some("documentaliste".to_owned()),
            input: Value::String("Rain fell on the hills all night. By morning the river had risen.".to_owned()),
            ..SubmitTask::default()
        };
        let key = format!("client-{number}-{round}");
        let task = acknowledged(&client, &wanted, &key).await;
        assert_eq!(task.state, TaskState::Succeeded, "{:?}", task.error);
        done.fetch_add(1, Ordering::Relaxed);
    }
}

async fn acknowledged(client: &Client, wanted: &SubmitTask, key: &str) -> Task {
    let mut last = String::new();
    for _ in 0..REPEATS_MAX {
        match client.submit(wanted, Some(key), Duration::from_secs(20)).await {
            Ok(task) if task.state.has_ended() => return task,
            Ok(task) => last = format!("{} is {:?}", task.task_id, task.state),
            Err(error) => last = error.to_string(),
        }
        tokio::task::yield_now().await;
    }
    panic!("{key} is not done after {REPEATS_MAX} requests: {last}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_actor_is_killed_under_load_the_tree_is_whole_again_and_every_task_succeeds() {
    let home = tempfile::tempdir().expect("a directory");
    let daemon = daemon_in(home.path(), Duration::from_secs(1)).await;
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let client = Client::new(home.path().join("c.sock"));
            tokio::spawn(submit_all_the_time(client, number, Arc::clone(&stop), Arc::clone(&done)))
        })
        .collect();
    let mut actors = Vec::new();
    paths(&daemon.root.snapshot().await, &[], &mut actors);
    assert!(actors.len() > 20, "the tree is as it should be: {actors:?}");
    for path in &actors {
        let before = done.load(Ordering::Relaxed);
        kill(&daemon, path).await;
        whole_again(&daemon, path, actors.len()).await;
        let served = async {
            while done.load(Ordering::Relaxed) == before && !clients.iter().any(tokio::task::JoinHandle::is_finished) {
                tokio::task::yield_now().await;
            }
        };
        assert!(
            tokio::time::timeout(WHOLE_WITHIN, served).await.is_ok(),
            "nothing is served after {path:?} was killed"
        );
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("every task succeeded");
    }
    assert_eq!(daemon.journal.open_count(), 0, "no task is left behind");
    let reserved = daemon.budget.open(None, usize::MAX).await.expect("the ledger answers");
    assert!(reserved.is_empty(), "no money is held: {reserved:?}");
    daemon.stop(std::future::pending()).await.expect("a stop in good order");
}
