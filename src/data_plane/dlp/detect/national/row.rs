//! Groups of letters and digits with the separators of numbers between them.

use super::forms::Joints;
use crate::data_plane::dlp::detect::boundary::{
    back, before, begins_word, blank_len, ends_word, hyphen_len, run_end, run_start, slice,
};

/// The longest group that is part of a number; longer ones are hashes, keys and the like.
pub(super) const GROUP_BYTES_MAX: usize = 16;

/// The longest group of letters alone: a word ends a row.
const LETTERS_MAX: usize = 3;

/// The longest group of capitals alone: the names in an Italian code.
const CAPITALS_MAX: usize = 6;

/// How many groups of letters may stand before the first with digits.
const LEADING_MAX: usize = 2;

/// How many groups are looked at together. A row may be longer: it is then read in parts.
pub(super) const TOKENS_MAX: usize = 24;

/// The most separators between two groups, as in ` / `.
const SEPARATORS_MAX: usize = 3;

/// A group: letters and digits with nothing between them, at bytes `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Token {
    pub(super) fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }

    pub(super) fn bytes(self, bytes: &[u8]) -> &[u8] {
        slice(bytes, self.start, self.end)
    }
}

/// Reads the groups around the first digit from `from` that is before `to` into `tokens`. Returns where the next row may begin;
/// `None` if there is no digit.
pub(super) fn read(bytes: &[u8], from: usize, to: usize, tokens: &mut Vec<Token>) -> Option<usize> {
    tokens.clear();
    let distance = slice(bytes, from, to).iter().position(u8::is_ascii_digit)?;
    let digit = from.saturating_add(distance);
    let mut at = leading(bytes, run_start(bytes, digit, GROUP_BYTES_MAX.saturating_add(1), is_part), from);
    while tokens.len() < TOKENS_MAX {
        let end = run_end(bytes, at, GROUP_BYTES_MAX.saturating_add(1), is_part);
        let token = Token { start: at, end };
        if !is_group(token.bytes(bytes)) {
            break;
        }
        tokens.push(token);
        match separator_end(bytes, end) {
            Some(next) => at = next,
            None => break,
        }
    }
    let last = tokens.last().map_or(digit, |token| token.end);
    // A run that goes on beyond the part is found to be none of ours there: it does not begin there.
    Some(run_end(bytes, last.max(digit), to.saturating_sub(last.max(digit)), is_part).max(digit.saturating_add(1)))
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn is_group(group: &[u8]) -> bool {
    let letters = !group.iter().any(u8::is_ascii_digit);
    let most = match group.iter().all(u8::is_ascii_uppercase) {
        _ if !letters => GROUP_BYTES_MAX,
        true => CAPITALS_MAX,
        false => LETTERS_MAX,
    };
    (1..=most).contains(&group.len())
}

/// Where the row begins whose first group with digits begins at `start`: letters such as a country's may stand before it.
fn leading(bytes: &[u8], start: usize, from: usize) -> usize {
    let mut begins = start;
    for _ in 0..LEADING_MAX {
        let Some(end) = begins.checked_sub(1).filter(|at| matches!(bytes.get(*at), Some(b' ' | b'-' | b'.'))) else {
            break;
        };
        let group = run_start(bytes, end, CAPITALS_MAX.saturating_add(1), |byte| byte.is_ascii_alphabetic());
        if group < from || !is_group(slice(bytes, group, end)) || !begins_word(bytes, group) {
            break;
        }
        begins = group;
    }
    begins.max(from)
}

/// Where the separators at `from` end, if there are some.
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
    (at > from && bytes.get(at).copied().is_some_and(is_part)).then_some(at)
}

/// Whether the groups are separated as the form says.
pub(super) fn are_joined(bytes: &[u8], tokens: &[Token], joints: Joints) -> bool {
    let mut separators = tokens.windows(2).map(|pair| match pair {
        [left, right] => slice(bytes, left.end, right.start),
        _ => &[],
    });
    let single = |separator: &[u8]| {
        separator.len() == 1
            || blank_len(separator, 0) == Some(separator.len())
            || hyphen_len(separator, 0) == Some(separator.len())
    };
    match joints {
        // After a full stop and a space another sentence begins.
        Joints::Free => separators.all(|separator| single(separator) || !separator.contains(&b'.')),
        Joints::Alike | Joints::Signs => {
            let Some(first) = separators.next() else { return true };
            let sign = joints == Joints::Alike || blank_len(first, 0).is_none();
            single(first) && sign && separators.all(|separator| separator == first)
        }
    }
}

/// Whether `start..end` is a value of its own: no part of a word, a fraction, a UUID or a longer number.
pub(super) fn stands_apart(bytes: &[u8], start: usize, end: usize) -> bool {
    let digits_before = |at: usize| {
        let run = slice(bytes, run_start(bytes, at, GROUP_BYTES_MAX, is_part), at);
        run.iter().any(u8::is_ascii_digit)
    };
    let joined_before = match before(bytes, start) {
        Some(b'.' | b'-' | b'/' | b':') => digits_before(start.saturating_sub(1)),
        Some(b'+') => true,
        _ => false,
    };
    let beyond = bytes.get(end.saturating_add(1)).copied();
    let joined_after = match bytes.get(end) {
        Some(b'-') => beyond.is_some_and(is_part),
        Some(b'.') => beyond.is_some_and(|byte| byte.is_ascii_digit()),
        Some(b'@' | b'%') => true,
        _ => false,
    };
    // A tag of the text's format or an escape may precede directly.
    let closed = back(bytes, start, 1).is_none_or(|byte| byte != b'_');
    begins_word(bytes, start) && ends_word(bytes, end) && closed && !joined_before && !joined_after
}
