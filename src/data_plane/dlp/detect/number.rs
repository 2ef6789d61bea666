//! The pass over digits: groups of digits with separators between them, offered to the validators of numbers.

use super::boundary::{blank_len, hyphen_len, run_end, slice};
use super::{card, iban, phone};
use crate::data_plane::dlp::finding::Finding;

/// The most groups that are looked at together; a phone number written in pairs has eight with its country code.
const GROUPS_MAX: usize = 9;

/// The most digits in one number: a card has up to 19. A group that is longer is part of none.
const DIGITS_MAX: usize = 19;

/// The fewest digits of a card or phone number.
const DIGITS_MIN: usize = 7;

/// The most separators between two groups of one number, as in `) -`.
const SEPARATORS_MAX: usize = 3;

/// Digits without anything between them: bytes `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Group {
    pub(super) fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }
}

/// Groups that follow each other, separated by what separates the groups of numbers.
#[derive(Debug, Default)]
pub(super) struct Groups(Vec<Group>);

impl Groups {
    /// Reads the groups from the digit at `start`, which is the first of its run.
    fn read(&mut self, bytes: &[u8], start: usize) {
        self.0.clear();
        let end = run_end(bytes, start, usize::MAX, |byte| byte.is_ascii_digit());
        self.0.push(Group { start, end });
        let mut at = end;
        while self.0.len() < GROUPS_MAX {
            let Some(start) = separator_end(bytes, at) else { break };
            let end = run_end(bytes, start, DIGITS_MAX.saturating_add(1), |byte| byte.is_ascii_digit());
            let group = Group { start, end };
            if group.len() == 0 || group.len() > DIGITS_MAX {
                break;
            }
            self.0.push(group);
            at = end;
        }
    }

    /// The groups.
    pub(super) fn as_slice(&self) -> &[Group] {
        &self.0
    }

    /// The first group.
    pub(super) fn first(&self) -> Group {
        self.0.first().copied().unwrap_or(Group { start: 0, end: 0 })
    }

    /// Where the last group ends.
    fn end(&self) -> usize {
        self.0.last().map_or(0, |group| group.end)
    }

    /// How many digits there are.
    fn digits(&self) -> usize {
        self.0.iter().map(|group| group.len()).fold(0, usize::saturating_add)
    }
}

/// Adds every card, IBAN and phone number in the text.
pub(super) fn scan(text: &str, findings: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    let mut groups = Groups::default();
    let mut at = 0;
    while let Some(distance) = slice(bytes, at, bytes.len()).iter().position(u8::is_ascii_digit) {
        groups.read(bytes, at.saturating_add(distance));
        let first = groups.first();
        let enough = groups.digits() >= DIGITS_MIN;
        let number = if enough && first.len() <= DIGITS_MAX {
            longest(card::find(text, &groups), phone::find(text, &groups))
        } else {
            None
        };
        let found = longest(iban::find(text, first.start), number);
        // Without a finding the second group is tried as the first, unless it has too few digits for anything too.
        at = match found {
            Some(finding) => finding.end.max(first.end),
            None if enough => first.end,
            None => groups.end(),
        };
        findings.extend(found);
    }
}

fn longest(one: Option<Finding>, other: Option<Finding>) -> Option<Finding> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other.len() > one.len() { other } else { one }),
        (one, other) => one.or(other),
    }
}

/// Where the separators that begin at `from` end, if there are some, and not more than between groups of one number.
fn separator_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    for _ in 0..SEPARATORS_MAX {
        let len = match bytes.get(at) {
            Some(b'.' | b'/' | b'(' | b')') => Some(1),
            Some(_) => blank_len(bytes, at).or_else(|| hyphen_len(bytes, at)),
            None => None,
        };
        match len {
            Some(len) => at = at.saturating_add(len),
            None => break,
        }
    }
    (at > from).then_some(at)
}

/// The digits of the groups, in one piece.
pub(super) fn digits_of(bytes: &[u8], groups: &[Group]) -> String {
    groups.iter().flat_map(|group| slice(bytes, group.start, group.end)).map(|byte| char::from(*byte)).collect()
}
