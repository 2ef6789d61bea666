//! `/factory/budgets`: what was spent, what is held, what is in doubt and what the provider bills for it.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::body::{JsonBody, PageQuery, Parameters, Segment, parse, parse_some};
use super::budgets::{scope, visible};
use super::error::{Answer, ApiError};
use super::gate::Caller;
use super::router::Shared;
use crate::control_plane::budget::{Key, RESERVATIONS_MAX, history};
use crate::domain::budget::{Scope, Window};
use crate::domain::clock::{Day, Timestamp};
use crate::domain::failure::Class;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::journal::doubts::{Billed, Doubt as InDoubt};
use crate::protocol::budget::{Doubt, OpenReservation, Reconcile, ReconciledStep, Reconciliation, Spent};
use crate::protocol::page::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX, Page};
use crate::protocol::problem::Problem;

/// The days that are shown where nobody says from when.
const HISTORY_DAYS_DEFAULT: i32 = 30;
/// The earliest day that may be asked for: nothing was spent before.
const EARLIEST: Day = Day::from_number(0);

/// `?from=2026-11-01&to=2026-11-30&by=day`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// The first day, in UTC; 30 days up to `to` where it is not given.
    from: Option<String>,
    /// The last day; today where it is not given.
    to: Option<String>,
    /// `day`, `month` or `total`; `day` where it is not given.
    by: Option<String>,
    /// How many windows, 1 to 1,000; 100 where it is not given.
    limit: Option<usize>,
    /// What the previous page gave as `next`.
    after: Option<String>,
}

