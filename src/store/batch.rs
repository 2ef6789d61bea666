//! What is committed together, and its limits.

use super::Error;
use super::group::Change;
use crate::domain::owner::Owner;

/// The largest body that is kept in the database; a larger one is a file of its own.
pub const STORED_BODY_BYTES_MAX: usize = 1_024 * 1_024;
/// The most bytes of keys and bodies in one batch.
pub const BATCH_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// The most changes in one batch.
pub const BATCH_CHANGES_MAX: usize = 65_536;
/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 512;

/// Families of keys in the one sled tree. The byte is the first of every stored key and never changes its meaning. What stands in
/// keys is never encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Keyspace {
    /// Records of registered agents, by agent id.
    Agent = b'a',
    /// Budget limits set at run time, by scope.
    Budget = b'b',
    /// Sums that the committer keeps ([`Batch::add`]).
    Counter = b'c',
    /// Tasks that a registered agent ended, by agent id and task id: its memory.
    Turn = b'h',
    /// Idempotency keys, by principal and key.
    Idempotency = b'i',
    /// The audit log, a hash chain ([`Batch::chain`]).
    Audit = b'l',
    /// Signed checkpoints of the audit log, by the number of entries and the time.
    Checkpoint = b'w',
    /// Facts about the store itself.
    Meta = b'm',
    /// What tools are still to be told of tasks, by tool, task id and the sequence of the record that it follows.
    Outbox = b'n',
    /// Tasks that have not ended, by task id.
    Open = b'o',
    /// Policies that were in force, by digest.
    Policy = b'g',
    /// Pieces of values above 4 KiB. Only the store itself writes here.
    Piece = b'p',
    /// Restarts of actors and their quarantines, by the actor's name in the ledger.
    Restart = b'r',
    /// Snapshots of tasks, by task id.
    Snapshot = b's',
    /// What happened to budgets' scopes in their present windows, by what it is and the scope.
    Mark = b'k',
    /// What was asked to be erased, with the receipts, by erasure id.
    Erasure = b'e',
    /// Amounts that were booked in doubt and not reconciled, by task id and step.
    Doubt = b'd',
    /// Task journals, by task id and sequence.
    Task = b't',
    /// Published template versions.
    Template = b'v',
}

/// A stored value before its envelope: the room that owns the keyspace gives kind and version their meaning.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// What the body is.
    pub kind: u8,
    /// The version of that kind's encoding.
    pub version: u8,
    /// The encoded body.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "record kind {} version {} of {} bytes", self.kind, self.version, self.body.len())
    }
}

impl Keyspace {
    /// Every keyspace, in the order of their keys.
    pub const ALL: [Self; 19] = [
        Self::Agent,
        Self::Budget,
        Self::Counter,
        Self::Doubt,
        Self::Erasure,
        Self::Policy,
        Self::Turn,
        Self::Idempotency,
        Self::Mark,
        Self::Audit,
        Self::Meta,
        Self::Outbox,
        Self::Open,
        Self::Piece,
        Self::Restart,
        Self::Snapshot,
        Self::Task,
        Self::Template,
        Self::Checkpoint,
    ];

    /// The keyspace of a stored key.
    pub(super) fn of_key(key: &[u8]) -> Option<Self> {
        let letter = *key.first()?;
        Self::ALL.into_iter().find(|keyspace| *keyspace as u8 == letter)
    }

    /// Its letter, for messages.
    #[must_use]
    pub const fn letter(self) -> char {
        self as u8 as char
    }
}

/// Changes that become durable together or not at all.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    pub(super) changes: Vec<Change>,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a record of the host's under a key.
    #[must_use]
    pub fn put(self, keyspace: Keyspace, key: impl Into<Vec<u8>>, record: Record) -> Self {
        self.put_of(keyspace, key, record, &Owner::Host)
    }

    /// Writes a record of somebody's under a key: where records are encrypted, with the owner's own key.
    #[must_use]
    pub fn put_of(mut self, keyspace: Keyspace, key: impl Into<Vec<u8>>, record: Record, owner: &Owner) -> Self {
        self.changes.push(Change::Put { keyspace, key: key.into(), record, owner: owner.clone(), seal: None });
        self
    }

    /// Removes a key.
    #[must_use]
    pub fn delete(mut self, keyspace: Keyspace, key: impl Into<Vec<u8>>) -> Self {
        self.changes.push(Change::Delete { keyspace, key: key.into() });
        self
    }

    /// Adds to a counter. The committer keeps the sums, so that concurrent batches cannot lose an update, and writes each
    /// counter once a group however many batches touch it.
    #[must_use]
    pub fn add(mut self, key: impl Into<Vec<u8>>, amount: i64) -> Self {
        self.changes.push(Change::Add { key: key.into(), amount });
        self
    }

    /// Appends to a keyspace's hash chain. The committer gives it the next sequence number (the key, eight bytes
    /// big-endian) and the link to its predecessor, so that the order of the chain is the order of the commits.
    #[must_use]
    pub fn chain(mut self, keyspace: Keyspace, record: Record) -> Self {
        self.changes.push(Change::Chain { keyspace, record });
        self
    }

    /// Puts another batch's changes behind this one's.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.changes.extend(other.changes);
        self
    }

    /// Checks the limits; returns how many bytes there are to write.
    pub(super) fn measure(&self) -> Result<usize, Error> {
        limit("changes of a batch", self.changes.len(), BATCH_CHANGES_MAX)?;
        let mut bytes = 0_usize;
        for change in &self.changes {
            let (key, body) = match change {
                Change::Put { keyspace: Keyspace::Counter | Keyspace::Meta | Keyspace::Piece, .. } => {
                    return Err(Error::Reserved);
                }
                Change::Delete { keyspace: Keyspace::Meta | Keyspace::Piece, .. } => return Err(Error::Reserved),
                Change::PutFile { .. } | Change::Replace(_) => return Err(Error::Reserved),
                Change::Put { key, record, .. } => (key.len(), record.body.len()),
                Change::Delete { key, .. } | Change::Add { key, .. } => (key.len(), 0),
                Change::Chain { record, .. } => {
                    limit("bytes of a chained record", record.body.len(), STORED_BODY_BYTES_MAX)?;
                    (8, record.body.len())
                }
            };
            limit("bytes of a key", key, KEY_BYTES_MAX)?;
            bytes = bytes.saturating_add(key).saturating_add(body);
        }
        limit("bytes of a batch", bytes, BATCH_BYTES_MAX)?;
        Ok(bytes)
    }
}

fn limit(what: &'static str, found: usize, most: usize) -> Result<(), Error> {
    if found > most { Err(Error::TooLarge { what, found, most }) } else { Ok(()) }
}
