//! `factoryctl` says with its exit code how it went, and with `--json` prints one document and nothing else.

use serde_json::{Value, json};

use crate::harness::{Daemon, Ended, Provider, Reply, Workshop, factoryctl};

async fn daemon() -> (Daemon, Provider) {
    let provider = Provider::start(|call| match call.prompt() {
        "nonsense" => Reply::Nonsense,
        "silence" => Reply::Silence,
        _ => Reply::Echo,
    })
    .await;
    let workshop = Workshop::with(&provider, "").worker(json!({"model": {"route": "priced", "max_output_tokens": 64}}));
    (Daemon::start(workshop).await, provider)
}

fn ended_with(ended: &Ended, code: i32, what: &[&str]) {
    assert_eq!(ended.code, Some(code), "{what:?}: {}{}", ended.out, ended.err);
}

#[tokio::test]
async fn every_exit_code_means_what_it_says() {
    let (daemon, _provider) = daemon().await;
    let table: [(i32, &[&str], &str); 12] = [
        (0, &["run", "worker", "hello"], "echo: hello"),
        (0, &["status"], ""),
        (0, &["--help"], "factoryctl"),
        (1, &["run", "worker", "nonsense"], "provider_nonsense"),
        (1, &["run", "nobody", "hello"], "template_not_found"),
        (1, &["tasks", "show", "no-such-task"], "not_found"),
        (2, &["no-such-verb"], "no-such-verb"),
        (2, &["run", "worker"], "--file"),
        (2, &["run", "worker", "hello", "--budget", "ten"], "--budget"),
        (2, &["run", "not a name!", "hello"], "malformed_request"),
        (3, &["run", "worker", "hello", "--budget", "0.000001"], "budget_exceeded"),
        (5, &["run", "worker", "silence", "--timeout", "200ms"], "tasks show"),
    ];
    for (code, arguments, told) in table {
        let ended = daemon.ctl(arguments).await;
        ended_with(&ended, code, arguments);
        assert!(ended.out.contains(told) || ended.err.contains(told), "{arguments:?}: {}{}", ended.out, ended.err);
        assert!(code == 0 || ended.out.is_empty() || code == 1, "{arguments:?}: {}", ended.out);
    }
    let unreachable = factoryctl(&daemon.workshop.path("none.sock"), &["status"], "").await;
    ended_with(&unreachable, 4, &["status"]);
    assert!(unreachable.err.contains("start the daemon"), "{}", unreachable.err);
}

#[tokio::test]
async fn with_json_there_is_one_document_whatever_happens() {
    let (daemon, _provider) = daemon().await;
    let task = daemon.run("worker", "hello").await;
    let (_, agent) = daemon.post("/factory/agents", &json!({"template_name": "worker"})).await;
    let agent = agent["agent_id"].as_str().expect("an id");
    let table: [(i32, &[&str], &str); 21] = [
        (0, &["run", "worker", "hello"], "/task_id"),
        (0, &["run", "worker", "hello", "--detach"], "/task_id"),
        (0, &["status"], "/health/status"),
        (0, &["tree"], "/children"),
        (0, &["agents", "ls"], "/items/0/agent_id"),
        (0, &["agents", "create", "worker"], "/agent_id"),
        (0, &["agents", "show", agent], "/state"),
        (0, &["tasks", "ls"], "/items/0/task_id"),
        (0, &["tasks", "show", &task.task_id], "/cost_usd"),
        (0, &["tasks", "events", &task.task_id], ""),
        (0, &["tasks", "feedback", &task.task_id, "0.5"], "/feedback"),
        (0, &["templates", "ls"], "/items/0/name"),
        (0, &["templates", "show", "worker"], "/digest"),
        (0, &["budgets", "ls"], "/items"),
        (0, &["budgets", "show", "global"], "/spent_usd"),
        (0, &["budgets", "set", "user:bob", "1.00"], "/limit_usd"),
        (0, &["keys", "generate", "new", "--out", "made"], ""),
        (1, &["run", "worker", "nonsense"], "/error/code"),
        (1, &["tasks", "show", "no-such-task"], "/code"),
        (3, &["run", "worker", "hello", "--budget", "0.000001"], "/code"),
        (3, &["tasks", "cancel", &task.task_id], "/code"),
    ];
    for (code, arguments, pointer) in table {
        let ended = daemon.ctl(&[arguments, &["--json"]].concat()).await;
        ended_with(&ended, code, arguments);
        let document = ended.json();
        assert!(document.pointer(pointer).is_some_and(|found| !found.is_null()), "{arguments:?}: {document}");
    }
    let unreachable = factoryctl(&daemon.workshop.path("none.sock"), &["status", "--json"], "").await;
    assert_eq!((unreachable.code, &unreachable.json()["code"]), (Some(4), &json!("daemon_unreachable")));
}

#[tokio::test]
async fn streams_are_one_document_a_line() {
    let (daemon, _provider) = daemon().await;
    let ended = daemon.ctl(&["run", "worker", "hello", "--stream", "--json"]).await;
    ended_with(&ended, 0, &["run", "--stream"]);
    let lines: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let kinds: Vec<&str> = lines.iter().filter_map(|line| line["kind"].as_str()).collect();
    let (pieces, records): (Vec<&str>, Vec<&str>) = kinds.into_iter().partition(|kind| *kind == "delta");
    assert_eq!(records, ["task_submitted", "step_started", "step_finished", "task_ended"]);
    assert!(!pieces.is_empty(), "the answer is told as it is written");
    assert_eq!(lines.last().map(|task| &task["state"]), Some(&json!("succeeded")), "the task comes last");
}

#[tokio::test]
async fn text_and_files_come_from_where_they_are_named() {
    let (daemon, _provider) = daemon().await;
    let piped = factoryctl(&daemon.workshop.socket(), &["run", "worker", "-"], "from a pipe").await;
    assert_eq!((piped.code, piped.out.trim()), (Some(0), "echo: from a pipe"), "{}", piped.err);
    let missing = daemon.ctl(&["run", "worker", "--file", "no-such-file"]).await;
    assert!(
        matches!(missing.code, Some(1 | 2)) && missing.err.contains("no-such-file"),
        "{:?} {}",
        missing.code,
        missing.err
    );
    daemon.workshop.write("latin1", "x");
    std::fs::write(daemon.workshop.path("latin1"), b"caf\xe9").expect("written");
    let binary = daemon.ctl(&["run", "worker", "--file", "latin1"]).await;
    assert!(matches!(binary.code, Some(1 | 2)) && binary.err.contains("latin1"), "{:?} {}", binary.code, binary.err);
}
