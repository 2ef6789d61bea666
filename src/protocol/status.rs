//! Health, readiness and the summary of metrics.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /health`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `healthy` or `degraded`.
    pub status: String,
    /// The daemon's version.
    pub version: String,
    /// How long it has run.
    pub uptime_seconds: f64,
    /// Why it is degraded, where a code of `docs/errors.md` says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<String>,
}

/// `GET /ready`: 200 when `ready`, else 503.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Ready {
    /// Whether requests are served.
    pub ready: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// `GET /factory/metrics`: seconds and USD; an average of nothing is null.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Metrics {
    /// Templates that are being served.
    pub templates_loaded: u64,
    /// The part of template look-ups that needed no new verification.
    pub cache_hit_rate: Option<f64>,
    /// The part of model calls that was answered from the result cache, of templates that have one, since the daemon started.
    #[serde(default)]
    pub result_cache_hit_rate: Option<f64>,
    /// The 95th percentile of the time to create an agent, since the daemon started.
    pub creation_time_p95: Option<f64>,
    /// Agents that work on a task now.
    pub active_agents: u64,
    /// Agents that were created and not stopped.
    pub registered_agents: u64,
    /// Tasks by state.
    pub tasks: BTreeMap<String, u64>,
    /// The mean cost of an ended task, its subtasks included, in USD, of all time.
    ///
    /// It and those below count from the data directory's first day, also tasks that retention has deleted.
    pub cost_per_task: Option<f64>,
    /// The mean cost of an agent, in USD: of registered ones, and of those that were made for one task or subtask.
    pub cost_per_agent: Option<f64>,
    /// The part of ended tasks that succeeded.
    pub success_rate: Option<f64>,
    /// The mean of all scores that were given, from 0 to 1; who judges a task twice counts twice. Tasks in experiments count as all
    /// others do.
    pub satisfaction: Option<f64>,
}
