//! What detectors report: kinds, scores, spans, counts.

use std::collections::BTreeMap;
use std::ops::Range;

pub use crate::domain::entity::Kind;

/// How sure a detector is, in hundredths. Whole numbers, so that findings have a total order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Score(u8);

impl Score {
    /// A checksum or an unmistakable form agrees.
    pub const CERTAIN: Self = Self(100);
    /// The form is its issuer's own.
    pub const HIGH: Self = Self(95);
    /// The form and a word beside it, or a second check, agree.
    pub const LIKELY: Self = Self(75);
    /// The form alone.
    pub const PLAUSIBLE: Self = Self(60);

    /// A score in hundredths, from 1 to 100.
    #[must_use]
    pub fn from_hundredths(hundredths: u8) -> Option<Self> {
        (1..=100).contains(&hundredths).then_some(Self(hundredths))
    }

    /// The score between 0 and 1.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

/// One finding in a text: bytes `start..end`, both on character boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// Its first byte.
    pub start: usize,
    /// Beyond its last byte.
    pub end: usize,
    /// How sure the detector is.
    pub score: Score,
}

impl Finding {
    /// Its bytes.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// How many bytes it spans.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether it spans nothing; no detector reports that.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How many findings there were of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<Kind, u64>);

impl Counts {
    /// Counts the findings of a text in.
    pub fn add(&mut self, findings: &[Finding]) {
        for finding in findings {
            let count = self.0.entry(finding.kind).or_insert(0);
            *count = count.saturating_add(1);
        }
    }

    /// Each kind that was found, with how often.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, u64)> + '_ {
        self.0.iter().map(|(kind, count)| (*kind, *count))
    }

    /// How many findings there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().fold(0, |sum, count| sum.saturating_add(*count))
    }
}
