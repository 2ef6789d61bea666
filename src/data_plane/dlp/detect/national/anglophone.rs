//! United States: SSN (Social Security Administration, POMS RM 10201.030) and ITIN (Internal Revenue Service, IRM 3.21.263.3).
//! United Kingdom: NHS number (NHS Data Dictionary, modulus 11) and NINO (HM Revenue & Customs, NIM39110).

use super::arithmetic::{are_digits, is_uniform, part, weighted};

/// SSN: area, group and serial are not zero, the area is neither 666 nor from 900.
pub(super) fn ssn(value: &[u8]) -> bool {
    let (Some(area), Some(group), Some(serial)) = (part(value, 0, 3), part(value, 3, 5), part(value, 5, 9)) else {
        return false;
    };
    are_digits(value, 9) && matches!(area, 1..=665 | 667..=899) && group > 0 && serial > 0 && !is_uniform(value)
}

/// The prefix that the tax office writes its examples with: nobody has it, but people copy it.
pub(super) fn nino_of_examples(value: &[u8]) -> bool {
    value.strip_prefix(b"QQ").is_some_and(|rest| rest.get(..6).is_some_and(|number| are_digits(number, 6)))
}

/// ITIN: an area from 900, and a group of those that are issued.
pub(super) fn itin(value: &[u8]) -> bool {
    let group = part(value, 3, 5).unwrap_or(0);
    are_digits(value, 9) && value.first() == Some(&b'9') && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

/// NHS number: ten digits, the last of them by weights from 10 to 2, modulo 11. It is none if the check would be 10.
pub(super) fn nhs(value: &[u8]) -> bool {
    let sum = weighted(value, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    are_digits(value, 10) && !is_uniform(value) && sum.is_some_and(|sum| sum.is_multiple_of(11))
}

/// NINO: two letters of those that are issued, six digits, and a letter from A to D, which may be left out.
pub(super) fn nino(value: &[u8]) -> bool {
    let ([first, second, digits @ ..], 8..=9) = (value, value.len()) else { return false };
    let barred = |letter: &u8| matches!(letter, b'D' | b'F' | b'I' | b'Q' | b'U' | b'V');
    let prefix = first.is_ascii_uppercase()
        && second.is_ascii_uppercase()
        && !barred(first)
        && !barred(second)
        && *second != b'O'
        && !matches!(
            [*first, *second],
            [b'B', b'G'] | [b'G', b'B'] | [b'K', b'N'] | [b'N', b'K'] | [b'N', b'T'] | [b'T', b'N'] | [b'Z', b'Z']
        );
    let (number, suffix) = digits.split_at_checked(6).unwrap_or_default();
    prefix && are_digits(number, 6) && matches!(suffix, [] | [b'A'..=b'D'])
}
