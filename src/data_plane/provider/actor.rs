//! The provider's actor: gives out slots, and lets each call run in a task of its own.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::{OwnedSemaphorePermit, TryAcquireError};
use tokio::time::Instant;

use super::error::Error;
use super::exchange::Completion;
use super::handle::Link;
use super::message::{Call, Command};
use super::metrics;
use super::state::{Line, WAITING_MAX};

/// One incarnation of a provider's actor.
pub(super) struct ProviderActor;

/// What one incarnation knows. Who runs is not among it: slots outlive the actor, as running calls do.
pub(super) struct State {
    link: Arc<Link>,
    line: Line<Call>,
}

impl Actor for ProviderActor {
    type Msg = Command;
    type State = State;
    type Arguments = Arc<Link>;

    async fn pre_start(&self, _: ActorRef<Command>, link: Arc<Link>) -> Result<State, ActorProcessingErr> {
        tracing::debug!(provider = %link.name, "provider started");
        Ok(State { link, line: Line::new(WAITING_MAX) })
    }

    async fn handle(
        &self,
        _: ActorRef<Command>,
        command: Command,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match command {
            Command::Carry(call) => state.arrive(call),
            Command::SlotFreed => state.serve(),
            Command::Ready(reply) => {
                // A caller that has gone needs no answer.
                reply.send(()).ok();
            }
        }
        Ok(())
    }
}

impl State {
    fn arrive(&mut self, call: Call) {
        let deadline = call.deadline.into_std();
        match self.line.push(call, deadline, Instant::now().into_std()) {
            Ok(()) => self.serve(),
            Err(refused) => {
                metrics::count(&refused.model, metrics::outcome(&Err(Error::Overloaded)));
                answer(refused, Err(Error::Overloaded));
            }
        }
    }

    /// Runs as many waiting calls as there are free slots.
    fn serve(&mut self) {
        while let Ok(permit) = self.slot() {
            let Some(call) = self.line.next(Instant::now().into_std()) else { return };
            let slot = Slot { permit: Some(permit), link: self.link.clone() };
            tokio::spawn(run(call, slot));
        }
    }

    fn slot(&self) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.link.slots.clone().try_acquire_owned()
    }
}

fn answer(call: Call, result: Result<Completion, Error>) {
    // Only a caller that has gone is not reached; it has already withdrawn its claim or will learn nothing more.
    call.reply.send(result).ok();
}

/// A slot in use. Freed when the call ends in whatever way, a panic included.
struct Slot {
    permit: Option<OwnedSemaphorePermit>,
    link: Arc<Link>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        drop(self.permit.take());
        // When nobody lives there, nobody waits there either.
        self.link.address.cast(Command::SlotFreed).ok();
    }
}

/// Carries one call out and answers its caller directly, so that the actor's death loses no running call.
async fn run(mut call: Call, slot: Slot) {
    if !call.claim.begin() {
        return;
    }
    let link = slot.link.clone();
    let began = Instant::now();
    let deadline = call.deadline.min(began.checked_add(link.timeout).unwrap_or(call.deadline));
    let exchange = tokio::time::timeout_at(
        deadline,
        link.adapter.complete(&call.model, call.request.clone(), call.heard.as_ref()),
    );
    let result = tokio::select! {
        biased;
        result = exchange => Some(result.unwrap_or(Err(Error::TimedOut))),
        // Dropping the exchange closes its connection, which tells the provider to stop working.
        () = call.reply.closed() => None,
    };
    metrics::took(&link.name, began.elapsed());
    // The slot is free before the caller hears of its answer, so that its next call finds it.
    drop(slot);
    match result {
        Some(result) => {
            metrics::count(&call.model, metrics::outcome(&result));
            if let Err(error) = &result {
                tracing::warn!(model = %call.model, %error, "model call failed");
            }
            answer(call, result);
        }
        None => metrics::count(&call.model, metrics::ABANDONED),
    }
}
