//! Addresses that are spelt so that only people read them: `jean [at] example [dot] com`, `jean arobase exemple point fr`.
//!
//! The sign in brackets counts wherever it stands between words. As a bare word it counts only in a row of words that has one
//! `at` and, after it, a `dot`: "meet at noon" is left alone, and so is `jean at example.com`, which is written of places as well.

use std::collections::VecDeque;

use super::change::Change;

/// The most words and signs of a row that are looked at on each side of where it was noticed.
const STEPS_MAX: usize = 8;

/// The longest word of a row, in bytes (RFC 1035: a label has at most 63).
const WORD_BYTES_MAX: usize = 63;

/// A sign that is spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    At,
    Dot,
}

impl Sign {
    fn to_char(self) -> char {
        match self {
            Self::At => '@',
            Self::Dot => '.',
        }
    }

    /// The sign that a word spells.
    fn of_word(word: &[u8]) -> Option<Self> {
        let is = |known: &[&[u8]]| known.iter().any(|known| known.eq_ignore_ascii_case(word));
        // Most words end here, at one look.
        match word.first()?.to_ascii_lowercase() {
            b'a' | b'c' if is(&[b"at", b"arobase", b"arobas", b"arroba", b"chiocciola"]) => Some(Self::At),
            b'd' | b'p' if is(&[b"dot", b"point", b"punto", b"punkt", b"ponto"]) => Some(Self::Dot),
            _ => None,
        }
    }
}

/// The sign in the brackets that open at `at`, as in `(at)`, `[dot]`, `{ @ }` or `[.]`, with the blanks around it.
pub(super) fn bracketed(text: &str, at: usize) -> Option<Change> {
    let bytes = text.as_bytes();
    let close = match bytes.get(at)? {
        b'(' => b')',
        b'[' => b']',
        b'{' => b'}',
        b'<' => b'>',
        _ => return None,
    };
    let inside = after_blank(bytes, at.checked_add(1)?);
    let signs = bytes.get(inside..)?.iter().take(WORD_BYTES_MAX);
    let len = signs.take_while(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'@' | b'.')).count();
    let end = inside.checked_add(len)?;
    let sign = match bytes.get(inside..end)? {
        b"@" => Sign::At,
        b"." => Sign::Dot,
        word => Sign::of_word(word)?,
    };
    let closing = after_blank(bytes, end);
    if bytes.get(closing) != Some(&close) {
        return None;
    }
    let start = if at > 0 && bytes.get(at.saturating_sub(1)) == Some(&b' ') { at.saturating_sub(1) } else { at };
    let end = after_blank(bytes, closing.checked_add(1)?);
    let word_before = start.checked_sub(1).and_then(|index| bytes.get(index)).is_some_and(|byte| is_of_word(*byte));
    let word_after = bytes.get(end).is_some_and(|byte| is_of_word(*byte));
    (word_before && word_after).then_some(Change { start, end, to: Some(sign.to_char()) })
}

/// A row of words that was looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The signs of the first address in it: ` at ` and ` dot ` with their blanks.
    pub(super) changes: Vec<Change>,
    /// Where there is none: nothing that is noticed before here is part of another one.
    pub(super) seen: usize,
}

/// The row of words around `at`, where a word that spells a sign was noticed. It begins behind what was read otherwise up to
/// `known`.
pub(super) fn row(text: &str, at: usize, known: usize) -> Row {
    let bytes = text.as_bytes();
    let mut words = VecDeque::from([word_around(bytes, at)]);
    for _ in 0..STEPS_MAX {
        let Some(previous) = words.front().and_then(|(start, _)| start.checked_sub(2)) else { break };
        let (start, end) = word_around(bytes, previous);
        // One blank between the words, and a word before it.
        if start < known || start == end || end != previous.saturating_add(1) || bytes.get(end) != Some(&b' ') {
            break;
        }
        words.push_front((start, end));
    }
    let middle = words.len();
    for _ in 0..STEPS_MAX {
        let Some(next) = words.back().and_then(|(_, end)| end.checked_add(1)) else { break };
        let (start, end) = word_around(bytes, next);
        if start == end || start != next || bytes.get(next.saturating_sub(1)) != Some(&b' ') {
            break;
        }
        words.push_back((start, end));
    }
    // What is noticed a few words on has a row that this one holds but for its end.
    let seen = words.get(middle.saturating_add(STEPS_MAX / 2)).map(|(start, _)| *start);
    let end = words.back().map_or(at, |(_, end)| *end);
    Row { changes: signs_of(bytes, words.make_contiguous()), seen: seen.unwrap_or(end) }
}

