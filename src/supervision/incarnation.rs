//! The shell around every supervised actor: tells a returned error from a panic, what the actor is at, and when an incarnation
//! is truly gone.
//!
//! ractor reports an exit before it drops the actor's state, and a supervisor that is killed takes its children with it without
//! waiting for them. What an incarnation holds (a socket, a lock on a directory) may thus outlive its exit event. Each
//! incarnation therefore holds a [`Tie`], dropped after its state, and each child's tie holds its supervisor's: when a tie's
//! `gone` resolves, the incarnation and all its descendants are gone.

use std::any::Any;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::oneshot;

use super::Address;

/// Held by an incarnation and by its descendants.
pub(super) struct Tie {
    _gone: oneshot::Sender<()>,
    _supervisor: Option<Arc<Tie>>,
}

/// Resolves (with an error) when the last holder of the tie is gone.
pub(super) type Gone = oneshot::Receiver<()>;

impl Tie {
    pub(super) fn new(supervisor: Option<Arc<Tie>>) -> (Arc<Self>, Gone) {
        let (sender, gone) = oneshot::channel();
        (Arc::new(Self { _gone: sender, _supervisor: supervisor }), gone)
    }
}

/// What an actor's handler returned, as opposed to a panic, which ractor reports in the same event.
#[derive(Debug)]
pub(super) struct Returned(pub(super) ActorProcessingErr);

impl fmt::Display for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Returned {}

fn returned(error: ActorProcessingErr) -> ActorProcessingErr {
    Box::new(Returned(error))
}

/// What is told of a panic instead of a message that was formatted.
const UNTOLD: &str = "a formatted message, not shown";

/// A panic, told by its message only where that is fixed text. One that was formatted may quote what a person wrote, and how an
/// actor ended is told to logs, listeners, the tree and the ledger.
#[derive(Debug)]
struct Panicked(&'static str);

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Panicked {}

/// Ends an actor whose `work` panics by an error that stands for the panic: unwinding once costs a third of a restart, and it is
/// not let go on only to be caught again.
async fn discreet<T>(work: impl Future<Output = Result<T, ActorProcessingErr>>) -> Result<T, ActorProcessingErr> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(outcome) => outcome.map_err(returned),
        Err(panic) => Err(Box::new(Panicked(fixed(&*panic)))),
    }
}

fn fixed(panic: &(dyn Any + Send)) -> &'static str {
    panic.downcast_ref::<&'static str>().copied().unwrap_or(UNTOLD)
}

/// An actor under supervision.
pub(super) struct Incarnation<A: Actor> {
    pub(super) actor: A,
    /// Where it tells its load.
    pub(super) address: Address<A::Msg>,
}

/// An actor's state, and the tie that outlives it: fields are dropped in this order.
pub(super) struct Held<S> {
    /// None after `post_stop`: the exit event would carry it to the supervisor, and what it holds be released only there.
    state: Option<S>,
    _tie: Arc<Tie>,
}

impl<S> Held<S> {
    fn state(&mut self) -> Result<&mut S, ActorProcessingErr> {
        self.state.as_mut().ok_or_else(|| "find the state of an actor after its end".into())
    }
}

impl<A: Actor> Actor for Incarnation<A> {
    type Msg = A::Msg;
    type State = Held<A::State>;
    type Arguments = (A::Arguments, Arc<Tie>);

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        (arguments, tie): Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let state = discreet(self.actor.pre_start(myself, arguments)).await?;
        Ok(Held { state: Some(state), _tie: tie })
    }

    async fn post_start(&self, myself: ActorRef<Self::Msg>, held: &mut Self::State) -> Result<(), ActorProcessingErr> {
        discreet(self.actor.post_start(myself, held.state()?)).await
    }

    async fn post_stop(&self, myself: ActorRef<Self::Msg>, held: &mut Self::State) -> Result<(), ActorProcessingErr> {
        discreet(self.actor.post_stop(myself, held.state()?)).await?;
        held.state = None;
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        held: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        self.address.taken();
        let outcome = discreet(self.actor.handle(myself, message, held.state()?)).await;
        self.address.idle();
        outcome
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        held: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        self.address.busy();
        let outcome = discreet(self.actor.handle_supervisor_evt(myself, event, held.state()?)).await;
        self.address.idle();
        outcome
    }
}
