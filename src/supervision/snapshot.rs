//! The tree as it is shown.

use std::sync::Arc;

use super::{ChildId, Exit, Load, Strategy, StuckRule, SupervisorHandle};

/// Children listed of one supervisor; the total is told beside them.
pub const LISTED_MAX: usize = 1_000;

/// What an actor is to the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// It has children and restarts them.
    Supervisor,
    /// It does work.
    Worker,
}

impl NodeKind {
    /// Its name, as the control API tells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Supervisor => "supervisor",
            Self::Worker => "worker",
        }
    }
}

/// Where an actor is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeState {
    /// It runs.
    Running,
    /// It is being started again, or its restart is put off.
    Restarting,
    /// It ended, or was stopped, and stays so.
    Stopped,
    /// It failed too often, and waits for a person.
    Quarantined,
}

impl NodeState {
    /// Its name, as the control API tells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Stopped => "stopped",
            Self::Quarantined => "quarantined",
        }
    }
}

/// What an actor that runs is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// It waits for messages.
    Idle,
    /// It is at a message.
    Busy,
    /// It has been at one message for longer than its spec allows.
    Stuck,
}

impl Activity {
    /// Its name, as the control API tells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Stuck => "stuck",
        }
    }

    /// What a load says, judged by this rule.
    pub(super) fn of(load: Load, rule: Option<StuckRule>) -> Self {
        match load.busy_for {
            None => Self::Idle,
            Some(busy_for) if rule.is_some_and(|rule| busy_for > rule.limit) => Self::Stuck,
            Some(_) => Self::Busy,
        }
    }
}

/// One actor of the tree, with those below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name among its siblings.
    pub name: Arc<str>,
    /// What it is.
    pub kind: NodeKind,
    /// Where it is in its life.
    pub state: NodeState,
    /// How often it was restarted by its present supervisor, and before that, as far as its ledger remembers.
    pub restarts: u32,
    /// How its last incarnation ended.
    pub last_exit: Option<Exit>,
    /// What it is at, if it runs. Of the root of a snapshot nothing is known.
    pub load: Option<Load>,
    /// What it is doing, if it runs.
    pub activity: Option<Activity>,
    /// For a supervisor that runs: its strategy.
    pub strategy: Option<Strategy>,
    /// Its children in the order of their start, at most [`LISTED_MAX`].
    pub children: Vec<Node>,
    /// How many children it has, where not all are listed.
    pub children_total: Option<usize>,
}

/// One child as `which_children` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildInfo {
    /// Its name among its siblings.
    pub id: ChildId,
    /// What it is.
    pub kind: NodeKind,
    /// Where it is in its life.
    pub state: NodeState,
}

/// How many children a supervisor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// All, whatever their state.
    pub specs: usize,
    /// Those that run.
    pub active: usize,
    /// Those that are supervisors.
    pub supervisors: usize,
    /// Those that are workers.
    pub workers: usize,
}

/// One level of the tree: a supervisor's own node, and where to ask for what is below.
pub(super) struct Listing {
    pub(super) strategy: Strategy,
    pub(super) children: Vec<(Node, Option<SupervisorHandle>)>,
    pub(super) total: usize,
}

impl Node {
    /// A node without children.
    pub(super) fn leaf(name: Arc<str>, kind: NodeKind, state: NodeState) -> Self {
        Self {
            name,
            kind,
            state,
            restarts: 0,
            last_exit: None,
            load: None,
            activity: None,
            strategy: None,
            children: Vec::new(),
            children_total: None,
        }
    }
}
