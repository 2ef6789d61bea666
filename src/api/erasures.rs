//! `/factory/erasures`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::body::{JsonBody, PageQuery, Parameters, Segment, id, parse_some};
use super::error::{Answer, ApiError};
use super::gate::Caller;
use super::router::Shared;
use crate::domain::clock::Timestamp;
use crate::domain::id::ErasureId;
use crate::domain::owner::Selector;
use crate::protocol::erasure::{Erase, Erasure};
use crate::protocol::page::Page;
use crate::protocol::problem::Problem;

/// Begins to erase everything that belongs to a tenant, to a user, or to a user of a tenant. It goes on in the background, and after a
/// restart; meanwhile no work of theirs is admitted.
#[utoipa::path(post, path = "/factory/erasures", tag = "data protection", request_body = Erase,
    responses((status = 202, body = Erasure), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn begin(
    State(rooms): State<Shared>,
    caller: Caller,
    JsonBody(wanted): JsonBody<Erase>,
) -> Answer<(StatusCode, Json<Erasure>)> {
    let whose = selected(wanted.tenant.as_ref(), wanted.user.as_ref())?;
    let erasure = rooms.erasures.begin(&caller.0, whose, Timestamp::now()).await?;
    Ok((StatusCode::ACCEPTED, Json(erasure)))
}

/// Lists erasures with their receipts, the newest first.
#[utoipa::path(get, path = "/factory/erasures", tag = "data protection", params(PageQuery),
    responses((status = 200, body = Page<Erasure>), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn list(
    State(rooms): State<Shared>,
    Parameters(page): Parameters<PageQuery>,
) -> Answer<Json<Page<Erasure>>> {
    let (items, next) = rooms.erasures.list(page.after()?, page.limit()?).await?;
    Ok(Json(Page { items, next: next.map(|next| next.to_string()) }))
}

/// Shows an erasure, with its receipt when it is done.
#[utoipa::path(get, path = "/factory/erasures/{id}", tag = "data protection", params(("id" = String, Path)),
    responses((status = 200, body = Erasure), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn show(State(rooms): State<Shared>, Segment(erasure): Segment) -> Answer<Json<Erasure>> {
    let id: ErasureId = id("erasure", &erasure)?;
    rooms.erasures.find(id).await?.map(Json).ok_or_else(|| ApiError::not_found("erasure"))
}

/// Whose data is meant.
pub(super) fn selected(tenant: Option<&String>, user: Option<&String>) -> Answer<Selector> {
    let whose = Selector::new(parse_some("tenant", tenant)?, parse_some("user", user)?);
    whose.ok_or_else(|| ApiError::malformed("name a tenant, a user, or both"))
}
