//! Streets with their house numbers.

use crate::data_plane::dlp::detect::boundary::{before, begins_word, run_end, run_start, slice};
use crate::data_plane::dlp::detect::reader::{Shape, blanks, one_of, word};
use crate::data_plane::dlp::detect::words::Topics;

/// The most digits of a house number.
const NUMBER_DIGITS_MAX: usize = 5;

/// The most words in a street's name.
const NAME_WORDS_MAX: usize = 7;

/// The longest name of a street that is looked back for, in bytes.
const NAME_BYTES_MAX: usize = 48;

/// Points of the compass after an English street's name.
const DIRECTIONS: [&str; 12] = ["north", "south", "east", "west", "NW", "NE", "SW", "SE", "N", "S", "E", "W"];

/// What a part of a building is called, before its number.
const UNITS: [&str; 16] = [
    "apartment ",
    "apt. ",
    "apt ",
    "suite ",
    "ste. ",
    "ste ",
    "unit ",
    "flat ",
    "floor ",
    "room ",
    "appartement ",
    "appt ",
    "bâtiment ",
    "bât. ",
    "bat ",
    "étage ",
];

/// Where digits at `at` end, if there are at most so many.
pub(super) fn digits_end(bytes: &[u8], at: usize, most: usize) -> Option<usize> {
    let end = run_end(bytes, at, most.saturating_add(1), |byte| byte.is_ascii_digit());
    (end > at && end.saturating_sub(at) <= most).then_some(end)
}

/// Where the house number begins that ends before the word at `at`: `12`, `12 bis`, `12-14`, `12B`, `12,`.
pub(super) fn number_before(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut end = at.checked_sub(1).filter(|gap| matches!(bytes.get(*gap), Some(b' ' | 0xA0)))?;
    if before(bytes, end) == Some(0xC2) {
        end = end.saturating_sub(1);
    }
    if before(bytes, end) == Some(b',') {
        end = end.saturating_sub(1);
    }
    for addition in [" bis", " ter", " quater", "bis", "ter", " A", " B", " C", " D"] {
        let from = end.saturating_sub(addition.len());
        if slice(bytes, from, end).eq_ignore_ascii_case(addition.as_bytes()) {
            end = from;
            break;
        }
    }
    if before(bytes, end).is_some_and(|byte| byte.is_ascii_alphabetic()) {
        end = end.saturating_sub(1);
    }
    let mut start = run_start(bytes, end, NUMBER_DIGITS_MAX.saturating_add(1), |byte| byte.is_ascii_digit());
    if (1..=NUMBER_DIGITS_MAX).contains(&end.saturating_sub(start)) {
        // 12-14, 12/14
        if matches!(before(bytes, start), Some(b'-' | b'/')) {
            let range = run_start(bytes, start.saturating_sub(1), NUMBER_DIGITS_MAX, |byte| byte.is_ascii_digit());
            start = if range < start.saturating_sub(1) { range } else { start };
        }
        let apart =
            begins_word(bytes, start) && !matches!(before(bytes, start), Some(b'.' | b',' | b'-' | b'/' | b':' | b'#'));
        return apart.then_some(start);
    }
    None
}

/// Where the street's name ends that follows its kind at `at`.
pub(super) fn name_after(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let stop = usize::from(bytes.get(at) == Some(&b'.') && before(bytes, at) != Some(b'.'));
    let mut next = blanks(bytes, at.saturating_add(stop), 2)?;
    let mut end = None;
    for _ in 0..NAME_WORDS_MAX {
        if let Some(digits) = digits_end(bytes, next, 4) {
            // "rue du 8 mai 1945" has figures; a postal code has more.
            if !bytes.get(digits).is_some_and(u8::is_ascii_alphanumeric) && end.is_none_or(|end| end < next) {
                end = Some(digits);
            }
            match blanks(bytes, digits, 1) {
                Some(after) => next = after,
                None => break,
            }
            continue;
        }
        let Some(read) = word(text, next) else { break };
        match read.shape {
            Shape::Small if read.is(Topics::JOINER) => {}
            // Names are typed in small letters, too: each word of three letters and more counts up to the first that cannot.
            Shape::Small
                if read.text.starts_with("d'")
                    || read.text.starts_with("l'")
                    || read.text.starts_with("d’")
                    || read.text.starts_with("l’") =>
            {
                end = Some(read.end);
            }
            Shape::Small => {
                let month = read.is(Topics::MONTH);
                let last = end.is_none() && ends_part(bytes, read.end);
                if !month && !last {
                    break;
                }
                end = Some(read.end);
            }
            Shape::Initial | Shape::Capital | Shape::Capitals => end = Some(read.end),
        }
        match blanks(bytes, read.end, 1) {
            Some(after) => next = after,
            None => break,
        }
    }
    end
}

