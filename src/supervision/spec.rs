//! Child specs: how one child is started, restarted and stopped.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorCell, ActorRef, SpawnErr};

use super::actor::{self, Supervisor};
use super::address::Loaded;
use super::child::Traits;
use super::incarnation::{Gone, Incarnation, Tie};
use super::message::Message;
use super::supervisor_spec::Inherited;
use super::{Address, Backoff, GiveUp, Intensity, OnStuck, SpecError, StuckRule, SupervisorHandle, SupervisorSpec};

/// A child's name among its siblings.
pub type ChildId = Arc<str>;

/// How long a worker may take to stop, unless its spec says otherwise.
pub const SHUTDOWN_DEFAULT: Duration = Duration::from_secs(5);

/// When a child that ended is started again (OTP's restart types).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Always.
    Permanent,
    /// After an abnormal end only.
    Transient,
    /// Never.
    Temporary,
}

/// How a child is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Killed at once.
    Brutal,
    /// Asked, then killed after so long.
    Timeout(Duration),
    /// Asked, and waited for however long it takes. For supervisors; of a worker that does not stop, it hangs its supervisor's end.
    Infinity,
}

/// Which siblings share a child's fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// None.
    OneForOne,
    /// All.
    OneForAll,
    /// Those started after it.
    RestForOne,
    /// None; children come and go at run time, and each has the intensity to itself.
    Dynamic,
}

impl Strategy {
    /// Its name, as the control API tells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneForOne => "one_for_one",
            Self::OneForAll => "one_for_all",
            Self::RestForOne => "rest_for_one",
            Self::Dynamic => "dynamic",
        }
    }
}

/// Why a child could not be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("start {child}: {reason}")]
pub struct StartError {
    /// The child.
    pub child: ChildId,
    /// What its start returned.
    pub reason: String,
    /// How its spec contradicts itself, where that is the reason: then nothing was started.
    pub contradiction: Option<SpecError>,
}

/// What a child's start is given by its supervisor.
pub(super) struct Parent {
    pub(super) cell: Option<ActorCell>,
    pub(super) tie: Option<Arc<Tie>>,
    pub(super) inherited: Inherited,
}

/// A child that has been started.
pub(super) struct Started {
    pub(super) cell: ActorCell,
    /// Takes the incarnation off its address; called when it has ended.
    pub(super) on_exit: Box<dyn FnOnce() + Send>,
    /// Resolves when nothing is left of the incarnation.
    pub(super) gone: Gone,
}

type StartFuture = Pin<Box<dyn Future<Output = Result<Started, StartError>> + Send>>;
pub(super) type StartFn = Arc<dyn Fn(Parent) -> StartFuture + Send + Sync>;
pub(super) type GiveUpHook = Arc<dyn Fn(&GiveUp) + Send + Sync>;

/// What a child is to the tree.
#[derive(Clone)]
pub(super) enum Kind {
    Worker,
    Supervisor(SupervisorHandle),
}

/// How one child is started, restarted and stopped.
///
/// A child's `pre_start` runs while its supervisor waits, so that an order of starts is an order: it is to be short, and must
/// not call its own supervisor.
#[derive(Clone)]
pub struct ChildSpec {
    pub(super) id: ChildId,
    pub(super) kind: Kind,
    pub(super) restart: Restart,
    pub(super) shutdown: Shutdown,
    pub(super) backoff: Backoff,
    pub(super) intensity: Option<Intensity>,
    pub(super) significant: bool,
    pub(super) quarantine: bool,
    pub(super) stuck: Option<StuckRule>,
    pub(super) ledger_key: Option<Arc<str>>,
    /// Where it lives.
    pub(super) place: Arc<dyn Loaded>,
    pub(super) group: Option<&'static str>,
    pub(super) on_give_up: Option<GiveUpHook>,
    pub(super) start: StartFn,
}

impl ChildSpec {
    /// A permanent worker, stopped within [`SHUTDOWN_DEFAULT`]. `make` makes the actor anew for each incarnation; the supervisor
    /// publishes each at `address`.
    pub fn worker<A, F>(address: &Address<A::Msg>, make: F) -> Self
    where
        A: Actor,
        F: Fn() -> (A, A::Arguments) + Send + Sync + 'static,
    {
        let (id, place, make, address) = (address.name().clone(), address.loaded(), Arc::new(make), address.clone());
        let start: StartFn = Arc::new(move |parent: Parent| {
            let (make, address) = (make.clone(), address.clone());
            Box::pin(async move {
                let (actor, arguments) = make();
                let (reference, gone) = spawn(&address, actor, arguments, &parent).await?;
                Ok(published(&address, reference, gone))
            })
        });
        Self::new(id, Kind::Worker, place, start)
    }

    /// A supervisor as a child: permanent, given all the time it needs to stop. `make` makes its spec anew for each incarnation,
    /// reached at `handle`.
    pub fn supervisor<F>(handle: &SupervisorHandle, make: F) -> Self
    where
        F: Fn() -> SupervisorSpec + Send + Sync + 'static,
    {
        let (id, make, kind) = (handle.name().clone(), Arc::new(make), Kind::Supervisor(handle.clone()));
        let (handle, place) = (handle.clone(), handle.address().loaded());
        let start: StartFn = Arc::new(move |parent: Parent| {
            let (make, handle) = (make.clone(), handle.clone());
            Box::pin(async move { start_supervisor(&handle, make(), parent).await })
        });
        Self::new(id, kind, place, start)
    }

    /// What decisions about it rest on.
    pub(super) fn traits(&self) -> Traits {
        Traits {
            id: self.id.clone(),
            restart: self.restart,
            backoff: self.backoff,
            intensity: self.intensity,
            significant: self.significant,
            quarantine: self.quarantine,
            stuck: self.stuck,
        }
    }

