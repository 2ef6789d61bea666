//! The answer as Markdown, in the language of the text, within its bytes.

use super::asked::Asked;
use super::figures::{self, Figures};
use super::findings::{self, Finding, Kind};
use super::intake::{Focus, Material};
use super::language::Language;
use super::rank::{self, Profile};
use super::segment::{self, Segments};
use super::terms::{TermId, Vocabulary};
use super::words::Words;

/// The largest answer, in bytes, whatever the request allows.
pub(super) const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The longest quotation of one sentence, in bytes.
const QUOTE_BYTES_MAX: usize = 480;
/// A text with no more sentences than this is quoted whole.
const SENTENCES_QUOTED_WHOLE: usize = 4;
/// The most sentences in a summary.
const SUMMARY_SENTENCES_MAX: usize = 10;
/// The most sentences in the answer to a question.
const ANSWER_SENTENCES_MAX: usize = 4;
/// The most key terms.
const KEY_TERMS_MAX: usize = 10;
/// The most headings that are listed.
const SECTIONS_MAX: usize = 12;
/// The longest heading that is listed, in bytes.
const SECTION_BYTES_MAX: usize = 100;

/// A written answer.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) text: String,
    pub(super) language: Language,
    /// Whether something had to be left out for want of space.
    pub(super) cut: bool,
}

/// What is known of the text when the answer is written.
struct Reading<'a> {
    material: &'a Material<'a>,
    parts: Segments,
    profiles: Vec<Profile>,
    vocabulary: Vocabulary,
    /// The terms of the question or instruction.
    sought: Vec<TermId>,
    words: &'static Words,
}

/// Writes the answer to what a request brought.
pub(super) fn answer(material: &Material<'_>, bytes_max: usize) -> Written {
    let language = Language::of(&material.text);
    let mut page = Page { text: String::new(), bytes_max: bytes_max.min(ANSWER_BYTES_MAX), cut: false };
    let reading = read(material, language);
    if reading.profiles.is_empty() && reading.parts.headings.is_empty() {
        page.paragraph(reading.words.nothing_to_read);
        return Written { text: page.text, language, cut: page.cut };
    }
    match material.focus {
        Focus::Findings => {
            reading.findings(&mut page);
            reading.gist(&mut page);
            reading.sections(&mut page);
        }
        Focus::Figures => {
            reading.answer(&mut page);
            reading.figures(&mut page);
            reading.summary(&mut page);
            reading.key_terms(&mut page);
        }
        Focus::Summary => {
            reading.gist(&mut page);
            reading.sections(&mut page);
            reading.key_terms(&mut page);
            reading.figures(&mut page);
        }
    }
    Written { text: page.text, language, cut: page.cut }
}

fn read<'a>(material: &'a Material<'a>, language: Language) -> Reading<'a> {
    let parts = segment::segment(&material.text);
    let mut vocabulary = Vocabulary::new(language);
    let profile = |(sentence, opens_paragraph): (&str, bool)| {
        let (terms, words) = vocabulary.read(sentence);
        Profile { terms, words, opens_paragraph }
    };
    let profiles = parts.sentences().map(profile).collect();
    let sought = match &material.asked {
        Asked::Question(words) | Asked::Instruction(words) => vocabulary.recall(words),
        Asked::Nothing | Asked::Unanswerable => Vec::new(),
    };
    Reading { material, parts, profiles, vocabulary, sought, words: Words::of(language) }
}

