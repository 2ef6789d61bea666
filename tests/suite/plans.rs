//! Plans that wait for a time, a person or a signal and that call tools, and the same after a power cut in the middle.

use std::time::Duration;

use agent_factory::domain::clock::Timestamp;
use agent_factory::protocol::task::{Decision, Signal, Task, TaskState};
use serde_json::{Value, json};

use crate::harness::{Daemon, Gate, Provider, Reply, Workshop, until};

/// A workshop whose template `boss` has these steps, and whose tool `publish` is this server.
fn boss(tool: &Provider, idempotent: bool, steps: Value) -> Workshop {
    let settings = format!(
        "[tools.publish]\nurl = \"http://127.0.0.1:{}/hook\"\ntimeout = \"20s\"\nidempotent = {idempotent}",
        tool.port()
    );
    let workshop = Workshop::with(tool, &settings);
    workshop.template("boss", json!({"kind": "orchestrator", "tools": ["publish"], "plan": {"steps": steps}}));
    workshop
}

fn publish() -> Value {
    json!([{"id": "out", "tool": "publish", "input": "send {{input}}"}])
}

async fn stands(daemon: &Daemon, task: &Task, state: TaskState) -> Task {
    until(&format!("the task is {state:?}"), async || {
        let task = daemon.client.task(&task.task_id, Duration::ZERO).await.expect("a task");
        (task.state == state).then_some(task)
    })
    .await
}

async fn has_started(daemon: &Daemon, task: &Task) -> Task {
    until("its step has started", async || {
        let task = daemon.client.task(&task.task_id, Duration::ZERO).await.expect("a task");
        (!task.steps.is_empty()).then_some(task)
    })
    .await
}

fn comment(text: &str) -> Decision {
    Decision { comment: Some(text.to_owned()), step: None }
}

fn failed_with(task: &Task) -> (TaskState, &str) {
    (task.state, task.error.as_ref().map_or("", |error| error.code.as_str()))
}

/// The names of the calls that a tool was asked for.
fn keys(tool: &Provider) -> Vec<String> {
    tool.asked().into_iter().map(|call| call.idempotency_key.expect("a key")).collect()
}

#[tokio::test]
async fn a_timer_fires_at_its_time_however_long_the_daemon_was_away() {
    const WAIT: Duration = Duration::from_secs(4);
    let tool = Provider::echo().await;
    let workshop = boss(&tool, false, json!([{"id": "cool", "wait": "4s"}]));
    let mut daemon = Daemon::start(workshop).await;
    let task = daemon.submit("boss", "x").await;
    has_started(&daemon, &task).await;
    let due = Timestamp::now().after(WAIT);
    daemon.kill9();
    until("the time has come while nobody was there", async || (Timestamp::now() > due).then_some(())).await;
    let back = Timestamp::now();
    daemon.start_again().await;
    let ended = daemon.finished(&task.task_id).await;
    assert_eq!((ended.state, &ended.output), (TaskState::Succeeded, &json!("")), "{ended:?}");
    assert!(Timestamp::now().since(back) < WAIT, "it did not begin to wait anew");
    let asked: Timestamp = ended.created_at.parse().expect("a time");
    let done: Timestamp = ended.finished_at.as_deref().expect("a time").parse().expect("a time");
    assert!(done.since(asked) >= WAIT, "and not before its time");
}

