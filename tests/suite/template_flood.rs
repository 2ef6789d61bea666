//! Edits land under load: no request fails, each task is done with one version from beginning to end, and what was refused is
//! never served.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agent_factory::client::Client;
use agent_factory::protocol::task::{SubmitTask, Task, TaskState};
use serde_json::json;

use crate::harness::{Asked, Daemon, Gate, PATIENCE, Provider, Reply, Workshop, joined, on_a_thread, until, within};

const EDITS: u32 = 60;
/// Each edit of this number, and its multiples, is bad.
const BAD: u32 = 10;
/// Tasks that are under way from before the first edit until after the last.
const HELD: usize = 200;
/// Clients that submit without pause while the edits land.
const CLIENTS: usize = 6;
/// How long the model takes: so long that a task outlives an edit.
const THOUGHT: Duration = Duration::from_millis(40);

/// What a call was told: the worker's version, its parent's, and whose call it is.
struct Call {
    task: String,
    own: String,
    parent: String,
}

fn edit(daemon: &Daemon, number: u32) {
    let (version, prompt) = (format!("1.0.{number}"), format!("own=1.0.{number}"));
    let over = json!({"version": version, "extends": "parent", "system_prompt": prompt});
    if !number.is_multiple_of(BAD) {
        daemon.workshop.template("worker", over);
        return;
    }
    match number / BAD % 4 {
        0 => drop(daemon.workshop.unsigned_template("worker", over)),
        1 => {
            daemon
                .workshop
                .template("worker", json!({"version": version, "system_prompt": prompt, "tools": ["shell"]}));
        }
        2 => drop(daemon.workshop.write("templates/worker.json", &format!("{{\"version\": \"{version}\", "))),
        _ => {
            let orphan = json!({"version": version, "system_prompt": prompt, "extends": "nobody"});
            daemon.workshop.template("worker", orphan);
        }
    }
}

/// A parent whose prompt for each pass of refining says its version.
fn parent(version: &str) -> serde_json::Value {
    json!({"version": version, "refine": {"passes": 2, "prompt": format!("parent={version}")}})
}

/// Does tasks until it is told to stop; each must succeed.
async fn submit(client: Client, number: usize, stop: Arc<AtomicBool>) -> Vec<(String, Task)> {
    let mut tasks = Vec::new();
    while !stop.load(Ordering::Acquire) {
        let mark = format!("free-{number}-{}", tasks.len());
        let input = format!("<{mark}>").into();
        let work = SubmitTask { template_name: Some("worker".into()), input, ..SubmitTask::default() };
        tasks.push((mark, client.submit(&work, None, PATIENCE).await.expect("no request fails")));
    }
    tasks
}

fn between<'t>(text: &'t str, from: &str, to: char) -> Option<&'t str> {
    text.split_once(from)?.1.split(to).next()
}

fn call(asked: &Asked) -> Call {
    let task = between(&asked.raw, "<", '>').expect("whose it is").to_owned();
    let own = asked.system().strip_prefix("own=").expect("a version").to_owned();
    // The first call of a task asks nothing of its parent's.
    let parent = between(&asked.raw, "parent=", '"').unwrap_or_default();
    Call { task, own, parent: parent.split('\\').next().unwrap_or_default().to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_flood_of_edits_no_request_fails_no_task_mixes_versions_and_nothing_refused_is_served() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::start(move |asked| {
        let waits = asked.raw.contains("<held-") && !asked.raw.contains("parent=");
        if waits { Reply::echo_behind(&held) } else { Reply::After(THOUGHT, Box::new(Reply::Echo)) }
    })
    .await;
    let workshop = Workshop::with(&provider, "");
    workshop.edit_settings(|text| text.replace("timeout = \"20s\"", "timeout = \"300s\"\nmax_concurrency = 1000"));
    workshop.template("parent", parent("1.0.0"));
    workshop.template("worker", json!({"extends": "parent", "system_prompt": "own=1.0.0"}));
    let daemon = Daemon::start(workshop).await;
    let mut tasks = Vec::new();
    for number in 0..HELD {
        let mark = format!("held-{number}");
        let task = daemon.submit("worker", &format!("<{mark}>")).await;
        tasks.push((mark, task));
    }
    within("the held calls", provider.was_asked(HELD)).await;

    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (socket, stop) = (daemon.workshop.socket(), stop.clone());
            on_a_thread(move || submit(Client::new(socket), number, stop))
        })
        .collect();
    for number in 1..=EDITS {
        edit(&daemon, number);
        let (version, bad) = (format!("1.0.{number}"), number.is_multiple_of(BAD));
        until(&format!("edit {number} is live, or refused"), async || {
            let template = daemon.client.template("worker").await.expect("it serves");
            assert!(!bad || template.version != version, "edit {number} is served");
            (if bad { !template.reasons.is_empty() } else { template.version == version }).then_some(())
        })
        .await;
        if number.is_multiple_of(7) {
            daemon.workshop.template("parent", parent(&version));
        }
    }
    stop.store(true, Ordering::Release);
    for client in clients {
        tasks.extend(joined(client).await);
    }
    gate.open();

    let mut versions = BTreeMap::new();
    for (mark, task) in tasks {
        let ended = daemon.finished(&task.task_id).await;
        assert_eq!(ended.state, TaskState::Succeeded, "{ended:?}");
        versions.insert(mark, ended.template_version);
    }
    check(&provider, &versions);
}

/// Holds what the model was told against what the tasks say they were done with.
fn check(provider: &Provider, versions: &BTreeMap<String, String>) {
    let mut told: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for call in provider.asked().iter().map(call) {
        let (own, parents) = told.entry(call.task).or_default();
        own.insert(call.own);
        parents.extend(Some(call.parent).filter(|parent| !parent.is_empty()));
    }
    assert!(told.len() >= HELD + CLIENTS, "{} tasks", told.len());
    for (task, (own, parents)) in &told {
        assert_eq!((own.len(), parents.len()), (1, 1), "{task} mixes {own:?} and {parents:?}");
        assert_eq!(own.first(), versions.get(task), "{task}");
        let number: u32 =
            own.first().and_then(|own| own.strip_prefix("1.0.")).expect("a version").parse().expect("one");
        assert!(number == 0 || !number.is_multiple_of(BAD), "{task} was told {own:?}, which was refused");
        if task.starts_with("held-") {
            assert_eq!(
                (own.first(), parents.first()),
                (Some(&"1.0.0".to_owned()), Some(&"1.0.0".to_owned())),
                "{task}"
            );
        }
    }
}
