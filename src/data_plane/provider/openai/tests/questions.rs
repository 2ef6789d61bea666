//! What is asked.

use serde_json::Value;

use super::{call, fixture};
use crate::data_plane::provider::error::{Charge, Error, Next};
use crate::data_plane::provider::exchange::{Format, Message, Part, Request, Role, Sampling, ToolChoice, ToolSpec};
use crate::data_plane::provider::openai::question::{self, Dialect};
use crate::journal::dialogue::{Image, ImageSource, ToolResult};

fn request(messages: Vec<Message>, most: u32) -> Request {
    Request::new("".into(), messages, most, "task-1".to_owned())
}

fn user(text: &str) -> Message {
    Message::said(Role::User, text)
}

fn result(call: &str, content: &str, is_error: bool) -> Part {
    Part::Result(ToolResult { call: call.to_owned(), content: content.into(), is_error })
}

fn picture(source: ImageSource, detail: Option<&str>) -> Part {
    Part::Image(Image { source, detail: detail.map(str::to_owned) })
}

fn inline() -> ImageSource {
    ImageSource::Inline { media_type: "image/png".to_owned(), data: "iVBORw0KGgo=".into() }
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

fn written(model: &str, request: &Request, dialect: Dialect, stream: bool) -> Value {
    serde_json::from_slice(&question::body(model, request, dialect, stream).expect("a body")).expect("JSON")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn a_conversation_is_written_with_all_that_is_asked() {
    let plain = Request {
        system: "Answer \"briefly\".".into(),
        sampling: Sampling {
            temperature: Some(0.2),
            top_p: Some(0.9),
            stop: vec!["END".to_owned(), "\n\n".to_owned()],
            seed: Some(-7),
            presence_penalty: Some(0.5),
            frequency_penalty: Some(-0.5),
            reasoning_effort: Some("low".to_owned()),
            parallel_calls: Some(true),
            ..Sampling::default()
        },
        choice: ToolChoice::None,
        ..request(
            vec![
                user("Which river flows through Basel?"),
                Message::said(Role::Assistant, "The Rhine."),
                Message {
                    role: Role::User,
                    parts: vec![Part::Text("And through Bern?".into()), Part::Text("One word.".into())],
                },
                Message { role: Role::Assistant, parts: Vec::new() },
            ],
            256,
        )
    };
    assert_eq!(written("gpt-4o", &plain, Dialect::OpenAi, false), json(fixture!("plain.request.json")));
}

#[test]
fn tools_and_their_results_are_written() {
    let by_model = |text: Option<&str>, calls: &[(&str, &str)]| {
        let words = text.map(|text| Part::Text(text.into()));
        let calls = calls.iter().map(|(id, arguments)| Part::Call(call(id, "get_weather", arguments)));
        Message { role: Role::Assistant, parts: words.into_iter().chain(calls).collect() }
    };
    let given = vec![
        result("call_rome", "19 °C", false),
        result("call_oslo", "no such station", true),
        Part::Text("Try Bergen too.".into()),
    ];
    let list = ToolSpec { name: "list_cities".to_owned(), description: "".into(), parameters: "".into(), strict: None };
    let tools = Request {
        tools: vec![weather(), list],
        choice: ToolChoice::Named("get_weather".to_owned()),
        sampling: Sampling { parallel_calls: Some(false), ..Sampling::default() },
        ..request(
            vec![
                user("Is it warmer in Rome or in Oslo?"),
                by_model(
                    Some("I will look both up."),
                    &[("call_rome", r#"{"city": "Rome"}"#), ("call_oslo", r#"{"city": "Oslo"}"#)],
                ),
                Message { role: Role::User, parts: given },
                by_model(None, &[("call_bergen", r#"{"city": "Bergen"}"#)]),
                Message { role: Role::User, parts: vec![result("call_bergen", "11 °C", false)] },
            ],
            1024,
        )
    };
    assert_eq!(written("gpt-4o", &tools, Dialect::OpenAi, true), json(fixture!("tools.request.json")));
}

/// A call keeps its name where the server takes it; where it does not, its result goes under the same other name.
#[test]
fn names_of_calls_by_other_providers_fit_the_host() {
    let long = format!("call_7e502d5f697b8c53642833eb_{}", "Z".repeat(300));
    let table = [
        (Dialect::OpenAi, "functions.look:0", Some("functions.look:0")),
        (Dialect::OpenAi, long.as_str(), None),
        (Dialect::Mistral, "D681PevKs", Some("D681PevKs")),
        (Dialect::Mistral, "toolu_01Rome", None),
        (Dialect::Common, long.as_str(), Some(long.as_str())),
    ];
    for (dialect, id, expected) in table {
        let said = Message { role: Role::Assistant, parts: vec![Part::Call(call(id, "look", "{}"))] };
        let given = Message { role: Role::User, parts: vec![result(id, "done", false)] };
        let body = written("m", &request(vec![user("x"), said, given], 1), dialect, false);
        let name = body["messages"][1]["tool_calls"][0]["id"].as_str().expect("a name");
        assert_eq!(body["messages"][2]["tool_call_id"], name);
        match expected {
            Some(expected) => assert_eq!(name, expected),
            None => assert!(name != id && name.len() <= 40, "{name}"),
        }
    }
}

#[test]
fn pictures_and_a_schema_are_written() {
    let parts = vec![
        Part::Text("What is on these pictures?".into()),
        picture(inline(), Some("low")),
        picture(ImageSource::Link("https://example.org/boat.jpg?a=1&b=\"2\"".into()), None),
    ];
    let schema = concat!(
        r#"{"type":"object","properties":{"things":{"type":"array","items":{"type":"string"}}},"#,
        r#""required":["things"],"additionalProperties":false}"#
    );
    let pictures = Request {
        format: Format::Schema { name: "things".to_owned(), schema: schema.into(), strict: Some(true) },
        ..request(vec![Message { role: Role::User, parts }], 300)
    };
    assert_eq!(written("gpt-4o", &pictures, Dialect::OpenAi, false), json(fixture!("picture.request.json")));
    let object = Request { format: Format::Json, ..request(vec![user("x")], 1) };
    let expected = json(r#"{"type":"json_object"}"#);
    assert_eq!(written("gpt-4o", &object, Dialect::OpenAi, false)["response_format"], expected);
}

#[test]
fn each_host_is_asked_in_its_own_words() {
    let seeded = |top_k| Request {
        sampling: Sampling { seed: Some(7), top_k, ..Sampling::default() },
        ..request(vec![user("Hello?")], 64)
    };
    let mistral = written("mistral-small-latest", &seeded(None), Dialect::Mistral, true);
    assert_eq!(mistral, json(fixture!("mistral.request.json")));
    assert_eq!(written("qwen", &seeded(Some(20)), Dialect::Common, true), json(fixture!("vllm.request.json")));
    let hosts = [
        ("api.openai.com", Dialect::OpenAi),
        ("eu.api.openai.com", Dialect::OpenAi),
        ("acme.openai.azure.com", Dialect::OpenAi),
        ("acme.services.ai.azure.com", Dialect::OpenAi),
        ("api.mistral.ai", Dialect::Mistral),
        ("notapi.openai.com", Dialect::Common),
        ("localhost", Dialect::Common),
        ("127.0.0.1", Dialect::Common),
    ];
    for (host, dialect) in hosts {
        assert_eq!(Dialect::of_host(host), dialect, "{host}");
    }
}

#[test]
fn the_choice_of_tools_is_written_where_it_is_one() {
    let choices = [
        (ToolChoice::Auto, Value::Null),
        (ToolChoice::None, json("\"none\"")),
        (ToolChoice::Required, json("\"required\"")),
    ];
    for (choice, expected) in choices {
        let request = Request { tools: vec![weather()], choice, ..request(vec![user("x")], 1) };
        assert_eq!(written("gpt-4o", &request, Dialect::OpenAi, false)["tool_choice"], expected);
    }
}

/// The order of names counts to some servers' caches of prompts, and so do bytes.
#[test]
fn the_body_is_written_byte_for_byte() {
    let request = Request { system: "Be brief.".into(), ..request(vec![user("Two?\n")], 64) };
    let text = String::from_utf8(question::body("qwen", &request, Dialect::Common, false).expect("a body"));
    assert_eq!(
        text.expect("text"),
        concat!(
            r#"{"model":"qwen","messages":[{"role":"system","content":"Be brief."},"#,
            r#"{"role":"user","content":"Two?\n"}],"max_tokens":64,"stream":false}"#
        )
    );
}

#[test]
fn what_the_format_has_no_word_for_is_refused_by_name() {
    let plain = || request(vec![user("x")], 1);
    let sampled = |sampling: Sampling| Request { sampling, ..plain() };
    let said = |role: Role, part: Part| request(vec![Message { role, parts: vec![part] }], 1);
    let infinite = Sampling { presence_penalty: Some(f64::INFINITY), ..Sampling::default() };
    let table = [
        (sampled(Sampling { top_k: Some(1), ..Sampling::default() }), "a top_k"),
        (sampled(Sampling { temperature: Some(f64::NAN), ..Sampling::default() }), "a number that is not finite"),
        (sampled(infinite), "a number that is not finite"),
        (Request { choice: ToolChoice::Required, ..plain() }, "a call of a tool without tools"),
        (Request { choice: ToolChoice::Named("x".to_owned()), ..plain() }, "a call of a tool without tools"),
        (
            Request { tools: vec![ToolSpec { parameters: "{".into(), ..weather() }], ..plain() },
            "a schema that is no JSON",
        ),
        (
            Request { format: Format::Schema { name: "n".to_owned(), schema: "".into(), strict: None }, ..plain() },
            "a schema that is no JSON",
        ),
        (said(Role::Assistant, picture(inline(), None)), "a picture by the model"),
        (said(Role::User, Part::Call(call("a", "b", "{}"))), "a call of a tool by the user"),
        (said(Role::Assistant, result("a", "b", false)), "a tool's result by the model"),
    ];
    for (request, what) in table {
        let fault = question::body("gpt-4o", &request, Dialect::OpenAi, false).expect_err("no word for it");
        assert_eq!(fault, Error::Unsupported { what });
        assert_eq!((fault.charge(), fault.next()), (Charge::None, Next::Failover), "{what}");
    }
}
