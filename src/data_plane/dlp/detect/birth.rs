//! Dates of birth: a day that the words beside it say somebody was born on.
//!
//! The day may stand after the word, also with a place between ("née à Lyon le 3 juin 1985"), on the line below it, or before it
//! ("12 May 1980 is my birthday"). A sentence's end separates them.

use super::boundary::{before, slice};
use super::date;
use super::words::{Hit, Section, Topics};
use crate::data_plane::dlp::finding::{Finding, Kind, Score};

/// How far after the word the day may begin, in bytes.
const AFTER_BYTES: usize = 72;

/// How far before the word the day may begin, in bytes.
const BEFORE_BYTES: usize = 40;

/// The most that may stand between a day and the word after it, in bytes.
const GAP_BYTES: usize = 20;

/// Adds every date of birth whose word is in the section.
pub(super) fn scan(section: &Section<'_>, findings: &mut Vec<Finding>) {
    let mut hits = section.hits(Topics::BIRTH).peekable();
    let mut free = section.from;
    while let Some(hit) = hits.next() {
        // What follows the next word of birth is that word's.
        let limit = hits.peek().map_or(usize::MAX, |next| next.start.max(hit.end.saturating_add(1)));
        let found = after(section, hit, limit).or_else(|| earlier(section, hit, free));
        if let Some((start, end)) = found.filter(|(start, _)| *start >= free) {
            findings.push(Finding { kind: Kind::DATE_OF_BIRTH, start, end, score: Score::HIGH });
            free = end;
        }
        // No word is read past another one, so that a text of nothing else costs no more.
        free = free.max(hit.end);
    }
}

/// The first day after the word, within its sentence.
fn after(section: &Section<'_>, hit: Hit, limit: usize) -> Option<(usize, usize)> {
    let bytes = section.bytes();
    let mut lines: u8 = 0;
    let mut labels: u8 = 0;
    let most = hit.end.saturating_add(AFTER_BYTES).min(limit).min(bytes.len());
    for at in hit.end..most {
        match bytes.get(at) {
            Some(b'\n') => {
                lines = lines.saturating_add(1);
                if lines > 2 {
                    return None;
                }
            }
            Some(b'.' | b'?' | b'!') if ends_sentence(bytes, at, hit.end) => return None,
            // The word may be a label; what follows another label is that one's.
            Some(b':' | b'=') => {
                labels = labels.saturating_add(1);
                if labels > 1 {
                    return None;
                }
            }
            Some(byte) if byte.is_ascii_alphanumeric() && begins_token(bytes, at) => {
                if let Some(end) = date::end_of(section.text, at) {
                    return Some((at, end));
                }
                // Somebody who is born in a year is not born on the next day that is named.
                if date::is_year_alone(bytes, at) {
                    return None;
                }
            }
            _ => {}
        }
    }
    None
}

/// The last day before the word, within its sentence and not before `free`.
fn earlier(section: &Section<'_>, hit: Hit, free: usize) -> Option<(usize, usize)> {
    let bytes = section.bytes();
    let from = hit.start.saturating_sub(BEFORE_BYTES).max(free);
    (from..hit.start)
        .filter(|at| bytes.get(*at).is_some_and(u8::is_ascii_alphanumeric) && begins_token(bytes, *at))
        .filter_map(|at| date::end_of(section.text, at).map(|end| (at, end)))
        .find(|(_, end)| {
            let between = slice(bytes, *end, hit.start);
            let apart = between
                .iter()
                .any(|byte| matches!(byte, b'\n' | b'|' | b';' | b'.' | b',' | b'\t') || byte.is_ascii_digit());
            *end <= hit.start && between.len() <= GAP_BYTES && !apart
        })
}

/// Whether a word or figure begins at `at`: not in the middle of a number or a name.
fn begins_token(bytes: &[u8], at: usize) -> bool {
    before(bytes, at).is_none_or(|byte| !byte.is_ascii_alphanumeric() && byte != b'_' && !matches!(byte, 0xC3..=0xC5))
}

/// Whether the sign at `at` ends a sentence, and no abbreviation such as `d.o.b.` or `St.`
fn ends_sentence(bytes: &[u8], at: usize, word_end: usize) -> bool {
    let word = slice(bytes, word_end, at).iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let blank = matches!(bytes.get(at.saturating_add(1)), Some(b' ' | b'\n'));
    blank && word > 3 && bytes.get(at.saturating_add(2)).is_some_and(u8::is_ascii_uppercase)
}
