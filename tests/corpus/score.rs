//! How findings are scored against what was marked: the rules are those of `README.md`.

use std::collections::BTreeMap;

use agent_factory::data_plane::dlp::Finding;
use agent_factory::domain::entity::{Group, Kind};

use super::{Gold, Text};

/// How much of a marked value a finding covers to count as having found it, in hundredths.
const COVERED_MIN: usize = 80;

/// Pairs of a marked kind and a found one that are the same thing under two names.
pub(crate) const EQUIVALENT: [(Kind, Kind); 13] = [
    // The address of a database is a URL with credentials and a connection string.
    (Kind::CONNECTION_STRING, Kind::URL_CREDENTIALS),
    (Kind::URL_CREDENTIALS, Kind::CONNECTION_STRING),
    // What is marked of both is the password in them.
    (Kind::CONNECTION_STRING, Kind::PASSWORD),
    (Kind::URL_CREDENTIALS, Kind::PASSWORD),
    (Kind::CONNECTION_STRING, Kind::GENERIC_SECRET),
    // Where an address is the host of a URL or connection string with a password in it, the longer finding names the union.
    (Kind::IP_ADDRESS, Kind::URL_CREDENTIALS),
    (Kind::IP_ADDRESS, Kind::CONNECTION_STRING),
    // A repository's token that stands where a URL has its password.
    (Kind::GITLAB_TOKEN, Kind::URL_CREDENTIALS),
    // Whether an assigned secret is a password is a matter of the name alone.
    (Kind::PASSWORD, Kind::GENERIC_SECRET),
    (Kind::GENERIC_SECRET, Kind::PASSWORD),
    // The secret half of a key has no form of its own: it is a value of high entropy with a name.
    (Kind::AWS_SECRET_KEY, Kind::GENERIC_SECRET),
    // A number of value-added tax and that of a site contain the company's.
    (Kind::FR_TVA, Kind::FR_SIREN),
    (Kind::FR_SIRET, Kind::FR_SIREN),
];

/// What became of the marked values and the findings of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Marked values.
    pub(crate) gold: u32,
    /// Marked values that a finding of their kind covers.
    pub(crate) found: u32,
    /// Marked values of which findings of any kind leave nothing uncovered.
    pub(crate) hidden: u32,
    /// Findings.
    pub(crate) findings: u32,
    /// Findings over nothing, or over what is of another kind.
    pub(crate) wrong: u32,
}

impl Tally {
    /// How many of the findings are right; of none, all are if there was nothing to find.
    #[must_use]
    pub(crate) fn precision(&self) -> f64 {
        match self.findings {
            0 => f64::from(u8::from(self.gold == 0)),
            findings => f64::from(findings - self.wrong) / f64::from(findings),
        }
    }

    /// How many of the marked values were found.
    #[must_use]
    pub(crate) fn recall(&self) -> f64 {
        if self.gold == 0 { 1.0 } else { f64::from(self.found) / f64::from(self.gold) }
    }

    /// The mean of both that counts recall four times as much as precision.
    #[must_use]
    pub(crate) fn f2(&self) -> f64 {
        let (precision, recall) = (self.precision(), self.recall());
        if precision + recall == 0.0 { 0.0 } else { 5.0 * precision * recall / (4.0 * precision + recall) }
    }

    /// The tally of both.
    #[must_use]
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            gold: self.gold + other.gold,
            found: self.found + other.found,
            hidden: self.hidden + other.hidden,
            findings: self.findings + other.findings,
            wrong: self.wrong + other.wrong,
        }
    }
}

/// The tallies of a corpus.
#[derive(Debug, Clone, Default)]
pub(crate) struct Quality {
    /// By kind, those that were marked or found.
    pub(crate) kinds: BTreeMap<&'static str, Tally>,
    /// All secrets as one kind: whether something that opens a door was found, whatever it was called.
    pub(crate) secrets: Tally,
    /// What was missed or wrong, for those who tune: the origin, what happened, the kind.
    pub(crate) misses: Vec<String>,
}

impl Quality {
    /// The quality of `detect` over `texts`.
    #[must_use]
    pub(crate) fn of(texts: &[Text], detect: impl Fn(&str) -> Vec<Finding>) -> Self {
        let mut quality = Self::default();
        for text in texts {
            quality.add(text, &detect(&text.text));
        }
        quality
    }

    /// Adds one text's findings.
    pub(crate) fn add(&mut self, text: &Text, findings: &[Finding]) {
        for gold in &text.gold {
            let found = findings.iter().any(|finding| same(gold.kind, finding.kind) && covers(finding, gold));
            let hidden = hidden(&text.text, gold, findings);
            let tally = self.kinds.entry(gold.kind.as_str()).or_default();
            count(tally, found, hidden);
            if gold.kind.group() == Group::Secret {
                let secret = |finding: &Finding| finding.kind.group() == Group::Secret && covers(finding, gold);
                count(&mut self.secrets, findings.iter().any(secret), hidden);
            }
            if !found {
                let value = text.text.get(gold.start..gold.end).unwrap_or_default();
                self.misses.push(format!("{}: missed {} {value:?}", text.origin, gold.kind));
            }
        }
        for finding in findings {
            let over = |gold: &&Gold| finding.start < gold.end && gold.start < finding.end;
            let of_its_kind = |gold: &&Gold| gold.kind == finding.kind;
            let under_another_name = || text.gold.iter().filter(over).find(|gold| same(gold.kind, finding.kind));
            let right =
                text.gold.iter().filter(over).find(of_its_kind).or_else(under_another_name).map(|gold| gold.kind);
            // Under the name of what it is right about, so that precision and recall of a kind tell of the same findings.
            let tally = self.kinds.entry(right.unwrap_or(finding.kind).as_str()).or_default();
            tally.findings += 1;
            tally.wrong += u32::from(right.is_none());
            if finding.kind.group() == Group::Secret {
                self.secrets.findings += 1;
                let secret = text.gold.iter().filter(over).any(|gold| gold.kind.group() == Group::Secret);
                self.secrets.wrong += u32::from(!secret);
            }
            if right.is_none() {
                let value = text.text.get(finding.start..finding.end).unwrap_or_default();
                self.misses.push(format!("{}: wrong {} {value:?}", text.origin, finding.kind));
            }
        }
    }
}

fn count(tally: &mut Tally, found: bool, hidden: bool) {
    tally.gold += 1;
    tally.found += u32::from(found);
    tally.hidden += u32::from(hidden);
}

fn same(marked: Kind, found: Kind) -> bool {
    marked == found || EQUIVALENT.contains(&(marked, found))
}

fn covers(finding: &Finding, gold: &Gold) -> bool {
    let common = finding.end.min(gold.end).saturating_sub(finding.start.max(gold.start));
    common * 100 >= (gold.end - gold.start) * COVERED_MIN
}

/// Whether each letter and digit of a value lies in some finding: marks and spaces between them tell nothing.
fn hidden(text: &str, gold: &Gold, findings: &[Finding]) -> bool {
    let value = text.get(gold.start..gold.end).unwrap_or_default();
    let inside = |at: usize| findings.iter().any(|finding| finding.start <= at && at < finding.end);
    value.char_indices().filter(|(_, char)| char.is_alphanumeric()).all(|(at, _)| inside(gold.start + at))
}

/// Kinds with a form or check digits of their own.
#[must_use]
pub(crate) fn is_structured(kind: Kind) -> bool {
    kind.group() == Group::Personal && ![Kind::PERSON, Kind::LOCATION, Kind::DATE_OF_BIRTH].contains(&kind)
}
