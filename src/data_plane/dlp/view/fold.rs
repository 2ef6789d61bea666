//! Characters that stand for others: digits of other scripts, letters that look like Latin ones, characters that do not show.
//!
//! Sources: the decimal digits (`Nd`), formats (`Cf`) and compatibility forms are those of the Unicode Character Database 14; the
//! look-alikes are the single letters of Unicode Technical Standard 39's confusables that a reader takes for a letter of ASCII.

/// What a character stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    /// Another way to write this character, wherever it stands.
    Char(char),
    /// A letter of another alphabet that looks like this one: it stands for it among letters and digits of ASCII.
    LookAlike(char),
    /// Nothing that shows: it is left out beside what does.
    Gone,
}

/// The first digit of each row of ten decimal digits beyond ASCII.
const ZEROS: [u32; 65] = [
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50,
    0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50,
    0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30, 0x11066, 0x110F0, 0x11136,
    0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0,
    0x16A60, 0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0,
];

/// Letters of other alphabets, in order, each with the letter or digit of ASCII that it looks like.
const LOOK_ALIKES: [(char, char); 85] = [
    ('ı', 'i'),
    ('ɡ', 'g'),
    ('ɩ', 'i'),
    ('Α', 'A'),
    ('Β', 'B'),
    ('Ε', 'E'),
    ('Ζ', 'Z'),
    ('Η', 'H'),
    ('Ι', 'I'),
    ('Κ', 'K'),
    ('Μ', 'M'),
    ('Ν', 'N'),
    ('Ο', 'O'),
    ('Ρ', 'P'),
    ('Τ', 'T'),
    ('Υ', 'Y'),
    ('Χ', 'X'),
    ('α', 'a'),
    ('γ', 'y'),
    ('ι', 'i'),
    ('κ', 'k'),
    ('ν', 'v'),
    ('ο', 'o'),
    ('ρ', 'p'),
    ('τ', 't'),
    ('υ', 'u'),
    ('χ', 'x'),
    ('ω', 'w'),
    ('ϲ', 'c'),
    ('ϳ', 'j'),
    ('Ϲ', 'C'),
    ('Ѕ', 'S'),
    ('І', 'I'),
    ('Ј', 'J'),
    ('А', 'A'),
    ('В', 'B'),
    ('Е', 'E'),
    ('З', '3'),
    ('К', 'K'),
    ('М', 'M'),
    ('Н', 'H'),
    ('О', 'O'),
    ('Р', 'P'),
    ('С', 'C'),
    ('Т', 'T'),
    ('У', 'Y'),
    ('Х', 'X'),
    ('а', 'a'),
    ('е', 'e'),
    ('к', 'k'),
    ('о', 'o'),
    ('р', 'p'),
    ('с', 'c'),
    ('у', 'y'),
    ('х', 'x'),
    ('ѕ', 's'),
    ('і', 'i'),
    ('ј', 'j'),
    ('Ү', 'Y'),
    ('һ', 'h'),
    ('Ӏ', 'I'),
    ('ӏ', 'l'),
    ('ԁ', 'd'),
    ('Ԍ', 'G'),
    ('Ԛ', 'Q'),
    ('ԛ', 'q'),
    ('Ԝ', 'W'),
    ('ԝ', 'w'),
    ('Տ', 'S'),
    ('Օ', 'O'),
    ('հ', 'h'),
    ('ո', 'n'),
    ('ս', 'u'),
    ('ց', 'g'),
    ('օ', 'o'),
    ('ᴄ', 'c'),
    ('ᴏ', 'o'),
    ('ᴠ', 'v'),
    ('ᴡ', 'w'),
    ('ᴢ', 'z'),
    ('ℊ', 'g'),
    ('ℎ', 'h'),
    ('ℓ', 'l'),
    ('ℯ', 'e'),
    ('ℴ', 'o'),
];

/// What a character beyond ASCII stands for; none for most.
pub(super) fn fold(c: char) -> Option<Fold> {
    match u32::from(c) {
        // Soft hyphen, grapheme joiner, vowel separator, spaces and joiners of no width, bidirectional controls, invisible
        // operators, variation selectors, byte order mark.
        0xAD | 0x34F | 0x61C | 0x180B..=0x180F | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F => {
            Some(Fold::Gone)
        }
        0xFE00..=0xFE0F | 0xFEFF | 0x1_D173..=0x1_D17A | 0xE_0100..=0xE_01EF => Some(Fold::Gone),
        // Tags: ASCII that does not show at all.
        code @ 0xE_0020..=0xE_007E => char::from_u32(code.saturating_sub(0xE_0000)).map(Fold::Char),
        // Full-width forms.
        code @ 0xFF01..=0xFF5E if !(0xFF10..=0xFF19).contains(&code) => {
            char::from_u32(code.saturating_sub(0xFEE0)).map(Fold::Char)
        }
        code @ 0x1_D400..=0x1_D6A3 => mathematical(code),
        code @ 0x24B6..=0x24CF => letter(b'A', code.saturating_sub(0x24B6)),
        code @ 0x24D0..=0x24E9 => letter(b'a', code.saturating_sub(0x24D0)),
        // Greek and Cyrillic, of which whole texts are made: no digits or signs are among them.
        0x370..=0x52F => look_alike(c),
        code => sign(c).map(Fold::Char).or_else(|| digit(code)).or_else(|| look_alike(c)),
    }
}

