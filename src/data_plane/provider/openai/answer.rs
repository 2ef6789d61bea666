//! The body of a Chat Completions answer.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::fault;
use crate::data_plane::provider::error::Error;
use crate::data_plane::provider::exchange::{Completion, Stop};
use crate::domain::name::NAME_BYTES_MAX;
use crate::domain::usage::{Tokens, Usage};

/// The most tokens that one call can be said to have used; more is nonsense.
const TOKENS_MAX: u64 = 1 << 40;

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    usage: Option<Used>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    content: Option<Content>,
    #[serde(default)]
    refusal: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Whole(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Used {
    prompt_tokens: Option<Value>,
    completion_tokens: Option<Value>,
    total_tokens: Option<Value>,
    prompt_tokens_details: Option<Details>,
    completion_tokens_details: Option<Details>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Details {
    cached_tokens: Option<Value>,
    reasoning_tokens: Option<Value>,
}

/// Reads a successful answer.
///
/// # Errors
/// [`Error::Nonsense`]; or what the body says, where a gateway puts a failure under a successful status.
pub(super) fn read(body: &[u8], asked: &str, elapsed: Duration) -> Result<Completion, Error> {
    let parsed: Body = serde_json::from_slice(body).map_err(|_| Error::Nonsense { what: "not a JSON completion" })?;
    if let Some(failure) = parsed.error.filter(|failure| !failure.is_null()) {
        return Err(failure_within(&failure, body));
    }
    let choice = parsed.choices.into_iter().next().ok_or(Error::Nonsense { what: "no choices" })?;
    let usage = parsed.usage.map_or(Ok(None), used)?;
    let refused = choice.message.refusal.filter(|words| !words.is_empty());
    let stop = match choice.finish_reason.as_deref() {
        _ if refused.is_some() => Stop::Other,
        Some("stop" | "eos") => Stop::End,
        Some("length" | "max_tokens") => Stop::Length,
        Some(_) | None => Stop::Other,
    };
    let notes = refused.iter().map(|_| ("refusal", "the model declined".to_owned())).collect();
    let said = choice.message.content.map(whole).filter(|text| !text.is_empty());
    let text = said.or(refused).unwrap_or_default();
    let plain = |name: &String| !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control);
    let model = parsed.model.filter(plain).unwrap_or_else(|| asked.to_owned());
    Ok(Completion { text: text.into(), calls: Vec::new(), usage, stop, model, notes, elapsed })
}

/// Some gateways answer 200 and put the status of the failure into its code.
fn failure_within(failure: &Value, body: &[u8]) -> Error {
    let code = failure.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    match code.filter(|code| (400..600).contains(code)) {
        Some(status) => fault::of(status, None, body),
        None => Error::Nonsense { what: "an error under a successful status" },
    }
}

fn whole(content: Content) -> String {
    match content {
        Content::Whole(text) => text,
        Content::Parts(parts) => parts.into_iter().filter_map(|part| part.text).collect(),
    }
}

/// What was used; nothing where the provider does not say both input and output.
///
/// Some providers count reasoning outside `completion_tokens`; then the total, or reasoning larger than the output, tells.
/// The larger reading is taken, since it is what will be billed.
fn used(used: Used) -> Result<Option<Usage>, Error> {
    let (Some(input), Some(output)) = (count(used.prompt_tokens)?, count(used.completion_tokens)?) else {
        return Ok(None);
    };
    let cached = count(used.prompt_tokens_details.unwrap_or_default().cached_tokens)?.unwrap_or(0).min(input);
    let reasoning = count(used.completion_tokens_details.unwrap_or_default().reasoning_tokens)?.unwrap_or(0);
    let total = count(used.total_tokens)?.unwrap_or(0);
    let apart = if reasoning > output { output.saturating_add(reasoning) } else { output };
    Ok(Some(Usage {
        input_tokens: Tokens::new(input),
        output_tokens: Tokens::new(apart.max(total.saturating_sub(input))),
        cached_input_tokens: Tokens::new(cached),
        reasoning_tokens: Tokens::new(reasoning),
        ..Usage::default()
    }))
}

/// A token count; whole numbers that are written with a fraction are numbers too.
fn count(value: Option<Value>) -> Result<Option<u64>, Error> {
    let absurd = Error::Nonsense { what: "an absurd usage" };
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => {
            let whole = number.as_u64().or_else(|| number.to_string().strip_suffix(".0")?.parse().ok());
            whole.filter(|count| *count <= TOKENS_MAX).map(Some).ok_or(absurd)
        }
        Some(Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => Err(absurd),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Completion, Error> {
        super::read(body.as_bytes(), "asked", Duration::ZERO)
    }

    fn with_usage(usage: &str) -> Result<Option<Usage>, Error> {
        let body = format!(r#"{{"choices":[{{"message":{{"content":"x"}}}}],"usage":{usage}}}"#);
        read(&body).map(|completion| completion.usage)
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

    #[test]
    fn a_plain_answer_is_read() {
        let body = r#"{"id":"1","model":"qwen-7b","choices":[{"index":0,"finish_reason":"stop",
            "message":{"role":"assistant","content":"Bonjour"}}],"usage":{"prompt_tokens":9,"completion_tokens":2,
            "total_tokens":11,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":null}}"#;
        let completion = read(body).expect("an answer");
        assert_eq!((completion.text.expose(), completion.model.as_str()), ("Bonjour", "qwen-7b"));
        assert_eq!((completion.stop, completion.usage), (Stop::End, Some(usage(9, 2, 4, 0))));
    }

    #[test]
    fn content_comes_whole_in_parts_or_not_at_all() {
        let table = [
            (r#"{"content":[{"type":"text","text":"a"},{"type":"image"},{"type":"text","text":"b"}]}"#, "ab"),
            (r#"{"content":null}"#, ""),
            (r#"{}"#, ""),
            (r#"{"content":null,"refusal":"I will not."}"#, "I will not."),
        ];
        for (message, text) in table {
            let body = format!(r#"{{"choices":[{{"message":{message},"finish_reason":"length"}}]}}"#);
            assert_eq!(read(&body).expect("an answer").text.expose(), text);
        }
    }

    #[test]
    fn usage_is_believed_unless_absurd() {
        let table = [
            ("null", Ok(None)),
            (r#"{"prompt_tokens":3}"#, Ok(None)),
            (r#"{"prompt_tokens":3.0,"completion_tokens":4}"#, Ok(Some(usage(3, 4, 0, 0)))),
            (
                r#"{"prompt_tokens":3,"completion_tokens":4,"completion_tokens_details":{"reasoning_tokens":9}}"#,
                Ok(Some(usage(3, 13, 0, 9))),
            ),
            (r#"{"prompt_tokens":3,"completion_tokens":4,"total_tokens":10}"#, Ok(Some(usage(3, 7, 0, 0)))),
            (r#"{"prompt_tokens":-1,"completion_tokens":4}"#, Err(())),
            (r#"{"prompt_tokens":1,"completion_tokens":1.5}"#, Err(())),
            (r#"{"prompt_tokens":1,"completion_tokens":1e30}"#, Err(())),
            (r#"{"prompt_tokens":1,"completion_tokens":1099511627777}"#, Err(())),
            (r#"{"prompt_tokens":"many","completion_tokens":1}"#, Err(())),
        ];
        for (text, expected) in table {
            assert_eq!(with_usage(text).map_err(|_| ()), expected, "{text}");
        }
    }

    #[test]
    fn nonsense_is_told_from_a_failure_in_disguise() {
        for body in ["", "{", "[]", "<html>", "{}", r#"{"choices":[]}"#, r#"{"choices":[{}]}"#, r#"{"error":{}}"#] {
            assert!(matches!(read(body), Err(Error::Nonsense { .. })), "{body}");
        }
        let disguised = r#"{"error":{"code":429,"message":"slow down"}}"#;
        assert_eq!(read(disguised), Err(Error::RateLimited { retry_after: None }));
    }
}