impl Reading<'_> {
    /// The answer to the question, and the summary unless the question is answered.
    fn gist(&self, page: &mut Page) {
        if !self.answer(page) {
            self.summary(page);
        }
    }

    /// Answers a question where one is asked; says so where the text does not.
    fn answer(&self, page: &mut Page) -> bool {
        match &self.material.asked {
            Asked::Nothing | Asked::Instruction(_) => false,
            Asked::Unanswerable => {
                page.paragraph(self.words.no_text);
                false
            }
            Asked::Question(_) => {
                page.heading(self.words.answer);
                let chosen =
                    if self.sought.is_empty() { Vec::new() } else { self.choose(ANSWER_SENTENCES_MAX, &self.sought) };
                if chosen.is_empty() {
                    page.paragraph(self.words.not_in_text);
                } else {
                    self.quote(&chosen, page);
                }
                !chosen.is_empty()
            }
        }
    }

    fn summary(&self, page: &mut Page) {
        page.heading(self.words.summary);
        let all = self.profiles.len();
        if all == 0 {
            page.paragraph(self.words.no_prose);
        } else if all <= SENTENCES_QUOTED_WHOLE {
            self.quote(&(0..all).collect::<Vec<_>>(), page);
        } else {
            let wanted = all.div_euclid(5).clamp(SENTENCES_QUOTED_WHOLE, SUMMARY_SENTENCES_MAX);
            let steered = match &self.material.asked {
                Asked::Instruction(_) => self.choose(wanted, &self.sought),
                Asked::Nothing | Asked::Question(_) | Asked::Unanswerable => Vec::new(),
            };
            let chosen = if steered.len() < wanted { self.choose(wanted, &[]) } else { steered };
            self.quote(&chosen, page);
        }
    }

    fn choose(&self, wanted: usize, sought: &[TermId]) -> Vec<usize> {
        rank::choose(&self.profiles, sought, self.vocabulary.len(), wanted)
    }

    fn quote(&self, chosen: &[usize], page: &mut Page) {
        let mut chosen = chosen.iter().copied().peekable();
        for (at, (sentence, _)) in self.parts.sentences().enumerate() {
            if chosen.next_if_eq(&at).is_some() {
                page.item(&segment::clip(sentence, QUOTE_BYTES_MAX));
            }
        }
    }

    fn sections(&self, page: &mut Page) {
        if self.parts.headings.len() < 2 {
            return;
        }
        page.heading(if self.parts.code { self.words.definitions } else { self.words.sections });
        for heading in self.parts.headings.iter().take(SECTIONS_MAX) {
            let heading = segment::clip(heading, SECTION_BYTES_MAX);
            page.item(&if self.parts.code { format!("`{}`", heading.replace('`', "'")) } else { heading.into_owned() });
        }
    }

    fn key_terms(&self, page: &mut Page) {
        let terms = self.vocabulary.key_terms(KEY_TERMS_MAX);
        if !terms.is_empty() {
            page.heading(self.words.key_terms);
            page.paragraph(&terms.join(", "));
        }
    }

    fn figures(&self, page: &mut Page) {
        let counted = self.profiles.iter().fold(0, |sum: usize, profile| sum.saturating_add(profile.words));
        page.heading(self.words.figures);
        let (words, sentences, lines) = (self.words.words, self.words.sentences, self.words.lines);
        page.item(&format!("{counted} {words}, {} {sentences}, {} {lines}", self.profiles.len(), self.parts.lines));
        let Figures { amounts, percentages, dates } = figures::find(&self.material.text);
        let lists = [(self.words.amounts, amounts), (self.words.percentages, percentages), (self.words.dates, dates)];
        for (name, values) in lists {
            if !values.is_empty() {
                page.item(&format!("{name}{}{}", self.words.colon, values.join(" · ")));
            }
        }
    }

    fn findings(&self, page: &mut Page) {
        let (found, more) = findings::find(&self.material.text);
        page.heading(self.words.findings);
        if found.is_empty() {
            page.paragraph(self.words.no_findings);
            return;
        }
        for Finding { line, kind, quote } in found {
            let kind = match kind {
                Kind::Unfinished => self.words.unfinished,
                Kind::Credential => self.words.credential,
                Kind::Injection => self.words.injection,
                Kind::WeakProtection => self.words.weak_protection,
                Kind::Unchecked => self.words.unchecked,
            };
            page.item(&format!("{} {line}, {kind}{}`{quote}`", self.words.line, self.words.colon));
        }
        if more > 0 {
            page.item(&format!("{more} {}", self.words.more));
        }
    }
}

/// Markdown that stays within its bytes. What does not fit is left out whole, except for the very first piece.
struct Page {
    text: String,
    bytes_max: usize,
    cut: bool,
}

impl Page {
    /// A heading is written where at least its own line fits.
    fn heading(&mut self, title: &str) {
        let gap = if self.text.is_empty() { "" } else { "\n" };
        self.put(&format!("{gap}## {title}\n\n"));
    }

    fn item(&mut self, words: &str) {
        self.put(&format!("- {words}\n"));
    }

    fn paragraph(&mut self, words: &str) {
        self.put(&format!("{words}\n"));
    }

    fn put(&mut self, piece: &str) {
        if self.cut {
            return;
        }
        let left = self.bytes_max.saturating_sub(self.text.len());
        if piece.len() <= left {
            self.text.push_str(piece);
        } else {
            self.text.push_str(&segment::clip(piece, left));
            self.cut = true;
        }
    }
}
