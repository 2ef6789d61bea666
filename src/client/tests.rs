//! The client against a small server on a socket of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::{Method, StatusCode};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::call::segment;
use super::limits::EVENT_BYTES_MAX;
use super::*;
use crate::domain::failure::{Class, Failure, Retry};
use crate::protocol::agent::CreateAgent;
use crate::protocol::task::SubmitTask;

const HEALTH: &str = r#"{"status":"healthy","version":"1","uptime_seconds":1.5}"#;
const TASK: &str = r#"{"task_id":"t","agent_id":"a","template_name":"x","template_version":"1.0.0","template_digest":"d",
    "state":"succeeded","output":"hi","cost_usd":"0.00","usage":{"input_tokens":1,"output_tokens":1},"steps":[],
    "tenant":"default","created_at":"2026-11-20T10:00:00Z"}"#;

/// A server that answers each request of each connection from a script, and counts both.
struct Scripted {
    dir: TempDir,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

/// What the server does with the n-th request that it sees, counted from 0.
#[derive(Clone)]
enum Step {
    /// Answers and keeps the connection.
    Answer(String),
    /// Answers and closes, without saying so.
    AnswerThenClose(String),
    /// Closes without an answer.
    Close,
    /// Never answers.
    Hang,
}

fn json(status: u16, body: &str) -> String {
    typed(status, "application/json", body)
}

fn typed(status: u16, kind: &str, body: &str) -> String {
    let reason = StatusCode::from_u16(status).expect("a status").canonical_reason().unwrap_or("?");
    format!("HTTP/1.1 {status} {reason}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

impl Scripted {
    fn start(steps: Vec<Step>) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(dir.path().join("s")).expect("a socket");
        let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (accepted, seen) = (Arc::clone(&connections), Arc::clone(&requests));
        let _server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                let _connection = tokio::spawn(serve(stream, steps.clone(), Arc::clone(&seen)));
            }
        });
        Self { dir, connections, requests }
    }

    fn client(&self) -> Client {
        Client::with_answer_time_max(self.dir.path().join("s"), Duration::from_secs(5))
    }

    fn counts(&self) -> (usize, usize) {
        (self.connections.load(Ordering::SeqCst), self.requests.load(Ordering::SeqCst))
    }
}

async fn serve(mut stream: UnixStream, steps: Vec<Step>, seen: Arc<AtomicUsize>) {
    while read_request(&mut stream).await {
        let number = seen.fetch_add(1, Ordering::SeqCst);
        match steps.get(number).cloned().unwrap_or(Step::Close) {
            Step::Answer(text) => stream.write_all(text.as_bytes()).await.expect("write"),
            Step::AnswerThenClose(text) => return stream.write_all(text.as_bytes()).await.expect("write"),
            Step::Close => return,
            Step::Hang => std::future::pending().await,
        }
    }
}

