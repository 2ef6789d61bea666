//! What a supervisor decides. Pure: time, randomness and what became of the actions come as arguments.
//!
//! ```text
//!              started                  exit that is to be restarted
//!  Starting ─────────────▶ Running ──────────────────────────────────▶ Waiting ──timer──▶ Starting
//!     │ failed              │  │ exit for good                             │ terminate
//!     ▼                     │  └──────────────▶ Stopped ◀─────────────────┘
//!  Waiting | Stopped | gone └─terminate, group─▶ Stopping ──exit──▶ Stopped
//!
//!  Running ──exit beyond its own intensity──▶ Quarantined ──release──▶ Starting
//! ```
//! A group restart (`one_for_all`, `rest_for_one`) is one [`Recovery`]: it stops its members in reverse order, one confirmed exit
//! after the other, waits out the delay, and starts them in order. As in OTP it starts every member, also one that had been
//! stopped, and counts as one restart. A failure in its course widens it or begins it anew.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::backoff::Jitter;
use super::child::{Child, Generation, Key, Origin, Past, Phase, Traits};
use super::contradiction::Terms;
use super::intensity::Window;
use super::{AutoShutdown, ChildId, Exit, Intensity, OnStuck, Restart, Strategy};

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Start it, and tell [`State::started`] or [`State::start_failed`].
    Start { key: Key, generation: Generation },
    /// Ask it to end as its spec says; its exit comes to [`State::exited`].
    Stop { key: Key },
    /// Tell [`State::elapsed`] after the delay.
    After { key: Key, generation: Generation, delay: Duration },
    /// Tell the observer that its restart was decided.
    Announce { key: Key, exit: Exit, delay: Duration },
    /// It has ended for good: answer who waits for that.
    Settle { key: Key },
    /// Drop everything that is kept for it.
    Forget { key: Key },
    /// It exceeded its own intensity; `Forget` follows.
    GiveUp { key: Key, exit: Exit, restarts: u32, intensity: Intensity },
    /// It exceeded its own intensity and stays down until it is released.
    Quarantine { key: Key, exit: Exit, restarts: u32 },
    /// It has been released, and runs.
    Released { key: Key },
    /// It has been at one message for longer than its spec allows.
    Stuck { key: Key, busy_for: Duration, then: OnStuck },
    /// It has got on.
    Unstuck { key: Key },
    /// Kill it; its exit comes to [`State::exited`].
    Kill { key: Key },
    /// This supervisor's intensity is exceeded: stop all children in reverse order and fail.
    Escalate { key: Key, exit: Exit },
    /// Significant children have ended: stop all others in reverse order and end with success.
    ShutDown,
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Unknown,
    Duplicate,
    Full,
    Running,
    Restarting,
    Quarantined,
    NotQuarantined,
}

/// A group restart under way, of `root` and, by the strategy, of its siblings.
#[derive(Debug)]
pub(super) struct Recovery {
    root: Key,
    delay: Duration,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Stopping,
    Waiting(Generation),
    Starting,
}

/// A supervisor's children and what is being done about them.
#[derive(Debug)]
pub(super) struct State {
    strategy: Strategy,
    intensity: Intensity,
    auto_shutdown: AutoShutdown,
    children_max: usize,
    pub(super) children: BTreeMap<Key, Child>,
    pub(super) ids: HashMap<ChildId, Key>,
    window: Window,
    pub(super) recovery: Option<Recovery>,
    issued: u64,
}

impl State {
    pub(super) fn new(terms: Terms, intensity: Intensity, children_max: usize) -> Self {
        Self {
            strategy: terms.strategy,
            intensity,
            auto_shutdown: terms.auto_shutdown,
            children_max,
            children: BTreeMap::new(),
            ids: HashMap::new(),
            window: Window::default(),
            recovery: None,
            issued: 0,
        }
    }

