//! Runs of characters without a blank, found many bytes at a time.
//!
//! A run here is coarser than what can be decoded: any visible ASCII from `+` on. Prose has few that are long.

use std::ops::Range;

use super::encoded::SEGMENT_MIN;

/// How many bytes are looked at together.
const BLOCK_BYTES: usize = 64;

/// The first byte that is of a run.
const FIRST: u8 = b'+';

/// The runs of a text that are long enough to hold a segment.
pub(super) struct Runs<'t> {
    bytes: &'t [u8],
    at: usize,
}

impl<'t> Runs<'t> {
    /// The runs of this text.
    pub(super) fn of(text: &'t str) -> Self {
        Self { bytes: text.as_bytes(), at: 0 }
    }
}

impl Iterator for Runs<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        loop {
            let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
            // Where in the rest a long run may be: the block in which its first bytes end.
            let block = near(rest);
            let from = self.at.saturating_add(block);
            let start = from.saturating_sub(before(self.bytes.get(self.at..from).unwrap_or_default()));
            let after = self.bytes.get(start..).unwrap_or_default();
            let len = after.iter().position(|byte| !is_of_run(*byte)).unwrap_or(after.len());
            self.at = start.saturating_add(len).saturating_add(1);
            if len >= SEGMENT_MIN {
                return Some(start..start.saturating_add(len));
            }
        }
    }
}

/// How many bytes of a run are at the end.
fn before(bytes: &[u8]) -> usize {
    bytes.iter().rev().take_while(|byte| is_of_run(**byte)).count()
}

/// The start of the first block that a long run may begin or go on in; the start of the rest that is no block.
fn near(bytes: &[u8]) -> usize {
    let (blocks, rest) = bytes.as_chunks::<BLOCK_BYTES>();
    let mut carried = 0;
    for (index, block) in blocks.iter().enumerate() {
        let mask = mask(block);
        let leading = mask.trailing_ones();
        let mut inside = mask & (mask >> 8);
        inside &= inside >> 4;
        inside &= inside >> 2;
        inside &= inside >> 1;
        if inside != 0 || u32::saturating_add(carried, leading) >= 16 {
            return index.saturating_mul(BLOCK_BYTES);
        }
        carried = mask.leading_ones();
    }
    bytes.len().saturating_sub(rest.len())
}

/// A bit for each byte of a block that is of a run: eight bytes are compared at a time, in the lanes of one number.
fn mask(block: &[u8; BLOCK_BYTES]) -> u64 {
    const LOW_BITS: u64 = u64::from_ne_bytes([0x7F; 8]);
    const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; 8]);
    // What carries a byte from the first of a run on into the high bit of its lane.
    const CARRY: u64 = u64::from_ne_bytes([0x80 - FIRST; 8]);
    gather(block, |lanes| ((lanes & LOW_BITS).wrapping_add(CARRY) & !lanes & HIGH_BITS) >> 7)
}

/// A bit for each byte of a block, the lowest for the first: what `bits` makes of eight bytes in the lanes of one number has it as
/// the lowest bit of the lane, and no other.
pub(super) fn gather(block: &[u8; BLOCK_BYTES], bits: impl Fn(u64) -> u64) -> u64 {
    // Brings the bits of the lanes together in the highest one.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (lanes, _none) = block.as_chunks::<8>();
    lanes
        .iter()
        .rev()
        .fold(0, |mask, lanes| (mask << 8) | (bits(u64::from_le_bytes(*lanes)).wrapping_mul(GATHER) >> 56))
}

fn is_of_run(byte: u8) -> bool {
    (FIRST..0x80).contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_are_found_wherever_they_are(text in "([ \n]{0,3}|[a-zA-Z0-9@:.é]{0,40}|[a-z ]{0,70}){0,12}") {
            let mut expected = Vec::new();
            let mut start = 0;
            for (end, byte) in text.bytes().chain([b' ']).enumerate() {
                if !is_of_run(byte) {
                    if end - start >= SEGMENT_MIN {
                        expected.push(start..end);
                    }
                    start = end + 1;
                }
            }
            prop_assert_eq!(Runs::of(&text).collect::<Vec<_>>(), expected);
        }
    }
}
