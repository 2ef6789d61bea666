//! Erasure: what is gone, what stays, what a receipt says, and that neither a kill nor a task that goes on comes in between.

use std::fs;
use std::path::Path;
use std::time::Duration;

use agent_factory::protocol::erasure::{Erasure, SignedReceipt};
use agent_factory::protocol::task::{SubmitTask, Task, TaskState};
use serde_json::{Value, json};

use crate::harness::{Daemon, Gate, PATIENCE, Provider, Reply, Workshop, factoryctl, until};

const PLANTED: &str = "the bittern booms in the reeds of Camargue";

async fn submit(daemon: &Daemon, input: &str, whose: (&str, &str), key: Option<&str>) -> Task {
    let work = SubmitTask {
        template_name: Some("worker".into()),
        input: input.into(),
        tenant: Some(whose.0.into()),
        user: Some(whose.1.into()),
        ..SubmitTask::default()
    };
    daemon.client.submit(&work, key, PATIENCE).await.expect("a task")
}

async fn agent(daemon: &Daemon, whose: (&str, &str)) -> String {
    let wanted = json!({"template_name": "worker", "name": PLANTED, "tenant": whose.0, "user": whose.1});
    let (status, agent) = daemon.post("/factory/agents", &wanted).await;
    assert_eq!(status, 200, "{agent}");
    agent["agent_id"].as_str().expect("an id").to_owned()
}

async fn encrypted(provider: &Provider) -> Workshop {
    let workshop = Workshop::with(provider, "").worker(json!({}));
    let key = workshop.path("master.key").display().to_string();
    let made = factoryctl(&workshop.socket(), &["keys", "master", &key], "").await;
    assert_eq!(made.code, Some(0), "{}", made.err);
    workshop.edit_settings(|text| format!("{text}\n[encryption]\nmaster_key_file = \"master.key\"\n"));
    workshop
}

async fn erase(daemon: &Daemon, arguments: &[&str]) -> Erasure {
    let ended = daemon.ctl(&[&["--json", "erase", "--yes"], arguments].concat()).await;
    assert_eq!(ended.code, Some(0), "{} {}", ended.out, ended.err);
    serde_json::from_value(ended.json()).expect("an erasure")
}

async fn status_of(daemon: &Daemon, path: &str) -> u16 {
    daemon.get(path).await.0
}

async fn listed(daemon: &Daemon, what: &str) -> Vec<Value> {
    let (_, page) = daemon.get(&format!("/factory/{what}")).await;
    page["items"].as_array().expect("items").clone()
}

fn holding(directory: &Path, wanted: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(holding(&path, wanted));
        } else if fs::read(&path).expect("a file").windows(wanted.len()).any(|part| part == wanted.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test]
async fn everything_of_a_user_is_gone_and_nothing_of_anybody_else() {
    let provider = Provider::echo().await;
    let mut daemon = Daemon::start(encrypted(&provider).await).await;
    let long = PLANTED.repeat(40_000);
    let mut gone = Vec::new();
    let mut stays = Vec::new();
    for (whose, is_gone) in [(("acme", "ann"), true), (("rival", "ann"), true), (("acme", "bob"), false)] {
        let into = if is_gone { &mut gone } else { &mut stays };
        let key = format!("the key of {} in {}", whose.1, whose.0);
        into.push(submit(&daemon, PLANTED, whose, Some(&key)).await);
        into.push(submit(&daemon, &long, whose, None).await);
        let agent = agent(&daemon, whose).await;
        let work = json!({"agent_id": agent, "input": PLANTED});
        let (_, task) = daemon.post("/factory/tasks?wait=20s", &work).await;
        into.push(serde_json::from_value(task).expect("a task"));
    }
    let spent = daemon.settled("user:ann").await;

    let erasure = erase(&daemon, &["--user", "ann"]).await;
    let signed = erasure.receipt.clone().expect("a receipt");
    let receipt = &signed.receipt;
    assert_eq!(
        (erasure.state.as_str(), receipt.tenant.as_deref(), receipt.user.as_deref()),
        ("done", None, Some("ann"))
    );
    let deleted = &receipt.deleted;
    assert_eq!((deleted.tasks, deleted.agents, deleted.memory, deleted.remnants), (6, 2, 2, 0), "{deleted:?}");
    assert!(deleted.idempotency_keys == 2 && deleted.records >= 24, "{deleted:?}");
    assert_eq!((receipt.method.as_str(), receipt.key_ids.len()), ("keys_destroyed", 2), "one key in each tenant");

    let after = async |daemon: &Daemon| {
        for task in &gone {
            assert_eq!(status_of(daemon, &format!("/factory/tasks/{}", task.task_id)).await, 404);
            assert_eq!(status_of(daemon, &format!("/factory/tasks/{}/events", task.task_id)).await, 404);
        }
        for task in &stays {
            assert_eq!(daemon.finished(&task.task_id).await.output, task.output);
        }
        for what in ["tasks", "agents"] {
            let left = listed(daemon, what).await;
            assert!(!left.is_empty() && left.iter().all(|item| item["user"] != json!("ann")), "{left:?}");
        }
        assert_eq!(daemon.settled("user:ann").await.spent_usd, spent.spent_usd, "the books stay");
    };
    after(&daemon).await;
    daemon.kill9();
    daemon.start_again().await;
    after(&daemon).await;
    let again = submit(&daemon, PLANTED, ("acme", "ann"), Some("the key of ann in acme")).await;
    assert!(gone.iter().all(|task| task.task_id != again.task_id), "the key stands for a new task");
    assert_eq!(daemon.stop().await.code(), Some(0));
    assert_eq!(holding(&daemon.workshop.path("data"), "bittern"), <[String; 0]>::default());
}

