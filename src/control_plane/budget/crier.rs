//! Tells who listens what happened to budgets: that one says no, that a cost exceeded what was held for it, that a part of a limit
//! is reached.

use crate::journal::events::{Event, Events};
use crate::store::Store;

use super::marks;
use super::refusal::{Overrun, Refusal};
use super::verdicts::Alert;

/// The way of news from the ledger to those who listen.
pub(super) struct Crier {
    store: Store,
    events: Events,
}

impl Crier {
    pub(super) fn new(store: Store, events: Events) -> Self {
        Self { store, events }
    }

    pub(super) fn refused(&self, refusal: &Refusal) {
        if refusal.first {
            tracing::warn!(subject = %refusal.subject, limit = %refusal.limit, window = refusal.window.as_str(), "budget exceeded");
            self.events.publish(
                Event::new("budget_exceeded")
                    .with("scope", &refusal.subject)
                    .with("limit_usd", refusal.limit)
                    .with("window", refusal.window.as_str())
                    .with("left_usd", refusal.left())
                    .with("asked_usd", refusal.asked),
            );
        }
    }

    pub(super) fn overran(&self, overrun: &Overrun) {
        tracing::error!(held = %overrun.held, cost = %overrun.cost, stopped = ?overrun.stopped, "a cost exceeded its reservation");
        let event = Event::new("budget_exceeded").with("reserved_usd", overrun.held).with("cost_usd", overrun.cost);
        if overrun.stopped.is_empty() {
            self.events.publish(event.clone());
        }
        for scope in &overrun.stopped {
            self.events.publish(event.clone().with("scope", scope));
        }
    }

    /// A part of a limit is reached. It is remembered before it is told, so that no restart tells it again; where it cannot be
    /// remembered, it is told all the same.
    pub(super) fn reached(&self, alert: Alert) {
        let (store, events) = (self.store.clone(), self.events.clone());
        // The ledger does not wait for the disk. There are at most a hundred of these by scope and window.
        let _remembering = tokio::spawn(async move {
            let Alert { scope, limit, at, spent, alerted } = alert;
            if let Err(reason) = store.commit(marks::alerted(&scope, &alerted)).await {
                tracing::warn!(%scope, %at, %reason, "it cannot be remembered that a part of a budget was told as reached");
            }
            tracing::warn!(%scope, %at, limit = %limit.amount, %spent, window = limit.window.as_str(), "a part of a budget is spent");
            events.publish(
                Event::new("budget_threshold_reached")
                    .with("scope", &scope)
                    .with("percent", at.percent())
                    .with("spent_usd", spent)
                    .with("limit_usd", limit.amount)
                    .with("window", limit.window.as_str()),
            );
        });
    }
}
