//! One place of a text that can be read otherwise: what of it is replaced, and by what.

use super::fold::{Fold, fold};

/// A place that is read otherwise: bytes `start..end`, both on character boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) start: usize,
    pub(super) end: usize,
    /// What is read there; nothing where the characters do not show.
    pub(super) to: Option<char>,
}

/// The most digits of a number in an entity; more name no character.
const ENTITY_DIGITS_MAX: usize = 7;

/// The longest name of an entity that is known, in bytes.
const ENTITY_NAME_BYTES_MAX: usize = 8;

/// How many bytes of characters beyond ASCII may stand between a look-alike and the ASCII that it stands among.
const ROW_BYTES_MAX: usize = 16;

/// Entities of HTML by name (HTML Living Standard, 13.5) that stand in addresses, numbers and the words beside them.
const ENTITIES: [(&[u8], char); 40] = [
    (b"amp", '&'),
    (b"lt", '<'),
    (b"gt", '>'),
    (b"quot", '"'),
    (b"apos", '\''),
    (b"nbsp", '\u{a0}'),
    (b"commat", '@'),
    (b"period", '.'),
    (b"colon", ':'),
    (b"semi", ';'),
    (b"comma", ','),
    (b"sol", '/'),
    (b"bsol", '\\'),
    (b"plus", '+'),
    (b"hyphen", '-'),
    (b"dash", '-'),
    (b"ndash", '-'),
    (b"lowbar", '_'),
    (b"equals", '='),
    (b"num", '#'),
    (b"percnt", '%'),
    (b"excl", '!'),
    (b"quest", '?'),
    (b"lpar", '('),
    (b"rpar", ')'),
    (b"Tab", '\t'),
    (b"NewLine", '\n'),
    (b"eacute", 'é'),
    (b"Eacute", 'É'),
    (b"egrave", 'è'),
    (b"ecirc", 'ê'),
    (b"agrave", 'à'),
    (b"acirc", 'â'),
    (b"ccedil", 'ç'),
    (b"icirc", 'î'),
    (b"ocirc", 'ô'),
    (b"ucirc", 'û'),
    (b"ugrave", 'ù'),
    (b"uuml", 'ü'),
    (b"ouml", 'ö'),
];

/// What is read at `at`, where an escape or a character that stands for another begins there. `after_change` says where the
/// change before it ended: what does not show counts beside that, too.
pub(super) fn change_at(text: &str, at: usize, after_change: usize) -> Option<Change> {
    let bytes = text.as_bytes();
    let rest = bytes.get(at..)?;
    let (len, c) = match rest.first()? {
        b'%' => percent(rest)?,
        b'\\' => escape(rest)?,
        b'&' => entity(rest)?,
        byte if byte.is_ascii() => return None,
        _ => return character(text, at, after_change),
    };
    // An escape may spell a character that stands for another.
    let to = if c.is_ascii() { Some(c) } else { unfolded(c) };
    Some(Change { start: at, end: at.saturating_add(len), to })
}

fn unfolded(c: char) -> Option<char> {
    match fold(c) {
        Some(Fold::Char(c) | Fold::LookAlike(c)) => Some(c),
        Some(Fold::Gone) => None,
        None => Some(c),
    }
}

/// A character beyond ASCII at `at`.
fn character(text: &str, at: usize, after_change: usize) -> Option<Change> {
    let c = text.get(at..)?.chars().next()?;
    let end = at.saturating_add(c.len_utf8());
    let beside = || {
        let of_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'@' | b'_' | b'+');
        let before = at.checked_sub(1).and_then(|index| text.as_bytes().get(index));
        // The first of a row of such characters may be far from what shows.
        let mut row = text.as_bytes().get(end..).unwrap_or_default().iter().take(ROW_BYTES_MAX);
        (at > 0 && after_change == at)
            || before.is_some_and(of_word)
            || row.find(|byte| byte.is_ascii()).is_some_and(of_word)
    };
    let to = match fold(c)? {
        Fold::Char(c) => Some(c),
        Fold::LookAlike(c) if beside() => Some(c),
        Fold::Gone if beside() => None,
        Fold::LookAlike(_) | Fold::Gone => return None,
    };
    Some(Change { start: at, end, to })
}