#[tokio::test]
async fn an_approval_is_waited_for_across_kill_9_and_its_comment_is_the_output() {
    let tool = Provider::echo().await;
    let steps = json!([{"id": "yes", "approve": "Publish {{input}}?", "timeout": "24h"}]);
    let mut daemon = Daemon::start(boss(&tool, false, steps)).await;
    let task = daemon.submit("boss", "the report").await;
    let waiting = stands(&daemon, &task, TaskState::WaitingApproval).await;
    let asked = waiting.waiting_for.expect("a question");
    assert_eq!(asked.question.as_deref(), Some("Publish the report?"));
    daemon.kill9();
    daemon.start_again().await;
    stands(&daemon, &task, TaskState::WaitingApproval).await;
    daemon.client.approve(&task.task_id, &comment("go ahead")).await.expect("approved");
    let ended = daemon.finished(&task.task_id).await;
    assert_eq!((ended.state, &ended.output), (TaskState::Succeeded, &json!("go ahead")), "{ended:?}");

    let other = daemon.submit("boss", "the other").await;
    stands(&daemon, &other, TaskState::WaitingApproval).await;
    daemon.client.reject(&other.task_id, &comment("too long")).await.expect("rejected");
    let ended = daemon.finished(&other.task_id).await;
    assert_eq!(failed_with(&ended), (TaskState::Failed, "approval_rejected"));
}

#[tokio::test]
async fn nobody_decides_and_the_step_times_out_or_somebody_cancels() {
    let tool = Provider::echo().await;
    let steps = json!([{"id": "yes", "approve": "?", "timeout": "50ms", "on_failure": "skip"}, {"id": "paid", "signal": "paid"}]);
    let daemon = Daemon::start(boss(&tool, false, steps)).await;
    let task = daemon.submit("boss", "x").await;
    until("the approval is too late", async || {
        let task = daemon.client.task(&task.task_id, Duration::ZERO).await.expect("a task");
        task.steps.iter().any(|step| step.error.as_ref().is_some_and(|e| e.code == "approval_timed_out")).then_some(())
    })
    .await;
    daemon.client.cancel(&task.task_id).await.expect("cancelled");
    let ended = daemon.finished(&task.task_id).await;
    assert_eq!((ended.state, ended.steps.len()), (TaskState::Cancelled, 2));
}

#[tokio::test]
async fn a_signal_is_waited_for_across_kill_9_and_what_it_brings_is_the_output() {
    let tool = Provider::echo().await;
    let mut daemon = Daemon::start(boss(&tool, false, json!([{"id": "paid", "signal": "paid"}]))).await;
    let task = daemon.submit("boss", "x").await;
    has_started(&daemon, &task).await;
    daemon.kill9();
    daemon.start_again().await;
    let early = Signal { payload: json!("not this") };
    daemon.client.signal(&task.task_id, "other", &early).await.expect("taken");
    daemon.client.signal(&task.task_id, "paid", &Signal { payload: json!({"usd": "42.00"}) }).await.expect("taken");
    let ended = daemon.finished(&task.task_id).await;
    assert_eq!(ended.state, TaskState::Succeeded, "{ended:?}");
    assert_eq!(ended.output, json!("{\"usd\":\"42.00\"}"));
}

#[tokio::test]
async fn a_signal_that_comes_before_its_step_is_kept_for_it_and_a_time_is_waited_for_without_a_restart() {
    let tool = Provider::echo().await;
    let steps = json!([
        {"id": "yes", "approve": "?"}, {"id": "cool", "wait": "100ms", "needs": ["yes"]},
        {"id": "paid", "signal": "paid", "needs": ["cool"]}
    ]);
    let daemon = Daemon::start(boss(&tool, false, steps)).await;
    let task = daemon.submit("boss", "x").await;
    stands(&daemon, &task, TaskState::WaitingApproval).await;
    daemon.client.signal(&task.task_id, "paid", &Signal { payload: json!("42.00") }).await.expect("taken");
    daemon.client.approve(&task.task_id, &Decision::default()).await.expect("approved");
    let ended = daemon.finished(&task.task_id).await;
    assert_eq!((ended.state, &ended.output), (TaskState::Succeeded, &json!("42.00")), "{ended:?}");
}

