//! One pass over one text.

use std::ops::Range;

use super::rule::{Reach, Rule};
use super::{ATTEMPTS_A_BYTE_MAX, Engine, Keyword};
use crate::data_plane::dlp::detect::boundary::{begins_word, slice};
use crate::data_plane::dlp::finding::Finding;

/// The bytes that attempts of one rule may see in excess of [`ATTEMPTS_A_BYTE_MAX`] for each byte of the text: keywords may come
/// close together somewhere.
const ATTEMPTS_BYTES_MAX: usize = 16 * 1024;

/// How many windows long a region may be. Beyond that a new one begins, which overlaps with it by less than a window; so the
/// search in a region, which is quadratic at worst in its length, stays within bounds.
const REGION_WINDOWS_MAX: usize = 16;

/// How far the pass has come with one rule.
#[derive(Debug, Default, Clone)]
struct Progress {
    /// The end of its last finding: keywords before are part of that.
    found_to: usize,
    /// Where its last attempt began.
    attempted_at: usize,
    /// The bytes seen by attempts, less what the distance between them allows.
    seen: usize,
    /// Windows that overlap and are still to be searched; empty where there are none.
    region: Range<usize>,
    /// Whether the region is one because there was a flood.
    flooded: bool,
}

/// One pass.
pub(super) struct Scan<'a> {
    engine: &'a Engine,
    text: &'a str,
    findings: &'a mut Vec<Finding>,
    /// By the rules' places; made when the first keyword is met.
    progress: Vec<Progress>,
    /// The bytes given to patterns.
    given: usize,
}

impl<'a> Scan<'a> {
    pub(super) fn new(engine: &'a Engine, text: &'a str, findings: &'a mut Vec<Finding>) -> Self {
        Self { engine, text, findings, progress: Vec::new(), given: 0 }
    }

    /// A keyword was met, in some case.
    pub(super) fn met(&mut self, keyword: &Keyword, place: Range<usize>) {
        if self.progress.is_empty() {
            self.progress.resize(self.engine.rules.len(), Progress::default());
        }
        let exact = slice(self.text.as_bytes(), place.start, place.end) == keyword.text.as_bytes();
        for index in &keyword.rules {
            let Some(rule) = self.engine.rules.get(*index).filter(|rule| exact || !rule.case_sensitive) else {
                continue;
            };
            match rule.reach {
                Reach::FromKeyword { after } => self.attempt(*index, rule, place.start, after),
                Reach::Around { before, after } => {
                    let from = place.start.saturating_sub(before);
                    self.extend(*index, rule, from..self.clipped(place.end, after), false);
                }
            }
        }
    }

    /// Searches what is left, and says how many bytes patterns were given.
    pub(super) fn finish(mut self) -> usize {
        for (index, rule) in self.engine.rules.iter().enumerate().take(self.progress.len()) {
            self.search_region(index, rule);
        }
        self.given
    }

    /// Tries the pattern at its keyword.
    fn attempt(&mut self, index: usize, rule: &Rule, start: usize, after: usize) {
        let bytes = self.text.as_bytes();
        let window = start..self.clipped(start, after);
        let Some(progress) = self.progress.get_mut(index) else { return };
        if start < progress.found_to || rule.whole && !begins_word(bytes, start) {
            return;
        }
        let allowed = start.saturating_sub(progress.attempted_at).saturating_mul(ATTEMPTS_A_BYTE_MAX);
        progress.seen = progress.seen.saturating_sub(allowed);
        progress.attempted_at = start;
        if progress.seen.saturating_add(window.len()) > ATTEMPTS_BYTES_MAX {
            return self.extend(index, rule, window, true);
        }
        progress.seen = progress.seen.saturating_add(window.len());
        self.given = self.given.saturating_add(window.len());
        let found = rule.pattern.matcher().and_then(|matcher| matcher.at_start(bytes, window.clone()));
        if let Some(finding) = found.and_then(|found| rule.judge(self.text, &found, &window, false)) {
            progress.found_to = finding.end;
            self.findings.push(finding);
        }
    }

    /// Adds a window to the rule's region, or begins a new one.
    fn extend(&mut self, index: usize, rule: &Rule, window: Range<usize>, flooded: bool) {
        let Some(region) = self.progress.get(index).map(|progress| progress.region.clone()) else { return };
        let longest = window.len().saturating_mul(REGION_WINDOWS_MAX);
        let joined = window.start <= region.end && window.end.saturating_sub(region.start) <= longest;
        if !joined {
            self.search_region(index, rule);
        }
        let Some(progress) = self.progress.get_mut(index) else { return };
        let start = if joined { region.start } else { window.start.max(progress.found_to).min(window.end) };
        progress.region = start..window.end;
        progress.flooded = flooded;
    }

    /// Searches the rule's region once.
    fn search_region(&mut self, index: usize, rule: &Rule) {
        let Some(progress) = self.progress.get_mut(index).filter(|progress| !progress.region.is_empty()) else {
            return;
        };
        let mut region = std::mem::take(&mut progress.region);
        let (text, flooded) = (self.text, progress.flooded);
        let Some(matcher) = rule.pattern.matcher() else { return };
        self.given = self.given.saturating_add(region.len());
        while let Some(found) = matcher.within(text.as_bytes(), region.clone()) {
            if let Some(finding) = rule.judge(text, &found, &region, flooded) {
                progress.found_to = finding.end;
                self.findings.push(finding);
            }
            // No pattern matches what is empty, so that this goes on.
            region.start = found.whole.end.max(region.start.saturating_add(1)).min(region.end);
        }
    }

    fn clipped(&self, from: usize, after: usize) -> usize {
        from.saturating_add(after).min(self.text.len())
    }
}
