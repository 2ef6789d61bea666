//! Where a text can be read otherwise: a look at all of it that costs plain text next to nothing.
//!
//! The text is looked at block by block, by comparisons that a compiler makes of many bytes at once; a closer look is taken at
//! the bytes that were noticed, and nowhere else.

use std::collections::VecDeque;

use super::change::{Change, change_at};
use super::run::gather;
use super::spelt;

/// How many bytes are looked at together.
const BLOCK_BYTES: usize = 64;

/// How far apart blocks begin: what is noticed by three bytes is in one of them as a whole.
const BLOCK_STEP: usize = BLOCK_BYTES - 2;

/// The changes of a text, in order.
pub(super) struct Changes<'t> {
    text: &'t str,
    /// Where the block begins, and the next one.
    block: usize,
    next_block: usize,
    /// The bytes of the block that were noticed and not yet looked at: a bit for each, the lowest for the first.
    noticed: u64,
    /// Where the last change ended.
    after: usize,
    /// The changes of a spelt row, which come together.
    row: VecDeque<Change>,
    /// Up to where words that spell signs were looked at, and are none.
    row_seen: usize,
}

impl<'t> Changes<'t> {
    /// The changes of this text.
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, block: 0, next_block: 0, noticed: 0, after: 0, row: VecDeque::new(), row_seen: 0 }
    }

    /// The next byte that was noticed.
    fn noticed(&mut self) -> Option<usize> {
        let bytes = self.text.as_bytes();
        while self.noticed == 0 {
            let rest = bytes.get(self.next_block..).filter(|rest| !rest.is_empty())?;
            self.block = self.next_block;
            self.next_block = self.block.saturating_add(BLOCK_STEP);
            match rest.first_chunk() {
                Some(block) => self.noticed = notice(block),
                None => {
                    let mut last = [0; BLOCK_BYTES];
                    last.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
                    self.noticed = notice(&last);
                    self.next_block = bytes.len();
                }
            }
        }
        let place = usize::try_from(self.noticed.trailing_zeros()).ok()?;
        self.noticed &= self.noticed.wrapping_sub(1);
        Some(self.block.saturating_add(place))
    }

    /// The change that begins at a byte that was noticed; those of a row are kept.
    fn look(&mut self, at: usize) -> Option<Change> {
        match self.text.as_bytes().get(at)? {
            b'o' | b'O' => {
                let around = self.text.as_bytes().get(at.checked_sub(1)?..at.checked_add(2)?)?;
                if !around.eq_ignore_ascii_case(b"dot") && !around.eq_ignore_ascii_case(b"rob") {
                    return None;
                }
                if at < self.row_seen {
                    return None;
                }
                let row = spelt::row(self.text, at, self.after);
                self.row_seen = if row.changes.is_empty() { row.seen } else { 0 };
                self.row = row.changes.into();
                self.row.pop_front()
            }
            b'(' | b'[' | b'{' | b'<' => spelt::bracketed(self.text, at),
            _ => change_at(self.text, at, self.after),
        }
    }
}

impl Iterator for Changes<'_> {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        let change = loop {
            if let Some(change) = self.row.pop_front() {
                break change;
            }
            let at = self.noticed()?;
            if at < self.after {
                continue;
            }
            if let Some(change) = self.look(at).filter(|change| change.start >= self.after) {
                break change;
            }
        };
        self.after = change.end;
        Some(change)
    }
}

/// A bit for each byte of a block at which a change may begin, and for the middle of `dot` and of the `rob` of `arobase`: of both
/// words the first letter differs from the last in one bit, the same one, as in few others.
fn notice(block: &[u8; BLOCK_BYTES]) -> u64 {
    let mut noticed = [0_u8; BLOCK_BYTES];
    for (place, byte) in noticed.iter_mut().zip(block) {
        let escape = (*byte == b'%') | (*byte == b'\\') | (*byte == b'&');
        let bracket = (*byte == b'(') | (*byte == b'[') | (*byte == b'{') | (*byte == b'<');
        *place = u8::from(escape | bracket | (*byte == 0xC2) | (*byte > 0xC3));
    }
    let words = block.iter().zip(block.iter().skip(1)).zip(block.iter().skip(2));
    for (place, ((one, two), three)) in noticed.iter_mut().skip(1).zip(words) {
        *place |= u8::from(((one ^ three) & !0x20 == b'd' ^ b't') & (two | 0x20 == b'o'));
    }
    if noticed.iter().fold(0, |any, place| any | place) == 0 { 0 } else { gather(&noticed, |lane| lane) }
}
