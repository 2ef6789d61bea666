//! What an unsuccessful Chat Completions answer says beyond its status. Its words are looked at, never passed on.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::data_plane::provider::error::Error;
use crate::data_plane::provider::policy;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Body {
    error: Value,
    message: Value,
}

/// The failure that a status and its body tell.
pub(super) fn of(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Error {
    let plain = policy::by_status(status, retry_after);
    let Ok(body) = serde_json::from_slice::<Body>(body) else { return plain };
    let of = |name: &str| body.error.get(name).and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    let (code, kind) = (of("code"), of("type"));
    let top = body.message.as_str().or(body.error.as_str()).unwrap_or_default().to_ascii_lowercase();
    let message = format!("{} {top}", of("message"));
    let named = |names: &[&str]| names.iter().any(|name| code == *name || kind == *name);
    match status {
        // A spent account does not recover by waiting.
        429 if named(&["insufficient_quota", "billing_hard_limit_reached"]) => Error::Rejected { status },
        400..=499 if named(&["content_policy_violation", "content_filter", "invalid_prompt"]) => Error::Refused,
        400..=499 if named(&["context_length_exceeded", "exceed_context_size_error"]) => Error::ContextTooLarge,
        400 | 422 if message.contains("context length") || message.contains("context size") => Error::ContextTooLarge,
        _ => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_sharpen_a_status() {
        let full = r#"{"object":"error","message":"This model's maximum context length is 4096 tokens.","code":400}"#;
        let table = [
            (400, r#"{"error":{"code":"context_length_exceeded"}}"#, Error::ContextTooLarge),
            (400, r#"{"error":{"code":400,"type":"exceed_context_size_error"}}"#, Error::ContextTooLarge),
            (400, full, Error::ContextTooLarge),
            (400, r#"{"error":{"code":"invalid_prompt"}}"#, Error::Refused),
            (429, r#"{"error":{"type":"insufficient_quota"}}"#, Error::Rejected { status: 429 }),
            (429, r#"{"error":{"type":"requests"}}"#, Error::RateLimited { retry_after: None }),
            (404, r#"{"error":"model 'x' not found"}"#, Error::Rejected { status: 404 }),
            (500, r#"{"error":{"code":"content_filter"}}"#, Error::Failed { status: 500, retry_after: None }),
            (401, "<html>", Error::KeyRejected { status: 401 }),
            (400, "[]", Error::Rejected { status: 400 }),
        ];
        for (status, body, expected) in table {
            assert_eq!(of(status, None, body.as_bytes()), expected, "{status} {body}");
        }
    }
}
