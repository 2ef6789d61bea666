//! Which language a text is in, its stop words and its stemmer.

use std::collections::HashSet;
use std::sync::{LazyLock, OnceLock};

use rust_stemmers::{Algorithm, Stemmer};
use whatlang::{Detector, Lang};

use super::segment;

/// How much of a text is looked at, in bytes.
const SAMPLE_BYTES_MAX: usize = 1024;
/// Below so many bytes letters tell less than little words do.
const LETTERS_TELL_BYTES_MIN: usize = 240;

/// A language whose words can be stemmed and whose stop words are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    French,
    German,
    Spanish,
    Italian,
    Portuguese,
    Dutch,
}

static DETECTOR: LazyLock<Detector> = LazyLock::new(|| {
    Detector::with_allowlist(vec![Lang::Eng, Lang::Fra, Lang::Deu, Lang::Spa, Lang::Ita, Lang::Por, Lang::Nld])
});

impl Language {
    /// The text's language; English where nothing tells.
    pub(super) fn of(text: &str) -> Self {
        let sample = segment::prefix(text, SAMPLE_BYTES_MAX);
        let by_letters = if sample.len() < LETTERS_TELL_BYTES_MIN { None } else { DETECTOR.detect(sample) };
        match by_letters.filter(whatlang::Info::is_reliable).map(|info| info.lang()) {
            Some(Lang::Eng) => Self::English,
            Some(Lang::Fra) => Self::French,
            Some(Lang::Deu) => Self::German,
            Some(Lang::Spa) => Self::Spanish,
            Some(Lang::Ita) => Self::Italian,
            Some(Lang::Por) => Self::Portuguese,
            Some(Lang::Nld) => Self::Dutch,
            _ => by_little_words(sample),
        }
    }

    /// ISO 639-1.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
            Self::German => "de",
            Self::Spanish => "es",
            Self::Italian => "it",
            Self::Portuguese => "pt",
            Self::Dutch => "nl",
        }
    }

    pub(super) fn stemmer(self) -> Stemmer {
        Stemmer::create(match self {
            Self::English => Algorithm::English,
            Self::French => Algorithm::French,
            Self::German => Algorithm::German,
            Self::Spanish => Algorithm::Spanish,
            Self::Italian => Algorithm::Italian,
            Self::Portuguese => Algorithm::Portuguese,
            Self::Dutch => Algorithm::Dutch,
        })
    }

    /// The words that say nothing about a text's subject. Each language's set is made when first needed.
    pub(super) fn stop_words(self) -> &'static HashSet<&'static str> {
        static SETS: [OnceLock<HashSet<&'static str>>; 7] = [const { OnceLock::new() }; 7];
        let [english, french, german, spanish, italian, portuguese, dutch] = &SETS;
        let set = match self {
            Self::English => english,
            Self::French => french,
            Self::German => german,
            Self::Spanish => spanish,
            Self::Italian => italian,
            Self::Portuguese => portuguese,
            Self::Dutch => dutch,
        };
        set.get_or_init(|| stop_words::lookup(self.code()).unwrap_or_default().iter().copied().collect())
    }
}

/// English or French, by the words that both use most.
fn by_little_words(text: &str) -> Language {
    const ENGLISH: &[&str] =
        &["the", "of", "and", "to", "in", "is", "are", "that", "for", "with", "on", "what", "this", "it", "was", "by"];
    const FRENCH: &[&str] = &[
        "le", "la", "les", "des", "et", "est", "une", "un", "du", "dans", "pour", "que", "qui", "sur", "par", "sont",
        "avec", "ce", "cette", "au", "quel", "quelle", "il", "elle", "pas",
    ];
    let words = || text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let hits = |list: &[&str]| words().filter(|word| list.iter().any(|known| known.eq_ignore_ascii_case(word))).count();
    if hits(FRENCH) > hits(ENGLISH) { Language::French } else { Language::English }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_apart_long_and_short() {
        let french = "Le conseil a examiné le rapport annuel de la société et a décidé de reporter la décision à la \
            prochaine séance, parce que plusieurs chiffres manquaient encore et que le commissaire aux comptes n'avait \
            pas pu vérifier les comptes de la filiale avant la date prévue par les statuts.";
        let german = "Der Aufsichtsrat hat den Jahresbericht der Gesellschaft geprüft und die Entscheidung auf die \
            nächste Sitzung verschoben, weil mehrere Zahlen noch fehlten und der Abschlussprüfer die Konten der \
            Tochtergesellschaft nicht rechtzeitig prüfen konnte, wie es die Satzung vorsieht.";
        let table = [
            (french, Language::French),
            (german, Language::German),
            ("Quel est le montant de la facture ?", Language::French),
            ("The invoice is due.", Language::English),
            ("", Language::English),
            ("12345", Language::English),
        ];
        for (text, language) in table {
            assert_eq!(Language::of(text), language, "{text}");
        }
    }

    #[test]
    fn every_language_has_stop_words() {
        use Language::{Dutch, English, French, German, Italian, Portuguese, Spanish};
        for language in [English, French, German, Spanish, Italian, Portuguese, Dutch] {
            assert!(language.stop_words().len() > 50, "{language:?}");
        }
    }
}
