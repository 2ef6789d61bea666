//! The scripted provider itself: what it sends is what the vendors send, byte by byte, its faults are faults, and its meter is
//! right. The tests that lean on it prove nothing if it is wrong.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::harness::{
    Answer, Asked, Counts, Cut, Fault, Format, Provider, RawAnswer, Reply, Reported, Tariff, ToolCall, raw_over,
};

/// Five words are read, one of them the system prompt's, and three written.
const PROMPT: &str = "tenant=acme What is new?";
const SAID: &str = "Nothing at all.";
const COUNTED: Counts = Counts { input: 5, output: 3, cached: 0, reasoning: 0 };

fn path(format: Format, streamed: bool) -> &'static str {
    match (format, streamed) {
        (Format::OpenAi, _) => "/v1/chat/completions",
        (Format::Anthropic, _) => "/v1/messages",
        (Format::Gemini, false) => "/v1beta/models/m1:generateContent",
        (Format::Gemini, true) => "/v1beta/models/m1:streamGenerateContent?alt=sse",
    }
}

fn body(format: Format, streamed: bool) -> Value {
    let messages = json!([{"role": "user", "content": PROMPT}]);
    match format {
        Format::OpenAi => {
            let system = json!({"role": "system", "content": "Be"});
            let said = json!([system, messages[0]]);
            let mut body = json!({"model": "m1", "messages": said, "stream": streamed});
            if streamed {
                body["stream_options"] = json!({"include_usage": true});
            }
            body
        }
        Format::Anthropic => json!({"model": "m1", "system": "Be", "messages": messages, "stream": streamed}),
        Format::Gemini => json!({
            "systemInstruction": {"parts": [{"text": "Be"}]},
            "contents": [{"parts": [{"text": PROMPT}]}]
        }),
    }
}

async fn post(provider: &Provider, format: Format, streamed: bool) -> RawAnswer {
    let body = body(format, streamed).to_string();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: provider\r\nconnection: close\r\nidempotency-key: task-1-0\r\ncontent-length: {}\r\n\r\n",
        path(format, streamed),
        body.len()
    );
    let stream = TcpStream::connect(("127.0.0.1", provider.port())).await.expect("a connection");
    raw_over(stream, format!("{head}{body}").as_bytes()).await
}

async fn answering(answer: Answer) -> Provider {
    Provider::start(move |_| answer.clone().into()).await
}

/// What a chunked body holds, and whether it ends as HTTP wants it.
fn unchunked(body: &str) -> (Vec<String>, bool) {
    let (mut chunks, mut rest) = (Vec::new(), body);
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a size");
        if size == 0 {
            return (chunks, true);
        }
        chunks.push(after[..size].to_owned());
        rest = &after[size + 2..];
    }
    (chunks, false)
}

async fn pieces(answer: Answer, format: Format) -> Vec<String> {
    let answer = post(&answering(answer).await, format, true).await;
    assert!(answer.head.contains("content-type: text/event-stream"), "{}", answer.head);
    let (pieces, is_whole) = unchunked(&answer.body);
    assert!(is_whole, "{}", answer.body);
    pieces
}

async fn document(answer: Answer, format: Format) -> Value {
    let answer = post(&answering(answer).await, format, false).await;
    assert_eq!(answer.status, 200);
    serde_json::from_str(&answer.body).expect("JSON")
}

fn with_details() -> Answer {
    let counts = Counts { input: 9, output: 7, cached: 4, reasoning: 2 };
    Answer::text(SAID).reporting(Reported::Exactly(counts))
}

fn weather() -> Answer {
    let call = ToolCall { id: "call_1", name: "weather", arguments: json!({"city": "Lyon"}) };
    Answer::text("").calling(vec![call])
}

