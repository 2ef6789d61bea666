//! Hash chains (pure): every record of a chain carries a link that depends on it and on all before it, so that a change, a
//! removal or another order shows. What a chain cannot show by itself is that its end was cut off: compare the last link with
//! one that was kept elsewhere.
//!
//! `link = SHA-256(link of the predecessor ‖ sequence, 8 bytes big-endian ‖ kind ‖ version ‖ body)`; the first record's
//! predecessor is [`GENESIS`].

use sha2::{Digest as _, Sha256};

use super::Record;

/// A link: a SHA-256.
pub type Link32 = [u8; 32];

/// The link before the first record.
pub const GENESIS: Link32 = [0; 32];

/// The sequence number of a chain's first record.
pub const FIRST_SEQUENCE: u64 = 1;

/// A chained record as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its place in the chain, from [`FIRST_SEQUENCE`] without gaps.
    pub sequence: u64,
    /// What was chained.
    pub record: Record,
    /// The link that was stored with it.
    pub link: Link32,
}

/// Where a chain does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// Another record stands where this one belongs.
    #[error("record {expected} of the chain is missing: {found} stands in its place")]
    Gap {
        /// The sequence number that belongs here.
        expected: u64,
        /// The one that is here.
        found: u64,
    },
    /// The record, or one before it, is not the one that was chained.
    #[error("record {sequence} of the chain was changed")]
    Changed {
        /// The record.
        sequence: u64,
    },
}

/// The link of a record whose predecessor has the link `previous`.
#[must_use]
pub fn link(previous: &Link32, sequence: u64, record: &Record) -> Link32 {
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(sequence.to_be_bytes());
    hash.update([record.kind, record.version]);
    hash.update(&record.body);
    hash.finalize().into()
}

/// Checks that `links` follow each other from sequence `first` on, whose predecessor has the link `previous` ([`GENESIS`] for
/// [`FIRST_SEQUENCE`]); returns the last link, from which the next part of the chain is checked.
///
/// # Errors
/// The first place where the chain does not hold.
pub fn verify(previous: Link32, first: u64, links: &[Link]) -> Result<Link32, Break> {
    let (mut previous, mut expected) = (previous, first);
    for entry in links {
        if entry.sequence != expected {
            return Err(Break::Gap { expected, found: entry.sequence });
        }
        if link(&previous, entry.sequence, &entry.record) != entry.link {
            return Err(Break::Changed { sequence: entry.sequence });
        }
        previous = entry.link;
        expected = expected.saturating_add(1);
    }
    Ok(previous)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chain_of(bodies: &[Vec<u8>]) -> Vec<Link> {
        let mut previous = GENESIS;
        (FIRST_SEQUENCE..)
            .zip(bodies)
            .map(|(sequence, body)| {
                let record = Record { kind: 1, version: 1, body: body.clone() };
                previous = link(&previous, sequence, &record);
                Link { sequence, record, link: previous }
            })
            .collect()
    }

    fn holds(links: &[Link]) -> Result<Link32, Break> {
        verify(GENESIS, FIRST_SEQUENCE, links)
    }

    proptest! {
        #[test]
        fn an_untouched_chain_holds_in_parts(bodies in proptest::collection::vec(any::<Vec<u8>>(), 0..12), cut in any::<prop::sample::Index>()) {
            let links = chain_of(&bodies);
            let (head, tail) = links.split_at(cut.index(links.len() + 1));
            let middle = holds(head)?;
            prop_assert_eq!(verify(middle, FIRST_SEQUENCE + head.len() as u64, tail), holds(&links));
        }

        #[test]
        fn removal_reordering_and_change_show(bodies in proptest::collection::vec(any::<[u8; 4]>(), 3..12), at in any::<prop::sample::Index>()) {
            let links = chain_of(&bodies.iter().map(|body| body.to_vec()).collect::<Vec<_>>());
            let at = at.index(links.len() - 1);

            let mut removed = links.clone();
            removed.remove(at);
            prop_assert!(holds(&removed).is_err());

            let mut swapped = links.clone();
            swapped.swap(at, at + 1);
            prop_assert!(holds(&swapped).is_err());

            let mut renumbered = removed;
            for (sequence, entry) in (FIRST_SEQUENCE..).zip(&mut renumbered) {
                entry.sequence = sequence;
            }
            prop_assert!(holds(&renumbered).is_err());

            let mut changed = links;
            changed[at].record.body[0] ^= 1;
            prop_assert_eq!(holds(&changed), Err(Break::Changed { sequence: at as u64 + 1 }));
        }
    }
}
