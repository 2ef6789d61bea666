//! Every route, with the permission that it needs.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post, put};

use super::error::ApiError;
use super::rooms::Rooms;
use super::{agents, audit, budgets, compat, dlp, events, gate, openapi, status, tasks, templates, tree};
use crate::control_plane::access::Permission as P;
use crate::domain::failure::Class;

/// The rooms, shared by all requests.
pub(super) type Shared = Arc<Rooms>;

/// The version of the routes under `/factory`, told in every answer.
const API_VERSION: &str = "1";

/// Builds the router. A route without `guard` is public; there are three.
pub(super) fn build(rooms: &Shared) -> Router {
    let guard = |permission: P, route: MethodRouter<Shared>| {
        route.layer(from_fn_with_state((Arc::clone(rooms), permission), gate::pass))
    };
    let agents = guard(P::ManageAgents, post(agents::create)).merge(guard(P::ReadAgents, get(agents::list)));
    let agent = guard(P::ReadAgents, get(agents::show)).merge(guard(P::ManageAgents, delete(agents::stop)));
    let tasks = guard(P::SubmitTask, post(tasks::submit)).merge(guard(P::ReadTask, get(tasks::list)));
    let budget = guard(P::ReadBudgets, get(budgets::show)).merge(guard(P::SetBudgets, put(budgets::set)));
    Router::new()
        .route("/health", get(status::health))
        .route("/ready", get(status::ready))
        .route("/openapi.json", get(openapi::show))
        .route("/metrics", guard(P::ReadMetrics, get(status::prometheus)))
        .route("/factory/agents", agents)
        .route("/factory/agents/{id}", agent)
        .route("/factory/tasks", tasks)
        .route("/factory/tasks/{id}", guard(P::ReadTask, get(tasks::show)))
        .route("/factory/tasks/{id}/events", guard(P::ReadTask, get(tasks::events)))
        .route("/factory/tasks/{id}/cancel", guard(P::ControlTask, post(tasks::cancel)))
        .route("/factory/tasks/{id}/feedback", guard(P::GiveFeedback, post(tasks::feedback)))
        .route("/factory/templates", guard(P::ReadTemplates, get(templates::list)))
        .route("/factory/templates/{name}", guard(P::ReadTemplates, get(templates::show)))
        .route("/factory/templates/{name}/versions", guard(P::ReadTemplates, get(templates::versions)))
        .route("/factory/budgets", guard(P::ReadBudgets, get(budgets::list)))
        .route("/factory/budgets/{scope}", budget)
        .route("/factory/dlp/scan", guard(P::ScanText, post(dlp::scan)))
        .route("/factory/audit", guard(P::ReadAudit, get(audit::list)))
        .route("/factory/tree", guard(P::ReadTree, get(tree::show)))
        .route("/factory/events", guard(P::ReadEvents, get(events::follow)))
        .route("/factory/metrics", guard(P::ReadMetrics, get(status::metrics)))
        .route("/factory/create_agent", guard(P::ManageAgents, post(compat::create_agent)))
        .route("/factory/execute_task", guard(P::SubmitTask, post(compat::execute_task)))
        .fallback(no_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn(name_version))
        .with_state(Arc::clone(rooms))
}

async fn no_route() -> Response {
    ApiError::new(Class::NotFound, "route_not_found", "there is no such route; /openapi.json lists them")
        .into_response()
}

async fn wrong_method(method: Method) -> Response {
    ApiError::wrong_method(format!("{method} is not a method of this route; /openapi.json lists them")).into_response()
}

async fn name_version(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response
        .headers_mut()
        .insert(HeaderName::from_static("factory-api-version"), HeaderValue::from_static(API_VERSION));
    response
}
