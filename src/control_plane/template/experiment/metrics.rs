//! Metrics of experiments. Those of the whole are named in [`names`].

use std::collections::{BTreeMap, HashMap, HashSet};

use super::state::Experiment;
use crate::domain::id::ExperimentId;
use crate::journal::tally::Tally;
use crate::telemetry::names;

/// Registers every name of the room.
pub(super) fn register() {
    metrics::counter!(names::EXPERIMENT_HALTS_TOTAL).increment(0);
}

/// Counts a variant that was halted.
pub(super) fn halted() {
    metrics::counter!(names::EXPERIMENT_HALTS_TOTAL).increment(1);
}

/// What was counted so far of each experiment that runs, so that what is new can be.
#[derive(Default)]
pub(super) struct Counted {
    by_variant: HashMap<ExperimentId, BTreeMap<u8, [u64; 3]>>,
    /// Experiments that ran before: what they came to by then is not counted again.
    from_before: HashSet<ExperimentId>,
}

impl Counted {
    /// Nothing, beside what these came to before.
    pub(super) fn after(from_before: &[ExperimentId]) -> Self {
        Self { by_variant: HashMap::new(), from_before: from_before.iter().copied().collect() }
    }

    /// Counts what is new since the last time.
    ///
    /// A variant is named by its number, from 1, so that there are at most [`VARIANTS_MAX`](super::VARIANTS_MAX) series a template
    /// and outcome however many versions are tried.
    pub(super) fn count(&mut self, experiment: &Experiment, tallies: &BTreeMap<u8, Tally>) {
        let is_from_before = self.from_before.remove(&experiment.id);
        let counted = self.by_variant.entry(experiment.id).or_default();
        for (place, tally) in tallies {
            let now = [tally.succeeded, tally.failed, tally.cancelled];
            let before = counted.insert(*place, now).unwrap_or_default();
            let before = if is_from_before { now } else { before };
            for ((outcome, now), before) in ["succeeded", "failed", "cancelled"].into_iter().zip(now).zip(before) {
                let (template, variant) = (experiment.template.to_string(), u16::from(*place).saturating_add(1));
                let counter = metrics::counter!(names::EXPERIMENT_TASKS_TOTAL,
                    "template" => template, "variant" => variant.to_string(), "outcome" => outcome);
                counter.increment(now.saturating_sub(before));
            }
        }
    }

    /// Forgets experiments that do not run any more.
    pub(super) fn retain(&mut self, running: &[ExperimentId]) {
        self.by_variant.retain(|id, _| running.contains(id));
        self.from_before.retain(|id| running.contains(id));
    }
}
