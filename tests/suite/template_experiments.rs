//! Experiments: tasks are shared out among versions of a template, what becomes of them is compared, and what is clearly worse is
//! halted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use agent_factory::client::Call;
use agent_factory::protocol::experiment::{Experiment, StartExperiment, Variant};
use agent_factory::protocol::task::{SubmitTask, Task};
use agent_factory::protocol::template::RollBack;
use serde_json::json;

use crate::harness::{Daemon, Provider, Reply, Workshop, code, until};

const GOOD: &str = "Answer.";
const BAD: &str = "Fail.";

/// A provider that answers, unless the model is told to fail.
async fn provider() -> Provider {
    Provider::start(|asked| if asked.system() == BAD { Reply::Status(400, None) } else { Reply::Echo }).await
}

/// A daemon that has published 1.0.0, which answers, and 1.1.0, whose prompt is this.
async fn daemon(provider: &Provider, prompt: &str) -> Daemon {
    let daemon = Daemon::start(Workshop::with(provider, "").worker(json!({"system_prompt": GOOD}))).await;
    daemon.workshop.template("worker", json!({"version": "1.1.0", "system_prompt": prompt}));
    serves(&daemon, "1.1.0").await;
    daemon
}

async fn serves(daemon: &Daemon, version: &str) {
    until("the version is live", async || {
        daemon.client.template("worker").await.ok().filter(|template| template.version == version)
    })
    .await;
}

fn shares(versions: &[(&str, f64)]) -> StartExperiment {
    let versions = versions.iter().map(|(version, share)| ((*version).to_owned(), *share)).collect();
    StartExperiment { versions, ..StartExperiment::default() }
}

async fn start(daemon: &Daemon, versions: &[(&str, f64)]) -> Experiment {
    daemon.client.start_experiment("worker", &shares(versions)).await.expect("an experiment")
}

async fn report(daemon: &Daemon) -> Experiment {
    daemon.client.experiment("worker").await.expect("a report")
}

/// Runs a task for a user.
async fn run_for(daemon: &Daemon, user: &str) -> Task {
    let submission = SubmitTask {
        template_name: Some("worker".into()),
        input: "x".into(),
        user: Some(user.into()),
        ..SubmitTask::default()
    };
    daemon.client.submit(&submission, None, Duration::from_secs(60)).await.expect("a task")
}

/// The version that each user's task gets.
async fn versions_of(daemon: &Daemon, users: std::ops::Range<u32>) -> BTreeMap<u32, String> {
    let mut versions = BTreeMap::new();
    for user in users {
        versions.insert(user, run_for(daemon, &format!("user{user}")).await.template_version);
    }
    versions
}

/// The versions of the first users, of whom there are as many as it takes until both versions are among them.
async fn versions_of_some(daemon: &Daemon) -> BTreeMap<u32, String> {
    let mut versions = versions_of(daemon, 0..6).await;
    while versions.values().collect::<BTreeSet<_>>().len() < 2 {
        let next = u32::try_from(versions.len()).expect("few");
        assert!(next < 200, "one version gets all: {versions:?}");
        versions.append(&mut versions_of(daemon, next..next + 1).await);
    }
    versions
}

fn users(versions: &BTreeMap<u32, String>) -> std::ops::Range<u32> {
    0..u32::try_from(versions.len()).expect("few")
}

fn totals(experiment: &Experiment) -> Vec<(String, u64, u64, u64, u64)> {
    let of = |v: &Variant| (v.version.clone(), v.tasks, v.succeeded, v.failed, v.cancelled);
    experiment.variants.iter().map(of).collect()
}

#[tokio::test]
async fn users_keep_their_version_also_across_kill_9_and_every_task_counts_once() {
    let provider = provider().await;
    let mut daemon = daemon(&provider, GOOD).await;
    let started = start(&daemon, &[("1.0.0", 0.5), ("1.1.0", 0.5)]).await;
    assert_eq!((started.state.as_str(), started.control.as_str(), started.halt), ("running", "1.0.0", true));

    let before = versions_of_some(&daemon).await;
    daemon.kill9();
    daemon.start_again().await;
    assert_eq!(versions_of(&daemon, users(&before)).await, before);

    let report = report(&daemon).await;
    assert_eq!(report.id, started.id);
    for variant in &report.variants {
        let users = before.values().filter(|version| **version == variant.version).count();
        let tasks = u64::try_from(users * 2).expect("few");
        assert_eq!((variant.tasks, variant.succeeded, variant.failed), (tasks, tasks, 0), "{variant:?}");
        assert_eq!(variant.in_flight, 0);
        assert!(variant.latency_p95_ms.is_some() && variant.cost_usd.is_some());
    }
}

