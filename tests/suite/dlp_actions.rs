//! What is done with findings by type and direction, and asking a person: what reaches a provider is what the rules say, whatever
//! happens to the daemon meanwhile.

use std::time::Duration;

use agent_factory::protocol::task::{Decision, Task, TaskState};
use serde_json::{Value, json};

use crate::harness::{Answer, Asked, Daemon, Provider, Reply, ToolCall, Workshop, until};

const MAIL: &str = "jean.dupont@example.fr";
const CARD: &str = "4111 1111 1111 1111";
const IBAN: &str = "FR76 3000 6000 0112 3456 7890 189";

/// A key in its issuer's form, which nobody has.
fn key() -> String {
    format!("ghp_{}", "aB3dE5fG7hJ9".repeat(3))
}

fn failed_with(task: &Task) -> (TaskState, &str) {
    (task.state, task.error.as_ref().map_or("", |error| error.code.as_str()))
}

async fn started(provider: &Provider, dlp: Value) -> Daemon {
    Daemon::start(Workshop::with(provider, "").worker(json!({"dlp": dlp}))).await
}

/// A template that has a person asked about cards.
fn asking() -> Value {
    json!({"outbound": {"default": "pseudonymise", "CREDIT_CARD": "ask"}})
}

async fn waiting(daemon: &Daemon, task: &Task) -> Task {
    until("a person is asked", async || {
        let task = daemon.client.task(&task.task_id, Duration::ZERO).await.expect("a task");
        assert!(!task.state.has_ended(), "{task:?}");
        (task.state == TaskState::WaitingApproval).then_some(task)
    })
    .await
}

/// The task once it has ended; one that waits for a person may go on.
async fn ended(daemon: &Daemon, task: &Task) -> Task {
    until("the task has ended", async || {
        let task = daemon.client.task(&task.task_id, Duration::ZERO).await.expect("a task");
        task.state.has_ended().then_some(task)
    })
    .await
}

fn comment(text: &str) -> Decision {
    Decision { comment: Some(text.to_owned()), step: None }
}

/// What was audited about a task: action, code and reason.
async fn audited(daemon: &Daemon, task: &Task) -> Vec<Value> {
    let (_, page) = daemon.get("/factory/audit?limit=1000").await;
    let items = page["items"].as_array().expect("entries").clone();
    items.into_iter().filter(|entry| entry["subject"] == json!(task.task_id)).collect()
}

/// Why something of the task was kept back, as the audit log has it: once.
async fn blocked_on_record(daemon: &Daemon, task: &Task) -> String {
    let entries = audited(daemon, task).await;
    let blocked: Vec<&Value> = entries.iter().filter(|entry| entry["action"] == json!("dlp_block")).collect();
    assert_eq!(blocked.len(), 1, "{entries:?}");
    assert!(!serde_json::to_string(&entries).expect("JSON").contains("4111"));
    blocked[0]["reason"].as_str().expect("a reason").to_owned()
}

#[tokio::test]
async fn each_type_is_treated_as_its_rule_says() {
    let provider = Provider::echo().await;
    let rules = json!({"default": "pseudonymise", "CREDIT_CARD": "mask", "IBAN_CODE": "hash", "IP_ADDRESS": "allow"});
    let daemon = started(&provider, json!({"outbound": rules})).await;
    let task = daemon.run("worker", &format!("{MAIL}, {CARD}, {IBAN}")).await;
    let told = provider.asked()[0].raw.clone();
    for value in [MAIL, CARD, IBAN] {
        assert!(!told.contains(value), "{told}");
    }
    assert!(told.contains("<CREDIT_CARD>") && told.contains("<IBAN_CODE_HASH_") && told.contains("<EMAIL_ADDRESS_"));
    let answer = task.output.as_str().expect("a text");
    assert!(answer.contains(MAIL) && !answer.contains(CARD) && !answer.contains(IBAN), "only pseudonyms are undone");
    let metrics = daemon.metrics().await;
    for (kind, action) in [("CREDIT_CARD", "mask"), ("IBAN_CODE", "hash"), ("EMAIL_ADDRESS", "pseudonymise")] {
        let line = metrics.lines().find(|line| {
            line.starts_with("factory_dlp_findings_total")
                && line.contains(&format!("\"{kind}\""))
                && line.contains(&format!("\"{action}\""))
        });
        assert!(line.is_some_and(|line| line.ends_with(" 1")), "{kind} {action}: {line:?}");
    }
}

