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
mod national;
mod network;
mod number;
mod numbering;
mod overlap;
mod person;
mod personal;
#[cfg(test)]
mod personal_tests;
mod phone;
mod reader;
mod secret;
mod secret_rules;
#[cfg(test)]
mod tests;
mod wallet;
mod words;

use super::finding::Finding;

/// Finds personal data and secrets. Findings come in order and do not overlap; their ends are character boundaries.
#[must_use]
pub fn detect(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    email::scan(text, &mut findings);
    secret::scan(text, &mut findings);
    number::scan(text, &mut findings);
    personal::scan(text, &mut findings);
    overlap::resolve(findings)
}