/// The signs of an address among words: the first `at` that has a word before it and, word by word, a `dot` after it.
fn signs_of(bytes: &[u8], words: &[(usize, usize)]) -> Vec<Change> {
    let signs = words.iter().map(|(start, end)| bytes.get(*start..*end).and_then(Sign::of_word));
    let signs: Vec<Option<Sign>> = signs.collect();
    let is_word = |index: usize| matches!(signs.get(index), Some(None));
    // A sign stands between two words that are none.
    let is = |index: usize, wanted: Sign| {
        signs.get(index) == Some(&Some(wanted))
            && index.checked_sub(1).is_some_and(is_word)
            && is_word(index.saturating_add(1))
    };
    let change = |index: usize, to: Sign| {
        let (start, end) = words.get(index).copied()?;
        Some(Change { start: start.checked_sub(1)?, end: end.checked_add(1)?, to: Some(to.to_char()) })
    };
    let dotted = |at: &usize| is(*at, Sign::At) && is(at.saturating_add(2), Sign::Dot);
    let Some(at) = (1..words.len()).find(dotted) else { return Vec::new() };
    let mut changes: Vec<Change> = change(at, Sign::At).into_iter().collect();
    let (mut left, mut right) = (at, at.saturating_add(2));
    while let Some(dot) = left.checked_sub(2).filter(|dot| is(*dot, Sign::Dot)) {
        changes.splice(0..0, change(dot, Sign::Dot));
        left = dot;
    }
    while is(right, Sign::Dot) {
        changes.extend(change(right, Sign::Dot));
        right = right.saturating_add(2);
    }
    changes
}

/// The word that `at` is in: an empty one where it is in none.
fn word_around(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = bytes.get(at.saturating_sub(WORD_BYTES_MAX)..at).unwrap_or_default();
    let after = bytes.get(at..).unwrap_or_default();
    let left = before.iter().rev().take_while(|byte| is_of_word(**byte)).count();
    let right = after.iter().take(WORD_BYTES_MAX).take_while(|byte| is_of_word(**byte)).count();
    (at.saturating_sub(left), at.saturating_add(right))
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'.') || !byte.is_ascii()
}

fn after_blank(bytes: &[u8], at: usize) -> usize {
    if bytes.get(at) == Some(&b' ') { at.saturating_add(1) } else { at }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, changes: Vec<Change>) -> String {
        let (mut read, mut copied) = (String::new(), 0);
        for change in changes {
            read.push_str(&text[copied..change.start]);
            read.extend(change.to);
            copied = change.end;
        }
        read + &text[copied..]
    }

    #[test]
    fn signs_in_brackets_are_read() {
        for (text, expected) in [
            ("jean [at] example.com", "jean@example.com"),
            ("jean(at)example.com", "jean@example.com"),
            ("jean { AT } example.com", "jean@example.com"),
            ("jean<arobase>example.com", "jean@example.com"),
            ("jean@example[.]com", "jean@example.com"),
            ("jean@example (dot) com", "jean@example.com"),
        ] {
            let open = text.find(['[', '(', '{', '<']).expect("a bracket");
            assert_eq!(read(text, bracketed(text, open).into_iter().collect()), expected, "{text}");
        }
        for text in ["(at) the end", "at the end (at)", "f(a)", "(dot", "[data]", "x (at"] {
            let open = text.find(['[', '(']).expect("a bracket");
            assert_eq!(bracketed(text, open), None, "{text}");
        }
    }

    #[test]
    fn rows_of_words_that_spell_an_address_are_read() {
        for (text, noticed, expected) in [
            ("write to jean at example dot com today", "dot", "write to jean@example.com today"),
            ("jean dot dupont at mail dot example dot com", "dot", "jean.dupont@mail.example.com"),
            ("JEAN AT EXAMPLE DOT COM", "DOT", "JEAN@EXAMPLE.COM"),
            ("à jean point dupont arobase exemple point fr.", "arobase", "à jean.dupont@exemple.fr."),
        ] {
            let at = text.find(noticed).expect("noticed") + 1;
            assert_eq!(read(text, row(text, at, 0).changes), expected, "{text}");
        }
        for text in [
            "the dot com boom",
            "dot",
            "connect the dot at noon",
            "at dot",
            "jean at  example dot com",
            "x dot y dot z",
        ] {
            let at = text.find("dot").expect("noticed") + 1;
            assert_eq!(row(text, at, 0).changes, [], "{text}");
        }
    }
}