/// Shows what a scope spent, window by window in UTC.
#[utoipa::path(get, path = "/factory/budgets/{scope}/history", tag = "budgets", params(("scope" = String, Path), HistoryQuery),
    responses((status = 200, body = Page<Spent>), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn history(
    State(rooms): State<Shared>,
    caller: Caller,
    Segment(scope): Segment,
    Parameters(query): Parameters<HistoryQuery>,
) -> Answer<Json<Page<Spent>>> {
    let scope = self::scope(&scope)?;
    if !visible(&caller, &scope) {
        return Err(ApiError::not_found("budget"));
    }
    let to: Day = parse_some("to", query.to.as_ref())?.unwrap_or_else(|| Timestamp::now().day());
    let from: Option<Day> = parse_some("from", query.from.as_ref())?;
    let from = from.unwrap_or_else(|| to.later(1_i32.saturating_sub(HISTORY_DAYS_DEFAULT)));
    if from > to {
        return Err(ApiError::new(
            Class::Malformed,
            "history_range_empty",
            format!("from ({from}) is later than to ({to})"),
        ));
    }
    let after: Option<Day> = parse_some("after", query.after.as_ref())?;
    let from = after.unwrap_or(from).max(EARLIEST);
    let by = query.by.as_deref().unwrap_or("day");
    let by = Window::from_word(by).ok_or_else(|| {
        ApiError::new(Class::Malformed, "budget_window_unknown", "by is none of day, month and total".to_owned())
    })?;
    let limit = match query.limit {
        None => PAGE_ITEMS_DEFAULT,
        Some(limit @ 1..=PAGE_ITEMS_MAX) => limit,
        Some(_) => return Err(ApiError::malformed(format!("limit is not between 1 and {PAGE_ITEMS_MAX}"))),
    };
    let days = rooms.budget.spent_by_day(&scope).await?;
    let (windows, next) = history::history(&days, (from, to), by, limit);
    let rendered = |spent: history::Spent| Spent {
        from: spent.from.to_string(),
        to: spent.to.to_string(),
        spent_usd: spent.amount.to_string(),
    };
    Ok(Json(Page { items: windows.into_iter().map(rendered).collect(), next: next.map(|day| day.to_string()) }))
}

/// Lists open reservations, by task and step, with their age.
#[utoipa::path(get, path = "/factory/budgets/reservations", tag = "budgets", params(PageQuery),
    responses((status = 200, body = Page<OpenReservation>), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn reservations(
    State(rooms): State<Shared>,
    caller: Caller,
    Parameters(page): Parameters<PageQuery>,
) -> Answer<Json<Page<OpenReservation>>> {
    let (limit, now) = (page.limit()?, Timestamp::now());
    let after = place(&page)?.map(|(task, step)| Key { task, step });
    // Those of other tenants are left out of what is shown, not of what is looked at.
    let most = if caller.0.tenant.is_some() { RESERVATIONS_MAX } else { limit.saturating_add(1) };
    let found = rooms.budget.open(after, most).await?;
    let owned = |scopes: &[Scope]| match &caller.0.tenant {
        None => true,
        Some(own) => scopes.iter().any(|scope| matches!(scope, Scope::Tenant(tenant) if tenant == own)),
    };
    let mut shown: Vec<_> =
        found.into_iter().filter(|(_, held)| owned(held.payer.scopes())).take(limit.saturating_add(1)).collect();
    let is_more = shown.len() > limit;
    shown.truncate(limit);
    let next = shown.last().filter(|_| is_more).map(|(key, _)| format!("{}-{}", key.task, key.step));
    let items = shown.into_iter().map(|(key, held)| OpenReservation {
        task_id: key.task.to_string(),
        step: key.step,
        amount_usd: held.amount.to_string(),
        scopes: held.payer.scopes().iter().map(ToString::to_string).collect(),
        since: held.since.to_string(),
        age_seconds: now.since(held.since).as_secs(),
    });
    Ok(Json(Page { items: items.collect(), next }))
}

/// Lists amounts that are booked in doubt, by task and step, with their age.
#[utoipa::path(get, path = "/factory/budgets/doubts", tag = "budgets", params(PageQuery),
    responses((status = 200, body = Page<Doubt>), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn doubts(
    State(rooms): State<Shared>,
    caller: Caller,
    Parameters(page): Parameters<PageQuery>,
) -> Answer<Json<Page<Doubt>>> {
    let (now, after) = (Timestamp::now(), place(&page)?);
    let owned = move |doubt: &InDoubt| caller.owns(&doubt.tenant);
    let found = rooms.journal.doubts(after, page.limit()?, owned).await?;
    let items = found.items.into_iter().map(|doubt| Doubt {
        task_id: doubt.task.to_string(),
        step: doubt.step,
        idempotency_key: format!("{}-{}", doubt.task, doubt.call),
        model: doubt.model.map(|model| model.to_string()),
        tenant: doubt.tenant.to_string(),
        amount_usd: doubt.amount.to_string(),
        since: doubt.since.to_string(),
        age_seconds: now.since(doubt.since).as_secs(),
    });
    let next = found.next.map(|(task, step)| format!("{task}-{step}"));
    Ok(Json(Page { items: items.collect(), next }))
}

/// Settles what is in doubt with what the provider bills. The same bill again changes nothing.
#[utoipa::path(post, path = "/factory/budgets/reconcile", tag = "budgets", request_body = Reconcile,
    responses((status = 200, body = Reconciliation), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
pub(super) async fn reconcile(
    State(rooms): State<Shared>,
    caller: Caller,
    JsonBody(wanted): JsonBody<Reconcile>,
) -> Answer<Json<Reconciliation>> {
    let (task, billed) = billed(&wanted)?;
    let bill: Usd = parse("cost_usd", &wanted.cost_usd)?;
    let settled = rooms.admission.reconcile(&caller.0, task, billed, bill, Timestamp::now()).await?;
    let outcome = if settled.is_some() { "reconciled" } else { "unchanged" };
    let steps = settled.unwrap_or_default().into_iter().map(|settled| ReconciledStep {
        step: settled.doubt.step,
        in_doubt_usd: settled.doubt.amount.to_string(),
        cost_usd: settled.cost.to_string(),
    });
    Ok(Json(Reconciliation { task_id: task.to_string(), outcome: outcome.to_owned(), steps: steps.collect() }))
}

/// What a bill is about: a step, or the call that a key names.
fn billed(wanted: &Reconcile) -> Answer<(TaskId, Billed)> {
    match (&wanted.task_id, wanted.step, &wanted.idempotency_key) {
        (Some(task), Some(step), None) => Ok((parse("task_id", task)?, Billed::Step(step))),
        (None, None, Some(key)) => {
            let (task, call) = numbered("idempotency_key", key)?;
            Ok((task, Billed::Call(call)))
        }
        (_, _, _) => {
            Err(ApiError::malformed("name the task with task_id and step, or the call with idempotency_key alone"))
        }
    }
}

/// A task and a number, with a hyphen between them.
fn numbered(field: &str, text: &str) -> Answer<(TaskId, u32)> {
    let parts = text.rsplit_once('-').and_then(|(task, number)| Some((task.parse().ok()?, number.parse().ok()?)));
    parts.ok_or_else(|| ApiError::malformed(format!("{field} is not a task and a number, TASK-NUMBER")))
}

fn place(page: &PageQuery) -> Answer<Option<(TaskId, u32)>> {
    page.after.as_deref().map(|after| numbered("after", after)).transpose()
}
