//! The detectors and the rules that they go by, as one value that can be swapped while texts are examined.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;

use super::detect;
use super::detect::pattern::{Engine, Exceptions, Origin, Rule};
use super::finding::{Finding, Kind};
use super::rules::{Loaded, RuleFile, shipped_engine};
use super::stream::Sight;
use super::view;
use crate::domain::clock::Timestamp;

/// Every detector, with the rules in force. Cheap to clone; a text is examined by one and the same from its first byte to its
/// last, whatever is published meanwhile.
#[derive(Debug, Clone)]
pub struct Detectors(Arc<Set>);

#[derive(Debug, Default)]
struct Set {
    /// Rules that are data; none where the shipped ones are used as they are, which are made when they are first needed.
    engine: Option<Engine>,
    /// Types that the detectors that are code do not report. Of the rules those are left out already.
    disabled: BTreeSet<Kind>,
    /// Shipped rules that are not used, by id.
    disabled_rules: BTreeSet<String>,
    /// What is no finding of a type.
    allowed: BTreeMap<Kind, Vec<Exceptions>>,
}

static SHIPPED: LazyLock<Detectors> = LazyLock::new(|| Detectors(Arc::default()));

impl Detectors {
    /// The shipped rules alone.
    #[must_use]
    pub fn shipped() -> Self {
        SHIPPED.clone()
    }

    /// The rules of an engine in place of the shipped ones, and what else a file says.
    pub(super) fn with(engine: Engine, file: RuleFile) -> Self {
        let RuleFile { rules: _, disabled_rules, disabled_kinds, allowed } = file;
        Self(Arc::new(Set { engine: Some(engine), disabled: disabled_kinds, disabled_rules, allowed }))
    }

    /// Finds personal data and secrets. Findings come in order and do not overlap; their ends are character boundaries. Pure,
    /// and linear in the text.
    #[must_use]
    pub fn detect(&self, text: &str) -> Vec<Finding> {
        detect::resolve(self.candidates(text))
    }

    /// As [`Detectors::detect`], but as the detectors found them: in no order, and where several found something, what each of
    /// them found. Whoever treats kinds differently must see them all.
    #[must_use]
    pub fn candidates(&self, text: &str) -> Vec<Finding> {
        view::examine(text, &|text: &str| self.scan(text))
    }

    /// What is in a text as it is written.
    fn scan(&self, text: &str) -> Vec<Finding> {
        let set = &*self.0;
        let mut findings = Vec::new();
        detect::scan(text, &mut findings);
        if !set.disabled.is_empty() {
            findings.retain(|finding| !set.disabled.contains(&finding.kind));
        }
        let _bytes_given = self.engine().scan(text, &mut findings);
        if !set.allowed.is_empty() {
            // Before overlaps are resolved: what is allowed must not hide what is not.
            findings.retain(|finding| !set.allows(finding, text));
        }
        findings
    }

    /// How far what decides about a place of a text stands from it.
    ///
    /// The shipped rules look for what has no blanks, or is a finding as soon as its first words are there; a test says so of each.
    /// What operators look for may be anything within its rule's reach.
    pub(super) fn sight(&self) -> Sight {
        let own = self.rules().iter().filter(|rule| rule.origin == Origin::Own);
        own.fold(Sight::SHIPPED, |sight, rule| sight.at_least(rule.span()))
    }

    /// The rules that are data, in the order in which they were read.
    #[must_use]
    pub fn rules(&self) -> &[Arc<Rule>] {
        self.engine().rules()
    }

    /// Shipped rules that are not used, by id.
    pub fn disabled_rules(&self) -> impl Iterator<Item = &str> {
        self.0.disabled_rules.iter().map(String::as_str)
    }

    /// Types of which the shipped detectors report nothing.
    pub fn disabled_kinds(&self) -> impl Iterator<Item = Kind> {
        self.0.disabled.iter().copied()
    }

    /// Types for which there are values that are no findings.
    pub fn allowed_kinds(&self) -> impl Iterator<Item = Kind> {
        self.0.allowed.keys().copied()
    }

    fn engine(&self) -> &Engine {
        match &self.0.engine {
            Some(engine) => engine,
            None => shipped_engine(),
        }
    }
}

impl Set {
    fn allows(&self, finding: &Finding, text: &str) -> bool {
        let (Some(lists), Some(value)) = (self.allowed.get(&finding.kind), text.get(finding.range())) else {
            return false;
        };
        lists.iter().any(|list| list.hold(value))
    }
}

/// The detectors in force, and how they came to be.
#[derive(Debug, Clone)]
pub struct Published {
    /// The detectors.
    pub detectors: Detectors,
    /// The operator's file that they go by; none where the shipped rules are used as they are.
    pub file: Option<Taken>,
    /// Why the file as it is now is refused: each mistake with its place. Empty where it is not.
    pub refused: Vec<String>,
}

/// A file of rules that was taken. Equal to no other, also where its content is in force again later.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Taken {
    /// The file.
    pub path: PathBuf,
    /// Its SHA-256, in hexadecimal.
    pub digest: String,
    /// Since when it is in force.
    pub since: Timestamp,
}

impl Published {
    /// The shipped rules alone.
    fn shipped() -> Self {
        Self { detectors: Detectors::shipped(), file: None, refused: Vec::new() }
    }

    /// The rules of a file.
    #[must_use]
    pub fn of_file(path: &Path, loaded: Loaded) -> Self {
        let file = Taken { path: path.to_owned(), digest: loaded.digest, since: Timestamp::now() };
        Self { detectors: loaded.detectors, file: Some(file), refused: Vec::new() }
    }

    /// The digest of the file in force.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.file.as_ref().map(|file| file.digest.as_str())
    }
}

/// Where the detectors in force are published.
#[derive(Debug, Clone)]
pub(super) struct InForce(Arc<ArcSwap<Published>>);

impl Default for InForce {
    fn default() -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Published::shipped())))
    }
}

impl InForce {
    /// What is in force now.
    pub(super) fn current(&self) -> Detectors {
        self.0.load().detectors.clone()
    }

    /// What is in force now, and how it came to be.
    pub(super) fn published(&self) -> Arc<Published> {
        self.0.load_full()
    }

    /// Puts others in force; a text that is being examined is examined to its end by those before.
    pub(super) fn publish(&self, published: Published) {
        self.0.store(Arc::new(published));
    }
}
