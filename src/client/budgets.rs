//! Budgets.

use super::call::{Call, segment};
use super::{Client, Error};
use crate::protocol::budget::{Budget, Doubt, OpenReservation, Reconcile, Reconciliation, SetBudget, Spent};
use crate::protocol::page::{PAGE_ITEMS_MAX, Page};

/// Budgets. Every method fails as [`Error`] says.
impl Client {
    /// All budgets.
    pub async fn budgets(&self) -> Result<Page<Budget>, Error> {
        self.ask(Call::get("/factory/budgets")).await
    }

    /// The budget of `global`, `tenant:T`, `user:U`, `template:N` or `agent:ID`.
    pub async fn budget(&self, scope: &str) -> Result<Budget, Error> {
        self.ask(Call::get(format!("/factory/budgets/{}", segment(scope)))).await
    }

    /// Sets the limit of a scope.
    pub async fn set_budget(&self, scope: &str, budget: &SetBudget) -> Result<Budget, Error> {
        self.ask(Call::put(format!("/factory/budgets/{}", segment(scope))).json(budget)?).await
    }

    /// Takes the limit away that an operator set; those of settings and templates bind again.
    pub async fn unset_budget(&self, scope: &str) -> Result<Budget, Error> {
        self.ask(Call::delete(format!("/factory/budgets/{}", segment(scope)))).await
    }

    /// What a scope spent from the day `from` to the day `to`, both included, by `day`, `month` or `total`: one page, from behind
    /// `after` on.
    pub async fn budget_history(
        &self,
        scope: &str,
        (from, to): (Option<&str>, Option<&str>),
        by: &str,
        after: Option<&str>,
    ) -> Result<Page<Spent>, Error> {
        let mut path = format!("/factory/budgets/{}/history?limit={PAGE_ITEMS_MAX}&by={}", segment(scope), segment(by));
        for (name, value) in [("from", from), ("to", to), ("after", after)] {
            if let Some(value) = value {
                path = format!("{path}&{name}={}", segment(value));
            }
        }
        self.ask(Call::get(path)).await
    }

    /// Open reservations.
    pub async fn reservations(
        &self,
        limit: Option<usize>,
        after: Option<&str>,
    ) -> Result<Page<OpenReservation>, Error> {
        self.ask(Call::get("/factory/budgets/reservations").page(limit, after)).await
    }

    /// Amounts that are booked in doubt.
    pub async fn doubts(&self, limit: Option<usize>, after: Option<&str>) -> Result<Page<Doubt>, Error> {
        self.ask(Call::get("/factory/budgets/doubts").page(limit, after)).await
    }

    /// Settles what is in doubt with what the provider bills.
    pub async fn reconcile(&self, bill: &Reconcile) -> Result<Reconciliation, Error> {
        self.ask(Call::post("/factory/budgets/reconcile").json(bill)?).await
    }
}
