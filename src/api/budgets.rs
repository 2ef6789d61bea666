//! `/factory/budgets`.

use axum::Json;
use axum::extract::State;

use super::body::{JsonBody, Segment, parse};
use super::error::{Answer, ApiError};
use super::gate::Caller;
use super::router::Shared;
use crate::control_plane::audit::Entry;
use crate::control_plane::budget::Standing;
use crate::domain::budget::{Limit, Scope, Window};
use crate::domain::clock::Timestamp;
use crate::protocol::budget::{Budget, SetBudget};
use crate::protocol::page::Page;
use crate::protocol::problem::Problem;

/// Lists every budget that has a limit.
#[utoipa::path(get, path = "/factory/budgets", tag = "budgets",
    responses((status = 200, body = Page<Budget>), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn list(State(rooms): State<Shared>, caller: Caller) -> Answer<Json<Page<Budget>>> {
    let standings = rooms.budget.list(Timestamp::now()).await?;
    let items = standings.iter().filter(|standing| visible(&caller, &standing.scope)).map(rendered).collect();
    Ok(Json(Page { items, next: None }))
}

/// Shows one budget.
#[utoipa::path(get, path = "/factory/budgets/{scope}", tag = "budgets", params(("scope" = String, Path)),
    responses((status = 200, body = Budget), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn show(State(rooms): State<Shared>, caller: Caller, Segment(scope): Segment) -> Answer<Json<Budget>> {
    let scope = self::scope(&scope)?;
    if !visible(&caller, &scope) {
        return Err(ApiError::not_found("budget"));
    }
    Ok(Json(rendered(&rooms.budget.show(&scope, Timestamp::now()).await?)))
}

/// Sets a limit. It outdoes what settings and templates say, and outlives the daemon.
#[utoipa::path(put, path = "/factory/budgets/{scope}", tag = "budgets", params(("scope" = String, Path)),
    request_body = SetBudget,
    responses((status = 200, body = Budget), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn set(
    State(rooms): State<Shared>,
    caller: Caller,
    Segment(scope): Segment,
    JsonBody(wanted): JsonBody<SetBudget>,
) -> Answer<Json<Budget>> {
    let scope = self::scope(&scope)?;
    let window = Window::from_word(&wanted.window);
    let window = window.ok_or_else(|| ApiError::malformed("window is none of day, month and total"))?;
    let limit = Limit { amount: parse("limit_usd", &wanted.limit_usd)?, window };
    let now = Timestamp::now();
    let entry = Entry::allowed(now, (&*caller.0).into(), "set_budget").on(&scope);
    rooms.budget.set(&scope, limit, rooms.audit.batch(entry)).await?;
    Ok(Json(rendered(&rooms.budget.show(&scope, now).await?)))
}

fn scope(text: &str) -> Answer<Scope> {
    text.parse().map_err(|fault: crate::domain::budget::InvalidScope| {
        ApiError::new(crate::domain::failure::Class::NotFound, "unknown_scope", fault.to_string())
    })
}

/// A principal of one tenant sees that tenant's budget, and none else.
fn visible(caller: &Caller, scope: &Scope) -> bool {
    match (&caller.0.tenant, scope) {
        (None, _) => true,
        (Some(own), Scope::Tenant(tenant)) => own == tenant,
        (Some(_), Scope::Global | Scope::User(_) | Scope::Template(_) | Scope::Agent(_)) => false,
    }
}

fn rendered(standing: &Standing) -> Budget {
    let (limit, window) = standing.limit.map_or((None, Window::Total), |limit| (Some(limit.amount), limit.window));
    Budget {
        scope: standing.scope.to_string(),
        limit_usd: limit.map(|limit| limit.to_string()),
        window: window.as_str().to_owned(),
        reserved_usd: standing.reserved.to_string(),
        spent_usd: standing.spent.to_string(),
        remaining_usd: standing.remaining.map(|left| left.to_string()),
    }
}
