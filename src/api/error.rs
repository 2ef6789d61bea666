//! Failures as problems (RFC 9457). The only place that maps a class to a status.

use std::borrow::Cow;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::domain::failure::{Class, Failure, Retry};
use crate::protocol::problem::Problem;

/// The media type of a problem.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// What every unsuccessful request is answered with.
#[derive(Debug)]
pub(super) struct ApiError {
    class: Class,
    status: StatusCode,
    code: Cow<'static, str>,
    detail: String,
    /// After how long it may be tried again, where that may help.
    pause: Option<Duration>,
    reasons: Vec<String>,
    parameter: Option<String>,
}

/// What an answer tells of a failure, for an edge that tells it in another form; it travels with the answer.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// What the failure is to the caller.
    pub(super) class: Class,
    /// Everything that is told.
    pub(super) problem: Problem,
    /// The parameter of the request that it is about, where it is about one.
    pub(super) parameter: Option<String>,
}

/// What a handler returns.
pub(super) type Answer<T> = Result<T, ApiError>;

impl ApiError {
    pub(super) fn new(class: Class, code: &'static str, detail: impl Into<String>) -> Self {
        let (status, pause) = (status(class), pause(Retry::Never, class));
        let code = Cow::Borrowed(code);
        Self { class, status, code, detail: detail.into(), pause, reasons: Vec::new(), parameter: None }
    }

    /// The work that was asked for was done and came to nothing, under a code of its own. Asking again does all of it anew, and
    /// pays for it again: nobody is invited to.
    pub(super) fn ended(class: Class, code: String, detail: String) -> Self {
        let (status, code) = (status(class), Cow::Owned(code));
        Self { class, status, code, detail, pause: None, reasons: Vec::new(), parameter: None }
    }

    /// The same about one parameter of the request.
    pub(super) fn about(self, parameter: impl Into<String>) -> Self {
        Self { parameter: Some(parameter.into()), ..self }
    }

    /// The same with a status of its own, where HTTP has one that says more than the class.
    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The request cannot be understood.
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Class::Malformed, "malformed_request", detail)
    }

    /// There is no such thing, or it is another tenant's.
    pub(super) fn not_found(what: &str) -> Self {
        Self::new(Class::NotFound, "not_found", format!("there is no such {what}"))
    }

    /// What it is to the caller.
    pub(super) fn class(&self) -> Class {
        self.class
    }

    /// Its code.
    pub(super) fn code(&self) -> &str {
        &self.code
    }

    /// What is told of it.
    pub(super) fn told(self) -> Told {
        let problem = Problem {
            kind: format!("errors#{}", self.code),
            title: self.title().to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            code: self.code.into_owned(),
            reasons: self.reasons,
        };
        Told { class: self.class, problem, parameter: self.parameter }
    }

    fn title(&self) -> &'static str {
        match self.class {
            Class::Malformed => "The request cannot be understood",
            Class::Unauthenticated => "The caller is not known",
            Class::Forbidden => "The caller may not do this",
            Class::NotFound => "There is no such thing",
            Class::Conflict => "It contradicts what is already so",
            Class::TooLarge => "It exceeds a limit on size",
            Class::Refused => "A rule says no",
            Class::Budget => "The budget does not allow it",
            Class::Overload => "Too much at once",
            Class::Unavailable => "A part that is needed is not there now",
            Class::Upstream => "A provider failed",
            Class::Internal => "Something failed in the daemon",
        }
    }
}

fn status(class: Class) -> StatusCode {
    match class {
        Class::Malformed => StatusCode::BAD_REQUEST,
        Class::Unauthenticated => StatusCode::UNAUTHORIZED,
        Class::Forbidden => StatusCode::FORBIDDEN,
        Class::NotFound => StatusCode::NOT_FOUND,
        Class::Conflict => StatusCode::CONFLICT,
        Class::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Class::Refused => StatusCode::UNPROCESSABLE_ENTITY,
        Class::Budget => StatusCode::PAYMENT_REQUIRED,
        Class::Overload => StatusCode::TOO_MANY_REQUESTS,
        Class::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Class::Upstream => StatusCode::BAD_GATEWAY,
        Class::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn pause(retry: Retry, class: Class) -> Option<Duration> {
    match (retry, class) {
        (Retry::After(pause), _) => Some(pause),
        (Retry::Never, Class::Overload | Class::Unavailable) => Some(RETRY_AFTER_DEFAULT),
        (Retry::Never, _) => None,
    }
}

impl<F: Failure> From<F> for ApiError {
    fn from(failure: F) -> Self {
        if failure.class() == Class::Internal {
            // The caller is told only that much; the operator needs the rest.
            tracing::error!(error = %failure, code = failure.code(), "a request failed in the daemon");
        }
        Self {
            class: failure.class(),
            status: status(failure.class()),
            code: Cow::Borrowed(failure.code()),
            detail: failure.detail(),
            pause: pause(failure.retry(), failure.class()),
            reasons: Vec::new(),
            parameter: None,
        }
    }
}

/// How long a caller waits before it tries again where the failure does not say.
pub(super) const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, pause) = (self.status, self.pause);
        let told = self.told();
        let mut response = (status, Json(&told.problem)).into_response();
        response.extensions_mut().insert(told);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(pause) = pause {
            headers.insert(header::RETRY_AFTER, seconds(pause));
        }
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110, section 15.5.2: a 401 says how one may say who one is.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// A pause as `Retry-After` says it: in whole seconds, at least one (RFC 9110, section 10.2.3).
pub(super) fn seconds(pause: Duration) -> HeaderValue {
    let begun = u64::from(pause.subsec_nanos() > 0);
    HeaderValue::from(pause.as_secs().saturating_add(begun).max(1))
}

#[cfg(test)]
pub(super) mod tests {
    use axum::body::to_bytes;

    use super::*;

    /// The problem of an answer, once it is seen that head and body agree.
    pub(in crate::api) async fn problem(response: Response) -> Problem {
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 16).await.expect("a body");
        let problem: Problem = serde_json::from_slice(&body).expect("a problem");
        assert_eq!(problem.status, status.as_u16());
        problem
    }

    #[tokio::test]
    async fn a_status_of_its_own_is_told_in_head_and_body() {
        let error = ApiError::malformed("no").with_status(StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(problem(error.into_response()).await.status, 405);
    }

    #[test]
    fn what_passes_says_when_to_try_again() {
        let retry = |retry, class| {
            let error = ApiError { pause: pause(retry, class), ..ApiError::new(class, "code", "detail") };
            let response = error.into_response();
            response.headers().get(header::RETRY_AFTER).map(|value| value.to_str().expect("ASCII").to_owned())
        };
        let after = |milliseconds| Retry::After(Duration::from_millis(milliseconds));
        for (given, class, told) in [
            (Retry::Never, Class::Overload, Some("1")),
            (Retry::Never, Class::Unavailable, Some("1")),
            (Retry::Never, Class::Refused, None),
            (Retry::Never, Class::Internal, None),
            (after(0), Class::Overload, Some("1")),
            (after(2_001), Class::Unavailable, Some("3")),
            (after(5_000), Class::Upstream, Some("5")),
        ] {
            assert_eq!(retry(given, class).as_deref(), told, "{given:?} {class:?}");
        }
    }
}
