//! What the tasks of an experiment come to, variant by variant: counters that the committer keeps beside the records.
//!
//! A task counts where it is submitted, at its **first** end and at its **first** judgement, each in the batch of that record. What
//! a person brings about afterwards, by retrying it or judging it again, says nothing about the version that ran it.
//!
//! Of cost, latency and feedback the sums and the sums of squares are kept, as integers and so exactly. A square is added in two
//! halves, its lower 32 bits and the rest, so that a sum of squares has 95 bits rather than the 63 of one counter. Latencies are
//! also counted in buckets that are an eighth of a power of two wide, from which quantiles can be read.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::order::Assignment;
use super::record::{Ended, Outcome};
use super::state::{State, Task};
use crate::domain::clock::Timestamp;
use crate::domain::id::ExperimentId;
use crate::store::Batch;

/// Is told which experiment's counters have grown.
pub type OnTally = Arc<dyn Fn(ExperimentId) + Send + Sync>;

/// What the keys of all experiments' counters begin with.
pub const PREFIX: &str = "experiment/";
/// The most that one value counts for: a thousand dollars in nano-dollars, or twelve days in microseconds. Its square has 80 bits, so
/// that 32,768 such tasks fit into the counters; more of them saturate.
pub const VALUE_MAX: u64 = 1 << 40;
/// The bits of a value behind its first one that tell its bucket.
const BUCKET_BITS: u32 = 3;
/// The number of buckets: values up to [`VALUE_MAX`] fall into them.
pub const BUCKETS: u32 = 40 << BUCKET_BITS;
/// The bits of a square that its lower half has.
const LOWER_BITS: u32 = 32;

/// The words of the counters of one variant.
mod word {
    pub(super) const ASSIGNED: &str = "assigned";
    pub(super) const SUCCEEDED: &str = "succeeded";
    pub(super) const FAILED: &str = "failed";
    pub(super) const CANCELLED: &str = "cancelled";
    pub(super) const COST: &str = "cost_nanos";
    pub(super) const LATENCY: &str = "latency_micros";
    pub(super) const FEEDBACK: &str = "feedback_per_mille";
    pub(super) const BUCKET: &str = "latency_bucket";
}

/// What one variant came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tasks that were assigned to it.
    pub assigned: u64,
    /// Tasks whose first end was a success.
    pub succeeded: u64,
    /// Tasks whose first end was a failure.
    pub failed: u64,
    /// Tasks that were cancelled. They say nothing about the version, and count nowhere else.
    pub cancelled: u64,
    /// What tasks cost that succeeded or failed, in nano-dollars.
    pub cost_nanos: Moments,
    /// How long tasks took that succeeded, in microseconds. One that fails at once is not a fast one.
    pub latency_micros: Moments,
    /// First judgements, in thousandths.
    pub feedback_per_mille: Moments,
    /// How many of these latencies fell into each bucket.
    pub latency_buckets: BTreeMap<u32, u64>,
}

/// Of some values: how many, their sum and the sum of their squares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moments {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
    /// The sum of their squares.
    pub squares: u128,
}

/// The bucket of a value. Buckets double in width every eight, so that a value is known to an eighth.
#[must_use]
pub fn bucket(value: u64) -> u32 {
    let value = value.min(VALUE_MAX.saturating_sub(1));
    let exponent = value.max(1).ilog2();
    if exponent < BUCKET_BITS {
        return u32::try_from(value).unwrap_or(0);
    }
    let shift = exponent.saturating_sub(BUCKET_BITS);
    let mantissa = u32::try_from(value >> shift).unwrap_or(0);
    (shift << BUCKET_BITS).saturating_add(mantissa)
}

/// The smallest value of a bucket, and of the one behind it.
#[must_use]
pub fn bounds(bucket: u32) -> (u64, u64) {
    let per_power = 1_u32 << BUCKET_BITS;
    let (power, rest) = (bucket >> BUCKET_BITS, bucket & per_power.saturating_sub(1));
    let (shift, mantissa) = match power.checked_sub(1) {
        None => (0, rest),
        Some(shift) => (shift, per_power.saturating_add(rest)),
    };
    let low = u64::from(mantissa).checked_shl(shift).unwrap_or(u64::MAX);
    (low, low.saturating_add(1_u64.checked_shl(shift).unwrap_or(u64::MAX)))
}

/// The prefix of the counters of one experiment.
#[must_use]
pub fn prefix(experiment: ExperimentId) -> String {
    format!("{PREFIX}{experiment}/")
}

/// The prefix of those that decisions need: all but the buckets.
#[must_use]
pub fn sums_prefix(experiment: ExperimentId) -> String {
    format!("{}sums/", prefix(experiment))
}

/// The experiment whose counter a key names.
#[must_use]
pub fn experiment_of(key: &[u8]) -> Option<ExperimentId> {
    let rest = std::str::from_utf8(key).ok()?.strip_prefix(PREFIX)?;
    rest.split_once('/')?.0.parse().ok()
}

fn sums(assigned: Assignment, word: &str, part: &str) -> String {
    format!("{}{}/{word}{part}", sums_prefix(assigned.experiment), assigned.variant)
}

/// Counts a task as assigned.
pub(super) fn of_submitted(task: &Task) -> Batch {
    // One that was cancelled says nothing, and one that was retried has counted already.
    let counts = task.state != State::Cancelled && !task.ended_before;
    match task.order.experiment.filter(|_| counts) {
        None => Batch::new(),
        Some(assigned) => Batch::new().add(sums(assigned, word::ASSIGNED, ""), 1),
    }
}

