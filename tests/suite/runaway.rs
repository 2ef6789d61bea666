//! A task that would go on and on is stopped by its money, its tokens or its time, whichever runs out first; what it used is
//! booked, and nothing stays held.

use agent_factory::domain::money::Usd;
use agent_factory::protocol::task::{Task, TaskState};
use serde_json::{Value, json};

use crate::harness::{COST, Daemon, Provider, Reply, Workshop, code};

/// Tokens that the provider says that each of its answers took.
const TOKENS: u64 = 120;
/// The longest answer that the workers ask for.
const ANSWER_MAX: u64 = 400;

/// A worker that goes over its answer a thousand times, for money, within this.
fn refining(budget: &Value) -> Value {
    json!({
        "model": {"route": "priced", "max_output_tokens": ANSWER_MAX}, "refine": {"passes": 1000}, "budget": budget
    })
}

/// More than the tests wait for: no other limit ends a call.
fn patient(provider: &Provider) -> Workshop {
    let workshop = Workshop::with(provider, "");
    workshop.edit_settings(|text| text.replace("timeout = \"20s\"", "timeout = \"1h\""));
    workshop
}

fn usd(text: &str) -> Usd {
    text.parse().expect("an amount")
}

fn failed_with(task: &Task, code: &str) {
    assert_eq!(
        (task.state, task.error.as_ref().map(|error| error.code.as_str())),
        (TaskState::Failed, Some(code)),
        "{task:?}"
    );
}

/// What the task cost is all that was spent, and it is as much as so many answers.
async fn is_booked(daemon: &Daemon, task: &Task, answers: usize) {
    assert_eq!(usd(&task.cost_usd), std::iter::repeat_n(usd(COST), answers).sum());
    assert_eq!(daemon.settled("global").await.spent_usd, task.cost_usd);
}

#[tokio::test]
async fn a_runaway_task_is_stopped_by_its_money() {
    let provider = Provider::echo().await;
    let budget = json!({"per_task_usd": "0.004", "per_task_tokens": 1_000_000, "per_task_time": "1h"});
    let daemon = Daemon::start(patient(&provider).worker(refining(&budget))).await;
    let task = daemon.run("worker", "hello").await;
    failed_with(&task, "budget_exceeded");
    let calls = provider.count();
    assert!(calls > 1 && usd(&task.cost_usd) <= usd("0.004"), "{calls} calls for {}", task.cost_usd);
    is_booked(&daemon, &task, calls).await;
}

#[tokio::test]
async fn a_runaway_task_is_stopped_by_its_tokens_and_no_call_could_have_passed_them() {
    const MAX: u64 = 1_000;
    let provider = Provider::echo().await;
    let budget = json!({"per_task_usd": "10.00", "per_task_tokens": MAX, "per_task_time": "1h"});
    let daemon = Daemon::start(patient(&provider).worker(refining(&budget))).await;
    let task = daemon.run("worker", "hello").await;
    failed_with(&task, "task_tokens_exceeded");
    let asked = provider.asked();
    let used = task.usage.input_tokens + task.usage.output_tokens;
    assert_eq!(used, asked.len() as u64 * TOKENS);
    assert!(used <= MAX && asked.len() > 1, "{used} tokens in {} calls", asked.len());
    let answers: Vec<u64> = asked.iter().map(|call| call.body["max_tokens"].as_u64().expect("a limit")).collect();
    assert_eq!(answers.first(), Some(&ANSWER_MAX), "there is room for as much as the template wants");
    assert!(answers.last() < Some(&ANSWER_MAX), "and then for less: {answers:?}");
    for (call, answer) in answers.iter().enumerate() {
        assert!(call as u64 * TOKENS + answer < MAX, "call {call} asked for {answer}");
    }
    is_booked(&daemon, &task, asked.len()).await;
}

#[tokio::test]
async fn a_runaway_task_is_stopped_by_its_time_in_the_middle_of_a_call_and_not_taken_up_again() {
    let provider = Provider::start(|_| Reply::Silence).await;
    let budget = json!({"per_task_usd": "10.00", "per_task_tokens": 1_000_000, "per_task_time": "1s"});
    let daemon = Daemon::start(patient(&provider).worker(refining(&budget))).await;
    let task = daemon.run("worker", "hello").await;
    failed_with(&task, "task_time_exceeded");
    assert!(provider.count() <= 1, "nobody else is asked in the time that is over");
    assert_eq!(daemon.settled("global").await.spent_usd, task.cost_usd, "the call is in doubt, and so booked");
    assert_eq!(code(daemon.client.retry(&task.task_id).await), (409, "task_time_exceeded".to_owned()));
    assert_eq!(daemon.finished(&task.task_id).await, task, "which changes nothing");
}

#[tokio::test]
async fn an_answer_that_is_there_counts_and_tokens_are_counted_where_they_cost_nothing() {
    let provider = Provider::echo().await;
    let workshop = Workshop::with(&provider, "");
    let within = |passes: u64| json!({"budget": {"per_task_tokens": TOKENS}, "refine": {"passes": passes}});
    workshop.template("once", within(0));
    workshop.template("twice", within(1));
    workshop.template("short", json!({"budget": {"per_task_tokens": 1}}));
    let daemon = Daemon::start(workshop).await;
    let once = daemon.run("once", "hello").await;
    assert_eq!((once.state, once.usage.input_tokens + once.usage.output_tokens), (TaskState::Succeeded, TOKENS));
    failed_with(&daemon.run("twice", "hello").await, "task_tokens_exceeded");
    assert_eq!(provider.count(), 2);
    failed_with(&daemon.run("short", "hello").await, "task_tokens_exceeded");
    assert_eq!(provider.count(), 2, "what does not fit is not asked");
}

#[tokio::test]
async fn a_plan_ends_when_its_time_is_over_and_starts_no_subtask_when_its_tokens_are_used_up() {
    let provider =
        Provider::start(|call| if call.raw.contains("silence") { Reply::Silence } else { Reply::Echo }).await;
    let workshop = patient(&provider).worker(json!({}));
    let steps = json!([
        {"id": "a", "template": "worker", "input": "{{input}}"},
        {"id": "b", "template": "worker", "needs": ["a"], "input": "{{input}}"}
    ]);
    let plan = json!({"steps": steps, "aggregate": {"mode": "step", "step": "b"}});
    let boss = |budget: Value| json!({"kind": "orchestrator", "plan": plan.clone(), "budget": budget});
    workshop.template("hasty", boss(json!({"per_task_time": "1s"})));
    workshop.template("sparing", boss(json!({"per_task_tokens": TOKENS})));
    let daemon = Daemon::start(workshop).await;
    let sparing = daemon.run("sparing", "hello").await;
    assert_eq!((sparing.state, provider.count()), (TaskState::Failed, 1), "{sparing:?}");
    let told: Vec<Option<&str>> =
        sparing.steps.iter().map(|step| step.error.as_ref().map(|error| error.code.as_str())).collect();
    assert_eq!(told, [None, Some("task_tokens_exceeded")], "{sparing:?}");
    failed_with(&daemon.run("hasty", "silence").await, "task_time_exceeded");
    assert_eq!(daemon.settled("global").await.reserved_usd, "0.00");
}