#[tokio::test]
async fn a_call_of_an_idempotent_tool_that_kill_9_cut_off_is_made_again_under_the_same_key() {
    let gate = Gate::closed();
    let held = gate.clone();
    let tool = Provider::start(move |_| Reply::Held(held.clone(), Box::new(Reply::Return))).await;
    let mut daemon = Daemon::start(boss(&tool, true, publish())).await;
    let task = daemon.submit("boss", "it").await;
    tool.was_asked(1).await;
    daemon.kill9();
    daemon.start_again().await;
    tool.was_asked(2).await;
    gate.open();
    let ended = daemon.finished(&task.task_id).await;
    assert_eq!((ended.state, &ended.output), (TaskState::Succeeded, &json!("did: send it")), "{ended:?}");
    assert_eq!(keys(&tool), [format!("{}-0", task.task_id), format!("{}-0", task.task_id)]);
    assert_eq!(ended.steps.len(), 1, "it is one step");
}

/// A task whose call of a tool that is not idempotent was cut off by `kill -9`; the tool answers from then on.
async fn in_doubt() -> (Daemon, Provider, Task) {
    let tool = Provider::start(|call| if call.number == 0 { Reply::Silence } else { Reply::Return }).await;
    let mut daemon = Daemon::start(boss(&tool, false, publish())).await;
    let task = daemon.submit("boss", "it").await;
    tool.was_asked(1).await;
    daemon.kill9();
    daemon.start_again().await;
    let asks = stands(&daemon, &task, TaskState::NeedsAttention).await;
    let about = asks.waiting_for.expect("what it waits for");
    assert_eq!((about.step, about.code.as_deref()), (Some(0), Some("tool_in_doubt")));
    assert_eq!(tool.count(), 1, "nothing is called unasked");
    (daemon, tool, task)
}

#[tokio::test]
async fn a_call_of_another_tool_that_kill_9_cut_off_waits_for_a_person_who_may_retry_it_under_the_same_key() {
    let (mut daemon, tool, task) = in_doubt().await;
    daemon.kill9();
    daemon.start_again().await;
    stands(&daemon, &task, TaskState::NeedsAttention).await;
    daemon.client.retry(&task.task_id).await.expect("retried");
    let ended = daemon.finished(&task.task_id).await;
    assert_eq!((ended.state, &ended.output), (TaskState::Succeeded, &json!("did: send it")), "{ended:?}");
    assert_eq!(keys(&tool), [format!("{}-0", task.task_id), format!("{}-0", task.task_id)]);
}

#[tokio::test]
async fn a_person_may_say_that_a_call_in_doubt_was_made_or_was_not() {
    let (daemon, tool, task) = in_doubt().await;
    daemon.client.approve(&task.task_id, &comment("it is there")).await.expect("approved");
    let ended = daemon.finished(&task.task_id).await;
    assert_eq!((ended.state, &ended.output, tool.count()), (TaskState::Succeeded, &json!(""), 1), "{ended:?}");
    let (daemon, tool, task) = in_doubt().await;
    daemon.client.reject(&task.task_id, &comment("it is not")).await.expect("rejected");
    let ended = daemon.finished(&task.task_id).await;
    assert_eq!((failed_with(&ended), tool.count()), ((TaskState::Failed, "tool_rejected"), 1));
}

#[tokio::test]
async fn a_call_that_is_cut_off_without_a_crash_is_in_doubt_as_well() {
    let tool = Provider::start(|call| if call.number == 0 { Reply::Cut } else { Reply::Return }).await;
    let daemon = Daemon::start(boss(&tool, false, publish())).await;
    let task = daemon.submit("boss", "it").await;
    stands(&daemon, &task, TaskState::NeedsAttention).await;
    daemon.client.retry(&task.task_id).await.expect("retried");
    assert_eq!(daemon.finished(&task.task_id).await.state, TaskState::Succeeded);
    let tool = Provider::start(|call| if call.number == 0 { Reply::Cut } else { Reply::Return }).await;
    let daemon = Daemon::start(boss(&tool, true, publish())).await;
    assert_eq!(daemon.run("boss", "it").await.state, TaskState::Succeeded, "an idempotent one is called again unasked");
    assert_eq!(keys(&tool).windows(2).filter(|pair| pair[0] == pair[1]).count(), 1);
}

