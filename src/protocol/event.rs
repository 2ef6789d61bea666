//! Events: what the journal of a task holds, and what the daemon tells those who listen.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// One event. The kinds that concern a task: `task_submitted`, `step_started`, `step_finished`, `step_failed`,
/// `step_skipped`, `cancel_requested`, `step_decided`, `task_signalled`, `attention_needed`, `retry_requested`,
/// `feedback_given`, `task_ended`; that concern the daemon: `template_published`, `template_refused`, `template_withdrawn`,
/// `template_rolled_back`, `template_rollback_lifted`, `template_edit_held`,
/// `budget_exceeded`, `actor_restarted`, `actor_stuck`, `actor_quarantined`, `actor_released`, `agent_quarantined`,
/// `agent_released`, `provider_breaker_opened`, `provider_breaker_closed`, `provider_key_rejected`, `experiment_started`, `experiment_ended`, `experiment_variant_halted`, `backup_taken`, `backup_failed`, `tasks_deleted`, `data_erased`, `audit_broken`; and `events_missed`, for a slow listener.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// What happened.
    pub kind: String,
    /// When.
    pub at: String,
    /// The task that it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// Its place in the task's journal, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// What else the kind says; never the text of a prompt or answer.
    #[serde(flatten)]
    pub details: Map<String, Value>,
}
