//! The conversations of `tests/fixtures/wire/openai`, written and read.

mod questions;

use std::time::Duration;

use proptest::prelude::*;

use super::answer;
use super::stream::Assembly;
use crate::data_plane::provider::error::{Charge, Error};
use crate::data_plane::provider::exchange::{Completion, Delta, Stop, ToolCall};
use crate::data_plane::provider::piecewise::{EVENT_BYTES_MAX, told_of};
use crate::domain::usage::{Tokens, Usage};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/wire/openai/", $name))
    };
}
use fixture;

/// All recorded streams, with the model that each was asked of.
const STREAMS: [(&str, &str); 14] = [
    (fixture!("text.sse"), "gpt-4o"),
    (fixture!("tools.sse"), "gpt-4o"),
    (fixture!("cut_short.sse"), "gpt-4o"),
    (fixture!("ollama.sse"), "qwen3:8b"),
    (fixture!("vllm.sse"), "qwen"),
    (fixture!("vllm_error.sse"), "qwen"),
    (fixture!("llamacpp.sse"), "qwen2.5"),
    (fixture!("azure.sse"), "gpt-4o"),
    (fixture!("mistral.sse"), "mistral-small-latest"),
    (fixture!("deepseek.sse"), "deepseek-reasoner"),
    (fixture!("openrouter.sse"), "meta-llama/llama-3.3-70b-instruct"),
    (fixture!("openrouter_error.sse"), "meta-llama/llama-3.3-70b-instruct"),
    (fixture!("lmstudio_error.sse"), "qwen"),
    ("", "qwen"),
];

fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall { id: id.to_owned(), name: name.to_owned(), arguments: arguments.into() }
}

fn usage(input: u64, output: u64, cached: u64, reasoning: u64) -> Usage {
    Usage {
        input_tokens: Tokens::new(input),
        output_tokens: Tokens::new(output),
        cached_input_tokens: Tokens::new(cached),
        reasoning_tokens: Tokens::new(reasoning),
        ..Usage::default()
    }
}

fn read(body: &str, asked: &str) -> Completion {
    answer::read(body.as_bytes(), asked, Duration::ZERO).expect("an answer")
}

fn streamed_in<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, asked: &str) -> (Vec<Delta>, Result<Completion, Error>) {
    let mut assembly = Assembly::default();
    let (told, ended) = told_of(pieces, &mut assembly);
    (told, ended.and_then(|()| assembly.finish(asked, Duration::ZERO)))
}

fn streamed(bytes: &str, asked: &str) -> (Vec<Delta>, Result<Completion, Error>) {
    streamed_in([bytes.as_bytes()], asked)
}

fn words(told: &[Delta]) -> String {
    let words = told.iter().filter_map(|delta| match delta {
        Delta::Text(text) => Some(text.expose()),
        Delta::Call(_) | Delta::Usage(_) => None,
    });
    words.collect()
}

