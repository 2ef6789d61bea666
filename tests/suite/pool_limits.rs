//! A template says how many of its tasks may be open; more are turned away at once and may come again.

use agent_factory::protocol::task::TaskState;
use serde_json::{Value, json};

use crate::harness::{Daemon, Gate, Provider, RawAnswer, Reply, Workshop, raw};

async fn submit(daemon: &Daemon, work: &Value) -> RawAnswer {
    let body = work.to_string();
    let head = "POST /factory/tasks HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json";
    let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    raw(&daemon.workshop.socket(), request.as_bytes()).await
}

#[tokio::test]
async fn a_full_pool_turns_the_next_away_and_serves_again_when_there_is_room() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::start(move |_| Reply::echo_behind(&held)).await;
    let priced = json!({"route": "priced", "max_output_tokens": 64});
    let workshop = Workshop::with(&provider, "").worker(json!({"pool": {"max": 1}, "model": priced}));
    workshop.template("other", json!({"capabilities": ["else"]}));
    let daemon = Daemon::start(workshop).await;
    let first = daemon.submit("worker", "hello").await;
    provider.was_asked(1).await;
    let before = daemon.holdings().await;

    let by_name = json!({"template_name": "worker", "input": "more"});
    let by_capability = json!({"capability": "work", "input": "more"});
    let (_, agent) = daemon.post("/factory/agents", &json!({"template_name": "worker"})).await;
    let on_agent = json!({"agent_id": agent["agent_id"], "input": "more"});
    for work in [&by_name, &by_capability, &on_agent] {
        let refused = submit(&daemon, work).await;
        assert_eq!((refused.status, refused.code()), (429, "overloaded".to_owned()), "{work}: {}", refused.body);
        assert!(refused.head.contains("\r\nretry-after: 1"), "{}", refused.head);
    }
    let after = daemon.holdings().await;
    assert_eq!((&after["tasks"], &after["budgets"]), (&before["tasks"], &before["budgets"]));
    let other = daemon.submit("other", "hello").await;
    provider.was_asked(2).await;

    gate.open();
    for task in [first, other] {
        assert_eq!(daemon.finished(&task.task_id).await.state, TaskState::Succeeded, "others are not concerned");
    }
    // The one before makes room no later than anybody is told that it has ended.
    for work in [&by_name, &by_capability, &on_agent] {
        let (status, task) = daemon.post("/factory/tasks?wait=20s", work).await;
        assert_eq!((status, &task["output"]), (200, &json!("echo: more")), "{task}");
    }
}

#[tokio::test]
async fn of_submissions_at_the_same_moment_no_more_than_the_pool_holds_are_admitted() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::start(move |_| Reply::echo_behind(&held)).await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({"pool": {"max": 2}}))).await;
    let work = json!({"template_name": "worker", "input": "hello"});
    let submitted = futures::future::join_all((0..16).map(|_| daemon.post("/factory/tasks", &work))).await;
    let (admitted, refused): (Vec<_>, Vec<_>) = submitted.into_iter().partition(|(status, _)| *status == 202);
    assert_eq!(admitted.len(), 2, "{admitted:?}");
    assert!(refused.iter().all(|(status, problem)| (*status, &problem["code"]) == (429, &json!("overloaded"))));
    assert_eq!(daemon.post("/factory/tasks", &work).await.0, 429);
    gate.open();
    for task in daemon.client.tasks(None, None).await.expect("tasks").items {
        daemon.finished(&task.task_id).await;
    }
    assert_eq!(provider.count(), 2);
    // 200 where it has ended by the time that it is answered.
    let again = daemon.post("/factory/tasks", &work).await.0;
    assert!(matches!(again, 200 | 202), "there is room again: {again}");
}