#[tokio::test]
async fn one_blocked_type_keeps_the_whole_text_back_and_is_named() {
    let provider = Provider::echo().await;
    let daemon = started(&provider, json!({"outbound": {"SECRETS": "block", "CREDIT_CARD": "ask"}})).await;
    let task = daemon.run("worker", &format!("{MAIL} {CARD} {}", key())).await;
    assert_eq!((failed_with(&task), provider.count()), ((TaskState::Failed, "dlp_blocked"), 0));
    let message = task.error.clone().expect("an error").message;
    assert!(message.contains("GITHUB_TOKEN") && !message.contains("EMAIL_ADDRESS"), "{message}");
    let blocked = audited(&daemon, &task).await.into_iter().find(|entry| entry["action"] == json!("dlp_block"));
    let reason = blocked.expect("an entry")["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("GITHUB_TOKEN") && !reason.contains(&key()), "{reason}");
    assert!(!message.contains(&key()) && !daemon.workshop.log().contains(&key()));
}

#[tokio::test]
async fn answers_are_treated_by_type_as_well() {
    let answer = format!("write to {MAIL} or pay {CARD}");
    let provider = Provider::start(move |_| Answer::text(answer.clone()).into()).await;
    let daemon = started(&provider, json!({"outbound": "allow", "inbound": {"CREDIT_CARD": "mask"}})).await;
    let task = daemon.run("worker", "hello").await;
    assert_eq!(task.output, json!(format!("write to {MAIL} or pay <CREDIT_CARD>")));
    let blocking = json!({"dlp": {"outbound": "allow", "inbound": {"CREDIT_CARD": "block"}}});
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(blocking)).await;
    let task = daemon.run("worker", "hello").await;
    assert_eq!(failed_with(&task), (TaskState::Failed, "dlp_blocked"));
    assert!(blocked_on_record(&daemon, &task).await.contains("CREDIT_CARD"));
}

#[tokio::test]
async fn what_is_asked_about_leaves_when_a_person_approves_and_not_before() {
    let provider = Provider::echo().await;
    let daemon = started(&provider, asking()).await;
    let task = daemon.submit("worker", &format!("{MAIL} pays with {CARD}, {CARD}")).await;
    let asked = waiting(&daemon, &task).await.waiting_for.expect("a question");
    assert_eq!(asked.question.as_deref(), Some("2 CREDIT_CARD would leave to mock/free"));
    assert!(asked.until.is_some() && provider.count() == 0);
    daemon.client.approve(&task.task_id, &comment("they know")).await.expect("approved");
    let done = ended(&daemon, &task).await;
    assert_eq!(done.state, TaskState::Succeeded, "{done:?}");
    let told = provider.asked()[0].raw.clone();
    assert!(told.contains(CARD) && !told.contains(MAIL), "what nobody was asked about is still hidden: {told}");

    let entries = audited(&daemon, &task).await;
    let entry = |action: &str| entries.iter().find(|entry| entry["action"] == json!(action)).expect("an entry").clone();
    assert_eq!(entry("dlp_ask")["reason"], json!("2 CREDIT_CARD would leave to mock/free"));
    assert_eq!(entry("approve_task")["reason"], json!("2 CREDIT_CARD would leave to mock/free"));
    assert!(!serde_json::to_string(&entries).expect("JSON").contains("4111"));
}

