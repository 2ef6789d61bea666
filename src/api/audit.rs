//! `/factory/audit`.

use axum::Json;
use axum::extract::State;

use super::body::{PageQuery, Parameters};
use super::error::Answer;
use super::router::Shared;
use crate::control_plane::audit::readable;
use crate::protocol::audit::AuditEntry;
use crate::protocol::page::Page;
use crate::protocol::problem::Problem;

/// Lists decisions in the order in which they were made; `after` is the sequence of the last one known.
#[utoipa::path(get, path = "/factory/audit", tag = "audit", params(PageQuery),
    responses((status = 200, body = Page<AuditEntry>), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn list(
    State(rooms): State<Shared>,
    Parameters(page): Parameters<PageQuery>,
) -> Answer<Json<Page<AuditEntry>>> {
    let limit = page.limit()?;
    let found = rooms.audit.tail(page.after()?.unwrap_or(0), limit).await?;
    let next = (found.len() == limit).then(|| found.last().map(|entry| entry.sequence.to_string())).flatten();
    Ok(Json(Page { items: found.iter().map(readable).collect(), next }))
}