#[tokio::test]
async fn a_whole_answer_is_the_vendors_document() {
    let openai = document(with_details(), Format::OpenAi).await;
    assert_eq!(openai["choices"][0]["message"], json!({"role": "assistant", "content": SAID, "refusal": null}));
    assert_eq!((&openai["object"], &openai["model"]), (&json!("chat.completion"), &json!("m1")));
    assert_eq!(
        openai["usage"],
        json!({
            "prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16,
            "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0}
        })
    );
    let anthropic = document(with_details(), Format::Anthropic).await;
    assert_eq!(anthropic["content"], json!([{"type": "text", "text": SAID}]));
    assert_eq!((&anthropic["type"], &anthropic["stop_reason"]), (&json!("message"), &json!("end_turn")));
    assert_eq!((&anthropic["usage"]["input_tokens"], &anthropic["usage"]["output_tokens"]), (&json!(5), &json!(7)));
    assert_eq!(anthropic["usage"]["cache_read_input_tokens"], 4);
    let gemini = document(with_details(), Format::Gemini).await;
    let candidate =
        json!({"content": {"parts": [{"text": SAID}], "role": "model"}, "finishReason": "STOP", "index": 0});
    assert_eq!(gemini["candidates"], json!([candidate]));
    assert_eq!(
        gemini["usageMetadata"],
        json!({
            "promptTokenCount": 9, "candidatesTokenCount": 5, "totalTokenCount": 16,
            "cachedContentTokenCount": 4, "thoughtsTokenCount": 2
        })
    );
}

