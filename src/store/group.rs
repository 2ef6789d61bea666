//! What a group of batches writes (pure): batches in, one set of writes out.
//!
//! Later changes of a group see earlier ones: `writes` lies over what is stored. Counters and chain heads are the committer's
//! [`Ledger`], which it keeps from group to group; it is only ahead of what is stored while a group is being written, and a
//! group that fails ends all writing.

use std::collections::{HashMap, HashSet};

use super::batch::STORED_BODY_BYTES_MAX;
use super::chain::{self, FIRST_SEQUENCE, GENESIS, Link32};
use super::envelope::{self, Content, Label, PIECE_BYTES, Seal, StoredLink};
use super::key::{self, PieceSet};
use super::keyring::Keyring;
use super::payload::Digest;
use super::{Keyspace, Position, Record, engine, sealing};
use crate::domain::owner::Owner;

/// Counters kept in memory; beyond it they are forgotten and read again when touched.
const SUMS_MAX: usize = 65_536;

/// How the store's own records (counters, positions, references) are labelled.
const OWN: Label = Label::plain(1, 1);

/// One change of a batch.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// A record of somebody's. With `seal`, the body is sealed.
    Put { keyspace: Keyspace, key: Vec<u8>, record: Record, owner: Owner, seal: Option<Seal> },
    /// Takes the place of a [`Change::Put`] whose body is in its file.
    PutFile { keyspace: Keyspace, key: Vec<u8>, kind: u8, version: u8, seal: Option<Seal>, digest: Digest, bytes: u64 },
    /// Takes a key away.
    Delete { keyspace: Keyspace, key: Vec<u8> },
    /// Adds to a counter.
    Add { key: Vec<u8>, amount: i64 },
    /// Appends to a chain.
    Chain { keyspace: Keyspace, record: Record },
    /// Puts a value in the place of one that says the same, unless that was written over since.
    Replace(Box<Replacement>),
}

/// A value that takes the place of another one, sealed otherwise.
#[derive(Debug, Clone)]
pub(super) struct Replacement {
    /// The full key.
    pub(super) key: Vec<u8>,
    /// The stored value that it takes the place of.
    pub(super) of: Vec<u8>,
    pub(super) label: Label,
    pub(super) body: Body,
}

/// A body, or the file that holds it.
#[derive(Debug, Clone)]
pub(super) enum Body {
    Here(Vec<u8>),
    File { digest: Digest, bytes: u64 },
}

impl Change {
    /// The body that it writes, if that goes to a file of its own.
    pub(super) fn as_payload(&self) -> Option<&[u8]> {
        let body = match self {
            Self::Put { record, .. } => &record.body,
            Self::Replace(replacement) => match &replacement.body {
                Body::Here(body) => body,
                Body::File { .. } => return None,
            },
            Self::PutFile { .. } | Self::Delete { .. } | Self::Add { .. } | Self::Chain { .. } => return None,
        };
        (body.len() > STORED_BODY_BYTES_MAX).then_some(body)
    }

    /// The same with its body in a file.
    pub(super) fn in_file(self, digest: Digest, bytes: u64) -> Self {
        match self {
            Self::Put { keyspace, key, record, seal, .. } => {
                Self::PutFile { keyspace, key, kind: record.kind, version: record.version, seal, digest, bytes }
            }
            Self::Replace(mut replacement) => {
                replacement.body = Body::File { digest, bytes };
                Self::Replace(replacement)
            }
            other @ (Self::PutFile { .. } | Self::Delete { .. } | Self::Add { .. } | Self::Chain { .. }) => other,
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
    #[error("there is no key to seal chain {0:?} with")]
    NoKey(Keyspace),
}

/// What the committer remembers between groups.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    sums: HashMap<Vec<u8>, i64>,
    heads: HashMap<Keyspace, (u64, Link32)>,
    /// The last key that the store is known to need.
    last_key: u32,
}

impl Ledger {
    /// That of a store which needs the keys up to this one: what is told of it never becomes less.
    pub(super) fn needing(last_key: u32) -> Self {
        Self { last_key, ..Self::default() }
    }
}

/// A group being put together.
#[derive(Debug)]
pub(super) struct Group<'a, P: Prior> {
    prior: &'a P,
    ledger: &'a mut Ledger,
    position: Position,
    keys: Option<&'a Keyring>,
    /// The last key that something of it is sealed with.
    last_key: u32,
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
    pub(super) fn new(prior: &'a P, ledger: &'a mut Ledger, position: Position, keys: Option<&'a Keyring>) -> Self {
        Self {
            prior,
            ledger,
            position,
            keys,
            last_key: 0,
            sets: 0,
            writes: HashMap::new(),
            touched: HashSet::new(),
            unnamed: HashSet::new(),
        }
    }

