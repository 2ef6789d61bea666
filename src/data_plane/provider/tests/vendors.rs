//! The formats of vendors on the wire: paths, headers, whole answers and streams.

use tokio::sync::mpsc;

use super::server::{Act, Seen, Server};
use super::{LONG, local, model, providers, request};
use crate::config::settings::{BaseUrl, KeySource, Provider, ProviderKind};
use crate::data_plane::provider::{Charge, Completion, Delta, Error, Stop};

const SSE: &str = "content-type: text/event-stream; charset=utf-8\r\n";

const JSON: &str = "content-type: application/json\r\n";

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/wire/", $name)).to_owned()
    };
}

/// A provider of a kind, at a URL without a path.
fn bare(kind: ProviderKind, url: &BaseUrl) -> Provider {
    let BaseUrl::Http(url) = url else { panic!("no URL") };
    Provider { kind, ..local(BaseUrl::Http(url.strip_suffix("/v1").expect("a path").to_owned())) }
}

/// One call, heard where that is wanted, and all that was told.
async fn asked(provider: Provider, hears: bool) -> (Result<Completion, Error>, Vec<Delta>) {
    let (pieces, mut heard) = mpsc::channel(64);
    let providers = providers(provider).await;
    let pieces = hears.then_some(pieces);
    let result = providers.complete(&model(), request("Hello?"), LONG, std::future::pending(), pieces.as_ref()).await;
    drop((pieces, providers));
    let mut told = Vec::new();
    while let Ok(delta) = heard.try_recv() {
        told.push(delta);
    }
    (result, told)
}

async fn seen_of(kind: ProviderKind, act: Act, hears: bool) -> (Seen, Result<Completion, Error>, Vec<Delta>) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("key");
    std::fs::write(&path, "sk-test\n").expect("written");
    let (server, url) = Server::tcp([act]).await;
    let provider = Provider { api_key: KeySource::File(path), ..bare(kind, &url) };
    let (result, told) = asked(provider, hears).await;
    let seen = server.seen();
    let [seen] = seen.as_slice() else { panic!("one request, not {}", seen.len()) };
    (seen.clone(), result, told)
}

fn words(told: &[Delta]) -> String {
    let words = told.iter().filter_map(|delta| match delta {
        Delta::Text(text) => Some(text.expose()),
        Delta::Call(_) | Delta::Usage(_) => None,
    });
    words.collect()
}

#[tokio::test]
async fn messages_are_posted_with_their_headers_and_read_whole() {
    let act = Act::Answer(200, "", fixture!("anthropic/plain.answer.json"));
    let (seen, result, told) = seen_of(ProviderKind::Anthropic, act, false).await;
    assert!(seen.head.starts_with("post /v1/messages http/1.1\r\n"), "{}", seen.head);
    for header in ["x-api-key: sk-test", "anthropic-version: 2023-06-01", "idempotency-key: task-1/step-1"] {
        assert!(seen.head.contains(&format!("\r\n{header}\r\n")), "{header}: {}", seen.head);
    }
    assert!(!seen.head.contains("authorization"), "{}", seen.head);
    assert!(seen.body.contains("\"stream\":false"), "{}", seen.body);
    assert_eq!((result.expect("an answer").text.expose(), told.len()), ("Aare.", 0));
}

#[tokio::test]
async fn messages_are_heard_piece_by_piece() {
    let (seen, result, told) =
        seen_of(ProviderKind::Anthropic, Act::Answer(200, SSE, fixture!("anthropic/text.sse")), true).await;
    assert!(seen.body.contains("\"stream\":true"), "{}", seen.body);
    let completion = result.expect("an answer");
    assert_eq!((words(&told).as_str(), completion.text.expose()), ("Grüezi, 🌍!", "Grüezi, 🌍!"));
    assert_eq!((told.last(), completion.stop), (completion.usage.map(Delta::Usage).as_ref(), Stop::End));
}

#[tokio::test]
async fn contents_are_posted_with_their_headers_and_read_whole() {
    let act = Act::Answer(200, "", fixture!("gemini/plain.answer.json"));
    let (seen, result, told) = seen_of(ProviderKind::Gemini, act, false).await;
    let path = format!("post /v1beta/models/{}:generatecontent http/1.1\r\n", model().model().to_lowercase());
    assert!(seen.head.starts_with(&path), "{}", seen.head);
    assert!(seen.head.contains("\r\nx-goog-api-key: sk-test\r\n"), "{}", seen.head);
    assert!(!seen.head.contains("authorization"), "{}", seen.head);
    assert_eq!((result.expect("an answer").text.expose(), told.len()), ("Aare.", 0));
}

