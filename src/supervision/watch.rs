//! Rounds: a supervisor looks, on a timer of its own and without asking or waiting, at what its children are doing.

use std::time::Duration;

use ractor::ActorRef;

use super::actor::{Running, send_later};
use super::child::{Key, Phase};
use super::message::Message;
use super::metrics;
use super::state::{Action, State};
use super::{OnStuck, Strategy};

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

impl State {
    /// How long a child has been at its present message, if it is at one. It is found stuck once for each incarnation and message.
    pub(super) fn watch(&mut self, key: Key, busy_for: Option<Duration>) -> Vec<Action> {
        let Some(child) = self.children.get_mut(&key) else { return Vec::new() };
        let Some(rule) = child.traits.stuck.filter(|_| matches!(child.phase, Phase::Running(..))) else {
            return Vec::new();
        };
        match (busy_for.filter(|&busy_for| busy_for > rule.limit), child.is_stuck) {
            (Some(busy_for), false) => {
                child.is_stuck = true;
                let mut actions = vec![Action::Stuck { key, busy_for, then: rule.then }];
                if rule.then == OnStuck::Replace {
                    actions.push(Action::Kill { key });
                }
                actions
            }
            // One that has been killed for it stays so until it is gone.
            (None, true) if rule.then == OnStuck::Report => {
                child.is_stuck = false;
                vec![Action::Unstuck { key }]
            }
            (Some(_) | None, _) => Vec::new(),
        }
    }
}
