//! Plans: three workers and one report, and the same after a power cut in the middle.

use std::collections::BTreeMap;

use agent_factory::domain::money::Usd;
use agent_factory::protocol::task::{Task, TaskState};
use serde_json::json;

use crate::harness::{Asked, Daemon, Gate, Provider, Reply, Workshop};

/// Sends what the shipped workers are asked to the test's provider.
const ROUTES: &str = "implementation = [\"mock/priced\"]\nsecurity_audit = [\"mock/priced\"]";
const DOCUMENT: &str = include_str!("../../docs/operations.md");

async fn children(daemon: &Daemon, parent: &Task) -> BTreeMap<String, Task> {
    let mut children = BTreeMap::new();
    for step in &parent.steps {
        let child = daemon.finished(step.task_id.as_deref().expect("a subtask")).await;
        assert_eq!(child.parent_id.as_deref(), Some(parent.task_id.as_str()));
        children.insert(step.name.clone(), child);
    }
    children
}

/// The tree of costs: a parent's is its children's, its steps' and what the books say.
async fn costs_add_up(daemon: &Daemon, parent: &Task, children: &BTreeMap<String, Task>) {
    let sum = |costs: Vec<&String>| costs.into_iter().map(|cost| cost.parse::<Usd>().expect("an amount")).sum::<Usd>();
    assert_eq!(sum(children.values().map(|child| &child.cost_usd).collect()).to_string(), parent.cost_usd);
    for step in &parent.steps {
        assert_eq!(step.cost_usd, children[&step.name].cost_usd, "{}", step.name);
    }
    assert_eq!(daemon.settled("global").await.spent_usd, parent.cost_usd);
}

/// Which part of the plan a call is for.
fn part(call: &Asked) -> &'static str {
    if call.prompt().contains("Write one report from these three pieces") {
        "report"
    } else if call.system().contains("analyst") {
        "facts"
    } else if call.system().contains("audit") {
        "risks"
    } else {
        "notes"
    }
}

fn said(call: &Asked) -> Reply {
    Reply::Say(match part(call) {
        "report" => "THE REPORT",
        "facts" => "THE FACTS",
        "risks" => "THE RISKS",
        _ => "THE NOTES",
    })
}

fn calls(provider: &Provider) -> BTreeMap<&'static str, usize> {
    provider.asked().iter().fold(BTreeMap::new(), |mut counts, call| {
        *counts.entry(part(call)).or_default() += 1;
        counts
    })
}

#[tokio::test]
async fn the_shipped_coordinator_has_three_workers_and_one_report() {
    let workshop = Workshop::new("").shipped();
    workshop.write("document.md", DOCUMENT);
    let daemon = Daemon::start(workshop).await;
    let ran = daemon.ctl(&["run", "coordinateur", "--file", "document.md", "--json"]).await;
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let task: Task = serde_json::from_value(ran.json()).expect("a task");
    let names: Vec<&str> = task.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["facts", "notes", "risks", "report"]);
    let children = children(&daemon, &task).await;
    assert!(children.values().all(|child| child.state == TaskState::Succeeded && child.output.is_string()));
    assert_eq!(task.output, children["report"].output);
    costs_add_up(&daemon, &task, &children).await;
    let shown = daemon.ctl(&["tasks", "show", &task.task_id]).await;
    assert!(["facts", "notes", "risks", "report"].iter().all(|name| shown.out.contains(name)), "{}", shown.out);
}

#[tokio::test]
async fn the_report_is_made_from_the_three_results() {
    let provider = Provider::start(said).await;
    let daemon = Daemon::start(Workshop::with(&provider, ROUTES).shipped()).await;
    let task = daemon.run("coordinateur", DOCUMENT).await;
    assert_eq!((task.state, &task.output), (TaskState::Succeeded, &json!("THE REPORT")), "{task:?}");
    assert_eq!(calls(&provider), BTreeMap::from([("facts", 1), ("notes", 1), ("report", 1), ("risks", 1)]));
    let asked = provider.asked();
    let report = asked.last().expect("a call");
    assert!(["THE FACTS", "THE NOTES", "THE RISKS"].iter().all(|piece| report.prompt().contains(piece)));
    costs_add_up(&daemon, &task, &children(&daemon, &task).await).await;
}

