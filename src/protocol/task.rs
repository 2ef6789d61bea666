//! Tasks and their journals.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// `POST /factory/tasks`. Exactly one of `template_name`, `agent_id` and `capability` is given.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitTask {
    /// Runs on a fresh agent of this template, or by this orchestrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_name: Option<String>,
    /// Runs on this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Runs on a worker with this capability: one that is registered and free, else a fresh one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capability: Option<String>,
    /// Text, or an object that reaches the model as compact JSON.
    pub input: Value,
    /// The most that the task may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_usd: Option<String>,
    /// When the task fails if it has not ended (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// The tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Kept with the task and given back; nothing reads it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// `POST /factory/execute_task`, kept for the predecessor's callers.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecuteTask {
    /// The agent.
    pub agent_id: String,
    /// Text, or `{"input": …}`.
    pub task: Value,
}

/// A task's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Acknowledged; its agent has not begun.
    Queued,
    /// Its agent works.
    Running,
    /// A person must approve or reject.
    WaitingApproval,
    /// A person must decide what no rule can.
    NeedsAttention,
    /// Done.
    Succeeded,
    /// Given up, with an error. Somebody may retry it; then it is open again.
    Failed,
    /// Cancelled on request.
    Cancelled,
}

impl TaskState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::WaitingApproval => "waiting_approval",
            Self::NeedsAttention => "needs_attention",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more will happen to the task, unless it failed and somebody retries it.
    #[must_use]
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// Tokens used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskUsage {
    /// Tokens read by models.
    pub input_tokens: u64,
    /// Tokens written by models.
    pub output_tokens: u64,
    /// Of the input, tokens from the provider's cache.
    #[serde(default)]
    pub cached_input_tokens: u64,
    /// Of the output, reasoning.
    #[serde(default)]
    pub reasoning_tokens: u64,
    /// Of the input, tokens that the provider put into its cache.
    #[serde(default)]
    pub cache_write_tokens: u64,
}

/// Why a task failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskError {
    /// A stable code (`docs/errors.md`).
    pub code: String,
    /// What happened.
    pub message: String,
}

/// One step of a task: a model call, a subtask, a tool's call, or a wait for a time, a person or a signal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskStep {
    /// Its number in the task, from 0.
    pub number: u32,
    /// `model`, `delegate`, `tool`, `timer`, `approval` or `signal`.
    pub kind: String,
    /// `provider/model`, or the plan's step id.
    pub name: String,
    /// `started`, `finished`, `failed`, `in_doubt` or `skipped`.
    pub state: String,
    /// The subtask, for a delegated step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// What it cost.
    pub cost_usd: String,
    /// How long it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<f64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<TaskError>,
}

/// What a task waits for a person for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WaitingFor {
    /// `approval`: a step asks, and `approve` or `reject` answers it. `attention`: it cannot go on by itself; `retry` has it
    /// try again, `approve` takes the step as done, `reject` as failed.
    pub kind: String,
    /// The number of the step, where it is about one.
    pub step: Option<u32>,
    /// What the step is called in its plan.
    pub name: Option<String>,
    /// What is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// What happened, as a stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What happened, and what a person can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it is too late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// `POST /factory/tasks/{id}/approve` and `/reject`. The body may be left out.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The number of the step; needed only where several wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
}

/// `POST /factory/tasks/{id}/signals/{name}`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// Text, or an object that reaches the plan as compact JSON.
    pub payload: Value,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Task {
    /// Its identifier.
    pub task_id: String,
    /// The agent that runs it; for an orchestrated task, the orchestrator's.
    pub agent_id: String,
    /// Its template.
    pub template_name: String,
    /// The version that it is pinned to.
    pub template_version: String,
    /// The digest of that version.
    pub template_digest: String,
    /// Its state.
    pub state: TaskState,
    /// The answer: text, or JSON where the plan makes JSON. Null until it succeeded.
    pub output: Value,
    /// What it cost so far, its subtasks included.
    pub cost_usd: String,
    /// Tokens used so far, its subtasks included.
    pub usage: TaskUsage,
    /// Its latest steps, in order: all of an orchestrator's; of a long task of an agent the last 16 at least. The task's
    /// events have them all.
    pub steps: Vec<TaskStep>,
    /// How many steps have started.
    #[serde(default)]
    pub steps_total: u32,
    /// What it waits for a person for; of several things, the first. Null where it waits for nobody.
    #[serde(default)]
    pub waiting_for: Option<WaitingFor>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<TaskError>,
    /// Its tenant.
    pub tenant: String,
    /// Its user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The task that delegated it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// What its submitter sent along.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// The latest feedback, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<f64>,
    /// When it was submitted.
    pub created_at: String,
    /// When it ended; gone where it was retried since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
}

/// `POST /factory/tasks/{id}/feedback`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Feedback {
    /// 0 (useless) to 1 (perfect).
    pub score: f64,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}
