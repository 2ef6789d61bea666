//! Work for whoever has a capability: a registered agent that is free does it, but never one with somebody else's memory.

use serde_json::{Value, json};

use crate::harness::{Daemon, Gate, Provider, Reply, Workshop, until};

/// A registered agent that has done something for ada, and waits in memory.
async fn adas(daemon: &Daemon) -> String {
    let wanted = json!({"template_name": "worker", "tenant": "acme", "user": "ada"});
    let (status, agent) = daemon.post("/factory/agents", &wanted).await;
    assert_eq!(status, 200, "{agent}");
    let agent = agent["agent_id"].as_str().expect("an id").to_owned();
    let told = json!({"agent_id": agent, "input": "my secret is seven", "tenant": "acme", "user": "ada"});
    let (status, task) = daemon.post("/factory/tasks?wait=20s", &told).await;
    assert_eq!((status, &task["state"]), (200, &json!("succeeded")), "{task}");
    idle(daemon, &agent).await;
    agent
}

async fn idle(daemon: &Daemon, agent: &str) {
    until("the agent waits", async || {
        (daemon.get(&format!("/factory/agents/{agent}")).await.1["state"] == "idle").then_some(())
    })
    .await;
}

/// Who does work that is asked of the capability.
async fn done_by(daemon: &Daemon, tenant: &str, user: Option<&str>) -> String {
    let mut work = json!({"capability": "work", "input": "what is my secret?", "tenant": tenant});
    if let Some(user) = user {
        work["user"] = json!(user);
    }
    let (status, task) = daemon.post("/factory/tasks?wait=20s", &work).await;
    assert_eq!((status, &task["state"]), (200, &json!("succeeded")), "{task}");
    task["agent_id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_free_agent_of_the_same_user_is_used_and_nobody_elses() {
    let provider = Provider::echo().await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({"memory": {"history": 10}}))).await;
    let agent = adas(&daemon).await;
    for (tenant, user) in [("acme", Some("bob")), ("acme", None), ("rival", Some("ada")), ("rival", None)] {
        assert_ne!(done_by(&daemon, tenant, user).await, agent, "{tenant} {user:?}");
        let asked = provider.asked();
        assert!(!asked.last().expect("a call").raw.contains("secret is seven"), "{tenant} {user:?}");
    }
    assert_eq!(done_by(&daemon, "acme", Some("ada")).await, agent);
    assert!(provider.asked().last().expect("a call").raw.contains("secret is seven"), "it remembers her");

    idle(&daemon, &agent).await;
    daemon.client.stop_agent(&agent).await.expect("stopped");
    assert_ne!(done_by(&daemon, "acme", Some("ada")).await, agent, "a stopped agent does nothing more");
}

#[tokio::test]
async fn an_agent_that_is_at_work_is_not_waited_for() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider =
        Provider::start(move |call| if call.prompt() == "long" { Reply::echo_behind(&held) } else { Reply::Echo })
            .await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let agent = adas(&daemon).await;
    let long = json!({"agent_id": agent, "input": "long", "tenant": "acme", "user": "ada"});
    let (status, long): (u16, Value) = daemon.post("/factory/tasks", &long).await;
    assert_eq!(status, 202, "{long}");
    provider.was_asked(2).await;
    assert_ne!(done_by(&daemon, "acme", Some("ada")).await, agent);
    gate.open();
    daemon.finished(long["task_id"].as_str().expect("an id")).await;
}
