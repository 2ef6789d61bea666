//! What is counted about hooks.

use metrics::{counter, gauge};

use super::state::{Concluded, Outcome};
use crate::domain::hook::Hook;
use crate::domain::name::ToolName;
use crate::telemetry::names;

/// Counts an entry that is gone.
pub(super) fn concluded(concluded: &Concluded) {
    let outcome = match concluded.outcome {
        Outcome::Delivered => "delivered",
        Outcome::GivenUp(_) => "failed",
    };
    count(concluded.entry.as_ref().map(|entry| entry.hook), outcome);
}

/// Counts a call that is made again.
pub(super) fn retried(hook: Hook) {
    count(Some(hook), "retried");
}

fn count(hook: Option<Hook>, outcome: &'static str) {
    let hook = hook.map_or("unknown", Hook::as_str);
    counter!(names::HOOKS_TOTAL, "hook" => hook, "outcome" => outcome).increment(1);
}

/// Shows how many entries wait for a tool.
pub(super) fn waiting(tool: &ToolName, entries: u64) {
    gauge!(names::HOOK_OUTBOX_ENTRIES, "tool" => tool.to_string()).set(entries as f64);
}