#[tokio::test]
async fn a_version_that_is_clearly_worse_is_halted_and_its_users_alone_move() {
    let provider = provider().await;
    let mut daemon = daemon(&provider, BAD).await;
    let mut events = daemon.client.events().await.expect("events");
    start(&daemon, &[("1.0.0", 0.5), ("1.1.0", 0.5)]).await;
    let before = versions_of(&daemon, 0..10).await;
    // 50 tasks of each show it: all of one succeed, all of the other fail.
    let mut user = 100;
    let halted = loop {
        assert!(user < 600, "it is not halted: {:?}", report(&daemon).await);
        versions_of(&daemon, user..user + 20).await;
        user += 20;
        let report = report(&daemon).await;
        if report.variants[1].state == "halted" {
            break report;
        }
    };
    let worse = &halted.variants[1];
    assert!(worse.reasons[0].contains("success") && worse.reasons[0].contains("1.0.0"), "{:?}", worse.reasons);
    assert_eq!(halted.variants[0].state, "running");
    crate::harness::within("the news of the halt", async {
        while events.next().await.expect("an event").expect("an event").kind != "experiment_variant_halted" {}
    })
    .await;
    let (_, audit) = daemon.get("/factory/audit?limit=1000").await;
    let entries = audit["items"].as_array().expect("entries");
    let entry = entries.iter().find(|entry| entry["action"] == "halt_experiment_variant").expect("on record");
    assert_eq!(entry["subject"], "worker 1.1.0", "{entry}");
    assert!(daemon.metrics().await.contains("factory_experiment_halts_total 1"));

    for _round in ["at once", "after a restart"] {
        for (user, version) in versions_of(&daemon, 0..10).await {
            assert_eq!(version, "1.0.0", "user {user}, who had {}", before[&user]);
        }
        daemon.kill9();
        daemon.start_again().await;
    }
    assert_eq!(report(&daemon).await.variants[1].state, "halted");
}

#[tokio::test]
async fn what_cannot_be_compared_is_refused_and_changes_nothing() {
    let provider = provider().await;
    let daemon = daemon(&provider, GOOD).await;
    assert_eq!(code(daemon.client.experiment("worker").await), (404, "experiment_not_found".into()));
    assert_eq!(code(daemon.client.end_experiment("worker").await), (404, "experiment_not_found".into()));
    let half = [("1.0.0", 0.5), ("1.1.0", 0.5)];
    let running = start(&daemon, &half).await;
    for (versions, status, refusal) in [
        (&[("1.0.0", 1.0)][..], 400, "experiment_invalid"),
        (&[("1.0.0", 0.5), ("1.1.0", 0.6)], 400, "experiment_invalid"),
        (&[("1.0.0", 1.5), ("1.1.0", -0.5)], 400, "experiment_invalid"),
        (&[("1.0.0", 0.5), ("1.2.0", 0.5)], 404, "experiment_version_not_found"),
    ] {
        let answer = daemon.client.start_experiment("worker", &shares(versions)).await;
        assert_eq!(code(answer), (status, refusal.into()), "{versions:?}");
    }
    let stray = StartExperiment { control: Some("9.9.9".into()), ..shares(&half) };
    assert_eq!(code(daemon.client.start_experiment("worker", &stray).await), (400, "experiment_invalid".into()));
    let told = daemon.ctl(&["templates", "experiment", "worker", "--set", "1.1.0=0.9", "--set", "1.1.0=0.1"]).await;
    assert!(told.code == Some(2) && told.err.contains("1.1.0 twice"), "{}", told.err);
    let nobody = daemon.client.start_experiment("nobody", &shares(&half)).await;
    assert_eq!(code(nobody), (404, "template_not_found".into()));
    assert_eq!(report(&daemon).await, running);
}

