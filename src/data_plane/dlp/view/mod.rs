//! Other ways to read a text, one level deep: what is hidden in escapes, encodings and look-alikes is found as well.
//!
//! ```text
//! text ─┬─ as written ─────────────────────────────────────────────┬─ union ─> findings
//!       ├─ trigger ▶ parts around changes ▶ reading ▶ find ▶ back ─┤
//!       └─ run ▶ segments ▶ decoded ▶ find ▶ the segment ──────────┘
//! ```
//!
//! The first reading undoes escapes of URLs, JSON and HTML, folds digits and letters of other alphabets, leaves out what does not
//! show, and puts signs in the place of `[at]` and ` dot `: all at once and each once. The second decodes base64 and hexadecimal.
//! Neither looks at what the other made of a text.
//!
//! INVARIANT I142: a reading adds to what is found in the text as it is written, and takes nothing away. Its findings are spans of
//! that text, so that what is restored is what was written.
//!
//! The time is linear: a part is read around what can be read otherwise, parts overlap by less than they are long, and plain
//! text costs one look.

mod change;
mod encoded;
mod fold;
mod reading;
mod run;
mod spelt;
#[cfg(test)]
mod tests;
mod trigger;

use std::iter::Peekable;
use std::ops::Range;

use self::change::Change;
pub(super) use self::encoded::is_coded;
use self::reading::Reading;
use self::run::Runs;
use self::trigger::Changes;
use super::finding::Finding;

/// How much of the text before and after a change is read with it, in bytes.
const MARGIN_BYTES: usize = 128;

/// How far a part is made longer so that it does not begin or end inside a word, in bytes.
const WORD_BYTES_MAX: usize = 1_024;

/// The longest part that is read at once, in bytes: it bounds the memory that changes take.
const PART_BYTES_MAX: usize = 64 * 1024;

/// By how much parts overlap where changes go on and on, in bytes: what is found may be spelt in escapes of six bytes and more.
const OVERLAP_BYTES: usize = 4 * 1024;

/// Finds what `direct` finds in a text and in the other ways to read it: in any order, and what was found in several ways each time.
#[must_use]
pub(super) fn examine(text: &str, direct: &impl Fn(&str) -> Vec<Finding>) -> Vec<Finding> {
    let mut findings = direct(text);
    read(text, direct, &mut findings);
    for run in Runs::of(text) {
        encoded::scan(text, run, direct, &mut findings);
    }
    findings
}

/// Whether a character is read as it is written, wherever it stands.
pub(super) fn stands_for_itself(c: char) -> bool {
    fold::fold(c).is_none()
}

/// Reads the parts of a text that can be read otherwise.
fn read(text: &str, direct: &impl Fn(&str) -> Vec<Finding>, findings: &mut Vec<Finding>) {
    let mut changes = Changes::of(text).peekable();
    // The changes of the part; its last ones are read again with the next one where parts overlap.
    let (mut of_part, mut known): (Vec<Change>, usize) = (Vec::new(), 0);
    while changes.peek().is_some() {
        let part = next_part(text, &mut changes, &mut of_part, known);
        known = part.end;
        let reading = Reading::of(text, part, &of_part);
        findings.extend(direct(reading.as_str()).into_iter().filter_map(|finding| reading.back(finding)));
    }
}

/// The next part, and its changes; the one before ended at `known`. It takes at least one change that was in no part before.
fn next_part(text: &str, changes: &mut Peekable<Changes<'_>>, of_part: &mut Vec<Change>, known: usize) -> Range<usize> {
    let first = changes.peek().map_or(text.len(), |change| change.start);
    let margin = if first < known { OVERLAP_BYTES } else { MARGIN_BYTES };
    let start = word_start(text, first.saturating_sub(margin));
    of_part.retain(|change| change.start >= start);
    let mut end = first;
    while let Some(change) =
        changes.next_if(|change| change.start <= end && change.start.saturating_sub(start) < PART_BYTES_MAX)
    {
        end = change.end.saturating_add(MARGIN_BYTES);
        of_part.push(change);
    }
    start..word_end(text, end)
}

/// A character boundary at or before `at`, behind a blank if there is one near.
fn word_start(text: &str, at: usize) -> usize {
    let from = at.saturating_sub(WORD_BYTES_MAX);
    let near = text.as_bytes().get(from..at).unwrap_or_default();
    match near.iter().rposition(|byte| *byte <= b' ') {
        Some(blank) => from.saturating_add(blank).saturating_add(1),
        None => text.floor_char_boundary(from),
    }
}

/// A character boundary at or after `at`, before a blank if there is one near.
fn word_end(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    let near = text.as_bytes().get(at..at.saturating_add(WORD_BYTES_MAX).min(text.len())).unwrap_or_default();
    let len = near.iter().position(|byte| *byte <= b' ').unwrap_or(near.len());
    text.ceil_char_boundary(at.saturating_add(len))
}