/// Kills the daemon while this part's first call is held, once all that can be done beside it is done.
async fn killed_during(held: &'static str, done_before: usize) -> (Daemon, Provider, Task) {
    let gate = Gate::closed();
    let closed = gate.clone();
    let provider = Provider::start(move |call| {
        let reply = said(call);
        if part(call) == held { Reply::Held(closed.clone(), Box::new(reply)) } else { reply }
    })
    .await;
    let mut daemon = Daemon::start(Workshop::with(&provider, ROUTES).shipped()).await;
    let task = daemon.submit("coordinateur", DOCUMENT).await;
    provider.was_asked(done_before + 1).await;
    crate::harness::until("the others are on record", async || {
        let task = daemon.client.task(&task.task_id, std::time::Duration::ZERO).await.expect("a task");
        (task.steps.iter().filter(|step| step.state == "finished").count() == done_before).then_some(())
    })
    .await;
    daemon.kill9();
    daemon.start_again().await;
    gate.open();
    let ended = daemon.finished(&task.task_id).await;
    assert_eq!((ended.state, &ended.output), (TaskState::Succeeded, &json!("THE REPORT")), "{ended:?}");
    (daemon, provider, ended)
}

async fn only_the_interrupted_call_is_repeated(held: &'static str, done_before: usize) {
    let (daemon, provider, task) = killed_during(held, done_before).await;
    let expected = ["facts", "notes", "report", "risks"].map(|part| (part, if part == held { 2 } else { 1 }));
    assert_eq!(calls(&provider), BTreeMap::from(expected));
    let children = children(&daemon, &task).await;
    for (name, child) in &children {
        let states: Vec<&str> = child.steps.iter().map(|step| step.state.as_str()).collect();
        let expected: &[&str] = if name == held { &["in_doubt", "finished"] } else { &["finished"] };
        assert_eq!(states, expected, "{name}");
    }
    costs_add_up(&daemon, &task, &children).await;
}

#[tokio::test]
async fn kill_9_during_a_worker_repeats_no_finished_step() {
    only_the_interrupted_call_is_repeated("risks", 2).await;
}

#[tokio::test]
async fn kill_9_during_the_report_repeats_no_finished_step() {
    only_the_interrupted_call_is_repeated("report", 3).await;
}

#[tokio::test]
async fn a_worker_that_fails_twice_ends_the_plan_and_one_that_may_be_skipped_does_not() {
    let provider = Provider::start(|call| if part(call) == "risks" { Reply::Nonsense } else { said(call) }).await;
    let daemon = Daemon::start(Workshop::with(&provider, ROUTES).shipped()).await;
    let task = daemon.run("coordinateur", DOCUMENT).await;
    assert_eq!(task.state, TaskState::Succeeded, "risks are on_failure: skip; {task:?}");
    assert_eq!(calls(&provider), BTreeMap::from([("facts", 1), ("notes", 1), ("report", 1), ("risks", 1)]));

    let provider = Provider::start(|call| if part(call) == "facts" { Reply::Nonsense } else { said(call) }).await;
    let daemon = Daemon::start(Workshop::with(&provider, ROUTES).shipped()).await;
    let task = daemon.run("coordinateur", DOCUMENT).await;
    assert_eq!(
        (task.state, task.error.map(|error| error.code).as_deref()),
        (TaskState::Failed, Some("provider_nonsense"))
    );
    assert_eq!(calls(&provider).get("facts"), Some(&2), "facts are on_failure: retry");
    assert_eq!(calls(&provider).get("report"), None);
}

#[tokio::test]
async fn a_plan_spends_no_more_than_its_own_limit() {
    let provider = Provider::start(said).await;
    let workshop = Workshop::with(&provider, "").worker(json!({"model": {"route": "priced", "max_output_tokens": 64}}));
    let step = |id: &str, needs: &[&str]| json!({"id": id, "template": "worker", "needs": needs, "input": "x"});
    let plan = json!({"steps": [step("a", &[]), step("b", &["a"])], "aggregate": {"mode": "step", "step": "b"}});
    workshop.template("boss", json!({"kind": "orchestrator", "plan": plan, "limits": {"budget_usd": "0.0004"}}));
    let daemon = Daemon::start(workshop).await;
    let task = daemon.run("boss", "x").await;
    assert_eq!(task.error.as_ref().map(|error| error.code.as_str()), Some("budget_exceeded"), "{task:?}");
    assert_eq!((task.cost_usd.as_str(), provider.count()), (crate::harness::COST, 1));
    assert_eq!(daemon.settled("global").await.spent_usd, task.cost_usd);
    let shown = daemon.ctl(&["tasks", "show", &task.task_id]).await;
    assert!(
        shown.out.contains("budget_exceeded"),
        "a subtask that was never submitted is no reason not to show: {}{}",
        shown.out,
        shown.err
    );
}
