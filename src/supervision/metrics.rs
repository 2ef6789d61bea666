//! What is counted of supervision.

use super::ChildId;

/// Restarts, by the actor's bounded label and the reason of its exit: `panic`, `error`, `killed`, or `normal` for a permanent
/// child that ended without a failure.
pub const RESTARTS_TOTAL: &str = "factory_actor_restarts_total";

/// Messages that wait for an actor: set when the tree is listed, for the children of all but dynamic supervisors.
pub const MAILBOX_DEPTH: &str = "factory_mailbox_depth";

/// A word from a set that does not grow with the fleet.
pub(super) enum Label {
    Fixed(&'static str),
    Named(ChildId),
}

impl From<Label> for metrics::SharedString {
    fn from(label: Label) -> Self {
        match label {
            Label::Fixed(word) => word.into(),
            Label::Named(name) => name.into(),
        }
    }
}

pub(super) fn count_restart(actor: Label, reason: &'static str) {
    metrics::counter!(RESTARTS_TOTAL, "actor" => actor, "reason" => reason).increment(1);
}

pub(super) fn show_depth(actor: Label, queued: usize) {
    let depth = f64::from(u32::try_from(queued).unwrap_or(u32::MAX));
    metrics::gauge!(MAILBOX_DEPTH, "actor" => actor).set(depth);
}
