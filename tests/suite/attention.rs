//! What people say about a task: a failed one is retried and goes on where it was, and what makes no sense is refused by name.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agent_factory::domain::clock::Timestamp;
use agent_factory::protocol::task::{Decision, Signal, SubmitTask, Task, TaskState};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Daemon, Gate, Provider, Reply, Workshop, code};

/// Answers that a worker of these tests takes: the first, and one for each refinement.
const ANSWERS: usize = 3;

/// A worker that refines its answer twice, for money.
fn refining() -> Value {
    json!({"model": {"route": "priced", "max_output_tokens": 64}, "refine": {"passes": ANSWERS - 1}})
}

/// A provider that answers the first call and rejects every other until it is mended.
async fn breaking(then: impl Fn() -> Reply + Send + Sync + 'static) -> (Provider, Arc<AtomicBool>) {
    let mended = Arc::new(AtomicBool::new(false));
    let is_mended = Arc::clone(&mended);
    let provider = Provider::start(move |call| match (call.number, is_mended.load(Ordering::SeqCst)) {
        (0, _) => Reply::Echo,
        (_, false) => Reply::Status(400, None),
        (_, true) => then(),
    })
    .await;
    (provider, mended)
}

fn failed_with(task: &Task, code: &str) {
    assert_eq!((task.state, task.error.as_ref().map(|error| error.code.as_str())), (TaskState::Failed, Some(code)));
}

/// Tasks that ended in this state, as the daemon counts them for all time.
async fn rate(daemon: &Daemon) -> Value {
    daemon.get("/factory/metrics").await.1["success_rate"].clone()
}

#[tokio::test]
async fn a_failed_task_that_is_retried_goes_on_at_the_pass_that_failed() {
    let (provider, mended) = breaking(|| Reply::Echo).await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(refining())).await;
    let task = daemon.run("worker", "hello").await;
    failed_with(&task, "provider_rejected");
    assert_eq!(provider.count(), 2, "the first pass, and the second that failed");

    mended.store(true, Ordering::SeqCst);
    let told = daemon.client.retry(&task.task_id).await.expect("it is retried");
    assert!(!matches!(told.state, TaskState::Failed), "{told:?}");
    let task = daemon.finished(&task.task_id).await;
    assert_eq!((task.state, task.error.clone()), (TaskState::Succeeded, None), "{task:?}");
    assert_eq!(provider.count(), 1 + 1 + (ANSWERS - 1), "the first pass was not made again");
    assert_eq!(daemon.settled("global").await.spent_usd, task.cost_usd, "what was spent counts once");
    let kinds: Vec<String> =
        daemon.client.task_events(&task.task_id).await.expect("events").items.into_iter().map(|e| e.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "retry_requested").count(), 1);
    assert_eq!(kinds.iter().filter(|kind| *kind == "task_ended").count(), 2);
    assert_eq!(code(daemon.client.retry(&task.task_id).await), (409, "not_retryable".to_owned()));
}

#[tokio::test]
async fn a_retried_task_goes_on_after_kill_9() {
    let gate = Gate::closed();
    let held = gate.clone();
    let (provider, mended) = breaking(move || Reply::echo_behind(&held)).await;
    let mut daemon = Daemon::start(Workshop::with(&provider, "").worker(refining())).await;
    let task = daemon.run("worker", "hello").await;
    failed_with(&task, "provider_rejected");
    mended.store(true, Ordering::SeqCst);
    daemon.client.retry(&task.task_id).await.expect("it is retried");
    provider.was_asked(3).await;
    daemon.kill9();
    daemon.start_again().await;
    gate.open();
    let task = daemon.finished(&task.task_id).await;
    assert_eq!(task.state, TaskState::Succeeded, "{task:?}");
    assert_eq!(provider.count(), 2 + 1 + (ANSWERS - 1), "but for the call that was cut off, nothing was made again");
    assert_eq!(daemon.settled("global").await.spent_usd, task.cost_usd);
}

#[tokio::test]
async fn a_retried_task_cannot_spend_more_than_its_budget() {
    let provider = Provider::echo().await;
    let mut daemon = Daemon::start(Workshop::with(&provider, "").worker(refining())).await;
    let work = SubmitTask {
        template_name: Some("worker".into()),
        input: "hello".into(),
        budget_usd: Some("0.0005".into()),
        ..SubmitTask::default()
    };
    let task = daemon.client.submit(&work, None, Duration::from_secs(30)).await.expect("a task");
    failed_with(&task, "budget_exceeded");
    let (calls, spent) = (provider.count(), task.cost_usd.clone());
    assert!((1..ANSWERS).contains(&calls), "{calls} calls");
    for restart in [false, true] {
        if restart {
            daemon.kill9();
            daemon.start_again().await;
        }
        daemon.client.retry(&task.task_id).await.expect("it is retried");
        let task = daemon.finished(&task.task_id).await;
        failed_with(&task, "budget_exceeded");
        assert_eq!((provider.count(), &task.cost_usd), (calls, &spent), "after a restart: {restart}");
    }
    assert_eq!(daemon.settled("global").await.spent_usd, spent);
}