#[test]
fn whole_answers_are_read() {
    let plain = read(fixture!("plain.answer.json"), "gpt-4o");
    assert_eq!((plain.text.expose(), plain.model.as_str()), ("Aare.", "gpt-4o-2024-08-06"));
    assert_eq!((plain.stop, plain.usage, plain.notes), (Stop::End, Some(usage(2312, 90, 2048, 84)), Vec::new()));
    let tools = read(fixture!("tools.answer.json"), "gpt-4o");
    let calls =
        [call("call_bergen", "get_weather", r#"{"city":"Bergen","unit":1.0}"#), call("call_all", "list_cities", "{}")];
    assert_eq!((tools.text.expose(), tools.stop, tools.calls.as_slice()), ("", Stop::Calls, calls.as_slice()));
    let refusal = read(fixture!("refusal.answer.json"), "gpt-4o");
    assert_eq!(refusal.text.expose(), "I'm sorry, I cannot assist with that request.");
    assert_eq!((refusal.stop, refusal.usage), (Stop::Filtered, Some(usage(81, 11, 0, 0))));
    assert_eq!(refusal.notes, [("refusal", "the model declined".to_owned())]);
    let ollama = read(fixture!("ollama.answer.json"), "qwen3:8b");
    let calls = [
        call("call_hk81qg8b", "run", r#"{"command": "ls -la"}"#),
        call("call_rk2xye1l", "run", r#"{"command":"pwd"}"#),
    ];
    assert_eq!((ollama.text.expose(), ollama.stop, ollama.calls.as_slice()), ("", Stop::Calls, calls.as_slice()));
}

#[test]
fn another_models_answer_is_marked() {
    let other = read(fixture!("plain.answer.json"), "gpt-4o-mini");
    assert_eq!(other.notes, [("answered_by", "gpt-4o-2024-08-06".to_owned())]);
}

#[test]
fn a_stream_tells_its_pieces_and_comes_to_the_whole() {
    let (told, completion) = streamed(fixture!("text.sse"), "gpt-4o");
    let used = usage(1025, 15, 1000, 6);
    assert_eq!(told, [Delta::Text("Grüezi".into()), Delta::Text(", 🌍!".into()), Delta::Usage(used)]);
    let completion = completion.expect("an answer");
    assert_eq!((completion.text.expose(), completion.stop), ("Grüezi, 🌍!", Stop::End));
    assert_eq!((completion.usage, completion.model.as_str()), (Some(used), "gpt-4o-2024-08-06"));
    assert_eq!(completion.notes, Vec::new());
}

#[test]
fn calls_in_a_stream_are_put_together() {
    let (told, completion) = streamed(fixture!("tools.sse"), "gpt-4o");
    assert_eq!(told, [Delta::Text("Looking.".into()), Delta::Usage(usage(120, 40, 0, 0))]);
    let completion = completion.expect("an answer");
    let calls = [call("call_bergen", "get_weather", r#"{"city":"Bergen"}"#), call("call_all", "list_cities", "{}")];
    assert_eq!((completion.calls.as_slice(), completion.stop), (calls.as_slice(), Stop::Calls));
}

#[test]
fn half_a_call_is_none_where_the_answer_was_cut_short() {
    let completion = streamed(fixture!("cut_short.sse"), "gpt-4o").1.expect("an answer");
    assert_eq!((completion.calls.as_slice(), completion.stop), ([].as_slice(), Stop::Length));
    let whole = fixture!("cut_short.sse").replace("\"length\"", "\"tool_calls\"");
    assert!(matches!(streamed(&whole, "gpt-4o").1, Err(Error::Nonsense { .. })));
}

#[test]
fn every_servers_dialect_is_read() {
    let table = [
        (fixture!("vllm.sse"), "qwen", "Bern.", Stop::Sequence, Some(usage(24, 4, 16, 0))),
        (fixture!("llamacpp.sse"), "qwen2.5-7b-instruct-q4_k_m.gguf", "Aare", Stop::Length, Some(usage(43, 2, 7, 0))),
        (fixture!("azure.sse"), "gpt-4o", "Half", Stop::Filtered, Some(usage(18, 3, 0, 0))),
        (fixture!("mistral.sse"), "mistral-small-latest", "Bonjour !", Stop::Length, Some(usage(5, 7, 0, 0))),
        (fixture!("deepseek.sse"), "deepseek-reasoner", "Aare", Stop::End, Some(usage(70, 12, 64, 9))),
        (
            fixture!("openrouter.sse"),
            "meta-llama/llama-3.3-70b-instruct",
            "Grüezi!",
            Stop::End,
            Some(usage(13, 4, 0, 0)),
        ),
        (fixture!("ollama.sse"), "qwen3:8b", "One moment.", Stop::Calls, None),
    ];
    for (bytes, asked, text, stop, used) in table {
        let (told, completion) = streamed(bytes, asked);
        let completion = completion.expect(asked);
        assert_eq!((completion.text.expose(), words(&told).as_str(), completion.stop), (text, text, stop), "{asked}");
        assert_eq!((completion.usage, completion.notes), (used, Vec::new()), "{asked}");
    }
    let ollama = streamed(fixture!("ollama.sse"), "qwen3:8b").1.expect("an answer");
    let calls =
        [call("call_wteop8bt", "run", r#"{"command":"ls"}"#), call("call_rk2xye1l", "run", r#"{"command":"ls -l"}"#)];
    assert_eq!(ollama.calls, calls);
}

/// What a server that says its usage all along has said last counts also where the answer breaks off.
#[test]
fn usage_is_told_whenever_it_is_said_anew() {
    let told = streamed(fixture!("vllm.sse"), "qwen").0;
    let said: Vec<_> = told
        .into_iter()
        .filter_map(|delta| match delta {
            Delta::Usage(usage) => Some((usage.input_tokens.count(), usage.output_tokens.count())),
            Delta::Text(_) | Delta::Call(_) => None,
        })
        .collect();
    assert_eq!(said, [(24, 0), (24, 2), (24, 3), (24, 4), (24, 4)]);
}

#[test]
fn a_stream_that_fails_says_how() {
    let failed = |status| Error::Failed { status, retry_after: None };
    let table = [
        (fixture!("vllm_error.sse"), "Once upon", failed(500)),
        (fixture!("openrouter_error.sse"), "Once upon", failed(502)),
        (fixture!("lmstudio_error.sse"), "", Error::ContextTooLarge),
    ];
    for (bytes, text, expected) in table {
        let (told, ended) = streamed(bytes, "qwen");
        assert_eq!((words(&told).as_str(), ended), (text, Err(expected)));
    }
}

/// A failure that as such is free costs something where the model was at work, and nothing that came tells how much.
#[test]
fn a_failure_after_reasoning_is_in_doubt() {
    let busy = "data: {\"error\":{\"code\":503,\"message\":\"busy\"}}\n\n";
    let first = streamed(busy, "x").1.expect_err("failed");
    assert_eq!((first.charge(), &first), (Charge::None, &Error::Failed { status: 503, retry_after: None }));
    let reasoned = format!("data: {{\"choices\":[{{\"delta\":{{\"reasoning\":\"Hm\"}}}}]}}\n\n{busy}");
    assert_eq!(streamed(&reasoned, "x").1.expect_err("failed").charge(), Charge::Unknown);
}

#[test]
fn a_stream_without_its_end_is_cut() {
    let whole = fixture!("text.sse");
    let (unfinished, _) = whole.split_once("data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1764000000,\"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_1\",\"choices\":[{\"index\":0,\"delta\":{},").expect("an end");
    assert!(matches!(streamed(unfinished, "gpt-4o"), (told, Err(Error::Cut(_))) if words(&told) == "Grüezi, 🌍!"));
    assert!(matches!(streamed("", "gpt-4o").1, Err(Error::Cut(_))));
    let half = format!("{unfinished}data: {{\"choices\":[{{\"ind");
    assert_eq!(streamed(&half, "gpt-4o").1, Err(Error::Nonsense { what: "an event that makes no sense" }));
    // Either end marker is enough, and the last empty line may be missing.
    let unmarked = whole.replace("data: [DONE]\n\n", "");
    assert!(streamed(&unmarked, "gpt-4o").1.is_ok() && streamed(whole.trim_end(), "gpt-4o").1.is_ok());
    let marked = format!("{unfinished}data: [DONE]\n\n");
    assert_eq!(streamed(&marked, "gpt-4o").1.expect("an answer").stop, Stop::Other);
}

#[test]
fn nonsense_in_a_stream_is_told() {
    let absurd = fixture!("text.sse").replace("\"completion_tokens\":15", "\"completion_tokens\":-15");
    assert_eq!(streamed(&absurd, "gpt-4o").1, Err(Error::Nonsense { what: "an absurd usage" }));
    assert_eq!(streamed("data: [DONE]\n\n", "x").1, Err(Error::Nonsense { what: "no choices" }));
    let long = format!("data: {}\n\n", "x".repeat(EVENT_BYTES_MAX));
    assert_eq!(streamed(&long, "x").1, Err(Error::Nonsense { what: "an event over the limit" }));
}

proptest! {
    /// INVARIANT: how the bytes are cut changes neither what is told nor what it ends with; and what was told is the answer's text.
    #[test]
    fn any_cut_of_a_recorded_stream_gives_the_same(
        which in 0..STREAMS.len(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..8),
        kept in any::<proptest::sample::Index>(),
    ) {
        let (bytes, asked) = STREAMS[which];
        for bytes in [bytes.as_bytes(), &bytes.as_bytes()[..kept.index(bytes.len() + 1)]] {
            let whole = streamed_in([bytes], asked);
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let pieces = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
            prop_assert_eq!(&streamed_in(pieces, asked), &whole);
            prop_assert_eq!(&streamed_in(bytes.chunks(1), asked), &whole);
            if let Ok(completion) = &whole.1 {
                prop_assert_eq!(words(&whole.0), completion.text.expose());
            }
        }
    }

    #[test]
    fn no_bytes_bring_the_reader_down(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes);
        let framed = format!("data: {}\n\n", text.replace(['\r', '\n'], ""));
        let _told = streamed_in([bytes.as_slice(), framed.as_bytes()], "x");
        let _read = answer::read(&bytes, "x", Duration::ZERO);
    }
}
