//! A provider actor's mailbox.

use std::sync::Arc;

use ractor::RpcReplyPort;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::claim::Claim;
use super::error::Error;
use super::exchange::{Completion, Deltas, Request};
use crate::domain::name::ModelRef;

/// What a provider's actor is told.
pub(super) enum Command {
    /// From the handle: carry out this call as soon as a slot is free.
    Carry(Box<Call>),
    /// From the task of a call that has ended: a slot may be free.
    SlotFreed,
    /// From the actor's own timer: the pause that the provider asked for is over.
    PauseOver,
    /// From a handle that found nobody at the address: say when somebody is there.
    Ready(RpcReplyPort<()>),
}

/// One call on its way. Whoever holds `reply` answers; dropping it says that nobody will.
pub(super) struct Call {
    pub(super) model: ModelRef,
    pub(super) request: Request,
    /// When the caller stops waiting.
    pub(super) deadline: Instant,
    pub(super) claim: Arc<Claim>,
    /// Who listens to the answer as it comes; without, it is asked for whole.
    pub(super) heard: Option<Deltas>,
    pub(super) reply: oneshot::Sender<Result<Completion, Error>>,
}