#[tokio::test]
async fn of_retries_at_the_same_moment_one_wins_and_the_statistics_count_one_end() {
    let (provider, mended) = breaking(|| Reply::Silence).await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(refining())).await;
    let task = daemon.run("worker", "hello").await;
    mended.store(true, Ordering::SeqCst);
    assert_eq!(rate(&daemon).await, json!(0.0), "one has ended, and failed");
    let answers = join_all((0..8).map(|_| daemon.client.retry(&task.task_id))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    for answer in lost {
        assert_eq!(code(answer), (409, "not_retryable".to_owned()));
    }
    provider.was_asked(3).await;
    assert_eq!(rate(&daemon).await, Value::Null, "none has ended");
    daemon.client.cancel(&task.task_id).await.expect("cancelled");
    assert_eq!(daemon.finished(&task.task_id).await.state, TaskState::Cancelled);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_name_and_changes_nothing() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::start(move |_| Reply::echo_behind(&held)).await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let running = daemon.submit("worker", "hello").await.task_id;
    provider.was_asked(1).await;
    let refused = |code: &str| (409, code.to_owned());
    let no = Decision::default();
    assert_eq!(code(daemon.client.approve(&running, &no).await), refused("nothing_to_decide"));
    assert_eq!(code(daemon.client.reject(&running, &no).await), refused("nothing_to_decide"));
    let step = Decision { step: Some(0), comment: None };
    assert_eq!(code(daemon.client.approve(&running, &step).await), refused("nothing_to_decide"));
    assert_eq!(code(daemon.client.retry(&running).await), refused("not_retryable"));
    let signal = Signal { payload: json!("now") };
    assert_eq!(code(daemon.client.signal(&running, "paid", &signal).await), refused("signal_unexpected"));
    assert_eq!(code(daemon.client.signal(&running, "not a name", &signal).await).0, 400);
    let number = Signal { payload: json!(7) };
    assert_eq!(code(daemon.client.signal(&running, "paid", &number).await).0, 400);
    gate.open();
    let task = daemon.finished(&running).await;
    assert_eq!((task.state, task.waiting_for.clone()), (TaskState::Succeeded, None));
    for ended in [daemon.client.approve(&running, &no).await, daemon.client.reject(&running, &no).await] {
        assert_eq!(code(ended), refused("task_ended"));
    }
    assert_eq!(code(daemon.client.signal(&running, "paid", &signal).await), refused("task_ended"));
    assert_eq!(daemon.finished(&running).await, task);
    let unknown = "task-01890000-0000-7000-8000-000000000000";
    assert_eq!(code(daemon.client.retry(unknown).await).0, 404);
}

#[tokio::test]
async fn a_task_whose_deadline_has_passed_is_not_retried() {
    let provider = Provider::start(|_| Reply::Silence).await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let deadline = Timestamp::now().after(Duration::from_millis(300)).to_string();
    let work = json!({"template_name": "worker", "input": "hello", "deadline": deadline});
    let (_, task) = daemon.post("/factory/tasks?wait=20s", &work).await;
    let id = task["task_id"].as_str().expect("an id");
    failed_with(&daemon.finished(id).await, "deadline_exceeded");
    assert_eq!(code(daemon.client.retry(id).await), (409, "deadline_exceeded".to_owned()));
    let (_, audit) = daemon.get("/factory/audit?limit=1000").await;
    let refused = |entry: &&Value| entry["action"] == "retry_task" && entry["subject"] == id;
    assert_eq!(audit["items"].as_array().expect("entries").iter().filter(refused).count(), 1, "{audit}");
}

#[tokio::test]
async fn a_subtask_that_failed_is_retried_with_its_parent_alone() {
    let provider = Provider::start(|_| Reply::Status(400, None)).await;
    let workshop = Workshop::with(&provider, "").worker(json!({}));
    let plan = json!({"steps": [{"id": "only", "template": "worker", "input": "{{input}}"}],
        "aggregate": {"mode": "step", "step": "only"}});
    workshop.template("boss", json!({"kind": "orchestrator", "plan": plan}));
    let daemon = Daemon::start(workshop).await;
    let boss = daemon.run("boss", "go").await;
    assert_eq!(boss.state, TaskState::Failed);
    let child = boss.steps[0].task_id.clone().expect("a subtask");
    let answer = daemon.client.retry(&child).await;
    assert!(answer.as_ref().is_err_and(|error| error.to_string().contains(&boss.task_id)), "{answer:?}");
    assert_eq!(code(answer), (409, "retry_the_parent".to_owned()));
}

#[tokio::test]
async fn events_come_in_pages_that_name_the_next() {
    let provider = Provider::echo().await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(json!({}))).await;
    let task = daemon.run("worker", "hello").await.task_id;
    let all = daemon.client.task_events(&task).await.expect("events").items;
    for limit in 1..=all.len() + 1 {
        let (mut seen, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = daemon.client.task_events_page(&task, Some(limit), after.as_deref()).await.expect("a page");
            assert!(page.items.len() <= limit && !page.items.is_empty());
            seen.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, all, "in pages of {limit}");
    }
}

#[tokio::test]
async fn the_verbs_say_what_they_did_and_what_to_do() {
    let (provider, mended) = breaking(|| Reply::Echo).await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(refining())).await;
    let task = daemon.run("worker", "hello").await.task_id;
    let shown = daemon.ctl(&["tasks", "show", &task]).await;
    assert!(shown.out.contains(&format!("factoryctl tasks retry {task}")), "{}", shown.out);
    let listed = daemon.ctl(&["tasks", "ls", "--state", "failed", "--json"]).await;
    assert!(listed.out.contains(&task));
    let others = daemon.ctl(&["tasks", "ls", "--state", "needs_attention", "--json"]).await;
    assert!(!others.out.contains(&task));
    let approved = daemon.ctl(&["tasks", "approve", &task]).await;
    assert_eq!(approved.code, Some(3), "{}", approved.err);
    mended.store(true, Ordering::SeqCst);
    let retried = daemon.ctl(&["tasks", "retry", &task, "--json"]).await;
    assert_eq!(retried.code, Some(0), "{}", retried.err);
    assert_eq!(daemon.finished(&task).await.state, TaskState::Succeeded);
}
