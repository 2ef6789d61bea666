//! Doing to a text what its findings and the rules on them ask for. Pure.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::AhoCorasick;

use super::detect::resolve_under;
use super::finding::{Counts, Finding, Kind};
use super::pseudonym::Pseudonyms;
use super::vault::Vault;
use crate::domain::private::Text;
use crate::domain::protection::{Action, Rules};

/// How often a pseudonym that is taken gets more digits. After the last a value is masked for good: nothing leaks, and what
/// cannot be told apart is not restored wrongly.
const ATTEMPTS_MAX: u8 = 6;

/// Texts with nothing in them that was to be hidden, and what is needed to undo it.
#[derive(Debug, Clone)]
pub struct Redaction {
    /// The texts, in the order in which they came.
    pub texts: Vec<Text>,
    /// The originals of the pseudonyms in them; empty where no rule is to pseudonymise.
    pub vault: Vault,
    /// What was found.
    pub counts: Counts,
    /// The rules that were followed: those that were given, with what a person lets pass.
    pub rules: Rules,
}

/// A text with its findings.
#[derive(Debug, Clone)]
pub struct Examined {
    /// The text.
    pub text: Text,
    /// What was found in it: in any order, and where several detectors found something, what each of them found. Where they became
    /// one finding before, the action on it is that of the kind that names it.
    pub findings: Vec<Finding>,
}

/// A person's leave: of texts that have this digest, findings of these kinds may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// See [`Question::digest`].
    pub digest: [u8; 32],
    /// The kinds that may pass where a rule would have a person asked.
    pub kinds: Vec<Kind>,
}

/// What a person is to be asked before texts may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What would pass, and how often it was found.
    pub counts: Counts,
    /// A keyed hash of all texts, in their order: leave for them is none for others. Where there is none, no leave can be given.
    pub digest: Option<[u8; 32]>,
}

/// Why texts do not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Withheld {
    /// A rule says that texts with these do not pass: the kinds that the rule is about.
    Blocked(Vec<Kind>),
    /// A rule says that a person is asked first, and nobody has given leave.
    Asked(Question),
}

/// Does to the findings of texts that belong together what the rules say: they share a vault, and no pseudonym in it is something
/// that any of the texts holds already.
///
/// INVARIANT I131: nothing passes that a rule would have a person asked about, unless leave was given for these very texts and for
/// its kind.
///
/// # Errors
/// A rule is to block what was found, or to ask about it and no consent is about it.
pub fn redact(
    examined: &[Examined],
    rules: &Rules,
    consents: &[Consent],
    pseudonyms: &Pseudonyms,
) -> Result<Redaction, Withheld> {
    let blocked = found(examined, rules, Action::Block);
    if blocked.total() > 0 {
        return Err(Withheld::Blocked(blocked.iter().map(|(kind, _)| kind).collect()));
    }
    let rules = permitted(examined, rules, consents, pseudonyms)?;
    let settled: Vec<Examined> = examined
        .iter()
        .map(|one| Examined { text: one.text.clone(), findings: resolve_under(&rules, one.findings.clone()) })
        .collect();
    let mut counts = Counts::default();
    for one in &settled {
        counts.add(&one.findings);
    }
    let (names, vault) = name(&settled, &rules, pseudonyms);
    let replacement = |kind: Kind, original: &str| match rules.action(kind) {
        Action::Allow => original.to_owned(),
        // The last two are not met here; what is, stays hidden.
        Action::Mask | Action::Ask | Action::Block => format!("<{kind}>"),
        Action::Hash => pseudonyms.hash(kind, original),
        Action::Pseudonymise => match names.get(&(kind, original)) {
            Some(name) => format!("<{name}>"),
            None => format!("<{kind}>"),
        },
    };
    let texts = settled.iter().map(|one| replace(one, replacement)).collect();
    Ok(Redaction { texts, vault, counts, rules })
}

/// The rules with what a person lets pass of these texts.
fn permitted(
    examined: &[Examined],
    rules: &Rules,
    consents: &[Consent],
    pseudonyms: &Pseudonyms,
) -> Result<Rules, Withheld> {
    let counts = found(examined, rules, Action::Ask);
    if counts.total() == 0 {
        return Ok(rules.clone());
    }
    let kinds: Vec<Kind> = counts.iter().map(|(kind, _)| kind).collect();
    let digest = pseudonyms.digest_of(examined.iter().map(|one| &one.text));
    let about_all =
        |consent: &Consent| Some(consent.digest) == digest && kinds.iter().all(|kind| consent.kinds.contains(kind));
    match consents.iter().any(about_all) {
        true => Ok(rules.granting(&kinds)),
        false => Err(Withheld::Asked(Question { counts, digest })),
    }
}

/// What was found of the kinds that have an action, each for itself: also what another kind's finding covers.
fn found(examined: &[Examined], rules: &Rules, action: Action) -> Counts {
    let mut counts = Counts::default();
    if !rules.has(action) {
        return counts;
    }
    for one in examined {
        let mut by_kind: BTreeMap<Kind, Vec<Finding>> = BTreeMap::new();
        for finding in one.findings.iter().filter(|finding| rules.action(finding.kind) == action) {
            by_kind.entry(finding.kind).or_default().push(*finding);
        }
        for findings in by_kind.into_values() {
            counts.add(&resolve_under(rules, findings));
        }
    }
    counts
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

/// Names every value that is to have a pseudonym. Names that two values share, or that a text holds already, are made longer together until
/// none is left; so they do not depend on the order of the findings.
fn name<'t>(examined: &'t [Examined], rules: &Rules, pseudonyms: &Pseudonyms) -> (Names<'t>, Vault) {
    let mut pending: BTreeSet<(Kind, &str)> = examined
        .iter()
        .flat_map(|one| one.findings.iter().map(|finding| (finding, one.text.expose())))
        .filter(|(finding, _)| rules.action(finding.kind) == Action::Pseudonymise)
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
