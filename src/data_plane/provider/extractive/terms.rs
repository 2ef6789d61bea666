//! Words as terms: lowercased, without stop words, with their endings taken off.

use std::collections::{HashMap, HashSet};

use rust_stemmers::Stemmer;

use super::language::Language;

/// A term's place in its vocabulary.
pub(super) type TermId = usize;

/// The longest word that is looked at, in bytes; a longer one is not a word of any language.
const WORD_BYTES_MAX: usize = 64;
/// The most different words that are told apart; further ones are not counted.
const WORDS_MAX: usize = 50_000;

/// All terms of a text, in order of appearance.
pub(super) struct Vocabulary {
    stop_words: &'static HashSet<&'static str>,
    stemmer: Stemmer,
    /// By lowercased word; stop words have none.
    by_word: HashMap<String, Option<TermId>>,
    by_stem: HashMap<String, TermId>,
    terms: Vec<Term>,
    buffer: String,
}

#[derive(Debug)]
struct Term {
    surface: String,
    /// Whether it may be shown as a key term: not a number, not a pseudonym.
    telling: bool,
    count: usize,
}

impl Vocabulary {
    pub(super) fn new(language: Language) -> Self {
        Self {
            stop_words: language.stop_words(),
            stemmer: language.stemmer(),
            by_word: HashMap::new(),
            by_stem: HashMap::new(),
            terms: Vec::new(),
            buffer: String::new(),
        }
    }

    /// The different terms of a sentence in ascending order, and how many words it has.
    pub(super) fn read(&mut self, sentence: &str) -> (Vec<TermId>, usize) {
        let (mut found, mut words) = (Vec::new(), 0_usize);
        for word in split(sentence) {
            words = words.saturating_add(1);
            if let Some(id) = self.id(word) {
                if let Some(term) = self.terms.get_mut(id) {
                    term.count = term.count.saturating_add(1);
                }
                found.push(id);
            }
        }
        found.sort_unstable();
        found.dedup();
        (found, words)
    }

    /// The terms of a question that the text has, ascending. Learns nothing.
    pub(super) fn recall(&mut self, question: &str) -> Vec<TermId> {
        let mut found: Vec<TermId> = split(question).filter_map(|word| self.known(word)).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// How many terms there are.
    pub(super) fn len(&self) -> usize {
        self.terms.len()
    }

    /// The most frequent terms as first written, those that occur once left out while others are there.
    pub(super) fn key_terms(&self, most: usize) -> Vec<&str> {
        let mut telling: Vec<&Term> = self.terms.iter().filter(|term| term.telling).collect();
        if telling.iter().filter(|term| term.count > 1).count() >= 3 {
            telling.retain(|term| term.count > 1);
        }
        // Stable, so that among equals the first in the text comes first.
        telling.sort_by_key(|term| std::cmp::Reverse(term.count));
        telling.into_iter().take(most).map(|term| term.surface.as_str()).collect()
    }

    fn known(&mut self, word: &str) -> Option<TermId> {
        self.buffer.clear();
        self.buffer.extend(word.chars().flat_map(char::to_lowercase).take(WORD_BYTES_MAX));
        match self.by_word.get(self.buffer.as_str()) {
            Some(known) => *known,
            None if self.stop_words.contains(self.buffer.as_str()) => None,
            None => self.by_stem.get(self.stemmer.stem(&self.buffer).as_ref()).copied(),
        }
    }

    fn id(&mut self, word: &str) -> Option<TermId> {
        if word.len() > WORD_BYTES_MAX {
            return None;
        }
        self.buffer.clear();
        self.buffer.extend(word.chars().flat_map(char::to_lowercase));
        if let Some(known) = self.by_word.get(self.buffer.as_str()) {
            return *known;
        }
        if self.by_word.len() >= WORDS_MAX {
            return None;
        }
        let id = self.learn(word);
        self.by_word.insert(self.buffer.clone(), id);
        id
    }

    fn learn(&mut self, word: &str) -> Option<TermId> {
        let number = word.chars().all(|c| c.is_ascii_digit());
        let short = word.chars().nth(1).is_none();
        if (short && !number) || self.stop_words.contains(self.buffer.as_str()) {
            return None;
        }
        let stem = self.stemmer.stem(&self.buffer);
        if let Some(id) = self.by_stem.get(stem.as_ref()) {
            return Some(*id);
        }
        let id = self.terms.len();
        self.by_stem.insert(stem.into_owned(), id);
        let acronym = word.chars().filter(|c| c.is_uppercase()).count() > 1;
        let surface = if acronym { word.to_owned() } else { self.buffer.clone() };
        self.terms.push(Term { surface, telling: !number && !word.contains('_'), count: 0 });
        Some(id)
    }
}

/// Words: runs of letters, digits and underscores. A pseudonym is therefore one word, and elided articles are words of their own.
fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inflected_words_are_one_term_and_stop_words_none() {
        let mut vocabulary = Vocabulary::new(Language::French);
        let (first, words) = vocabulary.read("L'accord et les accords");
        assert_eq!((first.len(), words), (1, 5));
        assert_eq!(vocabulary.key_terms(5), ["accord"]);
    }

    #[test]
    fn pseudonyms_and_numbers_are_terms_but_not_key_terms() {
        let mut vocabulary = Vocabulary::new(Language::English);
        let (terms, _) = vocabulary.read("Ask <EMAIL_ADDRESS_3f9a2c71> about invoice 2024");
        let (again, _) = vocabulary.read("<EMAIL_ADDRESS_3f9a2c71> 2024");
        assert!(again.iter().all(|id| terms.contains(id)) && again.len() == 2);
        assert!(vocabulary.key_terms(9).iter().all(|term| !term.contains("EMAIL") && !term.contains("2024")));
    }
}
