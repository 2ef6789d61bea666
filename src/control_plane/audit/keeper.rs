//! Goes through the chain and grows the tree. Blocks.

use crate::domain::clock::Timestamp;
use crate::store::chain::{self, FIRST_SEQUENCE, GENESIS, Link32};
use crate::store::{Keyspace, Link, Store};

use super::checkpoints::{self, Kept};
use super::entry::Entry;
use super::error::Error;
use super::key::{AuditKey, PublicKey};
use super::merkle::{self, Tree};
use super::note::Fault;

/// Entries that are read at once.
pub(super) const PAGE_ENTRIES: usize = 1_024;

/// How far the log has been gone through: the tree over it, and the link of its last entry.
#[derive(Debug, Clone)]
pub(super) struct Keeper {
    tree: Tree,
    link: Link32,
}

impl Default for Keeper {
    fn default() -> Self {
        Self { tree: Tree::default(), link: GENESIS }
    }
}

/// What a start found.
pub(super) struct Restored {
    /// Where to go on from; not where the log does not hold, or could not be read.
    pub(super) keeper: Result<Keeper, Error>,
    /// The last checkpoint of this key.
    pub(super) latest: Option<Kept>,
    /// What is wrong and does not keep the log from going on.
    pub(super) damage: Option<Error>,
}

impl Keeper {
    /// How many entries the tree stands over.
    pub(super) fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The tree over them.
    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The link of the last of them.
    pub(super) fn link(&self) -> Link32 {
        self.link
    }

    /// Goes on to the end of the log as it is now.
    pub(super) fn go_to_the_end(&mut self, store: &Store) -> Result<(), Error> {
        let last = end(store)?;
        if last < self.size() {
            return Err(Error::Cut { checkpoint: self.size(), found: last });
        }
        self.go_to(store, last)
    }

    /// Goes on until `last`, checking each link on the way.
    pub(super) fn go_to(&mut self, store: &Store, last: u64) -> Result<(), Error> {
        while self.size() < last {
            let next = self.size().saturating_add(FIRST_SEQUENCE);
            let left = usize::try_from(last.saturating_sub(self.size())).unwrap_or(usize::MAX);
            let links = store.chain_range(Keyspace::Audit, next, left.min(PAGE_ENTRIES))?;
            if links.is_empty() {
                return Err(Error::CutOff { expected: last, found: self.size() });
            }
            self.take(next, &links)?;
        }
        Ok(())
    }

    fn take(&mut self, next: u64, links: &[Link]) -> Result<(), Error> {
        let link = chain::verify(self.link, next, links)?;
        for Link { sequence, record, .. } in links {
            let unreadable = |reason| Error::Unreadable { sequence: *sequence, reason };
            let _entry = Entry::decode(record).map_err(unreadable)?;
            self.tree.append(merkle::leaf(*sequence, record));
        }
        self.link = link;
        Ok(())
    }

    /// Signs for all that was gone through.
    pub(super) fn sign(&self, at: Timestamp, key: &AuditKey) -> Kept {
        Kept::sign(at, self.tree.clone(), self.link, key)
    }
}

/// The last sequence number; 0 for an empty log.
pub(super) fn end(store: &Store) -> Result<u64, Error> {
    Ok(store.chain_head(Keyspace::Audit)?.0.saturating_sub(FIRST_SEQUENCE))
}

/// Goes on from the last checkpoint, if the log is still the one that it was made over. Under another key than the last one's, the
/// log is gone through from its beginning, which is told. Where there is no checkpoint at all it is the same: a log that was never
/// signed looks no different from one whose checkpoints were removed.
///
/// INVARIANT: behind a checkpoint that is damaged, or could not be read, nothing is signed.
pub(super) fn restore(store: &Store, key: &PublicKey) -> Restored {
    let kept = match checkpoints::latest(store) {
        Ok(Some(kept)) => kept,
        Ok(None) => return Restored { keeper: Ok(Keeper::default()), latest: None, damage: None },
        Err(error) => return Restored { keeper: Err(error), latest: None, damage: None },
    };
    let size = kept.tree.size();
    if let Err(fault) = kept.judge(key) {
        let (keeper, damage) = match fault {
            Fault::OtherKey => (Ok(Keeper::default()), Some(Error::OtherKey { size })),
            Fault::Form | Fault::Signature => (Err(Error::Checkpoint { size, fault }), None),
        };
        return Restored { keeper, latest: None, damage };
    }
    let keeper = agrees(store, &kept).map(|()| Keeper { tree: kept.tree.clone(), link: kept.link });
    Restored { keeper, latest: Some(kept), damage: None }
}

/// Whether the chain still leads to where the checkpoint was made.
fn agrees(store: &Store, kept: &Kept) -> Result<(), Error> {
    let size = kept.tree.size();
    let found = end(store)?;
    if found < size {
        return Err(Error::Cut { checkpoint: size, found });
    }
    let there = match size {
        0 => Some(GENESIS),
        _ => store.chain_range(Keyspace::Audit, size, 1)?.first().filter(|link| link.sequence == size).map(|l| l.link),
    };
    if there == Some(kept.link) { Ok(()) } else { Err(Error::OtherRoot { size }) }
}