#[tokio::test]
async fn a_second_erasure_finds_nothing_and_has_a_receipt_of_its_own() {
    let daemon = Daemon::start(Workshop::with(&Provider::echo().await, "").worker(json!({}))).await;
    submit(&daemon, PLANTED, ("acme", "ann"), Some("k")).await;
    let first = erase(&daemon, &["--tenant", "acme"]).await.receipt.expect("a receipt").receipt;
    let second = erase(&daemon, &["--tenant", "acme", "--user", "ann"]).await.receipt.expect("a receipt").receipt;
    assert_eq!((first.deleted.tasks, first.deleted.idempotency_keys, first.method.as_str()), (1, 1, "deleted"));
    assert_eq!(second.deleted, Default::default());
    let (_, page) = daemon.get("/factory/erasures").await;
    let ids: Vec<_> = page["items"].as_array().expect("items").iter().map(|item| item["erasure_id"].clone()).collect();
    assert_eq!(ids, [json!(second.erasure_id), json!(first.erasure_id)], "the newest first");
    let (_, audit) = daemon.get("/factory/audit").await;
    let entry = audit["items"].as_array().expect("entries").iter().find(|entry| entry["sequence"] == first.audit_entry);
    let entry = entry.expect("the entry that the receipt names");
    assert_eq!((&entry["action"], &entry["subject"]), (&json!("erase_data"), &json!("tenant:acme")));
}

#[tokio::test]
async fn a_receipt_is_verified_without_the_daemon_and_a_changed_one_is_not() {
    let mut daemon = Daemon::start(Workshop::with(&Provider::echo().await, "").worker(json!({}))).await;
    submit(&daemon, PLANTED, ("acme", "ann"), None).await;
    let erasure = erase(&daemon, &["--tenant", "acme"]).await;
    let shown = daemon.ctl(&["erase", "show", &erasure.erasure_id]).await;
    assert!(!shown.out.contains("bittern"));
    let key = daemon.workshop.write("audit.pub.pem", &daemon.ctl(&["audit", "key"]).await.out).display().to_string();
    assert_eq!(daemon.stop().await.code(), Some(0));
    let verify = async |text: &str, more: &[&str]| {
        let file = daemon.workshop.write("receipt.json", text).display().to_string();
        factoryctl(&daemon.workshop.socket(), &[&["--json", "erase", "verify", &file], more].concat(), "").await
    };
    let good = verify(&shown.out, &["--key", &key]).await;
    assert_eq!((good.code, &good.json()["holds"]), (Some(0), &json!(true)), "{}", good.err);
    let warned = verify(&shown.out, &[]).await;
    assert!(warned.code == Some(0) && warned.err.contains("use --key"), "{}", warned.err);
    let mut signed: SignedReceipt = serde_json::from_str(&shown.out).expect("a receipt");
    signed.receipt.deleted.tasks += 1;
    let changed = verify(&serde_json::to_string(&signed).expect("JSON"), &["--key", &key]).await;
    assert_eq!((changed.code, &changed.json()["code"]), (Some(1), &json!("receipt_signature")));
    let cut = verify(&shown.out[..shown.out.len() / 2], &["--key", &key]).await;
    assert_eq!((cut.code, &cut.json()["code"]), (Some(1), &json!("receipt_malformed")));
}

