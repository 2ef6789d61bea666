//! How an entry reads (pure): the same in the API, in exports and on the command line.

use crate::protocol::audit::AuditEntry;

use super::entry::Outcome;
use super::handle::Recorded;

/// An entry for people and programs.
#[must_use]
pub fn readable(recorded: &Recorded) -> AuditEntry {
    let entry = &recorded.entry;
    let (outcome, code) = match &entry.outcome {
        Outcome::Allowed => ("allowed", None),
        Outcome::Refused { code } => ("refused", Some(code.to_string())),
    };
    AuditEntry {
        sequence: recorded.sequence,
        at: entry.at.to_string(),
        principal: entry.who.name.to_string(),
        role: entry.who.role.to_string(),
        tenant: entry.who.tenant.as_ref().map(ToString::to_string),
        uid: entry.who.uid,
        action: entry.action.to_string(),
        subject: entry.subject.as_ref().map(ToString::to_string),
        outcome: outcome.to_owned(),
        code,
        reason: entry.reason.as_ref().map(ToString::to_string),
        policy_digest: entry.policy.map(|digest| digest.to_string()),
        link: hex::encode(recorded.link),
    }
}
