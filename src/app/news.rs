//! What supervisors tell becomes news.

use std::sync::Arc;

use super::restarts::Restarts;
use super::tree::Listeners;
use crate::journal::events::{Event, Events};
use crate::supervision::{AlarmHook, Matter, Observer, OnStuck};

pub(super) fn listeners(events: Events, ledger: Restarts) -> Listeners {
    Listeners { observer: observer(events.clone()), alarm: alarm(events), ledger: Arc::new(ledger) }
}

/// Restarts are news.
fn observer(events: Events) -> Observer {
    Arc::new(move |notice| {
        tracing::warn!(actor = %notice.child, supervisor = %notice.supervisor, exit = %notice.exit, "an actor is restarted");
        let event = Event::new("actor_restarted").with("actor", &notice.child).with("supervisor", &notice.supervisor);
        events.publish(event.with("exit", &notice.exit));
    })
}

/// What a person should hear of is news too.
fn alarm(events: Events) -> AlarmHook {
    Arc::new(move |alarm| {
        let event = match &alarm.matter {
            Matter::Stuck { busy_for, then } => Event::new("actor_stuck")
                .with("busy_ms", busy_for.as_millis())
                .with("replaced", *then == OnStuck::Replace),
            Matter::Quarantined { exit } => Event::new("actor_quarantined").with("exit", exit),
            Matter::Released => Event::new("actor_released"),
        };
        events.publish(event.with("actor", &alarm.child).with("supervisor", &alarm.supervisor));
    })
}
