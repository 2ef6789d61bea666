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

/// Groups that follow each other, separated by what separates the groups of numbers: a window that moves over a row of them.
#[derive(Debug, Default)]
pub(super) struct Groups {
    window: Vec<Group>,
    /// Where the finding before them ended.
    previous_end: Option<usize>,
}

impl Groups {
    /// Begins with the run of digits at `start`.
    fn begin(&mut self, bytes: &[u8], start: usize) {
        self.window.clear();
        let end = run_end(bytes, start, usize::MAX, |byte| byte.is_ascii_digit());
        self.window.push(Group { start, end });
        self.extend(bytes);
    }

    /// Moves on by one group; false if that was the last.
    fn advance(&mut self, bytes: &[u8]) -> bool {
        if self.window.len() <= 1 {
            return false;
        }
        let _first = self.window.remove(0);
        self.extend(bytes);
        true
    }

    fn extend(&mut self, bytes: &[u8]) {
        while self.window.len() < GROUPS_MAX {
            let Some(start) = separator_end(bytes, self.end()) else { break };
            let end = run_end(bytes, start, DIGITS_MAX.saturating_add(1), |byte| byte.is_ascii_digit());
            let group = Group { start, end };
            if group.len() == 0 || group.len() > DIGITS_MAX {
                break;
            }
            self.window.push(group);
        }
    }

    /// The groups.
    pub(super) fn as_slice(&self) -> &[Group] {
        &self.window
    }

    /// The first group.
    pub(super) fn first(&self) -> Group {
        self.window.first().copied().unwrap_or(Group { start: 0, end: 0 })
    }

    /// Where the finding before them ended, if there was one.
    pub(super) fn previous_end(&self) -> Option<usize> {
        self.previous_end
    }

    /// Where the last group ends.
    fn end(&self) -> usize {
        self.window.last().map_or(0, |group| group.end)
    }

    /// How many digits there are.
    fn digits(&self) -> usize {
        self.window.iter().map(|group| group.len()).fold(0, usize::saturating_add)
    }
}

/// Adds every card, IBAN and phone number in the text.
pub(super) fn scan(text: &str, findings: &mut Vec<Finding>) {
    let bytes = text.as_bytes();
    let mut groups = Groups::default();
    let mut at = 0;
    while let Some(distance) = slice(bytes, at, bytes.len()).iter().position(u8::is_ascii_digit) {
        groups.begin(bytes, at.saturating_add(distance));
        at = loop {
            let enough = groups.digits() >= DIGITS_MIN;
            if let Some(finding) = first_number(text, &groups, enough) {
                groups.previous_end = Some(finding.end);
                findings.push(finding);
                break finding.end.max(groups.first().end);
            }
            // The second group is tried as the first, unless it has too few digits after it for anything too.
            if !enough || !groups.advance(bytes) {
                break groups.end();
            }
        };
    }
}

/// The longest number that begins with the first group.
fn first_number(text: &str, groups: &Groups, enough: bool) -> Option<Finding> {
    let first = groups.first();
    let iban = iban::find(text, first.start);
    if !enough || first.len() > DIGITS_MAX {
        return iban;
    }
    longest(iban, longest(card::find(text, groups), phone::find(text, groups)))
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
    let mut digits = String::with_capacity(GROUPS_MAX.saturating_mul(DIGITS_MAX));
    for group in groups {
        digits.push_str(std::str::from_utf8(slice(bytes, group.start, group.end)).unwrap_or_default());
    }
    digits
}

/// What is between each group and the next.
pub(super) fn separators<'t>(bytes: &'t [u8], groups: &[Group]) -> impl Iterator<Item = &'t [u8]> {
    groups.windows(2).map(move |pair| match pair {
        [left, right] => slice(bytes, left.end, right.start),
        _ => &[],
    })
}
