//! What the words beside a value say about it.
//!
//! The nearest word before it that is about numbers decides, unless a further one is in the same phrase: in "the SIREN of this
//! invoice" it is the SIREN that follows. Where there is none before it, a word after it decides, as in "… is my BSN".

use crate::data_plane::dlp::detect::boundary::{run_end, slice};
use crate::data_plane::dlp::detect::words::{Hit, Section, Topics, is_letter, topics_of};

/// How far before a value its word may end, in bytes.
const BEFORE_BYTES: usize = 96;

/// How far after a value its word may begin, in bytes.
const AFTER_BYTES: usize = 40;

/// The longest unit, in bytes.
const UNIT_BYTES_MAX: usize = 16;

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
    if is_amount(section.bytes(), start, end) {
        return Evidence::Against;
    }
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

/// Whether a currency stands beside the value, or a unit after it.
fn is_amount(bytes: &[u8], start: usize, end: usize) -> bool {
    let currency = |sign: &[u8]| matches!(sign, [b'$', ..] | [0xE2, 0x82, 0xAC] | [0xC2, 0xA3, ..]);
    let gap = usize::from(bytes.get(end) == Some(&b' '));
    let unit = end.saturating_add(gap);
    let word = slice(bytes, unit, run_end(bytes, unit, UNIT_BYTES_MAX, is_letter));
    let before = slice(bytes, start.saturating_sub(3), start);
    before.ends_with(b"$")
        || before.ends_with(&[0xC2, 0xA3])
        || currency(before)
        || currency(slice(bytes, unit, unit.saturating_add(3)))
        || (gap > 0 && topics_of(word).meets(Topics::UNIT))
}

fn support(hit: Hit) -> Evidence {
    Evidence::For { strength: u64::BITS.saturating_sub(hit.topics.count()) }
}

/// Whether nothing in between begins another statement.
fn is_phrase(between: &[u8]) -> bool {
    let stops = |pair: &[u8]| matches!(pair, [b'.' | b',' | b';', b' ' | b'\n']);
    !between.windows(2).any(stops)
        && !between.iter().any(|byte| byte.is_ascii_digit() || matches!(byte, b'\n' | b'|' | b'\t' | b';'))
}

/// Whether a word is the label of what follows it.
fn is_label(bytes: &[u8], end: usize) -> bool {
    let after = slice(bytes, end, end.saturating_add(8));
    let sign = after.iter().find(|byte| !matches!(byte, b' ' | b'"' | b'\''));
    sign.is_some_and(|sign| matches!(sign, b':' | b'=' | b'#') || sign.is_ascii_digit())
}