    pub(super) fn apply(&mut self, change: Change) -> Outcome<(), P> {
        match change {
            Change::Put { keyspace, key, record, owner: _, seal } => {
                let label = Label { seal, ..Label::plain(record.kind, record.version) };
                self.put(key::full(keyspace, &key), &label, &record.body)
            }
            Change::PutFile { keyspace, key, kind, version, seal, digest, bytes } => {
                let label = Label { seal, ..Label::plain(kind, version) };
                self.put_file(key::full(keyspace, &key), &label, digest, bytes)
            }
            Change::Replace(replacement) => self.replace(*replacement),
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
            Change::Chain { keyspace, record } => self.append(keyspace, record),
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
        self.tell_keys();
        if self.ledger.sums.len() > SUMS_MAX {
            self.ledger.sums.clear();
        }
        Writes { entries: self.writes, unnamed: self.unnamed.into_iter().collect() }
    }

    /// Tells which keyring, and how much of it, the store needs from now on; a release that knows no keys will not open it.
    fn tell_keys(&mut self) {
        let Some(keys) = self.keys.filter(|_| self.last_key > self.ledger.last_key) else { return };
        self.ledger.last_key = self.last_key;
        let key = key::full(Keyspace::Meta, key::KEYRING);
        let told = [keys.ring().as_slice(), &self.last_key.to_be_bytes()].concat();
        let value = envelope::seal(&key, &OWN, Content::Inline(&told));
        self.writes.insert(key, Some(value));
        self.writes.insert(key::full(Keyspace::Meta, key::FORMAT), Some(engine::format_record(engine::FORMAT_SEALED)));
    }

    fn append(&mut self, keyspace: Keyspace, record: Record) -> Outcome<(), P> {
        let (sequence, previous) = self.head(keyspace)?;
        let link = chain::link(&previous, sequence, &record);
        let key = key::full(keyspace, &sequence.to_be_bytes());
        let Record { kind, version, mut body } = record;
        let label = match self.keys {
            None => Label { link: Some(StoredLink::Clear(link)), ..Label::plain(kind, version) },
            Some(keys) => {
                // What is chained is the host's: it outlives everybody's erasure.
                let with = keys.sealing(&Owner::Host).ok_or(Hindrance::NoKey(keyspace))?;
                sealing::seal(&with, &key, kind, version, Some(&link), &mut body)
            }
        };
        self.ledger.heads.insert(keyspace, (sequence.saturating_add(1), link));
        self.put(key, &label, &body)
    }

    /// INVARIANT: what was written since is never written over by what was read before.
    fn replace(&mut self, replacement: Replacement) -> Outcome<(), P> {
        let Replacement { key, of, label, body } = replacement;
        let is_same = self.get(&key)?.is_some_and(|now| now == of);
        match body {
            Body::Here(body) if is_same => self.put(key, &label, &body),
            Body::File { digest, bytes } if is_same => self.put_file(key, &label, digest, bytes),
            Body::Here(_) => Ok(()),
            // Its file was written for nothing, unless others name it.
            Body::File { digest, .. } => {
                self.refer(&digest, 1)?;
                self.refer(&digest, -1)
            }
        }
    }

    fn note_key(&mut self, label: &Label) {
        self.last_key = label.seal.map_or(0, |seal| seal.key.get()).max(self.last_key);
    }

    fn put_file(&mut self, key: Vec<u8>, label: &Label, digest: Digest, bytes: u64) -> Outcome<(), P> {
        // Counted before the old record's is released: both may name the same file.
        self.refer(&digest, 1)?;
        self.release(&key)?;
        self.note_key(label);
        let value = envelope::seal(&key, label, Content::File { digest, bytes });
        self.writes.insert(key, Some(value));
        Ok(())
    }

    fn put(&mut self, key: Vec<u8>, label: &Label, body: &[u8]) -> Outcome<(), P> {
        self.release(&key)?;
        self.note_key(label);
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
            Some((key, value)) => chain_end(self.keys, &key, &value).ok_or(Hindrance::ChainEnd(keyspace)),
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
        Ok((Label { seal: None, .. }, Content::Inline(body))) => Some(i64::from_be_bytes(body.try_into().ok()?)),
        Ok((_, Content::Inline(_) | Content::Pieces { .. } | Content::File { .. })) | Err(_) => None,
    }
}

/// The next sequence number and the last link of a chain, given its last record.
pub(super) fn chain_end(keys: Option<&Keyring>, key: &[u8], value: &[u8]) -> Option<(u64, Link32)> {
    let (_keyspace, place) = key.split_first()?;
    let sequence = u64::from_be_bytes(place.try_into().ok()?);
    let (label, _) = envelope::open(key, value).ok()?;
    Some((sequence.checked_add(1)?, sealing::link(keys, key, &label).ok()??))
}
