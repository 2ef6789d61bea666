//! Proofs for single entries: that one is under a checkpoint, and that one checkpoint continues another.

use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::store::chain::FIRST_SEQUENCE;
use crate::store::{Keyspace, Store};

use super::entry::Entry;
use super::error::Error;
use super::handle::{Audit, Noted, Recorded};
use super::keeper::PAGE_ENTRIES;
use super::merkle::{self, Hash, Tree};

/// That an entry is under a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// The entry.
    pub recorded: Recorded,
    /// Kind, version and body of its record, in base64, from which its leaf is hashed.
    pub record: String,
    /// The checkpoint.
    pub checkpoint: Arc<Noted>,
    /// The hashes from the leaf upwards.
    pub hashes: Vec<Hash>,
}

/// That a checkpoint only added to an earlier state of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consistency {
    /// How many entries there were.
    pub from: u64,
    /// Their root.
    pub root: Hash,
    /// The checkpoint.
    pub checkpoint: Arc<Noted>,
    /// The hashes of RFC 9162.
    pub hashes: Vec<Hash>,
}

impl Audit {
    /// Proves that an entry is under the last checkpoint, or under one that is made for it. Reads the whole log; one at a time.
    ///
    /// # Errors
    /// There is no such entry, another proof is being made, the log does not hold, or the store failed.
    pub async fn prove_entry(&self, sequence: u64) -> Result<Inclusion, Error> {
        let _turn = self.proving.try_acquire().map_err(|_| Error::Busy)?;
        let checkpoint = self.checkpoint_over(sequence).await?;
        let size = checkpoint.size;
        if sequence < FIRST_SEQUENCE || sequence > size {
            return Err(Error::Unknown { sequence, entries: size });
        }
        let index = sequence.saturating_sub(FIRST_SEQUENCE);
        let read = self.store.read(move |store| {
            let proved = merkle::inclusion(index, size, |range| subtree(store, range));
            Ok(proved.and_then(|hashes| Ok((entry(store, sequence)?, hashes))))
        });
        let ((recorded, record), hashes) = read.await??;
        Ok(Inclusion { recorded, record, checkpoint, hashes })
    }

    /// Proves that the last checkpoint only added to the log as it was with `from` entries. Reads the whole log; one at a time.
    ///
    /// # Errors
    /// There were never so many entries, another proof is being made, the log does not hold, or the store failed.
    pub async fn prove_growth(&self, from: u64) -> Result<Consistency, Error> {
        let _turn = self.proving.try_acquire().map_err(|_| Error::Busy)?;
        let checkpoint = self.checkpoint_over(from).await?;
        let size = checkpoint.size;
        if from > size {
            return Err(Error::Unknown { sequence: from, entries: size });
        }
        let read = self.store.read(move |store| {
            let root = subtree(store, 0..from);
            Ok(root.and_then(|root| Ok((root, merkle::consistency(from, size, |range| subtree(store, range))?))))
        });
        let (root, hashes) = read.await??;
        Ok(Consistency { from, root, checkpoint, hashes })
    }

    async fn checkpoint_over(&self, size: u64) -> Result<Arc<Noted>, Error> {
        match self.latest().filter(|latest| latest.size >= size) {
            Some(latest) => Ok(latest),
            None => self.checkpoint().await,
        }
    }
}

fn entry(store: &Store, sequence: u64) -> Result<(Recorded, String), Error> {
    let found = store.chain_range(Keyspace::Audit, sequence, 1)?.into_iter().find(|link| link.sequence == sequence);
    let link = found.ok_or(Error::CutOff { expected: sequence, found: sequence.saturating_sub(1) })?;
    let unreadable = |reason| Error::Unreadable { sequence, reason };
    let entry = Entry::decode(&link.record).map_err(unreadable)?;
    let bytes = [&[link.record.kind, link.record.version], link.record.body.as_slice()].concat();
    Ok((Recorded { sequence, entry, link: link.link }, BASE64.encode(bytes)))
}

/// The root over a range of leaves, read from the log.
fn subtree(store: &Store, range: Range<u64>) -> Result<Hash, Error> {
    let (mut tree, mut next) = (Tree::default(), range.start.saturating_add(FIRST_SEQUENCE));
    while next <= range.end {
        let left = usize::try_from(range.end.saturating_sub(next).saturating_add(1)).unwrap_or(usize::MAX);
        let links = store.chain_range(Keyspace::Audit, next, left.min(PAGE_ENTRIES))?;
        if links.first().is_none_or(|link| link.sequence != next) {
            return Err(Error::CutOff { expected: range.end, found: next.saturating_sub(1) });
        }
        for link in &links {
            tree.append(merkle::leaf(link.sequence, &link.record));
            next = link.sequence.saturating_add(1);
        }
    }
    Ok(tree.root())
}
