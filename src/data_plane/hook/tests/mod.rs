//! Hooks: the decisions against a model, and the actor with a scripted tool.

mod courier;
mod deciding;

use std::sync::Arc;
use std::time::Duration;

use super::state::Rules;
use crate::domain::clock::Timestamp;
use crate::domain::hook::Hook;
use crate::domain::id::TaskId;
use crate::domain::money::Usd;
use crate::domain::name::{Digest, ToolName};
use crate::journal::outbox::{Entry, Key};

const RULES: Rules = Rules { attempts_max: 3, pause: Duration::from_secs(1), concurrency: 4 };
/// When everything happened.
const THEN: Timestamp = Timestamp::from_micros(1_000_000);

fn tool(name: &str) -> ToolName {
    name.parse().expect("a tool")
}

fn placed(name: &str, sequence: u64) -> (Key, Arc<Entry>) {
    let task = TaskId::generate();
    let entry = Entry {
        hook: Hook::Success,
        task,
        sequence,
        agent: task.own_agent(),
        template: "worker".parse().expect("a name"),
        version: "1.0.0".parse().expect("a version"),
        digest: Digest::from_bytes([0; 32]),
        tenant: "acme".parse().expect("a tenant"),
        parent: None,
        error_code: None,
        cost: Usd::ZERO,
        steps: 1,
        submitted_at: THEN,
        at: THEN,
    };
    (Key { tool: tool(name), task, sequence }, Arc::new(entry))
}
