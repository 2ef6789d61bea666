//! Faults on request.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /factory/chaos/kill`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KillActor {
    /// The names from the root to the actor, as `GET /factory/tree` tells them, with slashes between:
    /// `root/core/data/dlp/dlp/0`.
    pub path: String,
}
