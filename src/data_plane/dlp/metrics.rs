//! What the pool counts.

use metrics::{counter, describe_counter};

use super::finding::{Counts, Kind};
use crate::domain::protection::Action;

const FINDINGS: &str = "factory_dlp_findings_total";

/// Describes the metrics and shows each kind at zero under the default action. Call it once a recorder is installed.
pub fn describe_metrics() {
    describe_counter!(FINDINGS, "Personal data and secrets found, by type and by what was done with them.");
    for kind in Kind::ALL {
        counter!(FINDINGS, "type" => kind.as_str(), "action" => Action::Pseudonymise.as_str()).increment(0);
    }
}

/// Counts what was found in texts that passed.
pub(super) fn found(counts: &Counts, action: Action) {
    for (kind, count) in counts.iter() {
        counter!(FINDINGS, "type" => kind.as_str(), "action" => action.as_str()).increment(count);
    }
}

/// Counts what kept texts from passing: each kind once.
pub(super) fn blocked(kinds: &[Kind]) {
    for kind in kinds {
        counter!(FINDINGS, "type" => kind.as_str(), "action" => Action::Block.as_str()).increment(1);
    }
}