#[tokio::test]
async fn a_failed_step_that_says_ask_is_done_again_when_a_person_says_so() {
    let tool = Provider::start(|call| if call.number == 0 { Reply::Status(500, None) } else { Reply::Return }).await;
    let steps = json!([{"id": "out", "tool": "publish", "input": "{{input}}", "on_failure": "ask"}]);
    let daemon = Daemon::start(boss(&tool, false, steps)).await;
    let task = daemon.submit("boss", "it").await;
    let asks = stands(&daemon, &task, TaskState::NeedsAttention).await;
    let about = asks.waiting_for.expect("what it waits for");
    assert_eq!((about.step, about.code.as_deref()), (None, Some("step_failed")));
    daemon.client.retry(&task.task_id).await.expect("retried");
    let ended = daemon.finished(&task.task_id).await;
    assert_eq!((ended.state, &ended.output), (TaskState::Succeeded, &json!("did: it")), "{ended:?}");
    let keys = keys(&tool);
    assert_ne!(keys[0], keys[1], "the tool answered: it is another call");
}

#[tokio::test]
async fn what_a_tool_refuses_or_fails_at_is_the_steps_failure() {
    for (status, code) in [(404, "tool_refused"), (503, "tool_failed")] {
        let tool = Provider::start(move |_| Reply::Status(status, None)).await;
        let daemon = Daemon::start(boss(&tool, false, publish())).await;
        let task = daemon.run("boss", "it").await;
        assert_eq!((failed_with(&task), tool.count()), ((TaskState::Failed, code), 1));
    }
    let workshop = Workshop::new("");
    workshop.template("boss", json!({"kind": "orchestrator", "tools": ["publish"], "plan": {"steps": publish()}}));
    let daemon = Daemon::start(workshop).await;
    assert_eq!(failed_with(&daemon.run("boss", "it").await), (TaskState::Failed, "tool_unknown"));
}

#[tokio::test]
async fn personal_data_does_not_reach_a_tool_and_comes_back_to_its_owner() {
    let tool = Provider::start(|_| Reply::Return).await;
    let daemon = Daemon::start(boss(&tool, false, publish())).await;
    let task = daemon.run("boss", "to ada@example.org").await;
    assert_eq!((task.state, &task.output), (TaskState::Succeeded, &json!("did: send to ada@example.org")), "{task:?}");
    assert!(!tool.asked()[0].raw.contains("ada@example.org"), "{}", tool.asked()[0].raw);
}

#[tokio::test]
async fn a_tool_has_no_more_calls_at_once_than_it_bears() {
    let gate = Gate::closed();
    let held = gate.clone();
    let tool = Provider::start(move |_| Reply::Held(held.clone(), Box::new(Reply::Return))).await;
    let steps = json!([{"id": "out", "tool": "publish", "map": "{{input}}", "input": "{{item}}"}]);
    let workshop = boss(&tool, false, steps);
    workshop.edit_settings(|text| text.replace("idempotent = false", "max_concurrency = 2"));
    let daemon = Daemon::start(workshop).await;
    let task = daemon.submit("boss", "[\"a\",\"b\",\"c\",\"d\"]").await;
    tool.was_asked(2).await;
    let steps = daemon.client.task(&task.task_id, Duration::ZERO).await.expect("a task").steps.len();
    assert_eq!((steps, tool.count()), (2, 2), "what has no slot has not started");
    gate.open();
    let ended = daemon.finished(&task.task_id).await;
    assert_eq!(ended.output, json!("[\"did: a\",\"did: b\",\"did: c\",\"did: d\"]"), "{ended:?}");
    assert_eq!(tool.count(), 4);
}
