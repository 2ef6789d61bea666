//! Words that say what is beside them: labels, forms of address, kinds of streets, given names.
//!
//! A text is read in sections. One automaton finds the words of a section; the detectors ask them about their candidates. The
//! words of one section alone are kept, so that a text that is nothing but words costs no memory.
//!
//! ```text
//!  section ──▶ automaton ──▶ words that stand alone ─┬─▶ detectors
//!                 table: a column's heading before each of its cells ─┘
//! ```

mod list;
mod table;
mod topics;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use super::boundary::{back, before, slice};
pub(super) use table::Table;
pub(super) use topics::Topics;

/// The size of a section, in bytes.
const SECTION_BYTES: usize = 16 * 1024;

/// How far around a section its words are known, in bytes.
pub(super) const AROUND_BYTES: usize = 256;

static WORDS: LazyLock<Option<Words>> = LazyLock::new(Words::build);

struct Words {
    automaton: AhoCorasick,
    /// What each pattern says.
    topics: Vec<Topics>,
}

/// A word in a text: bytes `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) topics: Topics,
}

/// A part of a text, with the words in it and around it.
#[derive(Debug)]
pub(super) struct Section<'t> {
    pub(super) text: &'t str,
    /// Candidates of this section begin at `from..to`.
    pub(super) from: usize,
    pub(super) to: usize,
    hits: Vec<Hit>,
}

