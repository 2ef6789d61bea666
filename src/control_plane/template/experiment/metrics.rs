//! Metrics of experiments. Those of the whole are named in [`names`].

use std::collections::{BTreeMap, HashMap};

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
pub(super) struct Counted(HashMap<ExperimentId, BTreeMap<u8, [u64; 3]>>);

impl Counted {
    /// Counts what is new since the last time; what ended before the daemon started is not.
    ///
    /// A variant is named by its number, from 1, so that there are at most [`VARIANTS_MAX`](super::VARIANTS_MAX) series a template
    /// and outcome however many versions are tried.
    pub(super) fn count(&mut self, experiment: &Experiment, tallies: &BTreeMap<u8, Tally>) {
        let known = self.0.contains_key(&experiment.id);
        let counted = self.0.entry(experiment.id).or_default();
        for (place, tally) in tallies {
            let now = [tally.succeeded, tally.failed, tally.cancelled];
            let before = counted.insert(*place, now).unwrap_or_default();
            for ((outcome, now), before) in ["succeeded", "failed", "cancelled"].into_iter().zip(now).zip(before) {
                let (template, variant) = (experiment.template.to_string(), u16::from(*place).saturating_add(1));
                let counter = metrics::counter!(names::EXPERIMENT_TASKS_TOTAL,
                    "template" => template, "variant" => variant.to_string(), "outcome" => outcome);
                counter.increment(if known { now.saturating_sub(before) } else { 0 });
            }
        }
    }

    /// Forgets experiments that do not run any more.
    pub(super) fn retain(&mut self, running: &[ExperimentId]) {
        self.0.retain(|id, _| running.contains(id));
    }
}
