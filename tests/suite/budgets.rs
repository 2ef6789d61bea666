//! Budgets are hard: what does not fit in the worst case is refused before anything exists, and nothing leaks.

use std::time::Duration;

use agent_factory::domain::money::Usd;
use agent_factory::protocol::budget::{Budget, Reconcile, SetBudget};
use agent_factory::protocol::task::{SubmitTask, TaskState};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::{COST, Daemon, Gate, PATIENCE, Provider, Reply, Workshop, code};

/// As long as every other text of these tests, so that all reserve the same.
const TEXT: &str = "hello 1";

fn priced() -> Value {
    json!({"model": {"route": "priced", "max_output_tokens": 64}})
}

fn work(text: &str) -> SubmitTask {
    SubmitTask { template_name: Some("worker".into()), input: text.into(), ..SubmitTask::default() }
}

async fn limit(daemon: &Daemon, scope: &str, amount: Usd) {
    let wanted = SetBudget { limit_usd: amount.to_string(), window: "total".into(), ..SetBudget::default() };
    let set = daemon.client.set_budget(scope, &wanted).await.expect("a budget");
    assert_eq!(set.limit_usd, Some(amount.to_string()));
}

async fn global(daemon: &Daemon) -> Budget {
    daemon.client.budget("global").await.expect("a budget")
}

fn usd(text: &str) -> Usd {
    text.parse().expect("an amount")
}

fn times(amount: Usd, count: usize) -> Usd {
    std::iter::repeat_n(amount, count).sum()
}

/// A daemon whose provider holds every answer back, and what one task reserves there.
async fn held() -> (Daemon, Provider, Gate, Usd) {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::start(move |_| Reply::echo_behind(&held)).await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(priced())).await;
    daemon.submit("worker", TEXT).await;
    provider.was_asked(1).await;
    let worst = usd(&global(&daemon).await.reserved_usd);
    assert!(worst > usd(COST), "{worst:?}");
    (daemon, provider, gate, worst)
}

#[tokio::test]
async fn a_worst_case_that_does_not_fit_is_refused_and_leaves_nothing() {
    let provider = Provider::echo().await;
    let workshop = Workshop::with(&provider, "[budgets.\"user:bob\"]\nlimit_usd = \"0.000001\"\nwindow = \"month\"\n");
    let daemon = Daemon::start(workshop.worker(priced())).await;
    let before = daemon.holdings().await;
    let own = SubmitTask { budget_usd: Some("0.000001".into()), ..work(TEXT) };
    let users = SubmitTask { user: Some("bob".into()), ..work(TEXT) };
    for too_much in [own, users] {
        let refused = daemon.client.submit(&too_much, None, Duration::ZERO).await;
        assert_eq!(code(refused), (402, "budget_exceeded".to_owned()), "{too_much:?}");
    }
    assert_eq!((daemon.holdings().await, provider.count()), (before, 0));
    assert!(daemon.metrics().await.lines().any(|line| line == "factory_budget_refusals_total 2"));
    assert_eq!(daemon.run("worker", TEXT).await.state, TaskState::Succeeded, "others are not concerned");
}

#[tokio::test]
async fn concurrent_requests_do_not_overspend_and_open_reservations_count_as_gone() {
    let (daemon, provider, gate, worst) = held().await;
    limit(&daemon, "global", times(worst, 3)).await;
    let texts: Vec<String> = (2..9).map(|number| format!("hello {number}")).collect();
    let submitted =
        join_all(texts.iter().map(|text| async { daemon.client.submit(&work(text), None, Duration::ZERO).await }))
            .await;
    let (admitted, refused): (Vec<_>, Vec<_>) = submitted.into_iter().partition(Result::is_ok);
    assert_eq!((admitted.len(), refused.len()), (2, 5), "two more fit beside the one under way");
    for answer in refused {
        assert_eq!(code(answer), (402, "budget_exceeded".to_owned()));
    }
    provider.was_asked(3).await;
    assert_eq!(global(&daemon).await.remaining_usd.as_deref(), Some("0.00"));

    gate.open();
    let tasks = daemon.client.tasks(None, None).await.expect("tasks").items;
    assert_eq!(tasks.len(), 3, "refused ones do not exist");
    for task in tasks {
        assert_eq!(daemon.finished(&task.task_id).await.cost_usd, COST);
    }
    let after = daemon.settled("global").await;
    assert_eq!(usd(&after.spent_usd), times(usd(COST), 3));
    assert_eq!(after.remaining_usd.map(|left| usd(&left)), Some(times(worst, 3).minus(times(usd(COST), 3))));
    assert_eq!(provider.count(), 3);
}