/// A character in percent escapes (RFC 3986, 2.1): one for each byte of its UTF-8.
fn percent(rest: &[u8]) -> Option<(usize, char)> {
    let byte = |index: usize| match rest.get(index.saturating_mul(3)..)? {
        [b'%', high, low, ..] => {
            hex(*high)?.checked_mul(16)?.checked_add(hex(*low)?).and_then(|byte| u8::try_from(byte).ok())
        }
        _ => None,
    };
    let first = byte(0)?;
    if first.is_ascii() {
        return Some((3, char::from(first)));
    }
    let count = match first {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    let mut spelt = [0_u8; 4];
    for (index, place) in spelt.iter_mut().take(count).enumerate() {
        *place = byte(index)?;
    }
    let c = std::str::from_utf8(spelt.get(..count)?).ok()?.chars().next()?;
    Some((count.saturating_mul(3), c))
}

/// An escape of a JSON string (RFC 8259, 7), or one of JavaScript's and its relatives: `\x40`, `\u{40}`, `\'`.
fn escape(rest: &[u8]) -> Option<(usize, char)> {
    match rest.get(1)? {
        b'n' => Some((2, '\n')),
        b'r' => Some((2, '\r')),
        b't' => Some((2, '\t')),
        b'b' | b'f' => Some((2, ' ')),
        byte @ (b'"' | b'\\' | b'/' | b'\'') => Some((2, char::from(*byte))),
        b'x' => Some((4, char::from_u32(number(rest.get(2..4)?, 16)?)?)),
        b'u' if rest.get(2) == Some(&b'{') => {
            let digits = rest.get(3..)?.iter().take(ENTITY_DIGITS_MAX).position(|byte| *byte == b'}')?;
            let c = char::from_u32(number(rest.get(3..digits.checked_add(3)?)?, 16)?)?;
            Some((digits.saturating_add(4), c))
        }
        b'u' => {
            let first = number(rest.get(2..6)?, 16)?;
            if let Some(c) = char::from_u32(first) {
                return Some((6, c));
            }
            // A surrogate: the other half follows.
            let second = rest.get(6..12).and_then(|half| half.strip_prefix(b"\\u"))?;
            let pair = [u16::try_from(first).ok()?, u16::try_from(number(second, 16)?).ok()?];
            let c = char::decode_utf16(pair).next()?.ok()?;
            Some((12, c))
        }
        _ => None,
    }
}

/// A character reference of HTML: by number, whose semicolon may be missing as for browsers, or by a name that is known.
fn entity(rest: &[u8]) -> Option<(usize, char)> {
    let (radix, from) = match rest.get(1..3)? {
        [b'#', b'x' | b'X'] => (16, 3),
        [b'#', _] => (10, 2),
        _ => {
            let name = rest.get(1..)?;
            let end = name.iter().take(ENTITY_NAME_BYTES_MAX).position(|byte| !byte.is_ascii_alphanumeric())?;
            let (name, after) = name.split_at_checked(end)?;
            let known = ENTITIES.iter().find(|(known, _)| *known == name);
            let closed = after.first() == Some(&b';');
            return known.filter(|_| closed).map(|(_, c)| (end.saturating_add(2), *c));
        }
    };
    let digits = rest.get(from..)?;
    let in_number = |byte: &u8| hex(*byte).is_some_and(|value| value < radix);
    let count = digits.iter().take(ENTITY_DIGITS_MAX).take_while(|byte| in_number(byte)).count();
    let c = char::from_u32(number(digits.get(..count)?, radix)?)?;
    let closed = usize::from(digits.get(count) == Some(&b';'));
    Some((from.saturating_add(count).saturating_add(closed), c))
}

/// The number that digits spell; none where there are no digits.
fn number(digits: &[u8], radix: u32) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |number, byte| {
        let value = hex(*byte).filter(|value| *value < radix)?;
        number.checked_mul(radix)?.checked_add(value)
    })
}

fn hex(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(usize, Option<char>)> {
        change_at(text, 0, usize::MAX).map(|change| (change.end, change.to))
    }

    #[test]
    fn escapes_are_read_as_what_they_spell() {
        for (text, len, c) in [
            ("%40x", 3, '@'),
            ("%2E", 3, '.'),
            ("%C3%A9%20", 6, 'é'),
            ("%EF%BC%94", 9, '4'),
            (r"\u0040x", 6, '@'),
            (r"\ud83d\ude00", 12, '😀'),
            (r"\x2ex", 4, '.'),
            (r"\u{40}", 6, '@'),
            (r"\/x", 2, '/'),
            (r"\n", 2, '\n'),
            ("&#64;x", 5, '@'),
            ("&#64x", 4, '@'),
            ("&#x40;", 6, '@'),
            ("&commat;", 8, '@'),
            ("&eacute;l", 8, 'é'),
            ("４", 3, '4'),
        ] {
            assert_eq!(read(text), Some((len, Some(c))), "{text}");
        }
    }

    #[test]
    fn what_is_no_escape_is_left() {
        for text in [
            "%4",
            "%4g",
            "%C3",
            "%C3%28",
            "%FF",
            r"\d",
            r"\u004",
            r"\ud83d",
            r"\ud83dx",
            r"\u{}",
            r"\u{110000}",
            "&",
            "&;",
            "&#;",
            "&#x;",
            "&amp",
            "&nothing;",
            "&#1114112;",
            "&#99999999;",
            "é",
            "\\",
            "а б",
            "\u{200b} x",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn look_alikes_and_what_does_not_show_count_beside_what_does() {
        assert_eq!(read("аb"), Some((2, Some('a'))));
        assert_eq!(read("\u{200b}b"), Some((3, None)));
        assert_eq!(change_at("a\u{200b}\u{200b} ", 4, 4), Some(Change { start: 4, end: 7, to: None }));
        assert_eq!(change_at("ммам", 4, 0), None, "a word of its own alphabet");
    }
}
