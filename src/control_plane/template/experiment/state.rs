//! What an experiment is, which of its variants a task gets, and which of them is clearly worse. Pure.
//!
//! ```text
//! Wanted --plan--> running --(stopped, rolled back)--> ended
//!                     └─ variant: running --(clearly worse than another)--> halted
//! ```

use std::cmp::Ordering;
use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::refusal::Refusal;
use super::stats::{self, Interval};
use crate::domain::clock::Timestamp;
use crate::domain::id::{ExperimentId, TaskId};
use crate::domain::name::{Digest, TemplateName, Tenant, User, Version};
use crate::journal::order::Assignment;
use crate::journal::tally::{Moments, Tally};

/// The fewest variants that can be compared.
pub const VARIANTS_MIN: usize = 2;
/// The most variants of an experiment.
pub const VARIANTS_MAX: usize = 8;
/// How far from 1 the sum of the shares may lie, for shares such as 0.333333.
pub const SHARES_TOLERANCE: f64 = 1e-6;
/// The probability that an experiment whose variants are all alike ever halts one of them, at most.
pub const ALPHA: f64 = 0.05;
/// Nothing is halted before it, and what it is compared with, has so many observations. It is also where the confidence sequences
/// begin: the later they do, the narrower they are.
pub const HALT_TASKS_MIN: u64 = 50;
/// How often a task is assigned anew whose variant takes none. With shares of a hundredth left, one task in 10,000 needs more.
const ROUNDS_MAX: u32 = 1_000;

/// An experiment that somebody asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The versions and the shares of tasks that they are to have.
    pub versions: Vec<(Version, f64)>,
    /// The version that the others are compared with, for people; none for the one with the largest share.
    pub control: Option<Version>,
    /// Whether a variant that is clearly worse is halted.
    pub halting: Halting,
}

/// Whether a variant that is clearly worse is halted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halting {
    /// It is.
    Automatic,
    /// It is not.
    Off,
}

/// Variants in the order of their versions, and which of them is the control.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The versions and their shares.
    pub variants: Vec<(Version, f64)>,
    /// The place of the control.
    pub control: u8,
    /// As it was asked for.
    pub halting: Halting,
}

/// An experiment with versions of a template.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// Its name.
    pub id: ExperimentId,
    /// The template.
    pub template: TemplateName,
    /// When it was started.
    pub started_at: Timestamp,
    /// By whom.
    pub started_by: String,
    /// The place of the control among the variants.
    pub control: u8,
    /// Whether a variant that is clearly worse is halted.
    pub halting: Halting,
    /// Its variants, in the order of their versions.
    pub variants: Vec<Variant>,
    /// When and why it ended, if it did.
    pub ended: Option<End>,
}

/// One version in an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// The version.
    pub version: Version,
    /// Its resolved content, as it was when the experiment was started.
    pub digest: Digest,
    /// The share of tasks that it gets.
    pub share: f64,
    /// Since when and why it gets none.
    pub halted: Option<Halt>,
}

/// Why a variant was halted.
#[derive(Debug, Clone, PartialEq)]
pub struct Halt {
    /// When.
    pub at: Timestamp,
    /// What showed it.
    pub verdict: Worse,
}

/// That a variant is clearly worse than another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Worse {
    /// By what.
    pub metric: Metric,
    /// Where its true mean lies at most.
    pub at_most: f64,
    /// The place of the better variant.
    pub than: u8,
    /// Where that one's lies at least.
    pub at_least: f64,
}

/// By what variants are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// The share of tasks that succeed.
    Success,
    /// Judgements, from 0 to 1.
    Feedback,
}

/// When and why an experiment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub why: EndReason,
}

/// Why an experiment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Somebody asked for it.
    Stopped,
    /// The template was rolled back.
    RolledBack,
}

impl Metric {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Success, Self::Feedback];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Feedback => "feedback",
        }
    }

    /// How many observations there are, and their mean.
    #[must_use]
    pub fn observed(self, tally: &Tally) -> (u64, f64) {
        match self {
            Self::Success => (tally.decided(), stats::real(tally.succeeded) / stats::real(tally.decided().max(1))),
            Self::Feedback => {
                let Moments { count, sum, .. } = tally.feedback_per_mille;
                (count, stats::real(sum) / stats::real(count.max(1)) / 1_000.0)
            }
        }
    }
}

impl EndReason {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::RolledBack => "rolled_back",
        }
    }
}

/// Versions in the order of their precedence (Semantic Versioning 2.0.0, section 11); those that have the same by their text.
fn by_precedence(one: &Version, other: &Version) -> Ordering {
    let parsed = |version: &Version| semver::Version::parse(version.as_str()).ok();
    parsed(one).cmp(&parsed(other)).then_with(|| one.as_str().cmp(other.as_str()))
}

impl Wanted {
    /// The experiment that this would be.
    ///
    /// # Errors
    /// There are too few or too many versions, their shares are none, or the control is not among them.
    pub fn plan(mut self) -> Result<Plan, Refusal> {
        let count = self.versions.len();
        if !(VARIANTS_MIN..=VARIANTS_MAX).contains(&count) {
            return Err(Refusal::Variants(count));
        }
        self.versions.sort_by(|(one, _), (other, _)| by_precedence(one, other));
        if let Some((version, _)) = self.versions.iter().find(|(_, share)| !share.is_finite() || *share <= 0.0) {
            return Err(Refusal::Share(version.clone()));
        }
        let sum: f64 = self.versions.iter().map(|(_, share)| share).sum();
        if (sum - 1.0).abs() > SHARES_TOLERANCE {
            return Err(Refusal::Shares(sum));
        }
        let place = match &self.control {
            Some(control) => self
                .versions
                .iter()
                .position(|(version, _)| version == control)
                .ok_or_else(|| Refusal::Control(control.clone()))?,
            // Of equal shares the last that `max_by` sees wins, so the order is turned round.
            None => {
                let shares = self.versions.iter().enumerate().rev();
                shares.max_by(|(_, (_, one)), (_, (_, other))| one.total_cmp(other)).map_or(0, |(place, _)| place)
            }
        };
        let control = u8::try_from(place).unwrap_or(0);
        Ok(Plan { variants: self.versions, control, halting: self.halting })
    }
}