    /// A new child, to be started at once.
    pub(super) fn add(&mut self, traits: Traits) -> Result<(Key, Generation), Refusal> {
        if let Some(taken) = self.ids.get(&traits.id) {
            let is_quarantined = self.children.get(taken).is_some_and(|child| child.phase == Phase::Quarantined);
            return Err(if is_quarantined { Refusal::Quarantined } else { Refusal::Duplicate });
        }
        if self.children.len() >= self.children_max {
            return Err(Refusal::Full);
        }
        if self.recovery.is_some() {
            return Err(Refusal::Restarting);
        }
        let (key, generation) = (Key(self.issue()), self.next_generation());
        self.ids.insert(traits.id.clone(), key);
        self.children.insert(key, Child::new(traits, Phase::Starting(generation, Origin::Added)));
        Ok((key, generation))
    }

    /// What an earlier process remembers of a child that has been added and not yet started. Answers whether it stays down.
    pub(super) fn recall(&mut self, key: Key, past: Past, now: Duration) -> bool {
        let Some(child) = self.children.get_mut(&key) else { return false };
        child.restarts = child.restarts.saturating_add(past.total);
        let own = child.traits.intensity.filter(|_| child.traits.quarantine || self.strategy == Strategy::Dynamic);
        let (window, intensity) = match (own, self.strategy) {
            (Some(own), _) => (&mut child.window, own),
            (None, Strategy::Dynamic) => (&mut child.window, self.intensity),
            (None, Strategy::OneForOne | Strategy::OneForAll | Strategy::RestForOne) => {
                (&mut self.window, self.intensity)
            }
        };
        let recent = past.restarted_ago.into_iter().filter(|&ago| ago <= intensity.period);
        window.recall(intensity, recent.map(|ago| now.saturating_sub(ago)));
        let is_quarantined = child.traits.quarantine && past.quarantined.is_some();
        if is_quarantined {
            child.last_exit = past.quarantined;
            child.phase = Phase::Quarantined;
        }
        is_quarantined
    }

    /// The child's start succeeded.
    pub(super) fn started(&mut self, key: Key, generation: Generation, now: Duration) -> Vec<Action> {
        if let Some(child) = self.children.get_mut(&key)
            && let Phase::Starting(current, origin) = child.phase
            && current == generation
        {
            child.phase = Phase::Running(generation, now);
            child.is_stuck = false;
            if origin == Origin::Released {
                child.forgive();
                return vec![Action::Released { key }];
            }
            return self.advance();
        }
        Vec::new()
    }

    /// The child's start failed.
    pub(super) fn start_failed(
        &mut self,
        key: Key,
        generation: Generation,
        exit: Exit,
        now: Duration,
        jitter: Jitter,
    ) -> Vec<Action> {
        let Some(child) = self.children.get_mut(&key) else { return Vec::new() };
        match child.phase {
            Phase::Starting(current, origin) if current == generation => match origin {
                Origin::Added => self.forget(key),
                Origin::Asked => {
                    child.last_exit = Some(exit);
                    child.phase = Phase::Stopped;
                    vec![Action::Settle { key }]
                }
                Origin::Restarted => self.restart(key, exit, now, jitter),
                Origin::Released => {
                    child.last_exit = Some(exit);
                    child.phase = Phase::Quarantined;
                    Vec::new()
                }
            },
            Phase::Starting(..)
            | Phase::Running(..)
            | Phase::Waiting(_)
            | Phase::Stopping(_)
            | Phase::Quarantined
            | Phase::Stopped => Vec::new(),
        }
    }

    /// An incarnation ended. What belongs to an earlier one than the child's is stale and changes nothing.
    pub(super) fn exited(
        &mut self,
        key: Key,
        generation: Generation,
        exit: Exit,
        now: Duration,
        jitter: Jitter,
    ) -> Vec<Action> {
        let stopping_members = self.recovery.as_ref().is_some_and(|recovery| recovery.stage == Stage::Stopping);
        let is_member = stopping_members && self.is_member(key);
        let Some(child) = self.children.get_mut(&key).filter(|child| child.is_alive_as(generation)) else {
            return Vec::new();
        };
        let was_asked = matches!(child.phase, Phase::Stopping(_));
        let is_replaced = child.is_stuck && child.traits.stuck.is_some_and(|rule| rule.then == OnStuck::Replace);
        let exit = if is_replaced && exit == Exit::Killed { Exit::Stuck } else { exit };
        child.is_stuck = false;
        if was_asked || is_member || !child.restarts_after(&exit) {
            child.last_exit = Some(exit);
            let ended_by_itself = !was_asked && !is_member && child.traits.significant;
            let mut actions = self.settle(key);
            if ended_by_itself && self.shuts_down() {
                actions.push(Action::ShutDown);
            } else {
                actions.extend(self.advance());
            }
            return actions;
        }
        self.restart(key, exit, now, jitter)
    }

