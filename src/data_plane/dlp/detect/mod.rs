//! Detectors: a text in, findings out. Pure.
//!
//! Three passes over the bytes, each looking for what its candidates cannot be without: `@` ([`email`]), the first bytes of
//! the known secrets ([`secret`], one automaton), and digits ([`number`]: cards, IBANs and phones). Around each such anchor a
//! bounded window is checked by hand-written classes and validators, so that the time is linear in the text whatever is in it.
//! A further pass reads the text in sections for what words beside it tell ([`personal`]): national numbers, names, addresses.

mod address;
mod birth;
mod boundary;
mod card;
mod context;
mod date;
mod email;
mod iban;
mod named;
mod national;
mod network;
mod number;
mod numbering;
mod overlap;
pub(super) mod pattern;
mod person;
mod personal;
#[cfg(test)]
mod personal_tests;
mod phone;
mod reader;
mod secret;
#[cfg(test)]
mod tests;
mod validate;
mod wallet;
mod words;

pub(super) use overlap::{resolve, resolve_under};
pub use validate::{Validator, validator, validators};

use super::detectors::Detectors;
use super::finding::Finding;

/// Finds personal data and secrets by the shipped rules. Findings come in order and do not overlap; their ends are character
/// boundaries.
#[must_use]
pub fn detect(text: &str) -> Vec<Finding> {
    Detectors::shipped().detect(text)
}

/// Adds what the detectors find that are code. Findings may overlap.
pub(super) fn scan(text: &str, findings: &mut Vec<Finding>) {
    email::scan(text, findings);
    secret::scan(text, findings);
    number::scan(text, findings);
    personal::scan(text, findings);
}