    fn new(id: ChildId, kind: Kind, place: Arc<dyn Loaded>, start: StartFn) -> Self {
        let shutdown = match kind {
            Kind::Worker => Shutdown::Timeout(SHUTDOWN_DEFAULT),
            Kind::Supervisor(_) => Shutdown::Infinity,
        };
        Self {
            id,
            kind,
            restart: Restart::Permanent,
            shutdown,
            backoff: Backoff::default(),
            intensity: None,
            significant: false,
            quarantine: false,
            stuck: None,
            ledger_key: None,
            place,
            group: None,
            on_give_up: None,
            start,
        }
    }

    /// Its name among its siblings.
    #[must_use]
    pub fn id(&self) -> &ChildId {
        &self.id
    }

    /// Its restart type.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// How it is stopped.
    #[must_use]
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// How its restarts are spaced.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// How many restarts of it are borne, instead of its supervisor's intensity: under [`Strategy::Dynamic`], and of a child that
    /// is [quarantined](Self::quarantine) alone. All other children share the supervisor's.
    #[must_use]
    pub fn intensity(mut self, intensity: Intensity) -> Self {
        self.intensity = Some(intensity);
        self
    }

    /// Its end is its supervisor's, as [`SupervisorSpec::auto_shutdown`] says: when it ends by itself and is not restarted, that is
    /// when a transient child ends normally, or a temporary one in any way.
    #[must_use]
    pub fn significant(mut self) -> Self {
        self.significant = true;
        self
    }

    /// Where it exceeds its own intensity it is neither dropped nor its supervisor's end: it stays down, and listed as
    /// quarantined, until [`SupervisorHandle::release`]. Under `Dynamic` and `OneForOne`. A restart of the supervisor, or of the
    /// daemon, is no way out where a [ledger](SupervisorSpec::ledger) remembers it.
    #[must_use]
    pub fn quarantine(mut self) -> Self {
        self.quarantine = true;
        self
    }

    /// The name under which the [ledger](SupervisorSpec::ledger) remembers its restarts. It must be unique and stay the same.
    #[must_use]
    pub fn ledger_key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.ledger_key = Some(key.into());
        self
    }

    /// When it counts as stuck, and what follows: when it has been at one message for longer than `limit`. One that waits for
    /// messages never is.
    #[must_use]
    pub fn stuck_after(mut self, limit: Duration, then: OnStuck) -> Self {
        self.stuck = Some(StuckRule { limit, then });
        self
    }

    /// What is called when a dynamic child has exceeded its intensity and been dropped. It must be short.
    #[must_use]
    pub fn on_give_up(mut self, hook: GiveUpHook) -> Self {
        self.on_give_up = Some(hook);
        self
    }

    /// The word under which metrics count it, instead of its id: children that come and go share one.
    #[must_use]
    pub fn group(mut self, label: &'static str) -> Self {
        self.group = Some(label);
        self
    }
}

/// Starts a supervisor, publishes it, and then calls its hook.
pub(super) async fn start_supervisor(
    handle: &SupervisorHandle,
    spec: SupervisorSpec,
    parent: Parent,
) -> Result<Started, StartError> {
    spec.check().map_err(|contradiction| contradictory(handle.name(), contradiction))?;
    let (hook, address) = (spec.on_start.clone(), handle.address());
    let (tie, gone) = Tie::new(parent.tie);
    let inherited = spec.inherited.clone().or(parent.inherited);
    let arguments = (actor::Arguments { spec, inherited, tie: tie.clone() }, tie);
    let incarnation = Incarnation { actor: Supervisor, address: address.clone() };
    let spawned = match parent.cell {
        Some(parent) => Actor::spawn_linked(None, incarnation, arguments, parent).await,
        None => Actor::spawn(None, incarnation, arguments).await,
    };
    let (reference, _ended) = spawned.map_err(|error| refused(handle.name(), error))?;
    // Before anybody can reach it, so that what the hook forgets is its predecessor's and nothing of its own.
    if let Some(hook) = hook {
        actor::guarded("on_start", || hook());
    }
    Ok(published::<Message>(address, reference, gone))
}

async fn spawn<A: Actor>(
    address: &Address<A::Msg>,
    actor: A,
    arguments: A::Arguments,
    parent: &Parent,
) -> Result<(ActorRef<A::Msg>, Gone), StartError> {
    let (tie, gone) = Tie::new(parent.tie.clone());
    let (actor, arguments) = (Incarnation { actor, address: address.clone() }, (arguments, tie));
    let spawned = match parent.cell.clone() {
        Some(parent) => Actor::spawn_linked(None, actor, arguments, parent).await,
        None => Actor::spawn(None, actor, arguments).await,
    };
    let (reference, _ended) = spawned.map_err(|error| refused(address.name(), error))?;
    Ok((reference, gone))
}

fn published<M: ractor::Message>(address: &Address<M>, reference: ActorRef<M>, gone: Gone) -> Started {
    let (cell, address) = (reference.get_cell(), address.clone());
    address.publish(reference);
    let ended = cell.get_id();
    Started { cell, on_exit: Box::new(move || address.clear(ended)), gone }
}

fn refused(child: &ChildId, error: SpawnErr) -> StartError {
    let reason = match error {
        SpawnErr::StartupFailed(reason) => reason.to_string(),
        SpawnErr::ActorAlreadyStarted | SpawnErr::ActorAlreadyRegistered(_) => error.to_string(),
    };
    StartError { child: child.clone(), reason, contradiction: None }
}

fn contradictory(child: &ChildId, contradiction: SpecError) -> StartError {
    StartError { child: child.clone(), reason: contradiction.to_string(), contradiction: Some(contradiction) }
}
