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

/// What was spent from one day to another, both included, in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Spent {
    /// The first day: `2026-11-01`.
    pub from: String,
    /// The last day.
    pub to: String,
    /// How much.
    pub spent_usd: String,
}

/// Money that is held for a step until it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenReservation {
    /// Whose step it is.
    pub task_id: String,
    /// The step.
    pub step: u32,
    /// What is held.
    pub amount_usd: String,
    /// The scopes that it is held on.
    pub scopes: Vec<String>,
    /// Since when.
    pub since: String,
    /// For how long, in seconds.
    pub age_seconds: u64,
}

/// An amount that was booked as spent although nobody knows whether the provider bills it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Doubt {
    /// Whose step it is.
    pub task_id: String,
    /// The step.
    pub step: u32,
    /// What the provider was told as the call's idempotency key.
    pub idempotency_key: String,
    /// The model that was called: `provider/model`.
    pub model: Option<String>,
    /// Whose task it is.
    pub tenant: String,
    /// What is booked.
    pub amount_usd: String,
    /// Since when.
    pub since: String,
    /// For how long, in seconds.
    pub age_seconds: u64,
}

/// `POST /factory/budgets/reconcile`: what the provider bills for a step, or for the call of an idempotency key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reconcile {
    /// The task, with `step`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// The step, with `task_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// Or the key that the provider was told, `TASK-CALL`, alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// What the provider bills.
    pub cost_usd: String,
}

/// What a bill settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reconciliation {
    /// Whose steps they are.
    pub task_id: String,
    /// `reconciled`, or `unchanged` where the same bill had settled them before.
    pub outcome: String,
    /// What was settled, step by step; nothing where that was done before.
    pub steps: Vec<ReconciledStep>,
}

/// A step that was in doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReconciledStep {
    /// The step.
    pub step: u32,
    /// What was booked in doubt.
    pub in_doubt_usd: String,
    /// What it cost.
    pub cost_usd: String,
}
