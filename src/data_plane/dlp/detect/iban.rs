//! International bank account numbers, found from the check digits after the country's letters.

use std::str::FromStr;

use iban::Iban;

use super::boundary::{back, begins_word, blank_len, ends_word, hyphen_len, slice};
use crate::data_plane::dlp::finding::{Finding, Kind, Score};

/// The longest IBAN, in characters without separators (ISO 13616).
const CHARACTERS_MAX: usize = 34;

/// The shortest registered IBAN (Norway's), in characters without separators.
const CHARACTERS_MIN: usize = 15;

/// Country and check digits, which the check moves behind the rest.
const HEAD_CHARACTERS: usize = 4;

/// What two letters and two digits shift a number by when they are appended to it.
const HEAD_SHIFT: u32 = 1_000_000;

/// The IBAN whose check digits begin at `digits`: the longest reading that the registry and the check digits allow.
pub(super) fn find(text: &str, digits: usize) -> Option<Finding> {
    let bytes = text.as_bytes();
    let letters = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphabetic());
    if !letters(back(bytes, digits, 1)) || !letters(back(bytes, digits, 2)) {
        return None;
    }
    let start = digits.checked_sub(2)?;
    let labelled = slice(bytes, start.saturating_sub(4), start).eq_ignore_ascii_case(b"IBAN");
    if !begins_word(bytes, start) && !labelled {
        return None;
    }
    let (form, ends) = electronic_form(bytes, start);
    let registered = |length: usize| form.get(..length).is_some_and(|form| Iban::from_str(form).is_ok());
    let end = ends.into_iter().rev().find(|(length, _)| registered(*length))?.1;
    Some(Finding { kind: Kind::IBAN_CODE, start, end, score: Score::CERTAIN })
}

/// The characters from `start` without separators and in capitals, and where the number may end: after so many characters, at
/// such a byte. Places where the check digits do not fit are left out, at less cost than the registry's check.
fn electronic_form(bytes: &[u8], start: usize) -> (String, Vec<(usize, usize)>) {
    let mut ends = Vec::new();
    let mut form = String::with_capacity(CHARACTERS_MAX);
    // The remainder of the first four characters, which count as the last, and of those after them.
    let (mut head, mut rest) = (0, 0);
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        if byte.is_ascii_alphanumeric() {
            if form.len() == CHARACTERS_MAX {
                break;
            }
            let remainder = if form.len() < HEAD_CHARACTERS { &mut head } else { &mut rest };
            *remainder = append(*remainder, *byte);
            form.push(char::from(byte.to_ascii_uppercase()));
            at = at.saturating_add(1);
            let fits = rest.saturating_mul(HEAD_SHIFT).saturating_add(head).checked_rem(97) == Some(1);
            if fits && form.len() >= CHARACTERS_MIN && ends_word(bytes, at) {
                ends.push((form.len(), at));
            }
            continue;
        }
        let separator = blank_len(bytes, at).or_else(|| hyphen_len(bytes, at)).or((*byte == b'.').then_some(1));
        let Some(next) = separator.map(|len| at.saturating_add(len)) else { break };
        if !bytes.get(next).is_some_and(u8::is_ascii_alphanumeric) {
            break;
        }
        at = next;
    }
    (form, ends)
}

/// The remainder by 97 of a number to which a character is appended: a digit, or a letter as 10 to 35.
fn append(remainder: u32, byte: u8) -> u32 {
    let value = char::from(byte).to_digit(36).unwrap_or(0);
    let shift = if value < 10 { 10 } else { 100 };
    remainder.saturating_mul(shift).saturating_add(value).checked_rem(97).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_plane::dlp::detect::detect;

    fn found(text: &str) -> Vec<&str> {
        detect(text).iter().filter(|f| f.kind == Kind::IBAN_CODE).map(|f| &text[f.range()]).collect()
    }

    #[test]
    fn ibans_are_found_with_and_without_spaces() {
        for (text, expected) in [
            ("IBAN FR7630006000011234567890189", "FR7630006000011234567890189"),
            ("IBAN: FR76 3000 6000 0112 3456 7890 189 merci", "FR76 3000 6000 0112 3456 7890 189"),
            ("FR14 2004 1010 0505 0001 3M02 606.", "FR14 2004 1010 0505 0001 3M02 606"),
            ("de89 3704 0044 0532 0130 00", "de89 3704 0044 0532 0130 00"),
            ("GB29-NWBK-6016-1331-9268-19", "GB29-NWBK-6016-1331-9268-19"),
            ("(MT84MALT011000012345MTLCAST001S)", "MT84MALT011000012345MTLCAST001S"),
            ("NO93 8601 1117 947", "NO93 8601 1117 947"),
            ("BE68\u{a0}5390\u{a0}0754\u{a0}7034 le", "BE68\u{a0}5390\u{a0}0754\u{a0}7034"),
            ("IBANFR7630006000011234567890189", "FR7630006000011234567890189"),
            ("CH93 0076 2011 6238 5295 7", "CH93 0076 2011 6238 5295 7"),
        ] {
            assert_eq!(found(text), [expected], "{text}");
        }
    }

    #[test]
    fn wrong_check_digits_countries_and_lengths_are_not_ibans() {
        for text in [
            "FR7630006000011234567890188",
            "FR77 3000 6000 0112 3456 7890 189",
            "XX7630006000011234567890189",
            "FR763000600001123456789018",
            "xFR7630006000011234567890189",
            "FR7630006000011234567890189x",
            "AB12 3456 7890",
        ] {
            assert_eq!(found(text), Vec::<&str>::new(), "{text}");
        }
    }
}
