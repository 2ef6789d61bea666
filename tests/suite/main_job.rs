//! A document goes in; an answer, its price and a record come out, and outlive a power cut.

use agent_factory::protocol::task::TaskState;
use serde_json::{Value, json};

use crate::harness::{COST, Daemon, Provider, Workshop};

const EMAIL: &str = "ada.byron@example.org";
const CARD: &str = "4539148803436467";
/// Sends what the shipped documentalist is asked to the test's provider.
const IMPLEMENTATION: &str = "implementation = [\"mock/priced\"]";

#[tokio::test]
async fn a_document_is_answered_priced_and_kept_from_the_provider_where_it_is_personal() {
    let provider = Provider::echo().await;
    let workshop = Workshop::with(&provider, IMPLEMENTATION).shipped();
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("the README");
    let document = format!("{readme}\nWrite to {EMAIL}; the card was {CARD}.\n");
    workshop.write("document.md", &document);
    let mut daemon = Daemon::start(workshop).await;

    let ran = daemon.ctl(&["run", "documentaliste", "--file", "document.md", "--json"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let task = ran.json();
    assert_eq!(task["state"], "succeeded");
    assert_eq!(task["cost_usd"], COST);
    assert_eq!(
        task["usage"],
        json!({"input_tokens": 100, "output_tokens": 20, "cached_input_tokens": 0, "reasoning_tokens": 0, "cache_write_tokens": 0})
    );

    let asked = provider.asked();
    assert_eq!(asked.len(), 1, "the provider was asked exactly once");
    assert!(!asked[0].raw.contains(EMAIL) && !asked[0].raw.contains(CARD), "{}", asked[0].raw);
    assert_eq!(task["output"], format!("echo: {document}"), "the answer has the real values back");

    daemon.kill9();
    daemon.start_again().await;
    let path = format!("/factory/tasks/{}", task["task_id"].as_str().expect("an id"));
    assert_eq!(daemon.get(&path).await, (200, task), "the same task with the same cost");
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn a_task_runs_on_a_registered_agent_which_remembers_its_conversation() {
    let provider = Provider::echo().await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let (status, agent) = daemon.post("/factory/agents", &json!({"template_name": "worker", "name": "Ada"})).await;
    assert_eq!(status, 200, "{agent}");
    for text in ["first", "second"] {
        let work = json!({"agent_id": agent["agent_id"], "input": text});
        let (status, task) = daemon.post("/factory/tasks?wait=20s", &work).await;
        assert_eq!((status, &task["state"], &task["agent_id"]), (200, &json!("succeeded"), &agent["agent_id"]));
    }
    let said: Vec<Value> = provider.asked()[1].body["messages"].as_array().expect("messages").clone();
    let texts: Vec<&str> = said.iter().filter_map(|message| message["content"].as_str()).collect();
    assert_eq!(texts, ["Answer.", "first", "echo: first", "second"]);
}

#[tokio::test]
async fn a_task_by_template_has_no_history() {
    let provider = Provider::echo().await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let (first, second) = (daemon.run("worker", "first").await, daemon.run("worker", "second").await);
    assert_ne!(first.agent_id, second.agent_id);
    assert!(!provider.asked()[1].raw.contains("first"));
}

#[tokio::test]
async fn an_object_reaches_the_model_as_compact_json() {
    let provider = Provider::echo().await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let work = json!({"template_name": "worker", "input": {"question": "Why?", "depth": 2}});
    let (status, task) = daemon.post("/factory/tasks?wait=20s", &work).await;
    assert_eq!(status, 200, "{task}");
    let prompt: Value = serde_json::from_str(provider.asked()[0].prompt()).expect("JSON");
    assert_eq!(prompt, work["input"]);
    assert!(!provider.asked()[0].prompt().contains(": "), "compact");
}

#[tokio::test]
async fn the_predecessors_routes_still_work() {
    let daemon = Daemon::start(Workshop::with(&Provider::echo().await, "").worker(json!({}))).await;
    let (status, agent) = daemon.post("/factory/create_agent", &json!({"agent_type": "worker", "config": {}})).await;
    assert_eq!((status, &agent["template_name"]), (200, &json!("worker")), "{agent}");
    for task in [json!("text"), json!({"input": "text"})] {
        let work = json!({"agent_id": agent["agent_id"], "task": task});
        let (status, task) = daemon.post("/factory/execute_task", &work).await;
        assert_eq!((status, &task["state"]), (200, &json!("succeeded")), "{task}");
    }
}

#[tokio::test]
async fn without_waiting_a_task_is_accepted_and_waited_for_later() {
    let daemon = Daemon::start(Workshop::with(&Provider::echo().await, "").worker(json!({}))).await;
    let (status, task) = daemon.post("/factory/tasks", &json!({"template_name": "worker", "input": "later"})).await;
    assert!(matches!(status, 200 | 202), "{status} {task}");
    let task = daemon.finished(task["task_id"].as_str().expect("an id")).await;
    assert_eq!((task.state, task.output), (TaskState::Succeeded, json!("echo: later")));
}
