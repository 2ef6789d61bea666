//! Supervisor specs: a supervisor's strategy, intensity and first children.

use std::fmt;
use std::sync::Arc;

use super::{AlarmHook, ChildSpec, Intensity, RestartLedger, RestartNotice, Strategy};

/// The most children a supervisor may have, unless its spec says otherwise.
pub const CHILDREN_MAX_DEFAULT: usize = 1_000_000;

/// Whether a supervisor ends, with success, because significant children have ended (OTP's `auto_shutdown`). It ends as if it
/// had been stopped: its other children are stopped in reverse order, and its own supervisor counts a normal exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AutoShutdown {
    /// It does not.
    #[default]
    Never,
    /// When the first of them has ended.
    AnySignificant,
    /// When the last of them has ended.
    AllSignificant,
}

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
    pub(super) auto_shutdown: AutoShutdown,
    pub(super) children_max: usize,
    pub(super) children: Vec<ChildSpec>,
    pub(super) on_start: Option<StartHook>,
    pub(super) inherited: Inherited,
}

/// What supervisors below take over, where their own specs do not say.
#[derive(Clone, Default)]
pub(super) struct Inherited {
    pub(super) observer: Option<Observer>,
    pub(super) alarm: Option<AlarmHook>,
    pub(super) ledger: Option<Arc<dyn RestartLedger>>,
}

impl Inherited {
    pub(super) fn or(self, above: Self) -> Self {
        Self {
            observer: self.observer.or(above.observer),
            alarm: self.alarm.or(above.alarm),
            ledger: self.ledger.or(above.ledger),
        }
    }
}

impl SupervisorSpec {
    /// A supervisor without children, of the default [`Intensity`].
    pub fn new(name: impl Into<Arc<str>>, strategy: Strategy) -> Self {
        Self {
            name: name.into(),
            strategy,
            intensity: Intensity::default(),
            auto_shutdown: AutoShutdown::Never,
            children_max: CHILDREN_MAX_DEFAULT,
            children: Vec::new(),
            on_start: None,
            inherited: Inherited::default(),
        }
    }

    /// How many restarts it bears; under [`Strategy::Dynamic`], of each child whose spec does not say.
    #[must_use]
    pub fn intensity(mut self, intensity: Intensity) -> Self {
        self.intensity = intensity;
        self
    }

    /// Whether the end of significant children is its own.
    #[must_use]
    pub fn auto_shutdown(mut self, auto_shutdown: AutoShutdown) -> Self {
        self.auto_shutdown = auto_shutdown;
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
        self.inherited.observer = Some(observer);
        self
    }

    /// Who is told of children that are stuck or in quarantine, here and below.
    #[must_use]
    pub fn alarm(mut self, alarm: AlarmHook) -> Self {
        self.inherited.alarm = Some(alarm);
        self
    }

    /// Who remembers restarts beyond the end of the process, here and below, of the children that have a
    /// [ledger key](ChildSpec::ledger_key).
    #[must_use]
    pub fn ledger(mut self, ledger: Arc<dyn RestartLedger>) -> Self {
        self.inherited.ledger = Some(ledger);
        self
    }
}

impl fmt::Debug for SupervisorSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} supervisor {} of {}", self.strategy.as_str(), self.name, self.children.len())
    }
}
