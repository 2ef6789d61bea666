//! What the front door says of itself, and what it makes of requests.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::reading::{self, Unmeant};
use super::{anthropic, openai};
use crate::api::error::Told;
use crate::journal::dialogue::{Part, Role};

fn refused(error: crate::api::error::ApiError) -> Told {
    error.told()
}

#[test]
fn every_parameter_without_a_meaning_is_in_the_guide() {
    let guide = include_str!("../../../docs/front-door.md");
    for (name, rule) in openai::UNMEANT.iter().chain(anthropic::UNMEANT) {
        let is_told = guide.contains(&format!("`{name}`")) || guide.contains(&format!("`{name}: "));
        // What is refused at every value is refused as what nobody knows is; the guide names examples.
        assert!(is_told || matches!(rule, Unmeant::At([])), "{name}");
    }
}

#[test]
fn one_text_alone_is_an_input_without_a_dialogue() {
    let body = br#"{"model":"worker","messages":[{"role":"user","content":"caf\u00e9 \"au lait\""}]}"#;
    let (wanted, _) = openai::wanted(body).expect("understood");
    assert_eq!((wanted.input.expose(), wanted.dialogue), ("caf\u{e9} \"au lait\"", None));
    let body = br#"{"model":"worker","messages":[{"role":"user","content":[{"type":"text","text":"one"}]}],"n":1,"stop":null}"#;
    let (wanted, _) = openai::wanted(body).expect("understood");
    assert_eq!((wanted.input.expose(), wanted.dialogue), ("one", None));
}

#[test]
fn results_that_follow_each_other_are_one_message() {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let body = json!({"model": "worker", "messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": null, "tool_calls": [call("a"), call("b")]},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "name": "f", "content": [{"type": "text", "text": "2"}]},
    ]});
    let (wanted, _) = openai::wanted(body.to_string().as_bytes()).expect("understood");
    let said = wanted.dialogue.expect("a dialogue").messages;
    assert_eq!(
        said.iter().map(|message| (message.role, message.parts.len())).collect::<Vec<_>>(),
        [(Role::User, 1), (Role::Assistant, 2), (Role::User, 2)]
    );
    assert!(said[2].parts.iter().all(|part| matches!(part, Part::Result(result) if !result.is_error)));
    assert!(wanted.input.is_empty());
}

#[test]
fn instructions_come_first_wherever_they_stand() {
    let body = json!({"model": "worker", "messages": [
        {"role": "system", "content": "One."}, {"role": "user", "content": "hello"}, {"role": "developer", "content": "Two."},
        {"role": "user", "content": "again"},
    ]});
    let (wanted, _) = openai::wanted(body.to_string().as_bytes()).expect("understood");
    let dialogue = wanted.dialogue.expect("a dialogue");
    assert_eq!(
        (dialogue.system.expose(), dialogue.messages.len(), wanted.input.expose()),
        ("One.\n\nTwo.", 1, "again")
    );
}

#[test]
fn the_same_is_read_from_both_apis() {
    let schema = json!({"type": "object"});
    let ours = json!({"model": "w", "max_tokens": 5, "temperature": 0.5, "stop": ["x"], "messages": [
        {"role": "system", "content": "Be."}, {"role": "user", "content": "go"},
        {"role": "assistant", "content": "I call", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"n\":1}"}}]},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
    ], "tools": [{"type": "function", "function": {"name": "f", "description": "F.", "parameters": schema}}], "tool_choice": "required"});
    let theirs = json!({"model": "w", "max_tokens": 5, "temperature": 0.5, "stop_sequences": ["x"], "system": "Be.", "messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [{"type": "text", "text": "I call"}, {"type": "tool_use", "id": "a", "name": "f", "input": {"n": 1}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "1"}]},
    ], "tools": [{"name": "f", "description": "F.", "input_schema": schema}], "tool_choice": {"type": "any"}});
    let (ours, _) = openai::wanted(ours.to_string().as_bytes()).expect("understood");
    let theirs = anthropic::wanted(theirs.to_string().as_bytes(), anthropic::Purpose::Answer).expect("understood");
    assert_eq!(ours.dialogue, theirs.dialogue);
    assert_eq!((ours.model, ours.input), (theirs.model, theirs.input));
}

proptest! {
    #[test]
    fn no_body_is_read_wrongly_in_silence(name in "[a-z_]{1,20}", value in prop_oneof![Just(json!(1)), Just(json!("x")), Just(json!([1]))]) {
        let known = ["model", "messages", "tools", "tool_choice", "parallel_tool_calls", "response_format", "temperature", "top_p", "stop",
            "seed", "presence_penalty", "frequency_penalty", "reasoning_effort", "max_tokens", "max_completion_tokens", "stream",
            "stream_options", "user", "safety_identifier", "metadata"];
        prop_assume!(!known.contains(&name.as_str()) && !name.starts_with("prompt_cache_"));
        prop_assume!(!(name == "n" && value == json!(1)));
        let mut body = json!({"model": "worker", "messages": [{"role": "user", "content": "hello"}]});
        body[&name] = value;
        let told = openai::wanted(body.to_string().as_bytes()).map(|_| ()).map_err(refused).expect_err("refused");
        prop_assert_eq!(told.parameter, Some(name));
        prop_assert_eq!(told.problem.code, "parameter_unsupported");
    }

    #[test]
    fn no_bytes_end_in_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,100}") {
        let _refused = openai::wanted(&bytes).is_err();
        let _refused = anthropic::wanted(text.as_bytes(), anthropic::Purpose::Answer).is_err();
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    for (body, parameter) in [
        (r#"{"model": 5}"#, Some("model")),
        (r#"{"model": "m", "messages": [{"role": 1}]}"#, Some("messages")),
        (r#"{"model": "m", "stop": 5}"#, Some("stop")),
        (r#"{"model": "m", "stop": [5]}"#, Some("stop")),
        (r#"{"model": "m""#, None),
        (r#"{"model": "m"} {}"#, None),
        ("[]", None),
        ("", None),
    ] {
        let told = openai::wanted(body.as_bytes()).map(|_| ()).map_err(refused).expect_err(body);
        assert_eq!((told.parameter.as_deref(), told.problem.status), (parameter, 400), "{body}");
    }
}

#[test]
fn hints_pass_and_values_are_compared_as_json() {
    let judge = |value: Value| {
        let text = json!({"thinking": value}).to_string();
        let (_, others) = reading::read::<Nothing>(text.as_bytes()).expect("read");
        reading::judge(&others, anthropic::UNMEANT).is_ok()
    };
    assert!(judge(json!({"type": "disabled"})) && judge(Value::Null));
    assert!(!judge(json!({"type": "enabled", "budget_tokens": 1024})) && !judge(json!("disabled")));
}

/// A body of which nothing is known.
#[derive(Default)]
struct Nothing;

impl<'a> reading::Members<'a> for Nothing {
    fn take<A: serde::de::MapAccess<'a>>(&mut self, _name: &str, _body: &mut A) -> Result<bool, A::Error> {
        Ok(false)
    }
}
