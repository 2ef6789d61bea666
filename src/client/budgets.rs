//! Budgets.

use super::call::{Call, segment};
use super::{Client, Error};
use crate::protocol::budget::{Budget, SetBudget};
use crate::protocol::page::Page;

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
}
