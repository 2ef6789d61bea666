//! Experiments with versions of a template.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// Starts an experiment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartExperiment {
    /// Published versions and the shares of tasks that they are to get, which add up to 1; 2 to 8 of them.
    #[serde(deserialize_with = "each_once")]
    pub versions: BTreeMap<String, f64>,
    /// The version that the others are compared with, for people; the one with the largest share where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    /// Whether a variant that is clearly worse is halted; it is where this is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halt: Option<bool>,
}

/// Versions and their shares; one that is named twice is refused, and not what was said last.
fn each_once<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, f64>, D::Error> {
    struct EachOnce;
    impl<'de> Visitor<'de> for EachOnce {
        type Value = BTreeMap<String, f64>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("an object of versions and their shares")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
            let mut versions = BTreeMap::new();
            while let Some((version, share)) = map.next_entry::<String, f64>()? {
                if let Some(first) = versions.insert(version, share) {
                    return Err(M::Error::custom(format!("a version is named twice, with {first} and with {share}")));
                }
            }
            Ok(versions)
        }
    }
    from.deserialize_map(EachOnce)
}

/// An experiment and what it came to so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Experiment {
    /// Its name.
    pub id: String,
    /// The template.
    pub template_name: String,
    /// `running` or `ended`.
    pub state: String,
    /// When it was started.
    pub started_at: String,
    /// By whom.
    pub started_by: String,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Who ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    /// Why: `stopped` or `rolled_back`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_because: Option<String>,
    /// The version that the others are compared with.
    pub control: String,
    /// Whether a variant that is clearly worse is halted.
    pub halt: bool,
    /// Its variants, in the order of their versions.
    pub variants: Vec<Variant>,
}

/// What one version came to. Every `low` and `high` bounds 95 % confidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Variant {
    /// The version.
    pub version: String,
    /// Its content, the same throughout the experiment: SHA-256 in hexadecimal.
    pub digest: String,
    /// The share of tasks that it gets.
    pub share: f64,
    /// `running`; `halted` as clearly worse; `not_allowed` while keys or policy do not allow it.
    pub state: String,
    /// Why it gets no tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// When it was halted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halted_at: Option<String>,
    /// Tasks that it got.
    pub tasks: u64,
    /// Those that have not ended.
    pub in_flight: u64,
    /// Those that succeeded at first.
    pub succeeded: u64,
    /// Those that failed at first.
    pub failed: u64,
    /// Those that were cancelled; they count nowhere else.
    pub cancelled: u64,
    /// Successes among those that succeeded or failed, with Wilson's interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<Estimate>,
    /// Where the true rate lies however often one looks: what the halt goes by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_sequence: Option<Interval>,
    /// Mean dollars of those that succeeded or failed, with Student's interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<Estimate>,
    /// Mean milliseconds of those that succeeded, with Student's interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Estimate>,
    /// The median of the same, known to a sixteenth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_p50_ms: Option<f64>,
    /// What 95 in a hundred of them do not exceed, known to a sixteenth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_p95_ms: Option<f64>,
    /// Tasks that were judged.
    pub judged: u64,
    /// Their mean first judgement, 0 to 1, with Student's interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Estimate>,
    /// Where its true mean lies however often one looks: what the halt goes by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback_sequence: Option<Interval>,
}

/// An estimate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// The lower end of its interval, where there is enough to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

/// From where to where.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_is_named_twice_is_refused() {
        let read = |versions: &str| serde_json::from_str::<StartExperiment>(&format!("{{\"versions\": {versions}}}"));
        let both = read(r#"{"1.0.0": 0.5, "1.1.0": 0.5}"#).expect("two versions");
        assert_eq!(both.versions.len(), 2);
        let error = read(r#"{"1.0.0": 0.5, "1.1.0": 0.9, "1.1.0": 0.5}"#).expect_err("which one is meant?");
        assert!(error.to_string().contains("twice, with 0.9 and with 0.5"), "{error}");
    }
}