/// Counts a task's first end.
pub(super) fn of_ended(task: &Task, ended: &Ended) -> Batch {
    let batch = Batch::new();
    let Some(assigned) = task.order.experiment.filter(|_| !task.ended_before) else { return batch };
    let cost = clamped(task.cost().nanos());
    match ended.outcome {
        Outcome::Answered { .. } | Outcome::AnsweredByStep { .. } => {
            let latency = latency(task.created_at, ended.at);
            let bucket =
                format!("{}{}/{}/{}", prefix(assigned.experiment), word::BUCKET, assigned.variant, bucket(latency));
            let batch = batch.add(sums(assigned, word::SUCCEEDED, ""), 1).add(bucket, 1);
            value(value(batch, assigned, word::COST, cost), assigned, word::LATENCY, latency)
        }
        Outcome::Failed { .. } => value(batch.add(sums(assigned, word::FAILED, ""), 1), assigned, word::COST, cost),
        Outcome::Cancelled => batch.add(sums(assigned, word::CANCELLED, ""), 1),
    }
}

/// Counts a task's first judgement.
pub(super) fn of_feedback(task: &Task, score_per_mille: i64) -> Batch {
    match task.order.experiment {
        None => Batch::new(),
        Some(assigned) => value(Batch::new(), assigned, word::FEEDBACK, clamped(score_per_mille)),
    }
}

fn latency(from: Timestamp, to: Timestamp) -> u64 {
    clamped(to.micros().saturating_sub(from.micros()))
}

fn clamped(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0).min(VALUE_MAX)
}

fn value(batch: Batch, assigned: Assignment, word: &str, value: u64) -> Batch {
    let square = u128::from(value).saturating_mul(u128::from(value));
    let (upper, lower) = (square >> LOWER_BITS, square & u128::from(u32::MAX));
    let amount = |part: u128| i64::try_from(part).unwrap_or(i64::MAX);
    batch
        .add(sums(assigned, word, ".count"), 1)
        .add(sums(assigned, word, ".sum"), amount(u128::from(value)))
        .add(sums(assigned, word, ".squares_lower"), amount(lower))
        .add(sums(assigned, word, ".squares_upper"), amount(upper))
}

/// Reads the counters of one experiment; a variant without any has an empty tally. Keys that this release does not know are left
/// out.
#[must_use]
pub fn read(experiment: ExperimentId, counters: &[(Vec<u8>, i64)]) -> BTreeMap<u8, Tally> {
    let mut tallies: BTreeMap<u8, Tally> = BTreeMap::new();
    let prefix = prefix(experiment);
    for (key, sum) in counters {
        let Some(rest) = std::str::from_utf8(key).ok().and_then(|key| key.strip_prefix(&prefix)) else { continue };
        let parts: Vec<&str> = rest.split('/').collect();
        let [family, variant, name] = parts.as_slice() else { continue };
        let Ok(variant) = variant.parse() else { continue };
        let sum = u64::try_from(*sum).unwrap_or(0);
        let tally = tallies.entry(variant).or_default();
        match (*family, name.parse::<u32>()) {
            ("sums", _) => tally.take(name, sum),
            (word::BUCKET, Ok(bucket)) if bucket < BUCKETS => {
                tally.latency_buckets.insert(bucket, sum);
            }
            (_, _) => {}
        }
    }
    tallies
}

impl Tally {
    /// Tasks that have not ended for the first time.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.assigned.saturating_sub(self.succeeded).saturating_sub(self.failed).saturating_sub(self.cancelled)
    }

    /// Tasks that succeeded or failed.
    #[must_use]
    pub fn decided(&self) -> u64 {
        self.succeeded.saturating_add(self.failed)
    }

    fn take(&mut self, name: &str, sum: u64) {
        let (word, part) = name.split_once('.').unwrap_or((name, ""));
        let moments = match word {
            word::ASSIGNED => return self.assigned = sum,
            word::SUCCEEDED => return self.succeeded = sum,
            word::FAILED => return self.failed = sum,
            word::CANCELLED => return self.cancelled = sum,
            word::COST => &mut self.cost_nanos,
            word::LATENCY => &mut self.latency_micros,
            word::FEEDBACK => &mut self.feedback_per_mille,
            _ => return,
        };
        match part {
            "count" => moments.count = sum,
            "sum" => moments.sum = sum,
            "squares_lower" => moments.squares = moments.squares.saturating_add(u128::from(sum)),
            "squares_upper" => moments.squares = moments.squares.saturating_add(u128::from(sum) << LOWER_BITS),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_value_lies_within_its_bucket_and_is_known_to_an_eighth(value in 0..VALUE_MAX) {
            let at = bucket(value);
            prop_assert!(at < BUCKETS);
            let (low, high) = bounds(at);
            prop_assert!(low <= value && value < high, "{low} <= {value} < {high}");
            prop_assert!((high - low) * 8 <= low.max(8), "{low} to {high}");
        }
    }

    #[test]
    fn buckets_follow_one_another_without_gaps() {
        for at in 0..BUCKETS - 1 {
            assert_eq!(bounds(at).1, bounds(at + 1).0, "{at}");
        }
        assert_eq!(bucket(u64::MAX), bucket(VALUE_MAX - 1));
    }

    #[test]
    fn the_largest_values_of_many_tasks_fit_into_the_counters() {
        let square = u128::from(VALUE_MAX) * u128::from(VALUE_MAX);
        assert!(u128::from(u32::MAX) * (1 << 31) <= i64::MAX as u128, "lower halves of two thousand million tasks");
        assert!((square >> LOWER_BITS) * 32_767 <= i64::MAX as u128);
    }

    #[test]
    fn a_key_names_its_experiment() {
        let id = ExperimentId::generate();
        assert_eq!(experiment_of(format!("{}0/assigned", sums_prefix(id)).as_bytes()), Some(id));
        assert_eq!(experiment_of(b"experiment/x/sums/0/assigned"), None);
    }
}