/// Letters of mathematics: capitals and small ones in thirteen styles.
fn mathematical(code: u32) -> Option<Fold> {
    let place = code.saturating_sub(0x1_D400).checked_rem(52)?;
    if place < 26 { letter(b'A', place) } else { letter(b'a', place.saturating_sub(26)) }
}

fn letter(first: u8, place: u32) -> Option<Fold> {
    char::from_u32(u32::from(first).saturating_add(place)).map(Fold::Char)
}

/// Signs and spaces that separate, and the at sign in its other forms.
fn sign(c: char) -> Option<char> {
    Some(match c {
        '\u{2000}'..='\u{200A}' | '\u{205F}' | '\u{3000}' => ' ',
        '\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' => '-',
        '\u{2024}' | '\u{3002}' | '\u{FE52}' | '\u{FF61}' => '.',
        '\u{FE6B}' => '@',
        '\u{FE55}' | '\u{2236}' | '\u{A789}' => ':',
        '\u{2044}' | '\u{2215}' => '/',
        '\u{FE62}' => '+',
        _ => return None,
    })
}

/// Decimal digits of other scripts, and digits that are raised, lowered or circled.
fn digit(code: u32) -> Option<Fold> {
    let value = match code {
        0xB9 => 1,
        0xB2 | 0xB3 => code.saturating_sub(0xB0),
        0x2070 | 0x24EA | 0x24FF => 0,
        0x2074..=0x2079 => code.saturating_sub(0x2070),
        0x2080..=0x2089 => code.saturating_sub(0x2080),
        0x2460..=0x2468 => code.saturating_sub(0x245F),
        0x2776..=0x277E => code.saturating_sub(0x2775),
        _ => {
            let row = ZEROS.partition_point(|zero| *zero <= code);
            let zero = row.checked_sub(1).and_then(|row| ZEROS.get(row))?;
            code.checked_sub(*zero).filter(|value| *value < 10)?
        }
    };
    char::from_digit(value, 10).map(Fold::Char)
}

fn look_alike(c: char) -> Option<Fold> {
    let place = LOOK_ALIKES.binary_search_by_key(&c, |(from, _)| *from).ok()?;
    LOOK_ALIKES.get(place).map(|(_, to)| Fold::LookAlike(*to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_stand_for_what_they_show() {
        for (c, expected) in [
            ('４', Fold::Char('4')),
            ('٤', Fold::Char('4')),
            ('۴', Fold::Char('4')),
            ('४', Fold::Char('4')),
            ('𝟒', Fold::Char('4')),
            ('𝟺', Fold::Char('4')),
            ('④', Fold::Char('4')),
            ('⁴', Fold::Char('4')),
            ('³', Fold::Char('3')),
            ('＠', Fold::Char('@')),
            ('﹫', Fold::Char('@')),
            ('ａ', Fold::Char('a')),
            ('𝐚', Fold::Char('a')),
            ('𝓙', Fold::Char('J')),
            ('ⓙ', Fold::Char('j')),
            ('。', Fold::Char('.')),
            ('\u{E0041}', Fold::Char('A')),
            ('а', Fold::LookAlike('a')),
            ('Α', Fold::LookAlike('A')),
            ('\u{200b}', Fold::Gone),
            ('\u{ad}', Fold::Gone),
            ('\u{feff}', Fold::Gone),
            ('\u{202e}', Fold::Gone),
        ] {
            assert_eq!(fold(c), Some(expected), "{c:?}");
        }
    }

    #[test]
    fn what_people_write_stands_for_itself() {
        for c in "éèêàùçœæñßöüåøł’‘“”«»…–—€£§°\u{a0}\u{202f}日本語бдж".chars()
        {
            assert_eq!(fold(c), None, "{c:?}");
        }
    }

    #[test]
    fn the_rows_of_digits_are_in_order_and_whole() {
        assert!(ZEROS.windows(2).all(|pair| pair[0] + 10 <= pair[1]));
        for zero in ZEROS {
            for value in 0..10 {
                let c = char::from_u32(zero + value).expect("a character");
                assert_eq!(fold(c), char::from_digit(value, 10).map(Fold::Char), "{c:?}");
            }
        }
    }

    #[test]
    fn look_alikes_are_in_order() {
        assert!(LOOK_ALIKES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(LOOK_ALIKES.iter().all(|(from, to)| !from.is_ascii() && to.is_ascii_alphanumeric()));
    }
}
