//! What is counted of supervision.

use super::ChildId;

/// Restarts, by the actor's bounded label and the reason of its exit: `panic`, `error`, `killed`, or `normal` for a permanent
/// child that ended without a failure.
pub const RESTARTS_TOTAL: &str = "factory_actor_restarts_total";

/// A word from a set that does not grow with the fleet.
pub(super) enum Label {
    Fixed(&'static str),
    Named(ChildId),
}

pub(super) fn count_restart(actor: Label, reason: &'static str) {
    let actor: metrics::SharedString = match actor {
        Label::Fixed(word) => word.into(),
        Label::Named(name) => name.into(),
    };
    metrics::counter!(RESTARTS_TOTAL, "actor" => actor, "reason" => reason).increment(1);
}
