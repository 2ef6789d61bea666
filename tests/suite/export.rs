//! Export: a person's data as they are owed it, all of it and nothing of anybody else's; and what is cut off is told to be.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use agent_factory::protocol::task::{SubmitTask, Task};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::harness::{Daemon, PATIENCE, Provider, Workshop, factoryctl_with, joined, within};

const ANN: &str = "the bittern booms in the reeds";
const BOB: &str = "the heron flies over Porquerolles";

async fn submit(daemon: &Daemon, input: &str, whose: (&str, &str)) -> Task {
    let work = SubmitTask {
        template_name: Some("worker".into()),
        input: input.into(),
        tenant: Some(whose.0.into()),
        user: Some(whose.1.into()),
        ..SubmitTask::default()
    };
    daemon.client.submit(&work, None, PATIENCE).await.expect("a task")
}

async fn desk() -> Daemon {
    let workshop = Workshop::with(&Provider::echo().await, "").worker(json!({}));
    Daemon::start(workshop).await
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn of<'a>(lines: &'a [Value], kind: &'a str) -> Vec<&'a Value> {
    lines.iter().filter_map(|line| line.get(kind)).collect()
}

#[tokio::test]
async fn a_person_gets_everything_that_is_theirs_and_nothing_else() {
    let daemon = desk().await;
    let first = submit(&daemon, ANN, ("acme", "ann")).await;
    let second = submit(&daemon, &ANN.repeat(50_000), ("rival", "ann")).await;
    submit(&daemon, BOB, ("acme", "bob")).await;
    let judged = json!({"score": 0.5, "comment": "the bittern is too loud"});
    assert_eq!(daemon.post(&format!("/factory/tasks/{}/feedback", first.task_id), &judged).await.0, 200);
    let wanted = json!({"template_name": "worker", "name": "of ann", "tenant": "acme", "user": "ann"});
    let (_, agent) = daemon.post("/factory/agents", &wanted).await;
    let (_, turn) = daemon.post("/factory/tasks?wait=20s", &json!({"agent_id": agent["agent_id"], "input": ANN})).await;

    let exported = daemon.ctl(&["export", "--user", "ann"]).await;
    assert_eq!(exported.code, Some(0), "{}", exported.err);
    assert!(!exported.out.contains("heron") && exported.out.contains("the bittern is too loud"));
    let lines = lines(&exported.out);
    assert_eq!((&lines[0]["format"], &lines[0]["user"]), (&json!("agent-factory/export/v1"), &json!("ann")));
    let tasks = of(&lines, "task");
    assert_eq!(tasks.len(), 3);
    for (task, input) in [(&first, ANN.to_owned()), (&second, ANN.repeat(50_000))] {
        let told = tasks.iter().find(|told| told["task_id"] == task.task_id.as_str()).expect("it is there");
        assert!(told["input"] == json!(input) && told["output"] == task.output);
    }
    assert_eq!(of(&lines, "agent")[0]["name"], json!("of ann"));
    assert_eq!(of(&lines, "memory")[0]["tasks"], json!([turn["task_id"]]));
    assert_eq!(of(&lines, "budget")[0]["scope"], json!("user:ann"));
    let about = of(&lines, "audit");
    assert!(about.iter().any(|entry| entry["action"] == "export_data" && entry["subject"] == "user:ann"), "{about:?}");
    let end = lines.last().expect("lines").get("end").expect("an end");
    let counted = [("tasks", "task"), ("records", "record"), ("agents", "agent"), ("audit_entries", "audit")];
    for (count, kind) in counted {
        assert_eq!(end[count], json!(of(&lines, kind).len()), "{kind}");
    }
    let before_the_end = exported.out.rfind("{\"end\":").expect("an end");
    assert_eq!(end["sha256"], json!(hex::encode(Sha256::digest(&exported.out[..before_the_end]))));

    let one = daemon.ctl(&["export", "--tenant", "rival", "--user", "ann"]).await;
    assert_eq!(of(&self::lines(&one.out), "task").len(), 1);
    let tenant = daemon.ctl(&["export", "--tenant", "acme"]).await;
    assert!(tenant.out.contains("heron") && of(&self::lines(&tenant.out), "task").len() == 3);
    let nobody = daemon.ctl(&["export", "--user", "carol"]).await;
    assert_eq!((nobody.code, of(&self::lines(&nobody.out), "task").len()), (Some(0), 0));
}

#[tokio::test]
async fn what_was_erased_is_in_no_export() {
    let daemon = desk().await;
    submit(&daemon, ANN, ("acme", "ann")).await;
    assert_eq!(daemon.ctl(&["erase", "--user", "ann", "--yes"]).await.code, Some(0));
    let exported = daemon.ctl(&["export", "--user", "ann"]).await;
    assert!(exported.code == Some(0) && !exported.out.contains("bittern"));
    let lines = lines(&exported.out);
    assert_eq!((of(&lines, "task").len(), of(&lines, "record").len()), (0, 0));
    assert!(of(&lines, "audit").iter().any(|entry| entry["action"] == "erase_data"), "that it was asked for stays");
}

#[tokio::test]
async fn whoever_asks_for_nobody_is_told_so() {
    let daemon = desk().await;
    assert_eq!(daemon.ctl(&["export"]).await.code, Some(2));
    for query in ["", "?tenant=no%20name!", "?users=ann"] {
        assert_eq!(daemon.get(&format!("/factory/export{query}")).await.0, 400, "{query}");
    }
}

/// Serves one request with an export that ends in good order as far as HTTP is concerned.
fn serving(body: String) -> (u16, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a head");
            head.push(byte[0]);
        }
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/jsonl\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        stream.write_all(answer.as_bytes()).expect("sent");
    });
    (port, thread)
}

#[tokio::test]
async fn an_export_without_its_end_fails() {
    let daemon = desk().await;
    submit(&daemon, ANN, ("acme", "ann")).await;
    let whole = daemon.ctl(&["export", "--user", "ann"]).await.out;
    let cut = whole.rfind("{\"end\":").expect("an end");
    let without_a_record: String =
        whole.lines().filter(|line| !line.starts_with("{\"record\"")).collect::<Vec<_>>().join("\n") + "\n";
    for (body, code) in [
        (whole.clone(), 0),
        (whole[..cut].to_owned(), 1),
        (whole[..whole.len() - 2].to_owned(), 1),
        (without_a_record, 1),
        (String::new(), 1),
    ] {
        let (port, server) = serving(body);
        let url = format!("http://127.0.0.1:{port}");
        let directory = daemon.workshop.directory();
        let ended = factoryctl_with(directory, &["--url", &url, "export", "--user", "ann"]).await;
        assert_eq!(ended.code, Some(code), "{}", ended.err);
        within("the server's end", joined(server)).await;
    }
}
