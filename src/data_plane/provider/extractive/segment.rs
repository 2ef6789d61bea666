//! A text taken apart: paragraphs, items, headings, sentences. Knows enough of Markdown and of source code not to take their
//! signs for prose.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// The most sentences that are considered; what follows is left unread.
pub(super) const SENTENCES_MAX: usize = 5_000;
/// The most headings, or definitions of source code, that are kept.
pub(super) const HEADINGS_MAX: usize = 24;
/// How many lines decide whether a text is source code.
const CODE_SAMPLE_LINES: usize = 200;
/// Fewer lines than this are taken for prose.
const CODE_LINES_MIN: usize = 4;
/// The longest pseudonym that must not be cut, in bytes, as in `<EMAIL_ADDRESS_3f9a2c71>`.
const PSEUDONYM_BYTES_MAX: usize = 96;

/// A text taken apart.
#[derive(Debug, Default)]
pub(super) struct Segments {
    /// The prose, one space between words.
    flow: String,
    sentences: Vec<Sentence>,
    pub(super) headings: Vec<String>,
    pub(super) lines: usize,
    /// Whether it is source code; then the prose is its comments and the headings are its definitions.
    pub(super) code: bool,
}

#[derive(Debug)]
struct Sentence {
    at: Range<usize>,
    opens_paragraph: bool,
}

impl Segments {
    /// The sentences in order, each with whether it opens a paragraph.
    pub(super) fn sentences(&self) -> impl ExactSizeIterator<Item = (&str, bool)> {
        self.sentences
            .iter()
            .map(|sentence| (self.flow.get(sentence.at.clone()).unwrap_or_default(), sentence.opens_paragraph))
    }
}

/// Takes a text apart.
pub(super) fn segment(text: &str) -> Segments {
    let code = is_code(text);
    let mut parts = Segments { code, ..Segments::default() };
    let (mut paragraph, mut fenced) = (0, false);
    for line in text.lines() {
        parts.lines = parts.lines.saturating_add(1);
        if parts.sentences.len() >= SENTENCES_MAX {
            continue;
        }
        let line = line.trim();
        let fence = !code && (line.starts_with("```") || line.starts_with("~~~"));
        let kind = if fence || fenced { Line::Break } else { kind_of(line, code) };
        fenced ^= fence;
        if !matches!(kind, Line::Prose(_)) {
            parts.close(paragraph);
            paragraph = parts.flow.len();
        }
        match kind {
            Line::Break => {}
            Line::Heading(title) => {
                if parts.headings.len() < HEADINGS_MAX {
                    parts.headings.push(title.to_owned());
                }
            }
            Line::Item(words) | Line::Prose(words) => parts.append(words, paragraph),
        }
    }
    parts.close(paragraph);
    parts
}

impl Segments {
    fn append(&mut self, words: &str, paragraph: usize) {
        if self.flow.len() > paragraph {
            self.flow.push(' ');
        }
        self.flow.push_str(words);
    }

    /// Cuts the paragraph that begins there into sentences.
    fn close(&mut self, begin: usize) {
        let paragraph = self.flow.get(begin..).unwrap_or_default();
        let mut start = begin;
        let mut end = begin;
        for piece in paragraph.split_sentence_bounds() {
            end = end.saturating_add(piece.len());
            if ends_open(piece) && end < self.flow.len() {
                continue;
            }
            let opens_paragraph = start == begin;
            let at = trimmed(&self.flow, start..end);
            if self.sentences.len() < SENTENCES_MAX && says_something(self.flow.get(at.clone()).unwrap_or_default()) {
                self.sentences.push(Sentence { at, opens_paragraph });
            }
            start = end;
        }
    }
}

enum Line<'a> {
    Break,
    Heading(&'a str),
    Item(&'a str),
    Prose(&'a str),
}

fn kind_of(line: &str, code: bool) -> Line<'_> {
    if line.is_empty() {
        return Line::Break;
    }
    if code {
        return match comment(line) {
            Some(words) if !words.is_empty() => Line::Prose(words),
            Some(_) => Line::Break,
            None if defines(line) => Line::Heading(line.trim_end_matches(['{', ':', ' '])),
            None => Line::Break,
        };
    }
    let title = line.trim_start_matches('#');
    if title.len() < line.len() && title.starts_with(' ') {
        return Line::Heading(title.trim());
    }
    if let Some(item) = item(line) {
        return Line::Item(item);
    }
    match line.strip_prefix('>') {
        Some(quoted) => Line::Prose(quoted.trim_start_matches(['>', ' '])),
        None if line.starts_with('|') => Line::Item(line.trim_matches(['|', ' '])),
        None => Line::Prose(line),
    }
}

/// What follows the bullet or number of a list item.
fn item(line: &str) -> Option<&str> {
    for bullet in ["- ", "* ", "+ ", "• ", "– "] {
        if let Some(rest) = line.strip_prefix(bullet) {
            return Some(rest.trim());
        }
    }
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = rest.len() < line.len() && line.len().saturating_sub(rest.len()) <= 3;
    let rest = rest.strip_prefix(". ").or_else(|| rest.strip_prefix(") "))?;
    numbered.then(|| rest.trim())
}

fn comment(line: &str) -> Option<&str> {
    let prefixes = ["///", "//!", "//", "/**", "/*", "*/", "\"\"\"", "--", ";;", "#"];
    let found = prefixes.iter().find_map(|prefix| line.strip_prefix(prefix));
    let found = found.filter(|rest| !rest.starts_with(['[', '!', '-'])).or_else(|| line.strip_prefix("* "));
    found.map(|rest| rest.trim_end_matches("*/").trim_end_matches("\"\"\"").trim())
}

fn defines(line: &str) -> bool {
    const WORDS: &[&str] =
        &["fn", "struct", "enum", "trait", "impl", "def", "class", "func", "function", "interface", "type"];
    const BEFORE: &[&str] =
        &["pub", "pub(crate)", "pub(super)", "async", "export", "default", "const", "public", "static"];
    let first = line.split_whitespace().find(|word| !BEFORE.contains(word));
    first.is_some_and(|word| WORDS.contains(&word))
}

/// Source code ends its lines otherwise than prose does.
fn is_code(text: &str) -> bool {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty()).take(CODE_SAMPLE_LINES);
    let coded = lines().filter(|line| line.ends_with([';', '{', '}']) || line.ends_with("):") || defines(line)).count();
    let said = lines().filter(|line| comment(line).is_none()).count();
    said >= CODE_LINES_MIN && coded.saturating_mul(5) >= said.saturating_mul(2)
}