#[tokio::test]
async fn open_tasks_end_first_and_nothing_of_theirs_is_admitted_meanwhile() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::start(move |_| Reply::echo_behind(&held)).await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let work = |user: &str| json!({"template_name": "worker", "input": PLANTED, "tenant": "acme", "user": user});
    let (_, of_ann) = daemon.post("/factory/tasks", &work("ann")).await;
    let (_, of_bob) = daemon.post("/factory/tasks", &work("bob")).await;
    provider.was_asked(2).await;
    let erasure = erase(&daemon, &["--user", "ann"]).await;
    assert_eq!(erasure.deleted.tasks, 1);
    assert_eq!(
        status_of(&daemon, &format!("/factory/tasks/{}", of_ann["task_id"].as_str().expect("an id"))).await,
        404
    );
    gate.open();
    let bob = daemon.finished(of_bob["task_id"].as_str().expect("an id")).await;
    assert_eq!(bob.state, TaskState::Succeeded);
    let (_, of_ann) = daemon.post("/factory/tasks?wait=20s", &work("ann")).await;
    assert_eq!(of_ann["state"], json!("succeeded"), "what comes afterwards is admitted: {of_ann}");
}

#[tokio::test]
async fn a_kill_in_the_midst_is_gone_on_from() {
    let provider = Provider::echo().await;
    let mut daemon = Daemon::start(encrypted(&provider).await).await;
    for round in 0..4_u64 {
        let mut tasks = Vec::new();
        for _ in 0..30 {
            tasks.push(submit(&daemon, PLANTED, ("acme", "ann"), None));
        }
        let tasks = futures::future::join_all(tasks).await;
        let other = submit(&daemon, PLANTED, ("acme", "bob"), None).await;
        let (status, begun) = daemon.post("/factory/erasures", &json!({"user": "ann"})).await;
        assert_eq!((status, &begun["state"]), (202, &json!("running")), "{begun}");
        let path = format!("/factory/erasures/{}", begun["erasure_id"].as_str().expect("an id"));
        // At another place each time: before anything was deleted, and when some was.
        until("some was deleted", async || {
            let (_, told) = daemon.get(&path).await;
            (told["deleted"]["tasks"].as_u64() >= Some(round * 8)).then_some(())
        })
        .await;
        daemon.kill9();
        daemon.start_again().await;
        let done = until("the erasure is done", async || {
            let (_, told) = daemon.get(&path).await;
            (told["state"] == "done").then_some(told)
        })
        .await;
        assert_eq!(done["deleted"]["tasks"], json!(30), "each counted once: {done}");
        assert_eq!(done["receipt"]["receipt"]["method"], json!("keys_destroyed"));
        for task in tasks {
            assert_eq!(status_of(&daemon, &format!("/factory/tasks/{}", task.task_id)).await, 404);
        }
        assert_eq!(daemon.finished(&other.task_id).await.output, other.output);
    }
    let (_, encryption) = daemon.get("/factory/encryption").await;
    assert_eq!(encryption["keys"]["damaged"], json!(0));
}

#[tokio::test]
async fn nobody_is_erased_by_mistake() {
    let daemon = Daemon::start(Workshop::with(&Provider::echo().await, "").worker(json!({}))).await;
    let task = submit(&daemon, PLANTED, ("acme", "ann"), None).await;
    for (arguments, why) in [
        (&["erase"][..], "--tenant"),
        (&["erase", "--tenant", "acme"], "--yes"),
        (&["erase", "--tenant", "no such name!", "--yes"], "tenant"),
    ] {
        let refused = daemon.ctl(arguments).await;
        assert!(refused.code == Some(2) && refused.err.contains(why), "{arguments:?}: {}", refused.err);
    }
    for body in [json!({}), json!({"tenant": ""}), json!({"tenants": "acme"})] {
        assert_eq!(daemon.post("/factory/erasures", &body).await.0, 400, "{body}");
    }
    for id in ["erasure-00000000000000000000000000000000", "task-1", "x"] {
        assert_eq!(status_of(&daemon, &format!("/factory/erasures/{id}")).await, 404);
    }
    let unfound = daemon.ctl(&["erase", "show", "erasure-00000000000000000000000000000000"]).await;
    assert_eq!(unfound.code, Some(1));
    assert_eq!(daemon.client.task(&task.task_id, Duration::ZERO).await.expect("a task").output, task.output);
    assert!(listed(&daemon, "erasures").await.is_empty());
}
