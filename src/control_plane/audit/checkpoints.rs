//! Checkpoints as the store keeps them, and which of them are kept. Blocks.
//!
//! The key of one is the number of entries and the time, each eight bytes big-endian: so they are in order, and what is to go is
//! seen without reading them.

use minicbor::bytes::{ByteArray, ByteSlice};

use crate::domain::clock::{Day, Timestamp};
use crate::store::chain::Link32;
use crate::store::{Batch, Direction, Keyspace, Record, Store};

use super::error::Error;
use super::key::{AuditKey, PublicKey, Purpose, SIGNATURE_BYTES, Signature};
use super::merkle::{self, Hash, Tree};
use super::note::{Checkpoint, Fault};

/// How many of the newest checkpoints are all kept. Of older ones the first of each UTC day is.
pub const CHECKPOINTS_RECENT_MAX: usize = 1_000;
/// The most that go at once: a store that holds more than it should is thinned over some rounds.
const THINNED_AT_ONCE: usize = 64;
/// Checkpoints that are read at once.
const PAGE: usize = 256;

const KIND: u8 = 1;
const VERSION: u8 = 1;
const KEY_BYTES: usize = 16;

/// A checkpoint, with what the tree needs to go on from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// When it was made.
    pub(super) at: Timestamp,
    /// The signed note.
    pub(super) note: String,
    /// The tree as it was.
    pub(super) tree: Tree,
    /// The chain's link up to which it was made.
    pub(super) link: Link32,
    /// Over the root and the link: it tells at a glance whether the chain that led here is still the one there is.
    bound: Signature,
}

#[derive(minicbor::Encode, minicbor::Decode)]
struct Stored<'a> {
    #[n(0)]
    at: i64,
    #[b(1)]
    note: &'a str,
    #[n(2)]
    size: u64,
    /// The hashes one after the other.
    #[b(3)]
    peaks: &'a ByteSlice,
    #[n(4)]
    link: ByteArray<32>,
    #[n(5)]
    bound: ByteArray<SIGNATURE_BYTES>,
}

impl Kept {
    /// Signs for a tree and the link of its last entry.
    pub(super) fn sign(at: Timestamp, tree: Tree, link: Link32, key: &AuditKey) -> Self {
        let (size, root) = (tree.size(), tree.root());
        let bound = key.sign(Purpose::Link, binding(size, &root, &link).as_bytes());
        Self { at, note: Checkpoint::sign(size, root, key), tree, link, bound }
    }

    /// Checks that the key signed it, and that all of it belongs together.
    pub(super) fn judge(&self, key: &PublicKey) -> Result<Checkpoint, Fault> {
        let checkpoint = Checkpoint::verify(&self.note, key)?;
        let binding = binding(checkpoint.size, &checkpoint.root, &self.link);
        let fits = (checkpoint.size, checkpoint.root) == (self.tree.size(), self.tree.root())
            && key.fits(Purpose::Link, binding.as_bytes(), &self.bound);
        if fits { Ok(checkpoint) } else { Err(Fault::Signature) }
    }

    /// The change that stores it and drops those that are no longer kept.
    pub(super) fn into_batch(self, store: &Store) -> Result<Batch, Error> {
        let put = Batch::new().put(Keyspace::Checkpoint, self.key(), self.encode());
        let kept = CHECKPOINTS_RECENT_MAX.saturating_add(THINNED_AT_ONCE);
        let newest = store.keys(Keyspace::Checkpoint, &[], None, Direction::Descending, kept)?;
        Ok(superseded(&newest).into_iter().fold(put, |batch, key| batch.delete(Keyspace::Checkpoint, key.clone())))
    }

    fn key(&self) -> Vec<u8> {
        [self.tree.size().to_be_bytes(), self.at.micros().to_be_bytes()].concat()
    }

    fn encode(&self) -> Record {
        let peaks = self.tree.peaks().concat();
        let stored = Stored {
            at: self.at.micros(),
            note: &self.note,
            size: self.tree.size(),
            peaks: peaks.as_slice().into(),
            link: self.link.into(),
            bound: (*self.bound.as_bytes()).into(),
        };
        #[expect(clippy::expect_used, reason = "writing to memory is infallible, and so is encoding these fields")]
        let body = minicbor::to_vec(&stored).expect("encodes plain fields into memory");
        Record { kind: KIND, version: VERSION, body }
    }

    fn decode(record: &Record) -> Option<Self> {
        if (record.kind, record.version) != (KIND, VERSION) {
            return None;
        }
        let stored: Stored<'_> = minicbor::decode(&record.body).ok()?;
        let (peaks, rest) = stored.peaks.as_chunks::<32>();
        let tree = Tree::restore(stored.size, peaks.to_vec()).filter(|_| rest.is_empty())?;
        let (at, note) = (Timestamp::from_micros(stored.at), stored.note.to_owned());
        Some(Self { at, note, tree, link: *stored.link, bound: Signature::from_slice(stored.bound.as_slice())? })
    }
}

