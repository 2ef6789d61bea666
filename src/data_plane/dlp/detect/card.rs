//! Payment cards: an issuer's range, a length that it uses, and the Luhn digit.

use card_validate::Validate;

use super::boundary::{back, before, begins_word, is_word};
use super::number::{Group, Groups, digits_of, separators};
use crate::data_plane::dlp::finding::{Finding, Kind, Score};

/// Numbers whose first four digits are in `low..=high`, and how many digits they have.
struct Scheme {
    low: u32,
    high: u32,
    lengths: &'static [usize],
}

const fn scheme(low: u32, high: u32, lengths: &'static [usize]) -> Scheme {
    Scheme { low, high, lengths }
}

/// The digits that tell the scheme.
const PREFIX_DIGITS: usize = 4;

/// Where UATP's range begins. So do many plain numbers: its cards count only where they are written as cards are.
const UATP: u32 = 1000;

const USUAL: &[usize] = &[16];
const TO_NINETEEN: &[usize] = &[16, 17, 18, 19];
const FROM_TWELVE: &[usize] = &[12, 13, 14, 15, 16, 17, 18, 19];

/// The schemes' ranges, from the numbering that they publish under ISO/IEC 7812. The crate that checks the Luhn digit knows
/// neither the longer numbers of Visa, Discover and Diners Club nor the national schemes.
const SCHEMES: [Scheme; 31] = [
    scheme(4000, 4999, &[16, 13, 19, 18]),         // Visa, Electron, Dankort
    scheme(5100, 5599, USUAL),                     // Mastercard
    scheme(2221, 2720, USUAL),                     // Mastercard
    scheme(3400, 3499, &[15]),                     // American Express
    scheme(3700, 3799, &[15]),                     // American Express
    scheme(3000, 3059, &[14, 16, 17, 18, 19]),     // Diners Club
    scheme(3095, 3095, &[14, 16, 17, 18, 19]),     // Diners Club
    scheme(3600, 3699, &[14, 15, 16, 17, 18, 19]), // Diners Club
    scheme(3800, 3999, &[14, 16, 17, 18, 19]),     // Diners Club, Hipercard
    scheme(3528, 3589, TO_NINETEEN),               // JCB, RuPay, LankaPay
    scheme(6011, 6011, TO_NINETEEN),               // Discover
    scheme(6440, 6499, TO_NINETEEN),               // Discover
    scheme(6500, 6599, TO_NINETEEN),               // Discover, RuPay, Elo, Verve, Troy
    scheme(6200, 6299, TO_NINETEEN),               // UnionPay
    scheme(8100, 8299, TO_NINETEEN),               // UnionPay, RuPay
    scheme(8800, 8899, TO_NINETEEN),               // UnionPay's former range
    scheme(5018, 5020, FROM_TWELVE),               // Maestro, Dankort
    scheme(5038, 5038, FROM_TWELVE),               // Maestro
    scheme(5600, 5899, FROM_TWELVE),               // Maestro, UzCard
    scheme(6304, 6304, FROM_TWELVE),               // Maestro
    scheme(6390, 6399, FROM_TWELVE),               // Maestro
    scheme(6700, 6799, FROM_TWELVE),               // Maestro
    scheme(6360, 6389, TO_NINETEEN),               // InterPayment, InstaPayment, Elo
    scheme(5060, 5099, &[16, 18, 19]),             // Verve, RuPay, Elo
    scheme(6000, 6099, USUAL),                     // RuPay, Hipercard, Forbrugsforeningen
    scheme(2200, 2205, TO_NINETEEN),               // Mir, Borica
    scheme(9792, 9792, USUAL),                     // Troy
    scheme(8600, 8600, USUAL),                     // UzCard
    scheme(9860, 9860, USUAL),                     // Humo
    scheme(UATP, 1999, &[15]),                     // UATP
    scheme(1946, 1946, USUAL),                     // GPN
];

/// Lengths in the order in which they are tried where a number could end in several places.
const LENGTHS: [usize; 8] = [16, 15, 14, 19, 18, 17, 13, 12];

