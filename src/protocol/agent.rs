//! Agents.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /factory/agents`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAgent {
    /// The template to make the agent from.
    pub template_name: String,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The tenant that the agent belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The user whom the agent serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// An agent's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Working on a task.
    Active,
    /// In memory, waiting.
    Idle,
    /// Stored only; the next task activates it.
    Passive,
    /// Stopped for good.
    Stopped,
}

/// An agent.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Agent {
    /// Its identifier.
    pub agent_id: String,
    /// The template that it was made from.
    pub template_name: String,
    /// That template's version when the agent was made.
    pub template_version: String,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its tenant.
    pub tenant: String,
    /// Its user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What it is doing.
    pub state: AgentState,
    /// How often it was restarted since the daemon started.
    pub restarts: u32,
    /// Whether it was given up too often and does nothing until it is released. Its open tasks wait.
    #[serde(default)]
    pub quarantined: bool,
    /// When it was made.
    pub created_at: String,
}

/// `POST /factory/create_agent`, kept for the predecessor's callers.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAgentCompat {
    /// The template's name.
    pub agent_type: String,
    /// `name`, `tenant` and `user`, as in [`CreateAgent`].
    #[serde(default)]
    pub config: CompatConfig,
}

/// The configuration that the predecessor's callers send.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompatConfig {
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}
