//! The supervision tree.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One actor of the tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TreeNode {
    /// Its name among its siblings.
    pub name: String,
    /// `supervisor` or `worker`.
    pub kind: String,
    /// `running`, `restarting`, `stopped` or `quarantined`.
    pub state: String,
    /// How often it was restarted, also before the daemon's present start as far as that is remembered.
    pub restarts: u32,
    /// Of one that runs: `idle` (it waits for messages), `busy` (it is at one), or `stuck` (it has been at one for too long).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<String>,
    /// Of one that runs: how many messages wait for it, at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<u64>,
    /// Of one that is at a message: for how long, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy_ms: Option<u64>,
    /// Why its last incarnation ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<String>,
    /// For a supervisor: `one_for_one`, `one_for_all`, `rest_for_one` or `dynamic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// Its children, in the order of their start; of a dynamic supervisor at most 1,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    pub children: Vec<TreeNode>,
    /// How many children it has in all, where not all are listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub children_total: Option<u64>,
}

/// `POST /factory/tree/release`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseActor {
    /// Where it is in the tree, names parted by slashes: `root/core/data/dlp/dlp/0`.
    pub path: String,
}
