//! What each behaviour of a server becomes.

use std::time::Duration;

use super::server::{Act, Server, completion};
use super::{LONG, local, model, providers, request};
use crate::config::settings::{BaseUrl, KeySource};
use crate::data_plane::provider::openai::ANSWER_BYTES_MAX;
use crate::data_plane::provider::{Charge, Completion, Error, Stop};

async fn asked(act: Act) -> Result<Completion, Error> {
    let (server, url) = Server::tcp([act]).await;
    let result =
        providers(local(url)).await.complete(&model(), request("Hello?"), LONG, std::future::pending(), None).await;
    assert_eq!(server.seen().len(), 1, "exactly one request");
    result
}

fn nonsense(what: &'static str) -> Error {
    Error::Nonsense { what }
}

#[tokio::test]
async fn a_plain_answer_arrives_with_its_usage() {
    let completion = asked(Act::Answer(200, "", completion("Bonjour"))).await.expect("an answer");
    assert_eq!((completion.text.expose(), completion.model.as_str()), ("Bonjour", "qwen-real"));
    assert_eq!(completion.stop, Stop::End);
    let usage = completion.usage.expect("a usage");
    assert_eq!((usage.input_tokens.count(), usage.output_tokens.count()), (11, 3));
}

#[tokio::test]
async fn faults_of_the_server_have_their_errors() {
    let half = completion("x");
    let half = half.get(..40).expect("long enough").to_owned();
    let table = [
        (
            Act::Answer(429, "retry-after: 7\r\n", "{}".into()),
            Error::RateLimited { retry_after: Some(Duration::from_secs(7)) },
        ),
        (Act::Answer(500, "", "oops".into()), Error::Failed { status: 500, retry_after: None }),
        (Act::Answer(401, "", "{}".into()), Error::KeyRejected { status: 401 }),
        (Act::Answer(404, "", "{}".into()), Error::Rejected { status: 404 }),
        (Act::Answer(307, "location: http://127.0.0.1:1/\r\n", String::new()), Error::Rejected { status: 307 }),
        (Act::Answer(200, "", half), nonsense("not a JSON completion")),
        (Act::Answer(200, "content-type: text/html\r\n", "<html>hi</html>".into()), nonsense("not a JSON completion")),
        (Act::Answer(200, "", r#"{"choices":[]}"#.into()), nonsense("no choices")),
        (Act::Answer(200, "", " ".repeat(ANSWER_BYTES_MAX + 1)), nonsense("a body over the limit")),
    ];
    for (act, expected) in table {
        assert_eq!(asked(act).await, Err(expected));
    }
}

#[tokio::test]
async fn a_connection_that_ends_early_may_have_cost_something() {
    for bytes in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"choices\": [{"] {
        let error = asked(Act::Raw(bytes.to_owned())).await.expect_err("cut");
        assert!(matches!(error, Error::Cut(_)), "{error}");
        assert_eq!(error.charge(), Charge::Unknown);
    }
}

#[tokio::test]
async fn a_failure_whose_body_never_ends_is_told_by_its_status() {
    let (server, url) = Server::tcp([Act::Raw("HTTP/1.1 503 Told\r\ncontent-length: 9\r\n\r\nhalf".into())]).await;
    let error = providers(local(url))
        .await
        .complete(&model(), request("x"), LONG, std::future::pending(), None)
        .await
        .expect_err("failed");
    assert_eq!((error, server.seen().len()), (Error::Failed { status: 503, retry_after: None }, 1));
}

#[tokio::test]
async fn silence_ends_with_the_callers_time() {
    let (server, url) = Server::tcp([Act::Silence]).await;
    let providers = providers(local(url)).await;
    let result =
        providers.complete(&model(), request("x"), Duration::from_millis(300), std::future::pending(), None).await;
    assert_eq!((result, server.seen().len()), (Err(Error::TimedOut), 1));
}

#[tokio::test]
async fn nobody_listening_costs_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    for url in [BaseUrl::Http(format!("http://{closed}/v1")), BaseUrl::Unix(dir.path().join("none.sock"))] {
        let error = providers(local(url))
            .await
            .complete(&model(), request("x"), LONG, std::future::pending(), None)
            .await
            .expect_err("nobody");
        assert!(matches!(error, Error::Unreachable(_)), "{error}");
        assert_eq!(error.charge(), Charge::None);
    }
}

