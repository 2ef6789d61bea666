//! Telephone numbers of all regions.
//!
//! With `+` or `00` and a calling code, a number is found wherever its region's plan assigns it. A national form needs more
//! than digits that some region could assign, for almost any eight digits are a number somewhere:
//! - a word beside it (`tel`, `mobile`, `téléphone`, …), or a weaker one (`call`, `contact`, …) and grouping; or
//! - the grouping of a plan: North America's 3-3-4, a trunk zero and evenly separated groups, an area code in parentheses, or
//!   the ten digits together of a French mobile.
//!
//! Dates, IP addresses, versions, and digits inside words, fractions, amounts and paths are never numbers.

use super::boundary::{back, before, ends_word, is_word, slice};
use super::context::{self, Context};
use super::number::{Group, Groups, digits_of};
use super::numbering::{self, is_international, is_national, is_north_american};
use crate::data_plane::dlp::finding::{Finding, Kind, Score};

/// The fewest digits of a national number.
const DIGITS_MIN: usize = 7;

/// The phone number that begins with the first group.
pub(super) fn find(text: &str, groups: &Groups) -> Option<Finding> {
    let bytes = text.as_bytes();
    let all = groups.as_slice();
    if let Some(start) = plus_before(bytes, groups.first().start) {
        return international(bytes, all, start, "", Score::HIGH);
    }
    let start = opening(bytes, groups.first().start);
    if !begins(bytes, start) || is_date(bytes, all) || is_address(bytes, all) {
        return None;
    }
    if digits_of(bytes, all.get(..1)?).starts_with("00") {
        let found = international(bytes, all, start, "00", Score::LIKELY);
        if found.is_some() {
            return found;
        }
    }
    by_grouping(bytes, all, start).or_else(|| by_context(bytes, all, start))
}

/// The longest reading with a calling code, which `access` may stand before.
fn international(bytes: &[u8], groups: &[Group], start: usize, access: &str, score: Score) -> Option<Finding> {
    readings(groups).find_map(|taken| {
        let digits = digits_of(bytes, taken);
        let digits = digits.strip_prefix(access)?;
        let sound = digits.len() <= numbering::DIGITS_MAX.saturating_add(1) && is_international(digits);
        finish(bytes, taken, start, score).filter(|_| sound)
    })
}

/// The reading whose grouping is that of a numbering plan.
fn by_grouping(bytes: &[u8], groups: &[Group], start: usize) -> Option<Finding> {
    readings(groups).find_map(|taken| {
        let lengths: Vec<usize> = taken.iter().map(|group| group.len()).collect();
        let digits = digits_of(bytes, taken);
        let area = area_in_parentheses(bytes, taken);
        let sound = match lengths.as_slice() {
            [3, 3, 4] if is_even(bytes, taken) || area => is_north_american(&digits),
            [1, 3, 3, 4] => digits.strip_prefix('1').is_some_and(is_north_american),
            [10] => matches!(digits.as_bytes(), [b'0', b'6' | b'7', ..]) && is_national(&digits),
            [_] => false,
            lengths => {
                let trunk = digits.starts_with('0') && !digits.starts_with("00");
                let grouped = trunk && lengths.len() >= 3 && is_even(bytes, taken.get(1..).unwrap_or_default());
                let pairs = lengths.len() > 5 && lengths.iter().all(|len| *len == 2);
                (area || grouped) && !pairs && (9..=12).contains(&digits.len()) && is_national(&digits)
            }
        };
        finish(bytes, taken, start, if area { Score::LIKELY } else { Score::PLAUSIBLE }).filter(|_| sound)
    })
}

/// The longest reading that some region assigns, where a word says that it is one.
fn by_context(bytes: &[u8], groups: &[Group], start: usize) -> Option<Finding> {
    let (plain, score) = match context::before_number(bytes, start) {
        Context::None => return None,
        Context::Weak => (false, Score::PLAUSIBLE),
        Context::Strong => (true, Score::LIKELY),
    };
    readings(groups).find_map(|taken| {
        let digits = digits_of(bytes, taken);
        let written = digits.starts_with('0') || (taken.len() > 1 && !is_in_thousands(taken, digits.len()));
        let sound =
            (plain || written) && digits.len() >= DIGITS_MIN && (is_national(&digits) || is_international(&digits));
        finish(bytes, taken, start, score).filter(|_| sound)
    })
}

