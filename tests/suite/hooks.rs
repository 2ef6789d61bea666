//! Lifecycle hooks: a template's tools hear when its tasks start and end, once for each moment, and nobody waits for them.

use std::time::Duration;

use agent_factory::protocol::event::Event;
use agent_factory::protocol::task::{SubmitTask, Task, TaskState};
use serde_json::{Value, json};

use crate::harness::{Asked, Daemon, Gate, Provider, Reply, Workshop, until, within};

const PROMPT: &str = "the secret of the prompt";

/// A workshop whose template `worker` tells the tool `pager`, which is this server, of everything.
fn told(model: &Provider, pager: &Provider, rules: &str) -> Workshop {
    let settings = format!(
        "[hooks]\n{rules}\n[tools.pager]\nurl = \"http://127.0.0.1:{}/hook\"\ntimeout = \"120s\"",
        pager.port()
    );
    Workshop::with(model, &settings).worker(json!({"tools": ["pager"], "hooks": every_hook("pager")}))
}

fn every_hook(tool: &str) -> Value {
    let told = json!({"tool": tool});
    json!({"on_start": told, "on_success": told, "on_failure": told, "on_cancel": told})
}

/// What a call of the tool says, and under which key.
fn notice(call: &Asked) -> (String, Value) {
    let said = call.body["input"].as_str().expect("a text");
    assert_eq!(call.body["step"], serde_json::from_str::<Value>(said).expect("JSON")["hook"]);
    (call.idempotency_key.clone().expect("a key"), serde_json::from_str(said).expect("JSON"))
}

/// The words of the hooks of a task that a tool was told of, in alphabetical order.
fn hooks_of(pager: &Provider, task: &Task) -> Vec<String> {
    let told = pager.asked();
    let of_task = told.iter().map(|call| notice(call).1).filter(|said| said["task_id"] == task.task_id.as_str());
    let mut words: Vec<String> = of_task.map(|said| said["hook"].as_str().expect("a word").to_owned()).collect();
    words.sort_unstable();
    words
}

/// Waits until a metric is there with this value.
async fn shows(daemon: &Daemon, sample: &str) {
    until(&format!("/metrics says {sample}"), async || {
        daemon.metrics().await.lines().any(|line| line == sample).then_some(())
    })
    .await;
}

#[tokio::test]
async fn each_moment_is_told_once_without_a_word_of_what_was_said() {
    let gate = Gate::closed();
    let held = gate.clone();
    let model = Provider::start(move |call| match call.prompt() {
        "fail" => Reply::Status(400, None),
        "wait" => Reply::echo_behind(&held),
        _ => Reply::Echo,
    })
    .await;
    let pager = Provider::start(|_| Reply::Return).await;
    let daemon = Daemon::start(told(&model, &pager, "")).await;
    let answered = daemon.run("worker", PROMPT).await;
    let failed = daemon.run("worker", "fail").await;
    let waiting = daemon.submit("worker", "wait").await;
    model.was_asked(3).await;
    daemon.client.cancel(&waiting.task_id).await.expect("cancelled");
    let cancelled = daemon.finished(&waiting.task_id).await;
    assert_eq!(
        [&answered, &failed, &cancelled].map(|task| task.state),
        [TaskState::Succeeded, TaskState::Failed, TaskState::Cancelled]
    );
    pager.was_asked(6).await;
    shows(&daemon, "factory_hook_outbox_entries{tool=\"pager\"} 0").await;
    for (task, ended) in [(&answered, "on_success"), (&failed, "on_failure"), (&cancelled, "on_cancel")] {
        let mut expected = vec!["on_start", ended];
        expected.sort_unstable();
        assert_eq!(hooks_of(&pager, task), expected, "{task:?}");
    }
    let calls = pager.asked();
    let said: Vec<Value> = calls.iter().map(|call| notice(call).1).collect();
    let success = said.iter().find(|said| said["hook"] == "on_success").expect("told");
    assert_eq!((&success["state"], &success["steps"]), (&json!("succeeded"), &json!(1)));
    assert_eq!((&success["template_name"], &success["error_code"]), (&json!("worker"), &json!(null)));
    assert_eq!(success["finished_at"], json!(answered.finished_at));
    let failure = said.iter().find(|said| said["hook"] == "on_failure").expect("told");
    assert_eq!(failure["error_code"], json!(failed.error.expect("an error").code));
    assert!(calls.iter().all(|call| !call.raw.contains(PROMPT) && !call.raw.contains("echo")));
    gate.open();
}