#[tokio::test]
async fn openai_streams_chunks_the_usage_and_the_end_mark() {
    let pieces = pieces(Answer::text("Hi there"), Format::OpenAi).await;
    let head = r#"{"choices":[{"delta":"#;
    let expected = [
        format!(
            r#"{head}{{"content":"","refusal":null,"role":"assistant"}},"finish_reason":null,"index":0,"logprobs":null}}]"#
        ),
        format!(r#"{head}{{"content":"Hi"}},"finish_reason":null,"index":0,"logprobs":null}}]"#),
        format!(r#"{head}{{"content":" there"}},"finish_reason":null,"index":0,"logprobs":null}}]"#),
        format!(r#"{head}{{}},"finish_reason":"stop","index":0,"logprobs":null}}]"#),
        r#"{"choices":[]"#.to_owned(),
    ];
    let same = r#","created":1700000000,"id":"chatcmpl-0","model":"m1","object":"chat.completion.chunk","usage":"#;
    for (number, (piece, expected)) in pieces.iter().zip(expected).enumerate() {
        let usage = if number < 4 { "null}\n\n" } else { r#"{"completion_tokens":2,"# };
        assert!(piece.starts_with(&format!("data: {expected}{same}{usage}")), "{piece}");
    }
    assert_eq!((pieces.len(), pieces.last().map(String::as_str)), (6, Some("data: [DONE]\n\n")));
}

#[tokio::test]
async fn anthropic_streams_named_events() {
    let pieces = pieces(Answer::text("Hi there"), Format::Anthropic).await;
    let events: Vec<(&str, Value)> = pieces
        .iter()
        .map(|piece| {
            let (name, data) = piece.strip_prefix("event: ").and_then(|rest| rest.split_once('\n')).expect("an event");
            let data = data.strip_prefix("data: ").and_then(|rest| rest.strip_suffix("\n\n")).expect("data");
            let data: Value = serde_json::from_str(data).expect("JSON");
            assert_eq!(data["type"], name);
            (name, data)
        })
        .collect();
    let names: Vec<&str> = events.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "message_start",
            "content_block_start",
            "ping",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    assert_eq!(events[0].1["message"]["usage"]["input_tokens"], 5);
    assert_eq!(events[0].1["message"]["usage"]["output_tokens"], 1);
    assert_eq!(events[4].1["delta"], json!({"type": "text_delta", "text": " there"}));
    assert_eq!(events[6].1["delta"], json!({"stop_reason": "end_turn", "stop_sequence": null}));
    assert_eq!(events[6].1["usage"], json!({"output_tokens": 2}));
}

#[tokio::test]
async fn gemini_streams_responses_of_which_the_last_one_tells_the_end() {
    let pieces = pieces(Answer::text("Hi there").too_long(), Format::Gemini).await;
    let responses: Vec<Value> = pieces
        .iter()
        .map(|piece| {
            let data = piece.strip_prefix("data: ").and_then(|rest| rest.strip_suffix("\r\n\r\n")).expect("data");
            serde_json::from_str(data).expect("JSON")
        })
        .collect();
    let texts: Vec<&Value> = responses.iter().map(|one| &one["candidates"][0]["content"]["parts"][0]["text"]).collect();
    assert_eq!(texts, ["Hi", " there", ""]);
    let ends: Vec<&Value> = responses.iter().map(|one| &one["candidates"][0]["finishReason"]).collect();
    assert_eq!(ends, [&Value::Null, &Value::Null, &json!("MAX_TOKENS")]);
    let written: Vec<&Value> = responses.iter().map(|one| &one["usageMetadata"]["candidatesTokenCount"]).collect();
    assert_eq!(written, [1, 2, 2]);
}

#[tokio::test]
async fn tools_are_called_in_every_format() {
    let function = |arguments: &Value| serde_json::from_str::<Value>(arguments.as_str().expect("text")).expect("JSON");
    let openai = document(weather(), Format::OpenAi).await;
    let choice = &openai["choices"][0];
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!((&choice["finish_reason"], &choice["message"]["content"]), (&json!("tool_calls"), &Value::Null));
    assert_eq!((&call["id"], function(&call["function"]["arguments"])), (&json!("call_1"), json!({"city": "Lyon"})));
    let anthropic = document(weather(), Format::Anthropic).await;
    let used = json!({"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Lyon"}});
    assert_eq!((&anthropic["content"], &anthropic["stop_reason"]), (&json!([used]), &json!("tool_use")));
    let gemini = document(weather(), Format::Gemini).await;
    let called = json!({"functionCall": {"name": "weather", "args": {"city": "Lyon"}}});
    assert_eq!(gemini["candidates"][0]["content"]["parts"], json!([called]));

    let joined = |pieces: Vec<String>, member: &str| -> String {
        let of = |piece: &String| {
            let data = piece.lines().find_map(|line| line.strip_prefix("data: "))?.to_owned();
            let data: Value = serde_json::from_str(&data).ok()?;
            data.pointer(member)?.as_str().map(str::to_owned)
        };
        pieces.iter().filter_map(of).collect()
    };
    let arguments = r#"{"city":"Lyon"}"#;
    let openai = pieces(weather(), Format::OpenAi).await;
    assert_eq!(joined(openai, "/choices/0/delta/tool_calls/0/function/arguments"), arguments);
    let anthropic = pieces(weather(), Format::Anthropic).await;
    assert_eq!(joined(anthropic, "/delta/partial_json"), arguments);
    let gemini = pieces(weather(), Format::Gemini).await;
    assert_eq!(joined(gemini, "/candidates/0/content/parts/0/functionCall/name"), "weather");
}

#[tokio::test]
async fn a_cut_comes_after_as_many_pieces_as_the_test_says() {
    for format in Format::ALL {
        for (cut, is_whole) in [(Cut::Reset, false), (Cut::Closed, false), (Cut::Ended, true)] {
            let provider = answering(Answer::text(SAID).with(Fault::Cut(cut, 3))).await;
            let answer = post(&provider, format, true).await;
            let (pieces, ended) = unchunked(&answer.body);
            assert_eq!((pieces.len(), ended), (3, is_whole), "{format:?} {cut:?}: {}", answer.body);
            let plain = post(&provider, format, false).await;
            assert!(!plain.body.is_empty(), "{format:?} {cut:?}");
            assert!(serde_json::from_str::<Value>(&plain.body).is_err(), "{format:?} {cut:?}: {}", plain.body);
            let announced = plain.head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let announced: usize = announced.and_then(|length| length.parse().ok()).expect("a length");
            assert_eq!(announced == plain.body.len(), is_whole, "{format:?} {cut:?}");
        }
    }
}

#[tokio::test]
async fn half_a_document_and_an_error_come_where_the_test_says() {
    for format in Format::ALL {
        let is_json = |piece: &str| {
            let data = piece.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
            data == "[DONE]" || serde_json::from_str::<Value>(data).is_ok()
        };
        let half = pieces(Answer::text(SAID).with(Fault::Half(1)), format).await;
        let whole: Vec<bool> = half.iter().map(|piece| is_json(piece)).collect();
        let broken: Vec<usize> = (0..whole.len()).filter(|at| !whole[*at]).collect();
        assert_eq!(broken, [1], "{format:?} {half:?}");
        let failing = pieces(Answer::text(SAID).with(Fault::Error(2)), format).await;
        assert_eq!(failing.len(), 3, "{format:?}");
        assert!(failing[2].contains("\"error\":{"), "{format:?} {failing:?}");
        let named = failing[2].starts_with("event: error\n");
        assert_eq!(named, format == Format::Anthropic, "{format:?} {failing:?}");
    }
}

#[tokio::test]
async fn a_failure_is_told_in_the_vendors_words() {
    for (format, status, word) in [
        (Format::OpenAi, 429, "rate_limit_exceeded"),
        (Format::Anthropic, 529, "overloaded_error"),
        (Format::Gemini, 429, "RESOURCE_EXHAUSTED"),
    ] {
        let until = "Fri, 20 Nov 2026 21:00:00 GMT";
        let provider = Provider::start(move |call: &Asked| match call.number {
            0 => Reply::Status(status, Some(Duration::from_secs(7))),
            _ => Reply::StatusUntil(status, until.to_owned()),
        })
        .await;
        let (first, second) = (post(&provider, format, false).await, post(&provider, format, true).await);
        assert_eq!((first.status, second.status), (status, status));
        assert!(first.head.contains("retry-after: 7\r\n") || first.head.ends_with("retry-after: 7"), "{}", first.head);
        assert!(second.head.contains(&format!("retry-after: {}", until.to_lowercase())), "{}", second.head);
        assert!(first.body.contains(word) && second.body.contains(word), "{}", first.body);
        assert_eq!(provider.meter().bill().len(), 0, "no model has run");
    }
}

#[tokio::test]
async fn the_meter_bills_what_was_read_and_what_was_sent() {
    let of = |counts: Counts| (counts.input - counts.cached) * 10 + counts.cached + counts.output * 100;
    let table = [
        (Answer::text(SAID), COUNTED, COUNTED),
        (Answer::text(SAID).by_model("other").reporting(Reported::Unsaid), COUNTED, COUNTED),
        (Answer::text(SAID).with(Fault::Status(500)), COUNTED, COUNTED),
        (Answer::text(SAID).with(Fault::Cut(Cut::Reset, 0)), COUNTED, Counts { output: 0, ..COUNTED }),
        (
            with_details(),
            Counts { input: 9, output: 7, cached: 4, reasoning: 2 },
            Counts { input: 9, output: 7, cached: 4, reasoning: 2 },
        ),
        (
            Answer::text(SAID).reporting(Reported::Lie(Counts { input: -1, output: 1_000_000_000_000, ..COUNTED })),
            COUNTED,
            COUNTED,
        ),
    ];
    for format in Format::ALL {
        for (answer, whole, streamed) in table.clone() {
            let provider = answering(answer.clone()).await;
            provider.meter().price("m1", Tariff { input: 10, output: 100, cached: 1 });
            post(&provider, format, false).await;
            post(&provider, format, true).await;
            let bill = provider.meter().bill();
            assert_eq!((bill[0].call, bill[1].call), (0, 1), "{}", format.kind());
            let told: Vec<(i64, Option<&str>, Option<&str>)> = bill
                .iter()
                .map(|line| (line.nanos, line.task.as_deref(), line.tags.get("tenant").map(String::as_str)))
                .collect();
            let (task, tenant) = (Some("task-1"), Some("acme"));
            assert_eq!(
                told,
                [(of(whole), task, tenant), (of(streamed), task, tenant)],
                "{format:?} {answer:?} {:?}",
                provider.asked()
            );
            assert_eq!(provider.meter().billed(), of(whole) + of(streamed));
        }
    }
}

#[tokio::test]
async fn the_meter_stops_where_a_stream_does() {
    for (format, pieces, words) in [(Format::OpenAi, 3, 2), (Format::Anthropic, 4, 1), (Format::Gemini, 2, 2)] {
        let provider = answering(Answer::text(SAID).with(Fault::Cut(Cut::Closed, pieces))).await;
        post(&provider, format, true).await;
        let counts: Vec<Counts> = provider.meter().bill().iter().map(|line| line.counts).collect();
        assert_eq!(counts, [Counts { output: words, ..COUNTED }], "{format:?}");
    }
}

#[tokio::test]
async fn pieces_come_as_slowly_as_the_test_says() {
    let between = Duration::from_millis(3);
    for format in Format::ALL {
        let began = Instant::now();
        let pieces = pieces(Answer::text(SAID).slow(between), format).await;
        let pauses = u32::try_from(pieces.len()).expect("few") - 1;
        assert!(began.elapsed() >= between * pauses, "{}", format.kind());
    }
}