#[tokio::test]
async fn every_scope_of_a_task_is_charged() {
    let daemon = Daemon::start(Workshop::with(&Provider::echo().await, "").worker(priced())).await;
    let submission = SubmitTask { tenant: Some("acme".into()), user: Some("ada".into()), ..work(TEXT) };
    daemon.client.submit(&submission, None, PATIENCE).await.expect("a task");
    for scope in ["global", "tenant:acme", "user:ada", "template:worker"] {
        let budget = daemon.settled(scope).await;
        assert_eq!((budget.spent_usd.as_str(), budget.limit_usd), (COST, None), "{scope}");
    }
    assert_eq!(daemon.client.budget("tenant:other").await.expect("a budget").spent_usd, "0.00");
}

#[tokio::test]
async fn totals_and_limits_outlive_the_daemon_however_it_ends() {
    let mut daemon = Daemon::start(Workshop::with(&Provider::echo().await, "").worker(priced())).await;
    limit(&daemon, "global", usd("0.50")).await;
    daemon.run("worker", TEXT).await;
    daemon.settled("global").await;
    let before = daemon.client.budgets().await.expect("budgets").items;
    daemon.kill9();
    daemon.start_again().await;
    assert_eq!(daemon.client.budgets().await.expect("budgets").items, before, "after kill -9");
    assert!(daemon.stop().await.success());
    daemon.start_again().await;
    assert_eq!(daemon.client.budgets().await.expect("budgets").items, before, "after a stop in order");
    daemon.run("worker", TEXT).await;
    assert_eq!(usd(&daemon.settled("global").await.spent_usd), times(usd(COST), 2));
}

#[tokio::test]
async fn a_call_that_kill_9_cut_off_is_booked_as_spent() {
    let (mut daemon, provider, gate, worst) = held().await;
    let task = daemon.client.tasks(None, None).await.expect("tasks").items.remove(0);
    daemon.kill9();
    daemon.start_again().await;
    gate.open();
    let task = daemon.finished(&task.task_id).await;
    assert_eq!((task.state, provider.count()), (TaskState::Succeeded, 2));
    let states: Vec<&str> = task.steps.iter().map(|step| step.state.as_str()).collect();
    assert_eq!(states, ["in_doubt", "finished"]);
    assert_eq!(usd(&task.steps[0].cost_usd), worst, "all that was reserved");
    assert_eq!(usd(&task.cost_usd), worst.plus(usd(COST)));
    assert_eq!(daemon.settled("global").await.spent_usd, task.cost_usd);
}

#[tokio::test]
async fn a_limit_is_in_force_for_the_next_step_of_a_running_task() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::start(move |_| Reply::Held(held.clone(), Box::new(Reply::Status(503, None)))).await;
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(priced())).await;
    let task = daemon.submit("worker", TEXT).await;
    provider.was_asked(1).await;
    limit(&daemon, "global", usd("0.000001")).await;
    gate.open();
    let task = daemon.finished(&task.task_id).await;
    assert_eq!(task.error.map(|error| error.code).as_deref(), Some("budget_exceeded"));
    assert_eq!((provider.count(), task.cost_usd.as_str()), (1, "0.00"));
    assert_eq!(daemon.settled("global").await.spent_usd, "0.00");
}

