//! What the decisions of a supervisor know of one child. Pure, like `state`.

use std::time::Duration;

use super::backoff::Jitter;
use super::intensity::Window;
use super::{Backoff, ChildId, Exit, Intensity, Restart, StuckRule};

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
    /// It was in quarantine, and stays there where its start fails.
    Released,
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
    /// It failed too often, and nobody starts it but who releases it.
    Quarantined,
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
    /// Whether its end may be its supervisor's.
    pub(super) significant: bool,
    /// Whether it is kept down where it exceeds its intensity.
    pub(super) quarantine: bool,
    /// When it counts as stuck.
    pub(super) stuck: Option<StuckRule>,
}

/// What an earlier process remembers of a child, told as times before now.
#[derive(Debug, Clone, Default)]
pub(super) struct Past {
    pub(super) restarted_ago: Vec<Duration>,
    pub(super) total: u32,
    /// How it ended last, if it is in quarantine.
    pub(super) quarantined: Option<Exit>,
}

/// One child.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) traits: Traits,
    pub(super) phase: Phase,
    pub(super) restarts: u32,
    pub(super) last_exit: Option<Exit>,
    pub(super) window: Window,
    /// Whether its present incarnation has been found stuck at the present message.
    pub(super) is_stuck: bool,
    streak: u32,
}

impl Child {
    pub(super) fn new(traits: Traits, phase: Phase) -> Self {
        let (restarts, last_exit, window, is_stuck, streak) = (0, None, Window::default(), false, 0);
        Self { traits, phase, restarts, last_exit, window, is_stuck, streak }
    }

    /// Whether this incarnation is the child's, and its exit news.
    pub(super) fn is_alive_as(&self, generation: Generation) -> bool {
        match self.phase {
            Phase::Running(current, _) | Phase::Stopping(current) => current == generation,
            Phase::Starting(..) | Phase::Waiting(_) | Phase::Quarantined | Phase::Stopped => false,
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

    /// What it did counts no more.
    pub(super) fn forgive(&mut self) {
        (self.window, self.streak) = (Window::default(), 0);
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
