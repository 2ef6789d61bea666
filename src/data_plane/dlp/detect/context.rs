//! Words that say of the digits after them that they are a phone number.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::boundary::{before, slice};

/// How far before a number a word may stand, in bytes.
const WINDOW_BYTES: usize = 32;

/// Words after which digits are a phone number, in the languages of Europe and some beyond. Case is folded for ASCII only.
const STRONG: &str = "tel tél tÉl telephone téléphone tÉlÉphone telefon telefono teléfono telefone telefoon telefonu puhelin tlf \
    tfn phone cellphone mobile mobil móvil movil mob telemóvel celular cellulare cell handy portable gsm natel fax télécopie \
    hotline whatsapp sms landline fixe тел телефон τηλ 电话 電話 手机 携帯 전화 휴대폰 هاتف טלפון";

/// Words after which digits that are grouped, or begin with zero, are a phone number.
const WEAK: &str = "call calling dial contact appeler appelez appelle appelle-moi joindre joignable rappeler rappelez contacter \
    contactez standard numéro numero anrufen llamar";

static WORDS: LazyLock<Option<Words>> = LazyLock::new(|| {
    let strong = STRONG.split_whitespace().count();
    let words = STRONG.split_whitespace().chain(WEAK.split_whitespace());
    let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok()?;
    Some(Words { automaton, strong })
});

struct Words {
    automaton: AhoCorasick,
    /// How many of the words, from the first, are strong.
    strong: usize,
}

/// What the words before a number say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Context {
    /// Nothing.
    None,
    /// It is a phone number if it is written like one.
    Weak,
    /// It is a phone number.
    Strong,
}

/// What the words shortly before `start` say.
pub(super) fn before_number(bytes: &[u8], start: usize) -> Context {
    let from = start.saturating_sub(WINDOW_BYTES);
    let window = slice(bytes, from, start);
    // In a table of numbers there are none.
    if !window.iter().any(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii()) {
        return Context::None;
    }
    let Some(words) = WORDS.as_ref() else { return Context::None };
    words
        .automaton
        .find_overlapping_iter(window)
        .filter(|word| is_whole(bytes, from.saturating_add(word.start()), from.saturating_add(word.end())))
        .map(|word| if word.pattern().as_usize() < words.strong { Context::Strong } else { Context::Weak })
        .max()
        .unwrap_or(Context::None)
}

/// Whether what stands at `start..end` is not part of a longer word, as `tel` is of `hotel`. Words of other scripts are not
/// always set apart.
fn is_whole(bytes: &[u8], start: usize, end: usize) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic();
    let apart = !before(bytes, start)
        .is_some_and(|byte| letter(byte) || matches!(byte, 0x80..=0x9F | 0xA1..=0xAA | 0xAC..=0xBA | 0xBC..=0xBF));
    let ends = !bytes.get(end).copied().is_some_and(letter);
    (apart && ends) || !bytes.get(start).is_some_and(u8::is_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_when_they_stand_alone_and_near() {
        for (text, expected) in [
            ("Tel: ", Context::Strong),
            ("Téléphone : ", Context::Strong),
            ("TÉLÉPHONE ", Context::Strong),
            ("我的电话", Context::Strong),
            ("«tel ", Context::Strong),
            ("please call ", Context::Weak),
            ("call my mobile ", Context::Strong),
            ("hotel ", Context::None),
            ("telegram ", Context::None),
            ("this grand hotel of thirty-two by", Context::None),
            ("tel and then so many words that it is far ", Context::None),
            ("", Context::None),
        ] {
            assert_eq!(before_number(text.as_bytes(), text.len()), expected, "{text}");
        }
    }
}
