//! `factoryctl budgets history|reservations|doubts|reconcile`: what was spent, what is held, and what nobody knows yet.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use serde::Serialize;

use super::exit::{Error, Exit};
use super::output::{Paint, Tone};
use super::session::Session;
use super::table::{Table, or_dash, plain};
use super::{bill, input, run, words};
use crate::client;
use crate::domain::budget::{Scope, Window};
use crate::domain::clock::Day;
use crate::domain::money::Usd;
use crate::protocol::budget::{Doubt, OpenReservation, Reconcile, Reconciliation, Spent};
use crate::protocol::page::{PAGE_ITEMS_MAX, Page};

/// The arguments of `history`.
#[derive(Debug, Args)]
pub(super) struct History {
    /// The scope: global, tenant:T, user:U, template:N or agent:ID.
    #[arg(value_parser = super::budgets::scope)]
    scope: Scope,
    /// The first day (UTC), such as 2026-11-01; 30 days where it is not given.
    #[arg(long, value_name = "DAY", value_parser = day)]
    from: Option<Day>,
    /// The last day; today where it is not given.
    #[arg(long, value_name = "DAY", value_parser = day)]
    to: Option<Day>,
    /// What is added up: day, month or total.
    #[arg(long, default_value = "day", value_parser = super::budgets::window)]
    by: Window,
}

