//! What is counted here. Every name is registered when the room is built, so that dashboards find it at zero.

use metrics::{counter, describe_counter};

const LOADS: &str = "factory_policy_loads_total";

/// What came of a look at the policy directory that found something new.
#[derive(Debug, Clone, Copy)]
pub(super) enum Load {
    Published,
    Refused,
}

impl Load {
    fn outcome(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Refused => "refused",
        }
    }
}

pub(super) fn register() {
    describe_counter!(LOADS, "Policies that were read, by what came of it.");
    for load in [Load::Published, Load::Refused] {
        counter!(LOADS, "outcome" => load.outcome()).increment(0);
    }
}

pub(super) fn loaded(load: Load) {
    counter!(LOADS, "outcome" => load.outcome()).increment(1);
}
