//! One decision, as the audit log keeps it. It names things and codes; it never holds a text, a secret or a sensitive value.

use std::sync::Arc;

use minicbor::bytes::{ByteArray, ByteSlice};

use crate::domain::clock::Timestamp;
use crate::domain::name::{Digest, Tenant};
use crate::store::{Batch, Keyspace, Record};

const KIND: u8 = 1;
const VERSION: u8 = 1;

/// The longest text of a field, in bytes; longer ones are cut. An entry stays far below what the store keeps in one piece.
pub const FIELD_BYTES_MAX: usize = 512;

/// Who asked for the decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The principal's name.
    pub name: Arc<str>,
    /// Its role.
    pub role: Arc<str>,
    /// The only tenant that exists for it, if there is one.
    pub tenant: Option<Tenant>,
    /// Its number on the host, if it is a user of it.
    pub uid: Option<u32>,
}

impl Who {
    /// The daemon itself: what it does unasked.
    #[must_use]
    pub fn daemon() -> Self {
        Self { name: "factoryd".into(), role: "daemon".into(), tenant: None, uid: None }
    }
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was allowed.
    Allowed,
    /// It was refused, with this code of `docs/errors.md`.
    Refused {
        /// The code.
        code: Arc<str>,
    },
}

/// One decision: who asked to do what to which thing, what came of it and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Who asked.
    pub who: Who,
    /// What for: a permission's word, such as `submit_task`.
    pub action: Arc<str>,
    /// On what: the identifier or name of a task, agent, template, scope or key.
    pub subject: Option<Arc<str>>,
    /// What was decided.
    pub outcome: Outcome,
    /// Why, in words that hold nothing sensitive.
    pub reason: Option<Arc<str>>,
    /// The policy under which it was decided.
    pub policy: Option<Digest>,
}

/// An entry as stored. Fields are only ever added.
#[derive(minicbor::Encode, minicbor::Decode)]
struct Stored<'a> {
    #[n(0)]
    at: i64,
    #[b(1)]
    name: &'a str,
    #[b(2)]
    role: &'a str,
    #[b(3)]
    tenant: Option<&'a str>,
    #[n(4)]
    uid: Option<u32>,
    #[b(5)]
    action: &'a str,
    #[b(6)]
    subject: Option<&'a str>,
    #[b(7)]
    refused: Option<&'a str>,
    #[b(8)]
    reason: Option<&'a str>,
    #[b(9)]
    policy: Option<&'a ByteSlice>,
}

impl Entry {
    /// A decision that allowed something.
    #[must_use]
    pub fn allowed(at: Timestamp, who: Who, action: &str) -> Self {
        Self { at, who, action: action.into(), subject: None, outcome: Outcome::Allowed, reason: None, policy: None }
    }

    /// A decision that refused something, with its code and why.
    #[must_use]
    pub fn refused(at: Timestamp, who: Who, action: &str, code: &str, reason: &str) -> Self {
        let outcome = Outcome::Refused { code: code.into() };
        Self { at, who, action: action.into(), subject: None, outcome, reason: Some(reason.into()), policy: None }
    }

    /// Says what it was about.
    #[must_use]
    pub fn on(mut self, subject: impl ToString) -> Self {
        self.subject = Some(subject.to_string().into());
        self
    }

    /// Says why, in words that hold nothing sensitive.
    #[must_use]
    pub fn because(mut self, reason: impl ToString) -> Self {
        self.reason = Some(reason.to_string().into());
        self
    }

    /// Says under which policy.
    #[must_use]
    pub fn under(mut self, policy: Digest) -> Self {
        self.policy = Some(policy);
        self
    }

    /// The change that appends it to the log, for who knows under which policy it was decided. Others ask the log itself.
    #[must_use]
    pub fn into_batch_under(self, policy: Digest) -> Batch {
        self.under(policy).into_batch()
    }

