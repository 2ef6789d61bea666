//! Erasures of somebody's data, and their receipts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /factory/erasures`. At least one of the two is given; a user without a tenant is meant in every tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Erase {
    /// The tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// An erasure as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Erasure {
    /// Its identifier.
    pub erasure_id: String,
    /// `running` until everything is gone, then `done`.
    pub state: String,
    /// The tenant that it concerns.
    pub tenant: Option<String>,
    /// The user that it concerns.
    pub user: Option<String>,
    /// Who asked.
    pub asked_by: String,
    /// When (RFC 3339).
    pub asked_at: String,
    /// What was deleted so far.
    pub deleted: Deleted,
    /// Why the last attempt failed, as a code of `docs/errors.md`; it is tried again every few seconds. Not kept over a restart, which
    /// tries at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// The signed receipt, once it is done.
    pub receipt: Option<SignedReceipt>,
}

/// How much was deleted, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Deleted {
    /// Tasks, with their inputs and answers.
    pub tasks: u64,
    /// Records of tasks.
    pub records: u64,
    /// Registered agents.
    pub agents: u64,
    /// Turns that agents remembered.
    pub memory: u64,
    /// What tools were still to be told.
    pub hooks: u64,
    /// Idempotency keys.
    pub idempotency_keys: u64,
    /// Records that no key opened any more, whatever they were.
    pub remnants: u64,
}

/// A receipt with its signature: what `factoryctl erase verify` reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedReceipt {
    /// What was done.
    pub receipt: Receipt,
    /// The signature in base64, over the receipt as compact JSON with its members in this order.
    pub signature: String,
}

/// What an erasure did. Beyond the scope that was asked for it holds nothing personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// `agent-factory/erasure/v1`.
    pub format: String,
    /// The id of the audit log, which is the key's.
    pub log: String,
    /// The public key: 32 bytes in base64.
    pub key: String,
    /// The erasure.
    pub erasure_id: String,
    /// The tenant that it concerned.
    pub tenant: Option<String>,
    /// The user that it concerned.
    pub user: Option<String>,
    /// Who asked.
    pub asked_by: String,
    /// When (RFC 3339).
    pub asked_at: String,
    /// When it was done (RFC 3339).
    pub finished_at: String,
    /// `keys_destroyed` where the keys under which the data lay were overwritten, so that copies of the records below the store are
    /// of no use either; `deleted` where the data had no key of its own.
    pub method: String,
    /// What was deleted.
    pub deleted: Deleted,
    /// Tasks and other records that are damaged so that nobody can tell whose they are. They stay, and may hold data of theirs.
    pub undecided: u64,
    /// The ids of the keys that were overwritten, ascending.
    pub key_ids: Vec<u32>,
    /// The entry of the audit log that says who asked.
    pub audit_entry: u64,
}
