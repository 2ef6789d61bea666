//! Supervisor specs: a supervisor's strategy, intensity and first children.

use std::fmt;
use std::sync::Arc;

use super::{ChildSpec, Intensity, RestartNotice, Strategy};

/// The most children a supervisor may have, unless its spec says otherwise.
pub const CHILDREN_MAX_DEFAULT: usize = 1_000_000;

/// Called after each successful start of a supervisor.
pub type StartHook = Arc<dyn Fn() + Send + Sync>;

/// Told of every restart that is decided.
pub type Observer = Arc<dyn Fn(&RestartNotice) + Send + Sync>;

/// A supervisor's strategy, intensity and first children.
#[derive(Clone)]
pub struct SupervisorSpec {
    pub(super) name: Arc<str>,
    pub(super) strategy: Strategy,
    pub(super) intensity: Intensity,
    pub(super) children_max: usize,
    pub(super) children: Vec<ChildSpec>,
    pub(super) on_start: Option<StartHook>,
    pub(super) observer: Option<Observer>,
}

impl SupervisorSpec {
    /// A supervisor without children, of the default [`Intensity`].
    pub fn new(name: impl Into<Arc<str>>, strategy: Strategy) -> Self {
        Self {
            name: name.into(),
            strategy,
            intensity: Intensity::default(),
            children_max: CHILDREN_MAX_DEFAULT,
            children: Vec::new(),
            on_start: None,
            observer: None,
        }
    }

    /// How many restarts it bears; under [`Strategy::Dynamic`], of each child whose spec does not say.
    #[must_use]
    pub fn intensity(mut self, intensity: Intensity) -> Self {
        self.intensity = intensity;
        self
    }

    /// A child, started after those given before and stopped before them.
    #[must_use]
    pub fn child(mut self, child: ChildSpec) -> Self {
        self.children.push(child);
        self
    }

    /// The most children it may have; more are refused.
    #[must_use]
    pub fn children_max(mut self, limit: usize) -> Self {
        self.children_max = limit;
        self
    }

    /// What is called after each successful start or restart of this supervisor, when its handle reaches it: work that died with
    /// its dynamic children can then be sent again. It must be short.
    #[must_use]
    pub fn on_start(mut self, hook: StartHook) -> Self {
        self.on_start = Some(hook);
        self
    }

    /// Who is told of every restart that this supervisor, or one below it without an observer of its own, decides. It must be
    /// short.
    #[must_use]
    pub fn observer(mut self, observer: Observer) -> Self {
        self.observer = Some(observer);
        self
    }
}

impl fmt::Debug for SupervisorSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} supervisor {} of {}", self.strategy.as_str(), self.name, self.children.len())
    }
}
