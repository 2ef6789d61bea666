//! One rule: what it looks for and what must be true of it.

use std::collections::HashSet;
use std::ops::Range;

use super::matcher::{Match, Matcher, Pattern};
use super::plausible;
use super::words::{WORDS_WITHIN_BYTES, Words};
use crate::data_plane::dlp::detect::boundary::{begins_word, is_word, slice};
use crate::data_plane::dlp::detect::validate::Validator;
use crate::data_plane::dlp::finding::{Finding, Kind, Score};

/// Whose a rule is. What a rule leaves out means something else in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Ours: a pattern begins with its keyword, a value that is evidently made up is none, and the form alone is nearly certain.
    Shipped,
    /// The operator's: a pattern stands anywhere around its keyword, and nothing is said beyond it.
    Own,
}

/// Where a pattern is looked for when a keyword was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The match begins with the keyword, and ends within so many bytes.
    FromKeyword {
        /// From the keyword's first byte.
        after: usize,
    },
    /// Anywhere from so many bytes before the keyword to so many behind it.
    Around {
        /// Before its first byte.
        before: usize,
        /// Behind its last byte.
        after: usize,
    },
}

/// What must be true of a match beside its pattern.
#[derive(Debug, Default)]
pub struct Checks {
    /// The least entropy, in bits for each byte.
    pub entropy: Option<f64>,
    /// Says whether it is what it looks like.
    pub validator: Option<Validator>,
    /// Whether what is evidently made up, or does not vary as keys do, is passed over.
    pub real: bool,
    /// Values that are passed over.
    pub exceptions: Exceptions,
}

/// Values that are no findings.
#[derive(Debug, Default)]
pub struct Exceptions {
    /// Exactly these.
    values: HashSet<Box<str>>,
    /// Those that match one of these from their first byte to their last.
    patterns: Vec<Matcher>,
}

impl Exceptions {
    /// Exceptions by value and by pattern.
    ///
    /// # Errors
    /// The number of the first pattern that cannot be used, from nought, and why.
    pub fn new(values: &[String], patterns: &[String]) -> Result<Self, (usize, String)> {
        let compiled = patterns.iter().enumerate();
        let compiled = compiled.map(|(place, pattern)| Matcher::new(pattern).map_err(|fault| (place, fault)));
        Ok(Self {
            values: values.iter().map(|value| value.as_str().into()).collect(),
            patterns: compiled.collect::<Result<_, _>>()?,
        })
    }

    /// Whether a value is one of them.
    #[must_use]
    pub fn hold(&self, value: &str) -> bool {
        self.values.contains(value) || self.patterns.iter().any(|pattern| pattern.is_whole(value.as_bytes()))
    }
}

/// Words beside a match, and what they say of it.
#[derive(Debug)]
pub struct Context {
    words: Words,
    /// The score beside one of them.
    score: Score,
    /// Whether there is no finding without one of them.
    required: bool,
}

impl Context {
    /// Words that raise the score; where they are required there is no finding without them.
    #[must_use]
    pub fn new(words: Vec<String>, score: Score, required: bool) -> Self {
        Self { words: Words::new(words), score, required }
    }
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name, unique among the rules in force.
    pub id: String,
    /// What it finds.
    pub kind: Kind,
    /// Whose it is.
    pub origin: Origin,
    /// Where its form is documented; may be empty for operators' rules.
    pub source: String,
    /// Without one of these there is none of it.
    pub keywords: Vec<String>,
    /// Whether the keywords' case matters.
    pub case_sensitive: bool,
    /// Its pattern.
    pub pattern: Pattern,
    /// Where the pattern is looked for.
    pub reach: Reach,
    /// Whether the finding must not be part of a longer word.
    pub whole: bool,
    /// The score of a finding.
    pub score: Score,
    /// Words beside it.
    pub context: Option<Context>,
    /// What else must be true.
    pub checks: Checks,
}

impl Rule {
    /// The longest stretch of a text in which a match, its keyword and the words beside it stand, in bytes.
    #[must_use]
    pub fn span(&self) -> usize {
        let keyword = self.keywords.iter().map(String::len).max().unwrap_or(0);
        let reach = match self.reach {
            Reach::FromKeyword { after } => after,
            Reach::Around { before, after } => before.saturating_add(keyword).saturating_add(after),
        };
        // And what stands next to the last of it, which may make it part of a longer word.
        reach.saturating_add(WORDS_WITHIN_BYTES).saturating_add(1)
    }

    /// The finding that a match is, if it is one. In a text that is flooded with keywords the checks that ask for plausibility are
    /// left out: what the pattern matches is hidden, so that a flood cannot make a secret look made up.
    pub(super) fn judge(&self, text: &str, found: &Match, window: &Range<usize>, flooded: bool) -> Option<Finding> {
        let bytes = text.as_bytes();
        let Range { start, end } = on_boundaries(text, &found.secret);
        // What fills the window may go on behind it.
        let cut = |end: usize| end < window.end && bytes.get(end).copied().is_some_and(is_word);
        if start >= end || self.whole && (!begins_word(bytes, start) || cut(end)) {
            return None;
        }
        let value = text.get(start..end)?;
        // The keyword is not made at random, and some are made of words that stand for values.
        let own = slice(bytes, start.max(self.own_from(found)), end);
        if !flooded && !self.is_plausible(own) || self.checks.exceptions.hold(value) {
            return None;
        }
        if self.checks.validator.is_some_and(|valid| !valid(value)) {
            return None;
        }
        let score = match &self.context {
            Some(context) if context.words.beside(bytes, start, end) => context.score,
            Some(context) if context.required => return None,
            Some(_) | None => self.score,
        };
        Some(Finding { kind: self.kind, start, end, score })
    }

    /// Where the part of a match begins that is not its keyword.
    fn own_from(&self, found: &Match) -> usize {
        match self.reach {
            Reach::FromKeyword { .. } => {
                let keyword = self.keywords.iter().map(String::len).min().unwrap_or(0);
                found.whole.start.saturating_add(keyword)
            }
            Reach::Around { .. } => found.secret.start,
        }
    }

    fn is_plausible(&self, own: &[u8]) -> bool {
        let random = self.checks.entropy.is_none_or(|least| plausible::entropy(own) >= least);
        random && (!self.checks.real || plausible::varies(own) && !plausible::is_made_up(own))
    }
}

/// A pattern works on bytes; what it leaves of a character at either end belongs to the finding.
fn on_boundaries(text: &str, span: &Range<usize>) -> Range<usize> {
    let down = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let up = |at: usize| (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    down(span.start)..up(span.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_grow_to_whole_characters() {
        let text = "aéb";
        assert_eq!(on_boundaries(text, &(2..2)), 1..3);
        assert_eq!(on_boundaries(text, &(1..3)), 1..3);
        assert_eq!(on_boundaries(text, &(0..4)), 0..4);
    }
}
