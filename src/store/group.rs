//! What a group of batches writes (pure): batches in, one set of writes out.
//!
//! Later changes of a group see earlier ones: `writes` lies over what is stored. Counters and chain heads are the committer's
//! [`Ledger`], which it keeps from group to group; it is only ahead of what is stored while a group is being written, and a
//! group that fails ends all writing.

use std::collections::{HashMap, HashSet};

use super::batch::STORED_BODY_BYTES_MAX;
use super::chain::{self, FIRST_SEQUENCE, GENESIS, Link32};
use super::envelope::{self, Content, Label, PIECE_BYTES};
use super::key::{self, PieceSet};
use super::payload::Digest;
use super::{Keyspace, Position, Record};

/// Counters kept in memory; beyond it they are forgotten and read again when touched.
const SUMS_MAX: usize = 65_536;

/// How the store's own records (counters, positions, references) are labelled.
const OWN: Label = Label { kind: 1, version: 1, link: None };

/// One change of a batch. [`Change::PutFile`] takes the place of a [`Change::Put`] whose body is in its file.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Put { keyspace: Keyspace, key: Vec<u8>, record: Record },
    PutFile { keyspace: Keyspace, key: Vec<u8>, kind: u8, version: u8, digest: Digest, bytes: u64 },
    Delete { keyspace: Keyspace, key: Vec<u8> },
    Add { key: Vec<u8>, amount: i64 },
    Chain { keyspace: Keyspace, record: Record },
}

impl Change {
    /// The record that it puts, if its body goes to a file of its own.
    pub(super) fn as_payload(&self) -> Option<(Keyspace, &[u8], &Record)> {
        match self {
            Self::Put { keyspace, key, record } if record.body.len() > STORED_BODY_BYTES_MAX => {
                Some((*keyspace, key, record))
            }
            Self::Put { .. } | Self::PutFile { .. } | Self::Delete { .. } | Self::Add { .. } | Self::Chain { .. } => {
                None
            }
        }
    }
}

/// A full key and its value.
pub(super) type Entry = (Vec<u8>, Vec<u8>);

/// What is stored before the group.
pub(super) trait Prior {
    type Error;
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error>;
    /// The last key of a keyspace, keyspace included, and its value.
    fn last(&self, keyspace: Keyspace) -> Result<Option<Entry>, Self::Error>;
}

/// Why a group cannot be put together.
#[derive(Debug, thiserror::Error)]
pub(super) enum Hindrance<E> {
    #[error("{0}")]
    Read(E),
    #[error("the last record of chain {0:?} is damaged")]
    ChainEnd(Keyspace),
    #[error("counter {0} is damaged")]
    Counter(String),
    #[error("the reference count of a payload is damaged")]
    Reference,
}

/// What the committer remembers between groups.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    sums: HashMap<Vec<u8>, i64>,
    heads: HashMap<Keyspace, (u64, Link32)>,
}

/// A group being put together.
#[derive(Debug)]
pub(super) struct Group<'a, P: Prior> {
    prior: &'a P,
    ledger: &'a mut Ledger,
    position: Position,
    sets: u32,
    writes: HashMap<Vec<u8>, Option<Vec<u8>>>,
    touched: HashSet<Vec<u8>>,
    unnamed: HashSet<Digest>,
}

/// A group as it is written: `None` removes a key.
#[derive(Debug)]
pub(super) struct Writes {
    pub(super) entries: HashMap<Vec<u8>, Option<Vec<u8>>>,
    /// Payloads that no record names any more.
    pub(super) unnamed: Vec<Digest>,
}

type Outcome<T, P> = Result<T, Hindrance<<P as Prior>::Error>>;

impl<'a, P: Prior> Group<'a, P> {
    pub(super) fn new(prior: &'a P, ledger: &'a mut Ledger, position: Position) -> Self {
        Self {
            prior,
            ledger,
            position,
            sets: 0,
            writes: HashMap::new(),
            touched: HashSet::new(),
            unnamed: HashSet::new(),
        }
    }

    pub(super) fn apply(&mut self, change: Change) -> Outcome<(), P> {
        match change {
            Change::Put { keyspace, key, record } => {
                let label = Label { kind: record.kind, version: record.version, link: None };
                self.put(key::full(keyspace, &key), &label, &record.body)
            }
            Change::PutFile { keyspace, key, kind, version, digest, bytes } => {
                let key = key::full(keyspace, &key);
                // Counted before the old record's is released: both may name the same file.
                self.refer(&digest, 1)?;
                self.release(&key)?;
                let label = Label { kind, version, link: None };
                let value = envelope::seal(&key, &label, Content::File { digest, bytes });
                self.writes.insert(key, Some(value));
                Ok(())
            }
            Change::Delete { keyspace: Keyspace::Counter, key } => {
                self.ledger.sums.insert(key.clone(), 0);
                self.touched.insert(key);
                Ok(())
            }
            Change::Delete { keyspace, key } => {
                let key = key::full(keyspace, &key);
                if self.release(&key)? {
                    self.writes.insert(key, None);
                }
                Ok(())
            }
            Change::Add { key, amount } => {
                let sum = self.sum(&key)?.saturating_add(amount);
                self.ledger.sums.insert(key.clone(), sum);
                self.touched.insert(key);
                Ok(())
            }
            Change::Chain { keyspace, record } => {
                let (sequence, previous) = self.head(keyspace)?;
                let link = chain::link(&previous, sequence, &record);
                self.ledger.heads.insert(keyspace, (sequence.saturating_add(1), link));
                let label = Label { kind: record.kind, version: record.version, link: Some(link) };
                self.put(key::full(keyspace, &sequence.to_be_bytes()), &label, &record.body)
            }
        }
    }