#[tokio::test]
async fn the_request_is_sent_once_with_its_key_and_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("key");
    std::fs::write(&path, "sk-test\n").expect("written");
    let (server, url) =
        Server::tcp([Act::Answer(200, "", completion("a")), Act::Answer(200, "", completion("b"))]).await;
    let mut settings = local(url.clone());
    settings.api_key = KeySource::File(path);
    providers(settings)
        .await
        .complete(&model(), request("Hello?"), LONG, std::future::pending(), None)
        .await
        .expect("an answer");
    providers(local(url))
        .await
        .complete(&model(), request("Hello?"), LONG, std::future::pending(), None)
        .await
        .expect("an answer");
    let seen = server.seen();
    let [keyed, bare] = seen.as_slice() else { panic!("two requests, not {}", seen.len()) };
    assert!(keyed.head.starts_with("post /v1/chat/completions http/1.1\r\n"), "{}", keyed.head);
    assert!(keyed.head.contains("\r\nauthorization: bearer sk-test\r\n"), "{}", keyed.head);
    assert!(keyed.head.contains("\r\nidempotency-key: task-1/step-1\r\n"), "{}", keyed.head);
    assert!(!bare.head.contains("authorization"), "{}", bare.head);
    assert_eq!(
        keyed.body,
        concat!(
            r#"{"model":"qwen","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hello?"}],"#,
            r#""max_tokens":128,"temperature":0.5,"stream":false}"#
        )
    );
}

#[tokio::test]
async fn a_unix_socket_serves_as_well() {
    let dir = tempfile::tempdir().expect("a directory");
    let script = [Act::Answer(200, "", completion("one")), Act::Answer(200, "", completion("two"))];
    let (server, url) = Server::unix(dir.path().join("llm.sock"), script);
    let providers = providers(local(url)).await;
    for expected in ["one", "two"] {
        let completion =
            providers.complete(&model(), request("x"), LONG, std::future::pending(), None).await.expect("an answer");
        assert_eq!(completion.text.expose(), expected);
    }
    assert!(server.seen().iter().all(|seen| seen.head.starts_with("post /v1/chat/completions ")));
}

#[tokio::test]
async fn what_cannot_be_called_is_said_before_a_call() {
    let mut settings = local(BaseUrl::Http("http://127.0.0.1:1/v1".into()));
    settings.api_key = KeySource::File("/nonexistent/key".into());
    let providers = providers(settings).await;
    assert!(matches!(providers.usable(&model()), Err(Error::MissingKey(_))));
    let result = providers.complete(&model(), request("x"), LONG, std::future::pending(), None).await;
    assert!(matches!(result, Err(Error::MissingKey(_))));
    let unknown = "nowhere/x".parse().expect("a model");
    assert!(matches!(providers.usable(&unknown), Err(Error::UnknownProvider(_))));
    assert!(matches!(
        providers.complete(&unknown, request("x"), LONG, std::future::pending(), None).await,
        Err(Error::UnknownProvider(_))
    ));
}

#[tokio::test]
async fn builtin_is_always_there_for_small_and_large_inputs() {
    let providers = providers(local(BaseUrl::Http("http://127.0.0.1:1/v1".into()))).await;
    let builtin = "builtin/extractive".parse().expect("a model");
    assert_eq!(providers.usable(&builtin), Ok(()));
    for times in [1, 1_000] {
        let input = "The bridge opens in May. ".repeat(times);
        let completion =
            providers.complete(&builtin, request(&input), LONG, std::future::pending(), None).await.expect("an answer");
        assert!(completion.text.expose().contains("- The bridge opens in May."), "{times}");
        assert!(completion.usage.is_some() && completion.notes.contains(&("method", "extractive".to_owned())));
    }
}
