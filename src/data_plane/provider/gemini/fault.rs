//! What an unsuccessful answer says beyond its status, as `google.rpc.Status`. Its words are looked at, never passed on.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::data_plane::provider::error::Error;
use crate::data_plane::provider::policy;

/// The longest pause that a failure may ask for; a longer wish counts as this.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(60 * 60);

#[derive(Deserialize, Default)]
#[serde(default)]
struct Told {
    code: Option<u16>,
    message: String,
    status: String,
    #[serde(deserialize_with = "understood")]
    details: Vec<Detail>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Detail {
    retry_delay: Option<String>,
    reason: Option<String>,
    violations: Vec<Violation>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Violation {
    quota_id: Option<String>,
}

/// The failure that a status and its body tell. A stream's failure may stand in a list of one.
pub(super) fn of(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Error {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let body = body.get(0).unwrap_or(&body);
    sharpened(status, retry_after, &read(body.get("error").unwrap_or(&Value::Null)))
}

/// The failure that is told under a successful status; none where it is of no kind that the format knows.
pub(super) fn told(failure: &Value) -> Option<Error> {
    let told = read(failure);
    let status = told.code.filter(|code| (400..600).contains(code)).or_else(|| status_of(&told.status))?;
    Some(sharpened(status, None, &told))
}

/// The details that are as they should be; others take nothing from the rest of the failure.
fn understood<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Detail>, D::Error> {
    let details = Value::deserialize(deserializer)?;
    let details = details.as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(details.iter().filter_map(|detail| Detail::deserialize(detail).ok()).collect())
}

fn read(failure: &Value) -> Told {
    Told::deserialize(failure).unwrap_or_default()
}

/// The HTTP status that goes with a status of `google.rpc.Code`.
fn status_of(status: &str) -> Option<u16> {
    let status = match status {
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" => 400,
        "UNAUTHENTICATED" => 401,
        "PERMISSION_DENIED" => 403,
        "NOT_FOUND" => 404,
        "RESOURCE_EXHAUSTED" => 429,
        "UNAVAILABLE" => 503,
        "DEADLINE_EXCEEDED" => 504,
        "INTERNAL" | "UNKNOWN" | "DATA_LOSS" | "ABORTED" => 500,
        _ => return None,
    };
    Some(status)
}

fn sharpened(status: u16, retry_after: Option<Duration>, told: &Told) -> Error {
    let delay = told.details.iter().find_map(|detail| seconds(detail.retry_delay.as_deref()?));
    let plain = policy::by_status(status, retry_after.or(delay));
    let message = told.message.to_ascii_lowercase();
    let reason = |wanted: &str| told.details.iter().any(|detail| detail.reason.as_deref() == Some(wanted));
    match status {
        // A day's share does not come back while a task waits.
        429 if is_spent_for_the_day(told) => Error::Rejected { status },
        // A wrong key is answered as a wrong argument is; it is told as what it is.
        400 if reason("API_KEY_INVALID") || message.contains("api key not valid") => policy::by_status(401, None),
        400 if message.contains("exceeds the maximum number of tokens") => Error::ContextTooLarge,
        400 if message.contains("request payload size exceeds the limit") => Error::ContextTooLarge,
        _ => plain,
    }
}

fn is_spent_for_the_day(told: &Told) -> bool {
    let violations = told.details.iter().flat_map(|detail| &detail.violations);
    violations.filter_map(|violation| violation.quota_id.as_deref()).any(|id| id.contains("PerDay"))
}

/// A duration as protocol buffers write it: `22.5s`.
fn seconds(text: &str) -> Option<Duration> {
    let seconds = text.strip_suffix('s')?.parse::<f64>().ok()?;
    (seconds >= 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(RETRY_DELAY_MAX).min(RETRY_DELAY_MAX))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(code: u16, status: &str, message: &str, details: &Value) -> Value {
        json!({"error": {"code": code, "message": message, "status": status, "details": details}})
    }

    #[test]
    fn known_words_sharpen_a_status() {
        let retry = json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "22.5s"}]);
        let quota = |id: &str| {
            json!([
                {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": id}]},
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3s"}
            ])
        };
        let key = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]);
        let none = json!([]);
        let limited = |millis| Error::RateLimited { retry_after: Some(Duration::from_millis(millis)) };
        let table = [
            (body(429, "RESOURCE_EXHAUSTED", "slow down", &retry), limited(22_500)),
            (body(429, "RESOURCE_EXHAUSTED", "", &quota("GenerateRequestsPerMinutePerProject")), limited(3_000)),
            (
                body(429, "RESOURCE_EXHAUSTED", "", &quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier")),
                Error::Rejected { status: 429 },
            ),
            (
                body(
                    400,
                    "INVALID_ARGUMENT",
                    "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).",
                    &none,
                ),
                Error::ContextTooLarge,
            ),
            (body(400, "INVALID_ARGUMENT", "API key not valid.", &key), policy::by_status(401, None)),
            (body(400, "FAILED_PRECONDITION", "billing", &none), Error::Rejected { status: 400 }),
            (body(403, "PERMISSION_DENIED", "", &none), policy::by_status(403, None)),
            (
                body(503, "UNAVAILABLE", "The model is overloaded.", &none),
                Error::Failed { status: 503, retry_after: None },
            ),
            (body(500, "INTERNAL", "", &json!("odd")), Error::Failed { status: 500, retry_after: None }),
        ];
        for (body, expected) in table {
            let status = u16::try_from(body["error"]["code"].as_u64().expect("a code")).expect("a status");
            assert_eq!(of(status, None, body.to_string().as_bytes()), expected, "{body}");
            assert_eq!(of(status, None, json!([body]).to_string().as_bytes()), expected, "{body}");
            assert_eq!(told(&body["error"]), Some(expected), "{body}");
        }
        assert_eq!(of(502, None, b"<html>"), Error::Failed { status: 502, retry_after: None });
        let header = Some(Duration::from_secs(7));
        assert_eq!(of(429, header, b""), Error::RateLimited { retry_after: header });
    }

    #[test]
    fn a_failure_without_a_code_has_that_of_its_status() {
        for (status, expected) in [
            ("UNAVAILABLE", Error::Failed { status: 503, retry_after: None }),
            ("RESOURCE_EXHAUSTED", Error::RateLimited { retry_after: None }),
            ("UNAUTHENTICATED", policy::by_status(401, None)),
        ] {
            assert_eq!(told(&json!({"status": status})), Some(expected), "{status}");
        }
        for odd in [json!("oops"), json!({"status": "OF_TOMORROW"}), json!({"code": null, "type": "server_error"})] {
            assert_eq!(told(&odd), None, "{odd}");
        }
    }

    #[test]
    fn pauses_are_read_and_bounded() {
        let table = [
            ("22s", Some(22_000)),
            ("0.5s", Some(500)),
            ("1e300s", Some(3_600_000)),
            ("-1s", None),
            ("5", None),
            ("NaNs", None),
        ];
        for (text, millis) in table {
            assert_eq!(seconds(text), millis.map(Duration::from_millis), "{text}");
        }
    }
}