/// What is assigned as one: the same unit always gets the same variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit(Vec<u8>);

impl Unit {
    /// A user of a tenant where there is one, else what was submitted under an idempotency key, else a task; of subtasks the task
    /// that began it all.
    #[must_use]
    pub fn of(tenant: &Tenant, user: Option<&User>, idempotency_key: Option<&str>, task: TaskId) -> Self {
        let task = task.to_string();
        let (kind, name) = match (user, idempotency_key) {
            (Some(user), _) => ("user", user.as_str()),
            (None, Some(key)) => ("key", key),
            (None, None) => ("task", task.as_str()),
        };
        Self([kind.as_bytes(), &[0], tenant.as_str().as_bytes(), &[0], name.as_bytes()].concat())
    }
}

/// Where a unit falls in an experiment, from 0 to below 1: the first 53 bits of SHA-256 over the experiment's sixteen bytes and the
/// unit; in a later round also its number.
fn fraction(experiment: ExperimentId, unit: &Unit, round: u32) -> f64 {
    let mut hash = Sha256::new();
    hash.update(experiment.as_bytes());
    hash.update(&unit.0);
    if round > 0 {
        hash.update([0]);
        hash.update(round.to_be_bytes());
    }
    let head = hash.finalize().iter().take(8).fold(0_u64, |head, byte| (head << 8) | u64::from(*byte));
    // As many bits as a double holds exactly.
    stats::real(head >> 11) / stats::real(1 << 53)
}

/// Which variant a unit gets, of those that take tasks; none where none does.
///
/// A unit whose variant takes none is assigned again among all, with another hash, until one does that takes tasks. So whoever has
/// a variant that goes on keeps it when another one stops, and those that have to move are shared out as the shares are.
#[must_use]
pub fn assign(experiment: ExperimentId, shares: &[f64], takes: &[bool], unit: &Unit) -> Option<u8> {
    let takes_tasks = |place: &usize| takes.get(*place).copied().unwrap_or(false);
    let first = (0..shares.len()).find(takes_tasks)?;
    let place = (0..ROUNDS_MAX).map(|round| place_of(shares, fraction(experiment, unit, round))).find(takes_tasks);
    u8::try_from(place.unwrap_or(first)).ok()
}

/// The place in whose part of the line from 0 to 1 a fraction lies; what rounding leaves over is the last one's.
fn place_of(shares: &[f64], fraction: f64) -> usize {
    let mut end = 0.0;
    let found = shares.iter().position(|share| {
        end += share;
        fraction < end
    });
    found.unwrap_or(shares.len().saturating_sub(1))
}

impl Experiment {
    /// What a task that gets this variant is assigned to.
    #[must_use]
    pub fn assignment(&self, variant: u8) -> Assignment {
        Assignment { experiment: self.id, variant }
    }

    /// Why a variant was halted, in words.
    #[must_use]
    pub fn told(&self, worse: &Worse) -> String {
        let than = self.variants.get(usize::from(worse.than)).map_or("another", |variant| variant.version.as_str());
        let (metric, at_most, at_least) = (worse.metric.as_str(), worse.at_most, worse.at_least);
        format!("{metric} is at most {at_most:.3}; that of {than} is at least {at_least:.3}")
    }

    /// The confidence sequence of one variant in one metric; none before there is enough to say.
    #[must_use]
    pub fn sequence(&self, metric: Metric, tally: &Tally) -> Option<Interval> {
        // What may go wrong is divided among all sequences, so that all of them hold at once.
        let sequences = stats::real(self.variants.len().saturating_mul(Metric::ALL.len()) as u64);
        let (count, mean) = metric.observed(tally);
        stats::sequence(count, mean, HALT_TASKS_MIN, ALPHA / sequences)
    }

    /// The variants that are clearly worse than another one that takes tasks, with what shows it. The best one never is, so that
    /// one goes on.
    #[must_use]
    pub fn worse(&self, tallies: &BTreeMap<u8, Tally>, takes: &[bool]) -> Vec<(u8, Worse)> {
        let Halting::Automatic = self.halting else { return Vec::new() };
        let mut taking: Vec<u8> = (0_u8..).zip(takes).filter(|(_, takes)| **takes).map(|(place, _)| place).collect();
        let mut worse: Vec<(u8, Worse)> = Vec::new();
        for metric in Metric::ALL {
            let sequences: Vec<(u8, Interval)> =
                taking.iter().filter_map(|place| Some((*place, self.sequence(metric, tallies.get(place)?)?))).collect();
            let Some((than, best)) = sequences.iter().max_by(|(_, one), (_, other)| one.low.total_cmp(&other.low))
            else {
                continue;
            };
            for (place, sequence) in sequences.iter().filter(|(_, sequence)| sequence.high < best.low) {
                let verdict = Worse { metric, at_most: sequence.high, than: *than, at_least: best.low };
                worse.push((*place, verdict));
            }
            // Who is better by success and worse by feedback stays where all others have been halted by then.
            taking.retain(|place| worse.iter().all(|(halted, _)| halted != place));
        }
        worse
    }
}
