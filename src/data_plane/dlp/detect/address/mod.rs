//! Postal addresses: a street with a house number, and the place that follows it; a box at a post office; or what stands after
//! the label of an address up to a postal code.
//!
//! The kinds of streets are the anchors. In French and its neighbours the street's name follows ("12 bis, rue de la Paix"), in
//! English it stands before ("221B Baker Street").

mod place;
mod street;

use super::boundary::{begins_word, slice};
use super::reader::blanks;
use super::words::{Hit, Section, Topics};
use crate::data_plane::dlp::finding::{Finding, Kind, Score};

/// The most signs between a label and its value.
const LABEL_SIGNS_MAX: usize = 8;

/// How far after a label the postal code of its value may begin, in bytes.
const VALUE_BYTES: usize = 110;

/// The most lines of an address after a label.
const LINES_MAX: usize = 4;

/// Adds every address whose street, box or label is in the section.
pub(super) fn scan(section: &Section<'_>, findings: &mut Vec<Finding>) {
    let mut free = section.from.saturating_sub(super::words::AROUND_BYTES);
    let mut hits = section.hits(Topics::VOIE | Topics::STREET | Topics::BOX | Topics::ADDRESS).peekable();
    while let Some(hit) = hits.next() {
        if hit.end < free {
            continue;
        }
        // What follows the next label is that label's.
        let limit = hits.peek().filter(|next| next.topics.meets(Topics::ADDRESS)).map_or(usize::MAX, |next| next.start);
        let found = of(section, hit, limit).filter(|(start, end, _)| *end > free && end > start);
        if let Some((start, end, score)) = found {
            findings.push(Finding { kind: Kind::LOCATION, start, end, score });
            free = end;
        } else {
            free = free.max(hit.end);
        }
    }
}

fn of(section: &Section<'_>, hit: Hit, limit: usize) -> Option<(usize, usize, Score)> {
    let text = section.text;
    let is = |topic: Topics| hit.topics.meets(topic);
    let french = || if is(Topics::VOIE) { voie(section, hit) } else { None };
    let english = || if is(Topics::STREET) { english(text, hit) } else { None };
    let boxed = || if is(Topics::BOX) { boxed(text, hit) } else { None };
    let labelled = || if is(Topics::ADDRESS) { labelled(section, hit, limit) } else { None };
    labelled().or_else(french).or_else(english).or_else(boxed)
}

/// `12 bis, rue de la Paix, 75002 Paris`.
fn voie(section: &Section<'_>, hit: Hit) -> Option<(usize, usize, Score)> {
    let text = section.text;
    let number = street::number_before(text, hit.start);
    let name = street::name_after(text, hit.end)?;
    let place = place::after_street(text, name);
    // Without its number a street is one that everybody knows, unless a postal code follows or a label stands before.
    let coded = place.is_some_and(|place| place.coded);
    let labelled = || section.before(hit.start, 16).any(|near| near.topics.meets(Topics::ADDRESS));
    let start = number.or_else(|| (coded || labelled()).then_some(hit.start))?;
    let score = if coded { Score::HIGH } else { Score::LIKELY };
    Some((street::unit_before(text, start), place.map_or(name, |place| place.end), score))
}

/// `221B Baker Street, London NW1 6XE`.
fn english(text: &str, hit: Hit) -> Option<(usize, usize, Score)> {
    let start = street::name_before(text, hit.start)?;
    let end = street::direction_after(text, hit.end);
    let place = place::after_street(text, end);
    let coded = place.is_some_and(|place| place.coded);
    // In small letters the kind of street is a word like others: "a 5 Star way".
    let capital = text.as_bytes().get(hit.start).is_some_and(u8::is_ascii_uppercase);
    let score = if coded { Score::HIGH } else { Score::LIKELY };
    (capital || coded).then_some((street::unit_before(text, start), place.map_or(end, |place| place.end), score))
}

/// `PO Box 123, Springfield, IL 62701`, `BP 40 123, 75002 Paris`.
fn boxed(text: &str, hit: Hit) -> Option<(usize, usize, Score)> {
    let bytes = text.as_bytes();
    let digits = blanks(bytes, hit.end, 1)?;
    let end = street::digits_end(bytes, digits, 6)?;
    let place = place::after_street(text, end)?;
    Some((hit.start, place.end, Score::HIGH))
}

/// What stands after the label of an address up to a postal code and its town.
fn labelled(section: &Section<'_>, hit: Hit, limit: usize) -> Option<(usize, usize, Score)> {
    let (text, bytes) = (section.text, section.bytes());
    let cell = hit.topics.meets(Topics::COLUMN);
    let after = slice(bytes, hit.end, hit.end.saturating_add(LABEL_SIGNS_MAX));
    let sign = |byte: &u8| {
        matches!(byte, b':' | b'=' | b'"' | b'\'' | b' ' | b'\n' | b'\t' | b'*' | b'>' | b'|' | 0xC2 | 0xA0)
    };
    let skipped = after.iter().position(|byte| !sign(byte))?;
    let colon = after.iter().take(skipped).any(|byte| matches!(byte, b':' | b'=' | b'\t' | b'>' | b'\n'));
    let start = hit.end.saturating_add(skipped);
    if !(colon || cell) || !bytes.get(start).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80) {
        return None;
    }
    let mut lines: usize = 0;
    for at in start..start.saturating_add(VALUE_BYTES).min(bytes.len()).min(limit) {
        match bytes.get(at) {
            Some(b'\n') => {
                lines = lines.saturating_add(1);
                let blank = bytes.get(at.saturating_add(1)) == Some(&b'\n');
                if blank || lines >= LINES_MAX {
                    return None;
                }
            }
            Some(b'"' | b'<' | b'@' | b'|' | b'\t' | b'{' | b'=') => return None,
            Some(byte) if (byte.is_ascii_digit() || byte.is_ascii_uppercase()) && begins_word(bytes, at) => {
                // What the value begins with is a house number.
                let place = if at == start && byte.is_ascii_digit() { None } else { place::code_and_town(text, at) };
                if let Some(end) = place {
                    return Some((start, end, Score::HIGH));
                }
            }
            _ => {}
        }
    }
    None
}
