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
    /// The parts of the limit at which an event tells that they are spent: `50%`.
    #[serde(default)]
    pub alert_at: Vec<String>,
    /// Whether a cost above its reservation has stopped the scope, until the window ends or the limit is set again.
    #[serde(default)]
    pub stopped: bool,
}

/// `PUT /factory/budgets/{scope}`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetBudget {
    /// The limit.
    pub limit_usd: String,
    /// `day`, `month` or `total`.
    pub window: String,
    /// The parts of the limit at which an event tells that they are spent: whole percent, `["50%", "80%"]`; none where left out.
    #[serde(default)]
    pub alert_at: Vec<String>,
}