/// The arguments of `reconcile`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("bill").required(true).args(["task", "file"]))]
pub(super) struct Reconciling {
    /// The task.
    #[arg(requires_all = ["step", "cost"])]
    task: Option<String>,
    /// Its step that is in doubt.
    step: Option<u32>,
    /// What the provider bills for it, in US dollars.
    #[arg(long, value_name = "USD", value_parser = run::usd, requires = "task")]
    cost: Option<Usd>,
    /// A bill: CSV with a header or a JSON array, of `task` and `step` or `idempotency_key`, and `cost`; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// What became of one row of a bill.
#[derive(Debug, Serialize)]
struct Row {
    bill: Reconcile,
    #[serde(skip_serializing_if = "Option::is_none")]
    reconciliation: Option<Reconciliation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Refused>,
}

#[derive(Debug, Serialize)]
struct Refused {
    code: String,
    detail: String,
}

fn day(text: &str) -> Result<Day, String> {
    text.parse().map_err(|error| format!("{error}"))
}

pub(super) async fn history(session: &Session, wanted: History) -> Result<Exit, Error> {
    let History { scope, from, to, by } = wanted;
    let scope = scope.to_string();
    let (from, to) = (from.map(|day| day.to_string()), to.map(|day| day.to_string()));
    let range = (from.as_deref(), to.as_deref());
    let mut all = session.client.budget_history(&scope, range, by.as_str(), None).await?;
    while let Some(after) = all.next.take() {
        let page = session.client.budget_history(&scope, range, by.as_str(), Some(&after)).await?;
        all.items.extend(page.items);
        all.next = page.next;
    }
    session.output.show(&all, |paint| spent(&all.items, paint))?;
    Ok(Exit::Done)
}

fn spent(windows: &[Spent], paint: Paint) -> String {
    let mut table = Table::new(paint, &["FROM", "TO", "SPENT"]);
    for window in windows {
        let tone = if window.spent_usd == Usd::ZERO.to_string() { Tone::Faint } else { Tone::Plain };
        table.row([plain(&window.from), plain(&window.to), (tone, words::usd(&window.spent_usd))]);
    }
    table.render("no days")
}

pub(super) async fn reservations(session: &Session) -> Result<Exit, Error> {
    let mut all = session.client.reservations(Some(PAGE_ITEMS_MAX), None).await?;
    while let Some(after) = all.next.take() {
        let page = session.client.reservations(Some(PAGE_ITEMS_MAX), Some(&after)).await?;
        all.items.extend(page.items);
        all.next = page.next;
    }
    session.output.show(&all, |paint| held(&all, paint))?;
    Ok(Exit::Done)
}

fn held(page: &Page<OpenReservation>, paint: Paint) -> String {
    let mut table = Table::new(paint, &["TASK", "STEP", "HELD", "AGE", "ON"]);
    for held in &page.items {
        table.row([
            plain(&held.task_id),
            plain(held.step.to_string()),
            plain(words::usd(&held.amount_usd)),
            plain(words::duration(Duration::from_secs(held.age_seconds))),
            plain(held.scopes.join(" ")),
        ]);
    }
    table.render("nothing is reserved")
}

pub(super) async fn doubts(session: &Session) -> Result<Exit, Error> {
    let mut all = session.client.doubts(Some(PAGE_ITEMS_MAX), None).await?;
    while let Some(after) = all.next.take() {
        let page = session.client.doubts(Some(PAGE_ITEMS_MAX), Some(&after)).await?;
        all.items.extend(page.items);
        all.next = page.next;
    }
    session.output.show(&all, |paint| in_doubt(&all.items, paint))?;
    Ok(Exit::Done)
}

fn in_doubt(doubts: &[Doubt], paint: Paint) -> String {
    let mut table = Table::new(paint, &["TASK", "STEP", "MODEL", "IN DOUBT", "AGE", "KEY"]);
    for doubt in doubts {
        table.row([
            plain(&doubt.task_id),
            plain(doubt.step.to_string()),
            or_dash(doubt.model.as_deref()),
            plain(words::usd(&doubt.amount_usd)),
            plain(words::duration(Duration::from_secs(doubt.age_seconds))),
            plain(&doubt.idempotency_key),
        ]);
    }
    table.render("nothing is in doubt")
}

pub(super) async fn reconcile(session: &Session, wanted: Reconciling) -> Result<Exit, Error> {
    let Reconciling { task, step, cost, file } = wanted;
    if let Some(file) = file {
        return reconcile_all(session, bill::read(&input::read(&file)?)?).await;
    }
    let cost_usd = cost.map(|cost| cost.to_string()).unwrap_or_default();
    let bill = Reconcile { task_id: task, step, idempotency_key: None, cost_usd };
    let settled = session.client.reconcile(&bill).await?;
    session.output.show(&settled, |_| told(&settled))?;
    Ok(Exit::Done)
}

fn told(settled: &Reconciliation) -> String {
    if settled.steps.is_empty() {
        return "the same bill had settled it before".into();
    }
    let step = |step: &crate::protocol::budget::ReconciledStep| {
        let (was, cost) = (words::usd(&step.in_doubt_usd), words::usd(&step.cost_usd));
        format!("step {}: {was} was in doubt, {cost} is billed", step.step)
    };
    settled.steps.iter().map(step).collect::<Vec<_>>().join("\n")
}

/// One row after the other; a row that is refused stops none behind it.
async fn reconcile_all(session: &Session, bills: Vec<Reconcile>) -> Result<Exit, Error> {
    let mut rows = Vec::new();
    for bill in bills {
        let (reconciliation, refused) = match session.client.reconcile(&bill).await {
            Ok(settled) => (Some(settled), None),
            Err(client::Error::Problem { problem, .. }) if problem.status < 500 => {
                (None, Some(Refused { code: problem.code, detail: problem.detail }))
            }
            Err(error) => return Err(error.into()),
        };
        rows.push(Row { bill, reconciliation, refused });
    }
    let is_refused = rows.iter().any(|row| row.refused.is_some());
    let document = serde_json::json!({ "items": rows });
    session.output.show(&document, |paint| listed(&rows, paint))?;
    Ok(if is_refused { Exit::Failed } else { Exit::Done })
}

fn listed(rows: &[Row], paint: Paint) -> String {
    let mut table = Table::new(paint, &["TASK OR KEY", "STEP", "BILLED", "OUTCOME"]);
    for row in rows {
        let outcome = match (&row.reconciliation, &row.refused) {
            (Some(settled), _) => (Tone::Good, settled.outcome.clone()),
            (None, Some(refused)) => (Tone::Bad, format!("{}: {}", refused.code, refused.detail)),
            (None, None) => (Tone::Faint, "-".into()),
        };
        table.row([
            plain(row.bill.task_id.as_deref().or(row.bill.idempotency_key.as_deref()).unwrap_or_default()),
            or_dash(row.bill.step.map(|step| step.to_string()).as_deref()),
            plain(words::usd(&row.bill.cost_usd)),
            outcome,
        ]);
    }
    table.render("no rows")
}
