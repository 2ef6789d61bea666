//! Telephone numbers of all regions.
//!
//! With `+` or `00` and a calling code, a number is found where some region's plan assigns it; after `+` one that has only the
//! right length is found too, with a lower score. A national form needs more than digits that some region could assign, for
//! almost any eight digits are a number somewhere:
//! - a word beside it (`tel`, `mobile`, `téléphone`, …), or a weaker one (`call`, `contact`, …) and grouping; or
//! - the grouping of a plan: North America's 3-3-4, a trunk zero and evenly separated groups, an area code in parentheses, or
//!   the ten digits together of a French mobile. Pairs of digits count only as five of them, not inside a table of pairs.
//!
//! Dates, IP addresses, versions, and digits inside words, fractions, amounts and paths are never numbers.

use super::boundary::{back, before, begins_word, blank_len, ends_word, follows_escape, is_word, slice};
use super::context::{self, Context};
use super::number::{Group, Groups, digits_of, separators};
use super::numbering::{self, is_international, is_national, is_possible};
use crate::data_plane::dlp::finding::{Finding, Kind, Score};

/// The fewest digits of a national number.
const DIGITS_MIN: usize = 7;

/// The groups from the first up to some other, and their digits in one piece.
#[derive(Clone, Copy)]
struct Reading<'t> {
    groups: &'t [Group],
    digits: &'t str,
}

/// The phone number that begins with the first group.
pub(super) fn find(text: &str, groups: &Groups) -> Option<Finding> {
    let bytes = text.as_bytes();
    let (all, first) = (groups.as_slice(), groups.first());
    if let Some(start) = plus_before(bytes, first.start) {
        let digits = digits_of(bytes, all);
        let all = Reading { groups: all, digits: &digits };
        return international(bytes, all, start, "", Score::HIGH).or_else(|| unassigned(bytes, all, start));
    }
    let start = opening(bytes, first.start);
    if !begins(bytes, start) || is_date(bytes, all) || is_address(bytes, all) {
        return None;
    }
    // Most digits end here: neither is there a word before them, nor do they begin as a plan's grouping does.
    let zero = bytes.get(first.start) == Some(&b'0');
    let grouping = zero || start < first.start || matches!(first.len(), 1 | 3);
    let context = context::before_number(bytes, start);
    if !grouping && context == Context::None {
        return None;
    }
    let digits = digits_of(bytes, all);
    let all = Reading { groups: all, digits: &digits };
    let access = if digits.starts_with("00") { international(bytes, all, start, "00", Score::LIKELY) } else { None };
    access
        .or_else(|| if grouping { by_grouping(bytes, all, start, groups.previous_end()) } else { None })
        .or_else(|| by_context(bytes, all, start, context))
}

/// The longest reading with a calling code, which `access` may stand before.
fn international(bytes: &[u8], all: Reading<'_>, start: usize, access: &str, score: Score) -> Option<Finding> {
    readings(all).find_map(|reading| {
        let digits = reading.digits.strip_prefix(access)?;
        let sound = digits.len() <= numbering::DIGITS_MAX.saturating_add(1) && is_international(digits);
        finish(bytes, reading.groups, start, score).filter(|_| sound)
    })
}

/// The longest reading after a `+` that has the length of a number with its calling code, though no plan assigns it: written
/// like that it is somebody's number with a slip, or of a range that is newer than the plans here.
fn unassigned(bytes: &[u8], all: Reading<'_>, start: usize) -> Option<Finding> {
    readings(all).find_map(|reading| {
        finish(bytes, reading.groups, start, Score::PLAUSIBLE).filter(|_| is_possible(reading.digits))
    })
}

/// The reading whose grouping is that of a numbering plan.
fn by_grouping(bytes: &[u8], all: Reading<'_>, start: usize, previous_end: Option<usize>) -> Option<Finding> {
    readings(all).find_map(|reading| {
        let area = area_in_parentheses(bytes, reading.groups);
        let sound = match *reading.groups {
            [_] => {
                let french_mobile = reading.digits.starts_with("06") || reading.digits.starts_with("07");
                french_mobile && reading.digits.len() == 10 && is_national(reading.digits)
            }
            [a, b, c] if (a.len(), b.len(), c.len()) == (3, 3, 4) => {
                let spaced = !area && is_blank(bytes, b.end);
                (area || is_even(bytes, reading.groups)) && is_north_american(reading.digits, spaced)
            }
            [a, b, c, d] if (a.len(), b.len(), c.len(), d.len()) == (1, 3, 3, 4) => {
                reading.digits.strip_prefix('1').is_some_and(|digits| is_north_american(digits, true))
            }
            _ => (area || has_trunk_zero(bytes, reading, all, previous_end)) && is_national(reading.digits),
        };
        let (least, most) = (9, 12);
        let sized = (least..=most).contains(&reading.digits.len());
        finish(bytes, reading.groups, start, if area { Score::LIKELY } else { Score::PLAUSIBLE })
            .filter(|_| sound && sized)
    })
}

