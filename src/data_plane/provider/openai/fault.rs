//! What an unsuccessful Chat Completions answer says beyond its status. Its words are looked at, never passed on.
//!
//! Shapes: `{"error": {"message", "type", "param", "code"}}` (OpenAI, Azure, llama.cpp, vLLM, Ollama, OpenRouter),
//! `{"error": "…"}` (Ollama's own paths, LM Studio), `{"object": "error", "message", "type", "code"}` (Mistral, older vLLM).

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::data_plane::provider::error::Error;
use crate::data_plane::provider::policy;

/// What a model does not take, by the name that an `unsupported_parameter` gives.
const PARAMETERS: [(&str, &str); 13] = [
    ("temperature", "a temperature, for this model"),
    ("top_p", "a top_p, for this model"),
    ("top_k", "a top_k, for this model"),
    ("stop", "texts to stop at, for this model"),
    ("seed", "a seed, for this model"),
    ("presence_penalty", "a presence penalty, for this model"),
    ("frequency_penalty", "a frequency penalty, for this model"),
    ("reasoning_effort", "a reasoning effort, for this model"),
    ("parallel_tool_calls", "a choice of parallel calls, for this model"),
    ("tools", "tools, for this model"),
    ("tool_choice", "a choice of tools, for this model"),
    ("response_format", "an answer of a format, for this model"),
    ("messages", "such a message, for this model"),
];

/// Words by which servers say that the input does not fit.
const TOO_LARGE: [&str; 5] =
    ["context length", "context size", "context window", "prompt is too long", "input is too long"];

#[derive(Deserialize, Default)]
#[serde(default)]
struct Body {
    error: Value,
    message: Value,
    code: Value,
    #[serde(rename = "type")]
    kind: Value,
}

/// A failure's own words, in lower case, wherever they stood.
struct Words {
    status: Option<u16>,
    code: String,
    kind: String,
    param: String,
    message: String,
    /// Why OpenRouter's moderation refuses.
    is_flagged: bool,
}

/// The failure that a status and its body tell.
pub(super) fn of(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Error {
    match serde_json::from_slice::<Body>(body) {
        Ok(Body { error, message, code, kind }) if error.is_null() => {
            sharpened(status, retry_after, &words(&serde_json::json!({"message": message, "code": code, "type": kind})))
        }
        Ok(body) => sharpened(status, retry_after, &words(&body.error)),
        Err(_) => policy::by_status(status, retry_after),
    }
}

/// The failure that is told under a successful status, in the middle of a stream too: `error`, or the body that has none.
pub(super) fn told(failure: &Value) -> Error {
    let words = words(failure);
    // LM Studio says nothing but this.
    let too_large = TOO_LARGE.iter().any(|phrase| words.message.contains(phrase)).then_some(400);
    match words.status.or_else(|| status_of(&words)).or(too_large) {
        Some(status) => sharpened(status, None, &words),
        None => Error::Nonsense { what: "an error under a successful status" },
    }
}

fn words(failure: &Value) -> Words {
    let of = |name: &str| failure.get(name).map(word).unwrap_or_default();
    let status = ["code", "status", "status_code"].iter().find_map(|name| status(failure.get(name)?));
    let message = failure.as_str().map(str::to_ascii_lowercase).unwrap_or_else(|| of("message"));
    let metadata = failure.get("metadata");
    let is_flagged = metadata.and_then(|metadata| metadata.get("reasons")).is_some_and(Value::is_array);
    Words { status, code: of("code"), kind: of("type"), param: of("param"), message, is_flagged }
}

/// A text; of anything else its JSON.
fn word(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.to_ascii_lowercase()
}

fn status(value: &Value) -> Option<u16> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    u16::try_from(number).ok().filter(|status| (400..600).contains(status))
}

/// The status that goes with a failure's code or kind, where it brings none.
fn status_of(words: &Words) -> Option<u16> {
    let table: [(&[&str], u16); 9] = [
        (&["insufficient_quota", "rate_limit_exceeded", "rate_limit_error", "rate_limited"], 429),
        (&["server_error", "internal_server_error", "internal_error", "internalservererror", "api_error"], 500),
        (&["overloaded_error", "provider_overloaded"], 529),
        (&["unavailable_error", "service_unavailable", "engine_overloaded"], 503),
        (&["timeout", "timeout_error"], 504),
        (&["authentication_error", "invalid_api_key"], 401),
        (&["permission_error"], 403),
        (&["not_found_error", "notfounderror", "model_not_found"], 404),
        (&["invalid_request_error", "badrequesterror", "content_filter", "context_length_exceeded"], 400),
    ];
    let found =
        table.into_iter().find(|(names, _)| names.iter().any(|name| words.code == *name || words.kind == *name));
    found.map(|(_, status)| status)
}

