//! International bank account numbers, found from the check digits after the country's letters.

use std::str::FromStr;

use iban::Iban;

use super::boundary::{back, begins_word, blank_len, ends_word, hyphen_len, slice};
use crate::data_plane::dlp::finding::{Finding, Kind, Score};

/// The longest IBAN, in characters without separators (ISO 13616).
const CHARACTERS_MAX: usize = 34;

/// The shortest registered IBAN (Norway's), in characters without separators.
const CHARACTERS_MIN: usize = 15;

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
    let end = electronic_forms(bytes, start).into_iter().rev().find(|(_, form)| Iban::from_str(form).is_ok())?.0;
    Some(Finding { kind: Kind::IbanCode, start, end, score: Score::CERTAIN })
}

/// The readings from `start`, one for each place where the number may end, without separators and in capitals.
fn electronic_forms(bytes: &[u8], start: usize) -> Vec<(usize, String)> {
    let mut forms = Vec::new();
    let mut form = String::with_capacity(CHARACTERS_MAX);
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        if byte.is_ascii_alphanumeric() && form.len() < CHARACTERS_MAX {
            form.push(char::from(byte.to_ascii_uppercase()));
            at = at.saturating_add(1);
            if form.len() >= CHARACTERS_MIN && ends_word(bytes, at) {
                forms.push((at, form.clone()));
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
    forms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_plane::dlp::detect::detect;

    fn found(text: &str) -> Vec<&str> {
        detect(text).iter().filter(|f| f.kind == Kind::IbanCode).map(|f| &text[f.range()]).collect()
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