/// What binds a link to a checkpoint.
fn binding(size: u64, root: &Hash, link: &Link32) -> String {
    format!("{size}\n{}\n{}\n", merkle::to_base64(root), hex::encode(link))
}

/// The newest checkpoint; its place is told where it is damaged.
pub(super) fn latest(store: &Store) -> Result<Option<Kept>, Error> {
    let found = store.survey(Keyspace::Checkpoint, &[], None, Direction::Descending, 1)?;
    found.into_iter().next().map(|(key, record)| readable(&key, record)).transpose()
}

/// All checkpoints, the oldest first, each handed to `take`.
pub(super) fn each(store: &Store, mut take: impl FnMut(Kept) -> Result<(), Error>) -> Result<(), Error> {
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = store.survey(Keyspace::Checkpoint, &[], after.as_deref(), Direction::Ascending, PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(last.clone());
        page.into_iter().try_for_each(|(key, record)| readable(&key, record).and_then(&mut take))?;
    }
}

fn readable(key: &[u8], record: Result<Record, crate::store::Error>) -> Result<Kept, Error> {
    let size = place(key).map_or(0, |(size, _)| size);
    let record = match record {
        Ok(record) => Some(record),
        Err(crate::store::Error::Damaged { .. }) => None,
        // It says nothing about the checkpoint.
        Err(error) => return Err(error.into()),
    };
    let kept = record.as_ref().and_then(Kept::decode).filter(|kept| kept.key() == key);
    kept.ok_or(Error::Checkpoint { size, fault: Fault::Form })
}

/// Which of the newest checkpoints' keys, the newest first, are no longer kept (pure).
fn superseded(newest: &[Vec<u8>]) -> Vec<&Vec<u8>> {
    let older = newest.iter().skip(CHECKPOINTS_RECENT_MAX.saturating_sub(1));
    let next = older.clone().skip(1);
    let same_day = |(one, before): &(&Vec<u8>, &Vec<u8>)| day(one).is_some() && day(one) == day(before);
    older.zip(next).filter(same_day).map(|(one, _)| one).collect()
}

fn day(key: &[u8]) -> Option<Day> {
    place(key).map(|(_, at)| at.day())
}

fn place(key: &[u8]) -> Option<(u64, Timestamp)> {
    let key: &[u8; KEY_BYTES] = key.try_into().ok()?;
    let (size, at) = key.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*size), Timestamp::from_micros(i64::from_be_bytes(at.try_into().ok()?))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: i64 = 60_000_000;

    #[test]
    fn a_checkpoint_reads_back_and_is_judged_as_a_whole() {
        let (key, mut tree) = (AuditKey::from_seed([1; 32]), Tree::default());
        (0..5).for_each(|n| tree.append([n; 32]));
        let kept = Kept::sign(Timestamp::from_micros(7), tree, [9; 32], &key);
        assert_eq!(Kept::decode(&kept.encode()).as_ref(), Some(&kept));
        assert_eq!(kept.judge(&key.public()).map(|checkpoint| checkpoint.size), Ok(5));
        assert_eq!(kept.judge(&AuditKey::from_seed([2; 32]).public()), Err(Fault::OtherKey));
        let other_link = Kept { link: [8; 32], ..kept.clone() };
        assert_eq!(other_link.judge(&key.public()), Err(Fault::Signature));
        let mut grown = kept.clone();
        grown.tree.append([5; 32]);
        assert_eq!(grown.judge(&key.public()), Err(Fault::Signature));
    }

    proptest! {
        #[test]
        fn of_old_checkpoints_the_first_of_each_day_is_kept(steps in proptest::collection::vec(1_i64..600, 0..400)) {
            let mut at = 0;
            let mut kept: Vec<Vec<u8>> = Vec::new();
            let mut made: Vec<Vec<u8>> = Vec::new();
            // The recent ones are many: begin with a store that is full of the last day's.
            for step in (0..CHECKPOINTS_RECENT_MAX as i64).map(|_| 1).chain(steps) {
                at += step * MINUTE;
                let key = [(made.len() as u64).to_be_bytes(), at.to_be_bytes()].concat();
                let gone: Vec<_> = superseded(&kept).into_iter().cloned().collect();
                kept.retain(|key| !gone.contains(key));
                kept.insert(0, key.clone());
                made.insert(0, key);
            }
            let firsts = made.iter().zip(made.iter().skip(1)).filter(|(one, before)| day(one) != day(before)).count();
            prop_assert!(made.iter().take(CHECKPOINTS_RECENT_MAX).all(|key| kept.contains(key)));
            prop_assert!(kept.len() <= CHECKPOINTS_RECENT_MAX + firsts + 2);
            for (one, _) in made.iter().zip(made.iter().skip(1)).filter(|(one, before)| day(one) != day(before)) {
                prop_assert!(kept.contains(one), "the first of a day went");
            }
        }
    }
}
