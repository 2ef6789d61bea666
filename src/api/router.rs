//! Every route, with the permission that it needs.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{self, MethodRouter};

use super::error::ApiError;
use super::rooms::Rooms;
use super::{
    agents, audit, backup, body, budgets, chaos, compat, decisions, dlp, encryption, erasures, events, experiments,
    export, gate, openapi, policy, spending, status, tasks, templates, tree, v1, versions,
};
use crate::control_plane::access::Permission as P;
use crate::domain::failure::Class;

/// The rooms, shared by all requests.
pub(super) type Shared = Arc<Rooms>;

/// The version of the routes under `/factory`, told in every answer.
const API_VERSION: &str = "1";

/// Builds the router.
pub(super) fn build(rooms: &Shared) -> Router {
    let add = |router: Router<Shared>, route: Route| {
        tracing::debug!(method = %route.method, path = route.path, needs = ?route.permission, "a route is served");
        router.route(route.path, route.guarded(rooms))
    };
    edged(table().into_iter().fold(Router::new(), add)).with_state(Arc::clone(rooms))
}

/// Every route. One without `needs` is public.
pub(super) fn table() -> Vec<Route> {
    let public = [get("/health", status::health), get("/ready", status::ready), get("/openapi.json", openapi::show)];
    public.into_iter().chain(guarded()).collect()
}

/// Those that need a permission.
fn guarded() -> Vec<Route> {
    vec![
        get("/metrics", status::prometheus).needs(P::ReadMetrics),
        post("/factory/agents", agents::create).needs(P::ManageAgents),
        get("/factory/agents", agents::list).needs(P::ReadAgents),
        get("/factory/agents/{id}", agents::show).needs(P::ReadAgents),
        delete("/factory/agents/{id}", agents::stop).needs(P::ManageAgents),
        post("/factory/agents/{id}/release", agents::release).needs(P::ManageAgents),
        post("/factory/tasks", tasks::submit).needs(P::SubmitTask),
        get("/factory/tasks", tasks::list).needs(P::ReadTask),
        get("/factory/tasks/{id}", tasks::show).needs(P::ReadTask),
        get("/factory/tasks/{id}/events", tasks::events).needs(P::ReadTask),
        post("/factory/tasks/{id}/cancel", tasks::cancel).needs(P::ControlTask),
        post("/factory/tasks/{id}/approve", decisions::approve).needs(P::DecideTask),
        post("/factory/tasks/{id}/reject", decisions::reject).needs(P::DecideTask),
        post("/factory/tasks/{id}/retry", decisions::retry).needs(P::ControlTask),
        post("/factory/tasks/{id}/signals/{name}", decisions::signal).needs(P::ControlTask),
        post("/factory/tasks/{id}/feedback", tasks::feedback).needs(P::GiveFeedback),
        get("/factory/templates", templates::list).needs(P::ReadTemplates),
        // Before the names in the table and in the router: no template may be called so.
        get("/factory/templates/schema", templates::schema).needs(P::ReadTemplates),
        get("/factory/templates/{name}", templates::show).needs(P::ReadTemplates),
        get("/factory/templates/{name}/versions", versions::list).needs(P::ReadTemplates),
        get("/factory/templates/{name}/diff", versions::diff).needs(P::ReadTemplates),
        post("/factory/templates/{name}/rollback", versions::roll_back).needs(P::ManageTemplates),
        delete("/factory/templates/{name}/rollback", versions::lift).needs(P::ManageTemplates),
        post("/factory/templates/{name}/experiment", experiments::start).needs(P::ManageTemplates),
        get("/factory/templates/{name}/experiment", experiments::show).needs(P::ReadMetrics),
        delete("/factory/templates/{name}/experiment", experiments::end).needs(P::ManageTemplates),
        get("/factory/policy", policy::show).needs(P::ReadPolicy),
        get("/factory/budgets", budgets::list).needs(P::ReadBudgets),
        // Before the scopes in the table and in the router: none is called so.
        get("/factory/budgets/reservations", spending::reservations).needs(P::ReadBudgets),
        get("/factory/budgets/doubts", spending::doubts).needs(P::ReadBudgets),
        post("/factory/budgets/reconcile", spending::reconcile).needs(P::SetBudgets),
        get("/factory/budgets/{scope}/history", spending::history).needs(P::ReadBudgets),
        get("/factory/budgets/{scope}", budgets::show).needs(P::ReadBudgets),
        put("/factory/budgets/{scope}", budgets::set).needs(P::SetBudgets),
        delete("/factory/budgets/{scope}", budgets::unset).needs(P::SetBudgets),
        post("/factory/dlp/scan", dlp::scan).needs(P::ScanText),
        get("/factory/dlp/rules", dlp::rules).needs(P::ReadPolicy),
        get("/factory/audit", audit::list).needs(P::ReadAudit),
        get("/factory/audit/export", audit::export).needs(P::ReadAudit),
        get("/factory/audit/checkpoint", audit::checkpoint).needs(P::ReadAudit),
        get("/factory/audit/proof", audit::proof).needs(P::ReadAudit),
        get("/factory/audit/verify", audit::verify).needs(P::ReadAudit),
        get("/factory/audit/key", audit::key).needs(P::ReadAudit),
        get("/factory/encryption", encryption::show).needs(P::ReadMetrics),
        post("/factory/encryption/rotate", encryption::rotate).needs(P::ManageKeys),
        post("/factory/erasures", erasures::begin).needs(P::EraseData),
        get("/factory/erasures", erasures::list).needs(P::EraseData),
        get("/factory/erasures/{id}", erasures::show).needs(P::EraseData),
        get("/factory/export", export::export).needs(P::ExportData),
        post("/factory/backup", backup::take).needs(P::TakeBackup),
        get("/factory/tree", tree::show).needs(P::ReadTree),
        post("/factory/chaos/kill", chaos::kill).needs(P::InjectFaults),
        post("/factory/tree/release", tree::release).needs(P::ManageTree),
        get("/factory/events", events::follow).needs(P::ReadEvents),
        get("/factory/metrics", status::metrics).needs(P::ReadMetrics),
        post("/factory/create_agent", compat::create_agent).needs(P::ManageAgents),
        post("/factory/execute_task", compat::execute_task).needs(P::SubmitTask),
        post("/v1/chat/completions", v1::openai::chat).needs(P::SubmitTask),
        post("/v1/messages", v1::anthropic::messages).needs(P::SubmitTask),
        post("/v1/messages/count_tokens", v1::anthropic::count).needs(P::SubmitTask),
        get("/v1/models", v1::models::list).needs(P::ReadTemplates),
        get("/v1/models/{id}", v1::models::show).needs(P::ReadTemplates),
    ]
}

