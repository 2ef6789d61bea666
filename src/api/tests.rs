//! What every request meets before and after its handler: routes, methods, names in the path, queries, bodies.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::FromRef;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::Value;
use tower::ServiceExt;

use super::body::{BodyLimit, JsonBody, PageQuery, Parameters, Segment};
use super::error::tests::problem;
use super::gate::Caller;
use super::router;
use crate::config::settings::{Rate, Role};
use crate::control_plane::access::{Peer, Principal, Via};

/// A caller, of one tenant or of all.
pub(super) fn caller(tenant: Option<&str>) -> Caller {
    Caller(Arc::new(Principal {
        name: "ann".into(),
        user: None,
        role: Role::Submitter,
        tenant: tenant.map(|tenant| tenant.parse().expect("a tenant")),
        rate: Rate::Default,
        via: Via::Peer(Peer { uid: 1000, gid: 1000, pid: None }),
    }))
}

#[derive(Clone)]
struct Limits;

impl FromRef<Limits> for BodyLimit {
    fn from_ref(_: &Limits) -> Self {
        Self(32)
    }
}

/// A router with the edges of the real one.
pub(super) fn edge() -> Router {
    let things = get(|Parameters(page): Parameters<PageQuery>| async move { format!("{:?}", page.limit) })
        .post(|JsonBody(body): JsonBody<Value>| async move { body.to_string() });
    let router = Router::new()
        .route("/things", things)
        .route("/things/{id}", get(|Segment(id): Segment| async move { id }))
        .route("/unguarded", post(|caller: Caller| async move { caller.0.name.to_string() }));
    router::edged(router).with_state(Limits)
}

async fn ask(method: Method, path: &str) -> Response {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("a request");
    edge().oneshot(request).await.expect("an answer")
}

async fn send(content_type: Option<&str>, body: impl Into<Body>) -> Response {
    let request = Request::post("/things");
    let request = content_type.into_iter().fold(request, |request, kind| request.header(header::CONTENT_TYPE, kind));
    edge().oneshot(request.body(body.into()).expect("a request")).await.expect("an answer")
}

#[tokio::test]
async fn every_way_to_ask_wrongly_is_answered_with_a_problem() {
    for (method, path, status, code) in [
        (Method::GET, "/nothing", 404, "route_not_found"),
        (Method::GET, "/", 404, "route_not_found"),
        (Method::GET, "/things/", 404, "route_not_found"),
        (Method::GET, "/things/one/", 404, "route_not_found"),
        (Method::GET, "/things//", 404, "route_not_found"),
        (Method::GET, "/things/%ff", 404, "not_found"),
        (Method::GET, "/things/a%c3", 404, "not_found"),
        (Method::GET, "/things?limit=many", 400, "malformed_request"),
        (Method::GET, "/things?limit=1&limit=2", 400, "malformed_request"),
        (Method::GET, "/things?surprise=1", 400, "malformed_request"),
        (Method::DELETE, "/things", 405, "method_not_allowed"),
        (Method::OPTIONS, "/things/one", 405, "method_not_allowed"),
        (Method::POST, "/unguarded", 500, "caller_unknown"),
    ] {
        let answer = ask(method.clone(), path).await;
        assert_eq!(answer.headers()["factory-api-version"], "1");
        assert_eq!(answer.status(), status, "{method} {path}");
        assert_eq!(problem(answer).await.code, code, "{method} {path}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    for (method, path, allowed) in [
        (Method::PUT, "/things", vec!["GET", "HEAD", "POST"]),
        (Method::POST, "/things/one", vec!["GET", "HEAD"]),
        (Method::HEAD, "/unguarded", vec!["POST"]),
    ] {
        let answer = ask(method, path).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        let mut told: Vec<_> = answer.headers()[header::ALLOW].to_str().expect("ASCII").split(',').collect();
        told.sort_unstable();
        assert_eq!(told, allowed, "{path}");
    }
}

#[tokio::test]
async fn head_is_answered_as_get_without_a_body() {
    for (path, status) in [("/things/one", 200), ("/things/%ff", 404), ("/nothing", 404)] {
        let (got, answer) = (ask(Method::GET, path).await, ask(Method::HEAD, path).await);
        assert_eq!((answer.status().as_u16(), got.status()), (status, answer.status()));
        assert_eq!(answer.headers().get(header::CONTENT_TYPE), got.headers().get(header::CONTENT_TYPE));
        let body = axum::body::to_bytes(answer.into_body(), 1 << 16).await.expect("a body");
        assert!(body.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_body_is_read_as_json_whatever_its_content_type_says() {
    for kind in [None, Some("application/json"), Some("application/x-www-form-urlencoded"), Some("text/plain")] {
        assert_eq!(send(kind, r#"{"a": 1}"#).await.status(), 200, "{kind:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_or_too_long_is_a_problem() {
    let json = Some("application/json");
    for body in ["", "{", "{} {}", "a=1", "\u{feff}{}"] {
        assert_eq!(problem(send(json, body).await).await.code, "malformed_request", "{body:?}");
    }
    assert_eq!(send(json, format!("\"{}\"", "x".repeat(30))).await.status(), 200);
    let long = format!("\"{}\"", "x".repeat(31));
    assert_eq!(problem(send(json, long.clone()).await).await.code, "body_too_large");
    // Nothing announces the length of a stream.
    let parts = futures::stream::iter([Ok::<_, std::io::Error>(long.clone()), Ok(long)]);
    let answer = send(json, Body::from_stream(parts)).await;
    assert_eq!(problem(answer).await.status, 413);
    let announced = Request::post("/things").header(header::CONTENT_LENGTH, "33").body(Body::empty());
    let answer = edge().oneshot(announced.expect("a request")).await.expect("an answer");
    assert_eq!(problem(answer).await.status, 413);
}
