//! What the pool counts.

use metrics::{counter, describe_counter, describe_gauge, gauge};

use super::finding::{Counts, Kind};
use crate::domain::protection::{Action, Rules};

const FINDINGS: &str = "factory_dlp_findings_total";
const RULE_LOADS: &str = "factory_dlp_rule_loads_total";
const RULES_REFUSED: &str = "factory_dlp_rules_refused";
const QUARANTINED: &str = "factory_dlp_quarantined_total";

/// What came of reading a file of rules that was new.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reading {
    /// Its rules are in force.
    Published,
    /// It has mistakes; those before go on.
    Refused,
}

impl Reading {
    fn outcome(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Refused => "refused",
        }
    }
}

/// Describes the metrics and shows each kind at zero under the default action. Call it once a recorder is installed.
pub fn describe_metrics() {
    describe_counter!(FINDINGS, "Personal data and secrets found, by type and by what was done with them.");
    describe_counter!(RULE_LOADS, "Files of the operator's DLP rules that were read, by what came of it.");
    describe_gauge!(
        RULES_REFUSED,
        "1 while the file of the operator's DLP rules is refused, and those before are in force."
    );
    describe_counter!(QUARANTINED, "Texts that broke a worker and are kept from all others.");
    for reading in [Reading::Published, Reading::Refused] {
        counter!(RULE_LOADS, "outcome" => reading.outcome()).increment(0);
    }
    gauge!(RULES_REFUSED).set(0.0);
    counter!(QUARANTINED).increment(0);
    for kind in Kind::ALL {
        counter!(FINDINGS, "type" => kind.as_str(), "action" => Action::Pseudonymise.as_str()).increment(0);
    }
}

/// Counts what was found in texts that passed, by what the rules say of it.
pub(super) fn found(counts: &Counts, rules: &Rules) {
    for (kind, count) in counts.iter() {
        counter!(FINDINGS, "type" => kind.as_str(), "action" => rules.action(kind).as_str()).increment(count);
    }
}

/// Counts what a person is to be asked about.
pub(super) fn asked(counts: &Counts) {
    for (kind, count) in counts.iter() {
        counter!(FINDINGS, "type" => kind.as_str(), "action" => Action::Ask.as_str()).increment(count);
    }
}

/// Counts what kept texts from passing: each kind once.
pub(super) fn blocked(kinds: &[Kind]) {
    for kind in kinds {
        counter!(FINDINGS, "type" => kind.as_str(), "action" => Action::Block.as_str()).increment(1);
    }
}

/// Counts a file of rules that was read.
pub(super) fn rules_read(reading: Reading) {
    counter!(RULE_LOADS, "outcome" => reading.outcome()).increment(1);
    gauge!(RULES_REFUSED).set(match reading {
        Reading::Published => 0.0,
        Reading::Refused => 1.0,
    });
}

/// Counts a text that broke a worker.
pub(super) fn quarantined() {
    counter!(QUARANTINED).increment(1);
}
