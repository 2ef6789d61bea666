//! The Merkle tree over the entries (pure): RFC 9162, section 2.1. Its root stands for all entries and their order in 32 bytes,
//! and proves in a few hashes that one of them is there, or that a later tree only added to an earlier one.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};

use crate::store::Record;

/// A hash of the tree: a SHA-256.
pub type Hash = [u8; 32];

/// The most hashes of a proof: a tree whose size is counted in 64 bits is not deeper.
pub const PROOF_HASHES_MAX: usize = 64;

/// Before what is hashed for a leaf (RFC 9162, section 2.1.1).
const LEAF: u8 = 0;
/// Before what is hashed for an inner node.
const NODE: u8 = 1;

/// The hash of an entry: `SHA-256(0x00 ‖ sequence, 8 bytes big-endian ‖ kind ‖ version ‖ body)`.
#[must_use]
pub fn leaf(sequence: u64, record: &Record) -> Hash {
    let mut hash = Sha256::new();
    hash.update([LEAF]);
    hash.update(sequence.to_be_bytes());
    hash.update([record.kind, record.version]);
    hash.update(&record.body);
    hash.finalize().into()
}

/// The hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)`.
#[must_use]
pub fn node(left: &Hash, right: &Hash) -> Hash {
    let mut hash = Sha256::new();
    hash.update([NODE]);
    hash.update(left);
    hash.update(right);
    hash.finalize().into()
}

/// The root of a tree without leaves: the hash of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// A hash as notes and proofs write it.
#[must_use]
pub fn to_base64(hash: &Hash) -> String {
    BASE64.encode(hash)
}

/// Reads a hash as notes and proofs write it; nothing where it is not one in its only form.
#[must_use]
pub fn from_base64(text: &str) -> Option<Hash> {
    BASE64.decode(text).ok()?.try_into().ok()
}

/// A tree that grows at its end: of its complete subtrees only the roots are kept, one for each bit that is set in its size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    /// The largest subtree first.
    peaks: Vec<Hash>,
}

impl Tree {
    /// A tree as it was; none where so many subtrees do not make a tree of that size.
    #[must_use]
    pub fn restore(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        let fits = u32::try_from(peaks.len()) == Ok(size.count_ones());
        fits.then_some(Self { size, peaks })
    }

    /// How many leaves it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of its complete subtrees, the largest first.
    #[must_use]
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Adds a leaf.
    pub fn append(&mut self, leaf: Hash) {
        let (mut right, mut full) = (leaf, self.size);
        // Each low bit that is set is a subtree as large as the one that has just become complete.
        while full & 1 == 1 {
            if let Some(left) = self.peaks.pop() {
                right = node(&left, &right);
            }
            full >>= 1;
        }
        self.peaks.push(right);
        self.size = self.size.saturating_add(1);
    }

    /// The root: of all that was added, in its order.
    #[must_use]
    pub fn root(&self) -> Hash {
        let smallest_first = self.peaks.iter().rev().copied();
        smallest_first.reduce(|right, left| node(&left, &right)).unwrap_or_else(empty_root)
    }
}

/// The hashes that prove that the leaf `index` (from 0) is in the tree of `size` leaves: `PATH` of RFC 9162, section 2.1.3.1.
/// `subtree` says the root over a range of leaves; together the ranges hold every leaf but one, once.
///
/// # Errors
/// What `subtree` fails with. An index beyond the tree has an empty proof, which proves nothing.
pub fn inclusion<E>(
    index: u64,
    size: u64,
    mut subtree: impl FnMut(Range<u64>) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    let (mut proof, mut range) = (Vec::new(), 0..size);
    while range.contains(&index) && length(&range) > 1 {
        let middle = split(&range);
        let (stays, beside) = if index < middle {
            (range.start..middle, middle..range.end)
        } else {
            (middle..range.end, range.start..middle)
        };
        proof.push(subtree(beside)?);
        range = stays;
    }
    proof.reverse();
    Ok(proof)
}