/// Whether the groups are those of a number of millions.
fn is_in_thousands(taken: &[Group], digits: usize) -> bool {
    digits < 9 && taken.iter().skip(1).all(|group| group.len() == 3)
}

/// The groups from the first up to each, longest first, as far as their digits can be a number.
fn readings(groups: &[Group]) -> impl Iterator<Item = &[Group]> {
    let enough = |taken: &[Group]| {
        let digits = taken.iter().map(|group| group.len()).fold(0, usize::saturating_add);
        (DIGITS_MIN..=numbering::DIGITS_MAX.saturating_add(3)).contains(&digits)
    };
    (1..=groups.len()).rev().filter_map(|count| groups.get(..count)).filter(move |taken| enough(taken))
}

/// The finding from `start` to the last group, if a number can end there.
fn finish(bytes: &[u8], taken: &[Group], start: usize, score: Score) -> Option<Finding> {
    let end = taken.last()?.end;
    let next = bytes.get(end).copied();
    let digit_follows = bytes.get(end.saturating_add(1)).is_some_and(u8::is_ascii_digit);
    let continued = digit_follows && matches!(next, Some(b'.' | b'-' | b'/' | b':' | b',' | b'_'));
    let amount = matches!(next, Some(b'%' | b'@'));
    (ends_word(bytes, end) && !continued && !amount).then_some(Finding { kind: Kind::PhoneNumber, start, end, score })
}

/// Where a number with `+` before its first group begins.
fn plus_before(bytes: &[u8], first: usize) -> Option<usize> {
    let start = match (back(bytes, first, 2), before(bytes, first)) {
        (Some(b'('), Some(b'+')) | (Some(b'+'), Some(b'(')) => first.checked_sub(2)?,
        (_, Some(b'+')) => first.checked_sub(1)?,
        _ => return None,
    };
    before(bytes, start).is_none_or(|byte| !is_word(byte)).then_some(start)
}

/// Where a number begins that may have a parenthesis before its first group.
fn opening(bytes: &[u8], first: usize) -> usize {
    if before(bytes, first) == Some(b'(') { first.saturating_sub(1) } else { first }
}

/// Whether a national number can begin here: not in a word, fraction, amount, path or identifier.
fn begins(bytes: &[u8], start: usize) -> bool {
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
    let mut separators = groups.windows(2).map(|pair| match pair {
        [left, right] => slice(bytes, left.end, right.start),
        _ => &[],
    });
    let Some(first) = separators.next() else { return true };
    let single = matches!(first, [b' ' | b'-' | b'.' | b'/'] | [0xC2, 0xA0] | [0xE2, 0x80, _]);
    single && separators.all(|separator| separator == first)
}

/// Whether the groups begin as a date does.
fn is_date(bytes: &[u8], groups: &[Group]) -> bool {
    let [a, b, c, ..] = groups else { return false };
    let value = |group: &Group| digits_of(bytes, std::slice::from_ref(group)).parse::<u32>().unwrap_or(u32::MAX);
    let year = |group: &Group| group.len() == 4 && (1900..=2100).contains(&value(group));
    let short = |group: &Group| group.len() <= 2 && (1..=31).contains(&value(group));
    let month = |one: &Group, other: &Group| value(one) <= 12 || value(other) <= 12;
    let dated = (year(a) && short(b) && short(c) && month(b, c)) || (short(a) && short(b) && year(c) && month(a, b));
    dated && is_even(bytes, &[*a, *b, *c])
}

/// Whether the groups are an IPv4 address or a version: dots between four groups of at most three digits.
fn is_address(bytes: &[u8], groups: &[Group]) -> bool {
    let four = groups.get(..4).unwrap_or_default();
    let dotted = four.windows(2).all(|pair| matches!(pair, [l, r] if slice(bytes, l.end, r.start) == b"."));
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
        detect(text).iter().filter(|f| f.kind == Kind::PhoneNumber).map(|f| &text[f.range()]).collect()
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
            ("joignable au 01 42 68 53 00", "01 42 68 53 00"),
        ] {
            assert_eq!(found(text), [expected], "{text}");
        }
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