/// An abbreviation or an initial ends no sentence.
fn ends_open(piece: &str) -> bool {
    const ABBREVIATIONS: &[&str] = &[
        "mr", "mrs", "ms", "dr", "prof", "st", "no", "vs", "fig", "e.g", "i.e", "cf", "approx", "mme", "mlle", "m",
        "art", "p", "pp", "env", "av", "ex", "vol", "sec",
    ];
    let Some(stem) = piece.trim_end().strip_suffix('.') else { return false };
    let word = stem.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
    let initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    initial || ABBREVIATIONS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

fn says_something(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

fn trimmed(flow: &str, at: Range<usize>) -> Range<usize> {
    let text = flow.get(at.clone()).unwrap_or_default();
    let before = text.len().saturating_sub(text.trim_start().len());
    let start = at.start.saturating_add(before);
    start..start.saturating_add(text.trim().len())
}

/// The longest beginning of a text that has at most so many bytes and cuts neither a character nor a pseudonym.
pub(super) fn prefix(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let end = text.floor_char_boundary(bytes_max);
    let kept = text.get(..end).unwrap_or_default();
    match kept.rfind('<') {
        Some(open)
            if end.saturating_sub(open) < PSEUDONYM_BYTES_MAX
                && !kept.get(open..).unwrap_or_default().contains('>') =>
        {
            text.get(..open).unwrap_or_default()
        }
        Some(_) | None => kept,
    }
}

/// A text as it is, or its beginning up to the end of a word, with an ellipsis.
pub(super) fn clip(text: &str, bytes_max: usize) -> std::borrow::Cow<'_, str> {
    const ELLIPSIS: &str = "…";
    if text.len() <= bytes_max {
        return text.into();
    }
    let kept = prefix(text, bytes_max.saturating_sub(ELLIPSIS.len()));
    let word_end = kept.rfind(char::is_whitespace).filter(|end| *end > kept.len().div_euclid(2)).unwrap_or(kept.len());
    let kept = kept.get(..word_end).unwrap_or_default().trim_end();
    if bytes_max < ELLIPSIS.len() { kept.to_owned().into() } else { format!("{kept}{ELLIPSIS}").into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(text: &str) -> Vec<String> {
        segment(text).sentences().map(|(sentence, _)| sentence.to_owned()).collect()
    }

    #[test]
    fn wrapped_lines_and_abbreviations_do_not_end_sentences() {
        let text = "Mr. Dupont met\nDr. J. Martin in Paris. They agreed (cf. Art. 5).\n\nNext!";
        let expected = ["Mr. Dupont met Dr. J. Martin in Paris.", "They agreed (cf. Art. 5).", "Next!"];
        assert_eq!(sentences(text), expected);
    }

    #[test]
    fn markdown_is_read_as_its_reader_sees_it() {
        let text = "# Title\nIntro here.\n```\nlet x = 1;\n```\nAfter it.\n- first item\n2. second item\n> quoted\n| a | b |\n|---|---|\n";
        assert_eq!(sentences(text), ["Intro here.", "After it.", "first item", "second item quoted", "a | b"]);
        assert_eq!(segment(text).headings, ["Title"]);
    }

    #[test]
    fn of_source_code_comments_are_read_and_definitions_listed() {
        let text =
            "//! Adds numbers.\nuse std::fmt;\n\n/// Adds two.\npub fn add(a: u8) -> u8 {\n    let b = a;\n    b\n}\n";
        let parts = segment(text);
        assert!(parts.code);
        assert_eq!(parts.headings, ["pub fn add(a: u8) -> u8"]);
        assert_eq!(sentences(text), ["Adds numbers.", "Adds two."]);
    }

    #[test]
    fn a_cut_spares_pseudonyms_and_characters() {
        let text = "Write to <EMAIL_ADDRESS_3f9a2c71> today";
        for bytes in 0..=text.len() {
            let kept = clip(text, bytes);
            assert!(kept.len() <= bytes);
            assert!(!kept.contains('<') || kept.contains("<EMAIL_ADDRESS_3f9a2c71>"), "{kept}");
        }
        assert_eq!(clip("éééé", 6), "é…");
    }
}
