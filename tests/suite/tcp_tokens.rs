//! The TCP listener: a token says who asks, and without one nobody gets in.

use agent_factory::client::Call;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Daemon, Provider, RawAnswer, Workshop, raw_over, until, within};

const SETTINGS: &str = "[api]\ntcp = \"127.0.0.1:0\"\ntokens_file = \"tokens.toml\"\n";

async fn daemon(more: &str) -> Daemon {
    let workshop = Workshop::with(&Provider::echo().await, &format!("{SETTINGS}{more}")).worker(json!({}));
    let token = |token: &str, role: &str, more: &str| {
        let digest = hex::encode(Sha256::digest(token));
        format!("[[token]]\nsha256 = \"{digest}\"\nname = \"{token}\"\nrole = \"{role}\"\n{more}\n")
    };
    let tokens = [
        token("boss", "admin", ""),
        token("looker", "viewer", ""),
        token("acme", "submitter", "tenant = \"acme\""),
        token("old", "admin", "expires = \"2020-01-01T00:00:00Z\""),
    ];
    workshop.write("tokens.toml", &tokens.concat());
    Daemon::start(workshop).await
}

async fn ask(daemon: &Daemon, line: &str, token: Option<&str>, body: &str) -> RawAnswer {
    let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: factoryd\r\nconnection: close\r\ncontent-length: {length}\r\n{authorization}\r\n{body}"
    );
    let stream = TcpStream::connect(("127.0.0.1", daemon.tcp_port())).await.expect("a connection");
    raw_over(stream, request.as_bytes()).await
}

#[tokio::test]
async fn without_a_token_every_route_but_three_is_closed() {
    let daemon = daemon("").await;
    let (_, document) = daemon.get("/openapi.json").await;
    let mut open = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            let url = path.replace("{scope}", "global").replace(['{', '}'], "");
            let answer = ask(&daemon, &format!("{} {url}", method.to_uppercase()), None, "").await;
            if answer.status == 401 {
                assert_eq!(answer.code_at(path), "token_missing", "{method} {path}");
            } else {
                assert_eq!(answer.status, 200, "{method} {path}");
                open.push(path.as_str());
            }
        }
    }
    assert_eq!(open, ["/health", "/openapi.json", "/ready"]);
}

#[tokio::test]
async fn a_token_gives_its_role_and_nothing_more() {
    let daemon = daemon("").await;
    let work = r#"{"template_name": "worker", "input": "hello"}"#;
    let table = [
        ("boss", "GET /factory/tasks", "", 200, ""),
        ("boss", "POST /factory/tasks?wait=20s", work, 200, ""),
        ("looker", "GET /factory/tasks", "", 200, ""),
        ("looker", "POST /factory/tasks", work, 403, "forbidden"),
        ("looker", "PUT /factory/budgets/global", r#"{"limit_usd": "1", "window": "total"}"#, 403, "forbidden"),
        ("acme", "POST /factory/tasks?wait=20s", work, 200, ""),
        ("acme", "GET /factory/tree", "", 403, "forbidden"),
        ("old", "GET /factory/tasks", "", 401, "token_expired"),
        ("nobody", "GET /factory/tasks", "", 401, "token_unknown"),
    ];
    for (token, line, body, status, code) in table {
        let answer = ask(&daemon, line, Some(token), body).await;
        assert_eq!(answer.status, status, "{token}: {line}: {}", answer.body);
        assert!(status == 200 || answer.code() == code, "{token}: {line}: {}", answer.body);
    }
}

#[tokio::test]
async fn what_belongs_to_another_tenant_does_not_exist() {
    let daemon = daemon("").await;
    let theirs = daemon.run("worker", "hello").await;
    let work = r#"{"template_name": "worker", "input": "ours"}"#;
    let ours = ask(&daemon, "POST /factory/tasks?wait=20s", Some("acme"), work).await;
    let ours: Value = serde_json::from_str(&ours.body).expect("a task");
    assert_eq!(ours["tenant"], "acme");
    let page = ask(&daemon, "GET /factory/tasks", Some("acme"), "").await;
    let page: Value = serde_json::from_str(&page.body).expect("a page");
    let ids: Vec<&Value> = page["items"].as_array().expect("items").iter().map(|task| &task["task_id"]).collect();
    assert_eq!(ids, [&ours["task_id"]]);
    for (method, rest) in [("GET", ""), ("GET", "/events"), ("POST", "/cancel")] {
        let answer = ask(&daemon, &format!("{method} /factory/tasks/{}{rest}", theirs.task_id), Some("acme"), "").await;
        assert!(matches!(answer.status, 403 | 404), "{method} {rest}: {}", answer.body);
    }
}

#[tokio::test]
async fn over_the_socket_tokens_are_ignored() {
    let daemon = daemon("").await;
    let request = "GET /factory/tasks HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer nobody\r\nx-api-key: k\r\n\r\n";
    let answer = crate::harness::raw(&daemon.workshop.socket(), request.as_bytes()).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn the_anonymous_may_be_let_in_as_somebody_who_looks() {
    let workshop = Workshop::new("[api]\ntcp = \"127.0.0.1:0\"\nanonymous_role = \"viewer\"\n").worker(json!({}));
    let daemon = Daemon::start(workshop).await;
    assert_eq!(ask(&daemon, "GET /factory/tasks", None, "").await.status, 200);
    let work = r#"{"template_name": "worker", "input": "hello"}"#;
    assert_eq!(ask(&daemon, "POST /factory/tasks", None, work).await.code(), "forbidden");
}

#[tokio::test]
async fn refusals_are_in_the_audit_log() {
    let daemon = daemon("").await;
    ask(&daemon, "GET /factory/tree", Some("acme"), "").await;
    let (status, page) = daemon.ask(&Call::get("/factory/audit")).await;
    assert_eq!(status, 200);
    let refused: Vec<&Value> =
        page["items"].as_array().expect("items").iter().filter(|entry| entry["outcome"] == "refused").collect();
    assert_eq!(refused.len(), 1, "{page}");
    assert_eq!((&refused[0]["principal"], &refused[0]["code"]), (&json!("token:acme"), &json!("forbidden")), "{page}");
}

#[tokio::test]
async fn a_stream_ends_when_its_token_is_taken_away() {
    let daemon = daemon("").await;
    let mut streams = Vec::new();
    for token in ["looker", "boss"] {
        let mut stream = TcpStream::connect(("127.0.0.1", daemon.tcp_port())).await.expect("a connection");
        let request = format!(
            "GET /factory/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut head = [0; 15];
        within("a status", stream.read_exact(&mut head)).await.expect("a status");
        assert_eq!(&head, b"HTTP/1.1 200 OK");
        streams.push(stream);
    }
    let tokens = std::fs::read_to_string(daemon.workshop.path("tokens.toml")).expect("the tokens");
    daemon
        .workshop
        .write("tokens.toml", &tokens.replace("\"looker\"\nrole = \"viewer\"", "\"looker\"\nrole = \"auditor\""));
    let mut rest = Vec::new();
    within("the end of a stream", streams[0].read_to_end(&mut rest)).await.expect("its end");
    assert!(rest.ends_with(b"0\r\n\r\n"), "in good order");
    daemon.run("worker", "hello").await;
    let mut more = vec![0; 4_096];
    // The other one goes on.
    until("news", async || {
        let read = streams[1].read(&mut more).await.expect("it goes on");
        String::from_utf8_lossy(&more[..read]).contains("task_ended").then_some(())
    })
    .await;
}
