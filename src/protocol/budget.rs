//! Budgets.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A budget and what is left of it. Amounts are of the current window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Budget {
    /// `global`, `tenant:T`, `user:U`, `template:N` or `agent:ID`.
    pub scope: String,
    /// The limit; null where none is set.
    pub limit_usd: Option<String>,
    /// `day`, `month` or `total`.
    pub window: String,
    /// What open reservations hold.
    pub reserved_usd: String,
    /// What was spent.
    pub spent_usd: String,
    /// What may still be reserved; null where no limit is set.
    pub remaining_usd: Option<String>,
}

/// `PUT /factory/budgets/{scope}`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetBudget {
    /// The limit.
    pub limit_usd: String,
    /// `day`, `month` or `total`.
    pub window: String,
}