/// INVARIANT I85.
#[tokio::test]
async fn a_hook_that_kill_9_cut_off_is_told_again_under_the_same_key_and_then_no_more() {
    let gate = Gate::closed();
    let held = gate.clone();
    let model = Provider::echo().await;
    let pager = Provider::start(move |_| Reply::Held(held.clone(), Box::new(Reply::Return))).await;
    let mut daemon = Daemon::start(told(&model, &pager, "")).await;
    let task = daemon.run("worker", PROMPT).await;
    assert_eq!(task.state, TaskState::Succeeded, "nobody waits for the tool");
    pager.was_asked(2).await;
    daemon.kill9();
    daemon.start_again().await;
    pager.was_asked(4).await;
    gate.open();
    shows(&daemon, "factory_hooks_total{hook=\"on_success\",outcome=\"delivered\"} 1").await;
    shows(&daemon, "factory_hook_outbox_entries{tool=\"pager\"} 0").await;
    let mut keys: Vec<String> = pager.asked().iter().map(|call| notice(call).0).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 2, "one for each moment: {keys:?}");
    daemon.kill9();
    daemon.start_again().await;
    let other = daemon.run("worker", "again").await;
    pager.was_asked(6).await;
    assert_eq!(hooks_of(&pager, &other), ["on_start", "on_success"]);
    assert_eq!(hooks_of(&pager, &task).len(), 4, "what was delivered is not told again");
}

/// INVARIANT I86.
#[tokio::test]
async fn a_tool_that_fails_is_told_again_and_given_up_and_no_other_waits_for_it() {
    let model = Provider::echo().await;
    let gate = Gate::closed();
    let held = gate.clone();
    let pager = Provider::start(move |_| Reply::Held(held.clone(), Box::new(Reply::Status(503, None)))).await;
    let crm = Provider::start(|_| Reply::Return).await;
    let workshop = told(&model, &pager, "attempts = 3\npause = \"10ms\"");
    let crm_tool = format!("\n[tools.crm]\nurl = \"http://127.0.0.1:{}/hook\"\n", crm.port());
    workshop.edit_settings(|text| text + &crm_tool);
    let hooks = json!({"on_start": {"tool": "pager"}, "on_success": {"tool": "crm"}});
    workshop.template("worker", json!({"tools": ["pager", "crm"], "hooks": hooks}));
    let daemon = Daemon::start(workshop).await;
    let mut news = daemon.client.events().await.expect("a stream");
    let task = daemon.run("worker", PROMPT).await;
    assert_eq!(task.state, TaskState::Succeeded);
    // The pager was told first, and has not answered.
    crm.was_asked(1).await;
    shows(&daemon, "factory_hooks_total{hook=\"on_success\",outcome=\"delivered\"} 1").await;
    gate.open();
    let given_up = within("news of the hook", async {
        loop {
            let event: Event = news.next().await.expect("an event").expect("it goes on");
            if event.kind == "hook_failed" {
                break event;
            }
        }
    })
    .await;
    let details = [("hook", "on_start"), ("tool", "pager"), ("code", "tool_failed"), ("attempts", "3")];
    for (name, value) in details {
        assert_eq!(given_up.details[name], json!(value));
    }
    assert_eq!(given_up.task_id.as_deref(), Some(task.task_id.as_str()));
    assert_eq!(pager.count(), 3);
    shows(&daemon, "factory_hooks_total{hook=\"on_start\",outcome=\"failed\"} 1").await;
    shows(&daemon, "factory_hooks_total{hook=\"on_start\",outcome=\"retried\"} 2").await;
    shows(&daemon, "factory_hook_outbox_entries{tool=\"pager\"} 0").await;
}

#[tokio::test]
async fn a_tool_that_the_settings_do_not_name_is_given_up_at_once_and_the_task_is_none_the_worse() {
    let (model, pager) = (Provider::echo().await, Provider::echo().await);
    let workshop = told(&model, &pager, "");
    workshop.template("worker", json!({"tools": ["nowhere"], "hooks": {"on_success": {"tool": "nowhere"}}}));
    let daemon = Daemon::start(workshop).await;
    assert_eq!(daemon.run("worker", PROMPT).await.state, TaskState::Succeeded);
    shows(&daemon, "factory_hooks_total{hook=\"on_success\",outcome=\"failed\"} 1").await;
    shows(&daemon, "factory_hook_outbox_entries{tool=\"nowhere\"} 0").await;
}

