//! What the pool counts.

use metrics::{counter, describe_counter};

use super::finding::{Counts, Kind};
use crate::domain::protection::{Action, Rules};

const FINDINGS: &str = "factory_dlp_findings_total";

/// Describes the metrics and shows each kind at zero under the default action. Call it once a recorder is installed.
pub fn describe_metrics() {
    describe_counter!(FINDINGS, "Personal data and secrets found, by type and by what was done with them.");
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