/// The hashes that prove that the tree of `old` leaves is the beginning of the tree of `new` leaves: `PROOF` of RFC 9162,
/// section 2.1.4.1. Empty where both are the same, where the old one is empty, and where it is larger, which proves nothing.
///
/// # Errors
/// What `subtree` fails with.
pub fn consistency<E>(
    old: u64,
    new: u64,
    mut subtree: impl FnMut(Range<u64>) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    if old == 0 || old >= new {
        return Ok(Vec::new());
    }
    let (mut proof, mut range, mut is_whole) = (Vec::new(), 0..new, true);
    while range.end != old {
        let middle = split(&range);
        if old <= middle {
            proof.push(subtree(middle..range.end)?);
            range = range.start..middle;
        } else {
            proof.push(subtree(range.start..middle)?);
            range = middle..range.end;
            is_whole = false;
        }
    }
    if !is_whole {
        proof.push(subtree(range)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Whether the proof shows that `leaf` stands at `index` in the tree of `size` leaves with this root: RFC 9162, section 2.1.3.2.
#[must_use]
pub fn includes(root: &Hash, size: u64, index: u64, leaf: &Hash, proof: &[Hash]) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut found) = (index, size.saturating_sub(1), *leaf);
    for beside in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            found = node(beside, &found);
            climb_to_right(&mut at, &mut last);
        } else {
            found = node(&found, beside);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && found == *root
}

/// Whether the proof shows that the tree of `old` leaves with the root `old_root` is the beginning of the other: RFC 9162,
/// section 2.1.4.2. Every tree begins with the empty one, and with itself.
#[must_use]
pub fn extends((old, old_root): (u64, &Hash), (new, new_root): (u64, &Hash), proof: &[Hash]) -> bool {
    if old == 0 || old >= new {
        let same = old == new && old_root == new_root;
        return proof.is_empty() && (same || old == 0 && new > 0 && *old_root == empty_root());
    }
    // A complete subtree is its own first hash, and is left out of the proof.
    let (first, rest) = match proof.split_first() {
        _ if old.is_power_of_two() && !proof.is_empty() => (*old_root, proof),
        Some((first, rest)) => (*first, rest),
        None => return false,
    };
    let (mut at, mut last) = (old.saturating_sub(1), new.saturating_sub(1));
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (mut old_found, mut new_found) = (first, first);
    for beside in rest {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            old_found = node(beside, &old_found);
            new_found = node(beside, &new_found);
            climb_to_right(&mut at, &mut last);
        } else {
            new_found = node(&new_found, beside);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && old_found == *old_root && new_found == *new_root
}

/// Goes up from a node at the right edge, which has no sibling on the levels where it stands at the left.
fn climb_to_right(at: &mut u64, last: &mut u64) {
    while *at & 1 == 0 && *at != 0 {
        *at >>= 1;
        *last >>= 1;
    }
}

fn length(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}

/// Where a tree of two leaves or more is divided: the left part is the largest complete one that is smaller than the whole.
fn split(range: &Range<u64>) -> u64 {
    let halves = length(range).saturating_sub(1).checked_ilog2().map_or(0, |bits| 1_u64 << bits);
    range.start.saturating_add(halves)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn leaves(count: usize) -> Vec<Hash> {
        (1..).take(count).map(|n| leaf(n, &Record { kind: 1, version: 1, body: n.to_be_bytes().to_vec() })).collect()
    }

    /// `MTH` as RFC 9162 writes it down.
    fn mth(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [one] => *one,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node(&mth(left), &mth(right))
            }
        }
    }

    fn over(leaves: &[Hash]) -> impl FnMut(Range<u64>) -> Result<Hash, Infallible> {
        |range| Ok(mth(&leaves[range.start as usize..range.end as usize]))
    }

    fn tree(leaves: &[Hash]) -> Tree {
        let mut tree = Tree::default();
        leaves.iter().for_each(|leaf| tree.append(*leaf));
        tree
    }

    fn path(leaves: &[Hash], index: usize) -> Vec<Hash> {
        let Ok(proof) = inclusion(index as u64, leaves.len() as u64, over(leaves));
        proof
    }

    fn growth(leaves: &[Hash], old: usize) -> Vec<Hash> {
        let Ok(proof) = consistency(old as u64, leaves.len() as u64, over(leaves));
        proof
    }

    /// The eight leaves that implementations of Certificate Transparency test themselves with, and the roots of their trees.
    #[test]
    fn the_roots_are_those_of_certificate_transparency() {
        let data = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut tree = Tree::default();
        assert_eq!(hex::encode(tree.root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        for (data, root) in data.iter().zip(roots) {
            let mut hash = Sha256::new();
            hash.update([LEAF]);
            hash.update(hex::decode(data).expect("hexadecimal"));
            tree.append(hash.finalize().into());
            assert_eq!(hex::encode(tree.root()), root);
        }
    }

    #[test]
    fn every_tree_of_up_to_sixty_five_leaves_is_the_one_of_the_rfc() {
        let all = leaves(65);
        for size in 0..=all.len() {
            let (held, grown) = (&all[..size], tree(&all[..size]));
            assert_eq!(grown.root(), mth(held), "{size}");
            assert_eq!(Tree::restore(grown.size(), grown.peaks().to_vec()).as_ref(), Some(&grown));
            assert_eq!(Tree::restore(grown.size() + 1, grown.peaks().to_vec()).is_some(), {
                (size as u64 + 1).count_ones() == (size as u64).count_ones()
            });
            for (index, leaf) in held.iter().enumerate() {
                let proof = path(held, index);
                assert!(includes(&grown.root(), size as u64, index as u64, leaf, &proof), "{index} of {size}");
            }
            for old in 0..=size {
                let (root, proof) = (mth(&all[..old]), growth(held, old));
                assert!(extends((old as u64, &root), (size as u64, &grown.root()), &proof), "{old} to {size}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_proof_of_inclusion_proves_nothing_else(
            size in 1_usize..130, index in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(),
            bit in any::<prop::sample::Index>()
        ) {
            let held = leaves(size);
            let (index, other, root) = (index.index(size), other.index(size), mth(&held));
            let proof = path(&held, index);
            let proves = |at: usize, leaf: &Hash, proof: &[Hash]| includes(&root, size as u64, at as u64, leaf, proof);
            prop_assert!(proves(index, &held[index], &proof));
            prop_assert!(proof.len() <= PROOF_HASHES_MAX);
            prop_assert_eq!(proves(other, &held[index], &proof), other == index);
            prop_assert_eq!(proves(index, &held[other], &proof), other == index);
            prop_assert!(!proves(size, &held[index], &proof));
            prop_assert!(!proves(index, &held[index], &[proof.as_slice(), &[[0; 32]]].concat()));
            if !proof.is_empty() {
                prop_assert!(!proves(index, &held[index], &proof[1..]));
                let (mut changed, bit) = (proof, bit.index(256));
                changed[0][bit / 8] ^= 1 << (bit % 8);
                prop_assert!(!proves(index, &held[index], &changed));
            }
        }

        #[test]
        fn a_proof_of_consistency_proves_nothing_else(
            new in 2_usize..130, old in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(),
            bit in any::<prop::sample::Index>()
        ) {
            let held = leaves(new);
            let (old, other) = (1 + old.index(new - 1), 1 + other.index(new - 1));
            let (old_root, root, proof) = (mth(&held[..old]), mth(&held), growth(&held, old));
            let proves = |old: usize, old_root: &Hash, proof: &[Hash]| {
                extends((old as u64, old_root), (new as u64, &root), proof)
            };
            prop_assert!(proves(old, &old_root, &proof));
            prop_assert_eq!(proves(other, &old_root, &proof), other == old);
            prop_assert_eq!(proves(old, &mth(&held[..other]), &proof), other == old);
            prop_assert!(!proves(new + 1, &old_root, &proof));
            prop_assert!(!proves(old, &old_root, &[proof.as_slice(), &[[0; 32]]].concat()));
            prop_assert!(!proves(old, &old_root, &proof[1..]));
            let (mut changed, bit) = (proof, bit.index(256));
            changed[0][bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!proves(old, &old_root, &changed));
        }
    }
}