#[tokio::test]
async fn a_task_that_is_retried_tells_each_of_its_ends_and_its_start_once() {
    let model = Provider::start(|call| if call.number == 0 { Reply::Status(400, None) } else { Reply::Echo }).await;
    let pager = Provider::start(|_| Reply::Return).await;
    let daemon = Daemon::start(told(&model, &pager, "")).await;
    let failed = daemon.run("worker", PROMPT).await;
    assert_eq!(failed.state, TaskState::Failed, "{failed:?}");
    daemon.client.retry(&failed.task_id).await.expect("retried");
    let ended = daemon.finished(&failed.task_id).await;
    assert_eq!(ended.state, TaskState::Succeeded, "{ended:?}");
    pager.was_asked(3).await;
    shows(&daemon, "factory_hook_outbox_entries{tool=\"pager\"} 0").await;
    assert_eq!(hooks_of(&pager, &ended), ["on_failure", "on_start", "on_success"]);
}

#[tokio::test]
async fn a_plan_and_its_subtasks_each_tell_their_own_and_a_deadline_is_a_failure() {
    let model = Provider::start(|call| if call.prompt() == "late" { Reply::Silence } else { Reply::Echo }).await;
    let pager = Provider::start(|_| Reply::Return).await;
    let workshop = told(&model, &pager, "");
    let plan = json!({"steps": [{"id": "only", "template": "worker"}]});
    workshop.template(
        "boss",
        json!({"kind": "orchestrator", "tools": ["pager"], "hooks": {"on_success": {"tool": "pager"}}, "plan": plan}),
    );
    let daemon = Daemon::start(workshop).await;
    let whole = daemon.run("boss", PROMPT).await;
    assert_eq!(whole.state, TaskState::Succeeded, "{whole:?}");
    let said: Vec<Value> = pager.was_asked(3).await.iter().map(|call| notice(call).1).collect();
    let of_children: Vec<_> = said.iter().filter(|said| said["parent_task_id"] == whole.task_id.as_str()).collect();
    assert_eq!(of_children.len(), 2, "{said:?}");
    assert_eq!(hooks_of(&pager, &whole), ["on_success"]);

    let late = SubmitTask {
        template_name: Some("worker".into()),
        input: "late".into(),
        deadline: Some(agent_factory::domain::clock::Timestamp::now().after(Duration::from_millis(300)).to_string()),
        ..SubmitTask::default()
    };
    let late = daemon.client.submit(&late, None, Duration::ZERO).await.expect("a task");
    let late = daemon.finished(&late.task_id).await;
    assert_eq!(late.state, TaskState::Failed, "{late:?}");
    pager.was_asked(5).await;
    assert_eq!(hooks_of(&pager, &late), ["on_failure", "on_start"]);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_tool_and_a_backup_holds_what_it_is_still_to_be_told() {
    let gate = Gate::closed();
    let held = gate.clone();
    let model = Provider::echo().await;
    let pager = Provider::start(move |_| Reply::Held(held.clone(), Box::new(Reply::Return))).await;
    let mut daemon = Daemon::start(told(&model, &pager, "")).await;
    let task = daemon.run("worker", PROMPT).await;
    pager.was_asked(2).await;
    let archive = daemon.workshop.path("b.zst").display().to_string();
    let taken = daemon.ctl(&["backup", &archive]).await;
    assert_eq!(taken.code, Some(0), "{}", taken.err);
    assert_eq!(daemon.stop().await.code(), Some(0), "the tool never answered");
    let settings = daemon.workshop.settings().display().to_string();
    let restored = daemon.ctl(&["restore", &archive, "--config", &settings]).await;
    assert_eq!(restored.code, Some(0), "{}", restored.err);
    gate.open();
    daemon.start_again().await;
    shows(&daemon, "factory_hooks_total{hook=\"on_success\",outcome=\"delivered\"} 1").await;
    shows(&daemon, "factory_hook_outbox_entries{tool=\"pager\"} 0").await;
    assert_eq!(hooks_of(&pager, &task), ["on_start", "on_start", "on_success", "on_success"]);
}
