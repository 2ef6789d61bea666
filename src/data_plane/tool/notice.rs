//! What a tool is told of a task, beside any plan: the one call that carries nothing which the filter would have to see.
//!
//! The notice is made here, of an [`Entry`] of the outbox, whose members are names, numbers and times by their types. So nobody
//! can hand in a text that has not passed the filter.

use std::time::Duration;

use serde_json::json;

use super::error::Error;
use super::handle::{Call, Slot, Tools};
use crate::domain::hook::Hook;
use crate::domain::private::Text;
use crate::journal::outbox::{Entry, Parent};
use crate::journal::state::State;

impl Tools {
    /// Tells the tool of a slot what happened to a task, under a key that is the same at every repetition. What the tool answers
    /// is not kept.
    ///
    /// # Errors
    /// As [`Tools::invoke`].
    pub async fn tell(&self, slot: &Slot, entry: &Entry, within: Duration) -> Result<(), Error> {
        self.invoke(slot, &call(entry), within).await.map(drop)
    }
}

fn call(entry: &Entry) -> Call {
    let word = entry.hook.as_str();
    Call {
        task: entry.task,
        step: word.to_owned(),
        idempotency_key: format!("{}-{}-{word}", entry.task, entry.sequence),
        input: Text::from(payload(entry).to_string()),
    }
}

fn payload(entry: &Entry) -> serde_json::Value {
    let state = match entry.hook {
        Hook::Start => State::Running,
        Hook::Success => State::Succeeded,
        Hook::Failure => State::Failed,
        Hook::Cancel => State::Cancelled,
    };
    json!({
        "hook": entry.hook.as_str(),
        "task_id": entry.task.to_string(),
        "parent_task_id": entry.parent.map(|Parent(task)| task.to_string()),
        "agent_id": entry.agent.to_string(),
        "template_name": entry.template.as_str(),
        "template_version": entry.version.to_string(),
        "digest": entry.digest.to_string(),
        "tenant": entry.tenant.as_str(),
        "state": state.as_str(),
        "error_code": entry.error_code,
        "cost_usd": entry.cost.to_string(),
        "steps": entry.steps,
        "sequence": entry.sequence,
        "submitted_at": entry.submitted_at.to_string(),
        "at": entry.at.to_string(),
        "finished_at": state.has_ended().then(|| entry.at.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::id::TaskId;
    use crate::domain::money::Usd;
    use crate::domain::name::Digest;

    fn entry(hook: Hook) -> Entry {
        let task = TaskId::generate();
        Entry {
            hook,
            task,
            sequence: 7,
            agent: task.own_agent(),
            template: "worker".parse().expect("a name"),
            version: "1.0.0".parse().expect("a version"),
            digest: Digest::from_bytes([7; 32]),
            tenant: "acme".parse().expect("a tenant"),
            parent: None,
            error_code: (hook == Hook::Failure).then(|| "provider_cut".to_owned()),
            cost: Usd::from_nanos(180_000),
            steps: 2,
            submitted_at: Timestamp::from_micros(1_000_000),
            at: Timestamp::from_micros(2_000_000),
        }
    }

    #[test]
    fn a_notice_says_what_happened_and_nothing_else() {
        let failed = entry(Hook::Failure);
        let expected = json!({
            "hook": "on_failure", "task_id": failed.task.to_string(), "parent_task_id": null,
            "agent_id": failed.agent.to_string(), "template_name": "worker", "template_version": "1.0.0",
            "digest": failed.digest.to_string(), "tenant": "acme", "state": "failed", "error_code": "provider_cut",
            "cost_usd": "0.00018", "steps": 2, "sequence": 7, "submitted_at": failed.submitted_at.to_string(),
            "at": failed.at.to_string(), "finished_at": failed.at.to_string()
        });
        assert_eq!(payload(&failed), expected);
        let started = payload(&entry(Hook::Start));
        assert_eq!((&started["state"], &started["finished_at"]), (&json!("running"), &json!(null)));
    }

    #[test]
    fn the_key_is_the_same_at_every_repetition_and_another_for_another_record() {
        let first = entry(Hook::Success);
        let again = Entry { sequence: 9, ..first.clone() };
        assert_eq!(call(&first).idempotency_key, format!("{}-7-on_success", first.task));
        assert_eq!(call(&first).idempotency_key, call(&first.clone()).idempotency_key);
        assert_ne!(call(&first).idempotency_key, call(&again).idempotency_key);
    }
}
