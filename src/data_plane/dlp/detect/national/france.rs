//! France: NIR (INSEE, "numéro d'inscription au répertoire"), SIREN and SIRET (INSEE, "système d'identification"; ISO/IEC
//! 7812), TVA (article 286 ter of the tax code; Bulletin officiel BOI-TVA-DECLA-20-10-10).

use super::arithmetic::{are_digits, is_uniform, long_rest, luhn, luhn_sum, number, part};

/// La Poste's SIREN: the sum of its sites' plain digits is a multiple of five, where Luhn's digit does not agree.
const LA_POSTE: &[u8] = b"356000000";

/// NIR with its key of two digits: 97 less the rest of the thirteen before it by 97.
pub(super) fn nir(value: &[u8]) -> bool {
    let (Some(body), Some(key)) = (value.get(..13), value.get(13..)) else { return false };
    let expected = body_number(body).map(|body| 97_u64.saturating_sub(long_rest(body, 97)));
    key.len() == 2 && number(key).is_some() && number(key) == expected && nir_body(body)
}

/// NIR without its key: sex, year, month, department, commune, order.
pub(super) fn nir_body(body: &[u8]) -> bool {
    let Some(month) = part(body, 3, 5) else { return false };
    let (Some(commune), Some(order)) = (part(body, 7, 10), part(body, 10, 13)) else { return false };
    // 1 and 2 for the two sexes, 3 and 4 while the number is provisional, 7 and 8 for temporary ones.
    let sex = matches!(body.first(), Some(b'1'..=b'4' | b'7' | b'8'));
    // From 20: the month is unknown, or was written so in old registers.
    let month = matches!(month, 1..=12 | 20..=42 | 50..=99);
    let department = matches!(body.get(5..7), Some(b"2A" | b"2B")) || part(body, 5, 7).is_some_and(|place| place > 0);
    sex && month && department && commune > 0 && order > 0 && body.len() == 13 && part(body, 1, 3).is_some()
}

/// The thirteen characters as the key counts them: Corsica's departments are 2A, as 19, and 2B, as 18.
fn body_number(body: &[u8]) -> Option<u64> {
    let mut digits: [u8; 13] = body.try_into().ok()?;
    if let [_, _, _, _, _, b'2', second, ..] = &mut digits {
        let (letter, replacement) = (*second, b'0');
        if matches!(letter, b'A' | b'B') {
            *second = replacement;
            let shift = if letter == b'A' { 1_000_000 } else { 2_000_000 };
            return number(&digits)?.checked_sub(shift);
        }
    }
    number(&digits)
}

/// SIREN: nine digits, the last of them Luhn's.
pub(super) fn siren(value: &[u8]) -> bool {
    are_digits(value, 9) && luhn(value) && !is_uniform(value)
}

/// SIRET: a SIREN and a site's number of five digits, the last of them Luhn's over all fourteen.
pub(super) fn siret(value: &[u8]) -> bool {
    let Some(company) = value.get(..9) else { return false };
    if !are_digits(value, 14) || !siren(company) || value.get(9..) == Some(b"00000") {
        return false;
    }
    let plain = || value.iter().fold(0_u32, |sum, byte| sum.saturating_add(u32::from(byte.saturating_sub(b'0'))));
    luhn_sum(value).is_some_and(|sum| sum.is_multiple_of(10)) || (company == LA_POSTE && plain().is_multiple_of(5))
}

/// TVA: `FR`, a key of two characters, a SIREN. A key of digits is 12 and three times the SIREN, by 97; one with letters, which
/// has neither I nor O, is not computed from the SIREN alone.
pub(super) fn tva(value: &[u8]) -> bool {
    let (Some(b"FR"), Some(key), Some(company)) = (value.get(..2), value.get(2..4), value.get(4..)) else {
        return false;
    };
    let Some(company) = Some(company).filter(|company| siren(company)).and_then(number) else { return false };
    match number(key) {
        Some(key) => long_rest(company, 97).saturating_mul(3).saturating_add(12).checked_rem(97) == Some(key),
        None => key.iter().all(|byte| byte.is_ascii_alphanumeric() && !matches!(byte, b'I' | b'O')),
    }
}