/// Whether a part of an address ends at `at`: a comma, a line's end, or a postal code follows.
fn ends_part(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at) {
        None | Some(b',' | b'\n' | b'"' | b'<' | b';' | b'|') => true,
        Some(b' ') => digits_end(bytes, at.saturating_add(1), 5).is_some_and(|end| end.saturating_sub(at) == 6),
        Some(_) => false,
    }
}

/// Where the house number begins before a street's name whose kind is at `at`: `221B Baker `.
pub(super) fn name_before(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let from = at.saturating_sub(NAME_BYTES_MAX);
    // The nearest number before the kind of street, with nothing but a name between them.
    let mut end = at;
    for _ in 0..NAME_WORDS_MAX {
        let gap = end.checked_sub(1).filter(|gap| *gap > from && matches!(bytes.get(*gap), Some(b' ')))?;
        let start = run_start(bytes, gap, NAME_BYTES_MAX, |byte| {
            byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'\'' | b'-' | b'.' | b'/')
        });
        let part = slice(bytes, start, gap);
        let ordinal = part.ends_with(b"th") || part.ends_with(b"st") || part.ends_with(b"nd") || part.ends_with(b"rd");
        match part.first() {
            Some(byte) if byte.is_ascii_digit() && ordinal => end = start,
            Some(byte) if byte.is_ascii_digit() && end < at => {
                let digits = run_end(part, 0, part.len(), |byte| byte.is_ascii_digit());
                let tail = slice(part, digits, part.len());
                let letter = tail.len() <= 1 && tail.iter().all(u8::is_ascii_alphabetic);
                let number = digits <= NUMBER_DIGITS_MAX
                    && (letter
                        || matches!(tail, [b'-' | b'/', rest @ ..] if rest.iter().all(u8::is_ascii_digit) && rest.len() <= NUMBER_DIGITS_MAX));
                let apart =
                    begins_word(bytes, start) && !matches!(before(bytes, start), Some(b':' | b'#' | b'$' | b','));
                return (number && apart).then_some(start);
            }
            // A full stop after more than an abbreviation ends a sentence.
            Some(_) if part.ends_with(b".") && part.len() > 3 => return None,
            Some(byte) if byte.is_ascii_uppercase() || *byte >= 0x80 => end = start,
            _ => return None,
        }
    }
    None
}

/// Where the street ends with the point of the compass after it.
pub(super) fn direction_after(text: &str, end: usize) -> usize {
    let bytes = text.as_bytes();
    let stop = end.saturating_add(usize::from(
        bytes.get(end) == Some(&b'.')
            && before(bytes, end) != Some(b'.')
            && bytes.get(end.saturating_add(1)) == Some(&b','),
    ));
    let direction = blanks(bytes, stop, 1).and_then(|at| one_of(bytes, at, &DIRECTIONS));
    direction.filter(|end| !bytes.get(*end).is_some_and(u8::is_ascii_alphanumeric)).unwrap_or(stop)
}

/// Where the part of a building begins that stands before the house number: `Flat 3, `.
pub(super) fn unit_before(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let Some(comma) = start.checked_sub(2).filter(|comma| slice(bytes, *comma, start) == b", ") else { return start };
    let number = run_start(bytes, comma, 5, |byte| byte.is_ascii_alphanumeric());
    let unit = UNITS.iter().find_map(|unit| {
        let from = number.checked_sub(unit.len())?;
        (slice(bytes, from, number).eq_ignore_ascii_case(unit.as_bytes()) && begins_word(bytes, from)).then_some(from)
    });
    unit.filter(|_| number < comma).unwrap_or(start)
}

/// Where the part of a building ends that begins at `at`: `Apt 4B`, `#12`, `bâtiment C`.
pub(super) fn unit_after(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let number = if bytes.get(at) == Some(&b'#') { at.saturating_add(1) } else { one_of(bytes, at, &UNITS)? };
    let end = run_end(bytes, number, 6, |byte| byte.is_ascii_alphanumeric());
    (end > number).then_some(end)
}
