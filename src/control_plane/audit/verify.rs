//! Reads the log and says whether it holds. Blocks.

use crate::store::chain::{self, FIRST_SEQUENCE, GENESIS, Link32};
use crate::store::{Keyspace, Link, Store};

use super::checkpoints;
use super::entry::Entry;
use super::error::Error;
use super::keeper::{Keeper, PAGE_ENTRIES, end};
use super::key::PublicKey;
use super::merkle::Hash;
use super::note::{Checkpoint, Fault};

/// A log that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The last sequence number; 0 for an empty log. So many entries were verified.
    pub entries: u64,
    /// The link of the last entry.
    pub head: Link32,
    /// The Merkle root over all entries.
    pub root: Hash,
    /// How many checkpoints agree with it.
    pub checkpoints: u64,
    /// How many of those were signed by another key: their roots agree, and who signed them is not known.
    pub of_other_keys: u64,
}

/// Verifies the entries from sequence number `from` on: how many they are. Where that is not the first, its own link is what the
/// rest is verified against.
pub(super) fn verify_end(store: &Store, from: u64) -> Result<u64, Error> {
    let from = from.max(FIRST_SEQUENCE);
    let (next, head) = store.chain_head(Keyspace::Audit)?;
    let last = next.saturating_sub(1);
    let (mut expected, mut previous) = (from, (from == FIRST_SEQUENCE).then_some(GENESIS));
    while expected <= last {
        // What was appended after the head was read is left to the next time.
        let left = usize::try_from(next.saturating_sub(expected)).unwrap_or(usize::MAX);
        let links = store.chain_range(Keyspace::Audit, expected, left.min(PAGE_ENTRIES))?;
        let Some(end) = links.last().map(|link| link.sequence) else { break };
        previous = Some(page(previous, expected, &links)?);
        expected = end.saturating_add(1);
    }
    let found = expected.saturating_sub(1);
    if found < last || previous.is_some_and(|link| last >= from && link != head) {
        return Err(Error::CutOff { expected: last, found });
    }
    Ok(expected.saturating_sub(from))
}

fn page(previous: Option<Link32>, first: u64, links: &[Link]) -> Result<Link32, Error> {
    let link = match (previous, links.split_first()) {
        (Some(previous), _) => chain::verify(previous, first, links)?,
        (None, Some((anchor, rest))) => chain::verify(anchor.link, first.saturating_add(1), rest)?,
        (None, None) => GENESIS,
    };
    links.iter().try_for_each(|link| {
        let unreadable = |reason| Error::Unreadable { sequence: link.sequence, reason };
        Entry::decode(&link.record).map(drop).map_err(unreadable)
    })?;
    Ok(link)
}

/// Verifies the whole log: every link, and every checkpoint against the tree over the entries that it was made over.
pub(super) fn verify_all(store: &Store, key: &PublicKey) -> Result<Verified, Error> {
    // Read first: a checkpoint that is made meanwhile stands over entries behind this end.
    let last = end(store)?;
    let (mut keeper, mut checkpoints, mut of_other_keys) = (Keeper::default(), 0_u64, 0_u64);
    checkpoints::each(store, |kept| {
        let size = kept.tree.size();
        let signed = match kept.judge(key) {
            Ok(checkpoint) => checkpoint,
            Err(Fault::OtherKey) => {
                of_other_keys = of_other_keys.saturating_add(1);
                Checkpoint::unverified(&kept.note).ok_or(Error::Checkpoint { size, fault: Fault::Form })?
            }
            Err(fault @ (Fault::Form | Fault::Signature)) => return Err(Error::Checkpoint { size, fault }),
        };
        if signed.size > last {
            let found = end(store)?;
            return if signed.size > found { Err(Error::Cut { checkpoint: signed.size, found }) } else { Ok(()) };
        }
        keeper.go_to(store, signed.size)?;
        if (keeper.size(), keeper.tree().root()) != (signed.size, signed.root) {
            return Err(Error::OtherRoot { size: signed.size });
        }
        checkpoints = checkpoints.saturating_add(1);
        Ok(())
    })?;
    keeper.go_to(store, last)?;
    let (head, root) = (keeper.link(), keeper.tree().root());
    Ok(Verified { entries: keeper.size(), head, root, checkpoints, of_other_keys })
}