    /// A delay is over. A timer of an earlier generation changes nothing.
    pub(super) fn elapsed(&mut self, key: Key, generation: Generation) -> Vec<Action> {
        if let Some(recovery) = self.recovery.as_mut()
            && recovery.stage == Stage::Waiting(generation)
        {
            recovery.stage = Stage::Starting;
            return self.advance();
        }
        match self.children.get(&key).map(|child| child.phase) {
            Some(Phase::Waiting(current)) if current == generation => self.begin(key, Origin::Restarted),
            Some(
                Phase::Starting(..)
                | Phase::Running(..)
                | Phase::Waiting(_)
                | Phase::Stopping(_)
                | Phase::Quarantined
                | Phase::Stopped,
            )
            | None => Vec::new(),
        }
    }

    /// The children in the order of their start.
    pub(super) fn children(&self) -> impl DoubleEndedIterator<Item = (Key, &Child)> {
        self.children.iter().map(|(&key, child)| (key, child))
    }

    pub(super) fn child(&self, key: Key) -> Option<&Child> {
        self.children.get(&key)
    }

    pub(super) fn len(&self) -> usize {
        self.children.len()
    }

    /// Whether a stopped child is one that a group restart is about to start.
    pub(super) fn is_recovering(&self, key: Key) -> bool {
        self.recovery.is_some() && self.is_member(key)
    }

    /// The child failed and is to run again, if that is still borne.
    fn restart(&mut self, key: Key, exit: Exit, now: Duration, jitter: Jitter) -> Vec<Action> {
        let Some(child) = self.children.get_mut(&key) else { return Vec::new() };
        let delay = child.next_delay(now, jitter);
        child.last_exit = Some(exit.clone());
        child.phase = Phase::Stopped;
        if child.traits.quarantine || self.strategy == Strategy::Dynamic {
            let intensity = child.traits.intensity.unwrap_or(self.intensity);
            let is_borne = child.window.bears(intensity, now);
            if !is_borne && child.traits.quarantine {
                child.phase = Phase::Quarantined;
                return vec![Action::Quarantine { key, exit, restarts: child.restarts }];
            }
            if !is_borne {
                let is_significant = child.traits.significant;
                let mut actions = vec![Action::GiveUp { key, exit, restarts: child.restarts, intensity }];
                actions.extend(self.forget(key));
                if is_significant && self.shuts_down() {
                    actions.push(Action::ShutDown);
                }
                return actions;
            }
        } else if !self.window.bears(self.intensity, now) {
            return vec![Action::Escalate { key, exit }];
        }
        let mut actions = vec![Action::Announce { key, exit, delay }];
        actions.extend(match self.strategy {
            Strategy::OneForOne | Strategy::Dynamic => self.restart_alone(key, delay),
            Strategy::OneForAll | Strategy::RestForOne => self.restart_group(key, delay),
        });
        actions
    }

