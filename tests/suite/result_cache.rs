//! Answers that were given before: the same tenant, the same question, no call; and nobody else's.

use agent_factory::protocol::task::{SubmitTask, Task, TaskState};
use serde_json::{Value, json};

use crate::harness::{Daemon, PATIENCE, Provider, Workshop};

fn cached(ttl: &str) -> Value {
    json!({"model": {"route": "priced", "max_output_tokens": 64}, "cache": {"ttl": ttl}})
}

async fn ask(daemon: &Daemon, tenant: &str, text: &str) -> Task {
    let work = SubmitTask {
        template_name: Some("worker".into()),
        input: text.into(),
        tenant: Some(tenant.into()),
        ..SubmitTask::default()
    };
    let task = daemon.client.submit(&work, None, PATIENCE).await.expect("a task");
    assert_eq!(task.state, TaskState::Succeeded, "{task:?}");
    task
}

#[tokio::test]
async fn the_same_question_of_the_same_tenant_is_answered_without_a_call() {
    let provider = Provider::echo().await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(cached("10m"))).await;
    let first = ask(&daemon, "acme", "Write to ada.byron@example.org.").await;
    let again = ask(&daemon, "acme", "Write to ada.byron@example.org.").await;
    assert_eq!(provider.count(), 1);
    assert_eq!(again.output, first.output);
    assert!(first.cost_usd != "0.00" && again.cost_usd == "0.00", "{} {}", first.cost_usd, again.cost_usd);
    assert_eq!((again.steps.len(), again.usage.input_tokens, again.usage.output_tokens), (1, 0, 0));
    ask(&daemon, "other", "Write to ada.byron@example.org.").await;
    assert_eq!(provider.count(), 2, "another tenant has answers of its own");
    ask(&daemon, "acme", "Write to ada.byron@example.com.").await;
    assert_eq!(provider.count(), 3, "another question");
    let budget = daemon.settled("tenant:acme").await;
    let spent = daemon.client.budget("tenant:other").await.expect("a budget").spent_usd;
    assert_ne!(budget.spent_usd, spent, "two calls and one");
    let text = daemon.metrics().await;
    for line in [
        "factory_result_cache_requests_total{outcome=\"hit\"} 1",
        "factory_result_cache_requests_total{outcome=\"miss\"} 3",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}");
    }
    let (_, summary) = daemon.get("/factory/metrics").await;
    assert_eq!(summary["result_cache_hit_rate"], json!(0.25), "{summary}");
}

#[tokio::test]
async fn without_a_cache_in_the_template_every_task_makes_its_call() {
    let provider = Provider::echo().await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    for _ in 0..2 {
        ask(&daemon, "acme", "hello").await;
    }
    assert_eq!(provider.count(), 2);
}

#[tokio::test]
async fn a_cache_of_no_bytes_keeps_nothing() {
    let provider = Provider::echo().await;
    let daemon = Daemon::start(Workshop::with(&provider, "[cache]\nmax_bytes = 0\n").worker(cached("10m"))).await;
    for _ in 0..2 {
        ask(&daemon, "acme", "hello").await;
    }
    assert_eq!(provider.count(), 2);
}
