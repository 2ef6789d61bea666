//! Rounds: a supervisor looks, on a timer of its own and without asking or waiting, at what its children are doing.

use std::time::Duration;

use ractor::ActorRef;

use super::Strategy;
use super::actor::{Running, send_later};
use super::child::Key;
use super::message::Message;
use super::metrics;
use super::state::Action;

/// How often. What is stuck is found so much later at the most. A round of a supervisor of 100,000 children takes a few
/// milliseconds of these.
pub(super) const ROUND_PERIOD: Duration = Duration::from_secs(5);

impl Running {
    /// Plans the next round, unless it is planned.
    pub(super) fn plan_round(&mut self, myself: &ActorRef<Message>) {
        if !self.has_rounds {
            self.has_rounds = true;
            send_later(myself, ROUND_PERIOD, Message::Round);
        }
    }

    /// Looks at every child that there is a rule or a gauge for, and plans the next round.
    pub(super) fn look_after(&mut self, myself: &ActorRef<Message>) -> Vec<Action> {
        self.has_rounds = false;
        let watched: Vec<Key> =
            self.state.children().filter(|(_, child)| child.traits.stuck.is_some()).map(|(key, _)| key).collect();
        if !watched.is_empty() || self.strategy != Strategy::Dynamic {
            self.plan_round(myself);
        }
        if self.strategy != Strategy::Dynamic {
            self.show_depths();
        }
        let mut actions = Vec::new();
        for key in watched {
            let busy_for = self.roster.load(key).and_then(|load| load.busy_for);
            actions.extend(self.state.watch(key, busy_for));
        }
        actions
    }

    fn show_depths(&self) {
        for (key, _) in self.state.children() {
            metrics::show_depth(self.label(key), self.roster.load(key).unwrap_or_default().queued);
        }
    }
}
