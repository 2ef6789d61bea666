//! A request to do something, parsed but not yet allowed.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::domain::clock::Timestamp;
use crate::domain::id::AgentId;
use crate::domain::money::Usd;
use crate::domain::name::{Capability, TemplateName, Tenant, User};
use crate::domain::private::Text;
use crate::journal::dialogue::Dialogue;
use crate::journal::encode;

/// The largest input, in bytes.
pub const INPUT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The longest idempotency key, in bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// The most entries of metadata.
pub const METADATA_ENTRIES_MAX: usize = 32;
/// The longest name or value in metadata, in bytes.
pub const METADATA_TEXT_BYTES_MAX: usize = 1_024;

/// Who is to do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A fresh agent of this template, or this orchestrator.
    Template(TemplateName),
    /// This registered agent.
    Agent(AgentId),
    /// Whoever has this capability.
    Capability(Capability),
}

/// A request to do something.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Who is to do it.
    pub target: Target,
    /// What it is about.
    pub input: Text,
    /// The most that it may cost.
    pub budget: Option<Usd>,
    /// When it is too late.
    pub deadline: Option<Timestamp>,
    /// For which tenant.
    pub tenant: Option<Tenant>,
    /// For which user.
    pub user: Option<User>,
    /// Kept and given back.
    pub metadata: BTreeMap<String, String>,
    /// Makes it safe to repeat.
    pub idempotency_key: Option<String>,
    /// The conversation that the input belongs to.
    pub dialogue: Option<Box<Dialogue>>,
    /// Whether the answer is listened to as it comes.
    pub streamed: bool,
}

impl Submission {
    /// How many bytes of what somebody wrote it holds, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.input.len().saturating_add(self.dialogue.as_ref().map_or(0, |dialogue| dialogue.len()))
    }

    /// What two submissions under one idempotency key must have in common: everything but the key.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(bytes);
        };
        match &self.target {
            Target::Template(name) => part(format!("template {name}").as_bytes()),
            Target::Agent(id) => part(format!("agent {id}").as_bytes()),
            Target::Capability(name) => part(format!("capability {name}").as_bytes()),
        }
        part(self.input.expose().as_bytes());
        part(format!("{:?} {:?} {:?} {:?}", self.budget, self.deadline, self.tenant, self.user).as_bytes());
        if let Some(dialogue) = &self.dialogue {
            part(&encode(dialogue.as_ref()));
        }
        for (name, value) in &self.metadata {
            part(name.as_bytes());
            part(value.as_bytes());
        }
        hash.finalize().into()
    }
}

/// A registered agent that somebody wants.
#[derive(Debug, Clone)]
pub struct NewAgent {
    /// From which template.
    pub template: TemplateName,
    /// Its name for people.
    pub name: Option<String>,
    /// Whose.
    pub tenant: Option<Tenant>,
    /// For whom.
    pub user: Option<User>,
}
