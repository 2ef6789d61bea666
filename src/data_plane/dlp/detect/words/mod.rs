//! Words that say what is beside them: labels, forms of address, kinds of streets, given names.
//!
//! A text is read in sections. One table finds the words of a section; the detectors ask them about their candidates. The
//! words of one section alone are kept, so that a text that is nothing but words costs no memory.
//!
//! ```text
//!  section ──▶ index ──▶ words that stand alone ─┬─▶ detectors
//!                 table: a column's heading before each of its cells ─┘
//! ```

mod index;
mod list;
mod table;
mod topics;

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub(super) use self::index::is_letter;
use self::index::{Index, begins_letter};
use super::boundary::{back, before, slice};
pub(super) use table::Table;
pub(super) use topics::Topics;

/// The size of a section, in bytes.
const SECTION_BYTES: usize = 16 * 1024;

/// How far around a section its words are known, in bytes.
pub(super) const AROUND_BYTES: usize = 256;

static WORDS: LazyLock<Words> = LazyLock::new(Words::build);

struct Words {
    index: Index,
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
    /// Every topic of a word in the section.
    topics: Topics,
}

/// Reads a text in sections.
pub(super) fn sections(text: &str, mut read: impl FnMut(&Section<'_>)) {
    let mut section = Section { text, from: 0, to: 0, hits: Vec::new(), topics: Topics::NONE };
    let mut table = Table::default();
    while section.to < text.len() {
        section.from = section.to;
        section.to = section_end(text.as_bytes(), section.from);
        section.hits.clear();
        WORDS.find(text.as_bytes(), section.from.saturating_sub(AROUND_BYTES), section.to, &mut section.hits);
        table.label(text.as_bytes(), section.from, section.to, &mut section.hits);
        section.topics = section.hits.iter().fold(Topics::NONE, |topics, hit| topics | hit.topics);
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
    fn build() -> Self {
        let mut spelt: BTreeMap<String, Topics> = BTreeMap::new();
        for (topics, words) in list::WORDS {
            for word in words.split('|').map(str::trim).filter(|word| !word.is_empty()) {
                for spelling in spellings(word) {
                    let known = spelt.entry(spelling).or_default();
                    *known = known.and(*topics);
                }
            }
        }
        Self { index: Index::of(spelt) }
    }

    /// Adds the words that stand alone in `from..to` and a little beyond.
    fn find(&self, bytes: &[u8], from: usize, to: usize, hits: &mut Vec<Hit>) {
        let limit = to.saturating_add(AROUND_BYTES).min(bytes.len());
        let mut at = from;
        while at < limit {
            let skipped = slice(bytes, at, limit).iter().position(|byte| begins_letter(*byte));
            let Some(start) = skipped.map(|skipped| at.saturating_add(skipped)) else { return };
            let run = run_of(bytes, start, limit);
            at = match self.at(bytes, start, &run) {
                Some(hit) => {
                    if hit.topics.is_reported() {
                        hits.push(hit);
                    }
                    hit.end
                }
                // A name in a program goes on with the next of its words.
                None => run.joint.unwrap_or(run.end),
            };
        }
    }

    /// The longest word of ours that begins with the run of letters at `start`.
    fn at(&self, bytes: &[u8], start: usize, run: &Run) -> Option<Hit> {
        // In `\nname` the `n` is the escape's.
        let escape =
            usize::from(before(bytes, start) == Some(b'\\') && matches!(bytes.get(start), Some(b'n' | b't' | b'r')));
        let start = start.saturating_add(escape);
        let whole = |end: usize| ends_alone(bytes, end);
        let found = self.index.longest(bytes, start, run.end, whole);
        let found = found.or_else(|| self.index.longest(bytes, start, run.joint?, whole));
        found.map(|(end, topics)| Hit { start, end, topics })
    }
}

/// A run of letters, and where its first joint is, as in `birthDate`.
struct Run {
    end: usize,
    joint: Option<usize>,
}

fn run_of(bytes: &[u8], start: usize, limit: usize) -> Run {
    let mut joint = None;
    let mut small = false;
    let letters = slice(bytes, start, limit);
    let mut len = letters.len();
    for (place, byte) in letters.iter().enumerate() {
        if !is_letter(*byte) {
            len = place;
            break;
        }
        let capital = byte.is_ascii_uppercase();
        if capital && small && joint.is_none() {
            joint = Some(start.saturating_add(place));
        }
        small = byte.is_ascii_lowercase();
    }
    Run { end: start.saturating_add(len), joint }
}

/// What is said by a word that is exactly this.
pub(super) fn topics_of(word: &[u8]) -> Topics {
    WORDS.index.topics_of(word)
}

/// Words of so many letters keep their accents: without them they would be other words, as `né` would be `ne`.
const SHORT_CHARS: usize = 3;

/// How a label may be spelt: with and without accents, and, where it has several words, joined as
/// names in programs are.
fn spellings(word: &str) -> Vec<String> {
    let mut all = vec![word.to_owned()];
    if !word.is_ascii() && word.chars().count() > SHORT_CHARS {
        all.push(word.chars().map(without_accent).collect());
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

/// Whether a word can end at `end`: no letter follows, or the next word of a name in a program does.
fn ends_alone(bytes: &[u8], end: usize) -> bool {
    let Some(next) = bytes.get(end).copied() else { return true };
    let last = before(bytes, end).unwrap_or(0);
    if next.is_ascii_alphabetic() {
        // Signs such as the degree in "n°" may have letters after them.
        return (next.is_ascii_uppercase() && last.is_ascii_lowercase())
            || (!last.is_ascii_alphanumeric() && !is_accented(bytes, end));
    }
    !matches!(next, 0xC3..=0xC5)
}

/// Whether the last byte before `end` ends an accented letter.
fn is_accented(bytes: &[u8], end: usize) -> bool {
    before(bytes, end).is_some_and(|byte| byte >= 0x80) && matches!(back(bytes, end, 2), Some(0xC3..=0xC5))
}

impl Section<'_> {
    /// The text's bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Whether a word in or around the section has one of these topics.
    pub(super) fn mentions(&self, topics: Topics) -> bool {
        self.topics.meets(topics)
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
