//! Encryption at rest.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /factory/encryption`, and the answer to `POST /factory/encryption/rotate`. Counts of records are since the daemon started,
/// or since the keys were last exchanged where that is later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Encryption {
    /// `off` where there is no master key; `sealing` while records are in clear or under keys of before; `sealed` when all are under
    /// the keys in force.
    pub state: String,
    /// The keys; null where nothing is encrypted.
    pub keys: Option<Keys>,
    /// Records that were looked at.
    pub looked_at: u64,
    /// Records that were sealed with the keys in force.
    pub resealed: u64,
    /// Records that could not be read, and stay as they are.
    pub unreadable: u64,
}

/// The keys of the store, by number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Keys {
    /// In force: one for each tenant, each user of one, and the host.
    pub current: u64,
    /// Of before; records may still be under them.
    pub replaced: u64,
    /// Destroyed for good.
    pub destroyed: u64,
    /// Damaged; what is under them cannot be read.
    pub damaged: u64,
    /// How often all keys were exchanged.
    pub generation: u32,
    /// How often they were wrapped under another master key.
    pub wraps: u32,
}
