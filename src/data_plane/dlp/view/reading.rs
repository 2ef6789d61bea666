//! A part of a text as it is read with its changes, and the way back from places in it to places in the text. Pure.

use std::ops::Range;

use super::change::Change;
use crate::data_plane::dlp::finding::Finding;

/// How far before a finding a change may stand that makes a difference to it: the word that says what a number is. Bytes.
const CONTEXT_BYTES: usize = 64;

/// A part of a text as it is read.
#[derive(Debug)]
pub(super) struct Reading {
    read: String,
    places: Vec<Place>,
    /// Where the part begins in the text.
    start: usize,
}

/// Where a change is in what is read.
#[derive(Debug, Clone, Copy)]
struct Place {
    change: Change,
    at: usize,
    len: usize,
}

impl Place {
    fn end(&self) -> usize {
        self.at.saturating_add(self.len)
    }
}

impl Reading {
    /// Reads a part of the text with these changes, which are in order.
    pub(super) fn of(text: &str, part: Range<usize>, changes: &[Change]) -> Self {
        let mut read = String::with_capacity(part.len());
        let mut places = Vec::with_capacity(changes.len());
        let mut copied = part.start;
        for change in changes.iter().filter(|change| change.end <= part.end) {
            // One that overlaps with another, or that is not in the part, is not made.
            let Some(between) = text.get(copied..change.start) else { continue };
            read.push_str(between);
            let at = read.len();
            read.extend(change.to);
            places.push(Place { change: *change, at, len: read.len().saturating_sub(at) });
            copied = change.end;
        }
        read.push_str(text.get(copied..part.end).unwrap_or_default());
        Self { read, places, start: part.start }
    }

    /// What is read.
    pub(super) fn as_str(&self) -> &str {
        &self.read
    }

    /// A finding in what is read, as one in the text; none where no change made a difference to it.
    pub(super) fn back(&self, finding: Finding) -> Option<Finding> {
        let near = finding.start.saturating_sub(CONTEXT_BYTES);
        let first = self.places.partition_point(|place| place.end() < near);
        let _change = self.places.get(first).filter(|place| place.at < finding.end)?;
        let (start, end) = (self.start_of(finding.start), self.end_of(finding.end));
        (start < end).then_some(Finding { start, end, ..finding })
    }

    /// Where what is read from `at` on begins in the text: behind what does not show.
    fn start_of(&self, at: usize) -> usize {
        let before = self.places.partition_point(|place| place.at <= at).checked_sub(1);
        match before.and_then(|index| self.places.get(index)) {
            Some(place) if at < place.end() => place.change.start,
            Some(place) => place.change.end.saturating_add(at.saturating_sub(place.end())),
            None => self.start.saturating_add(at),
        }
    }

    /// Where what is read up to `at` ends in the text: before what does not show.
    fn end_of(&self, at: usize) -> usize {
        let before = self.places.partition_point(|place| place.at < at).checked_sub(1);
        match before.and_then(|index| self.places.get(index)) {
            Some(place) => place.change.end.saturating_add(at.saturating_sub(place.end())),
            None => self.start.saturating_add(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_plane::dlp::finding::{Kind, Score};

    #[test]
    fn findings_go_back_to_what_was_written() {
        let text = "é j%65an&#64;x.fr\u{200b} z";
        let change = |from: &str, to: Option<char>| {
            let start = text.find(from).expect("there");
            Change { start, end: start + from.len(), to }
        };
        let changes = [change("%65", Some('e')), change("&#64;", Some('@')), change("\u{200b}", None)];
        let reading = Reading::of(text, 0..text.len(), &changes);
        assert_eq!(reading.as_str(), "é jean@x.fr z");
        let (start, end) = (3, 3 + "jean@x.fr".len());
        let finding = Finding { kind: Kind::EMAIL_ADDRESS, start, end, score: Score::HIGH };
        let back = reading.back(finding).expect("changed");
        assert_eq!(&text[back.range()], "j%65an&#64;x.fr");
        let inside = reading.back(Finding { start: 4, end: 6, ..finding }).expect("changed");
        assert_eq!(&text[inside.range()], "%65a");
    }

    #[test]
    fn findings_that_no_change_touches_are_left_to_who_reads_the_text() {
        let text = format!("x@example.fr {} %40", "-".repeat(CONTEXT_BYTES));
        let start = text.len() - 3;
        let reading = Reading::of(&text, 0..text.len(), &[Change { start, end: text.len(), to: Some('@') }]);
        let finding = Finding { kind: Kind::EMAIL_ADDRESS, start: 0, end: 12, score: Score::HIGH };
        assert_eq!(reading.back(finding), None);
    }
}