#[tokio::test]
async fn an_experiment_that_ends_leaves_its_report_and_another_begins_anew() {
    let provider = provider().await;
    let mut daemon = daemon(&provider, GOOD).await;
    let first = start(&daemon, &[("1.0.0", 0.5), ("1.1.0", 0.5)]).await;
    versions_of(&daemon, 0..4).await;
    let ended = daemon.client.end_experiment("worker").await.expect("ended");
    assert_eq!((ended.state.as_str(), ended.ended_because.as_deref()), ("ended", Some("stopped")));
    assert!(versions_of(&daemon, 0..6).await.values().all(|version| version == "1.1.0"), "the one that is served");
    daemon.kill9();
    daemon.start_again().await;
    let last = report(&daemon).await;
    assert_eq!((last.id.as_str(), totals(&last)), (first.id.as_str(), totals(&ended)));
    assert_eq!(last.variants.iter().map(|variant| variant.tasks).sum::<u64>(), 4);

    let second = start(&daemon, &[("1.0.0", 0.9), ("1.1.0", 0.1)]).await;
    assert_ne!(second.id, first.id);
    assert!(second.variants.iter().all(|variant| variant.tasks == 0));
}

#[tokio::test]
async fn a_retried_task_and_a_second_judgement_count_once() {
    let provider = provider().await;
    let daemon = daemon(&provider, BAD).await;
    start(&daemon, &[("1.0.0", 0.000_000_1), ("1.1.0", 0.999_999_9)]).await;
    let failed = run_for(&daemon, "ann").await;
    assert_eq!(failed.template_version, "1.1.0");
    let retried = daemon.client.exchange(&Call::post(format!("/factory/tasks/{}/retry", failed.task_id))).await;
    assert_eq!(retried.expect("an answer").status(), 200);
    daemon.finished(&failed.task_id).await;
    for score in [0.0, 1.0] {
        let (status, told) =
            daemon.post(&format!("/factory/tasks/{}/feedback", failed.task_id), &json!({"score": score})).await;
        assert_eq!(status, 200, "{told}");
    }
    let variant = &report(&daemon).await.variants[1];
    assert_eq!((variant.tasks, variant.failed, variant.in_flight, variant.judged), (1, 1, 0, 1), "{variant:?}");
    assert_eq!(variant.feedback.map(|feedback| feedback.value), Some(0.0));
}

#[tokio::test]
async fn a_version_whose_key_is_no_longer_trusted_gets_no_more_tasks() {
    let provider = provider().await;
    let workshop = Workshop::with(&provider, "");
    let daemon = Daemon::start(workshop.worker(json!({"system_prompt": GOOD}))).await;
    daemon.workshop.template("worker", json!({"version": "1.1.0"}));
    serves(&daemon, "1.1.0").await;
    start(&daemon, &[("1.0.0", 0.5), ("1.1.0", 0.5)]).await;
    let before = versions_of_some(&daemon).await;

    // 1.2.0 is signed with a second key; then the first one goes.
    let id = "second".parse().expect("a key id");
    let algorithm = agent_factory::control_plane::template::Algorithm::Ed25519;
    let pair = agent_factory::control_plane::template::keys::generate(&id, algorithm, &daemon.workshop.path("more"));
    let pair = pair.expect("a key");
    std::fs::copy(&pair.public, daemon.workshop.path("keys/second.pub.pem")).expect("copied");
    let file = daemon.workshop.unsigned_template("worker", json!({"version": "1.2.0"}));
    agent_factory::control_plane::template::signing::sign_file(&file, &pair.private).expect("signed");
    serves(&daemon, "1.2.0").await;
    assert_eq!(versions_of(&daemon, users(&before)).await, before, "an edit does not change the experiment");
    std::fs::remove_file(daemon.workshop.path("keys/suite.pub.pem")).expect("removed");
    until("the versions may not run", async || {
        let report = report(&daemon).await;
        report.variants.iter().all(|variant| variant.state == "not_allowed").then_some(())
    })
    .await;
    assert!(
        versions_of(&daemon, users(&before)).await.values().all(|version| version == "1.2.0"),
        "the one that is served"
    );
}

