//! A request as a value, and its answer.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER};
use hyper::http::response::Parts;
use hyper::{Method, Request, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Error;
use super::limits::WAIT_MAX;
use crate::protocol::problem::Problem;

/// One request. Most callers use the typed methods of [`super::Client`]; a load generator builds one and sends it often.
#[derive(Debug, Clone)]
pub struct Call {
    method: Method,
    path: String,
    body: Bytes,
    wait: Duration,
    idempotency_key: Option<String>,
}

impl Call {
    /// Asks for something.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path.into())
    }

    /// Asks for something to be done.
    #[must_use]
    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path.into())
    }

    /// Sets something.
    #[must_use]
    pub fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path.into())
    }

    /// Ends something.
    #[must_use]
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path.into())
    }

    fn new(method: Method, path: String) -> Self {
        Self { method, path, body: Bytes::new(), wait: Duration::ZERO, idempotency_key: None }
    }

    /// Sends this JSON document along.
    ///
    /// # Errors
    /// [`Error::Protocol`] where the value has no JSON form.
    pub fn json(mut self, body: &impl Serialize) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(body).map_err(|e| self.not_understood(format!("write the body: {e}")))?;
        self.body = bytes.into();
        Ok(self)
    }

    /// Asks the daemon to answer only when the work has ended, but after so long at the latest ([`WAIT_MAX`] at most).
    #[must_use]
    pub fn waiting(mut self, wait: Duration) -> Self {
        self.wait = wait.min(WAIT_MAX);
        if !self.wait.is_zero() {
            let sep = if self.path.contains('?') { '&' } else { '?' };
            self.path.push(sep);
            let _infallible = write!(self.path, "wait={}ms", self.wait.as_millis());
        }
        self
    }

    /// Gives the daemon so long to answer beyond what others are given, without telling it.
    #[must_use]
    pub(super) fn patiently(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Makes the request safe to repeat.
    #[must_use]
    pub fn idempotent(mut self, key: Option<&str>) -> Self {
        self.idempotency_key = key.map(str::to_owned);
        self
    }

    /// Appends `limit` and `after` of a list.
    #[must_use]
    pub fn page(mut self, limit: Option<usize>, after: Option<&str>) -> Self {
        let mut sep = '?';
        if let Some(limit) = limit {
            let _infallible = write!(self.path, "{sep}limit={limit}");
            sep = '&';
        }
        if let Some(after) = after {
            let _infallible = write!(self.path, "{sep}after={}", segment(after));
        }
        self
    }

    /// Appends a parameter to the query.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: &str) -> Self {
        let sep = if self.path.contains('?') { '&' } else { '?' };
        let _infallible = write!(self.path, "{sep}{name}={}", segment(value));
        self
    }

    /// Whether sending it twice does no more than sending it once.
    pub(super) fn repeatable(&self) -> bool {
        self.method != Method::POST || self.idempotency_key.is_some()
    }

    /// How long the daemon was asked to wait.
    pub(super) fn wait(&self) -> Duration {
        self.wait
    }

    /// The request in words, for messages.
    pub(super) fn doing(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{} {path}", self.method)
    }

    /// An [`Error::Protocol`] about this call.
    pub(super) fn not_understood(&self, reason: impl Into<String>) -> Error {
        Error::Protocol { doing: self.doing(), reason: reason.into() }
    }

    /// The HTTP request; `accept` is the media type that the answer should have.
    pub(super) fn request(&self, accept: &'static str) -> Result<Request<Full<Bytes>>, Error> {
        let mut builder = Request::builder()
            .method(self.method.clone())
            .uri(self.path.as_str())
            .header(HOST, HeaderValue::from_static("factoryd"))
            .header(ACCEPT, HeaderValue::from_static(accept));
        if !self.body.is_empty() {
            builder = builder.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(key) = &self.idempotency_key {
            builder = builder.header("idempotency-key", key.as_str());
        }
        builder.body(Full::new(self.body.clone())).map_err(|e| self.not_understood(format!("not a request: {e}")))
    }
}

/// A part of a path or query, percent-encoded.
pub(super) fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _infallible = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// An answer that was read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    status: StatusCode,
    retry_after: Option<Duration>,
    body: Bytes,
}

impl Answer {
    pub(super) fn new(head: &Parts, body: Bytes) -> Self {
        let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        Self { status: head.status, retry_after: retry_after.map(Duration::from_secs), body }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// The body, whatever it is.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Reads the body, of a success or of `also`, as the type that the call answers with.
    pub(super) fn read<T: DeserializeOwned>(&self, call: &Call, also: Option<StatusCode>) -> Result<T, Error> {
        if !self.status.is_success() && also != Some(self.status) {
            return Err(self.problem(call));
        }
        serde_json::from_slice(&self.body).map_err(|e| match also {
            // Where both are possible, what is not the expected document is a problem.
            Some(status) if status == self.status => self.problem(call),
            _ => call.not_understood(e.to_string()),
        })
    }

    /// Checks that it is a success and drops the body.
    pub(super) fn done(&self, call: &Call) -> Result<(), Error> {
        if self.status.is_success() { Ok(()) } else { Err(self.problem(call)) }
    }

    /// The error that a status beyond 299 is.
    pub(super) fn problem(&self, call: &Call) -> Error {
        match serde_json::from_slice::<Problem>(&self.body) {
            Ok(problem) => Error::Problem { problem: Box::new(problem), retry_after: self.retry_after },
            Err(_) => call.not_understood(format!("status {} without a problem document", self.status.as_u16())),
        }
    }
}