#[tokio::test]
async fn a_task_that_has_ended_holds_nothing_any_more() {
    let (daemon, _provider, gate, worst) = held().await;
    gate.open();
    let first = daemon.client.tasks(None, None).await.expect("tasks").items.remove(0);
    daemon.finished(&first.task_id).await;
    let rounds = 40;
    // Room for all rounds one after the other, and for the worst case of one.
    limit(&daemon, "global", times(usd(COST), rounds).plus(worst)).await;
    for round in 1..rounds {
        let task = daemon.client.submit(&work(TEXT), None, PATIENCE).await;
        assert!(
            task.is_ok_and(|task| task.cost_usd == COST),
            "round {round}: the one before still holds its worst case"
        );
        let told = global(&daemon).await;
        assert_eq!(
            (told.reserved_usd.as_str(), usd(&told.spent_usd)),
            ("0.00", times(usd(COST), round + 1)),
            "{round}"
        );
    }
}

#[tokio::test]
async fn limits_that_make_no_sense_are_not_set() {
    let daemon = Daemon::start(Workshop::new("")).await;
    let before = daemon.holdings().await;
    let table = [
        ("global", json!({"limit_usd": "-1", "window": "total"}), 400, "budget_limit_negative"),
        ("global", json!({"limit_usd": "1000000000.01", "window": "total"}), 400, "budget_limit_too_large"),
        ("global", json!({"limit_usd": "--1", "window": "total"}), 400, "malformed_request"),
        ("global", json!({"limit_usd": "0.0000000001", "window": "total"}), 400, "malformed_request"),
        ("global", json!({"limit_usd": 1.5, "window": "total"}), 400, "malformed_request"),
        ("global", json!({"limit_usd": "1", "window": "year"}), 400, "budget_window_unknown"),
        ("global", json!({"limit_usd": "1", "window": "day", "alert_at": ["0%"]}), 400, "budget_threshold_invalid"),
        ("global", json!({"limit_usd": "1", "window": "day", "alert_at": ["80"]}), 400, "budget_threshold_invalid"),
        ("global", json!({"limit_usd": "1", "window": "day", "alert_at": "80%"}), 400, "malformed_request"),
        ("planet:earth", json!({"limit_usd": "1", "window": "total"}), 404, "unknown_scope"),
    ];
    for (scope, body, status, code) in table {
        let call = agent_factory::client::Call::put(format!("/factory/budgets/{scope}")).json(&body).expect("JSON");
        let (got, problem) = daemon.ask(&call).await;
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{scope} {body}: {problem}");
    }
    assert_eq!(daemon.holdings().await, before);
}

#[tokio::test]
async fn a_bill_settles_what_kill_9_left_in_doubt_and_everything_follows() {
    let (mut daemon, _provider, gate, worst) = held().await;
    let task = daemon.client.tasks(None, None).await.expect("tasks").items.remove(0);
    let holds = daemon.client.reservations(None, None).await.expect("reservations").items;
    assert_eq!(
        holds.iter().map(|held| (held.task_id.as_str(), usd(&held.amount_usd))).collect::<Vec<_>>(),
        [(task.task_id.as_str(), worst)]
    );
    daemon.kill9();
    daemon.start_again().await;
    gate.open();
    let task = daemon.finished(&task.task_id).await;
    daemon.settled("global").await;
    assert!(daemon.client.reservations(None, None).await.expect("reservations").items.is_empty());
    let doubts = daemon.client.doubts(None, None).await.expect("doubts").items;
    let [doubt] = doubts.as_slice() else { panic!("one doubt: {doubts:?}") };
    assert_eq!((doubt.task_id.as_str(), doubt.step, usd(&doubt.amount_usd)), (task.task_id.as_str(), 0, worst));
    assert_eq!(doubt.idempotency_key, format!("{}-0", task.task_id));

    let ctl = daemon.ctl(&["budgets", "reconcile", &task.task_id, "0", "--cost", COST, "--json"]).await;
    assert_eq!((ctl.code, &ctl.json()["outcome"]), (Some(0), &json!("reconciled")), "{}", ctl.err);
    let twice = times(usd(COST), 2);
    let after = daemon.client.task(&task.task_id, Duration::ZERO).await.expect("the task");
    assert_eq!((usd(&after.cost_usd), usd(&after.steps[0].cost_usd)), (twice, usd(COST)));
    for scope in ["global", "tenant:default", "template:worker"] {
        assert_eq!(usd(&daemon.settled(scope).await.spent_usd), twice, "{scope}");
    }
    let history = daemon.ctl(&["budgets", "history", "global", "--by", "total", "--json"]).await.json();
    assert_eq!(usd(history["items"][0]["spent_usd"].as_str().expect("an amount")), twice, "{history}");
    assert!(daemon.client.doubts(None, None).await.expect("doubts").items.is_empty());

    daemon.kill9();
    daemon.start_again().await;
    let bill = |step, cost: &str| Reconcile {
        task_id: Some(task.task_id.clone()),
        step: Some(step),
        idempotency_key: None,
        cost_usd: cost.to_owned(),
    };
    let again = daemon.client.reconcile(&bill(0, COST)).await.expect("the same bill");
    assert_eq!(again.outcome, "unchanged");
    for (step, cost, expected) in [
        (0, "0.5", (409, "already_reconciled")),
        (1, COST, (409, "step_not_in_doubt")),
        (7, COST, (404, "step_not_found")),
    ] {
        let refused = daemon.client.reconcile(&bill(step, cost)).await;
        assert_eq!(code(refused), (expected.0, expected.1.to_owned()), "step {step}");
    }
    assert_eq!(usd(&daemon.settled("global").await.spent_usd), twice, "counted once");
    let audited = daemon.ctl(&["tasks", "events", &task.task_id, "--json"]).await;
    assert!(audited.out.contains("cost_reconciled"), "{}", audited.out);
}

