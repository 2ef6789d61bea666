//! The conversations of `tests/fixtures/wire/anthropic`, written and read.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use super::stream::Assembly;
use super::{answer, question};
use crate::data_plane::provider::calling::CALLS_MAX;
use crate::data_plane::provider::error::{Charge, Error, Next};
use crate::data_plane::provider::exchange::{
    Completion, Delta, Format, Message, Part, Request, Role, Sampling, Stop, ToolCall, ToolChoice, ToolSpec,
};
use crate::data_plane::provider::piecewise::told_of;
use crate::domain::usage::{Tokens, Usage};
use crate::journal::dialogue::{Image, ImageSource, ToolResult};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/wire/anthropic/", $name))
    };
}

fn request(messages: Vec<Message>, most: u32) -> Request {
    Request::new("".into(), messages, most, "task-1".to_owned())
}

fn user(text: &str) -> Message {
    Message::said(Role::User, text)
}

fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall { id: id.to_owned(), name: name.to_owned(), arguments: arguments.into() }
}

fn result(call: &str, content: &str, is_error: bool) -> Part {
    Part::Result(ToolResult { call: call.to_owned(), content: content.into(), is_error })
}

fn picture(source: ImageSource, detail: Option<&str>) -> Part {
    Part::Image(Image { source, detail: detail.map(str::to_owned) })
}

fn inline(media_type: &str) -> ImageSource {
    ImageSource::Inline { media_type: media_type.to_owned(), data: "iVBORw0KGgo=".into() }
}

fn weather() -> ToolSpec {
    ToolSpec {
        name: "get_weather".to_owned(),
        description: "The temperature in a city, now.".into(),
        parameters: concat!(
            r#"{"type":"object","properties":{"city":{"type":"string"}},"#,
            r#""required":["city"],"additionalProperties":false}"#
        )
        .into(),
        strict: Some(true),
    }
}

fn usage(input: u64, output: u64, cached: u64, reasoning: u64) -> Option<Usage> {
    Some(Usage {
        input_tokens: Tokens::new(input),
        output_tokens: Tokens::new(output),
        cached_input_tokens: Tokens::new(cached),
        reasoning_tokens: Tokens::new(reasoning),
        ..Usage::default()
    })
}

