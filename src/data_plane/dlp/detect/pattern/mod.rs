//! Rules that are data: keywords -> windows -> patterns -> checks.
//!
//! ```text
//!  text ──▶ one automaton over all keywords ──hit──▶ the keyword's rules ──▶ window ──▶ pattern ──▶ checks ──▶ finding
//! ```
//!
//! Each rule has a pattern of its own, which is compiled when one of its keywords is first met: patterns are never merged into
//! one, where a large one would slow all. A pattern sees a bounded window around its keyword and nothing else.
//!
//! INVARIANT: the work is linear in the text, whatever is in it. Most patterns begin with their keyword and are tried at it,
//! which ends with the first byte that does not fit. Where keywords of one rule come so close together that these attempts
//! would see each byte more than [`ATTEMPTS_A_BYTE_MAX`] times, and for patterns that may stand anywhere around their keyword,
//! windows that overlap are joined to a region, and each region is searched once, by an engine that is linear itself.

mod matcher;
mod plausible;
mod rule;
mod scan;
#[cfg(test)]
mod tests;
mod words;

pub use matcher::Pattern;
pub(super) use plausible::{entropy, is_made_up};
pub use rule::{Checks, Context, Exceptions, Origin, Reach, Rule};

use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::data_plane::dlp::finding::Finding;

/// How often a byte is seen by attempts of one rule at its keywords, until they are taken for a flood.
const ATTEMPTS_A_BYTE_MAX: usize = 16;

/// The bytes of all keywords together up to which their automaton is the fast one, which takes some 200 bytes of memory for each.
const FAST_KEYWORD_BYTES_MAX: usize = 8 * 1024;

/// Rules, and the automaton over their keywords.
#[derive(Debug, Default)]
pub(in crate::data_plane::dlp) struct Engine {
    rules: Vec<Arc<Rule>>,
    automaton: Option<AhoCorasick>,
    /// The keywords in the automaton's order, each with what it is a keyword of.
    keywords: Vec<Keyword>,
}

/// A keyword.
#[derive(Debug)]
struct Keyword {
    /// As it is written in the rule.
    text: Box<str>,
    /// Whose it is, by their places.
    rules: Vec<usize>,
}

impl Engine {
    /// The engine for rules. Keywords that differ by case only are kept apart.
    ///
    /// # Errors
    /// The automaton cannot be built: there are too many keywords.
    pub(in crate::data_plane::dlp) fn new(rules: Vec<Arc<Rule>>) -> Result<Self, String> {
        let mut keywords: Vec<(&str, usize)> = Vec::new();
        for (place, rule) in rules.iter().enumerate() {
            keywords.extend(rule.keywords.iter().map(|keyword| (keyword.as_str(), place)));
        }
        keywords.sort_unstable();
        let mut grouped: Vec<Keyword> = Vec::new();
        for (text, rule) in keywords {
            match grouped.last_mut() {
                Some(last) if *last.text == *text => last.rules.push(rule),
                Some(_) | None => grouped.push(Keyword { text: text.into(), rules: vec![rule] }),
            }
        }
        let automaton = automaton(&grouped).map_err(|fault| fault.to_string())?;
        Ok(Self { rules, automaton, keywords: grouped })
    }

    /// The rules.
    pub(in crate::data_plane::dlp) fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// Adds what the rules find. Findings may overlap.
    ///
    /// Says how many bytes patterns were given to look at, which is what the time depends on beside the text's size.
    pub(in crate::data_plane::dlp) fn scan(&self, text: &str, findings: &mut Vec<Finding>) -> usize {
        let Some(automaton) = &self.automaton else { return 0 };
        let mut scan = scan::Scan::new(self, text, findings);
        for hit in automaton.find_overlapping_iter(text.as_bytes()) {
            let Some(keyword) = self.keywords.get(hit.pattern().as_usize()) else { continue };
            scan.met(keyword, hit.start()..hit.end());
        }
        scan.finish()
    }
}

fn automaton(keywords: &[Keyword]) -> Result<Option<AhoCorasick>, aho_corasick::BuildError> {
    if keywords.is_empty() {
        return Ok(None);
    }
    let bytes = keywords.iter().map(|keyword| keyword.text.len()).fold(0, usize::saturating_add);
    let kind = if bytes <= FAST_KEYWORD_BYTES_MAX { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
    let texts = keywords.iter().map(|keyword| keyword.text.as_bytes());
    AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(kind)).build(texts).map(Some)
}
