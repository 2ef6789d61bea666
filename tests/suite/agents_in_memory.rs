//! How many agents are in memory and how much waits for each is bounded; what is beyond waits in the journal or is turned away.

use agent_factory::protocol::task::TaskState;
use serde_json::{Value, json};

use crate::harness::{Daemon, Gate, Provider, Reply, Workshop, until};

async fn agent(daemon: &Daemon) -> String {
    let (status, agent) = daemon.post("/factory/agents", &json!({"template_name": "worker"})).await;
    assert_eq!(status, 200, "{agent}");
    agent["agent_id"].as_str().expect("an id").to_owned()
}

async fn state_of(daemon: &Daemon, agent: &str) -> Value {
    daemon.get(&format!("/factory/agents/{agent}")).await.1["state"].clone()
}

async fn submit(daemon: &Daemon, agent: &str) -> (u16, Value) {
    daemon.post("/factory/tasks", &json!({"agent_id": agent, "input": "hello"})).await
}

async fn held() -> (Gate, Provider) {
    let gate = Gate::closed();
    let held = gate.clone();
    (gate, Provider::start(move |_| Reply::echo_behind(&held)).await)
}

#[tokio::test]
async fn with_every_seat_taken_an_idle_agent_leaves_and_comes_back_for_its_next_task() {
    let provider = Provider::echo().await;
    let daemon = Daemon::start(Workshop::with(&provider, "[agents]\nactive_max = 1\n").worker(json!({}))).await;
    let (first, second) = (agent(&daemon).await, agent(&daemon).await);
    for (works, leaves) in [(&first, &second), (&second, &first), (&first, &second)] {
        let work = json!({"agent_id": works, "input": "hello"});
        let (status, task) = daemon.post("/factory/tasks?wait=20s", &work).await;
        assert_eq!((status, &task["state"]), (200, &json!("succeeded")), "{task}");
        until("it waits", async || (state_of(&daemon, works).await == "idle").then_some(())).await;
        assert_eq!(state_of(&daemon, leaves).await, "passive");
    }
    assert!(daemon.metrics().await.contains("factory_agent_passivations_total{reason=\"room\"} 2"));
}

#[tokio::test]
async fn where_nobody_is_idle_a_task_waits_in_the_journal_and_is_done_when_a_seat_is_free() {
    let (gate, provider) = held().await;
    let mut daemon = Daemon::start(Workshop::with(&provider, "[agents]\nactive_max = 1\n").worker(json!({}))).await;
    let running = daemon.submit("worker", "hello").await;
    provider.was_asked(1).await;
    let waiting = agent(&daemon).await;
    let (status, task) = submit(&daemon, &waiting).await;
    assert_eq!((status, &task["state"]), (202, &json!("queued")), "{task}");
    assert!(daemon.metrics().await.contains("factory_agents{state=\"waiting\"} 1"));
    assert_eq!(state_of(&daemon, &waiting).await, "passive");

    daemon.kill9();
    daemon.start_again().await;
    gate.open();
    for id in [running.task_id.as_str(), task["task_id"].as_str().expect("an id")] {
        assert_eq!(daemon.finished(id).await.state, TaskState::Succeeded);
    }
}

#[tokio::test]
async fn a_full_queue_of_one_agent_turns_the_next_task_away_and_serves_again_when_there_is_room() {
    let (gate, provider) = held().await;
    let daemon = Daemon::start(Workshop::with(&provider, "[agents]\nqueue_max = 2\n").worker(json!({}))).await;
    let (busy, other) = (agent(&daemon).await, agent(&daemon).await);
    let mut open = Vec::new();
    for _ in 0..2 {
        let (status, task) = submit(&daemon, &busy).await;
        assert_eq!(status, 202, "{task}");
        open.push(task["task_id"].as_str().expect("an id").to_owned());
    }
    let (status, problem) = submit(&daemon, &busy).await;
    assert_eq!((status, &problem["code"]), (429, &json!("agent_queue_full")), "{problem}");
    let (status, task) = submit(&daemon, &other).await;
    assert_eq!(status, 202, "another agent has a queue of its own: {task}");
    gate.open();
    for id in &open {
        assert_eq!(daemon.finished(id).await.state, TaskState::Succeeded);
    }
    assert_eq!(submit(&daemon, &busy).await.0, 202, "there is room again");
}
