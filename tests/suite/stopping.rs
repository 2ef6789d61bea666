//! SIGTERM drains: nothing new is taken, what runs is finished, and the exit status is 0.

use agent_factory::client::Call;
use agent_factory::protocol::task::{Task, TaskState};
use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Daemon, Gate, Provider, Reply, Workshop, raw, until};

async fn held() -> (Provider, Gate) {
    let gate = Gate::closed();
    let closed = gate.clone();
    (Provider::start(move |_| Reply::echo_behind(&closed)).await, gate)
}

#[tokio::test]
async fn a_running_task_is_finished_before_the_daemon_ends() {
    let (provider, gate) = held().await;
    let mut daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let task = daemon.submit("worker", "hello").await;
    provider.was_asked(1).await;
    daemon.signal(Signal::TERM);
    until("it says that it drains", async || (daemon.get("/ready").await.0 == 503).then_some(())).await;
    let (status, problem) = daemon.post("/factory/tasks", &json!({"template_name": "worker", "input": "more"})).await;
    assert_eq!((status, &problem["code"]), (503, &json!("draining")));
    let (status, problem) = daemon.post("/factory/agents", &json!({"template_name": "worker"})).await;
    assert_eq!((status, &problem["code"]), (503, &json!("draining")));
    assert_eq!(daemon.get(&format!("/factory/tasks/{}", task.task_id)).await.0, 200, "questions are still answered");

    gate.open();
    assert_eq!(daemon.ended().await.code(), Some(0));
    daemon.start_again().await;
    let task = daemon.finished(&task.task_id).await;
    assert_eq!((task.state, task.output, provider.count()), (TaskState::Succeeded, json!("echo: hello"), 1));
}

#[tokio::test]
async fn who_waits_for_a_task_is_answered_before_the_daemon_ends() {
    let (provider, gate) = held().await;
    let mut daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let client = daemon.client.clone();
    let task = daemon.submit("worker", "hello").await;
    provider.was_asked(1).await;
    let waiting = client.task(&task.task_id, crate::harness::PATIENCE);
    let stopping = async {
        daemon.signal(Signal::TERM);
        until("it drains", async || (daemon.get("/ready").await.0 == 503).then_some(())).await;
        gate.open();
        daemon.ended().await
    };
    let (answered, status) = tokio::join!(waiting, stopping);
    assert_eq!((answered.expect("an answer").state, status.code()), (TaskState::Succeeded, Some(0)));
}

#[tokio::test]
async fn what_does_not_end_within_the_grace_goes_on_at_the_next_start() {
    let (provider, gate) = held().await;
    let workshop = Workshop::with(&provider, "[api]\ndrain_grace = \"200ms\"\n").worker(json!({}));
    let mut daemon = Daemon::start(workshop).await;
    let task = daemon.submit("worker", "hello").await;
    provider.was_asked(1).await;
    assert_eq!(daemon.stop().await.code(), Some(0));
    gate.open();
    daemon.start_again().await;
    let task = daemon.finished(&task.task_id).await;
    assert_eq!((task.state, provider.count()), (TaskState::Succeeded, 2), "{task:?}");
}

/// So long that a drain that waited for it would fail the test.
const GRACE: &str = "[api]\ndrain_grace = \"10m\"\n";

#[tokio::test]
async fn a_second_signal_ends_the_drain_at_once_and_tasks_go_on_at_the_next_start() {
    for again in [Signal::TERM, Signal::INT] {
        let (provider, gate) = held().await;
        let mut daemon = Daemon::start(Workshop::with(&provider, GRACE).worker(json!({}))).await;
        let task = daemon.submit("worker", "hello").await;
        provider.was_asked(1).await;
        daemon.signal(Signal::TERM);
        until("it drains", async || (daemon.get("/ready").await.0 == 503).then_some(())).await;
        daemon.signal(again);
        assert_eq!(daemon.ended().await.code(), Some(0), "{again:?}");
        assert!(!daemon.workshop.log().contains("ERROR"), "{}", daemon.workshop.log());
        gate.open();
        daemon.start_again().await;
        let task = daemon.finished(&task.task_id).await;
        assert_eq!((task.state, provider.count()), (TaskState::Succeeded, 2), "{task:?}");
    }
}

#[tokio::test]
async fn who_waits_is_told_how_far_the_task_is_also_when_the_drain_is_cut_short() {
    let (provider, _gate) = held().await;
    let mut daemon = Daemon::start(Workshop::with(&provider, GRACE).worker(json!({}))).await;
    let client = daemon.client.clone();
    let work = Call::post("/factory/tasks").json(&json!({"template_name": "worker", "input": "hello"}));
    let work = work.expect("JSON").waiting(std::time::Duration::from_secs(60));
    let stopping = async {
        provider.was_asked(1).await;
        daemon.signal(Signal::TERM);
        until("it drains", async || (daemon.get("/ready").await.0 == 503).then_some(())).await;
        daemon.signal(Signal::TERM);
        daemon.ended().await
    };
    let (answered, status) = tokio::join!(client.exchange(&work), stopping);
    assert_eq!((answered.expect("an answer, not a broken connection").status(), status.code()), (202, Some(0)));
}