    /// The change that appends it to the log.
    #[must_use]
    pub(super) fn into_batch(self) -> Batch {
        Batch::new().chain(Keyspace::Audit, self.encode())
    }

    pub(super) fn encode(&self) -> Record {
        let refused = match &self.outcome {
            Outcome::Allowed => None,
            Outcome::Refused { code } => Some(cut(code)),
        };
        let policy = self.policy.map(|digest| ByteArray::from(*digest.as_bytes()));
        let stored = Stored {
            at: self.at.micros(),
            name: cut(&self.who.name),
            role: cut(&self.who.role),
            tenant: self.who.tenant.as_ref().map(Tenant::as_str),
            uid: self.who.uid,
            action: cut(&self.action),
            subject: self.subject.as_deref().map(cut),
            refused,
            reason: self.reason.as_deref().map(cut),
            policy: policy.as_ref().map(|digest| digest.as_slice().into()),
        };
        #[expect(clippy::expect_used, reason = "writing to memory is infallible, and so is encoding these fields")]
        let body = minicbor::to_vec(&stored).expect("encodes plain fields into memory");
        Record { kind: KIND, version: VERSION, body }
    }

    /// Reads a stored entry back.
    pub(super) fn decode(record: &Record) -> Result<Self, String> {
        if (record.kind, record.version) != (KIND, VERSION) {
            return Err(format!("kind {} version {} is not known to this release", record.kind, record.version));
        }
        let stored: Stored<'_> = minicbor::decode(&record.body).map_err(|fault| fault.to_string())?;
        let policy = stored.policy.map(|digest| <[u8; 32]>::try_from(&**digest)).transpose();
        Ok(Self {
            at: Timestamp::from_micros(stored.at),
            who: Who {
                name: stored.name.into(),
                role: stored.role.into(),
                tenant: stored.tenant.map(str::parse).transpose().map_err(|_| "not a tenant")?,
                uid: stored.uid,
            },
            action: stored.action.into(),
            subject: stored.subject.map(Into::into),
            outcome: stored.refused.map_or(Outcome::Allowed, |code| Outcome::Refused { code: code.into() }),
            reason: stored.reason.map(Into::into),
            policy: policy.map_err(|_| "not a digest")?.map(Digest::from_bytes),
        })
    }
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(FIELD_BYTES_MAX)).unwrap_or(text)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store::STORED_BODY_BYTES_MAX;

    pub(in super::super) fn who() -> Who {
        Who { name: "ann".into(), role: "submitter".into(), tenant: Some(Tenant::default_tenant()), uid: Some(1000) }
    }

    #[test]
    fn an_entry_reads_back() {
        let at = Timestamp::from_micros(1_800_000_000_000_000);
        let plain = Entry::allowed(at, who(), "submit_task");
        let full = Entry::refused(at, who(), "set_budgets", "forbidden", "role submitter does not permit it")
            .on("tenant:acme")
            .under(Digest::from_bytes([7; 32]));
        for entry in [plain, full] {
            assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
        }
    }

    #[test]
    fn the_longest_entry_is_stored_in_one_piece() {
        let long = "é".repeat(10_000);
        let who = Who { name: long.as_str().into(), role: long.as_str().into(), tenant: None, uid: Some(u32::MAX) };
        let entry =
            Entry::refused(Timestamp::now(), who, &long, &long, &long).on(&long).under(Digest::from_bytes([255; 32]));
        let record = entry.encode();
        assert!(record.body.len() <= STORED_BODY_BYTES_MAX, "{} bytes", record.body.len());
        assert_eq!(Entry::decode(&record).map(|read| read.action.len()), Ok(FIELD_BYTES_MAX));
    }

    #[test]
    fn what_a_later_release_wrote_is_named_and_not_guessed_at() {
        let record = Record { kind: KIND, version: VERSION + 1, body: Vec::new() };
        assert!(Entry::decode(&record).expect_err("refused").contains("version 2"));
    }
}
