//! A provider that is down, slow, cut off, overloaded or talks nonsense: the task fails with a code or another model answers,
//! what may be billed is booked, and nothing stays reserved.

use std::time::Duration;

use agent_factory::domain::money::Usd;
use agent_factory::protocol::task::{Task, TaskState};
use serde_json::json;

use crate::harness::{COST, Daemon, Provider, Reply, Workshop};

/// Attempts at one model before the next is tried.
const ATTEMPTS: usize = 3;

fn priced(route: &str) -> serde_json::Value {
    json!({"model": {"route": route, "max_output_tokens": 64}})
}

async fn daemon(provider: &Provider, more: &str) -> Daemon {
    Daemon::start(Workshop::with(provider, more).worker(priced("priced"))).await
}

/// A failed task, whose cost is what its steps may be billed for, and after which nothing is held.
async fn failed(daemon: &Daemon, code: &str) -> Task {
    let task = daemon.run("worker", "hello").await;
    assert_eq!(task.state, TaskState::Failed, "{task:?}");
    assert_eq!(task.error.as_ref().map(|error| error.code.as_str()), Some(code), "{task:?}");
    assert!(task.output.is_null());
    accounts_balance(daemon, &task).await;
    task
}

async fn accounts_balance(daemon: &Daemon, task: &Task) {
    assert_eq!(daemon.settled("global").await.spent_usd, task.cost_usd, "{task:?}");
    let steps: Usd = task.steps.iter().map(|step| step.cost_usd.parse::<Usd>().expect("an amount")).sum();
    assert_eq!(steps.to_string(), task.cost_usd);
}

fn states(task: &Task) -> Vec<&str> {
    task.steps.iter().map(|step| step.state.as_str()).collect()
}

#[tokio::test]
async fn a_provider_that_is_down_costs_nothing() {
    let daemon = Daemon::start(Workshop::new("").worker(priced("priced"))).await;
    let task = failed(&daemon, "provider_unreachable").await;
    assert_eq!((states(&task), task.cost_usd.as_str()), (vec!["failed"; ATTEMPTS], "0.00"));
    assert_eq!(daemon.get("/ready").await.0, 200, "the daemon is as well as before");
}

#[tokio::test]
async fn a_provider_that_never_answers_is_given_up_and_may_bill() {
    let provider = Provider::start(|_| Reply::Silence).await;
    let workshop = Workshop::with(&provider, "").worker(priced("priced"));
    workshop.edit_settings(|text| text.replace("timeout = \"20s\"", "timeout = \"200ms\""));
    let daemon = Daemon::start(workshop).await;
    let task = failed(&daemon, "provider_timed_out").await;
    assert_eq!((states(&task), provider.count()), (vec!["in_doubt"], 1));
    assert_ne!(task.cost_usd, "0.00");
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_asked_for_again_and_may_be_billed() {
    let provider = Provider::start(|_| Reply::Cut).await;
    let daemon = daemon(&provider, "").await;
    let task = failed(&daemon, "provider_cut").await;
    assert_eq!((states(&task), provider.count()), (vec!["in_doubt"; ATTEMPTS], ATTEMPTS));
}

#[tokio::test]
async fn nonsense_is_not_asked_for_again() {
    let provider = Provider::start(|_| Reply::Nonsense).await;
    let daemon = daemon(&provider, "").await;
    let task = failed(&daemon, "provider_nonsense").await;
    assert_eq!((states(&task), provider.count()), (vec!["in_doubt"], 1));
}

#[tokio::test]
async fn a_rejected_request_costs_nothing_and_is_not_repeated() {
    let provider = Provider::start(|_| Reply::Status(404, None)).await;
    let daemon = daemon(&provider, "").await;
    let task = failed(&daemon, "provider_rejected").await;
    assert_eq!((states(&task), task.cost_usd.as_str(), provider.count()), (vec!["failed"], "0.00", 1));
}

#[tokio::test]
async fn a_provider_that_asks_for_patience_gets_it() {
    let pause = Duration::from_secs(1);
    let provider = Provider::start(move |call| match call.number {
        0 => Reply::Status(429, Some(pause)),
        _ => Reply::Echo,
    })
    .await;
    let daemon = daemon(&provider, "").await;
    let task = daemon.run("worker", "hello").await;
    assert_eq!((task.state, task.cost_usd.as_str()), (TaskState::Succeeded, COST));
    assert_eq!(states(&task), ["failed", "finished"]);
    let asked = provider.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].at.duration_since(asked[0].at) >= pause);
    accounts_balance(&daemon, &task).await;
}

#[tokio::test]
async fn a_provider_that_fails_once_is_asked_again_and_both_calls_are_booked() {
    let provider = Provider::start(|call| if call.number == 0 { Reply::Status(500, None) } else { Reply::Echo }).await;
    let daemon = daemon(&provider, "").await;
    let task = daemon.run("worker", "hello").await;
    assert_eq!((task.state, task.output.clone()), (TaskState::Succeeded, json!("echo: hello")));
    assert_eq!((states(&task), provider.count()), (vec!["in_doubt", "finished"], 2));
    accounts_balance(&daemon, &task).await;
}

#[tokio::test]
async fn the_next_model_of_the_route_answers_where_the_first_cannot() {
    let provider = Provider::start(|_| Reply::Nonsense).await;
    let workshop = Workshop::with(&provider, "both = [\"mock/priced\", \"builtin/extractive\"]").worker(priced("both"));
    let daemon = Daemon::start(workshop).await;
    let task = daemon.run("worker", "The bridge was built in 1932. It is 503 metres long.").await;
    assert_eq!(task.state, TaskState::Succeeded, "{task:?}");
    let names: Vec<&str> = task.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!((names, provider.count()), (vec!["mock/priced", "builtin/extractive"], 1));
    assert!(task.output.as_str().expect("text").contains("1932"));
    accounts_balance(&daemon, &task).await;
}