#[tokio::test]
async fn who_is_refused_during_the_drain_is_told_when_to_come_back() {
    let (provider, gate) = held().await;
    let mut daemon = Daemon::start(Workshop::with(&provider, GRACE).worker(json!({}))).await;
    daemon.submit("worker", "hello").await;
    provider.was_asked(1).await;
    daemon.signal(Signal::TERM);
    until("it drains", async || (daemon.get("/ready").await.0 == 503).then_some(())).await;
    let body = json!({"template_name": "worker", "input": "more"}).to_string();
    let head = "POST /factory/tasks HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json";
    let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let refused = raw(&daemon.workshop.socket(), request.as_bytes()).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "draining"));
    assert!(refused.head.contains("\r\nretry-after: "), "{}", refused.head);
    gate.open();
    assert_eq!(daemon.ended().await.code(), Some(0));
}

#[tokio::test]
async fn every_open_task_goes_on_at_the_next_start_whatever_it_was_doing() {
    let (provider, gate) = held().await;
    let workshop = Workshop::with(&provider, "[api]\ndrain_grace = \"200ms\"\n").worker(json!({}));
    let step = |id: &str, needs: &[&str]| json!({"id": id, "template": "worker", "needs": needs, "input": "{{input}}"});
    let plan = json!({"steps": [step("a", &[]), step("b", &["a"])], "aggregate": {"mode": "step", "step": "b"}});
    workshop.template("boss", json!({"kind": "orchestrator", "plan": plan}));
    let mut daemon = Daemon::start(workshop).await;
    let (_, agent) = daemon.post("/factory/agents", &json!({"template_name": "worker"})).await;
    let mut open = Vec::new();
    for number in 0..5 {
        open.push(daemon.submit("worker", &format!("single {number}")).await.task_id);
        open.push(daemon.submit("boss", &format!("plan {number}")).await.task_id);
        // Of these only the first has begun.
        let work = json!({"agent_id": agent["agent_id"], "input": format!("in line {number}")});
        let (status, task) = daemon.post("/factory/tasks", &work).await;
        assert_eq!(status, 202, "{task}");
        open.push(task["task_id"].as_str().expect("an identifier").to_owned());
    }
    provider.was_asked(11).await;
    assert_eq!(daemon.stop().await.code(), Some(0));
    gate.open();
    daemon.start_again().await;
    for task in open {
        let task = daemon.finished(&task).await;
        assert_eq!(task.state, TaskState::Succeeded, "{task:?}");
    }
}

#[tokio::test]
async fn an_idle_daemon_ends_at_once_and_takes_its_socket_away() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut daemon = Daemon::start(Workshop::new("")).await;
        daemon.signal(signal);
        assert_eq!(daemon.ended().await.code(), Some(0), "{signal:?}");
        assert!(!daemon.workshop.socket().exists());
        assert!(!daemon.workshop.log().contains("ERROR"), "{}", daemon.workshop.log());
    }
}

#[tokio::test]
async fn a_listener_does_not_keep_the_daemon_from_ending() {
    let mut daemon = Daemon::start(Workshop::new("")).await;
    let _listening = daemon.client.events().await.expect("a stream");
    assert_eq!(daemon.stop().await.code(), Some(0));
}

#[tokio::test]
async fn who_waits_longer_than_the_grace_is_told_how_far_the_task_is() {
    let (provider, gate) = held().await;
    let priced = json!({"model": {"route": "priced", "max_output_tokens": 64}});
    let workshop = Workshop::with(&provider, "[api]\ndrain_grace = \"200ms\"\n").worker(priced);
    let mut daemon = Daemon::start(workshop).await;
    let client = daemon.client.clone();
    let work = Call::post("/factory/tasks").json(&json!({"template_name": "worker", "input": "hello"}));
    let work = work.expect("JSON").waiting(std::time::Duration::from_secs(60));
    let waiting = client.exchange(&work);
    let stopping = async {
        provider.was_asked(1).await;
        daemon.stop().await
    };
    let (answered, status) = tokio::join!(waiting, stopping);
    let answered = answered.expect("an answer, not a broken connection");
    let told: Task = serde_json::from_slice(answered.body()).expect("a task");
    assert_eq!((answered.status(), told.state, status.code()), (202, TaskState::Running, Some(0)));

    gate.open();
    daemon.start_again().await;
    let task = daemon.finished(&told.task_id).await;
    let states: Vec<&str> = task.steps.iter().map(|step| step.state.as_str()).collect();
    assert_eq!((task.state, states), (TaskState::Succeeded, vec!["in_doubt", "finished"]));
    assert_eq!(provider.count(), 2);
}