#[tokio::test]
async fn going_back_wins_over_an_experiment_and_ends_it() {
    let provider = provider().await;
    let daemon = daemon(&provider, GOOD).await;
    start(&daemon, &[("1.0.0", 0.5), ("1.1.0", 0.5)]).await;
    let before = versions_of_some(&daemon).await;
    let back = RollBack { version: Some("1.0.0".into()), ..RollBack::default() };
    daemon.client.roll_back("worker", &back).await.expect("rolled back");
    assert!(versions_of(&daemon, users(&before)).await.values().all(|version| version == "1.0.0"));
    let ended = report(&daemon).await;
    assert_eq!((ended.state.as_str(), ended.ended_because.as_deref()), ("ended", Some("rolled_back")));
    let again = daemon.client.start_experiment("worker", &shares(&[("1.0.0", 0.5), ("1.1.0", 0.5)])).await;
    assert_eq!(code(again), (409, "experiment_while_rolled_back".into()));
    let (_, audit) = daemon.get("/factory/audit?limit=1000").await;
    let entries = audit["items"].as_array().expect("entries");
    let refused = entries.iter().rfind(|entry| entry["action"] == "start_experiment").expect("on record");
    assert_eq!((&refused["outcome"], &refused["subject"]), (&json!("refused"), &json!("worker")), "{refused}");
    assert_eq!(refused["code"], "experiment_while_rolled_back", "{refused}");
    daemon.client.lift_rollback("worker").await.expect("lifted");
    start(&daemon, &[("1.0.0", 0.5), ("1.1.0", 0.5)]).await;
}

#[tokio::test]
async fn subtasks_of_one_task_get_one_version() {
    let provider = provider().await;
    let daemon = daemon(&provider, GOOD).await;
    let step = |id: &str| json!({"id": id, "template": "worker", "input": "{{input}}"});
    let plan = json!({"steps": [step("a"), step("b"), step("c")], "aggregate": {"mode": "concat"}});
    let file = daemon.workshop.write(
        "templates/chief.json",
        &json!({"name": "chief", "version": "1.0.0", "kind": "orchestrator", "description": "x", "system_prompt": "Plan.", "plan": plan,
            "limits": {"depth": 2, "fan_out": 4}})
        .to_string(),
    );
    daemon.workshop.sign(&file);
    until("the plan is live", async || daemon.client.template("chief").await.ok()).await;
    start(&daemon, &[("1.0.0", 0.5), ("1.1.0", 0.5)]).await;
    let mut seen = BTreeSet::new();
    for _task in 0..8 {
        let task = daemon.run("chief", "x").await;
        let mut versions = BTreeSet::new();
        for step in &task.steps {
            let child = daemon.finished(step.task_id.as_deref().expect("a subtask")).await;
            versions.insert(child.template_version);
        }
        assert_eq!(versions.len(), 1, "{versions:?}");
        seen.append(&mut versions);
    }
    let report = report(&daemon).await;
    assert_eq!(report.variants.iter().map(|variant| variant.succeeded).sum::<u64>(), 24);
    let of_user = |report: &Experiment| report.variants.iter().map(|variant| variant.tasks).collect::<Vec<_>>();
    assert_eq!(of_user(&report).iter().filter(|tasks| **tasks > 0).count(), seen.len());
}

#[tokio::test]
async fn the_command_line_starts_shows_and_stops_it() {
    let provider = provider().await;
    let daemon = daemon(&provider, GOOD).await;
    let set = ["templates", "experiment", "worker", "--set", "1.0.0=0.9", "--set", "1.1.0=0.1", "--control", "1.1.0"];
    let started = daemon.ctl(&set).await;
    assert_eq!(started.code, Some(0), "{}", started.err);
    versions_of(&daemon, 0..3).await;
    let shown = daemon.ctl(&["templates", "experiment", "worker"]).await;
    for part in ["running", "1.0.0", "90.0 %", "1.1.0 *", "100.0 %"] {
        assert!(shown.out.contains(part), "{part}: {}", shown.out);
    }
    let stopped = daemon.ctl(&["templates", "experiment", "worker", "--stop", "--json"]).await;
    let stopped: Experiment = serde_json::from_str(&stopped.out).expect("a document");
    assert_eq!(stopped.state, "ended");
    assert_eq!(daemon.ctl(&["templates", "experiment", "worker", "--stop"]).await.code, Some(1));
}
