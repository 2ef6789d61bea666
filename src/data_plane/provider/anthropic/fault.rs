//! What an unsuccessful Messages answer says beyond its status. Its words are looked at, never passed on.

use std::time::Duration;

use serde::Deserialize;

use crate::data_plane::provider::error::Error;
use crate::data_plane::provider::policy;

/// What models of today refuse of what older ones take, and the words by which they do.
const REFUSED: [(&str, &str); 6] = [
    ("prefill", "an answer that is begun by the caller"),
    ("temperature", "a temperature, for this model"),
    ("top_p", "a top_p, for this model"),
    ("top_k", "a top_k, for this model"),
    ("effort", "a reasoning effort, for this model"),
    ("output_config", "an answer of a schema, for this model"),
];

#[derive(Deserialize, Default)]
#[serde(default)]
struct Body {
    error: Told,
}

/// A failure's own words.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Told {
    #[serde(rename = "type")]
    kind: String,
    message: String,
}

/// The failure that a status and its body tell.
pub(super) fn of(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Error {
    let told = serde_json::from_slice::<Body>(body).unwrap_or_default().error;
    sharpened(status, retry_after, &told)
}

/// The failure that is told under a successful status; none where it is of no kind that the format knows.
pub(super) fn told(told: &Told) -> Option<Error> {
    status_of(&told.kind).map(|status| sharpened(status, None, told))
}

/// The status that goes with a kind of failure.
fn status_of(kind: &str) -> Option<u16> {
    let status = match kind {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "conflict_error" => 409,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        "api_error" => 500,
        _ => return None,
    };
    Some(status)
}

fn sharpened(status: u16, retry_after: Option<Duration>, told: &Told) -> Error {
    let plain = policy::by_status(status, retry_after);
    if status != 400 {
        return plain;
    }
    let message = told.message.to_ascii_lowercase();
    let says = |words: &str| message.contains(words);
    if says("prompt is too long") || says("exceed context limit") || says("context window") {
        return Error::ContextTooLarge;
    }
    if says("content filtering policy") {
        return Error::Refused;
    }
    let refuses =
        says("not support") || says("deprecated") || says("cannot both be specified") || says("not permitted");
    match REFUSED.into_iter().find(|(word, _)| refuses && says(word)) {
        Some((_, what)) => Error::Unsupported { what },
        None => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(kind: &str, message: &str) -> String {
        serde_json::json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"})
            .to_string()
    }

    #[test]
    fn known_words_sharpen_a_status() {
        let invalid = |message: &str| (400, body("invalid_request_error", message));
        let pause = Some(Duration::from_secs(9));
        let table = [
            (invalid("prompt is too long: 205351 tokens > 200000 maximum"), Error::ContextTooLarge),
            (
                invalid("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"),
                Error::ContextTooLarge,
            ),
            ((413, body("request_too_large", "Request exceeds the maximum size")), Error::ContextTooLarge),
            (invalid("Output blocked by content filtering policy"), Error::Refused),
            (
                invalid("`temperature` is deprecated for this model."),
                Error::Unsupported { what: "a temperature, for this model" },
            ),
            (
                invalid("This model does not support assistant message prefill."),
                Error::Unsupported { what: "an answer that is begun by the caller" },
            ),
            (invalid("messages: at least one message is required"), Error::Rejected { status: 400 }),
            (invalid("tools.0.name: temperature"), Error::Rejected { status: 400 }),
            ((401, body("authentication_error", "invalid x-api-key")), Error::KeyRejected { status: 401 }),
            ((402, body("billing_error", "no credit")), Error::Rejected { status: 402 }),
            ((404, body("not_found_error", "model: claude-0")), Error::Rejected { status: 404 }),
            ((429, body("rate_limit_error", "slow down")), Error::RateLimited { retry_after: pause }),
            ((500, body("api_error", "oops")), Error::Failed { status: 500, retry_after: pause }),
            ((529, body("overloaded_error", "Overloaded")), Error::Failed { status: 529, retry_after: pause }),
            ((502, "<html>".to_owned()), Error::Failed { status: 502, retry_after: pause }),
            ((400, "[1]".to_owned()), Error::Rejected { status: 400 }),
        ];
        for ((status, body), expected) in table {
            assert_eq!(of(status, pause, body.as_bytes()), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_failure_without_a_status_has_that_of_its_kind() {
        let table = [
            ("overloaded_error", Error::Failed { status: 529, retry_after: None }),
            ("rate_limit_error", Error::RateLimited { retry_after: None }),
            ("timeout_error", Error::Failed { status: 504, retry_after: None }),
            ("api_error", Error::Failed { status: 500, retry_after: None }),
            ("authentication_error", policy::by_status(401, None)),
            ("permission_error", policy::by_status(403, None)),
        ];
        let of_kind = |kind: &str| told(&Told { kind: kind.to_owned(), message: String::new() });
        for (kind, expected) in table {
            assert_eq!(of_kind(kind), Some(expected), "{kind}");
        }
        assert_eq!(of_kind("of_tomorrow"), None);
    }
}
