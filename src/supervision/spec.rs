//! Child specs: how one child is started, restarted and stopped.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorCell};

use super::Address;

/// A child's name among its siblings.
pub type ChildId = Arc<str>;

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

/// How many restarts within how long are borne before the supervisor gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intensity {
    /// The most restarts in a period.
    pub restarts: u32,
    /// The period.
    pub period: Duration,
}

/// How long a restart is put off: doubled each time from `initial` up to `max`, with jitter; the first restart is immediate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The delay before the second restart.
    pub initial: Duration,
    /// The longest delay.
    pub max: Duration,
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

/// A child that has been started.
pub struct Started {
    /// The actor.
    pub cell: ActorCell,
    /// Publishes nothing at the child's address; called when it has ended.
    pub on_exit: Box<dyn FnOnce() + Send>,
}

type StartFuture = Pin<Box<dyn Future<Output = Result<Started, StartError>> + Send>>;
pub(super) type StartFn = Arc<dyn Fn(ActorCell) -> StartFuture + Send + Sync>;

/// How one child is started, restarted and stopped.
#[derive(Clone)]
pub struct ChildSpec {
    pub(super) id: ChildId,
    pub(super) restart: Restart,
    pub(super) shutdown: Shutdown,
    pub(super) backoff: Backoff,
    pub(super) start: StartFn,
}

impl ChildSpec {
    /// A permanent worker, stopped within five seconds. `make` makes the actor anew for each incarnation; the supervisor
    /// publishes each at `address`.
    pub fn worker<A, F>(address: &Address<A::Msg>, make: F) -> Self
    where
        A: Actor,
        F: Fn() -> (A, A::Arguments) + Send + Sync + 'static,
    {
        let id = address.name().clone();
        let (address, child) = (address.clone(), id.clone());
        let start: StartFn = Arc::new(move |supervisor: ActorCell| {
            let (actor, arguments) = make();
            let (address, child) = (address.clone(), child.clone());
            Box::pin(async move {
                let (reference, _ended) = Actor::spawn_linked(None, actor, arguments, supervisor)
                    .await
                    .map_err(|fault| StartError { child, reason: fault.to_string() })?;
                address.publish(reference.clone());
                Ok(Started { cell: reference.get_cell(), on_exit: Box::new(move || address.clear()) })
            })
        });
        Self {
            id,
            restart: Restart::Permanent,
            shutdown: Shutdown::Timeout(Duration::from_secs(5)),
            backoff: Backoff { initial: Duration::from_millis(10), max: Duration::from_secs(5) },
            start,
        }
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
}
