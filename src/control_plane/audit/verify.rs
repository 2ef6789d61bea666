//! Reads the chain and says whether it holds. Blocks.

use crate::store::chain::{self, FIRST_SEQUENCE, GENESIS, Link32};
use crate::store::{Keyspace, Link, Store};

use super::entry::Entry;
use super::error::Error;

/// Entries that are read at once.
const PAGE_ENTRIES: usize = 1_024;

/// A part of the log that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// How many entries were verified.
    pub entries: u64,
    /// The last sequence number; 0 for an empty log.
    pub last: u64,
    /// The link of the last entry: keep it elsewhere to notice if the end is ever cut off.
    pub head: Link32,
}

/// Verifies the entries from sequence number `from` on. Where that is not the first, its own link is what the rest is
/// verified against.
pub(super) fn verify(store: &Store, from: u64) -> Result<Verified, Error> {
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
    Ok(Verified { entries: expected.saturating_sub(from), last, head })
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
