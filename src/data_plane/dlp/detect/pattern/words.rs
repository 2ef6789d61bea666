//! Words that tell of what stands beside them.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::data_plane::dlp::detect::boundary::{before, follows_escape, slice};

/// How far from a match a word may stand, in bytes.
pub(super) const WORDS_WITHIN_BYTES: usize = 96;

/// Words, looked for without regard to ASCII case when they are first needed.
#[derive(Debug)]
pub(super) struct Words {
    words: Vec<String>,
    automaton: OnceLock<Option<AhoCorasick>>,
}

impl Words {
    pub(super) fn new(words: Vec<String>) -> Self {
        Self { words, automaton: OnceLock::new() }
    }

    /// Whether one of the words stands beside `start..end`, apart from other letters.
    pub(super) fn beside(&self, bytes: &[u8], start: usize, end: usize) -> bool {
        let from = start.saturating_sub(WORDS_WITHIN_BYTES);
        self.stands(bytes, from, start) || self.stands(bytes, end, end.saturating_add(WORDS_WITHIN_BYTES))
    }

    fn stands(&self, bytes: &[u8], from: usize, to: usize) -> bool {
        let Some(automaton) = self.automaton() else { return false };
        automaton
            .find_overlapping_iter(slice(bytes, from, to))
            .any(|word| is_apart(bytes, from.saturating_add(word.start()), from.saturating_add(word.end())))
    }

    fn automaton(&self) -> Option<&AhoCorasick> {
        let build = || {
            let kind = Some(AhoCorasickKind::ContiguousNFA);
            AhoCorasick::builder().ascii_case_insensitive(true).kind(kind).build(&self.words).ok()
        };
        self.automaton.get_or_init(build).as_ref()
    }
}

/// Whether what stands at `start..end` is not part of a longer word. Letters beyond ASCII do not bind: words of other scripts
/// are not always set apart.
fn is_apart(bytes: &[u8], start: usize, end: usize) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphabetic();
    let begins = !before(bytes, start).as_ref().is_some_and(letter) || follows_escape(bytes, start);
    begins && !bytes.get(end).is_some_and(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_when_they_stand_apart_and_near() {
        let words = Words::new(vec!["badge".to_owned(), "numéro".to_owned()]);
        for (text, expected) in [
            ("Badge: 12", true),
            ("12 (BADGE)", true),
            ("le numéro 12", true),
            ("badges 12", false),
            ("12", false),
            (&format!("badge {} 12", "-".repeat(WORDS_WITHIN_BYTES)), false),
        ] {
            let at = text.find("12").expect("the number");
            assert_eq!(words.beside(text.as_bytes(), at, at + 2), expected, "{text}");
        }
    }
}
