//! `factoryctl budgets`: what may be spent, and what was.

use clap::{Args, Subcommand};

use super::exit::{Error, Exit};
use super::output::{Paint, Tone};
use super::session::Session;
use super::table::{Table, plain};
use super::{run, spending, words};
use crate::domain::budget::{Scope, Threshold, Window};
use crate::domain::money::Usd;
use crate::protocol::budget::{Budget, SetBudget};

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Budgets {
    /// Lists budgets.
    #[command(after_help = "Example:\n  factoryctl budgets ls")]
    Ls,
    /// Shows the budget of a scope: global, tenant:T, user:U, template:N or agent:ID.
    #[command(after_help = "Example:\n  factoryctl budgets show tenant:acme")]
    Show {
        /// The scope.
        #[arg(value_parser = scope)]
        scope: Scope,
    },
    /// Sets the limit of a scope.
    #[command(
        after_help = "Examples:\n  factoryctl budgets set global 10 --window day\n  factoryctl budgets set user:bob 0.50 --alert-at 50%,80%"
    )]
    Set(Set),
    /// Takes the limit of a scope away that was set with `set`; those of settings and templates bind again.
    #[command(after_help = "Example:\n  factoryctl budgets unset user:bob")]
    Unset {
        /// The scope.
        #[arg(value_parser = scope)]
        scope: Scope,
    },
    /// Shows what a scope spent, day by day or month by month.
    #[command(
        after_help = "Example:\n  factoryctl budgets history global --from 2026-11-01 --to 2026-11-30 --by month"
    )]
    History(spending::History),
    /// Lists what is held for steps under way, and since when.
    #[command(after_help = "Example:\n  factoryctl budgets reservations")]
    Reservations,
    /// Lists what is booked although nobody knows whether the provider bills it, and since when.
    #[command(after_help = "Example:\n  factoryctl budgets doubts")]
    Doubts,
    /// Settles what is in doubt with what the provider bills. The same bill again changes nothing.
    #[command(
        after_help = "Examples:\n  factoryctl budgets reconcile task-018f 3 --cost 0.0021\n  factoryctl budgets reconcile --file bill.csv"
    )]
    Reconcile(spending::Reconciling),
}

/// The arguments of `set`.
#[derive(Debug, Args)]
pub(super) struct Set {
    /// The scope: global, tenant:T, user:U, template:N or agent:ID.
    #[arg(value_parser = scope)]
    scope: Scope,
    /// The most that may be spent in a window, in US dollars.
    #[arg(value_name = "USD", value_parser = run::usd)]
    limit: Usd,
    /// The window: day, month or total (UTC).
    #[arg(long, default_value = "month", value_parser = window)]
    window: Window,
    /// Parts of the limit at which an event tells that they are spent: whole percent.
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', value_parser = threshold)]
    alert_at: Vec<Threshold>,
}

pub(super) fn scope(text: &str) -> Result<Scope, String> {
    text.parse().map_err(|error| format!("{error}"))
}

pub(super) fn window(text: &str) -> Result<Window, String> {
    Window::from_word(text).ok_or_else(|| "day, month or total".into())
}

fn threshold(text: &str) -> Result<Threshold, String> {
    text.parse().map_err(|error| format!("{error}"))
}

impl Budgets {
    pub(super) async fn perform(self, session: &Session) -> Result<Exit, Error> {
        let Session { client, output } = session;
        match self {
            Self::Ls => {
                let page = client.budgets().await?;
                output.show(&page, |paint| list(&page.items, paint))?;
            }
            Self::Show { scope } => {
                let budget = client.budget(&scope.to_string()).await?;
                output.show(&budget, |paint| list(std::slice::from_ref(&budget), paint))?;
            }
            Self::Set(Set { scope, limit, window, alert_at }) => {
                let alert_at = alert_at.iter().map(ToString::to_string).collect();
                let wanted = SetBudget { limit_usd: limit.to_string(), window: window.as_str().into(), alert_at };
                let budget = client.set_budget(&scope.to_string(), &wanted).await?;
                output.show(&budget, |paint| list(std::slice::from_ref(&budget), paint))?;
            }
            Self::Unset { scope } => {
                let budget = client.unset_budget(&scope.to_string()).await?;
                output.show(&budget, |paint| list(std::slice::from_ref(&budget), paint))?;
            }
            Self::History(wanted) => return spending::history(session, wanted).await,
            Self::Reservations => return spending::reservations(session).await,
            Self::Doubts => return spending::doubts(session).await,
            Self::Reconcile(wanted) => return spending::reconcile(session, wanted).await,
        }
        Ok(Exit::Done)
    }
}

fn list(budgets: &[Budget], paint: Paint) -> String {
    let mut table = Table::new(paint, &["SCOPE", "LIMIT", "WINDOW", "SPENT", "RESERVED", "REMAINING"]);
    for budget in budgets {
        let amount = |usd: Option<&str>, none: &str| {
            usd.map_or_else(|| (Tone::Faint, none.into()), |usd| plain(words::usd(usd)))
        };
        let spent_up = budget.remaining_usd.as_deref().and_then(|left| left.parse::<Usd>().ok()) == Some(Usd::ZERO);
        let (tone, remaining) = amount(budget.remaining_usd.as_deref(), "-");
        table.row([
            plain(&budget.scope),
            amount(budget.limit_usd.as_deref(), "none"),
            plain(&budget.window),
            plain(words::usd(&budget.spent_usd)),
            plain(words::usd(&budget.reserved_usd)),
            match (budget.stopped, spent_up) {
                (true, _) => (Tone::Bad, "stopped".into()),
                (false, true) => (Tone::Bad, remaining),
                (false, false) => (tone, remaining),
            },
        ]);
    }
    table.render("no budgets, so nothing is limited; set one with `factoryctl budgets set global 10`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_without_limit_says_none() {
        let budget = Budget {
            scope: "user:bob".into(),
            limit_usd: None,
            window: "total".into(),
            reserved_usd: "0.00".into(),
            spent_usd: "0.02".into(),
            remaining_usd: None,
            alert_at: Vec::new(),
            stopped: false,
        };
        let text = list(&[budget], Paint::Plain);
        assert!(text.ends_with("user:bob  none   total   $0.02  $0.00     -"), "{text}");
    }
}
