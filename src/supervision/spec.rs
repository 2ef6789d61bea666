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
use super::{Address, Backoff, GiveUp, Intensity, Observer, SupervisorHandle, SupervisorSpec};

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
    /// Asked, and waited for however long it takes. For supervisors.
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
}

/// What a child's start is given by its supervisor.
pub(super) struct Parent {
    pub(super) cell: Option<ActorCell>,
    pub(super) tie: Option<Arc<Tie>>,
    pub(super) observer: Option<Observer>,
}

/// A child that has been started.
pub(super) struct Started {
    pub(super) cell: ActorCell,
    /// Takes the incarnation off its address; called when it has ended.
    pub(super) on_exit: Box<dyn FnOnce() + Send>,
    /// Resolves when nothing is left of the incarnation.
    pub(super) gone: Gone,
    pub(super) load: Arc<dyn Loaded>,
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
        let (id, make, address) = (address.name().clone(), Arc::new(make), address.clone());
        let start: StartFn = Arc::new(move |parent: Parent| {
            let (make, address) = (make.clone(), address.clone());
            Box::pin(async move {
                let (actor, arguments) = make();
                let (reference, gone) = spawn(&address, actor, arguments, &parent).await?;
                Ok(published(&address, reference, gone))
            })
        });
        Self::new(id, Kind::Worker, Shutdown::Timeout(SHUTDOWN_DEFAULT), start)
    }

    /// A supervisor as a child: permanent, given all the time it needs to stop. `make` makes its spec anew for each incarnation,
    /// reached at `handle`.
    pub fn supervisor<F>(handle: &SupervisorHandle, make: F) -> Self
    where
        F: Fn() -> SupervisorSpec + Send + Sync + 'static,
    {
        let (id, make, kind) = (handle.name().clone(), Arc::new(make), Kind::Supervisor(handle.clone()));
        let handle = handle.clone();
        let start: StartFn = Arc::new(move |parent: Parent| {
            let (make, handle) = (make.clone(), handle.clone());
            Box::pin(async move { start_supervisor(&handle, make(), parent).await })
        });
        Self::new(id, kind, Shutdown::Infinity, start)
    }

    /// What decisions about it rest on.
    pub(super) fn traits(&self) -> Traits {
        Traits { id: self.id.clone(), restart: self.restart, backoff: self.backoff, intensity: self.intensity }
    }

    fn new(id: ChildId, kind: Kind, shutdown: Shutdown, start: StartFn) -> Self {
        Self {
            id,
            kind,
            restart: Restart::Permanent,
            shutdown,
            backoff: Backoff::default(),
            intensity: None,
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

    /// How many restarts of it are borne. Only under [`Strategy::Dynamic`], where it replaces the supervisor's own intensity;
    /// under the other strategies the children share the supervisor's.
    #[must_use]
    pub fn intensity(mut self, intensity: Intensity) -> Self {
        self.intensity = Some(intensity);
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
    let (hook, address) = (spec.on_start.clone(), handle.address());
    let (tie, gone) = Tie::new(parent.tie);
    let observer = spec.observer.clone().or(parent.observer);
    let arguments = (actor::Arguments { spec, observer, tie: tie.clone() }, tie);
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
    let (cell, load, address) = (reference.get_cell(), address.loaded(), address.clone());
    address.publish(reference);
    let ended = cell.get_id();
    Started { cell, on_exit: Box::new(move || address.clear(ended)), gone, load }
}

fn refused(child: &ChildId, error: SpawnErr) -> StartError {
    let reason = match error {
        SpawnErr::StartupFailed(reason) => reason.to_string(),
        SpawnErr::ActorAlreadyStarted | SpawnErr::ActorAlreadyRegistered(_) => error.to_string(),
    };
    StartError { child: child.clone(), reason }
}
