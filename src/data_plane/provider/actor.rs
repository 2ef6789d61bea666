//! The provider's actor: lets calls through as its provider's health allows, and lets each run in a task of its own.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::time::Instant;

use super::error::Error;
use super::exchange::Completion;
use super::gate::Signal;
use super::handle::Link;
use super::health::{Pass, Wait};
use super::message::{Call, Command};
use super::metrics;
use super::policy::{self, Patience};
use super::state::{Line, WAITING_MAX};

/// One incarnation of a provider's actor.
pub(super) struct ProviderActor;

/// What one incarnation knows. Who runs is not among it: slots outlive the actor, as running calls do.
pub(super) struct State {
    link: Arc<Link>,
    line: Line<Call>,
    /// When it will be told that a pause is over.
    wakes_at: Option<Instant>,
}

impl Actor for ProviderActor {
    type Msg = Command;
    type State = State;
    type Arguments = Arc<Link>;

    async fn pre_start(&self, _: ActorRef<Command>, link: Arc<Link>) -> Result<State, ActorProcessingErr> {
        tracing::debug!(provider = %link.name, "provider started");
        Ok(State { link, line: Line::new(WAITING_MAX), wakes_at: None })
    }

    async fn handle(
        &self,
        myself: ActorRef<Command>,
        command: Command,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match command {
            Command::Carry(call) => {
                let call = *call;
                state.arrive(call);
                state.serve(&myself);
            }
            Command::SlotFreed => state.serve(&myself),
            Command::PauseOver => {
                state.wakes_at = None;
                state.serve(&myself);
            }
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
        if let Err(refused) = self.line.push(call, deadline, Instant::now().into_std()) {
            refuse(refused, Error::Overloaded);
        }
    }

    /// Runs as many waiting calls as are let through. Those that have nothing to wait for are told so at once.
    fn serve(&mut self, myself: &ActorRef<Command>) {
        let now = Instant::now().into_std();
        while self.line.has_waiting(now) {
            match self.link.health.admit() {
                Ok(pass) => {
                    let Some(call) = self.line.next(now) else { return };
                    let slot = Slot { pass: Some(pass), link: self.link.clone() };
                    tokio::spawn(run(call, slot));
                }
                Err(Wait::ForSlot) => return,
                Err(Wait::Until(until)) => return self.wake_at(until, myself),
                Err(Wait::No(error)) => {
                    while let Some(call) = self.line.next(now) {
                        refuse(call, error.clone());
                    }
                }
            }
        }
    }

    fn wake_at(&mut self, until: Instant, myself: &ActorRef<Command>) {
        if self.wakes_at.is_none_or(|planned| until < planned) {
            self.wakes_at = Some(until);
            // The timer ends by itself; should this actor be gone by then, its successor has set one of its own.
            let _timer = myself.send_after(until.saturating_duration_since(Instant::now()), || Command::PauseOver);
        }
    }
}

/// Answers a call that was not sent.
fn refuse(call: Call, error: Error) {
    let result = Err(error);
    metrics::count(&call.model, metrics::outcome(&result));
    answer(call, result);
}

fn answer(call: Call, result: Result<Completion, Error>) {
    // Only a caller that has gone is not reached; it has already withdrawn its claim or will learn nothing more.
    call.reply.send(result).ok();
}

/// A slot in use. Freed when the call ends in whatever way, a panic included.
struct Slot {
    pass: Option<Pass>,
    link: Arc<Link>,
}

impl Slot {
    /// Frees it, with what the call's end says about the provider.
    fn free(mut self, signal: Signal) {
        if let Some(pass) = self.pass.take() {
            pass.ended(signal);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        drop(self.pass.take());
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
    let whole = began.checked_add(link.timeout).unwrap_or(call.deadline);
    let deadline = call.deadline.min(whole);
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
    let patient = deadline >= whole || began.elapsed() >= policy::SILENCE_TELLS;
    let patience = if patient { Patience::Whole } else { Patience::Cut };
    let signal = match &result {
        Some(Ok(_)) => Signal::Answered,
        Some(Err(error)) => policy::signal(error, patience),
        None => Signal::Untold,
    };
    // The slot is free before the caller hears of its answer, so that its next call finds it.
    slot.free(signal);
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
