//! Answers that come piece by piece, over real sockets.

use tokio::sync::mpsc;

use super::server::{Act, Server, completion};
use super::{LONG, local, model, providers, request};
use crate::data_plane::provider::{Charge, Completion, Delta, Error, Stop};

const STREAM: &str = "content-type: text/event-stream; charset=utf-8\r\n";

fn event(json: &str) -> String {
    format!("data: {json}\n\n")
}

fn words(text: &str) -> String {
    event(&format!(
        r#"{{"model":"qwen","choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]}}"#
    ))
}

fn end() -> String {
    event(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#)
}

/// The pieces that were told, and what the call came to.
async fn heard(act: Act) -> (Vec<Delta>, Result<Completion, Error>, Server) {
    let (server, url) = Server::tcp([act]).await;
    let (pieces, mut told) = mpsc::channel(64);
    let providers = providers(local(url)).await;
    let result = providers.complete(&model(), request("Hello?"), LONG, std::future::pending(), Some(&pieces)).await;
    drop(pieces);
    let mut all = Vec::new();
    while let Some(piece) = told.recv().await {
        all.push(piece);
    }
    (all, result, server)
}

#[tokio::test]
async fn a_stream_is_asked_for_and_told() {
    let usage = event(r#"{"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":3}}"#);
    let call = event(concat!(
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":"#,
        r#"{"name":"look","arguments":"{}"}}]}}]}"#
    ));
    let body = [words("Bon"), words("jour"), call, end(), usage, event("[DONE]")].concat();
    let (told, result, server) = heard(Act::Answer(200, STREAM, body)).await;
    let completion = result.expect("an answer");
    assert_eq!((completion.text.expose(), completion.stop), ("Bonjour", Stop::Calls));
    let used = completion.usage.expect("a usage");
    let look = completion.calls.first().expect("a call").clone();
    let expected = [Delta::Text("Bon".into()), Delta::Text("jour".into()), Delta::Usage(used), Delta::Call(look)];
    assert_eq!(told, expected);
    let seen = server.seen();
    let [seen] = seen.as_slice() else { panic!("one request, not {}", seen.len()) };
    assert!(seen.head.contains("\r\naccept: text/event-stream\r\n"), "{}", seen.head);
    assert!(seen.body.ends_with(r#""stream":true,"stream_options":{"include_usage":true}}"#), "{}", seen.body);
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_heard_all_the_same() {
    let (told, result, _) = heard(Act::Answer(200, "content-type: application/json\r\n", completion("Bonjour"))).await;
    assert_eq!(told, [Delta::Text("Bonjour".into())]);
    assert_eq!(result.expect("an answer").text.expose(), "Bonjour");
}

#[tokio::test]
async fn a_stream_that_breaks_off_has_told_what_came() {
    let head = format!("HTTP/1.1 200 OK\r\n{STREAM}content-length: 50000\r\n\r\n");
    let (told, result, _) = heard(Act::Raw([head.clone(), words("Bon")].concat())).await;
    let error = result.expect_err("cut");
    assert!(matches!(error, Error::Cut(_)), "{error}");
    assert_eq!((told, error.charge()), (vec![Delta::Text("Bon".into())], Charge::Unknown));
    // Once the model has said that it is done, nothing is missing but perhaps the usage.
    let (_, result, _) = heard(Act::Raw([head, words("Bon"), end()].concat())).await;
    let completion = result.expect("an answer");
    assert_eq!((completion.text.expose(), completion.stop, completion.usage), ("Bon", Stop::End, None));
}

#[tokio::test]
async fn a_stream_that_is_refused_is_told_by_its_status() {
    let (told, result, _) = heard(Act::Answer(429, "retry-after-ms: 1500\r\nretry-after: 7\r\n", "{}".into())).await;
    let pause = Some(std::time::Duration::from_millis(1_500));
    assert_eq!((told, result), (Vec::new(), Err(Error::RateLimited { retry_after: pause })));
}
