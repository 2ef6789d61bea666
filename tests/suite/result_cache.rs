//! Answers that were given before: the same tenant, the same question, no call; and nobody else's.

use agent_factory::protocol::task::{SubmitTask, Task, TaskState};
use serde_json::{Value, json};

use crate::harness::{Daemon, PATIENCE, Provider, Workshop, until};

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

#[tokio::test]
async fn an_answer_that_passed_under_other_rules_is_not_told() {
    let provider = Provider::echo().await;
    let workshop = Workshop::with(&provider, "[dlp]\nrules_file = \"dlp.toml\"\n");
    workshop.write("dlp.toml", "");
    let mut over = cached("10m");
    over["dlp"] = json!({"outbound": "allow", "inbound": "mask"});
    let daemon = Daemon::start(workshop.worker(over)).await;
    for _ in 0..2 {
        assert_eq!(ask(&daemon, "acme", "badge EMP-123456").await.output, json!("echo: badge EMP-123456"));
    }
    assert_eq!(provider.count(), 1);
    let before = daemon.client.dlp_rules().await.expect("rules").digest;
    let badge =
        "[[rule]]\nid = \"badge\"\ntype = \"CUSTOM_BADGE\"\nkeywords = [\"badge\"]\npattern = '\\bEMP-\\d{6}\\b'\n";
    daemon.workshop.write("dlp.toml", badge);
    until("the rules are in force", async || {
        let rules = daemon.client.dlp_rules().await.expect("rules");
        (rules.digest != before).then_some(())
    })
    .await;
    assert_eq!(ask(&daemon, "acme", "badge EMP-123456").await.output, json!("echo: badge <CUSTOM_BADGE>"));
    assert_eq!(provider.count(), 2, "what was kept passed under the rules before");
}
