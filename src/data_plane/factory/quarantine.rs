//! Registered agents that are given up again and again: they are started no more until somebody releases them.
//!
//! A single give-up ends the task at hand, which may have been the poison; the next task gets the agent anew. Several within an
//! hour say that it is the agent: its memory, its template, its model. Its open tasks wait, and new ones are refused.

use std::time::Duration;

use metrics::counter;

use super::handle::Factory;
use crate::domain::id::AgentId;
use crate::journal::events::Event;
use crate::store::Health;
use crate::supervision::{Exit, Micros, Note, QUARANTINED_TOTAL};

/// How often a registered agent may be given up within [`GIVE_UPS_WITHIN`]; the last of them puts it into quarantine.
pub const GIVE_UPS_MAX: usize = 3;
/// The time within which give-ups are counted.
pub const GIVE_UPS_WITHIN: Duration = Duration::from_secs(3_600);

/// The name by which the ledger remembers an agent.
pub(super) fn ledger_key(agent: AgentId) -> String {
    format!("agents/{agent}")
}

/// Whether these give-ups are too many.
fn is_due(given_up: &[Micros], now: Micros) -> bool {
    given_up.iter().filter(|&&then| now.since(then) <= GIVE_UPS_WITHIN).count() >= GIVE_UPS_MAX
}

impl Factory {
    /// Whether an agent is in quarantine. Cheap.
    #[must_use]
    pub fn is_quarantined(&self, agent: AgentId) -> bool {
        let ledger = self.0.ledger.as_ref();
        ledger.is_some_and(|ledger| ledger.history(&ledger_key(agent)).quarantine.is_some())
    }

    /// Quarantines an agent that has just been given up, if that was once too often. What happens while the store is unwell does
    /// not count: every agent at work ends then, and none is to wait for a person when the store is well again.
    pub(super) fn quarantine_if_due(&self, agent: AgentId, exit: &Exit) -> bool {
        let Some(ledger) = &self.0.ledger else { return false };
        let key = ledger_key(agent);
        if matches!(self.0.environment.journal.store().health(), Health::Unwell { .. }) {
            // Whoever works ends where nothing can be written: that says nothing about the agent.
            ledger.note(&key, Note::Forgiven);
            return false;
        }
        let is_due = is_due(&ledger.history(&key).given_up, ledger.now());
        if is_due {
            tracing::error!(%agent, %exit, give_ups = GIVE_UPS_MAX, "agent in quarantine until it is released");
            ledger.note(&key, Note::Quarantined { exit: exit.clone() });
            counter!(QUARANTINED_TOTAL, "actor" => "agents").increment(1);
            let event = Event::new("agent_quarantined").with("agent", agent).with("exit", exit);
            self.0.environment.journal.events().publish(event);
        }
        is_due
    }

    /// Ends an agent's quarantine. Its open tasks are for the caller to dispatch.
    pub fn release(&self, agent: AgentId) {
        if let Some(ledger) = &self.0.ledger {
            ledger.note(&ledger_key(agent), Note::Forgiven);
            tracing::info!(%agent, "agent released from quarantine");
            self.0.environment.journal.events().publish(Event::new("agent_released").with("agent", agent));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_give_ups_within_the_hour_count() {
        let minutes = |minutes: u64| Micros(minutes * 60_000_000);
        for (given_up, now, due) in [
            (vec![], 10, false),
            (vec![8, 9], 10, false),
            (vec![8, 9, 10], 10, true),
            (vec![0, 9, 10], 60, true),
            (vec![0, 9, 10], 61, false),
            (vec![0, 9, 10, 61], 61, true),
        ] {
            let given_up: Vec<Micros> = given_up.into_iter().map(minutes).collect();
            assert_eq!(is_due(&given_up, minutes(now)), due, "{given_up:?} at {now} min");
        }
    }
}