/// Whether digits are a North American number: assigned, or, where the hyphens or parentheses of such numbers separate it, at
/// least of its form.
fn is_north_american(digits: &str, strictly: bool) -> bool {
    matches!(digits.as_bytes(), [b'2'..=b'9', ..]) && (!strictly || numbering::is_north_american(digits))
}

/// Whether a reading begins with a trunk zero and is separated evenly. Five pairs are a number; more, or pairs that go on before
/// or after it, are a table or the bytes of something.
fn has_trunk_zero(bytes: &[u8], reading: Reading<'_>, all: Reading<'_>, previous_end: Option<usize>) -> bool {
    let [first, rest @ ..] = reading.groups else { return false };
    let trunk = reading.digits.starts_with('0') && !reading.digits.starts_with("00");
    if !trunk || rest.len() < 2 || !is_even(bytes, rest) {
        return false;
    }
    // Fours are the words of a dump where another stands before or after them.
    if reading.groups.iter().all(|group| group.len() == 4) {
        let after = reading.groups.last().map_or(0, |last| last.end);
        let word = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_hexdigit);
        let follows = bytes.get(after) == Some(&b' ') && word(after.checked_add(1));
        return !follows && !word(first.start.checked_sub(2));
    }
    // Threes after another group are the thousands of an amount.
    let thousands = reading.groups.iter().all(|group| group.len() == 3)
        && is_blank_before(bytes, first.start)
        && back(bytes, first.start, 2).is_some_and(|byte| byte.is_ascii_digit());
    if !reading.groups.iter().all(|group| group.len() == 2) {
        return !thousands;
    }
    let blank =
        back(bytes, first.start, 2).is_some_and(|byte| byte.is_ascii_digit()) && is_blank_before(bytes, first.start);
    let goes_on = blank && previous_end.is_none_or(|end| end.saturating_add(3) < first.start);
    let next = all.groups.get(reading.groups.len()..).unwrap_or_default();
    let number_follows = is_zero(bytes, next.first()) && !is_zero(bytes, next.get(1));
    let more = next.len() >= 2 && next.iter().take(2).all(|group| group.len() == 2) && !number_follows;
    reading.groups.len() == 5 && !goes_on && !more
}

fn is_zero(bytes: &[u8], group: Option<&Group>) -> bool {
    group.is_some_and(|group| bytes.get(group.start) == Some(&b'0'))
}

fn is_blank(bytes: &[u8], at: usize) -> bool {
    blank_len(bytes, at).is_some()
}

fn is_blank_before(bytes: &[u8], at: usize) -> bool {
    before(bytes, at) == Some(b' ')
}

/// The longest reading that some region assigns, where a word says that it is one.
fn by_context(bytes: &[u8], all: Reading<'_>, start: usize, context: Context) -> Option<Finding> {
    let (plain, score) = match context {
        Context::None => return None,
        Context::Weak => (false, Score::PLAUSIBLE),
        Context::Strong => (true, Score::LIKELY),
    };
    readings(all).find_map(|reading| {
        let written = reading.digits.starts_with('0') || (reading.groups.len() > 1 && !is_in_thousands(reading));
        let sound = (plain || written) && (is_national(reading.digits) || is_international(reading.digits));
        finish(bytes, reading.groups, start, score).filter(|_| sound)
    })
}

/// Whether the groups are those of a number of millions.
fn is_in_thousands(reading: Reading<'_>) -> bool {
    reading.digits.len() < 9 && reading.groups.iter().skip(1).all(|group| group.len() == 3)
}

