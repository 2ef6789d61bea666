//! Spain: NIF and NIE (Real Decreto 338/1990; Ministerio del Interior, "cálculo del dígito de control"), and the NIF of legal
//! persons (Orden EHA/451/2008). Italy: codice fiscale (Decreto ministeriale 23 December 1976). Portugal: NIF (Decreto-Lei
//! 14/2013; the check digit of the Autoridade Tributária).

use super::arithmetic::{are_digits, digit, is_uniform, long_rest, number, rest, weighted};

/// The check letters of Spain, by the rest by 23.
const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

/// The check letters of Spanish legal persons, by their control digit.
const ORGANISATION_LETTERS: &[u8; 10] = b"JABCDEFGHI";

/// What a character in an odd place counts in the codice fiscale: digits and letters alike, A as 0.
const ODD: [u32; 26] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

/// The letters that stand for digits where two people would have the same code (omocodia).
const SUBSTITUTES: &[u8; 10] = b"LMNPQRSTUV";

/// The letters of the months.
const MONTHS: &[u8; 12] = b"ABCDEHLMPRST";

/// A citizen's NIF: eight digits and the letter of their rest by 23; or K, L or M and seven digits.
pub(super) fn nif(value: &[u8]) -> bool {
    let Some((letter, body)) = value.split_last() else { return false };
    match body {
        [b'K' | b'L' | b'M', digits @ ..] => digits.len() == 7 && has_letter(number(digits), *letter),
        digits => are_digits(digits, 8) && has_letter(number(digits), *letter),
    }
}

/// A foreigner's NIE: X, Y or Z, which count as 0, 1 and 2 before seven digits, and the letter.
pub(super) fn nie(value: &[u8]) -> bool {
    let ([first, digits @ .., letter], 9) = (value, value.len()) else { return false };
    let head = match first {
        b'X' => 0,
        b'Y' => 10_000_000,
        b'Z' => 20_000_000,
        _ => return false,
    };
    has_letter(number(digits).and_then(|digits| digits.checked_add(head)), *letter)
}

fn has_letter(number: Option<u64>, letter: u8) -> bool {
    let place = number.and_then(|number| usize::try_from(long_rest(number, 23)).ok());
    place.and_then(|place| LETTERS.get(place)) == Some(&letter)
}

/// The NIF of a legal person: a letter, seven digits, and a control digit or its letter.
pub(super) fn organisation(value: &[u8]) -> bool {
    let ([first, digits @ .., control], 9) = (value, value.len()) else { return false };
    if !matches!(first, b'A'..=b'H' | b'J' | b'N' | b'P'..=b'S' | b'U' | b'V' | b'W') {
        return false;
    }
    let doubled = |value: u32| rest(value.saturating_mul(2), 10).saturating_add(u32::from(value > 4));
    let values = digits
        .iter()
        .enumerate()
        .map(|(place, byte)| digit(*byte).map(|value| if place.is_multiple_of(2) { doubled(value) } else { value }));
    let Some(sum) = values.sum::<Option<u32>>() else { return false };
    let check = rest(10_u32.saturating_sub(rest(sum, 10)), 10);
    let letter = usize::try_from(check).ok().and_then(|check| ORGANISATION_LETTERS.get(check));
    digit(*control) == Some(check) || letter == Some(control)
}

/// The codice fiscale: letters of the names, year, month and day of birth, place, and a check letter.
pub(super) fn codice_fiscale(value: &[u8]) -> bool {
    let ([body @ .., check], 16) = (value, value.len()) else { return false };
    let names = body.get(..6).is_some_and(|names| names.iter().all(u8::is_ascii_uppercase));
    let month = body.get(8).is_some_and(|month| MONTHS.contains(month));
    let place = body.get(11).is_some_and(u8::is_ascii_uppercase);
    let figure = |from: usize, to: usize| -> Option<u64> {
        let figures: Vec<u8> = body.get(from..to)?.iter().copied().map(figure_of).collect::<Option<_>>()?;
        number(&figures)
    };
    let day = figure(9, 11).is_some_and(|day| matches!(day, 1..=31 | 41..=71));
    let sound = names && month && place && day && figure(6, 8).is_some() && figure(12, 15).is_some();
    sound && fiscal_letter(body) == Some(*check)
}

/// The digit that a character of the codice fiscale stands for.
fn figure_of(byte: u8) -> Option<u8> {
    if byte.is_ascii_digit() {
        return Some(byte);
    }
    let place = SUBSTITUTES.iter().position(|letter| *letter == byte)?;
    u8::try_from(place).ok()?.checked_add(b'0')
}

fn fiscal_letter(body: &[u8]) -> Option<u8> {
    let values = body.iter().enumerate().map(|(place, byte)| {
        let index = if byte.is_ascii_digit() { byte.checked_sub(b'0')? } else { byte.checked_sub(b'A')? };
        // The first character is in an odd place.
        if place.is_multiple_of(2) { ODD.get(usize::from(index)).copied() } else { Some(u32::from(index)) }
    });
    let sum: u32 = values.sum::<Option<u32>>()?;
    u8::try_from(rest(sum, 26)).ok()?.checked_add(b'A')
}

/// A Portuguese NIF: a first digit that is issued, weights from 9 to 2, modulo 11.
pub(super) fn contribuinte(value: &[u8]) -> bool {
    let issued = matches!(value.first(), Some(b'1' | b'2' | b'3' | b'5' | b'6' | b'8' | b'9'))
        || matches!(value.get(..2), Some(b"45"));
    let Some(sum) = weighted(value, &[9, 8, 7, 6, 5, 4, 3, 2]) else { return false };
    let remainder = rest(sum, 11);
    let check = if remainder < 2 { 0 } else { 11_u32.saturating_sub(remainder) };
    are_digits(value, 9) && issued && !is_uniform(value) && value.last().copied().and_then(digit) == Some(check)
}

/// A Portuguese NIF as a number of value-added tax, with the country before it.
pub(super) fn prefixed_contribuinte(value: &[u8]) -> bool {
    value.strip_prefix(b"PT").is_some_and(contribuinte)
}
