//! What the words beside a value say about it.
//!
//! The nearest word before it that is about numbers decides, unless a further one is in the same phrase: in "the SIREN of this
//! invoice" it is the SIREN that follows. Where there is none before it, a word after it decides, as in "… is my BSN".

use super::super::boundary::slice;
use super::super::words::{Hit, Section, Topics};

/// How far before a value its word may end, in bytes.
const BEFORE_BYTES: usize = 96;

/// How far after a value its word may begin, in bytes.
const AFTER_BYTES: usize = 40;

/// Every topic that is about a number, so that a word with another one speaks against a kind.
const NUMBERS: Topics = Topics::NIR
    .and(Topics::SIREN)
    .and(Topics::SIRET)
    .and(Topics::TVA)
    .and(Topics::SSN)
    .and(Topics::ITIN)
    .and(Topics::NHS)
    .and(Topics::NINO)
    .and(Topics::NIF)
    .and(Topics::NIE)
    .and(Topics::FISCAL)
    .and(Topics::STEUER)
    .and(Topics::BELGIAN)
    .and(Topics::BSN)
    .and(Topics::PESEL)
    .and(Topics::CONTRIBUINTE)
    .and(Topics::AHV)
    .and(Topics::PASSPORT)
    .and(Topics::ID_CARD)
    .and(Topics::OTHER)
    .and(Topics::VERSION)
    .and(Topics::COLUMN);

/// What the words say, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Evidence {
    /// It is something else.
    Against,
    /// Nothing.
    None,
    /// It is of the kind.
    For {
        /// How few other kinds the word may mean.
        strength: u32,
    },
}

/// What the words around `start..end` say about a kind with these topics.
pub(super) fn of(section: &Section<'_>, start: usize, end: usize, topics: Topics) -> Evidence {
    let mut against: Option<Hit> = None;
    for hit in section.before(start, BEFORE_BYTES).filter(|hit| hit.topics.meets(NUMBERS)) {
        if hit.topics.meets(topics) {
            let phrase = against.is_none_or(|other| is_phrase(slice(section.bytes(), hit.end, other.start)));
            return if phrase { support(hit) } else { Evidence::Against };
        }
        // What stands left of a cell says nothing about it.
        if hit.topics.meets(Topics::COLUMN) {
            return if against.is_some() || hit.topics != Topics::COLUMN { Evidence::Against } else { Evidence::None };
        }
        against = against.or(Some(hit));
    }
    if against.is_some() {
        return Evidence::Against;
    }
    section
        .after(end, AFTER_BYTES)
        .filter(|hit| hit.topics.meets(NUMBERS))
        .take_while(|hit| is_phrase(slice(section.bytes(), end, hit.start)) && !is_label(section.bytes(), hit.end))
        .find(|hit| hit.topics.meets(topics))
        .map_or(Evidence::None, support)
}

fn support(hit: Hit) -> Evidence {
    Evidence::For { strength: u64::BITS.saturating_sub(hit.topics.count()) }
}

/// Whether nothing in between begins another statement.
fn is_phrase(between: &[u8]) -> bool {
    let stops = |pair: &[u8]| matches!(pair, [b'.' | b',' | b';', b' ' | b'\n']);
    !between.windows(2).any(stops) && !between.iter().any(|byte| byte.is_ascii_digit() || matches!(byte, b'\n' | b'|' | b'\t' | b';'))
}

/// Whether a word is the label of what follows it.
fn is_label(bytes: &[u8], end: usize) -> bool {
    let after = slice(bytes, end, end.saturating_add(8));
    let sign = after.iter().find(|byte| !matches!(byte, b' ' | b'"' | b'\''));
    sign.is_some_and(|sign| matches!(sign, b':' | b'=' | b'#') || sign.is_ascii_digit())
}
