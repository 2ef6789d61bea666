//! The audit log.

use std::time::Duration;

use super::call::Call;
use super::download::Download;
use super::exchange::{JSON_LINES, TEXT};
use super::{Client, Error};
use crate::protocol::audit::{AuditEntry, AuditKey, AuditProof, AuditVerified};
use crate::protocol::page::Page;

/// How long a verification of the whole log, or a proof, may take: each reads all of it.
const READ_WITHIN: Duration = Duration::from_secs(600);

/// The audit log. Every method fails as [`Error`] says.
impl Client {
    /// Decisions in their order, from behind `after`.
    pub async fn audit(&self, after: u64, limit: usize) -> Result<Page<AuditEntry>, Error> {
        self.ask(Call::get("/factory/audit").page(Some(limit), Some(&after.to_string()))).await
    }

    /// The newest decisions, oldest first.
    pub async fn newest_audit(&self, last: usize) -> Result<Page<AuditEntry>, Error> {
        self.ask(Call::get("/factory/audit").parameter("last", &last.to_string())).await
    }

    /// The whole log, in the form `agent-factory/audit/v1`; it is whole only if its last line is an end.
    pub async fn audit_export(&self) -> Result<Download, Error> {
        self.download(Call::get("/factory/audit/export").patiently(READ_WITHIN), JSON_LINES, "export").await
    }

    /// The last signed checkpoint.
    pub async fn audit_checkpoint(&self) -> Result<String, Error> {
        self.text(Call::get("/factory/audit/checkpoint"), TEXT).await
    }

    /// The public key of the log.
    pub async fn audit_key(&self) -> Result<AuditKey, Error> {
        self.ask(Call::get("/factory/audit/key")).await
    }

    /// Has the daemon verify the log as it is stored.
    pub async fn audit_verify(&self) -> Result<AuditVerified, Error> {
        self.ask(Call::get("/factory/audit/verify").patiently(READ_WITHIN)).await
    }

    /// That an entry is under a checkpoint.
    pub async fn audit_proof(&self, entry: u64) -> Result<AuditProof, Error> {
        let call = Call::get("/factory/audit/proof").parameter("entry", &entry.to_string());
        self.ask(call.patiently(READ_WITHIN)).await
    }
}
