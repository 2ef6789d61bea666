//! `/openapi.json`: made from the handlers' own declarations.

use std::sync::OnceLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::OpenApi;

use super::{agents, audit, budgets, compat, dlp, events, status, tasks, templates, tree};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Agent Factory control API",
        description = "Agents, tasks, templates, budgets and their supervision on one host."
    ),
    paths(
        agents::create,
        agents::list,
        agents::show,
        agents::stop,
        tasks::submit,
        tasks::list,
        tasks::show,
        tasks::events,
        tasks::cancel,
        tasks::feedback,
        templates::list,
        templates::show,
        templates::versions,
        budgets::list,
        budgets::show,
        budgets::set,
        dlp::scan,
        audit::list,
        tree::show,
        events::follow,
        status::health,
        status::ready,
        status::prometheus,
        status::metrics,
        show,
        compat::create_agent,
        compat::execute_task,
    )
)]
struct Document;

/// Describes every route.
#[utoipa::path(get, path = "/openapi.json", tag = "status",
    responses((status = 200, content_type = "application/json", body = serde_json::Value)))]
pub(super) async fn show() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text()).into_response()
}

/// The document, made when it is first asked for.
fn text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    // The document is plain data; serialising it has no way to fail.
    TEXT.get_or_init(|| Document::openapi().to_json().unwrap_or_default())
}