fn sharpened(status: u16, retry_after: Option<Duration>, words: &Words) -> Error {
    let named = |names: &[&str]| names.iter().any(|name| words.code == *name || words.kind == *name);
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.message.contains(phrase));
    match status {
        // A spent account, and a request that is larger than a whole minute's allowance, do not recover by waiting.
        429 if named(&["insufficient_quota", "billing_hard_limit_reached"]) || says(&["request too large"]) => {
            Error::Rejected { status }
        }
        400..=499 if words.is_flagged => Error::Refused,
        400..=499 if named(&["content_policy_violation", "content_filter", "invalid_prompt"]) => Error::Refused,
        400..=499 if named(&["context_length_exceeded", "exceed_context_size_error"]) => Error::ContextTooLarge,
        400 | 422 if says(&TOO_LARGE) => Error::ContextTooLarge,
        // The model wrote something all the same, and that may be billed.
        400 if named(&["tool_use_failed"]) => {
            Error::Nonsense { what: "a call of a tool that the provider cannot read" }
        }
        400 | 422 if named(&["unsupported_parameter", "unsupported_value"]) => {
            let known = PARAMETERS.into_iter().find(|(name, _)| words.param == *name);
            known.map_or(Error::Rejected { status }, |(_, what)| Error::Unsupported { what })
        }
        _ => policy::by_status(status, retry_after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_sharpen_a_status() {
        let full = r#"{"object":"error","message":"This model's maximum context length is 4096 tokens.","code":400}"#;
        let temperature = r#"{"error":{"message":"…","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}"#;
        let flagged = r#"{"error":{"code":403,"message":"flagged","metadata":{"reasons":["violence"]}}}"#;
        let large = r#"{"error":{"message":"Request too large for gpt-4o on tokens per min (TPM)","type":"tokens","code":"rate_limit_exceeded"}}"#;
        let table = [
            (400, r#"{"error":{"code":"context_length_exceeded"}}"#, Error::ContextTooLarge),
            (400, r#"{"error":{"code":400,"type":"exceed_context_size_error"}}"#, Error::ContextTooLarge),
            (400, full, Error::ContextTooLarge),
            (400, r#"{"error":"the input is too long for the context window"}"#, Error::ContextTooLarge),
            (400, r#"{"error":{"code":"invalid_prompt"}}"#, Error::Refused),
            (400, r#"{"error":{"code":"content_filter","status":400,"innererror":{}}}"#, Error::Refused),
            (403, flagged, Error::Refused),
            (400, temperature, Error::Unsupported { what: "a temperature, for this model" }),
            (400, r#"{"error":{"param":"moonrise","code":"unsupported_parameter"}}"#, Error::Rejected { status: 400 }),
            (
                400,
                r#"{"error":{"code":"tool_use_failed"}}"#,
                Error::Nonsense { what: "a call of a tool that the provider cannot read" },
            ),
            (429, r#"{"error":{"type":"insufficient_quota"}}"#, Error::Rejected { status: 429 }),
            (429, large, Error::Rejected { status: 429 }),
            (429, r#"{"error":{"type":"requests"}}"#, Error::RateLimited { retry_after: None }),
            (402, r#"{"error":{"message":"Insufficient Balance"}}"#, Error::Rejected { status: 402 }),
            (404, r#"{"error":"model 'x' not found"}"#, Error::Rejected { status: 404 }),
            (422, r#"{"detail":[{"type":"extra_forbidden"}]}"#, Error::Rejected { status: 422 }),
            (500, r#"{"error":{"code":"content_filter"}}"#, Error::Failed { status: 500, retry_after: None }),
            (
                503,
                r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
                Error::Failed { status: 503, retry_after: None },
            ),
            (401, "<html>", Error::KeyRejected { status: 401 }),
            (400, "[]", Error::Rejected { status: 400 }),
        ];
        for (status, body, expected) in table {
            assert_eq!(of(status, None, body.as_bytes()), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_failure_under_a_successful_status_brings_its_own() {
        let nonsense = Error::Nonsense { what: "an error under a successful status" };
        let table = [
            (r#"{"code":502,"message":"bad gateway"}"#, Error::Failed { status: 502, retry_after: None }),
            (r#"{"code":"429","message":"slow down"}"#, Error::RateLimited { retry_after: None }),
            (r#"{"status_code":503}"#, Error::Failed { status: 503, retry_after: None }),
            (r#"{"type":"server_error","code":null}"#, Error::Failed { status: 500, retry_after: None }),
            (r#"{"type":"overloaded_error"}"#, Error::Failed { status: 529, retry_after: None }),
            (r#"{"code":"insufficient_quota"}"#, Error::Rejected { status: 429 }),
            (r#"{"code":"content_filter"}"#, Error::Refused),
            (r#"{"code":"context_length_exceeded"}"#, Error::ContextTooLarge),
            ("{}", nonsense.clone()),
            (r#""something""#, nonsense.clone()),
            (r#"{"code":200}"#, nonsense),
        ];
        for (failure, expected) in table {
            assert_eq!(told(&serde_json::from_str(failure).expect("JSON")), expected, "{failure}");
        }
    }
}
