//! What an experiment came to so far.

use std::collections::BTreeMap;

use super::state::{Experiment, Metric, Variant};
use super::stats::{self, Estimate, Interval};
use crate::journal::tally::Tally;

/// Nano-dollars of a dollar.
const NANOS: f64 = 1e9;
/// Microseconds of a millisecond.
const MICROS: f64 = 1e3;
/// Thousandths of a whole.
const PER_MILLE: f64 = 1e3;

/// An experiment with what its variants came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The experiment.
    pub experiment: Experiment,
    /// Its variants, in order.
    pub variants: Vec<Results>,
}

/// What one variant came to. Each interval is of 95 % confidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    /// Why it takes no tasks although it was not halted; empty where it does.
    pub not_allowed: Vec<String>,
    /// Tasks by how they ended first.
    pub tally: Tally,
    /// The share of those that succeeded among those that succeeded or failed.
    pub success_rate: Option<Estimate>,
    /// What the automatic halt goes by: where the true rate lies, however often one looks.
    pub success_sequence: Option<Interval>,
    /// The mean cost in dollars.
    pub cost_usd: Option<Estimate>,
    /// The mean time to a success, in milliseconds.
    pub latency_ms: Option<Estimate>,
    /// Half of the successes took no longer.
    pub latency_p50_ms: Option<f64>,
    /// 95 in a hundred took no longer.
    pub latency_p95_ms: Option<f64>,
    /// The mean judgement, from 0 to 1.
    pub feedback: Option<Estimate>,
    /// As `success_sequence`.
    pub feedback_sequence: Option<Interval>,
}

impl Report {
    /// The report of an experiment whose counters are these.
    #[must_use]
    pub fn of(experiment: Experiment, mut tallies: BTreeMap<u8, Tally>, not_allowed: Vec<Vec<String>>) -> Self {
        let mut reasons = not_allowed.into_iter();
        let results = |(place, _): (u8, &Variant)| {
            let tally = tallies.remove(&place).unwrap_or_default();
            Results::of(&experiment, tally, reasons.next().unwrap_or_default())
        };
        let variants = (0_u8..).zip(&experiment.variants).map(results).collect();
        Self { experiment, variants }
    }
}

impl Results {
    fn of(experiment: &Experiment, tally: Tally, not_allowed: Vec<String>) -> Self {
        let quantile = |q| stats::quantile(&tally.latency_buckets, q).map(|micros| micros / MICROS);
        Self {
            not_allowed,
            success_rate: stats::proportion(tally.succeeded, tally.decided()),
            success_sequence: experiment.sequence(Metric::Success, &tally),
            cost_usd: stats::mean(&tally.cost_nanos, NANOS),
            latency_ms: stats::mean(&tally.latency_micros, MICROS),
            latency_p50_ms: quantile(0.5),
            latency_p95_ms: quantile(0.95),
            feedback: stats::mean(&tally.feedback_per_mille, PER_MILLE),
            feedback_sequence: experiment.sequence(Metric::Feedback, &tally),
            tally,
        }
    }
}
