//! Passports and identity cards: their numbers have no check digit outside the machine-readable zone (ICAO Doc 9303), so that
//! only the words beside them tell. What is asked here is what the numbers of many countries have in common.

use super::arithmetic::{is_day, is_uniform, part};

/// The fewest digits in a passport's number: those of Germany are drawn from digits and letters alike.
const PASSPORT_DIGITS_MIN: usize = 1;

/// The fewest digits in an identity card's number: those of France have mostly letters since 2021, those of Germany as well.
const CARD_DIGITS_MIN: usize = 1;

/// A passport's number: seven to nine letters and digits, and no date.
pub(super) fn passport(value: &[u8]) -> bool {
    (7..=9).contains(&value.len()) && has_digits(value, PASSPORT_DIGITS_MIN) && !is_date(value)
}

/// An identity card's number: eight to twelve letters and digits.
pub(super) fn id_card(value: &[u8]) -> bool {
    (8..=12).contains(&value.len()) && has_digits(value, CARD_DIGITS_MIN) && !is_date(value)
}

fn has_digits(value: &[u8], least: usize) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let sound = value.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    sound && digits >= least && !is_uniform(value)
}

/// Whether eight digits are a day of our times.
fn is_date(value: &[u8]) -> bool {
    let day = |year, month, day| {
        part(value, year, year.saturating_add(4)).is_some_and(|year| (1900..=2100).contains(&year))
            && part(value, month, month.saturating_add(2))
                .zip(part(value, day, day.saturating_add(2)))
                .is_some_and(|(month, day)| is_day(month, day))
    };
    value.len() == 8 && (day(0, 4, 6) || day(4, 2, 0) || day(4, 0, 2))
}
