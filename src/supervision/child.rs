//! What the decisions of a supervisor know of one child. Pure, like `state`.

use std::time::Duration;

use super::backoff::Jitter;
use super::intensity::Window;
use super::{Backoff, ChildId, Exit, Intensity, Restart};

/// A child's place among its siblings: later starts have larger ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(pub(super) u64);

/// One start, or one timer. None is used twice by a supervisor, so that what belongs to an earlier one is known to be stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation(pub(super) u64);

/// Who wants a child started; decides what a failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// It is new: where its start fails it never was a child.
    Added,
    /// It was stopped, and somebody asks for it again.
    Asked,
    /// It is restarted: where that fails it is tried again.
    Restarted,
}

/// Where a child is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its `pre_start` runs.
    Starting(Generation, Origin),
    /// It runs, since so long after the supervisor's start.
    Running(Generation, Duration),
    /// Its restart is put off.
    Waiting(Generation),
    /// It was asked to end; its exit has not been confirmed.
    Stopping(Generation),
    /// It ended, and nobody is going to start it but a caller or a group restart.
    Stopped,
}

/// The part of a child spec that decisions rest on.
#[derive(Debug, Clone)]
pub(super) struct Traits {
    pub(super) id: ChildId,
    pub(super) restart: Restart,
    pub(super) backoff: Backoff,
    /// Its own intensity, where it has one to itself.
    pub(super) intensity: Option<Intensity>,
}

/// One child.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) traits: Traits,
    pub(super) phase: Phase,
    pub(super) restarts: u32,
    pub(super) last_exit: Option<Exit>,
    pub(super) window: Window,
    streak: u32,
}

impl Child {
    pub(super) fn new(traits: Traits, phase: Phase) -> Self {
        Self { traits, phase, restarts: 0, last_exit: None, window: Window::default(), streak: 0 }
    }

    /// Whether this incarnation is the child's, and its exit news.
    pub(super) fn is_alive_as(&self, generation: Generation) -> bool {
        match self.phase {
            Phase::Running(current, _) | Phase::Stopping(current) => current == generation,
            Phase::Starting(..) | Phase::Waiting(_) | Phase::Stopped => false,
        }
    }

    /// Whether it is to be started again after this exit.
    pub(super) fn restarts_after(&self, exit: &Exit) -> bool {
        match self.traits.restart {
            Restart::Permanent => true,
            Restart::Transient => exit.is_abnormal(),
            Restart::Temporary => false,
        }
    }

    /// How long its next restart is put off. One that lived for the longest delay or more counts as recovered.
    pub(super) fn next_delay(&mut self, now: Duration, jitter: Jitter) -> Duration {
        let backoff = self.traits.backoff;
        if let Phase::Running(_, since) = self.phase
            && now.saturating_sub(since) >= backoff.max
        {
            self.streak = 0;
        }
        let delay = backoff.delay(self.streak, jitter);
        self.streak = self.streak.saturating_add(1);
        delay
    }
}
