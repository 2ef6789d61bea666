//! Failures as problems (RFC 9457). The only place that maps a class to a status.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::domain::failure::{Class, Failure, Retry};
use crate::protocol::problem::Problem;

/// What every unsuccessful request is answered with.
#[derive(Debug)]
pub(super) struct ApiError {
    class: Class,
    code: &'static str,
    detail: String,
    retry: Retry,
    reasons: Vec<String>,
    /// Where the class has no status of its own for what happened.
    status: Option<StatusCode>,
}

/// What a handler returns.
pub(super) type Answer<T> = Result<T, ApiError>;

impl ApiError {
    pub(super) fn new(class: Class, code: &'static str, detail: impl Into<String>) -> Self {
        Self { class, code, detail: detail.into(), retry: Retry::Never, reasons: Vec::new(), status: None }
    }

    /// The request cannot be understood.
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Class::Malformed, "malformed_request", detail)
    }

    /// There is no such thing, or it is another tenant's.
    pub(super) fn not_found(what: &str) -> Self {
        Self::new(Class::NotFound, "not_found", format!("there is no such {what}"))
    }

    /// The route exists, but not with this method.
    pub(super) fn wrong_method(detail: String) -> Self {
        let status = Some(StatusCode::METHOD_NOT_ALLOWED);
        Self { status, ..Self::new(Class::Malformed, "method_not_allowed", detail) }
    }

    fn status(&self) -> StatusCode {
        if let Some(status) = self.status {
            return status;
        }
        match self.class {
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

impl<F: Failure> From<F> for ApiError {
    fn from(failure: F) -> Self {
        if failure.class() == Class::Internal {
            // The caller is told only that much; the operator needs the rest.
            tracing::error!(error = %failure, code = failure.code(), "a request failed in the daemon");
        }
        Self {
            class: failure.class(),
            code: failure.code(),
            detail: failure.detail(),
            retry: failure.retry(),
            reasons: Vec::new(),
            status: None,
        }
    }
}

/// How long a caller waits before it tries again where the failure does not say.
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let problem = Problem {
            kind: format!("errors#{}", self.code),
            title: self.title().to_owned(),
            status: status.as_u16(),
            detail: self.detail,
            code: self.code.to_owned(),
            reasons: self.reasons,
        };
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let pause = match (self.retry, self.class) {
            (Retry::After(pause), _) => Some(pause),
            (Retry::Never, Class::Overload | Class::Unavailable) => Some(RETRY_AFTER_DEFAULT),
            (Retry::Never, _) => None,
        };
        if let Some(pause) = pause {
            let seconds = pause.as_secs_f64().ceil().max(1.0);
            if let Ok(value) = HeaderValue::from_str(&format!("{seconds:.0}")) {
                headers.insert(header::RETRY_AFTER, value);
            }
        }
        response
    }
}
