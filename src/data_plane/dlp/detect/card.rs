//! Payment cards: an issuer's range, a length that it uses, and the Luhn digit.

use card_validate::Validate;

use super::boundary::{back, before, begins_word, is_word, slice};
use super::number::{Group, Groups, digits_of};
use crate::data_plane::dlp::finding::{Finding, Kind, Score};

/// Numbers that begin with `low..=high`, and how many digits they have.
struct Scheme {
    low: u32,
    high: u32,
    lengths: &'static [usize],
}

const fn scheme(low: u32, high: u32, lengths: &'static [usize]) -> Scheme {
    Scheme { low, high, lengths }
}

const USUAL: &[usize] = &[16];
const TO_NINETEEN: &[usize] = &[16, 17, 18, 19];
const FROM_TWELVE: &[usize] = &[12, 13, 14, 15, 16, 17, 18, 19];

/// The schemes' ranges, from the numbering that they publish under ISO/IEC 7812. The crate that checks the Luhn digit knows
/// neither the longer numbers of Visa, Discover and Diners Club nor the national schemes.
const SCHEMES: [Scheme; 31] = [
    scheme(4, 4, &[16, 13, 19, 18]),           // Visa, Electron, Dankort
    scheme(51, 55, USUAL),                     // Mastercard
    scheme(2221, 2720, USUAL),                 // Mastercard
    scheme(34, 34, &[15]),                     // American Express
    scheme(37, 37, &[15]),                     // American Express
    scheme(300, 305, &[14, 16, 17, 18, 19]),   // Diners Club
    scheme(3095, 3095, &[14, 16, 17, 18, 19]), // Diners Club
    scheme(36, 36, &[14, 15, 16, 17, 18, 19]), // Diners Club
    scheme(38, 39, &[14, 16, 17, 18, 19]),     // Diners Club, Hipercard
    scheme(3528, 3589, TO_NINETEEN),           // JCB, RuPay, LankaPay
    scheme(6011, 6011, TO_NINETEEN),           // Discover
    scheme(644, 649, TO_NINETEEN),             // Discover
    scheme(65, 65, TO_NINETEEN),               // Discover, RuPay, Elo, Verve, Troy
    scheme(62, 62, TO_NINETEEN),               // UnionPay
    scheme(81, 82, TO_NINETEEN),               // UnionPay, RuPay
    scheme(88, 88, TO_NINETEEN),               // UnionPay's former range
    scheme(5018, 5020, FROM_TWELVE),           // Maestro, Dankort
    scheme(5038, 5038, FROM_TWELVE),           // Maestro
    scheme(56, 58, FROM_TWELVE),               // Maestro, UzCard
    scheme(6304, 6304, FROM_TWELVE),           // Maestro
    scheme(639, 639, FROM_TWELVE),             // Maestro
    scheme(67, 67, FROM_TWELVE),               // Maestro
    scheme(636, 638, TO_NINETEEN),             // InterPayment, InstaPayment, Elo
    scheme(506, 509, &[16, 18, 19]),           // Verve, RuPay, Elo
    scheme(60, 60, USUAL),                     // RuPay, Hipercard, Forbrugsforeningen
    scheme(2200, 2205, TO_NINETEEN),           // Mir, Borica
    scheme(9792, 9792, USUAL),                 // Troy
    scheme(8600, 8600, USUAL),                 // UzCard
    scheme(9860, 9860, USUAL),                 // Humo
    scheme(1, 1, &[15]),                       // UATP, where written as a card is
    scheme(1946, 1946, USUAL),                 // GPN
];

/// Lengths in the order in which they are tried where a number could end in several places.
const LENGTHS: [usize; 8] = [16, 15, 14, 19, 18, 17, 13, 12];

/// The card number that begins with the first group.
pub(super) fn find(text: &str, groups: &Groups) -> Option<Finding> {
    let bytes = text.as_bytes();
    let first = groups.first();
    if first.len() < 4 || !begins(bytes, first) {
        return None;
    }
    let candidates = uniform(bytes, groups.as_slice());
    LENGTHS.into_iter().find_map(|length| {
        let end = end_of(candidates, length)?;
        let taken = candidates.get(..end)?;
        let last = *taken.last()?;
        let digits = digits_of(bytes, taken);
        let written = taken.len() > 1;
        (ends(bytes, last, written) && is_issued(&digits, written) && Validate::is_luhn_valid(&digits)).then_some(
            Finding {
                kind: Kind::CreditCard,
                start: first.start,
                end: last.end,
                score: if written || length >= 15 { Score::HIGH } else { Score::PLAUSIBLE },
            },
        )
    })
}

/// The groups up to the first that is separated otherwise than the first two are.
fn uniform<'g>(bytes: &[u8], groups: &'g [Group]) -> &'g [Group] {
    let separator = |pair: &[Group]| match pair {
        [left, right] => slice(bytes, left.end, right.start).to_vec(),
        _ => Vec::new(),
    };
    let mut pairs = groups.windows(2);
    let Some(usual) = pairs.next().map(separator) else { return groups };
    let joins = matches!(usual.as_slice(), b" " | b"-" | b"." | [0xC2, 0xA0] | [0xE2, 0x80, _]);
    if !joins {
        return groups.get(..1).unwrap_or_default();
    }
    let more = pairs.take_while(|pair| separator(pair) == usual).count();
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

fn is_issued(digits: &str, written: bool) -> bool {
    SCHEMES.iter().filter(|scheme| written || scheme.low != 1).any(|scheme| {
        let width = scheme.low.checked_ilog10().map_or(1, |log| log.saturating_add(1));
        let prefix =
            usize::try_from(width).ok().and_then(|width| digits.get(..width)).and_then(|text| text.parse::<u32>().ok());
        prefix.is_some_and(|prefix| (scheme.low..=scheme.high).contains(&prefix))
            && scheme.lengths.contains(&digits.len())
    })
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
        detect(text).iter().filter(|f| f.kind == Kind::CreditCard).map(|f| &text[f.range()]).collect()
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
