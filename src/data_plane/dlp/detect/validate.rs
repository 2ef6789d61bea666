//! Validators by name, for rules that are data.

use std::str::FromStr;

use iban::Iban;

use super::named;
use super::national::named::CHECKS;

/// Whether what a pattern matched is what it looks like. Separators may still stand in it. Pure, without panics, and linear.
pub type Validator = fn(&str) -> bool;

/// Every validator that is not of a kind of its own, by the name that rules use, in the order of names.
const VALIDATORS: &[(&str, Validator)] = &[
    ("assigned_password", named::assigned_password),
    ("basic", named::basic),
    ("connection_string", named::connection_string),
    ("iban", iban),
    ("luhn", luhn),
    ("mod97", mod97),
    ("password", named::password),
    ("secret", named::secret),
    ("verhoeff", verhoeff),
];

/// The longest value that a validator looks at, in bytes; what is longer is not valid.
const VALUE_BYTES_MAX: usize = 256;

/// The validator of this name.
#[must_use]
pub fn validator(name: &str) -> Option<Validator> {
    all().find(|(known, _)| *known == name).map(|(_, validator)| *validator)
}

/// The names of all validators, in order.
pub fn validators() -> impl Iterator<Item = &'static str> {
    let mut names: Vec<_> = all().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.into_iter()
}

fn all() -> impl Iterator<Item = &'static (&'static str, Validator)> {
    VALIDATORS.iter().chain(CHECKS)
}

/// Country, length, structure and check digits (ISO 13616, by the registry).
fn iban(value: &str) -> bool {
    let form: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
    value.len() <= VALUE_BYTES_MAX && Iban::from_str(&form.to_ascii_uppercase()).is_ok()
}

/// The last digit is that of Luhn's formula (ISO/IEC 7812-1, annex B); anything that is no digit is passed over.
fn luhn(value: &str) -> bool {
    let Some(digits) = digits(value) else { return false };
    let doubled =
        |digit: u32| if digit > 4 { digit.saturating_mul(2).saturating_sub(9) } else { digit.saturating_mul(2) };
    let weighed = digits.iter().rev().enumerate();
    let sum: u32 = weighed.map(|(place, digit)| if place % 2 == 1 { doubled(*digit) } else { *digit }).sum();
    digits.len() > 1 && sum.is_multiple_of(10)
}

/// The last two digits are those of ISO/IEC 7064, MOD 97-10; letters count 10 to 35.
fn mod97(value: &str) -> bool {
    if value.len() > VALUE_BYTES_MAX {
        return false;
    }
    let characters: Vec<u32> = value.chars().filter_map(|c| c.to_digit(36)).collect();
    let append = |rest: u32, digit: &u32| {
        let shift = if *digit > 9 { 100 } else { 10 };
        rest.saturating_mul(shift).saturating_add(*digit).checked_rem(97).unwrap_or(0)
    };
    characters.len() > 2 && characters.iter().fold(0, append) == 1
}

/// The last digit is that of Verhoeff's scheme (J. Verhoeff, "Error Detecting Decimal Codes", 1969).
fn verhoeff(value: &str) -> bool {
    let Some(digits) = digits(value) else { return false };
    let step = |check: u8, (place, digit): (usize, &u32)| {
        let digit = u8::try_from(*digit).unwrap_or(0);
        let permuted = (0..place % 8).fold(digit, |digit, _| permute(digit));
        multiply(check, permuted)
    };
    digits.len() > 1 && digits.iter().rev().enumerate().fold(0, step) == 0
}

/// Verhoeff's permutation, (1 5 8 9 4 2 7 0)(3 6), applied once.
fn permute(digit: u8) -> u8 {
    [1, 5, 7, 6, 2, 8, 3, 0, 9, 4].get(usize::from(digit)).copied().unwrap_or(0)
}

/// The product in the dihedral group of ten elements: 0 to 4 are turns, 5 to 9 reflections.
fn multiply(left: u8, right: u8) -> u8 {
    let (turn, other) = (left % 5, right % 5);
    match (left < 5, right < 5) {
        (true, true) => turn.wrapping_add(other) % 5,
        (true, false) => (turn.wrapping_add(other) % 5).wrapping_add(5),
        (false, true) => (turn.wrapping_add(5).wrapping_sub(other) % 5).wrapping_add(5),
        (false, false) => turn.wrapping_add(5).wrapping_sub(other) % 5,
    }
}

/// The digits of a value that is not too long.
fn digits(value: &str) -> Option<Vec<u32>> {
    (value.len() <= VALUE_BYTES_MAX).then(|| value.chars().filter_map(|c| c.to_digit(10)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order_and_each_is_found() {
        let names: Vec<_> = validators().collect();
        assert!(names.is_sorted());
        assert!(names.iter().all(|name| validator(name).is_some()));
        assert!(validator("none such").is_none());
    }

    #[test]
    fn numbers_of_the_norms_are_valid_and_their_neighbours_are_not() {
        for (name, sound, unsound) in [
            // The example of ISO/IEC 7812-1.
            ("luhn", "4992 7398 716", "4992 7398 717"),
            // The example of ISO/IEC 7064: 794 with its check digits.
            ("mod97", "794 44", "794 45"),
            // Verhoeff's scheme, of 236 and of 12345.
            ("verhoeff", "2363", "2364"),
            ("verhoeff", "123451", "123415"),
            ("iban", "fr76 3000 6000 0112 3456 7890 189", "FR7630006000011234567890188"),
        ] {
            let check = validator(name).expect("a validator");
            assert!(check(sound), "{name} {sound}");
            assert!(!check(unsound), "{name} {unsound}");
            for odd in ["", "0", "é", &"9".repeat(10_000)] {
                assert!(!check(odd), "{name} {odd}");
            }
        }
    }
}
