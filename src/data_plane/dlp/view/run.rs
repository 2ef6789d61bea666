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

/// A bit for each byte of a block that is of a run.
fn mask(block: &[u8; BLOCK_BYTES]) -> u64 {
    let mut mask = 0;
    for (index, byte) in block.iter().enumerate() {
        mask |= u64::from(is_of_run(*byte)) << index;
    }
    mask
}

fn is_of_run(byte: u8) -> bool {
    (FIRST..0x80).contains(&byte)
}
