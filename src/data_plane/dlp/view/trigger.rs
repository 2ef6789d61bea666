//! Where a text can be read otherwise: a look at all of it that costs plain text next to nothing.
//!
//! The text is looked at block by block: first whether anything in the block can begin a change, by comparisons that a compiler
//! makes of many bytes at once; only then byte by byte.

use std::collections::VecDeque;

use super::change::{Change, change_at};
use super::spelt;

/// How many bytes are looked at together.
const BLOCK_BYTES: usize = 64;

/// How far apart blocks begin: a word of three letters is in one of them as a whole.
const BLOCK_STEP: usize = BLOCK_BYTES - 2;

/// The changes of a text, in the order in which they were noticed: those of a spelt row come together.
pub(super) struct Changes<'t> {
    text: &'t str,
    at: usize,
    /// Where the last change ended.
    after: usize,
    /// Up to where blocks are known to need a closer look.
    close: usize,
    row: VecDeque<Change>,
}

impl<'t> Changes<'t> {
    /// The changes of this text.
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, at: 0, after: 0, close: 0, row: VecDeque::new() }
    }

    /// Moves to where a change can begin; the byte that is there.
    fn advance(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        loop {
            while self.at < self.close {
                let byte = *bytes.get(self.at)?;
                if begins(byte) {
                    return Some(byte);
                }
                self.at = self.at.saturating_add(1);
            }
            if self.at >= bytes.len() {
                return None;
            }
            // A word that is noticed in its middle may have begun in the block before.
            let mut from = self.at.saturating_sub(1);
            while bytes.get(from..).and_then(<[u8]>::first_chunk).is_some_and(is_quiet) {
                from = from.saturating_add(BLOCK_STEP);
            }
            self.at = self.at.max(from);
            self.close = from.saturating_add(BLOCK_BYTES).min(bytes.len());
        }
    }

    /// What a letter in the middle of `dot`, `arobase` or `arroba` is noticed for.
    fn spelt(&mut self) {
        let bytes = self.text.as_bytes();
        let around = self.at.checked_sub(1).and_then(|from| bytes.get(from..self.at.saturating_add(2)));
        if around.is_some_and(|around| around.eq_ignore_ascii_case(b"dot") || around.eq_ignore_ascii_case(b"rob")) {
            let known = self.after;
            self.row = spelt::row(self.text, self.at).into_iter().filter(|change| change.start >= known).collect();
            self.after = self.row.back().map_or(known, |last| last.end);
        }
    }
}

impl Iterator for Changes<'_> {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        loop {
            if let Some(change) = self.row.pop_front() {
                return Some(change);
            }
            let byte = self.advance()?;
            let change = match byte {
                b'o' | b'O' => {
                    self.spelt();
                    None
                }
                b'(' | b'[' | b'{' | b'<' => spelt::bracketed(self.text, self.at),
                _ => change_at(self.text, self.at, self.after),
            };
            match change.filter(|change| change.start >= self.after) {
                Some(change) => {
                    self.at = change.end.max(self.at.saturating_add(1));
                    self.after = change.end;
                    return Some(change);
                }
                // The bytes of a character after its first begin nothing.
                None => self.at = self.at.saturating_add(1),
            }
        }
    }
}

/// Whether nothing that begins a change or is noticed for one is in a block as a whole. It may say no where nothing is.
fn is_quiet(block: &[u8; BLOCK_BYTES]) -> bool {
    let mut noticed = 0_u8;
    for byte in block {
        let escape = (*byte == b'%') | (*byte == b'\\') | (*byte == b'&');
        let bracket = (*byte == b'(') | (*byte == b'[') | (*byte == b'{') | (*byte == b'<');
        noticed |= u8::from(escape | bracket | (*byte == 0xC2) | (*byte > 0xC3));
    }
    let letters = || block.iter().map(|byte| byte | 0x20);
    for ((one, two), three) in letters().zip(letters().skip(1)).zip(letters().skip(2)) {
        let spelt = ((one == b'd') & (three == b't')) | ((one == b'r') & (three == b'b'));
        noticed |= u8::from(spelt & (two == b'o'));
    }
    noticed == 0
}

/// Whether a change can begin with a byte, or be noticed by it.
fn begins(byte: u8) -> bool {
    matches!(byte, b'%' | b'\\' | b'&' | b'(' | b'[' | b'{' | b'<' | b'o' | b'O' | 0xC2 | 0xC4..)
}