/// The readings from the first group, longest first, as far as their digits can be a number.
fn readings(all: Reading<'_>) -> impl Iterator<Item = Reading<'_>> {
    let mut digits = all.digits.len();
    let most = numbering::DIGITS_MAX.saturating_add(3);
    (1..=all.groups.len())
        .rev()
        .map_while(move |count| {
            let reading = Reading { groups: all.groups.get(..count)?, digits: all.digits.get(..digits)? };
            digits = digits.saturating_sub(reading.groups.last()?.len());
            Some(reading)
        })
        .filter(move |reading| (DIGITS_MIN..=most).contains(&reading.digits.len()))
}

/// The finding from `start` to the last group, if a number can end there.
fn finish(bytes: &[u8], taken: &[Group], start: usize, score: Score) -> Option<Finding> {
    let end = taken.last()?.end;
    let next = bytes.get(end).copied();
    let digit_follows = bytes.get(end.saturating_add(1)).is_some_and(u8::is_ascii_digit);
    let continued = digit_follows && matches!(next, Some(b'.' | b'-' | b'/' | b':' | b',' | b'_'));
    let amount = matches!(next, Some(b'%' | b'@'));
    (ends_word(bytes, end) && !continued && !amount).then_some(Finding { kind: Kind::PHONE_NUMBER, start, end, score })
}

/// Where a number with `+` before its first group begins.
fn plus_before(bytes: &[u8], first: usize) -> Option<usize> {
    let start = match (back(bytes, first, 2), before(bytes, first)) {
        (Some(b'('), Some(b'+')) | (Some(b'+'), Some(b'(')) => first.checked_sub(2)?,
        (_, Some(b'+')) => first.checked_sub(1)?,
        _ => return None,
    };
    begins_word(bytes, start).then_some(start)
}

/// Where a number begins that may have a parenthesis before its first group.
fn opening(bytes: &[u8], first: usize) -> usize {
    if before(bytes, first) == Some(b'(') { first.saturating_sub(1) } else { first }
}

/// Whether a national number can begin here: not in a word, fraction, amount, path or identifier.
fn begins(bytes: &[u8], start: usize) -> bool {
    if follows_escape(bytes, start) {
        return true;
    }
    match before(bytes, start) {
        Some(b'.' | b',' | b'-' | b'/' | b':') => !back(bytes, start, 2).is_some_and(is_word) || is_label(bytes, start),
        Some(b'#' | b'$' | b'@' | b'\\' | b'+') => false,
        // The pound sign and the euro sign end so.
        Some(0xA3 | 0xAC) => false,
        Some(byte) => !is_word(byte),
        None => true,
    }
}

/// Whether what ends at `start` is a word with a colon or a full stop, as in `tel:` or `tél.`.
fn is_label(bytes: &[u8], start: usize) -> bool {
    matches!(before(bytes, start), Some(b':' | b'.'))
        && back(bytes, start, 2).is_some_and(|byte| byte.is_ascii_alphabetic())
}

/// Whether the first group, or the first after the country's prefix, is an area code in parentheses.
fn area_in_parentheses(bytes: &[u8], taken: &[Group]) -> bool {
    let [first, _, ..] = taken else { return false };
    before(bytes, first.start) == Some(b'(') && bytes.get(first.end) == Some(&b')') && (2..=5).contains(&first.len())
}

/// Whether the groups are separated alike, by one separator.
fn is_even(bytes: &[u8], groups: &[Group]) -> bool {
    let mut separators = separators(bytes, groups);
    let Some(first) = separators.next() else { return true };
    let single = matches!(first, [b' ' | b'-' | b'.' | b'/'] | [0xC2, 0xA0] | [0xE2, 0x80, _]);
    single && separators.all(|separator| separator == first)
}

/// Whether the groups begin as a date does.
fn is_date(bytes: &[u8], groups: &[Group]) -> bool {
    let [a, b, c, ..] = groups else { return false };
    let digit = |value: u32, byte: &u8| value.saturating_mul(10).saturating_add(u32::from(byte.saturating_sub(b'0')));
    let value = |group: &Group| slice(bytes, group.start, group.end).iter().fold(0, digit);
    let year = |group: &Group| group.len() == 4 && (1900..=2100).contains(&value(group));
    let short = |group: &Group| group.len() <= 2 && (1..=31).contains(&value(group));
    let month = |one: &Group, other: &Group| value(one) <= 12 || value(other) <= 12;
    let dated = (year(a) && short(b) && short(c) && month(b, c)) || (short(a) && short(b) && year(c) && month(a, b));
    dated && is_even(bytes, &[*a, *b, *c])
}

/// Whether the groups are an IPv4 address or a version: dots between four groups of at most three digits.
fn is_address(bytes: &[u8], groups: &[Group]) -> bool {
    let four = groups.get(..4).unwrap_or_default();
    let dotted = separators(bytes, four).all(|separator| separator == b".");
    four.len() == 4
        && dotted
        && four.iter().all(|group| group.len() <= 3)
        && groups.get(4).is_none_or(|fifth| bytes.get(fifth.start.saturating_sub(1)) != Some(&b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_plane::dlp::detect::detect;

    fn found(text: &str) -> Vec<&str> {
        detect(text).iter().filter(|f| f.kind == Kind::PHONE_NUMBER).map(|f| &text[f.range()]).collect()
    }

    #[test]
    fn international_numbers_need_no_context() {
        for number in [
            "+33 6 12 34 56 78",
            "+33612345678",
            "+33 (0)6 12 34 56 78",
            "+33.1.42.68.53.00",
            "+1 (415) 555-2671",
            "+1-212-555-0123",
            "+44 20 7946 0958",
            "+49 30 901820",
            "+81 3-1234-5678",
            "+86 138 0013 8000",
            "+91 98765 43210",
            "+55 11 91234-5678",
            "+971 50 123 4567",
            "+254 712 123456",
            "+61 2 9374 4000",
            "+7 495 123-45-67",
            "+34 612 34 56 78",
            "+39 06 6982 1234",
            "+41 44 668 18 00",
            "+32 470 12 34 56",
            "+354 410 4000",
            "0033 6 12 34 56 78",
            "(+33) 6 12 34 56 78",
            "+33\u{a0}6\u{a0}12\u{a0}34\u{a0}56\u{a0}78",
        ] {
            for text in [number.to_owned(), format!("é {number}, à demain"), format!("Reach me:{number}.")] {
                assert_eq!(found(&text), [number], "{text}");
            }
        }
    }

    #[test]
    fn national_numbers_need_a_word_or_their_grouping() {
        for (text, expected) in [
            ("Appelez le 06 12 34 56 78 demain", "06 12 34 56 78"),
            ("06.12.34.56.78", "06.12.34.56.78"),
            ("01-42-68-53-00", "01-42-68-53-00"),
            ("0612345678", "0612345678"),
            ("Tél. : 0142685300", "0142685300"),
            ("TÉL 01 42 68 53 00", "01 42 68 53 00"),
            ("tel:0142685300", "0142685300"),
            ("(415) 555-2671", "(415) 555-2671"),
            ("415-555-2671", "415-555-2671"),
            ("1-415-555-2671", "1-415-555-2671"),
            ("call 020 7946 0958 now", "020 7946 0958"),
            ("020 7946 0958", "020 7946 0958"),
            ("Telefon: 030 901820", "030 901820"),
            ("Handy 0151 23456789", "0151 23456789"),
            ("mobile 612 345 678", "612 345 678"),
            ("Teléfono: 912 345 678", "912 345 678"),
            ("Tlf. 22 12 34 56", "22 12 34 56"),
            ("phone 1234 5678", "1234 5678"),
            ("電話03-1234-5678", "03-1234-5678"),
            ("电话：010-62345678", "010-62345678"),
            ("(11) 91234-5678", "(11) 91234-5678"),
            ("тел. 8 (495) 123-45-67", "8 (495) 123-45-67"),
            ("GSM 0470 12 34 56", "0470 12 34 56"),
            ("My cell is 9876543210", "9876543210"),
            ("(555) 123-4567", "(555) 123-4567"),
            ("+1 555 123 4567", "+1 555 123 4567"),
            (r#"{"a":"x\n06 12 34 56 78"}"#, "06 12 34 56 78"),
            (r#"{"a":"x\n+33 6 12 34 56 78"}"#, "+33 6 12 34 56 78"),
            ("au 01 42 68 53 00, 12 rue", "01 42 68 53 00"),
            ("joignable au 01 42 68 53 00", "01 42 68 53 00"),
        ] {
            assert_eq!(found(text), [expected], "{text}");
        }
    }

    #[test]
    fn numbers_that_follow_each_other_are_each_found() {
        assert_eq!(found("06 12 34 56 78 01 42 68 53 00"), ["06 12 34 56 78", "01 42 68 53 00"]);
        assert_eq!(found("06 12 34 56 78 / 01 42 68 53 00"), ["06 12 34 56 78", "01 42 68 53 00"]);
    }

    #[test]
    fn plain_numbers_dates_and_identifiers_are_not_phones() {
        for text in [
            "2026-11-20T10:00:00Z",
            "2026-11-20 10:15:32.123456",
            "20/11/2026 10:15",
            "01/02/2024 12:30",
            "01-02-2024 12",
            "550e8400-e29b-41d4-a716-446655440000",
            "192.168.100.200",
            "version 10.15.7 build 19.6.0",
            "call 192.168.100.200",
            "phone since 2024-01-15",
            "1700000000",
            "1700000000123",
            "1 234 567 890",
            "12 345 678",
            "3.14159265358979",
            "order 123456789",
            "ISBN 978-3-16-148410-0",
            "API call 12345678 failed",
            "hotel 12345678",
            "contact 12 345 678 people",
            "01 02 03 04 05 06 07 08 09 10",
            "11 02 13 14 15 16 17",
            "9f86d081884c7d659a2feaa0c55ad015",
            "#0612345678",
            "$ 415 555",
            "sum 1,234,567,890.12",
            "id_0612345678",
            "/var/0612345678/x",
            "+1",
            "2+33612345678",
            "+33 1",
            "0000123456",
            "x+0000000000",
        ] {
            assert_eq!(found(text), Vec::<&str>::new(), "{text}");
        }
    }
}
