//! Whatever a template says about restarts, a task that succeeds is done once.

use agent_factory::protocol::task::TaskState;
use serde_json::json;

use crate::harness::{Daemon, Provider, Workshop};

#[tokio::test]
async fn a_task_runs_and_ends_once_under_every_rule_about_restarts() {
    for rule in ["temporary", "transient", "permanent"] {
        let provider = Provider::echo().await;
        let supervision = json!({"restart": rule, "intensity": 3, "period": "30s"});
        let workshop = Workshop::with(&provider, "").worker(json!({"supervision": supervision}));
        let steps = json!([{"id": "one", "template": "worker", "input": "one"}]);
        let plan = json!({"steps": steps, "aggregate": {"mode": "step", "step": "one"}});
        workshop.template("boss", json!({"kind": "orchestrator", "plan": plan, "supervision": supervision}));
        let mut daemon = Daemon::start(workshop).await;

        let (_, agent) = daemon.post("/factory/agents", &json!({"template_name": "worker"})).await;
        let on_agent = json!({"agent_id": agent["agent_id"], "input": "hello"});
        let mut ids = vec![daemon.run("worker", "hello").await.task_id, daemon.run("boss", "go").await.task_id];
        for _ in 0..2 {
            let (status, task) = daemon.post("/factory/tasks?wait=20s", &on_agent).await;
            assert_eq!(status, 200, "{rule}: {task}");
            ids.push(task["task_id"].as_str().expect("an id").to_owned());
        }
        for id in &ids {
            let task = daemon.finished(id).await;
            assert_eq!((task.state, task.steps.len()), (TaskState::Succeeded, 1), "{rule}: {task:?}");
            let events = daemon.client.task_events(id).await.expect("events").items;
            assert_eq!(events.len(), 4, "{rule}: submitted, started, finished, ended: {events:?}");
        }
        assert_eq!(provider.count(), 4, "{rule}");
        let agent = agent["agent_id"].as_str().expect("an id");
        assert_eq!(daemon.get(&format!("/factory/agents/{agent}")).await.1["restarts"], 0, "{rule}");
        assert!(daemon.stop().await.success());
        assert!(!daemon.workshop.log().contains("restarted"), "{rule}: {}", daemon.workshop.log());
    }
}