    /// Whether the end of a significant child is the supervisor's. One that a caller has stopped, or is stopping, is none of
    /// those that still count; one that a group restart is about to start is.
    fn shuts_down(&self) -> bool {
        let counts = |key: Key, child: &Child| match child.phase {
            Phase::Starting(..) | Phase::Running(..) | Phase::Waiting(_) | Phase::Quarantined => true,
            Phase::Stopping(_) | Phase::Stopped => {
                self.is_recovering(key) && child.traits.restart != Restart::Temporary
            }
        };
        match self.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => true,
            AutoShutdown::AllSignificant => {
                !self.children.iter().any(|(&key, child)| child.traits.significant && counts(key, child))
            }
        }
    }

    fn restart_alone(&mut self, key: Key, delay: Duration) -> Vec<Action> {
        if delay.is_zero() {
            return self.begin(key, Origin::Restarted);
        }
        let generation = self.next_generation();
        if let Some(child) = self.children.get_mut(&key) {
            child.phase = Phase::Waiting(generation);
        }
        vec![Action::After { key, generation, delay }]
    }

    fn restart_group(&mut self, key: Key, delay: Duration) -> Vec<Action> {
        // A failure of an earlier sibling widens the restart; one of a later sibling while others wait does not narrow it.
        let root = match &self.recovery {
            Some(recovery) if recovery.stage != Stage::Starting => recovery.root.min(key),
            Some(_) | None => key,
        };
        self.recovery = Some(Recovery { root, delay, stage: Stage::Stopping });
        self.advance()
    }

    /// The next action of the group restart, if there is one under way and it waits for nothing.
    fn advance(&mut self) -> Vec<Action> {
        let Some(Recovery { root, delay, stage }) = self.recovery else { return Vec::new() };
        if stage == Stage::Stopping {
            return match self.last_alive() {
                Some((key, Phase::Running(generation, _))) => {
                    self.set_phase(key, Phase::Stopping(generation));
                    vec![Action::Stop { key }]
                }
                Some(_) => Vec::new(),
                None if delay.is_zero() => self.enter(Stage::Starting, root, delay),
                None => {
                    let generation = self.next_generation();
                    self.enter(Stage::Waiting(generation), root, delay)
                }
            };
        }
        if stage != Stage::Starting {
            return Vec::new();
        }
        let members = self.children.iter().filter(|&(&key, _)| self.is_member(key));
        let mut waiting = members.filter(|(_, child)| !matches!(child.phase, Phase::Running(..)));
        match waiting.next().map(|(&key, child)| (key, child.phase)) {
            Some((key, Phase::Stopped)) => self.begin(key, Origin::Restarted),
            Some(_) => Vec::new(),
            None => {
                self.recovery = None;
                Vec::new()
            }
        }
    }

    fn enter(&mut self, stage: Stage, root: Key, delay: Duration) -> Vec<Action> {
        self.recovery = Some(Recovery { root, delay, stage });
        match stage {
            Stage::Waiting(generation) => vec![Action::After { key: root, generation, delay }],
            Stage::Stopping | Stage::Starting => self.advance(),
        }
    }

    /// The last started member that has not ended; one that is ending comes before all others.
    fn last_alive(&self) -> Option<(Key, Phase)> {
        let mut members = self.children.iter().rev().filter(|&(&key, _)| self.is_member(key));
        let ending = members.clone().find(|(_, child)| matches!(child.phase, Phase::Stopping(_)));
        let alive = ending.or_else(|| members.find(|(_, child)| matches!(child.phase, Phase::Running(..))));
        alive.map(|(&key, child)| (key, child.phase))
    }

    fn is_member(&self, key: Key) -> bool {
        match (&self.recovery, self.strategy) {
            (Some(_), Strategy::OneForAll) => true,
            (Some(recovery), Strategy::RestForOne) => key >= recovery.root,
            (Some(_) | None, _) => false,
        }
    }

    fn begin(&mut self, key: Key, origin: Origin) -> Vec<Action> {
        let generation = self.next_generation();
        let Some(child) = self.children.get_mut(&key) else { return Vec::new() };
        child.phase = Phase::Starting(generation, origin);
        child.restarts = child.restarts.saturating_add(1);
        vec![Action::Start { key, generation }]
    }

    /// The child has ended and is not started again; one that exists only as long as it runs is forgotten.
    pub(super) fn settle(&mut self, key: Key) -> Vec<Action> {
        self.set_phase(key, Phase::Stopped);
        let is_temporary = self.children.get(&key).is_some_and(|child| child.traits.restart == Restart::Temporary);
        let mut actions = vec![Action::Settle { key }];
        if is_temporary || self.strategy == Strategy::Dynamic {
            actions.extend(self.forget(key));
        }
        actions
    }

    pub(super) fn forget(&mut self, key: Key) -> Vec<Action> {
        if let Some(child) = self.children.remove(&key) {
            self.ids.remove(&child.traits.id);
        }
        vec![Action::Forget { key }]
    }

    fn set_phase(&mut self, key: Key, phase: Phase) {
        if let Some(child) = self.children.get_mut(&key) {
            child.phase = phase;
        }
    }

    pub(super) fn next_generation(&mut self) -> Generation {
        Generation(self.issue())
    }

    fn issue(&mut self) -> u64 {
        self.issued = self.issued.saturating_add(1);
        self.issued
    }
}
