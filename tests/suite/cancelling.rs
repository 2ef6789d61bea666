//! A cancelled task ends at once, with everything that it delegated, and what it used is booked.

use agent_factory::protocol::task::{Task, TaskState};
use serde_json::{Value, json};

use crate::harness::{Daemon, Gate, Provider, Reply, Workshop, code};

fn priced() -> Value {
    json!({"model": {"route": "priced", "max_output_tokens": 64}})
}

async fn silent() -> Provider {
    Provider::start(|_| Reply::Silence).await
}

async fn nothing_is_held(daemon: &Daemon, spent: &str) {
    assert_eq!(daemon.settled("global").await.spent_usd, spent);
}

#[tokio::test]
async fn a_running_task_is_cut_off_and_its_call_booked() {
    let provider = silent().await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(priced())).await;
    let task = daemon.submit("worker", "hello").await;
    provider.was_asked(1).await;
    daemon.client.cancel(&task.task_id).await.expect("cancelled");
    let task = daemon.finished(&task.task_id).await;
    assert_eq!((task.state, task.steps[0].state.as_str()), (TaskState::Cancelled, "in_doubt"));
    assert_ne!(task.cost_usd, "0.00");
    nothing_is_held(&daemon, &task.cost_usd).await;
    assert_eq!(code(daemon.client.cancel(&task.task_id).await), (409, "task_ended".to_owned()));
    assert_eq!(daemon.finished(&task.task_id).await, task, "which changes nothing");
}

#[tokio::test]
async fn a_task_that_waits_for_its_agent_ends_without_a_call() {
    let provider = silent().await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(priced())).await;
    let (_, agent) = daemon.post("/factory/agents", &json!({"template_name": "worker"})).await;
    let mut ids = Vec::new();
    for text in ["first", "second"] {
        let (_, task) = daemon.post("/factory/tasks", &json!({"agent_id": agent["agent_id"], "input": text})).await;
        ids.push(task["task_id"].as_str().expect("an id").to_owned());
        provider.was_asked(1).await;
    }
    daemon.client.cancel(&ids[1]).await.expect("cancelled");
    let second = daemon.finished(&ids[1]).await;
    assert_eq!((second.state, second.cost_usd.as_str(), second.steps.len()), (TaskState::Cancelled, "0.00", 0));
    daemon.client.cancel(&ids[0]).await.expect("cancelled");
    let first = daemon.finished(&ids[0]).await;
    assert_eq!(provider.count(), 1);
    nothing_is_held(&daemon, &first.cost_usd).await;
}

#[tokio::test]
async fn cancelling_reaches_what_was_delegated() {
    let provider = silent().await;
    let workshop = Workshop::with(&provider, "").worker(priced());
    let step = |id: &str| json!({"id": id, "template": "worker", "input": id});
    let last = json!({"id": "last", "template": "worker", "needs": ["left", "right"], "input": "last"});
    let plan = json!({"steps": [step("left"), step("right"), last], "aggregate": {"mode": "step", "step": "last"}});
    workshop.template("boss", json!({"kind": "orchestrator", "plan": plan}));
    let daemon = Daemon::start(workshop).await;
    let boss = daemon.submit("boss", "go").await;
    provider.was_asked(2).await;
    daemon.client.cancel(&boss.task_id).await.expect("cancelled");

    let boss = daemon.finished(&boss.task_id).await;
    assert_eq!((boss.state, boss.steps.len()), (TaskState::Cancelled, 2), "{boss:?}");
    let mut children: Vec<Task> = Vec::new();
    for step in &boss.steps {
        children.push(daemon.finished(step.task_id.as_deref().expect("a subtask")).await);
    }
    assert!(children.iter().all(|child| child.state == TaskState::Cancelled), "{children:?}");
    assert_eq!(provider.count(), 2, "nothing was called after that");
    nothing_is_held(&daemon, &boss.cost_usd).await;
}

#[tokio::test]
async fn a_cancellation_outlives_kill_9() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::start(move |_| Reply::echo_behind(&held)).await;
    let mut daemon = Daemon::start(Workshop::with(&provider, "").worker(priced())).await;
    let task = daemon.submit("worker", "hello").await;
    provider.was_asked(1).await;
    daemon.client.cancel(&task.task_id).await.expect("cancelled");
    daemon.kill9();
    daemon.start_again().await;
    gate.open();
    assert_eq!(daemon.finished(&task.task_id).await.state, TaskState::Cancelled);
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn a_task_ends_at_its_deadline() {
    let provider = silent().await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(priced())).await;
    let deadline = agent_factory::domain::clock::Timestamp::now().after(std::time::Duration::from_millis(500));
    let work = json!({"template_name": "worker", "input": "hello", "deadline": deadline.to_string()});
    let (status, task) = daemon.post("/factory/tasks?wait=20s", &work).await;
    assert_eq!((status, &task["state"]), (200, &json!("failed")), "{task}");
    assert_eq!(task["error"]["code"], "deadline_exceeded");
    nothing_is_held(&daemon, task["cost_usd"].as_str().expect("an amount")).await;
}

#[tokio::test]
async fn of_cancellations_at_the_same_moment_all_are_answered_and_one_is_on_record() {
    let provider = silent().await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(priced())).await;
    for round in 1..=5 {
        let task = daemon.submit("worker", "hello").await;
        provider.was_asked(round).await;
        let asked = (0..8).map(|_| daemon.client.cancel(&task.task_id));
        let (told, late): (Vec<_>, Vec<_>) =
            futures::future::join_all(asked).await.into_iter().partition(Result::is_ok);
        assert!(!told.is_empty());
        assert!(told.iter().flatten().all(|told| told.task_id == task.task_id));
        for answer in late {
            assert_eq!(code(answer), (409, "task_ended".to_owned()), "round {round}");
        }
        let ended = daemon.finished(&task.task_id).await;
        assert_eq!((ended.state, ended.steps.len()), (TaskState::Cancelled, 1));
        let events = daemon.client.task_events(&task.task_id).await.expect("events").items;
        assert_eq!(events.len(), 5, "submitted, started, cancel requested, in doubt, ended: {events:?}");
        assert_eq!(code(daemon.client.cancel(&task.task_id).await), (409, "task_ended".to_owned()));
    }
}