fn written(model: &str, request: &Request, stream: bool) -> Value {
    serde_json::from_slice(&question::body(model, request, stream).expect("a body")).expect("JSON")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn read(body: &str, asked: &str) -> Result<Completion, Error> {
    answer::read(body.as_bytes(), asked, Duration::ZERO)
}

fn streamed(bytes: &str) -> (Vec<Delta>, Result<Completion, Error>) {
    let mut assembly = Assembly::default();
    let (told, ended) = told_of([bytes.as_bytes()], &mut assembly);
    (told, ended.and_then(|()| assembly.finish("claude-opus-5", Duration::ZERO)))
}

#[test]
fn a_conversation_is_written_with_all_that_is_asked() {
    let plain = Request {
        system: "Answer briefly.".into(),
        sampling: Sampling {
            temperature: Some(0.2),
            top_p: Some(0.9),
            top_k: Some(40),
            stop: vec!["END".to_owned()],
            presence_penalty: Some(0.0),
            ..Sampling::default()
        },
        ..request(
            vec![
                user("Which river flows through Basel?"),
                Message::said(Role::Assistant, "The Rhine."),
                user("And through Bern?"),
                user(" "),
                user("One word."),
            ],
            256,
        )
    };
    assert_eq!(written("claude-sonnet-4-5", &plain, false), json(fixture!("plain.request.json")));
}

#[test]
fn tools_and_their_results_are_written() {
    let calls = vec![
        Part::Text("I will look both up.".into()),
        Part::Call(call("toolu_01Rome", "get_weather", r#"{"city": "Rome"}"#)),
        Part::Call(call("functions.get_weather:1", "get_weather", r#"{"city": "Oslo"}"#)),
    ];
    let results = vec![
        Part::Text("Try Bergen too.".into()),
        result("toolu_01Rome", "19 °C", false),
        result("functions.get_weather:1", "no such station", true),
    ];
    let list = ToolSpec { name: "list_cities".to_owned(), description: "".into(), parameters: "".into(), strict: None };
    let tools = Request {
        tools: vec![weather(), list],
        choice: ToolChoice::Required,
        sampling: Sampling { parallel_calls: Some(false), ..Sampling::default() },
        ..request(
            vec![
                user("Is it warmer in Rome or in Oslo?"),
                Message { role: Role::Assistant, parts: calls },
                Message { role: Role::User, parts: results },
            ],
            1024,
        )
    };
    assert_eq!(written("claude-opus-5", &tools, true), json(fixture!("tools.request.json")));
}

#[test]
fn pictures_a_schema_and_an_effort_are_written() {
    let parts = vec![
        Part::Text("What is on these pictures?".into()),
        picture(inline("image/png"), Some("auto")),
        picture(ImageSource::Link("https://example.org/boat.jpg".into()), None),
    ];
    let schema = concat!(
        r#"{"type":"object","properties":{"things":{"type":"array","items":{"type":"string"}}},"#,
        r#""required":["things"],"additionalProperties":false}"#
    );
    let pictures = Request {
        format: Format::Schema { name: "things".to_owned(), schema: schema.into(), strict: Some(true) },
        sampling: Sampling { reasoning_effort: Some("low".to_owned()), ..Sampling::default() },
        ..request(vec![Message { role: Role::User, parts }], 300)
    };
    assert_eq!(written("claude-sonnet-4-5", &pictures, false), json(fixture!("schema.request.json")));
}

#[test]
fn the_choice_of_tools_is_written_where_it_is_one() {
    let choices = [
        (ToolChoice::Auto, None, Value::Null),
        (ToolChoice::Auto, Some(true), Value::Null),
        (ToolChoice::Auto, Some(false), json(r#"{"type":"auto","disable_parallel_tool_use":true}"#)),
        (ToolChoice::None, Some(false), json(r#"{"type":"none"}"#)),
        (ToolChoice::Required, None, json(r#"{"type":"any"}"#)),
        (ToolChoice::Named("get_weather".to_owned()), None, json(r#"{"type":"tool","name":"get_weather"}"#)),
    ];
    for (choice, parallel_calls, expected) in choices {
        let sampling = Sampling { parallel_calls, ..Sampling::default() };
        let request = Request { tools: vec![weather()], choice, sampling, ..request(vec![user("x")], 1) };
        assert_eq!(written("claude-opus-5", &request, false)["tool_choice"], expected);
    }
    let none = Request { choice: ToolChoice::None, ..request(vec![user("x")], 1) };
    assert_eq!(written("claude-opus-5", &none, false)["tool_choice"], Value::Null);
}

#[test]
fn what_the_format_has_no_word_for_is_refused_by_name() {
    let plain = || request(vec![user("x")], 1);
    let sampled = |sampling: Sampling| Request { sampling, ..plain() };
    let said = |role: Role, part: Part| request(vec![Message { role, parts: vec![part] }], 1);
    let table = [
        (sampled(Sampling { seed: Some(1), ..Sampling::default() }), "a seed"),
        (sampled(Sampling { temperature: Some(1.5), ..Sampling::default() }), "a temperature outside 0 to 1"),
        (sampled(Sampling { temperature: Some(f64::NAN), ..Sampling::default() }), "a temperature outside 0 to 1"),
        (sampled(Sampling { top_p: Some(f64::INFINITY), ..Sampling::default() }), "a top_p outside 0 to 1"),
        (sampled(Sampling { presence_penalty: Some(0.5), ..Sampling::default() }), "a presence penalty"),
        (sampled(Sampling { frequency_penalty: Some(-0.5), ..Sampling::default() }), "a frequency penalty"),
        (
            sampled(Sampling { reasoning_effort: Some("minimal".to_owned()), ..Sampling::default() }),
            "this reasoning effort",
        ),
        (Request { format: Format::Json, ..plain() }, "JSON without a schema"),
        (
            Request { format: Format::Schema { name: "n".to_owned(), schema: "[]".into(), strict: None }, ..plain() },
            "an answer's schema that is no JSON object",
        ),
        (Request { choice: ToolChoice::Required, ..plain() }, "a choice among no tools"),
        (
            Request { tools: vec![ToolSpec { parameters: "{".into(), ..weather() }], ..plain() },
            "a tool's schema that is no JSON object",
        ),
        (said(Role::User, picture(inline("image/tiff"), None)), "a picture of this media type"),
        (said(Role::User, picture(inline("image/png"), Some("low"))), "a picture at less than full detail"),
        (said(Role::Assistant, picture(inline("image/png"), None)), "a picture by the model"),
        (said(Role::User, Part::Call(call("a", "b", "{}"))), "a call of a tool by the caller"),
        (said(Role::Assistant, result("a", "b", false)), "a tool's result by the model"),
        (said(Role::Assistant, Part::Call(call("a", "b", "[1]"))), "arguments of a call that are no JSON object"),
        (request(vec![user(" \n")], 1), "a conversation without words"),
    ];
    for (request, what) in table {
        let fault = question::body("claude-opus-5", &request, false).expect_err("no word for it");
        assert_eq!(fault, Error::Unsupported { what });
        assert_eq!((fault.charge(), fault.next()), (Charge::None, Next::Failover), "{what}");
    }
}

#[test]
fn whole_answers_are_read() {
    let plain = read(fixture!("plain.answer.json"), "claude-sonnet-4-5").expect("an answer");
    assert_eq!((plain.text.expose(), plain.model.as_str()), ("Aare.", "claude-sonnet-4-5-20250929"));
    let cached = usage(2312, 5, 2000, 0).map(|usage| Usage { cache_write_tokens: Tokens::new(300), ..usage });
    assert_eq!((plain.stop, plain.usage, plain.notes), (Stop::End, cached, Vec::new()));
    let thinking = read(fixture!("thinking.answer.json"), "claude-opus-5").expect("an answer");
    assert_eq!((thinking.text.expose(), thinking.stop), ("391", Stop::Sequence));
    assert_eq!(thinking.usage, usage(40, 90, 0, 84));
    let tools = read(fixture!("tools.answer.json"), "claude-opus-5").expect("an answer");
    let calls = [
        call("toolu_01Bergen", "get_weather", r#"{"city": "Bergen", "unit": 1.0}"#),
        call("toolu_01All", "list_cities", "{}"),
    ];
    assert_eq!((tools.text.expose(), tools.stop, tools.calls.as_slice()), ("Looking.", Stop::Calls, calls.as_slice()));
    let schema = read(fixture!("schema.answer.json"), "claude-sonnet-4-5").expect("an answer");
    assert_eq!(schema.text.expose(), r#"{"things":["a lake","a boat"]}"#);
    let refusal = read(fixture!("refusal.answer.json"), "claude-opus-5").expect("an answer");
    assert_eq!((refusal.text.expose(), refusal.stop, refusal.usage), ("", Stop::Filtered, usage(77, 4, 0, 0)));
    assert_eq!(refusal.notes, [("refusal", "the model declined".to_owned())]);
}

#[test]
fn another_models_answer_is_marked() {
    let other = read(fixture!("thinking.answer.json"), "claude-haiku-4-5").expect("an answer");
    assert_eq!(other.notes, [("answered_by", "claude-opus-5".to_owned())]);
}

#[test]
fn reasons_to_stop_have_their_words() {
    let table = [
        (r#""end_turn""#, Stop::End),
        (r#""max_tokens""#, Stop::Length),
        (r#""model_context_window_exceeded""#, Stop::Length),
        (r#""stop_sequence""#, Stop::Sequence),
        (r#""tool_use""#, Stop::Calls),
        (r#""pause_turn""#, Stop::Other),
        (r#""refusal""#, Stop::Filtered),
        ("null", Stop::Other),
    ];
    for (reason, expected) in table {
        let body = format!(r#"{{"content":[],"stop_reason":{reason}}}"#);
        assert_eq!(read(&body, "x").expect("an answer").stop, expected, "{reason}");
    }
}

#[test]
fn nonsense_is_told_from_a_failure_in_disguise() {
    let absurd = r#"{"content":[],"usage":{"input_tokens":1,"output_tokens":-1}}"#;
    let nameless = r#"{"content":[{"type":"tool_use","id":"a","input":{}}],"stop_reason":"tool_use"}"#;
    let listed = r#"{"content":[{"type":"tool_use","id":"a","name":"b","input":[]}],"stop_reason":"tool_use"}"#;
    for body in ["", "{", "[]", "{}", "<html>", r#"{"content":"x"}"#, absurd, nameless, listed] {
        assert!(matches!(read(body, "x"), Err(Error::Nonsense { .. })), "{body}");
    }
    let disguised = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    assert_eq!(read(disguised, "x"), Err(Error::Failed { status: 529, retry_after: None }));
    let many: Vec<_> = (0..=CALLS_MAX)
        .map(|number| format!(r#"{{"type":"tool_use","id":"a{number}","name":"b","input":{{}}}}"#))
        .collect();
    let many = format!(r#"{{"content":[{}],"stop_reason":"tool_use"}}"#, many.join(","));
    assert_eq!(read(&many, "x"), Err(Error::Nonsense { what: "too many calls of tools" }));
    let unsaid = read(r#"{"content":[],"usage":{"input_tokens":3}}"#, "x").expect("an answer");
    assert_eq!(unsaid.usage, None);
}

#[test]
fn a_stream_tells_its_pieces_and_comes_to_the_whole() {
    let (told, completion) = streamed(fixture!("text.sse"));
    let expected = [
        Delta::Usage(usage(1025, 1, 1000, 0).expect("said")),
        Delta::Text("Grüezi".into()),
        Delta::Text(", 🌍!".into()),
        Delta::Usage(usage(1025, 15, 1000, 6).expect("said")),
    ];
    assert_eq!(told, expected);
    let completion = completion.expect("an answer");
    assert_eq!((completion.text.expose(), completion.stop), ("Grüezi, 🌍!", Stop::End));
    assert_eq!(completion.usage, usage(1025, 15, 1000, 6));
}

#[test]
fn calls_are_told_when_their_arguments_are_whole() {
    let (told, completion) = streamed(fixture!("tools.sse"));
    let calls =
        [call("toolu_01Bergen", "get_weather", r#"{"city": "Bergen"}"#), call("toolu_01All", "list_cities", "{}")];
    let told: Vec<_> = told.into_iter().filter(|delta| matches!(delta, Delta::Call(_))).collect();
    assert_eq!(told, calls.clone().map(Delta::Call));
    let completion = completion.expect("an answer");
    assert_eq!((completion.calls.as_slice(), completion.stop), (calls.as_slice(), Stop::Calls));
}

#[test]
fn half_a_call_is_none_where_the_answer_was_cut_short() {
    let (told, completion) = streamed(fixture!("cut_short.sse"));
    assert!(told.iter().all(|delta| matches!(delta, Delta::Usage(_))), "{told:?}");
    let completion = completion.expect("an answer");
    assert_eq!((completion.calls.as_slice(), completion.stop), ([].as_slice(), Stop::Length));
    let whole = fixture!("cut_short.sse").replace("max_tokens", "tool_use");
    assert_eq!(streamed(&whole).1, Err(Error::Nonsense { what: "arguments of a call that are no JSON object" }));
}

#[test]
fn a_stream_that_fails_says_how() {
    let (told, failed) = streamed(fixture!("overloaded.sse"));
    assert_eq!(told.last(), Some(&Delta::Text("Once upon".into())));
    assert_eq!(failed, Err(Error::Failed { status: 529, retry_after: None }));
    // Without words nobody knows what the model's work has cost.
    let (before, after) = fixture!("overloaded.sse").split_once("event: content_block_start").expect("two parts");
    let error = &after[after.find("event: error").expect("an error")..];
    let at_work = streamed(&[before, error].concat()).1.expect_err("a failure");
    assert_eq!(
        (&at_work, at_work.charge()),
        (&Error::Cut("the provider failed while the model was at work".to_owned()), Charge::Unknown)
    );
    assert_eq!(streamed(error).1, Err(Error::Failed { status: 529, retry_after: None }));
    let whole = fixture!("text.sse");
    let cut = whole.split("event: message_stop").next().expect("a part");
    assert!(matches!(streamed(cut).1, Err(Error::Cut(_))));
    assert!(matches!(streamed("").1, Err(Error::Cut(_))));
    let half = format!("{cut}event: message_stop\ndata: {{\"type\":\"mess");
    assert_eq!(streamed(&half).1, Err(Error::Nonsense { what: "an event that makes no sense" }));
    // The last empty line may be missing.
    assert!(streamed(whole.trim_end()).1.is_ok());
    let absurd = whole.replace("\"output_tokens\":15", "\"output_tokens\":1e15");
    assert_eq!(streamed(&absurd).1, Err(Error::Nonsense { what: "an absurd usage" }));
}

/// INVARIANT: what is held of an answer is bounded.
#[test]
fn a_stream_without_bounds_is_ended() {
    let begin = |index: usize| {
        format!(
            "data: {{\"type\":\"content_block_start\",\"index\":{index},\"content_block\":{{\"type\":\"tool_use\",\
             \"id\":\"a{index}\",\"name\":\"b\",\"input\":{{}}}}}}\n\n"
        )
    };
    let many: String = (0..=CALLS_MAX).map(begin).collect();
    assert_eq!(streamed(&many).1, Err(Error::Nonsense { what: "too many calls of tools" }));
    let piece = format!(
        "data: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"input_json_delta\",\
         \"partial_json\":\"{}\"}}}}\n\n",
        "1".repeat(600_000)
    );
    let long = [begin(0), piece.clone(), piece].concat();
    assert_eq!(streamed(&long).1, Err(Error::Nonsense { what: "a call of a tool over the limit" }));
    let vast = format!("data: {}", "x".repeat(5 * 1024 * 1024));
    assert_eq!(streamed(&vast).1, Err(Error::Nonsense { what: "an event over the limit" }));
}

const STREAMS: [&str; 4] =
    [fixture!("text.sse"), fixture!("tools.sse"), fixture!("cut_short.sse"), fixture!("overloaded.sse")];

proptest! {
    /// INVARIANT: how the bytes are cut changes nothing, and all texts told are the completion's.
    #[test]
    fn any_cut_of_the_bytes_gives_the_same(
        which in 0..STREAMS.len(),
        end in any::<proptest::sample::Index>(),
        size in 1_usize..97,
    ) {
        let bytes = STREAMS[which].as_bytes();
        let bytes = &bytes[..=end.index(bytes.len())];
        let ended = |pieces: Vec<&[u8]>| {
            let mut assembly = Assembly::default();
            let (told, ended) = told_of(pieces, &mut assembly);
            (told, ended.and_then(|()| assembly.finish("claude-opus-5", Duration::ZERO)))
        };
        let (told, completion) = ended(vec![bytes]);
        prop_assert_eq!(&ended(bytes.chunks(size).collect()), &(told.clone(), completion.clone()));
        if let Ok(completion) = completion {
            let words: String = told
                .iter()
                .filter_map(|delta| match delta {
                    Delta::Text(text) => Some(text.expose()),
                    Delta::Call(_) | Delta::Usage(_) => None,
                })
                .collect();
            prop_assert_eq!(words, completion.text.expose());
        }
    }

    #[test]
    fn no_event_makes_it_fall_over(events in proptest::collection::vec(any_event(), 0..20)) {
        let bytes: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        let (_, completion) = streamed(&bytes);
        prop_assert!(completion.is_ok() == bytes.contains("message_stop") || completion.is_err());
    }
}

fn any_event() -> impl Strategy<Value = String> {
    let kind = prop_oneof![
        Just("message_start"),
        Just("content_block_start"),
        Just("content_block_delta"),
        Just("content_block_stop"),
        Just("message_delta"),
        Just("message_stop"),
        Just("error"),
        Just("ping"),
    ];
    let rest = prop_oneof![
        Just(String::new()),
        Just(r#","message":{"usage":{"input_tokens":1,"output_tokens":null}}"#.to_owned()),
        Just(r#","index":0,"content_block":{"type":"tool_use","id":"a","name":"b","input":null}"#.to_owned()),
        Just(r#","index":0,"content_block":{"type":"text","text":"x"}"#.to_owned()),
        Just(r#","index":0,"delta":{"type":"text_delta"}"#.to_owned()),
        Just(r#","index":0,"delta":{"type":"input_json_delta","partial_json":"{"}"#.to_owned()),
        Just(r#","index":-1,"delta":{}"#.to_owned()),
        Just(r#","error":{"type":"api_error"}"#.to_owned()),
        Just(r#","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":"9"}"#.to_owned()),
    ];
    (kind, rest).prop_map(|(kind, rest)| format!(r#"{{"type":"{kind}"{rest}}}"#))
}
