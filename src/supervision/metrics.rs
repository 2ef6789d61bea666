//! What is counted of supervision.

use super::ChildId;

/// Restarts, by the actor's bounded label and the reason of its exit: `panic`, `error`, `killed`, `stuck`, or `normal` for a
/// permanent child that ended without a failure.
pub const RESTARTS_TOTAL: &str = "factory_actor_restarts_total";

/// Messages that wait for an actor, for the children of all but dynamic supervisors: set when the tree is listed, and in each
/// round of their supervisor.
pub const MAILBOX_DEPTH: &str = "factory_mailbox_depth";

/// Actors that have been at one message for longer than their specs allow, by the actor's bounded label.
pub const ACTORS_STUCK: &str = "factory_actors_stuck";

/// Quarantines that began, by the actor's bounded label.
pub const QUARANTINED_TOTAL: &str = "factory_actor_quarantines_total";

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

pub(super) fn count_quarantine(actor: Label) {
    metrics::counter!(QUARANTINED_TOTAL, "actor" => actor).increment(1);
}

/// One stuck actor, counted until this is dropped: also where its supervisor ends without a word.
pub(super) struct StuckGauge(metrics::Gauge);

impl StuckGauge {
    pub(super) fn raise(actor: Label) -> Self {
        let gauge = metrics::gauge!(ACTORS_STUCK, "actor" => actor);
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for StuckGauge {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