    /// Closes the group: each touched counter once, and the group's own position.
    pub(super) fn finish(mut self) -> Writes {
        for counter in std::mem::take(&mut self.touched) {
            let key = key::full(Keyspace::Counter, &counter);
            // A sum of zero is the same as no counter, and takes no space.
            let sum = self.ledger.sums.get(&counter).copied().filter(|sum| *sum != 0);
            let value = sum.map(|sum| envelope::seal(&key, &OWN, Content::Inline(&sum.to_be_bytes())));
            self.writes.insert(key, value);
        }
        let key = key::full(Keyspace::Meta, key::POSITION);
        let value = envelope::seal(&key, &OWN, Content::Inline(&self.position.0.to_be_bytes()));
        self.writes.insert(key, Some(value));
        if self.ledger.sums.len() > SUMS_MAX {
            self.ledger.sums.clear();
        }
        Writes { entries: self.writes, unnamed: self.unnamed.into_iter().collect() }
    }

    fn put(&mut self, key: Vec<u8>, label: &Label, body: &[u8]) -> Outcome<(), P> {
        self.release(&key)?;
        let value = if body.len() <= envelope::inline_bytes_max(label) {
            envelope::seal(&key, label, Content::Inline(body))
        } else {
            let set = self.split(body);
            let bytes = u64::try_from(body.len()).unwrap_or(u64::MAX);
            envelope::seal(&key, label, Content::Pieces { set, bytes })
        };
        self.writes.insert(key, Some(value));
        Ok(())
    }

    fn split(&mut self, body: &[u8]) -> PieceSet {
        let set = PieceSet { position: self.position.0, ordinal: self.sets };
        self.sets = self.sets.saturating_add(1);
        for (index, part) in (0..).zip(body.chunks(PIECE_BYTES)) {
            let key = key::piece(set, index);
            let value = envelope::seal(&key, &OWN, Content::Inline(part));
            self.writes.insert(key, Some(value));
        }
        set
    }

    /// Gives up what the record under `key` keeps elsewhere; says whether there is one.
    fn release(&mut self, key: &[u8]) -> Outcome<bool, P> {
        let Some(value) = self.get(key)? else { return Ok(false) };
        match envelope::open(key, &value) {
            Ok((_, Content::Inline(_))) => {}
            Ok((_, Content::Pieces { set, bytes })) => {
                for index in 0..envelope::pieces(bytes) {
                    self.writes.insert(key::piece(set, index), None);
                }
            }
            Ok((_, Content::File { digest, .. })) => self.refer(&digest, -1)?,
            // Where a damaged record's pieces are is not known; they stay behind.
            Err(flaw) => tracing::warn!(%flaw, "a damaged record is being overwritten"),
        }
        Ok(true)
    }

    fn refer(&mut self, digest: &Digest, change: i64) -> Outcome<(), P> {
        let key = key::reference(digest);
        let count = match self.get(&key)? {
            Some(value) => number(&key, &value).ok_or(Hindrance::Reference)?,
            None => 0,
        };
        let count = count.saturating_add(change);
        let value = (count > 0).then(|| envelope::seal(&key, &OWN, Content::Inline(&count.to_be_bytes())));
        if value.is_some() {
            self.unnamed.remove(digest);
        } else {
            self.unnamed.insert(*digest);
        }
        self.writes.insert(key, value);
        Ok(())
    }

    fn sum(&self, counter: &[u8]) -> Outcome<i64, P> {
        if let Some(sum) = self.ledger.sums.get(counter) {
            return Ok(*sum);
        }
        let key = key::full(Keyspace::Counter, counter);
        match self.prior.get(&key).map_err(Hindrance::Read)? {
            Some(value) => number(&key, &value).ok_or_else(|| Hindrance::Counter(hex::encode(counter))),
            None => Ok(0),
        }
    }

    fn head(&self, keyspace: Keyspace) -> Outcome<(u64, Link32), P> {
        if let Some(head) = self.ledger.heads.get(&keyspace) {
            return Ok(*head);
        }
        match self.prior.last(keyspace).map_err(Hindrance::Read)? {
            None => Ok((FIRST_SEQUENCE, GENESIS)),
            Some((key, value)) => chain_end(&key, &value).ok_or(Hindrance::ChainEnd(keyspace)),
        }
    }

    fn get(&self, key: &[u8]) -> Outcome<Option<Vec<u8>>, P> {
        match self.writes.get(key) {
            Some(written) => Ok(written.clone()),
            None => self.prior.get(key).map_err(Hindrance::Read),
        }
    }
}

/// The number in one of the store's own records: a counter, a reference count, a position.
pub(super) fn number(key: &[u8], value: &[u8]) -> Option<i64> {
    match envelope::open(key, value) {
        Ok((_, Content::Inline(body))) => Some(i64::from_be_bytes(body.try_into().ok()?)),
        Ok((_, Content::Pieces { .. } | Content::File { .. })) | Err(_) => None,
    }
}

/// The next sequence number and the last link of a chain, given its last record.
pub(super) fn chain_end(key: &[u8], value: &[u8]) -> Option<(u64, Link32)> {
    let (_keyspace, sequence) = key.split_first()?;
    let sequence = u64::from_be_bytes(sequence.try_into().ok()?);
    let (label, _) = envelope::open(key, value).ok()?;
    Some((sequence.checked_add(1)?, label.link?))
}
