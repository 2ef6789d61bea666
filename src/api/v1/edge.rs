//! Failures in the words of the API that the client speaks, whoever they come from.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use serde::Serialize;

use crate::api::error::Told;
use crate::domain::failure::Class;

/// What tells the official clients whether to try again by themselves.
pub(super) const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// The task that a request became.
pub(super) const TASK_ID: HeaderName = HeaderName::from_static("factory-task-id");
/// What it cost.
pub(super) const COST: HeaderName = HeaderName::from_static("factory-cost-usd");
/// Which requests of Anthropic's clients have.
const ANTHROPIC_VERSION: &str = "anthropic-version";

/// Whose words a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Dialect {
    OpenAi,
    Anthropic,
}

impl Dialect {
    /// The dialect of a request for this path; none where it is for the control API.
    pub(in crate::api) fn of(uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        let path = uri.path();
        let rest = path.strip_prefix("/v1").filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        let is_anthropic = rest.starts_with("/messages") || headers.contains_key(ANTHROPIC_VERSION);
        Some(if is_anthropic && !rest.starts_with("/chat") { Self::Anthropic } else { Self::OpenAi })
    }

    /// A failure as this API's clients know it; `task` is the one that failed, where one did.
    pub(super) fn error(self, told: &Told, task: Option<&str>) -> String {
        match self {
            Self::OpenAi => json(&openai(told)),
            Self::Anthropic => json(&anthropic(told, task)),
        }
    }
}

/// Tells a failure in the words of the client's API; other answers stay as they are.
pub(in crate::api) fn spoken(dialect: Dialect, mut response: Response) -> Response {
    let Some(told) = response.extensions_mut().remove::<Told>() else { return response };
    let task = response.headers().get(TASK_ID).and_then(|task| task.to_str().ok()).map(ToOwned::to_owned);
    let asks_for_patience =
        [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&response.status());
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if !headers.contains_key(header::RETRY_AFTER) && !headers.contains_key(SHOULD_RETRY) {
        // Clients try a 409 or a 5xx again by themselves. Without a word of when, it would be for nothing.
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    if asks_for_patience && !headers.contains_key(header::RETRY_AFTER) {
        // Whoever tries again all the same is told when that may help, as with each 429 and 503.
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    *response.body_mut() = Body::from(dialect.error(&told, task.as_deref()));
    response
}

/// Sets a header; a value that cannot be in one is left out.
pub(super) fn insert(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

pub(super) fn json(value: &impl Serialize) -> String {
    // Writing text into memory has no way to fail.
    serde_json::to_string(value).unwrap_or_default()
}

#[derive(Serialize)]
struct OpenAiError<'a> {
    error: OpenAiFault<'a>,
}

#[derive(Serialize)]
struct OpenAiFault<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'a str>,
    code: &'a str,
}

fn openai(told: &Told) -> OpenAiError<'_> {
    let kind = match told.class {
        Class::Malformed | Class::NotFound | Class::Conflict | Class::TooLarge | Class::Refused => {
            "invalid_request_error"
        }
        Class::Unauthenticated => "authentication_error",
        Class::Forbidden => "permission_error",
        Class::Budget => "insufficient_quota",
        Class::Overload => "rate_limit_error",
        Class::Unavailable | Class::Upstream | Class::Internal => "server_error",
    };
    let (message, code) = (told.problem.detail.as_str(), told.problem.code.as_str());
    OpenAiError { error: OpenAiFault { message, kind, param: told.parameter.as_deref(), code } }
}

#[derive(Serialize)]
struct AnthropicError<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: AnthropicFault<'a>,
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct AnthropicFault<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message: &'a str,
    param: Option<&'a str>,
    code: &'a str,
}

fn anthropic<'a>(told: &'a Told, task: Option<&'a str>) -> AnthropicError<'a> {
    let kind = match told.class {
        Class::Malformed | Class::Conflict | Class::Refused => "invalid_request_error",
        Class::Unauthenticated => "authentication_error",
        Class::Forbidden => "permission_error",
        Class::NotFound => "not_found_error",
        Class::TooLarge => "request_too_large",
        Class::Budget => "billing_error",
        Class::Overload => "rate_limit_error",
        Class::Unavailable => "overloaded_error",
        Class::Upstream | Class::Internal => "api_error",
    };
    let (message, code) = (told.problem.detail.as_str(), told.problem.code.as_str());
    let error = AnthropicFault { kind, message, param: told.parameter.as_deref(), code };
    AnthropicError { kind: "error", error, request_id: task }
}