#[tokio::test]
async fn a_question_outlives_kill_9_and_nothing_leaves_meanwhile() {
    let provider = Provider::echo().await;
    let mut daemon = started(&provider, asking()).await;
    let task = daemon.submit("worker", CARD).await;
    waiting(&daemon, &task).await;
    for _ in 0..2 {
        daemon.kill9();
        daemon.start_again().await;
        let still = waiting(&daemon, &task).await;
        assert_eq!((still.steps_total, provider.count()), (1, 0), "it was asked once");
    }
    daemon.client.approve(&task.task_id, &Decision::default()).await.expect("approved");
    assert_eq!(ended(&daemon, &task).await.state, TaskState::Succeeded);
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn a_no_and_no_answer_both_keep_it_back() {
    let provider = Provider::echo().await;
    let daemon = started(&provider, asking()).await;
    let task = daemon.submit("worker", CARD).await;
    waiting(&daemon, &task).await;
    daemon.client.reject(&task.task_id, &comment("never")).await.expect("rejected");
    let done = ended(&daemon, &task).await;
    assert_eq!(failed_with(&done), (TaskState::Failed, "dlp_rejected"));
    // A person may change their mind: the question is asked anew.
    daemon.client.retry(&task.task_id).await.expect("retried");
    waiting(&daemon, &task).await;
    daemon.client.cancel(&task.task_id).await.expect("cancelled");
    assert_eq!(ended(&daemon, &task).await.state, TaskState::Cancelled);

    let mut short = asking();
    short["ask_within"] = json!("1s");
    daemon.workshop.template("short", json!({"dlp": short}));
    until("the template is there", async || (daemon.get("/factory/templates/short").await.0 == 200).then_some(()))
        .await;
    let late = daemon.submit("short", CARD).await;
    assert_eq!(failed_with(&ended(&daemon, &late).await), (TaskState::Failed, "dlp_rejected"));
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn leave_for_a_text_is_none_for_another() {
    let provider = Provider::echo().await;
    let over = json!({"dlp": asking(), "refine": {"passes": 1}});
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(over)).await;
    let task = daemon.submit("worker", CARD).await;
    let first = waiting(&daemon, &task).await;
    daemon.client.approve(&task.task_id, &Decision::default()).await.expect("approved");
    // The answer to be gone over holds the card once more.
    let second = until("a person is asked again", async || {
        let task = daemon.client.task(&task.task_id, Duration::ZERO).await.expect("a task");
        task.waiting_for.filter(|asked| asked.step > first.waiting_for.as_ref().and_then(|asked| asked.step))
    })
    .await;
    assert_eq!(second.question.as_deref(), Some("2 CREDIT_CARD would leave to mock/free"));
    assert_eq!(provider.count(), 1);
    daemon.client.approve(&task.task_id, &Decision::default()).await.expect("approved");
    assert_eq!(ended(&daemon, &task).await.state, TaskState::Succeeded);
}

#[tokio::test]
async fn nothing_is_held_of_the_budget_while_a_person_is_asked() {
    let provider = Provider::echo().await;
    let over = json!({"dlp": asking(), "model": {"route": "priced", "max_output_tokens": 64}});
    let daemon = Daemon::start(Workshop::with(&provider, "").worker(over)).await;
    let task = daemon.submit("worker", CARD).await;
    waiting(&daemon, &task).await;
    assert_eq!(daemon.settled("global").await.spent_usd, "0.00");
    daemon.client.approve(&task.task_id, &Decision::default()).await.expect("approved");
    let done = ended(&daemon, &task).await;
    assert_eq!(daemon.settled("global").await.spent_usd, done.cost_usd);
}

#[tokio::test]
async fn a_person_is_asked_before_a_tool_is_told() {
    let tool = Provider::start(|_| Reply::Return).await;
    let url = format!("http://127.0.0.1:{}/publish", tool.port());
    let workshop = Workshop::with(&tool, &format!("[tools.publish]\nurl = \"{url}\"\n"));
    let plan = json!({"steps": [{"id": "out", "tool": "publish", "input": "{{input}}"}]});
    let boss = json!({"kind": "orchestrator", "tools": ["publish"], "dlp": asking(), "plan": plan});
    workshop.template("boss", boss);
    let mut daemon = Daemon::start(workshop).await;
    let task = daemon.submit("boss", &format!("{MAIL} pays with {CARD}")).await;
    let asked = waiting(&daemon, &task).await.waiting_for.expect("a question");
    assert_eq!(asked.question.as_deref(), Some("1 CREDIT_CARD would leave to publish"));
    daemon.kill9();
    daemon.start_again().await;
    waiting(&daemon, &task).await;
    assert_eq!(tool.count(), 0);
    daemon.client.approve(&task.task_id, &Decision::default()).await.expect("approved");
    let done = ended(&daemon, &task).await;
    assert_eq!(done.state, TaskState::Succeeded, "{done:?}");
    let told = tool.asked()[0].raw.clone();
    assert!(told.contains(CARD) && !told.contains(MAIL), "{told}");

    let task = daemon.submit("boss", CARD).await;
    waiting(&daemon, &task).await;
    daemon.client.reject(&task.task_id, &Decision::default()).await.expect("rejected");
    assert_eq!(failed_with(&ended(&daemon, &task).await), (TaskState::Failed, "dlp_rejected"));
    assert_eq!(tool.count(), 1);
}

#[tokio::test]
async fn what_a_tool_may_not_be_told_and_may_not_say_is_on_record_and_not_tried_again() {
    let tool = Provider::start(|_| Reply::Return).await;
    let url = format!("http://127.0.0.1:{}/publish", tool.port());
    let workshop = Workshop::with(&tool, &format!("[tools.publish]\nurl = \"{url}\"\n"));
    let plan = json!({"steps": [{"id": "out", "tool": "publish", "input": "{{input}}", "on_failure": "retry"}]});
    for (name, dlp) in [
        ("quiet", json!({"outbound": {"CREDIT_CARD": "block"}})),
        ("deaf", json!({"outbound": "allow", "inbound": {"CREDIT_CARD": "block"}})),
    ] {
        let over = json!({"kind": "orchestrator", "tools": ["publish"], "dlp": dlp, "plan": plan});
        workshop.template(name, over);
    }
    let daemon = Daemon::start(workshop).await;
    for (name, calls) in [("quiet", 0), ("deaf", 1)] {
        let task = ended(&daemon, &daemon.submit(name, CARD).await).await;
        assert_eq!(failed_with(&task), (TaskState::Failed, "dlp_blocked"), "{name}");
        assert_eq!((task.steps_total, tool.count()), (1, calls), "{name}");
        assert!(blocked_on_record(&daemon, &task).await.contains("CREDIT_CARD"), "{name}");
    }
}

#[tokio::test]
async fn names_that_a_model_makes_up_for_its_calls_are_looked_at() {
    let found: &'static str = key().leak();
    let call = |id, name| ToolCall { id, name, arguments: json!({}) };
    let calls = [call("c1", "send"), call(found, "send"), call("c1", found)];
    let provider = Provider::start(move |asked: &Asked| {
        let which = ["first", "second", "third"].iter().position(|word| asked.prompt().contains(word));
        Answer::text("").calling(vec![calls[which.expect("a number")].clone()]).into()
    })
    .await;
    let daemon = started(&provider, json!({"outbound": "allow", "inbound": {"SECRETS": "mask"}})).await;
    for (word, status) in [("first", 200), ("second", 422), ("third", 422)] {
        let body = json!({"model": "worker", "messages": [{"role": "user", "content": word}],
            "tools": [{"type": "function", "function": {"name": "send", "parameters": {"type": "object"}}}]});
        let (given, answer) = daemon.post("/v1/chat/completions", &body).await;
        assert_eq!(given, status, "{word}: {answer}");
        assert!(!answer.to_string().contains(&key()), "{answer}");
    }
}

#[tokio::test]
async fn a_client_at_the_front_door_is_told_that_a_person_is_asked() {
    let provider = Provider::echo().await;
    let daemon = started(&provider, asking()).await;
    let body = json!({"model": "worker", "messages": [{"role": "user", "content": CARD}]});
    let (status, answer) = daemon.post("/v1/chat/completions", &body).await;
    assert_eq!((status, &answer["error"]["code"]), (422, &json!("task_waits_for_person")), "{answer}");
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn no_template_undercuts_the_hosts_floor() {
    let provider = Provider::echo().await;
    let floor = "[dlp.floor.outbound]\nEMAIL_ADDRESS = \"mask\"\n[dlp.floor.inbound]\nCREDIT_CARD = \"mask\"\n";
    let lenient = json!({"dlp": {"outbound": "allow", "inbound": "allow"}});
    let daemon = Daemon::start(Workshop::with(&provider, floor).worker(lenient)).await;
    let task = daemon.run("worker", &format!("{MAIL} {CARD}")).await;
    assert_eq!(task.output, json!("echo: <EMAIL_ADDRESS> <CREDIT_CARD>"));
    assert!(provider.asked()[0].raw.contains(CARD));
    daemon.workshop.edit_settings(|text| text.replace("EMAIL_ADDRESS = \"mask\"", "EMAIL_ADDRESS = \"block\""));
    daemon.signal(rustix::process::Signal::HUP);
    until("the floor is raised", async || {
        (failed_with(&daemon.run("worker", MAIL).await) == (TaskState::Failed, "dlp_blocked")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn json_stays_json_and_what_cannot_be_replaced_is_refused() {
    let provider = Provider::echo().await;
    let daemon = started(&provider, json!({"outbound": "mask"})).await;
    let arguments =
        r#"{"to":"jean.dupont\u0040example.fr","jean.dupont@example.fr":1,"card":4111111111111111,"n":"a\nb"}"#;
    let call = json!({"id": "c1", "type": "function", "function": {"name": "send", "arguments": arguments}});
    let body = |name: &str, stop: &str| {
        json!({"model": "worker", "stop": [stop], "messages": [
            {"role": "user", "content": "send it"}, {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": format!("{{\"sent\": \"{MAIL}\"}}")}, {"role": "user", "content": "and?"}],
            "tools": [{"type": "function", "function": {"name": name, "description": MAIL,
                "parameters": {"type": "object", "properties": {"to": {"type": "string", "enum": [MAIL]}}}}}]})
    };
    let (status, answer) = daemon.post("/v1/chat/completions", &body("send", MAIL)).await;
    assert_eq!(status, 200, "{answer}");
    let told = provider.asked()[0].raw.clone();
    assert!(!told.contains("jean.dupont") && !told.contains("4111"), "{told}");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let left = told["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .find_map(|it| it["tool_calls"][0]["function"]["arguments"].as_str());
    let left: Value = serde_json::from_str(left.expect("arguments")).expect("still JSON");
    assert_eq!(left, json!({"to": "<EMAIL_ADDRESS>", "<EMAIL_ADDRESS>": 1, "card": "<CREDIT_CARD>", "n": "a\nb"}));

    let (status, answer) = daemon.post("/v1/chat/completions", &body(&key(), "end")).await;
    assert_eq!((status, &answer["error"]["code"]), (422, &json!("dlp_blocked")), "a name cannot be replaced: {answer}");
    assert_eq!(provider.count(), 1);
}

#[tokio::test]
async fn a_picture_leaves_only_where_somebody_said_so() {
    let provider = Provider::start(|_| Answer::text("a picture").into()).await;
    let workshop = Workshop::with(&provider, "").worker(json!({}));
    workshop.template("open", json!({"dlp": {"outbound": "mask", "images": "allow"}}));
    let daemon = Daemon::start(workshop).await;
    let body = |template: &str| {
        let parts = json!([{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]);
        json!({"model": template, "messages": [{"role": "user", "content": parts}]})
    };
    let (status, answer) = daemon.post("/v1/chat/completions", &body("worker")).await;
    assert_eq!((status, &answer["error"]["code"]), (422, &json!("dlp_image_blocked")), "{answer}");
    assert_eq!(provider.count(), 0);
    assert_eq!(daemon.post("/v1/chat/completions", &body("open")).await.0, 200);
}
