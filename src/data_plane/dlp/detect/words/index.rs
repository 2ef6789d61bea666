//! Words by how they begin: a table that a text's words are looked up in, one look for most of them.
//!
//! An automaton over the same words takes three times as long and several times the memory: it follows every letter, where here
//! the first eight decide.

use std::collections::BTreeMap;

use super::topics::Topics;
use crate::data_plane::dlp::detect::boundary::slice;

/// How many bytes of a word its place in the table is computed from.
const KEY_BYTES: usize = 8;

/// The places in the table, as a power of two.
const PLACES_BITS: u32 = 13;

/// The table.
pub(super) struct Index {
    /// Where the words of each place begin in `words`; they end where those of the next begin.
    places: Vec<u16>,
    /// The words, those of one place together, the longest first.
    words: Vec<(Box<[u8]>, Topics)>,
}

impl Index {
    /// The table of these words.
    pub(super) fn of(spelt: BTreeMap<String, Topics>) -> Self {
        let mut by_place: Vec<(usize, Box<[u8]>, Topics)> = spelt
            .into_iter()
            .map(|(word, topics)| {
                let folded: Box<[u8]> = word.bytes().map(fold).collect();
                let run = folded.iter().take_while(|byte| is_letter(**byte)).count();
                (place(slice(&folded, 0, run)), folded, topics)
            })
            .collect();
        by_place.sort_by(|one, other| (one.0, other.1.len(), &one.1).cmp(&(other.0, one.1.len(), &other.1)));
        by_place.dedup_by(|later, earlier| {
            let same = later.1 == earlier.1;
            if same {
                earlier.2 = earlier.2 | later.2;
            }
            same
        });
        let count =
            |upto: usize| u16::try_from(by_place.partition_point(|(place, ..)| *place < upto)).unwrap_or(u16::MAX);
        let places = (0..=1_usize << PLACES_BITS).map(count).collect();
        Self { places, words: by_place.into_iter().map(|(_, word, topics)| (word, topics)).collect() }
    }

    /// The words whose letters up to the first other byte begin like `run`, the longest first.
    fn like(&self, run: &[u8]) -> &[(Box<[u8]>, Topics)] {
        let place = place(run);
        let bound = |at: usize| self.places.get(at).copied().map_or(0, usize::from);
        self.words.get(bound(place)..bound(place.saturating_add(1))).unwrap_or_default()
    }

    /// The longest word that stands at `at`, where the letters up to `run_end` are one run: its end and its topics.
    pub(super) fn longest(
        &self,
        bytes: &[u8],
        at: usize,
        run_end: usize,
        whole: impl Fn(usize) -> bool,
    ) -> Option<(usize, Topics)> {
        self.like(slice(bytes, at, run_end)).iter().find_map(|(word, topics)| {
            let end = at.saturating_add(word.len());
            let written = slice(bytes, at, end);
            let same =
                written.len() == word.len() && written.iter().zip(word).all(|(byte, wanted)| fold(*byte) == *wanted);
            (same && whole(end)).then_some((end, *topics))
        })
    }

    /// What is said by a word that is exactly this.
    pub(super) fn topics_of(&self, word: &[u8]) -> Topics {
        let run = word.iter().take_while(|byte| is_letter(**byte)).count();
        let same = |wanted: &[u8]| {
            wanted.len() == word.len() && word.iter().zip(wanted).all(|(byte, wanted)| fold(*byte) == *wanted)
        };
        self.like(slice(word, 0, run))
            .iter()
            .find(|(wanted, _)| same(wanted))
            .map_or(Topics::NONE, |(_, topics)| *topics)
    }
}

/// A byte as it is in the table: small letters, and the second bytes of accented letters as those of small ones.
fn fold(byte: u8) -> u8 {
    if byte.is_ascii_uppercase() || byte >= 0x80 { byte | 0x20 } else { byte }
}

/// A byte of a letter: ASCII's, or of letters beyond. The signs and blanks of Latin-1 and of general punctuation begin with C2 and
/// E2; a no-break space before a colon ends a word as another does.
pub(in crate::data_plane::dlp::detect) fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || (byte >= 0x80 && !matches!(byte, 0xC2 | 0xE2))
}

/// Whether a word can begin with a byte: it is no later byte of a character.
pub(super) fn begins_letter(byte: u8) -> bool {
    is_letter(byte) && !matches!(byte, 0x80..=0xBF)
}

/// The place of the words whose first letters are these.
fn place(run: &[u8]) -> usize {
    let mut key: u64 = 0;
    for byte in run.iter().take(KEY_BYTES) {
        key = (key << 8) | u64::from(fold(*byte));
    }
    // Fibonacci hashing: the upper bits of the product are well mixed.
    let mixed = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - PLACES_BITS);
    usize::try_from(mixed).unwrap_or(0)
}
