//! The conversations of `tests/fixtures/wire/gemini`, written and read.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::answer::{self, Assembly};
use super::question;
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
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/wire/gemini/", $name))
    };
}

/// The name of the first call of `task-1`, with what `tools.answer.json` gives it to carry.
const SIGNED: &str = "call_7e502d5f697b8c53642833eb_Z2VtaW5pLTMtcHJvLXByZXZpZXcKCkNpUUJWS2hjN3ZCKy92YWFhPT0";
const LATER: &str = "gemini-3-pro-preview";

fn request(messages: Vec<Message>, most: u32) -> Request {
    Request::new("".into(), messages, most, "task-1".to_owned())
}

fn user(text: &str) -> Message {
    Message::said(Role::User, text)
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::Call(ToolCall { id: id.to_owned(), name: name.to_owned(), arguments: arguments.into() })
}

fn result(call: &str, content: &str, is_error: bool) -> Part {
    Part::Result(ToolResult { call: call.to_owned(), content: content.into(), is_error })
}

fn picture(source: ImageSource, detail: Option<&str>) -> Part {
    Part::Image(Image { source, detail: detail.map(str::to_owned) })
}

fn link(detail: Option<&str>) -> Part {
    picture(ImageSource::Link("https://example.org/boat.jpg".into()), detail)
}

fn weather() -> ToolSpec {
    ToolSpec {
        name: "get_weather".to_owned(),
        description: "The temperature in a city, now.".into(),
        parameters: r#"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"#.into(),
        strict: None,
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

fn written(model: &str, request: &Request) -> Value {
    serde_json::from_slice(&question::body(model, request).expect("a body")).expect("JSON")
}

fn fixed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn read(body: &str, asked: &str) -> Result<Completion, Error> {
    answer::read(body.as_bytes(), Assembly::new(asked, "task-1"), Duration::ZERO)
}

fn streamed(bytes: &str, asked: &str) -> (Vec<Delta>, Result<Completion, Error>) {
    let mut assembly = Assembly::new(asked, "task-1");
    let (told, ended) = told_of([bytes.as_bytes()], &mut assembly);
    (told, ended.and_then(|()| assembly.finish(Duration::ZERO)))
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
            seed: Some(7),
            presence_penalty: Some(0.5),
            frequency_penalty: Some(-0.5),
            reasoning_effort: Some("low".to_owned()),
            parallel_calls: Some(false),
        },
        ..request(
            vec![
                user("Which river flows through Basel?"),
                Message::said(Role::Assistant, "The Rhine."),
                user("And through Bern?"),
                user("\n"),
                user("One word."),
            ],
            256,
        )
    };
    assert_eq!(written("gemini-2.5-flash", &plain), fixed(fixture!("plain.request.json")));
}

