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
    /// How often it was restarted since the daemon started.
    pub restarts: u32,
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
