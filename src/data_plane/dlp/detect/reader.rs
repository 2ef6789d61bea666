//! Words of names and places, read from a place in a text.

use super::boundary::{blank_len, slice};
use super::words::{self, Topics};

/// The longest word that is looked at, in bytes.
const WORD_BYTES_MAX: usize = 40;

/// How a word is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One capital, with or without a stop.
    Initial,
    /// A capital, and more.
    Capital,
    /// Capitals only.
    Capitals,
    /// A small letter first.
    Small,
}

/// A word: letters, with apostrophes and hyphens between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word<'t> {
    pub(super) text: &'t str,
    pub(super) end: usize,
    pub(super) shape: Shape,
}

impl Word<'_> {
    /// Whether it begins with a capital.
    pub(super) fn is_capital(&self) -> bool {
        matches!(self.shape, Shape::Capital | Shape::Capitals)
    }

    /// Whether it is a word with one of these topics.
    pub(super) fn is(&self, topics: Topics) -> bool {
        words::topics_of(self.text.as_bytes()).meets(topics)
    }
}

/// The word that begins at `at`.
pub(super) fn word(text: &str, at: usize) -> Option<Word<'_>> {
    let rest = text.get(at..)?;
    let (mut end, mut letters, mut capitals) = (0, 0_usize, 0_usize);
    let mut characters = rest.char_indices().peekable();
    while let Some((place, c)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        let inside =
            matches!(c, '\'' | '’' | '-' | '\u{2010}' | '\u{2011}') && letters > 0 && next.is_some_and(is_letter);
        if !is_letter(c) && !inside || place > WORD_BYTES_MAX {
            break;
        }
        if is_letter(c) {
            letters = letters.saturating_add(1);
            capitals = capitals.saturating_add(usize::from(c.is_uppercase()));
        }
        end = place.saturating_add(c.len_utf8());
    }
    let mut written = rest.get(..end).filter(|written| !written.is_empty())?;
    // The owner's `s` is no part of a name.
    for possessive in ["'s", "’s", "'S", "’S"] {
        if let Some(owner) = written.strip_suffix(possessive).filter(|owner| !owner.is_empty()) {
            (written, letters) = (owner, letters.saturating_sub(1));
            capitals = capitals.saturating_sub(usize::from(possessive.ends_with('S')));
        }
    }
    end = written.len();
    // Of d'Artagnan the name has the capital.
    let elided = ["d'", "d’", "l'", "l’"].iter().find_map(|article| written.strip_prefix(article));
    let first = elided.unwrap_or(written).chars().next()?.is_uppercase();
    let shape = match (first, letters) {
        (false, _) => Shape::Small,
        (true, 1) => Shape::Initial,
        (true, _) if capitals == letters => Shape::Capitals,
        (true, _) => Shape::Capital,
    };
    let stop = usize::from(shape == Shape::Initial && rest.as_bytes().get(end) == Some(&b'.'));
    let end = at.saturating_add(end).saturating_add(stop);
    Some(Word { text: text.get(at..end)?, end, shape })
}

/// A letter of Latin script.
fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || (matches!(c, '\u{C0}'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}') && c.is_alphabetic())
}

/// Where the blanks at `at` end, if there are between one and `most`.
pub(super) fn blanks(bytes: &[u8], at: usize, most: usize) -> Option<usize> {
    let mut end = at;
    for _ in 0..most {
        end = blank_len(bytes, end).map_or(end, |len| end.saturating_add(len));
    }
    (end > at && blank_len(bytes, end).is_none()).then_some(end)
}

/// Where the words of the list end that begin at `at`; spaces separate the list, case does not matter.
pub(super) fn one_of(bytes: &[u8], at: usize, list: &[&str]) -> Option<usize> {
    let begins = |word: &&&str| slice(bytes, at, at.saturating_add(word.len())).eq_ignore_ascii_case(word.as_bytes());
    list.iter().find(begins).map(|word| at.saturating_add(word.len()))
}

/// Whether a line, or a value in a line, ends at `at`.
pub(super) fn ends_value(bytes: &[u8], at: usize) -> bool {
    let mut at = at;
    while let Some(len) = blank_len(bytes, at) {
        at = at.saturating_add(len);
    }
    match bytes.get(at) {
        None
        | Some(
            b'\n' | b'\r' | b'"' | b'\'' | b'<' | b'|' | b',' | b';' | b'\t' | b')' | b'(' | b'/' | b'`' | b'*' | b'}'
            | b']',
        ) => true,
        Some(b'\\') => true,
        Some(b'.') => bytes.get(at.saturating_add(1)).is_none_or(|byte| matches!(byte, b' ' | b'\n')),
        Some(_) => false,
    }
}