/// The card number that begins with the first group.
pub(super) fn find(text: &str, groups: &Groups) -> Option<Finding> {
    let bytes = text.as_bytes();
    let first = groups.first();
    let prefix = text.get(first.start..first.start.checked_add(PREFIX_DIGITS)?)?.parse::<u32>().ok()?;
    let issued = |scheme: &&Scheme| (scheme.low..=scheme.high).contains(&prefix);
    if first.len() < PREFIX_DIGITS || !SCHEMES.iter().any(|scheme| issued(&scheme)) || !begins(bytes, first) {
        return None;
    }
    let candidates = uniform(bytes, groups.as_slice());
    LENGTHS.into_iter().find_map(|length| {
        let taken = candidates.get(..end_of(candidates, length)?)?;
        let last = *taken.last()?;
        let written = taken.len() > 1;
        let used = |scheme: &Scheme| scheme.lengths.contains(&length) && (written || scheme.low != UATP);
        // A stop between two groups is that of a fraction.
        let fraction = taken.len() == 2 && bytes.get(first.end) == Some(&b'.');
        let sound = ends(bytes, last, written)
            && !fraction
            && SCHEMES.iter().filter(issued).any(used)
            && Validate::is_luhn_valid(&digits_of(bytes, taken));
        let score = if written || length >= 15 { Score::HIGH } else { Score::PLAUSIBLE };
        sound.then_some(Finding { kind: Kind::CREDIT_CARD, start: first.start, end: last.end, score })
    })
}

/// The groups up to the first that is separated otherwise than the first two are.
fn uniform<'g>(bytes: &[u8], groups: &'g [Group]) -> &'g [Group] {
    let mut separators = separators(bytes, groups);
    let Some(usual) = separators.next() else { return groups };
    if !matches!(usual, b" " | b"-" | b"." | [0xC2, 0xA0] | [0xE2, 0x80, _]) {
        return groups.get(..1).unwrap_or_default();
    }
    let more = separators.take_while(|separator| *separator == usual).count();
    groups.get(..more.saturating_add(2)).unwrap_or(groups)
}

/// How many groups have `length` digits together. Groups inside a card's number have at least two digits.
fn end_of(groups: &[Group], length: usize) -> Option<usize> {
    let mut digits: usize = 0;
    for (index, group) in groups.iter().enumerate() {
        digits = digits.saturating_add(group.len());
        if digits == length {
            return index.checked_add(1);
        }
        if digits > length || group.len() < 2 {
            return None;
        }
    }
    None
}

/// Whether a card can begin here: not inside a word, a fraction or a UUID.
fn begins(bytes: &[u8], first: Group) -> bool {
    let fraction = matches!(before(bytes, first.start), Some(b'.' | b','))
        && back(bytes, first.start, 2).is_some_and(|byte| byte.is_ascii_digit());
    let uuid = before(bytes, first.start) == Some(b'-') && back(bytes, first.start, 6) == Some(b'-');
    begins_word(bytes, first.start) && !fraction && !uuid
}

/// Whether a card can end here: not inside a word or before a fraction, nor inside a longer number that is written like it.
fn ends(bytes: &[u8], last: Group, written: bool) -> bool {
    let next = bytes.get(last.end).copied();
    let digit_follows = bytes.get(last.end.saturating_add(1)).is_some_and(u8::is_ascii_digit);
    let joined = matches!(next, Some(b'.' | b',' | b'-')) && digit_follows && !written;
    !next.is_some_and(is_word) && !joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_plane::dlp::detect::detect;

    fn found(text: &str) -> Vec<&str> {
        detect(text).iter().filter(|f| f.kind == Kind::CREDIT_CARD).map(|f| &text[f.range()]).collect()
    }

    #[test]
    fn cards_of_every_scheme_are_found() {
        for card in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "4111.1111.1111.1111",
            "4111\u{a0}1111\u{a0}1111\u{a0}1111",
            "4222222222222",
            "5555555555554444",
            "2221000000000009",
            "378282246310005",
            "3782 822463 10005",
            "371449635398431",
            "30569309025904",
            "3056 930902 5904",
            "38520000023237",
            "6011111111111117",
            "6011000990139424",
            "3530111333300000",
            "3566002020360505",
            "6200000000000005",
            "6759649826438453",
            "5018000000000009",
            "2200000000000004",
            "6304000000000000",
            "9792030394440796",
        ] {
            for text in [card.to_owned(), format!("Ma carte est {card}, merci."), format!("card={card}; exp=12/29")] {
                assert_eq!(found(&text), [card], "{text}");
            }
        }
    }

    #[test]
    fn numbers_that_only_look_like_cards_are_not() {
        for text in [
            "4111111111111112",
            "4111 1111 1111 1112",
            "1700000000000",
            "1700000000000000",
            "550e8400-e29b-41d4-a716-446655440000",
            "00000000-0000-0000-0000-411111111111",
            "0.4111111111111111",
            "x4111111111111111",
            "4111111111111111x",
            "41111111111111111111111",
            "4111 1111",
            "2026-11-20T10:00:00.000000Z",
            "9999999999999999",
        ] {
            assert_eq!(found(text), Vec::<&str>::new(), "{text}");
        }
    }

    #[test]
    fn what_follows_a_card_is_left_alone() {
        assert_eq!(found("4111 1111 1111 1111 123 12 29"), ["4111 1111 1111 1111"]);
        assert_eq!(found("le 12 4111 1111 1111 1111"), ["4111 1111 1111 1111"]);
    }
}
