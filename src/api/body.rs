//! Requests as values: JSON bodies within their limit, queries, names in the path.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRef, FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::{CONTENT_LENGTH, EXPECT};
use axum::http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::{Answer, ApiError};
use super::fault::without_values;
use super::router::Shared;
use crate::domain::failure::Class;
use crate::protocol::page::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX};

/// The most of a body that is read only to be thrown away, in bytes.
const DISCARDED_BYTES_MAX: usize = 128 * 1024 * 1024;
/// How long that may take.
const DISCARDED_WITHIN: Duration = Duration::from_secs(10);
/// The longest that a request may wait for a task.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(600);

/// The longest body of a request, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimit(pub(super) usize);

impl FromRef<Shared> for BodyLimit {
    fn from_ref(rooms: &Shared) -> Self {
        Self(rooms.settings.body_bytes_max)
    }
}

/// A JSON body. Anything else, too much of it, and unknown fields are problems.
///
/// `Content-Type` is not looked at: every body of this API is JSON, and `curl -d` calls it a form.
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T>
where
    BodyLimit: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let BodyLimit(limit) = BodyLimit::from_ref(state);
        let bytes = read(request, limit).await?;
        from_json(&bytes).map(Self)
    }
}

/// A JSON body that may be left out.
pub(super) struct OptionalJson<T>(pub(super) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJson<T>
where
    BodyLimit: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let BodyLimit(limit) = BodyLimit::from_ref(state);
        let bytes = read(request, limit).await?;
        if bytes.is_empty() { Ok(Self(T::default())) } else { from_json(&bytes).map(Self) }
    }
}

fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Answer<T> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = T::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|fault| ApiError::malformed(format!("the body is not what is expected: {}", without_values(&fault))))
}

/// Reads a body that nobody wants, within reason: a client that is still sending when it is answered would see its connection
/// break instead of the answer.
pub(super) async fn discard(request: Request) {
    // Who waits to be told to go on sends nothing before that.
    if request.headers().contains_key(EXPECT) {
        return;
    }
    let (mut body, mut left) = (request.into_body(), DISCARDED_BYTES_MAX);
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, bytes::Bytes::len));
            if left == 0 {
                break;
            }
        }
    };
    // One that is longer, slower or broken is left to the connection's end.
    let _in_time = tokio::time::timeout(DISCARDED_WITHIN, reading).await.is_ok();
}

/// Reads a body within its limit.
pub(super) async fn read(request: Request, limit: usize) -> Answer<bytes::Bytes> {
    let too_large =
        || ApiError::new(Class::TooLarge, "body_too_large", format!("the body is longer than {limit} bytes"));
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        discard(request).await;
        return Err(too_large());
    }
    let body: Body = request.into_body();
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(fault) if fault.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(ApiError::malformed("the body ended before its announced length")),
    }
}

/// The query of a request; a parameter that cannot be read is a problem.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(fault) => Err(ApiError::malformed(format!("the query is not what is expected: {}", fault.body_text()))),
        }
    }
}

/// The name in the path, decoded. One that is no text names nothing.
pub(super) struct Segment(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(_) => Err(ApiError::not_found("resource")),
        }
    }
}

/// Two names in the path, decoded.
pub(super) struct Segments(pub(super) String, pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segments {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<(String, String)>::from_request_parts(parts, state).await {
            Ok(Path((first, second))) => Ok(Self(first, second)),
            Err(_) => Err(ApiError::not_found("resource")),
        }
    }
}

/// `?limit&after` of a list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// How many items, 1 to 1,000; 100 where it is not given.
    pub(super) limit: Option<usize>,
    /// What the previous page gave as `next`.
    pub(super) after: Option<String>,
}

impl PageQuery {
    pub(super) fn limit(&self) -> Answer<usize> {
        match self.limit {
            None => Ok(PAGE_ITEMS_DEFAULT),
            Some(limit @ 1..=PAGE_ITEMS_MAX) => Ok(limit),
            Some(_) => Err(ApiError::malformed(format!("limit is not between 1 and {PAGE_ITEMS_MAX}"))),
        }
    }

    pub(super) fn after<T: FromStr>(&self) -> Answer<Option<T>>
    where
        T::Err: Display,
    {
        self.after.as_deref().map(|after| parse("after", after)).transpose()
    }
}

/// `?wait=30s`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitQuery {
    /// How long to wait for the task's end: `500ms`, `30s`, `2m`, at most 10 minutes.
    pub(super) wait: Option<String>,
}

impl WaitQuery {
    pub(super) fn wait(&self) -> Answer<Duration> {
        let Some(text) = self.wait.as_deref() else { return Ok(Duration::ZERO) };
        // A bare number is seconds, as in most HTTP APIs.
        let seconds = || text.parse().map(Duration::from_secs).map_err(|_| ());
        let wait = humantime::parse_duration(text).or_else(|_| seconds());
        let wait = wait.map_err(|()| ApiError::malformed("wait is not a duration such as 30s"))?;
        Ok(wait.min(WAIT_MAX))
    }
}

/// Reads a field.
pub(super) fn parse<T: FromStr>(field: &str, text: &str) -> Answer<T>
where
    T::Err: Display,
{
    text.parse().map_err(|fault| ApiError::malformed(format!("{field}: {fault}")))
}

/// Reads an optional field.
pub(super) fn parse_some<T: FromStr>(field: &str, text: Option<&String>) -> Answer<Option<T>>
where
    T::Err: Display,
{
    text.map(|text| parse(field, text)).transpose()
}

/// Reads an identifier in the path; one that could not exist names nothing.
pub(super) fn id<T: FromStr>(what: &str, text: &str) -> Answer<T> {
    text.parse().map_err(|_| ApiError::not_found(what))
}
