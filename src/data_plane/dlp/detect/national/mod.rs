//! Numbers that states give to people and companies.
//!
//! The pass goes from digit to digit. Around each the groups of letters and digits are taken apart; each group may begin a number
//! whose [`forms`] begin with a group so long. What has a form is checked by its country's rules, and what these do not tell for
//! sure by the words beside it ([`evidence`]).

mod anglophone;
mod arithmetic;
mod document;
mod evidence;
mod forms;
mod france;
pub(super) mod named;
mod north;
mod row;
mod south;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::sync::LazyLock;

use self::evidence::Evidence;
use self::forms::{Joints, SPECS, Spec};
use self::row::{GROUP_BYTES_MAX, TOKENS_MAX, Token};
use super::words::Section;
use crate::data_plane::dlp::finding::{Finding, Score};

/// The most groups in a form.
const GROUPS_MAX: usize = 8;

/// The longest number, in characters without separators.
const CHARACTERS_MAX: usize = 16;

/// The forms by the length of their first group, the longest first.
static SHAPES: LazyLock<Vec<Vec<Shape>>> = LazyLock::new(|| {
    let mut shapes: Vec<Vec<Shape>> = Vec::new();
    shapes.resize_with(GROUP_BYTES_MAX.saturating_add(1), Vec::new);
    for spec in SPECS {
        for form in spec.forms {
            let shape = Shape::of(spec, form);
            let first = form.mask.split(' ').next().map_or(0, str::len);
            if let Some(with) = shapes.get_mut(first) {
                with.push(shape);
            }
        }
    }
    for with in &mut shapes {
        with.sort_by_key(|shape| Reverse(shape.characters.len()));
    }
    shapes
});

/// A form, taken apart.
struct Shape {
    spec: &'static Spec,
    /// The length of each group, a byte each, the first lowest; and which of the bytes count.
    lens: u64,
    lens_mask: u64,
    groups: usize,
    /// The mask without separators.
    characters: Vec<u8>,
    joints: Joints,
    alone: Option<Score>,
}

/// A value in a text that has a form and passes its check.
struct Candidate {
    finding: Finding,
    checked: bool,
    /// How much the word beside it says.
    evidence: Evidence,
}

impl Shape {
    fn of(spec: &'static Spec, form: &forms::Form) -> Self {
        let lens = || form.mask.split(' ').map(str::len);
        Self {
            spec,
            lens: pack(lens()),
            lens_mask: pack(lens().map(|_| 0xFF)),
            groups: lens().count(),
            characters: form.mask.bytes().filter(|byte| *byte != b' ').collect(),
            joints: form.joints,
            alone: form.alone,
        }
    }

    /// The tokens as this form, if they have it.
    fn matches<'r>(&self, bytes: &[u8], tokens: &'r [Token]) -> Option<&'r [Token]> {
        let taken = tokens.get(..self.groups)?;
        let written = taken.iter().flat_map(|token| token.bytes(bytes));
        let agrees = |(byte, class): (&u8, &u8)| match class {
            b'9' => byte.is_ascii_digit(),
            b'A' => byte.is_ascii_alphabetic(),
            b'C' => byte.is_ascii_digit() || matches!(byte, b'A' | b'B' | b'a' | b'b'),
            _ => true,
        };
        (written.zip(&self.characters).all(agrees) && row::are_joined(bytes, taken, self.joints)).then_some(taken)
    }

    /// The candidate that the tokens are, if the check agrees.
    fn candidate(&self, section: &Section<'_>, tokens: &[Token]) -> Option<Candidate> {
        let bytes = section.bytes();
        let taken = self.matches(bytes, tokens)?;
        let (start, end) = (taken.first()?.start, taken.last()?.end);
        let mut value = [0_u8; CHARACTERS_MAX];
        let mut capitals = true;
        for (place, byte) in value.iter_mut().zip(taken.iter().flat_map(|token| token.bytes(bytes))) {
            capitals &= !byte.is_ascii_lowercase();
            *place = byte.to_ascii_uppercase();
        }
        let value = value.get(..self.characters.len())?;
        if !(self.spec.check)(value) || !row::stands_apart(bytes, start, end) {
            return None;
        }
        let evidence = evidence::of(section, start, end, self.spec.topics);
        let score = match evidence {
            Evidence::For { .. } => Some(if self.spec.checked { Score::CERTAIN } else { Score::LIKELY }),
            Evidence::None => self.alone.filter(|_| capitals),
            Evidence::Against => self.alone.filter(|score| capitals && *score >= Score::HIGH),
        }?;
        let finding = Finding { kind: self.spec.kind, start, end, score };
        Some(Candidate { finding, checked: self.spec.checked, evidence })
    }
}

impl Candidate {
    /// What is best: the longest, the surest, the one with a check, the one whose word says most.
    fn rank(&self) -> (usize, Score, bool, Evidence) {
        (self.finding.len(), self.finding.score, self.checked, self.evidence)
    }
}

/// Lengths as bytes of one number, the first lowest.
fn pack(lens: impl DoubleEndedIterator<Item = usize>) -> u64 {
    lens.rev().fold(0, |packed, len| (packed << 8) | u64::try_from(len).unwrap_or(0))
}

/// Adds every number of a state that begins in the section.
pub(super) fn scan(section: &Section<'_>, findings: &mut Vec<Finding>) {
    let mut tokens = Vec::with_capacity(TOKENS_MAX);
    let mut at = section.from;
    while let Some(next) = row::read(section.bytes(), at, section.to, &mut tokens) {
        // A full row may go on: its last groups begin the next one.
        let whole = tokens.len() < TOKENS_MAX;
        let starts = if whole { tokens.len() } else { TOKENS_MAX.saturating_sub(GROUPS_MAX) };
        let mut taken = at;
        for (index, token) in tokens.iter().enumerate().take(starts) {
            if token.start < taken {
                continue;
            }
            if let Some(finding) = best(section, tokens.get(index..).unwrap_or_default()) {
                taken = finding.end;
                findings.push(finding);
            }
        }
        let resume = tokens.get(starts).map_or(next, |token| token.start);
        at = resume.max(taken).max(at.saturating_add(1));
    }
}

/// The best reading of the tokens from the first.
fn best(section: &Section<'_>, tokens: &[Token]) -> Option<Finding> {
    let ahead = tokens.get(..GROUPS_MAX.min(tokens.len())).unwrap_or_default();
    let lens = pack(ahead.iter().map(|token| token.len()));
    SHAPES
        .get(tokens.first()?.len())?
        .iter()
        .filter(|shape| lens & shape.lens_mask == shape.lens)
        .filter(|shape| shape.alone.is_some() || section.mentions(shape.spec.topics))
        .filter_map(|shape| shape.candidate(section, tokens))
        .max_by_key(Candidate::rank)
        .map(|candidate| candidate.finding)
}
