//! Where a text that is still being written may be cut: what is before the cut is told, what is behind it is held. Pure.
//!
//! ```text
//! context │ held: ........ word │ tail
//!         └ released            └ cut: at a seam, as near to the tail as there is one
//! ```
//!
//! A seam is where nothing that is found without blanks can go on: behind a blank or a quotation mark, or between two letters of a
//! script that writes no blanks. Between numbers there is none, for their groups belong together.

use crate::data_plane::dlp::view::{is_coded, stands_for_itself};

/// How far what decides about a place may stand from it, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::data_plane::dlp) struct Sight {
    /// How much of what was told is kept: the words that say what follows them.
    pub(in crate::data_plane::dlp) before: usize,
    /// What is held at the end at the least: no finding with blanks in it that is not held as a whole is longer, nor are the words
    /// after one that decide about it farther away.
    pub(in crate::data_plane::dlp) after: usize,
}

impl Sight {
    /// That of the shipped detectors and rules.
    pub(in crate::data_plane::dlp) const SHIPPED: Self = Self { before: 256, after: 192 };

    /// The same, but so far to both sides at the least.
    pub(in crate::data_plane::dlp) fn at_least(self, bytes: usize) -> Self {
        Self { before: self.before.max(bytes), after: self.after.max(bytes) }
    }
}

/// The longest run without a seam that is held, in bytes: more than the longest token, which has four parts of 16 KiB.
pub(super) const RUN_BYTES_MAX: usize = 72 * 1024;

/// The longest row of numbers that is held together, and the most by which a context is made longer to begin at a seam. Bytes.
const ROW_BYTES_MAX: usize = 1_024;

/// How much of a word beside a seam is looked at to see whether it is a number, in characters.
const WORD_CHARACTERS_MAX: usize = 64;

/// Letters of scripts beyond this write words without blanks, or are in no address.
const FIRST_UNSPACED: u32 = 0x590;

/// How a run of an encoding's characters is cut: between groups of as many as spell whole bytes.
const GROUP: usize = 4;

/// The last place behind `released` where the text may be cut while more is to come; none where all must be held.
pub(super) fn cut(text: &str, released: usize, sight: Sight) -> Option<usize> {
    let limit = text.floor_char_boundary(text.len().saturating_sub(sight.after));
    let Some(last) = seam_before(text, limit, released) else {
        let run = limit.min(text.len().saturating_sub(RUN_BYTES_MAX));
        return Some(aligned(text, run)).filter(|cut| *cut > released);
    };
    // A longer row of numbers is cut between two of them.
    let floor = released.max(text.floor_char_boundary(last.saturating_sub(ROW_BYTES_MAX)));
    before_row(text, last, floor).or((floor > released).then_some(last))
}

/// Where the context of what is told up to `cut` begins.
pub(super) fn context_start(text: &str, cut: usize, sight: Sight) -> usize {
    let near = text.floor_char_boundary(cut.saturating_sub(sight.before));
    let floor = text.floor_char_boundary(near.saturating_sub(ROW_BYTES_MAX));
    let seam = seam_before(text, near, floor).and_then(|seam| before_row(text, seam, floor));
    seam.unwrap_or(if floor == 0 { 0 } else { aligned(text, near) })
}

/// The last seam at or before this one that has no numbers on both its sides, and is not before `floor`.
fn before_row(text: &str, seam: usize, floor: usize) -> Option<usize> {
    let mut at = seam;
    while is_in_row(text, at) {
        at = seam_before(text, at.saturating_sub(1), floor)?;
    }
    Some(at)
}

/// The last seam at or before `at` and behind `floor`; none where `at` is inside a character.
fn seam_before(text: &str, at: usize, floor: usize) -> Option<usize> {
    let before = text.get(floor..at)?;
    let mut after = text.get(at..)?.chars().next();
    for (place, c) in before.char_indices().rev() {
        if is_blank(c) || (is_unspaced(c) && after.is_some_and(is_unspaced)) {
            return Some(floor.saturating_add(place).saturating_add(c.len_utf8()));
        }
        after = Some(c);
    }
    None
}

/// Whether nothing that is found without blanks goes on behind a character.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\n' | '\t' | '\r' | '"')
}

/// Whether a character is a letter of a script without blanks, and stands for itself.
fn is_unspaced(c: char) -> bool {
    u32::from(c) >= FIRST_UNSPACED && c.is_alphabetic() && stands_for_itself(c)
}

/// Whether numbers stand on both sides of a seam.
fn is_in_row(text: &str, seam: usize) -> bool {
    let Some((before, after)) = text.split_at_checked(seam) else { return false };
    let mut word =
        before.chars().rev().take(WORD_CHARACTERS_MAX).skip_while(|c| is_blank(*c)).take_while(|c| !is_blank(*c));
    let opens = |c: &char| is_blank(*c) || matches!(c, '+' | '(' | '-' | '.' | '/');
    let next = after.chars().take(WORD_CHARACTERS_MAX).find(|c| !opens(c));
    next.is_some_and(is_digit) && word.any(is_digit)
}

/// Whether a character is, or stands for, a digit.
fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || (!c.is_ascii() && c.is_numeric())
}

/// A place at or before `at` where a run of an encoding's characters can be cut. The text's beginning is one.
fn aligned(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    let run = before.iter().rev().take_while(|byte| is_coded(**byte)).count();
    let over = run.checked_rem(GROUP).unwrap_or(0);
    text.floor_char_boundary(at.saturating_sub(over))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAIL: &str = "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore \
        et dolore magna aliqua; ut enim ad minim veniam, quis nostrud exercitation ullamco laboris ni.";

    fn told(text: &str) -> String {
        let text = format!("{text}{TAIL}");
        text[..cut(&text, 0, Sight::SHIPPED).unwrap_or(0)].to_owned()
    }

    #[test]
    fn a_text_is_cut_behind_blanks_and_between_letters_of_scripts_without_them() {
        assert!(TAIL.len() >= Sight::SHIPPED.after && TAIL.len() < Sight::SHIPPED.after + 8, "{}", TAIL.len());
        for (text, expected) in [
            ("One two three ", "One two three "),
            ("One two thr", "One two "),
            ("{\"key\":\"val", "{\"key\":\""),
            ("これは日本語の", "これは日本語"),
            ("oneword", ""),
            ("is 12 34 56 ", "is 12 34 56 "),
            ("is 12 34 56", "is "),
            ("is +33 (0)6 12", "is "),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_that_belong_together_are_held_together() {
        let text = format!("is 12 34 56 {}", "7".repeat(Sight::SHIPPED.after));
        assert_eq!(cut(&text, 0, Sight::SHIPPED), Some(3));
        let row = format!("is {}", "12 34 ".repeat(ROW_BYTES_MAX));
        assert!(cut(&row, 0, Sight::SHIPPED).is_some_and(|cut| cut > 4 * ROW_BYTES_MAX), "a longer row is cut");
    }

    #[test]
    fn a_run_that_is_too_long_is_cut_between_groups() {
        let run = format!("x {}", "A".repeat(RUN_BYTES_MAX + 103));
        let cut = cut(&run, 2, Sight::SHIPPED).expect("cut");
        assert_eq!((cut - 2) % GROUP, 0);
        let context = context_start(&run, cut, Sight::SHIPPED);
        assert_eq!(context, 0);
        let run = format!("x {}", "A".repeat(4 * RUN_BYTES_MAX));
        let context = context_start(&run, 2 * RUN_BYTES_MAX + 2, Sight::SHIPPED);
        assert_eq!((context - 2) % GROUP, 0);
    }
}
