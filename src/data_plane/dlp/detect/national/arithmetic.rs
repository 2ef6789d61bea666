//! What check digits are computed with. Values come as ASCII digits and capitals without separators.

/// The value of a digit.
pub(super) fn digit(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(10)
}

/// The value of the digits as one number: at most 19 of them.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| number.checked_mul(10)?.checked_add(u64::from(digit(*byte)?)))
}

/// The value of the digits `from..to`.
pub(super) fn part(value: &[u8], from: usize, to: usize) -> Option<u64> {
    number(value.get(from..to)?)
}

/// The sum of the first digits, each times its weight.
pub(super) fn weighted(digits: &[u8], weights: &[u32]) -> Option<u32> {
    let products = digits.iter().zip(weights).map(|(byte, weight)| Some(digit(*byte)?.saturating_mul(*weight)));
    products.sum()
}

/// What remains of `number` after dividing it by `divisor`, which is not zero.
pub(super) fn rest(number: u32, divisor: u32) -> u32 {
    number.checked_rem(divisor).unwrap_or(0)
}

/// What remains of `number` after dividing it by `divisor`, which is not zero.
pub(super) fn long_rest(number: u64, divisor: u64) -> u64 {
    number.checked_rem(divisor).unwrap_or(0)
}

/// Whether every byte is a digit, and there are `len` of them.
pub(super) fn are_digits(value: &[u8], len: usize) -> bool {
    value.len() == len && value.iter().all(u8::is_ascii_digit)
}

/// Whether all bytes are the same.
pub(super) fn is_uniform(value: &[u8]) -> bool {
    value.windows(2).all(|pair| matches!(pair, [one, other] if one == other))
}

/// The sum of ISO/IEC 7812-1 annex B (Luhn): every second digit from the right is doubled, and its digits are added.
pub(super) fn luhn_sum(digits: &[u8]) -> Option<u32> {
    let values = digits.iter().rev().enumerate().map(|(place, byte)| {
        let value = digit(*byte)?;
        let doubled = if place.is_multiple_of(2) { value } else { value.saturating_mul(2) };
        Some(if doubled > 9 { doubled.saturating_sub(9) } else { doubled })
    });
    values.sum()
}

/// Whether the last digit is Luhn's.
pub(super) fn luhn(digits: &[u8]) -> bool {
    luhn_sum(digits).is_some_and(|sum| sum.is_multiple_of(10))
}

/// Whether a day and a month exist together in some year.
pub(super) fn is_day(month: u64, day: u64) -> bool {
    let most = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=most).contains(&day)
}
