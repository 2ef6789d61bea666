//! What a supervisor tells about its children: to the log, metrics and hooks when something happens, and to who asks.

use std::time::Duration;

use super::actor::{Running, guarded};
use super::child::{Child, Key, Phase};
use super::metrics::{self, Label, StuckGauge};
use super::snapshot::{Activity, ChildInfo, Counts, LISTED_MAX, Listing, Node, NodeKind, NodeState};
use super::{Alarm, ChildSpec, Exit, GiveUp, Intensity, Matter, Note, OnStuck, RestartNotice, Strategy};

impl Running {
    pub(super) fn announce(&self, key: Key, exit: Exit, delay: Duration) {
        let Some(child) = self.state.child(key) else { return };
        let notice = RestartNotice {
            supervisor: self.name.clone(),
            child: child.traits.id.clone(),
            restarts: child.restarts,
            exit,
            delay,
        };
        self.note(key, Note::Restarted);
        metrics::count_restart(self.label(key), notice.exit.reason());
        tracing::warn!(supervisor = %notice.supervisor, child = %notice.child, exit = %notice.exit, ?delay, "restart");
        if let Some(observer) = &self.inherited.observer {
            guarded("observer", || observer(&notice));
        }
    }

    pub(super) fn give_up(&self, key: Key, exit: Exit, restarts: u32, intensity: Intensity) {
        let Some(spec) = self.roster.spec(key) else { return };
        let (supervisor, child) = (self.name.clone(), spec.id.clone());
        tracing::error!(%supervisor, %child, %exit, restarts, "child given up");
        self.note(key, Note::GivenUp);
        if let Some(hook) = &spec.on_give_up {
            let fact = GiveUp { supervisor, child, exit, restarts, intensity };
            guarded("on_give_up", || hook(&fact));
        }
    }

    /// A child in quarantine is nowhere to be reached, and says so at once.
    pub(super) fn quarantine(&self, key: Key, exit: Exit, restarts: u32) {
        let (supervisor, child) = (&self.name, self.id_of(key));
        tracing::error!(%supervisor, %child, %exit, restarts, "child in quarantine until it is released");
        self.note(key, Note::Quarantined { exit: exit.clone() });
        metrics::count_quarantine(self.label(key));
        self.roster.close(key);
        self.alarm(key, Matter::Quarantined { exit });
    }

    pub(super) fn released(&self, key: Key) {
        tracing::info!(supervisor = %self.name, child = %self.id_of(key), "child released from quarantine");
        self.note(key, Note::Forgiven);
        self.alarm(key, Matter::Released);
    }

    pub(super) fn stuck(&mut self, key: Key, busy_for: Duration, then: OnStuck) {
        tracing::error!(supervisor = %self.name, child = %self.id_of(key), ?busy_for, ?then, "child stuck at a message");
        self.roster.mark_stuck(key, Some(StuckGauge::raise(self.label(key))));
        self.alarm(key, Matter::Stuck { busy_for, then });
    }

    fn alarm(&self, key: Key, matter: Matter) {
        if let Some(hook) = &self.inherited.alarm {
            let alarm = Alarm { supervisor: self.name.clone(), child: self.id_of(key), matter };
            guarded("alarm", || hook(&alarm));
        }
    }

    /// The bounded word under which metrics count the child.
    pub(super) fn label(&self, key: Key) -> Label {
        match self.roster.spec(key) {
            Some(ChildSpec { group: Some(group), .. }) => Label::Fixed(group),
            Some(spec) if self.strategy != Strategy::Dynamic => Label::Named(spec.id.clone()),
            Some(_) | None => Label::Named(self.name.clone()),
        }
    }

    pub(super) fn count(&self) -> Counts {
        let mut counts = Counts::default();
        for (key, child) in self.state.children() {
            let kind = self.roster.kind(key);
            counts.specs = counts.specs.saturating_add(1);
            counts.active = counts.active.saturating_add(usize::from(matches!(child.phase, Phase::Running(..))));
            counts.supervisors = counts.supervisors.saturating_add(usize::from(kind == NodeKind::Supervisor));
            counts.workers = counts.workers.saturating_add(usize::from(kind == NodeKind::Worker));
        }
        counts
    }

    pub(super) fn which(&self) -> Vec<ChildInfo> {
        let listed = self.state.children().take(LISTED_MAX);
        let info = |(key, child): (Key, &Child)| ChildInfo {
            id: child.traits.id.clone(),
            kind: self.roster.kind(key),
            state: self.node_state(key, child.phase),
        };
        listed.map(info).collect()
    }

    pub(super) fn list(&self) -> Listing {
        let node = |(key, child): (Key, &Child)| {
            let state = self.node_state(key, child.phase);
            let leaf = Node::leaf(child.traits.id.clone(), self.roster.kind(key), state);
            let (last_exit, load) = (child.last_exit.clone(), self.roster.load(key));
            let activity = load.map(|load| Activity::of(load, child.traits.stuck));
            if self.strategy != Strategy::Dynamic {
                metrics::show_depth(self.label(key), load.unwrap_or_default().queued);
            }
            (Node { restarts: child.restarts, last_exit, load, activity, ..leaf }, self.roster.handle(key))
        };
        let children = self.state.children().take(LISTED_MAX).map(node).collect();
        Listing { strategy: self.strategy, children, total: self.state.len() }
    }

    fn node_state(&self, key: Key, phase: Phase) -> NodeState {
        match phase {
            Phase::Running(..) => NodeState::Running,
            Phase::Starting(..) | Phase::Waiting(_) => NodeState::Restarting,
            Phase::Quarantined => NodeState::Quarantined,
            Phase::Stopping(_) | Phase::Stopped if self.state.is_recovering(key) => NodeState::Restarting,
            Phase::Stopping(_) | Phase::Stopped => NodeState::Stopped,
        }
    }
}
