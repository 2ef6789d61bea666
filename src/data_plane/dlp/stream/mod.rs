//! Filtering a text while it is written: what can no longer be part of a finding is told, the rest is held.
//!
//! ```text
//! piece ─▶ context │ held ─▶ cut? ─▶ examine all that is kept ─▶ a finding over the cut: cut before it ─▶ redact ─▶ released
//! ```
//!
//! What is kept is examined as a text of its own, with what was told shortly before as its context. Only what lies before the cut
//! is decided; findings that reach over it are held as a whole, however long they are, up to a limit.
//!
//! INVARIANT I140: no byte of what is found in the whole text is told as it is written, however the text is cut into pieces.
//! INVARIANT I141: no more than [`HELD_BYTES_MAX`] are held.

mod cut;
mod guarded;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

pub(super) use self::cut::Sight;
pub use self::guarded::Stream;
use super::finding::{Counts, Finding};
use super::pseudonym::Pseudonyms;
use super::redaction::{Examined, Withheld, redact};
use crate::domain::protection::Rules;

/// The most that is held, in bytes: the longest finding (a private key or web token of 64 KiB), over a cut that is kept from the end
/// by the longest run, and what may come until that is looked at again.
pub const HELD_BYTES_MAX: usize = 160 * 1024;

/// Up to here what is held is examined with every piece that lets some of it go. Beyond, only when it has grown by an eighth: the
/// whole time stays linear in the text. Bytes.
const EAGER_BYTES_MAX: usize = 1_024;

/// Finds what is in a text, in any order.
pub(super) type Detect = Arc<dyn Fn(&str) -> Vec<Finding> + Send + Sync>;

/// What has been decided of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Released {
    /// More of the text, with what was found in it replaced.
    pub text: String,
    /// What was found in it.
    pub counts: Counts,
}

/// Hides what is found in a text that comes in pieces. Pure: detectors and key are given to it.
pub struct StreamFilter {
    detect: Detect,
    rules: Rules,
    pseudonyms: Pseudonyms,
    /// How far what `detect` looks at stands from what it finds.
    sight: Sight,
    /// What was told shortly before, then what is held.
    text: String,
    /// Where what is held begins.
    released: usize,
    /// From which length on it is examined again.
    again_at: usize,
}

impl StreamFilter {
    /// A filter for a text that goes on from `context`, which has been told.
    pub(super) fn new((detect, sight): (Detect, Sight), rules: Rules, pseudonyms: Pseudonyms, context: &str) -> Self {
        let start = cut::context_start(context, context.len(), sight);
        let text = context.get(start..).unwrap_or_default().to_owned();
        let released = text.len();
        Self { detect, rules, pseudonyms, sight, text, released, again_at: 0 }
    }

    /// Takes a piece, and gives what is decided by now.
    ///
    /// # Errors
    /// Something was found that does not pass. What was given before holds nothing of it; nothing more is to be asked of this filter.
    pub fn push(&mut self, piece: &str) -> Result<Released, Withheld> {
        self.text.push_str(piece);
        if self.text.len() < self.again_at {
            return Ok(Released::default());
        }
        let Some(cut) = cut::cut(&self.text, self.released, self.sight) else {
            self.wait();
            return Ok(Released::default());
        };
        let findings = (self.detect)(&self.text);
        let before = before_all(&findings, cut).max(self.released);
        // What is longer than any finding is a row of them, one over the other: it is hidden part by part.
        let is_too_much = self.text.len().saturating_sub(before) > HELD_BYTES_MAX;
        let released = self.release(if is_too_much { cut } else { before }, &findings)?;
        self.wait();
        Ok(released)
    }

    /// Lets more come before what is held is looked at again, where that is much.
    fn wait(&mut self) {
        let held = self.held();
        self.again_at = if held > EAGER_BYTES_MAX { self.text.len().saturating_add(held / 8) } else { 0 };
    }

    /// Gives the rest; nothing more comes.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn finish(mut self) -> Result<Released, Withheld> {
        let findings = (self.detect)(&self.text);
        self.release(self.text.len(), &findings)
    }

    /// A filter by the shipped detectors, under the rules that are usual on the way out, for a text that begins.
    #[must_use]
    pub fn shipped(pseudonyms: Pseudonyms) -> Self {
        let usual = crate::domain::protection::Protection::default();
        Self::new((Arc::new(super::detect), Sight::SHIPPED), usual.outbound, pseudonyms, "")
    }

    /// How many bytes are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.text.len().saturating_sub(self.released)
    }

    /// How many bytes the next piece is examined with.
    fn kept(&self) -> usize {
        self.text.len()
    }

    /// Gives what is held up to `cut`, without what is found in it, and keeps the end of it as context.
    fn release(&mut self, cut: usize, findings: &[Finding]) -> Result<Released, Withheld> {
        let from = self.released;
        let Some(text) = self.text.get(from..cut).filter(|text| !text.is_empty()) else {
            return Ok(Released::default());
        };
        let inside =
            findings.iter().filter(|finding| finding.end > from && finding.start < cut).map(|finding| Finding {
                start: finding.start.max(from).saturating_sub(from),
                end: finding.end.min(cut).saturating_sub(from),
                ..*finding
            });
        let examined = Examined { text: text.into(), findings: inside.collect() };
        let redaction = redact(&[examined], &self.rules, &[], &self.pseudonyms)?;
        let text = redaction.texts.iter().map(|text| text.expose()).collect();
        let start = cut::context_start(&self.text, cut, self.sight);
        self.text.drain(..start);
        self.released = cut.saturating_sub(start);
        Ok(Released { text, counts: redaction.counts })
    }
}

/// The last place up to `cut` that no finding reaches over.
fn before_all(findings: &[Finding], cut: usize) -> usize {
    let over = findings.iter().filter(|finding| finding.start < cut && cut < finding.end);
    match over.map(|finding| finding.start).min() {
        // Others may reach over that place.
        Some(start) => before_all(findings, start),
        None => cut,
    }
}

impl fmt::Debug for StreamFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<filter that holds {} bytes>", self.held())
    }
}
