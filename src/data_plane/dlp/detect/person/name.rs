//! Names of people as they are written: given names, initials, particles, family names.

use crate::data_plane::dlp::detect::reader::{Shape, Word, blanks, word};
use crate::data_plane::dlp::detect::words::Topics;

/// The most words in a name.
const WORDS_MAX: usize = 6;

/// A name: bytes up to `end`, and what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) end: usize,
    /// How many words with a capital, without initials.
    pub(super) words: usize,
}

/// The name that begins at `at`: words with capitals, and what joins them.
pub(super) fn read(text: &str, at: usize) -> Option<Name> {
    let bytes = text.as_bytes();
    let mut name: Option<Name> = None;
    let (mut next, mut words, mut initials) = (at, 0_usize, 0_usize);
    for _ in 0..WORDS_MAX {
        let Some(read) = word(text, next) else { break };
        match read.shape {
            Shape::Small | Shape::Capital | Shape::Capitals if is_particle(&read) => {}
            Shape::Small => break,
            Shape::Initial if read.text.ends_with('.') || words > 0 => {
                initials = initials.saturating_add(1);
                // Of "Jane D." the initial is a part, of "Plan A" it is not.
                if read.text.ends_with('.') && words > 0 {
                    name = Some(Name { end: read.end, words });
                }
            }
            Shape::Initial => break,
            Shape::Capital | Shape::Capitals if is_other(&read) || is_joined(read.text) => break,
            Shape::Capital | Shape::Capitals => {
                words = words.saturating_add(1);
                name = Some(Name { end: read.end, words });
            }
        }
        let joint = read.text.ends_with(['\'', '’']).then_some(read.end);
        match joint.or_else(|| blanks(bytes, read.end, 1)) {
            Some(after) => next = after,
            None => break,
        }
    }
    name.filter(|name| name.words > 0 && initials <= 3).map(|name| without_stop(bytes, name))
}

/// The stop after a last initial that ends the sentence stays outside when nothing follows.
fn without_stop(bytes: &[u8], name: Name) -> Name {
    let stop = name.end.checked_sub(1).filter(|at| bytes.get(*at) == Some(&b'.'));
    let ends = matches!(bytes.get(name.end), None | Some(b'\n'));
    Name { end: stop.filter(|_| ends).unwrap_or(name.end), ..name }
}

/// Whether small letters go over into a capital as in names of programs, not as in `McDonald`.
fn is_joined(text: &str) -> bool {
    let prefixes = ["Mc", "Mac", "De", "Le", "La", "Du", "Di", "Da", "Van", "Fitz", "St"];
    let rest = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text);
    rest.as_bytes()
        .windows(2)
        .any(|pair| matches!(pair, [small, capital] if small.is_ascii_lowercase() && capital.is_ascii_uppercase()))
}

fn is_particle(word: &Word<'_>) -> bool {
    word.is(Topics::PARTICLE)
}

/// Whether a word with a capital cannot be a name.
pub(super) fn is_other(word: &Word<'_>) -> bool {
    word.is(Topics::COMMON)
}
