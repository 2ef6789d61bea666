//! Germany: Steuer-ID (Abgabenordnung § 139b; ISO/IEC 7064 mod 11,10). Belgium: national number (Royal decree of 3 April 1984).
//! Netherlands: BSN (Wet algemene bepalingen burgerservicenummer, "elfproef"). Poland: PESEL (Ustawa o ewidencji ludności,
//! art. 15–16). Switzerland: AHV number (Federal Office for Social Insurance; EAN-13).

use super::arithmetic::{are_digits, digit, is_day, is_uniform, long_rest, number, part, rest, weighted};

/// Steuer-ID: eleven digits, the first not zero; of the first ten one is there twice, or three times but not in a row, and the
/// others once at most; the last is the check.
pub(super) fn steuer_id(value: &[u8]) -> bool {
    let ([body @ .., check], 11) = (value, value.len()) else { return false };
    if !are_digits(value, 11) || body.first() == Some(&b'0') {
        return false;
    }
    let times = |wanted: u8| body.iter().filter(|byte| **byte == wanted).count();
    let counts = (b'0'..=b'9').map(times);
    let (twice, thrice, more) = counts.fold((0_u8, 0_u8, false), |(twice, thrice, more), count| match count {
        0 | 1 => (twice, thrice, more),
        2 => (twice.saturating_add(1), thrice, more),
        3 => (twice, thrice.saturating_add(1), more),
        _ => (twice, thrice, true),
    });
    let in_row = body.windows(3).any(is_uniform);
    let repeats = !more && matches!((twice, thrice), (1, 0) | (0, 1)) && !in_row;
    repeats && mod_11_10(body) == digit(*check)
}

/// The check digit of ISO/IEC 7064 mod 11,10.
fn mod_11_10(body: &[u8]) -> Option<u32> {
    let product = body.iter().try_fold(10_u32, |product, byte| {
        let sum = rest(digit(*byte)?.saturating_add(product), 10);
        Some(rest(if sum == 0 { 20 } else { sum.saturating_mul(2) }, 11))
    })?;
    Some(rest(11_u32.saturating_sub(product), 10))
}

/// Belgium's national number: a date of birth, a number of the day, and 97 less the rest by 97; from the year 2000 a 2 stands
/// before the nine digits. The months of those whose sex or date is not known are 20 or 40 higher.
pub(super) fn national_number(value: &[u8]) -> bool {
    let (Some(body), Some(check)) = (part(value, 0, 9), part(value, 9, 11)) else { return false };
    let (Some(month), Some(day)) = (part(value, 2, 4), part(value, 4, 6)) else { return false };
    let month = long_rest(month, 20);
    let dated = is_day(month, day) || (month <= 12 && day <= 31 && (month == 0 || day == 0));
    let agrees = |body: u64| 97_u64.saturating_sub(long_rest(body, 97)) == check;
    let order = part(value, 6, 9).is_some_and(|order| (1..=998).contains(&order));
    are_digits(value, 11) && dated && order && (agrees(body) || agrees(body.saturating_add(2_000_000_000)))
}

/// BSN: nine digits; weights from 9 to 2, and the last counts against them; the sum is a multiple of eleven.
pub(super) fn bsn(value: &[u8]) -> bool {
    let Some((sum, last)) = weighted(value, &[9, 8, 7, 6, 5, 4, 3, 2]).zip(value.last().copied().and_then(digit))
    else {
        return false;
    };
    are_digits(value, 9) && !is_uniform(value) && sum >= last && sum.saturating_sub(last).is_multiple_of(11)
}

/// BSN without its leading zero.
pub(super) fn short_bsn(value: &[u8]) -> bool {
    let mut padded = *b"000000000";
    let tail = padded.iter_mut().skip(1);
    tail.zip(value).for_each(|(place, byte)| *place = *byte);
    value.len() == 8 && bsn(&padded)
}

/// PESEL: a date of birth, whose month tells the century, a number, and a digit by weights 1, 3, 7, 9.
pub(super) fn pesel(value: &[u8]) -> bool {
    let (Some(month), Some(day)) = (part(value, 2, 4), part(value, 4, 6)) else { return false };
    let sum = weighted(value, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]);
    let dated = is_day(long_rest(month, 20), day);
    are_digits(value, 11) && dated && sum.is_some_and(|sum| sum.is_multiple_of(10))
}

/// AHV number: 756 for Switzerland, nine digits, and the check digit of EAN-13.
pub(super) fn ahv(value: &[u8]) -> bool {
    let sum = weighted(value, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]);
    are_digits(value, 13)
        && value.starts_with(b"756")
        && sum.is_some_and(|sum| sum.is_multiple_of(10))
        && number(value.get(3..).unwrap_or_default()).is_some_and(|rest| rest > 9)
}

/// A Belgian identity card: ten digits, and their rest by 97.
pub(super) fn belgian_card(value: &[u8]) -> bool {
    let (Some(body), Some(check)) = (part(value, 0, 10), part(value, 10, 12)) else { return false };
    let remainder = long_rest(body, 97);
    are_digits(value, 12) && (if remainder == 0 { 97 } else { remainder }) == check
}