#[tokio::test]
async fn contents_are_heard_piece_by_piece() {
    let (seen, result, told) =
        seen_of(ProviderKind::Gemini, Act::Answer(200, SSE, fixture!("gemini/text.sse")), true).await;
    assert!(seen.head.contains(":streamgeneratecontent?alt=sse http/1.1\r\n"), "{}", seen.head);
    let completion = result.expect("an answer");
    assert_eq!((words(&told).as_str(), completion.text.expose()), ("Grüezi, 🌍!", "Grüezi, 🌍!"));
}

/// A server that does not stream answers whole, which is told at once.
#[tokio::test]
async fn a_whole_answer_in_the_place_of_a_stream_is_told_too() {
    let table = [
        (ProviderKind::Anthropic, fixture!("anthropic/tools.answer.json")),
        (ProviderKind::Gemini, fixture!("gemini/tools.answer.json")),
    ];
    for (kind, answer) in table {
        let act = Act::Answer(200, JSON, answer);
        let (_, result, told) = seen_of(kind, act, true).await;
        let calls: Vec<_> = result.expect("an answer").calls.into_iter().map(Delta::Call).collect();
        assert_eq!(told.into_iter().filter(|delta| matches!(delta, Delta::Call(_))).collect::<Vec<_>>(), calls);
        assert_eq!(calls.len(), 2);
    }
}

#[tokio::test]
async fn faults_of_the_vendors_have_their_errors() {
    let limited = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"4s"}]}}"#;
    let table = [
        (
            ProviderKind::Anthropic,
            Act::Answer(400, "", fixture!("anthropic/too_long.error.json")),
            "provider_context_too_large",
        ),
        (ProviderKind::Anthropic, Act::Answer(529, "", "{}".to_owned()), "provider_failed"),
        (ProviderKind::Anthropic, Act::Answer(200, SSE, fixture!("anthropic/overloaded.sse")), "provider_failed"),
        (
            ProviderKind::Anthropic,
            Act::Answer(200, SSE, "event: ping\ndata: {\"type\":\"ping\"}\n\n".to_owned()),
            "provider_cut",
        ),
        (ProviderKind::Gemini, Act::Answer(429, "", limited.to_owned()), "provider_rate_limited"),
        (ProviderKind::Gemini, Act::Answer(200, SSE, fixture!("gemini/unavailable.sse")), "provider_failed"),
        (ProviderKind::Gemini, Act::Answer(200, JSON, fixture!("gemini/blocked.answer.json")), "provider_refused"),
        (ProviderKind::Gemini, Act::Answer(200, SSE, "data: {\"candi".to_owned()), "provider_nonsense"),
    ];
    for (kind, act, code) in table {
        use crate::domain::failure::Failure as _;
        let (_, result, _) = seen_of(kind, act, true).await;
        assert_eq!(result.expect_err("a failure").code(), code);
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_may_have_cost_something() {
    let half = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9000\r\n\r\n";
    for (kind, events) in
        [(ProviderKind::Anthropic, fixture!("anthropic/text.sse")), (ProviderKind::Gemini, fixture!("gemini/text.sse"))]
    {
        let cut = &events[..events.find("🌍").expect("words") - 2];
        let (_, result, told) = seen_of(kind, Act::Raw([half, cut].concat()), true).await;
        let error = result.expect_err("cut");
        assert!(matches!(error, Error::Cut(_)), "{error}");
        assert_eq!((error.charge(), words(&told).as_str()), (Charge::Unknown, "Grüezi"));
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_not_sent() {
    for kind in [ProviderKind::Anthropic, ProviderKind::Gemini] {
        let (server, url) = Server::tcp([Act::Silence]).await;
        let providers = providers(bare(kind, &url)).await;
        let mut request = request("Hello?");
        request.sampling.temperature = Some(3.0);
        let result = providers.complete(&model(), request, LONG, std::future::pending(), None).await;
        assert!(matches!(result, Err(Error::Unsupported { .. })));
        assert_eq!(server.seen().len(), 0);
    }
}

#[tokio::test]
async fn a_unix_socket_serves_the_vendors_formats_as_well() {
    let dir = tempfile::tempdir().expect("a directory");
    let table = [
        (ProviderKind::Anthropic, fixture!("anthropic/plain.answer.json"), "post /v1/messages "),
        (ProviderKind::Gemini, fixture!("gemini/plain.answer.json"), "post /v1beta/models/"),
    ];
    for (number, (kind, answer, path)) in table.into_iter().enumerate() {
        let socket = dir.path().join(format!("{number}.sock"));
        let (server, url) = Server::unix(socket, [Act::Answer(200, "", answer)]);
        let (result, _) = asked(Provider { kind, ..local(url) }, false).await;
        assert_eq!(result.expect("an answer").text.expose(), "Aare.");
        assert!(server.seen().iter().all(|seen| seen.head.starts_with(path)));
    }
}
