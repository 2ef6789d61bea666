//! The audit log.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its place in the chain, from 1.
    pub sequence: u64,
    /// When.
    pub at: String,
    /// Who asked.
    pub principal: String,
    /// As what.
    pub role: String,
    /// Of which tenant; absent for one of every tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The peer's user number, where the kernel said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// What was asked.
    pub action: String,
    /// About what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// `allowed` or `refused`.
    pub outcome: String,
    /// The code of the refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The digest of the policy that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_digest: Option<String>,
    /// SHA-256 over the previous link and this entry, in hexadecimal.
    pub link: String,
}

/// `GET /factory/audit/key`: what whoever verifies the log is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditKey {
    /// The id of the log, which is made of the key.
    pub log: String,
    /// `ed25519`.
    pub algorithm: String,
    /// The public key in PEM, as `audit verify --key` takes it.
    pub public_key: String,
    /// The same as tools for signed notes take it: `name+hash+key`.
    pub verifier_key: String,
}

/// `GET /factory/audit/verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditVerified {
    /// Whether all of it holds: every link, and every checkpoint.
    pub holds: bool,
    /// How many entries were verified, where it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// The last link, in hexadecimal, where it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The Merkle root over the entries, in base64, where it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// How many checkpoints agree with it, where it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoints: Option<u64>,
    /// How many of those were signed by another key than the present one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_other_keys: Option<u64>,
    /// The code of what is wrong, where it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What is wrong, and where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `GET /factory/audit/proof`: that an entry is under a checkpoint, or that a checkpoint continues an earlier one (RFC 9162,
/// section 2.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditProof {
    /// The checkpoint as a signed note.
    pub checkpoint: String,
    /// The entry that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<AuditEntry>,
    /// Kind, version and body of the entry's record, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// Over how many entries the earlier state was that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// The Merkle root over them, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_root: Option<String>,
    /// The hashes of the proof, in base64, from the leaves upwards.
    pub hashes: Vec<String>,
}