#[tokio::test]
async fn a_limit_that_is_unset_leaves_the_one_of_the_settings() {
    let declared = "[budgets.global]\nlimit_usd = \"3.00\"\nwindow = \"total\"\nalert_at = [\"80%\", \"50%\"]\n";
    let mut daemon = Daemon::start(Workshop::new(declared)).await;
    assert_eq!(global(&daemon).await.alert_at, ["50%", "80%"]);
    let missing = daemon.ctl(&["budgets", "unset", "global", "--json"]).await;
    assert_eq!((missing.code, &missing.json()["code"]), (Some(1), &json!("budget_not_set")));
    let set = daemon.ctl(&["budgets", "set", "global", "1", "--window", "total", "--alert-at", "10%", "--json"]).await;
    assert_eq!((set.code, &set.json()["alert_at"]), (Some(0), &json!(["10%"])), "{}", set.err);
    let unset = daemon.ctl(&["budgets", "unset", "global", "--json"]).await;
    assert_eq!((unset.code, &unset.json()["limit_usd"]), (Some(0), &json!("3.00")), "{}", unset.err);
    daemon.kill9();
    daemon.start_again().await;
    assert_eq!(global(&daemon).await.limit_usd.as_deref(), Some("3.00"));
}

#[tokio::test]
async fn histories_that_make_no_sense_are_refused() {
    let daemon = Daemon::start(Workshop::new("")).await;
    for (query, status, code) in [
        ("from=2026-11-02&to=2026-11-01", 400, "history_range_empty"),
        ("by=year", 400, "budget_window_unknown"),
        ("from=yesterday", 400, "malformed_request"),
        ("limit=0", 400, "malformed_request"),
        ("since=2026-11-01", 400, "malformed_request"),
    ] {
        let (got, problem) = daemon.get(&format!("/factory/budgets/global/history?{query}")).await;
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{query}: {problem}");
    }
    let (_, page) = daemon.get("/factory/budgets/global/history?from=2026-10-30&to=2026-11-02&limit=3").await;
    assert_eq!((page["items"].as_array().map(Vec::len), &page["next"]), (Some(3), &json!("2026-11-02")));
    let (_, page) = daemon.get("/factory/budgets/global/history?from=2026-10-30&to=2026-11-02&after=2026-11-02").await;
    assert_eq!(page["items"], json!([{"from": "2026-11-02", "to": "2026-11-02", "spent_usd": "0.00"}]));
}