#[test]
fn tools_their_results_and_their_signatures_are_written() {
    let list = ToolSpec { name: "list_cities".to_owned(), description: "".into(), parameters: "".into(), strict: None };
    let first = vec![
        Part::Text("I will look both up.".into()),
        call(SIGNED, "get_weather", r#"{"city": "Rome"}"#),
        call("toolu_01Oslo", "get_weather", r#"{"city": "Oslo"}"#),
    ];
    let results = vec![result(SIGNED, "19 °C", false), result("toolu_01Oslo", "no such station", true)];
    let second = vec![call("toolu_01List", "list_cities", "")];
    let last = vec![Part::Text("Try Bergen too.".into()), result("toolu_01List", r#"["Bergen"]"#, false)];
    let tools = Request {
        tools: vec![weather(), list],
        choice: ToolChoice::Named("get_weather".to_owned()),
        sampling: Sampling { reasoning_effort: Some("high".to_owned()), ..Sampling::default() },
        ..request(
            vec![
                user("Is it warmer in Rome or in Oslo?"),
                Message { role: Role::Assistant, parts: first },
                Message { role: Role::User, parts: results },
                Message { role: Role::Assistant, parts: second },
                Message { role: Role::User, parts: last },
            ],
            1024,
        )
    };
    assert_eq!(written(LATER, &tools), fixed(fixture!("tools.request.json")));
}

#[test]
fn pictures_and_a_schema_are_written() {
    let inline = ImageSource::Inline { media_type: "image/png".to_owned(), data: "iVBORw0KGgo=".into() };
    let parts = vec![Part::Text("What is on these pictures?".into()), picture(inline, Some("low")), link(Some("low"))];
    let schema = concat!(
        r#"{"type":"object","properties":{"things":{"type":"array","items":{"type":"string"}}},"#,
        r#""required":["things"]}"#
    );
    let pictures = Request {
        format: Format::Schema { name: "things".to_owned(), schema: schema.into(), strict: None },
        ..request(vec![Message { role: Role::User, parts }], 300)
    };
    assert_eq!(written("gemini-2.5-flash", &pictures), fixed(fixture!("schema.request.json")));
    let bare = Request { format: Format::Json, ..request(vec![user("x")], 1) };
    let config = written("gemini-2.5-flash", &bare)["generationConfig"].clone();
    assert_eq!(config, json!({"maxOutputTokens": 1, "responseMimeType": "application/json"}));
}

#[test]
fn the_choice_of_tools_and_the_effort_have_their_words() {
    let strict = ToolSpec { strict: Some(true), ..weather() };
    let choices = [
        (weather(), ToolChoice::Auto, Value::Null),
        (strict.clone(), ToolChoice::Auto, json!({"mode": "VALIDATED"})),
        (strict, ToolChoice::None, json!({"mode": "NONE"})),
        (weather(), ToolChoice::Required, json!({"mode": "ANY"})),
    ];
    for (tool, choice, expected) in choices {
        let request = Request { tools: vec![tool], choice, ..request(vec![user("x")], 1) };
        assert_eq!(written(LATER, &request)["toolConfig"]["functionCallingConfig"], expected);
    }
    let efforts = [
        ("gemini-2.5-pro", "none", json!({"thinkingBudget": 0})),
        ("models/gemini-2.5-pro", "medium", json!({"thinkingBudget": 8192})),
        ("gemini-3-flash", "minimal", json!({"thinkingLevel": "minimal"})),
        ("gemini-4-argon", "low", json!({"thinkingLevel": "low"})),
    ];
    for (model, effort, expected) in efforts {
        let sampling = Sampling { reasoning_effort: Some(effort.to_owned()), ..Sampling::default() };
        let request = Request { sampling, ..request(vec![user("x")], 1) };
        assert_eq!(written(model, &request)["generationConfig"]["thinkingConfig"], expected, "{model} {effort}");
    }
}

#[test]
fn a_models_name_is_a_path() {
    let table = [
        ("gemini-2.5-pro", false, "/models/gemini-2.5-pro:generateContent"),
        ("gemini-2.5-pro", true, "/models/gemini-2.5-pro:streamGenerateContent?alt=sse"),
        ("tunedModels/boats", false, "/tunedModels/boats:generateContent"),
        ("a:b?c#é", false, "/models/a%3Ab%3Fc%23%C3%A9:generateContent"),
    ];
    for (model, stream, expected) in table {
        assert_eq!(question::path(model, stream), expected);
    }
}

#[test]
fn what_the_format_has_no_word_for_is_refused_by_name() {
    let plain = || request(vec![user("x")], 1);
    let sampled = |sampling: Sampling| Request { sampling, ..plain() };
    let said = |role: Role, parts: Vec<Part>| request(vec![Message { role, parts }], 1);
    let table = [
        (
            Request {
                tools: vec![weather()],
                ..sampled(Sampling { parallel_calls: Some(false), ..Sampling::default() })
            },
            "calls of tools one at a time",
        ),
        (sampled(Sampling { seed: Some(1 << 40), ..Sampling::default() }), "so large a seed"),
        (sampled(Sampling { temperature: Some(2.5), ..Sampling::default() }), "a temperature outside 0 to 2"),
        (sampled(Sampling { temperature: Some(f64::NAN), ..Sampling::default() }), "a temperature outside 0 to 2"),
        (sampled(Sampling { top_p: Some(-1.0), ..Sampling::default() }), "a top_p outside 0 to 1"),
        (
            sampled(Sampling { presence_penalty: Some(3.0), ..Sampling::default() }),
            "a presence penalty outside -2 to 2",
        ),
        (
            sampled(Sampling { frequency_penalty: Some(-3.0), ..Sampling::default() }),
            "a frequency penalty outside -2 to 2",
        ),
        (sampled(Sampling { stop: vec!["x".to_owned(); 6], ..Sampling::default() }), "more than five texts to stop at"),
        (
            sampled(Sampling { reasoning_effort: Some("xhigh".to_owned()), ..Sampling::default() }),
            "this reasoning effort",
        ),
        (
            Request { format: Format::Schema { name: "n".to_owned(), schema: "1".into(), strict: None }, ..plain() },
            "an answer's schema that is no JSON object",
        ),
        (Request { choice: ToolChoice::Required, ..plain() }, "a choice among no tools"),
        (
            Request { tools: vec![ToolSpec { parameters: "[]".into(), ..weather() }], ..plain() },
            "a tool's schema that is no JSON object",
        ),
        (said(Role::User, vec![link(Some("low")), link(None)]), "pictures at different details"),
        (said(Role::User, vec![link(Some("huge"))]), "this detail of a picture"),
        (said(Role::Assistant, vec![link(None)]), "a picture by the model"),
        (said(Role::User, vec![call("a", "b", "{}")]), "a call of a tool by the caller"),
        (said(Role::Assistant, vec![result("a", "b", false)]), "a tool's result by the model"),
        (said(Role::User, vec![result("a", "b", false)]), "a tool's result without its call"),
        (said(Role::Assistant, vec![call("a", "b", "1")]), "arguments of a call that are no JSON object"),
        (request(vec![user("")], 1), "a conversation without words"),
    ];
    for (request, what) in table {
        let fault = question::body(LATER, &request).expect_err("no word for it");
        assert_eq!(fault, Error::Unsupported { what });
        assert_eq!((fault.charge(), fault.next()), (Charge::None, Next::Failover), "{what}");
    }
}

#[test]
fn whole_answers_are_read() {
    let plain = read(fixture!("plain.answer.json"), "gemini-2.5-flash").expect("an answer");
    assert_eq!((plain.text.expose(), plain.stop, plain.usage), ("Aare.", Stop::End, usage(2012, 35, 1800, 31)));
    assert_eq!((plain.model.as_str(), plain.notes.as_slice()), ("gemini-2.5-flash", [].as_slice()));
    let filtered = read(fixture!("filtered.answer.json"), "gemini-2.5-flash").expect("an answer");
    assert_eq!((filtered.text.expose(), filtered.stop), ("Once upon", Stop::Filtered));
    // Of 25 tokens in all, 17 were read, so that 8 were written, whatever the parts say.
    assert_eq!(filtered.usage, usage(17, 8, 0, 0));
    assert_eq!(read(fixture!("blocked.answer.json"), "gemini-2.5-flash"), Err(Error::Refused));
    let other = read(fixture!("plain.answer.json"), "gemini-2.5-pro").expect("an answer");
    assert_eq!(other.notes, [("answered_by", "gemini-2.5-flash".to_owned())]);
}

#[test]
fn a_call_comes_with_a_name_that_brings_everything_back() {
    let tools = read(fixture!("tools.answer.json"), LATER).expect("an answer");
    assert_eq!((tools.stop, tools.usage), (Stop::Calls, usage(410, 90, 0, 60)));
    let [weather, list] = tools.calls.as_slice() else { panic!("two calls, not {}", tools.calls.len()) };
    assert_eq!((weather.id.as_str(), weather.name.as_str()), (SIGNED, "get_weather"));
    assert_eq!((list.name.as_str(), list.arguments.expose()), ("list_cities", "{}"));
    let said = tools.calls.iter().cloned().map(Part::Call).collect();
    let results = tools.calls.iter().map(|call| result(&call.id, "done", false)).collect();
    let back =
        request(vec![Message { role: Role::Assistant, parts: said }, Message { role: Role::User, parts: results }], 1);
    let contents = &written(LATER, &back)["contents"];
    assert_eq!(contents[0]["parts"], fixed(fixture!("tools.answer.json"))["candidates"][0]["content"]["parts"]);
    assert_eq!(contents[1]["parts"][1]["functionResponse"]["id"], "fc-17");
}

#[test]
fn reasons_to_stop_have_their_words() {
    let table = [
        (r#""STOP""#, Some(Stop::End)),
        (r#""MAX_TOKENS""#, Some(Stop::Length)),
        (r#""SAFETY""#, Some(Stop::Filtered)),
        (r#""RECITATION""#, Some(Stop::Filtered)),
        (r#""PROHIBITED_CONTENT""#, Some(Stop::Filtered)),
        (r#""LANGUAGE""#, Some(Stop::Other)),
        (r#""OF_TOMORROW""#, Some(Stop::Other)),
        ("null", Some(Stop::Other)),
        (r#""MALFORMED_FUNCTION_CALL""#, None),
        (r#""UNEXPECTED_TOOL_CALL""#, None),
    ];
    for (reason, expected) in table {
        let body = format!(r#"{{"candidates":[{{"content":{{}},"finishReason":{reason}}}]}}"#);
        assert_eq!(read(&body, "x").ok().map(|completion| completion.stop), expected, "{reason}");
    }
}

#[test]
fn nonsense_is_told_from_a_failure_in_disguise() {
    let absurd = r#"{"candidates":[{}],"usageMetadata":{"promptTokenCount":-1}}"#;
    let vast = r#"{"candidates":[{}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1e15}}"#;
    let nameless = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"args":{}}}]}}]}"#;
    let listed = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"a","args":[]}}]}}]}"#;
    for body in ["", "{", "[1]", "{}", "<html>", r#"{"candidates":[]}"#, absurd, vast, nameless, listed] {
        assert!(matches!(read(body, "x"), Err(Error::Nonsense { .. })), "{body}");
    }
    let disguised = r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"slow down"}}"#;
    assert_eq!(read(disguised, "x"), Err(Error::RateLimited { retry_after: None }));
    let calls = vec![r#"{"functionCall":{"name":"a"}}"#; CALLS_MAX + 1].join(",");
    let many = format!(r#"{{"candidates":[{{"content":{{"parts":[{calls}]}}}}]}}"#);
    assert_eq!(read(&many, "x"), Err(Error::Nonsense { what: "too many calls of tools" }));
    let unsaid = read(r#"{"candidates":[{}],"usageMetadata":{"candidatesTokenCount":3}}"#, "x").expect("an answer");
    assert_eq!(unsaid.usage, None);
}

#[test]
fn a_stream_tells_its_pieces_and_comes_to_the_whole() {
    let (told, completion) = streamed(fixture!("text.sse"), "gemini-2.5-flash");
    let used = |output| Delta::Usage(usage(25, output, 0, 6).expect("said"));
    let expected = [used(6), Delta::Text("Grüezi".into()), used(9), Delta::Text(", 🌍!".into()), used(15)];
    assert_eq!(told, expected);
    let completion = completion.expect("an answer");
    assert_eq!((completion.text.expose(), completion.stop), ("Grüezi, 🌍!", Stop::End));
    assert_eq!(completion.usage, usage(25, 15, 0, 6));
    let (told, completion) = streamed(fixture!("tools.sse"), LATER);
    let completion = completion.expect("an answer");
    let calls: Vec<_> = completion.calls.iter().cloned().map(Delta::Call).collect();
    assert_eq!(told.into_iter().filter(|delta| matches!(delta, Delta::Call(_))).collect::<Vec<_>>(), calls);
    assert_eq!((completion.calls.len(), completion.stop, completion.text.expose()), (2, Stop::Calls, "Looking."));
    assert_eq!(completion.calls.first().map(|call| call.id.as_str()), Some(SIGNED));
    let blocked = format!("data: {}\n\n", fixed(fixture!("blocked.answer.json")));
    assert_eq!(streamed(&blocked, "gemini-2.5-flash").1, Err(Error::Refused));
}

#[test]
fn a_stream_that_fails_says_how() {
    let (told, failed) = streamed(fixture!("unavailable.sse"), "gemini-2.5-flash");
    assert!(told.contains(&Delta::Text("Once upon".into())));
    assert_eq!(failed, Err(Error::Failed { status: 503, retry_after: None }));
    let whole = fixture!("text.sse");
    let at = whole.rfind("data: ").expect("events");
    let (cut, last) = whole.split_at(at);
    assert!(matches!(streamed(cut, "x").1, Err(Error::Cut(_))));
    assert!(matches!(streamed("", "x").1, Err(Error::Cut(_))));
    let half = [cut, &last[..40]].concat();
    assert_eq!(streamed(&half, "x").1, Err(Error::Nonsense { what: "an event that makes no sense" }));
    assert!(streamed(whole.trim_end(), "x").1.is_ok(), "the last empty line may be missing");
    let marked = [whole, "data: [DONE]\n\n"].concat();
    assert!(streamed(&marked, "x").1.is_ok(), "gateways may mark the end as other formats do");
}

const STREAMS: [&str; 3] = [fixture!("text.sse"), fixture!("tools.sse"), fixture!("unavailable.sse")];

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
            let mut assembly = Assembly::new(LATER, "task-1");
            let (told, ended) = told_of(pieces, &mut assembly);
            (told, ended.and_then(|()| assembly.finish(Duration::ZERO)))
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
}
