//! Experiments: what is asked for, assignment, halting, storage.

mod assigning;
mod halting;
mod planning;
mod storing;

use super::state::{Experiment, Halting, Plan, Unit, Variant, Wanted};
use crate::domain::clock::Timestamp;
use crate::domain::id::{ExperimentId, TaskId};
use crate::domain::name::{Digest, Version};

/// Ids that are the same in every run.
fn id(number: u8) -> ExperimentId {
    ExperimentId::from_bytes([number; 16])
}

fn version(text: &str) -> Version {
    text.parse().expect("a version")
}

fn user(number: u64) -> Unit {
    let (tenant, user) = ("acme".parse().expect("a tenant"), format!("u{number}").parse().expect("a user"));
    Unit::of(&tenant, Some(&user), None, TaskId::from_bytes([0; 16]))
}

fn wanted(versions: &[(&str, f64)]) -> Wanted {
    let versions = versions.iter().map(|(text, share)| (version(text), *share)).collect();
    Wanted { versions, control: None, halting: Halting::Automatic }
}

fn experiment(number: u8, shares: &[f64]) -> Experiment {
    let texts: Vec<String> = (0..shares.len()).map(|minor| format!("1.{minor}.0")).collect();
    let versions: Vec<(&str, f64)> = texts.iter().map(String::as_str).zip(shares.iter().copied()).collect();
    let Plan { variants, control, halting } = wanted(&versions).plan().expect("a plan");
    let variant = |(version, share)| Variant { version, digest: Digest::from_bytes([7; 32]), share, halted: None };
    Experiment {
        id: id(number),
        template: "worker".parse().expect("a name"),
        started_at: Timestamp::from_micros(1_000_000),
        started_by: "root".to_owned(),
        control,
        halting,
        variants: variants.into_iter().map(variant).collect(),
        ended: None,
    }
}