/// One method of a path.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) permission: Option<P>,
    handler: MethodRouter<Shared>,
}

impl Route {
    fn needs(self, permission: P) -> Self {
        Self { permission: Some(permission), ..self }
    }

    /// The handler, behind the gate where a permission is needed.
    fn guarded(self, rooms: &Shared) -> MethodRouter<Shared> {
        match self.permission {
            Some(permission) => self.handler.layer(from_fn_with_state((Arc::clone(rooms), permission), gate::pass)),
            None => self.handler,
        }
    }
}

fn get<T: 'static>(path: &'static str, handler: impl Handler<T, Shared>) -> Route {
    Route { method: Method::GET, path, permission: None, handler: routing::get(handler) }
}

fn post<T: 'static>(path: &'static str, handler: impl Handler<T, Shared>) -> Route {
    Route { method: Method::POST, path, permission: None, handler: routing::post(handler) }
}

fn put<T: 'static>(path: &'static str, handler: impl Handler<T, Shared>) -> Route {
    Route { method: Method::PUT, path, permission: None, handler: routing::put(handler) }
}

fn delete<T: 'static>(path: &'static str, handler: impl Handler<T, Shared>) -> Route {
    Route { method: Method::DELETE, path, permission: None, handler: routing::delete(handler) }
}

/// What all answers have in common, and what is answered where there is no handler.
pub(super) fn edged<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router.fallback(no_route).method_not_allowed_fallback(wrong_method).layer(from_fn(name_version))
}

async fn no_route(request: Request) -> ApiError {
    body::discard(request).await;
    not_served()
}

/// There is no such route, or the settings switch it off.
pub(super) fn not_served() -> ApiError {
    ApiError::new(Class::NotFound, "route_not_found", "there is no such route here; /openapi.json lists them")
}

/// Axum adds `Allow`.
async fn wrong_method(method: Method, request: Request) -> ApiError {
    body::discard(request).await;
    let detail = format!("{method} is not a method of this route; /openapi.json lists them");
    ApiError::new(Class::Malformed, "method_not_allowed", detail).with_status(StatusCode::METHOD_NOT_ALLOWED)
}

/// Names the version of the API, and tells failures in the words of the client's.
async fn name_version(request: Request, next: Next) -> Response {
    let dialect = v1::Dialect::of(request.uri(), request.headers());
    let answer = next.run(request).await;
    let mut response = match dialect {
        Some(dialect) => v1::spoken(dialect, answer),
        None => answer,
    };
    response
        .headers_mut()
        .insert(HeaderName::from_static("factory-api-version"), HeaderValue::from_static(API_VERSION));
    response
}