/// Reads one request with its body; false at the end of the connection.
async fn read_request(stream: &mut UnixStream) -> bool {
    let mut text = Vec::new();
    loop {
        let mut byte = [0];
        match stream.read(&mut byte).await {
            Ok(0) | Err(_) => return false,
            Ok(_) => text.push(byte[0]),
        }
        if text.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let head = String::from_utf8(text).expect("ASCII").to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    let mut body = vec![0; length.parse().expect("a number")];
    stream.read_exact(&mut body).await.is_ok()
}

#[tokio::test]
async fn connections_are_kept_and_reused() {
    let server = Scripted::start(vec![Step::Answer(json(200, HEALTH)); 3]);
    let client = server.client();
    for _ in 0..3 {
        assert_eq!(client.health().await.expect("health").status, "healthy");
    }
    assert_eq!(server.counts(), (1, 3));
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_replaced() {
    let server = Scripted::start(vec![Step::AnswerThenClose(json(200, HEALTH)), Step::Answer(json(200, HEALTH))]);
    let client = server.client();
    client.health().await.expect("first");
    client.health().await.expect("second");
    assert_eq!(server.counts(), (2, 2));
}

#[tokio::test]
async fn invariant_1_what_may_have_been_taken_is_repeated_only_if_that_changes_nothing() {
    let steps = |last: &str| vec![Step::Answer(json(200, HEALTH)), Step::Close, Step::Answer(json(200, last))];

    let server = Scripted::start(steps(HEALTH));
    let client = server.client();
    client.health().await.expect("opens a connection");
    client.health().await.expect("a GET is repeated");
    assert_eq!(server.counts(), (2, 3));

    let server = Scripted::start(steps(TASK));
    let client = server.client();
    client.health().await.expect("opens a connection");
    let error = client.submit(&SubmitTask::default(), None, Duration::ZERO).await.expect_err("not repeated");
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert_eq!(server.counts(), (1, 2));

    let server = Scripted::start(steps(TASK));
    let client = server.client();
    client.health().await.expect("opens a connection");
    client.submit(&SubmitTask::default(), Some("key"), Duration::ZERO).await.expect("repeated under its key");
    assert_eq!(server.counts(), (2, 3));
}

#[tokio::test]
async fn a_fresh_connection_that_is_cut_is_not_tried_again() {
    let server = Scripted::start(vec![Step::Close, Step::Answer(json(200, HEALTH))]);
    let error = server.client().health().await.expect_err("cut");
    assert_eq!((error.code(), server.counts()), ("daemon_unreachable", (1, 1)));
}

#[tokio::test]
async fn problems_come_with_code_class_and_time_to_retry() {
    let body = r#"{"type":"errors#busy","title":"overload","status":429,"detail":"too many open tasks","code":"busy","new":1}"#;
    let mut answer = typed(429, "application/problem+json", body);
    answer.insert_str(answer.find("content-type").expect("a header"), "retry-after: 7\r\n");
    let server = Scripted::start(vec![Step::Answer(answer)]);
    let work = CreateAgent { template_name: "x".into(), name: None, tenant: None, user: None };
    let error = server.client().create_agent(&work).await.expect_err("refused");
    assert_eq!((error.class(), error.retry()), (Class::Overload, Retry::After(Duration::from_secs(7))));
    assert_eq!(error.detail(), "too many open tasks");
}

#[tokio::test]
async fn a_daemon_that_is_not_ready_is_an_answer() {
    let body = r#"{"ready":false,"reasons":["templates are being read"]}"#;
    let server = Scripted::start(vec![Step::Answer(json(503, body))]);
    assert!(!server.client().ready().await.expect("an answer").ready);
}

#[tokio::test]
async fn what_is_not_understood_says_so() {
    for answer in [json(200, "{}"), json(500, "oops"), "SMTP ready\r\n\r\n".into()] {
        let server = Scripted::start(vec![Step::AnswerThenClose(answer.clone())]);
        let error = server.client().health().await.expect_err("nonsense");
        assert!(matches!(error, Error::Protocol { .. }), "{answer}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_times_out() {
    let server = Scripted::start(vec![Step::Hang]);
    let error = server.client().task("t", Duration::from_secs(10)).await.expect_err("too late");
    assert!(matches!(error, Error::TimedOut { after, .. } if after == Duration::from_secs(15)), "{error}");
}

#[tokio::test]
async fn nobody_on_the_socket_is_unreachable() {
    let dir = tempfile::tempdir().expect("a directory");
    let error = Client::new(dir.path().join("none")).health().await.expect_err("nobody");
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn events_arrive_in_order_and_the_stream_ends() {
    let body = ": hello\n\nevent: x\ndata: {\"kind\":\"a\",\"at\":\"t\"}\n\ndata: {\"kind\":\"b\",\"at\":\"t\",\"step\":1}\n\n";
    let server = Scripted::start(vec![Step::Answer(typed(200, "text/event-stream", body))]);
    let mut events = server.client().events().await.expect("a stream");
    assert_eq!(events.next().await.expect("an event").expect("one").kind, "a");
    assert_eq!(events.next().await.expect("an event").expect("one").details["step"], 1);
    assert!(events.next().await.expect("the end").is_none());
}

#[tokio::test]
async fn a_stream_that_is_cut_or_endless_is_an_error() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99\r\n\r\n: begin\n".to_owned();
    let server = Scripted::start(vec![Step::AnswerThenClose(cut)]);
    let mut events = server.client().events().await.expect("a stream");
    assert!(matches!(events.next().await, Err(Error::Unreachable { .. })));

    let endless = typed(200, "text/event-stream", &"x".repeat(EVENT_BYTES_MAX + 2));
    let server = Scripted::start(vec![Step::Answer(endless)]);
    let mut events = server.client().events().await.expect("a stream");
    assert!(matches!(events.next().await, Err(Error::Protocol { .. })));
}

#[tokio::test]
async fn requests_say_what_they_are() {
    let call =
        Call::post("/factory/tasks").waiting(Duration::from_secs(30)).idempotent(Some("k")).json(&1).expect("JSON");
    let request = call.request("application/json").expect("a request");
    assert_eq!((request.method(), request.uri().to_string().as_str()), (&Method::POST, "/factory/tasks?wait=30000ms"));
    assert_eq!(request.headers()["idempotency-key"], "k");
    assert_eq!(request.into_body().collect().await.expect("a body").to_bytes(), "1");
    assert_eq!(
        Call::get("/x").page(Some(2), Some("a b")).request("*/*").expect("a request").uri(),
        "/x?limit=2&after=a%20b"
    );
    assert_eq!(segment("tenant:a/b?é"), "tenant:a%2Fb%3F%C3%A9");
}
