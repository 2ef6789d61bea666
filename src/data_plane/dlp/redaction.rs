//! Doing to a text what its findings and an action ask for. Pure.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::AhoCorasick;

use super::finding::{Counts, Finding, Kind};
use super::pseudonym::Pseudonyms;
use super::vault::Vault;
use crate::domain::private::Text;
use crate::domain::protection::Action;

/// How often a pseudonym that is taken gets more digits. After the last a value is masked for good: nothing leaks, and what
/// cannot be told apart is not restored wrongly.
const ATTEMPTS_MAX: u8 = 6;

/// Texts with nothing in them that was to be hidden, and what is needed to undo it.
#[derive(Debug, Clone)]
pub struct Redaction {
    /// The texts, in the order in which they came.
    pub texts: Vec<Text>,
    /// The originals of the pseudonyms in them; empty unless the action was to pseudonymise.
    pub vault: Vault,
    /// What was found.
    pub counts: Counts,
}

/// A text with its findings.
#[derive(Debug, Clone)]
pub struct Examined {
    /// The text.
    pub text: Text,
    /// What was found in it, in order and apart.
    pub findings: Vec<Finding>,
}

/// A rule says that texts with findings do not pass: the kinds that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked(pub Vec<Kind>);

/// Applies an action to the findings of texts that belong together: they share a vault, and no pseudonym in it is something
/// that any of the texts holds already.
///
/// # Errors
/// The action is to block and something was found.
pub fn redact(examined: &[Examined], action: Action, pseudonyms: &Pseudonyms) -> Result<Redaction, Blocked> {
    let mut counts = Counts::default();
    for one in examined {
        counts.add(&one.findings);
    }
    if action == Action::Block && counts.total() > 0 {
        return Err(Blocked(counts.iter().map(|(kind, _)| kind).collect()));
    }
    let (names, vault) = match action {
        Action::Pseudonymise => name(examined, pseudonyms),
        Action::Allow | Action::Mask | Action::Hash | Action::Block => (Names::new(), Vault::default()),
    };
    let replacement = |kind: Kind, original: &str| match action {
        Action::Allow | Action::Block => original.to_owned(),
        Action::Mask => format!("<{kind}>"),
        Action::Hash => pseudonyms.hash(kind, original),
        Action::Pseudonymise => match names.get(&(kind, original)) {
            Some(name) => format!("<{name}>"),
            None => format!("<{kind}>"),
        },
    };
    let texts = examined.iter().map(|one| replace(one, replacement)).collect();
    Ok(Redaction { texts, vault, counts })
}

/// The text with each finding replaced.
fn replace(examined: &Examined, replacement: impl Fn(Kind, &str) -> String) -> Text {
    if examined.findings.is_empty() {
        return examined.text.clone();
    }
    let text = examined.text.expose();
    let mut replaced = String::with_capacity(text.len());
    let mut copied = 0;
    for finding in &examined.findings {
        if let (Some(between), Some(original)) = (text.get(copied..finding.start), text.get(finding.range())) {
            replaced.push_str(between);
            replaced.push_str(&replacement(finding.kind, original));
            copied = finding.end;
        }
    }
    replaced.push_str(text.get(copied..).unwrap_or_default());
    replaced.into()
}

/// The names of the pseudonyms for each value that was found.
type Names<'t> = BTreeMap<(Kind, &'t str), String>;

/// Names every value that was found. Names that two values share, or that a text holds already, are made longer together until
/// none is left; so they do not depend on the order of the findings.
fn name<'t>(examined: &'t [Examined], pseudonyms: &Pseudonyms) -> (Names<'t>, Vault) {
    let mut pending: BTreeSet<(Kind, &str)> = examined
        .iter()
        .flat_map(|one| one.findings.iter().map(|finding| (finding, one.text.expose())))
        .filter_map(|(finding, text)| Some((finding.kind, text.get(finding.range())?)))
        .collect();
    let (mut names, mut vault) = (Names::new(), Vault::default());
    for attempt in 0..ATTEMPTS_MAX {
        if pending.is_empty() {
            break;
        }
        let mut by_name: BTreeMap<String, Vec<(Kind, &str)>> = BTreeMap::new();
        for (kind, original) in std::mem::take(&mut pending) {
            by_name.entry(pseudonyms.name(kind, original, attempt)).or_default().push((kind, original));
        }
        let held = held_by(examined, by_name.keys());
        for (name, values) in by_name {
            match values.as_slice() {
                [value] if !held.contains(&name) && vault.original(&name).is_none() => {
                    vault.keep(name.clone(), value.1);
                    let _new = names.insert(*value, name);
                }
                taken => pending.extend(taken),
            }
        }
    }
    (names, vault)
}

/// Which of the names the texts hold already, in whatever case.
fn held_by<'n>(examined: &[Examined], names: impl Iterator<Item = &'n String>) -> BTreeSet<String> {
    let names: Vec<&String> = names.collect();
    let mut held = BTreeSet::new();
    let Ok(automaton) = AhoCorasick::builder().ascii_case_insensitive(true).build(&names) else {
        return names.into_iter().cloned().collect();
    };
    for one in examined {
        for found in automaton.find_overlapping_iter(one.text.expose()) {
            held.extend(names.get(found.pattern().as_usize()).map(|name| (*name).clone()));
        }
    }
    held
}
