//! `/factory/budgets`.

use axum::Json;
use axum::extract::State;

use super::body::{JsonBody, Segment};
use super::error::{Answer, ApiError};
use super::gate::Caller;
use super::router::Shared;
use crate::control_plane::audit::Entry;
use crate::control_plane::budget::Standing;
use crate::domain::budget::{Limit, Scope, Threshold, Thresholds, Window};
use crate::domain::clock::Timestamp;
use crate::domain::failure::Class;
use crate::domain::money::{InvalidUsd, Usd};
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
    let limit = limit(&wanted)?;
    let now = Timestamp::now();
    let entry = Entry::allowed(now, (&*caller.0).into(), "set_budget").on(&scope);
    rooms.budget.set(&scope, limit, rooms.audit.batch(entry)).await?;
    Ok(Json(rendered(&rooms.budget.show(&scope, now).await?)))
}

/// Takes the limit away that an operator set. What settings and templates declare binds again; a stopped scope stays so.
#[utoipa::path(delete, path = "/factory/budgets/{scope}", tag = "budgets", params(("scope" = String, Path)),
    responses((status = 200, body = Budget), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn unset(
    State(rooms): State<Shared>,
    caller: Caller,
    Segment(scope): Segment,
) -> Answer<Json<Budget>> {
    let scope = self::scope(&scope)?;
    let now = Timestamp::now();
    let entry = Entry::allowed(now, (&*caller.0).into(), "unset_budget").on(&scope);
    rooms.budget.unset(&scope, rooms.audit.batch(entry)).await?;
    Ok(Json(rendered(&rooms.budget.show(&scope, now).await?)))
}

/// What is to be set. Each mistake has its code, so that whoever sets limits by a program can tell them apart.
fn limit(wanted: &SetBudget) -> Answer<Limit> {
    let refused = |code, detail: String| ApiError::new(Class::Malformed, code, detail);
    let text = wanted.limit_usd.as_str();
    let amount = text.parse::<Usd>().map_err(|fault| match fault {
        // A number that is fine but for its sign.
        InvalidUsd::Malformed if text.strip_prefix('-').is_some_and(|rest| rest.parse::<Usd>().is_ok()) => {
            refused("budget_limit_negative", "limit_usd is negative; a limit of 0 lets nothing be spent".to_owned())
        }
        InvalidUsd::TooLarge => refused("budget_limit_too_large", format!("limit_usd: {fault}")),
        InvalidUsd::Malformed | InvalidUsd::TooFine => ApiError::malformed(format!("limit_usd: {fault}")),
    })?;
    let window = Window::from_word(&wanted.window);
    let unknown = || refused("budget_window_unknown", "window is none of day, month and total".to_owned());
    let thresholds = wanted.alert_at.iter().map(|part| part.parse::<Threshold>());
    let alert_at = thresholds.collect::<Result<Thresholds, _>>();
    let alert_at = alert_at.map_err(|fault| refused("budget_threshold_invalid", format!("alert_at: {fault}")))?;
    Ok(Limit { alert_at, ..Limit::new(amount, window.ok_or_else(unknown)?) })
}

pub(super) fn scope(text: &str) -> Answer<Scope> {
    text.parse().map_err(|fault: crate::domain::budget::InvalidScope| {
        ApiError::new(Class::NotFound, "unknown_scope", fault.to_string())
    })
}

/// A principal of one tenant sees that tenant's budget, and none else.
pub(super) fn visible(caller: &Caller, scope: &Scope) -> bool {
    match (&caller.0.tenant, scope) {
        (None, _) => true,
        (Some(own), Scope::Tenant(tenant)) => own == tenant,
        (Some(_), Scope::Global | Scope::User(_) | Scope::Template(_) | Scope::Agent(_)) => false,
    }
}

pub(super) fn rendered(standing: &Standing) -> Budget {
    let (limit, window) = standing.limit.map_or((None, Window::Total), |limit| (Some(limit.amount), limit.window));
    Budget {
        scope: standing.scope.to_string(),
        limit_usd: limit.map(|limit| limit.to_string()),
        window: window.as_str().to_owned(),
        reserved_usd: standing.reserved.to_string(),
        spent_usd: standing.spent.to_string(),
        remaining_usd: standing.remaining.map(|left| left.to_string()),
        alert_at: standing.limit.iter().flat_map(|limit| limit.alert_at.iter()).map(|at| at.to_string()).collect(),
        stopped: standing.stopped,
    }
}