/// Reads a text in sections.
pub(super) fn sections(text: &str, mut read: impl FnMut(&Section<'_>)) {
    let Some(words) = WORDS.as_ref() else { return };
    let mut section = Section { text, from: 0, to: 0, hits: Vec::new() };
    let mut table = Table::default();
    while section.to < text.len() {
        section.from = section.to;
        section.to = section_end(text.as_bytes(), section.from);
        section.hits.clear();
        words.find(text.as_bytes(), section.from.saturating_sub(AROUND_BYTES), section.to, &mut section.hits);
        table.label(text.as_bytes(), section.from, section.to, &mut section.hits);
        read(&section);
    }
}

/// Where the section that begins at `from` ends: at the end of a line, if one ends in time.
fn section_end(bytes: &[u8], from: usize) -> usize {
    let most = from.saturating_add(SECTION_BYTES).min(bytes.len());
    if most == bytes.len() {
        return most;
    }
    memchr::memrchr(b'\n', slice(bytes, from, most)).map_or(most, |at| from.saturating_add(at).saturating_add(1))
}

impl Words {
    fn build() -> Option<Self> {
        let mut spelt: BTreeMap<String, Topics> = BTreeMap::new();
        for (topics, words) in list::WORDS {
            for word in words.split('|').map(str::trim).filter(|word| !word.is_empty()) {
                for spelling in spellings(word) {
                    let known = spelt.entry(spelling).or_default();
                    *known = known.and(*topics);
                }
            }
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(spelt.keys())
            .ok()?;
        Some(Self { automaton, topics: spelt.into_values().collect() })
    }

    /// Adds the words that stand alone in `from..to` and a little beyond.
    fn find(&self, bytes: &[u8], from: usize, to: usize, hits: &mut Vec<Hit>) {
        let part = slice(bytes, from, to.saturating_add(AROUND_BYTES));
        for found in self.automaton.find_iter(part) {
            let (start, end) = (from.saturating_add(found.start()), from.saturating_add(found.end()));
            if stands_alone(bytes, start, end) {
                let topics = self.topics.get(found.pattern().as_usize()).copied().unwrap_or_default();
                hits.push(Hit { start, end, topics });
            }
        }
    }
}

/// Words of so many letters keep their accents: without them they would be other words, as `né` would be `ne`.
const SHORT_CHARS: usize = 3;

/// How a label may be spelt: with and without accents, with accents on its capitals, and, where it has several words, joined as
/// names in programs are.
fn spellings(word: &str) -> Vec<String> {
    let mut all = vec![word.to_owned()];
    if !word.is_ascii() {
        if word.chars().count() > SHORT_CHARS {
            all.push(word.chars().map(without_accent).collect());
        }
        all.push(word.chars().map(|c| if c.is_ascii() { c } else { c.to_uppercase().next().unwrap_or(c) }).collect());
    }
    let joined: Vec<String> = all
        .iter()
        .filter(|spelling| spelling.is_ascii() && spelling.contains(' '))
        .flat_map(|spelling| ["_", "-", ""].map(|joint| spelling.replace(' ', joint)))
        .collect();
    all.extend(joined);
    all
}

fn without_accent(c: char) -> char {
    match c {
        'à' | 'â' | 'ä' | 'á' | 'ã' => 'a',
        'ç' => 'c',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'î' | 'ï' | 'í' => 'i',
        'ñ' => 'n',
        'ô' | 'ö' | 'ó' | 'õ' => 'o',
        'ù' | 'û' | 'ü' | 'ú' => 'u',
        'ł' => 'l',
        'ś' => 's',
        c => c,
    }
}

/// Whether what stands at `start..end` is a word of its own, or a part of a name in a program such as `birthDate` or
/// `user_ssn`.
fn stands_alone(bytes: &[u8], start: usize, end: usize) -> bool {
    let (first, last) = (bytes.get(start).copied().unwrap_or(0), before(bytes, end).unwrap_or(0));
    let begins = match before(bytes, start) {
        // In `\nname` the `n` is the escape's.
        Some(b'n' | b't' | b'r') if back(bytes, start, 2) == Some(b'\\') => true,
        Some(byte) if byte.is_ascii_alphabetic() => byte.is_ascii_lowercase() && first.is_ascii_uppercase(),
        // The last byte of an accented letter; after a no-break space and the like a word begins.
        Some(byte @ 0x80..=0xBF) => !is_letter_tail(bytes, start, byte),
        Some(_) | None => true,
    };
    let ends = match bytes.get(end).copied() {
        Some(byte) if byte.is_ascii_alphabetic() => byte.is_ascii_uppercase() && last.is_ascii_lowercase(),
        Some(0xC3..=0xC5) => false,
        Some(_) | None => true,
    };
    // Signs such as the degree in "n°" may have letters at either side.
    let sign = last < 0x80 && !last.is_ascii_alphanumeric() || back(bytes, end, 2) == Some(0xC2);
    (begins || !first.is_ascii_alphabetic() && first < 0x80) && (ends || sign)
}

/// Whether the byte before `at` ends a letter of Latin script beyond ASCII.
fn is_letter_tail(bytes: &[u8], at: usize, tail: u8) -> bool {
    match back(bytes, at, 2) {
        Some(0xC3) => !matches!(tail, 0x97 | 0xB7),
        Some(0xC4 | 0xC5) => true,
        _ => false,
    }
}

impl Section<'_> {
    /// The text's bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The words that begin in the section and have one of these topics, in order.
    pub(super) fn hits(&self, topics: Topics) -> impl Iterator<Item = Hit> + '_ {
        let begins = self.hits.partition_point(|hit| hit.start < self.from);
        self.hits
            .get(begins..)
            .unwrap_or_default()
            .iter()
            .take_while(|hit| hit.start < self.to)
            .filter(move |hit| hit.topics.meets(topics))
            .copied()
    }

    /// The words that end before `at`, at most `distance` bytes before it, nearest first.
    pub(super) fn before(&self, at: usize, distance: usize) -> impl Iterator<Item = Hit> + '_ {
        let upto = self.hits.partition_point(|hit| hit.end <= at);
        let least = at.saturating_sub(distance);
        self.hits.get(..upto).unwrap_or_default().iter().rev().take_while(move |hit| hit.end >= least).copied()
    }

    /// The words that begin at `at` or after it, at most `distance` bytes after it, nearest first.
    pub(super) fn after(&self, at: usize, distance: usize) -> impl Iterator<Item = Hit> + '_ {
        let from = self.hits.partition_point(|hit| hit.start < at);
        let most = at.saturating_add(distance);
        self.hits.get(from..).unwrap_or_default().iter().take_while(move |hit| hit.start <= most).copied()
    }
}
