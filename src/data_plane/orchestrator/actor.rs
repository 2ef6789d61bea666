//! The actor of one plan: runs it beside the mailbox, and ends with it.

use std::sync::Weak;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

use super::handle::{Inner, Orchestrator};
use super::plan::PlanRun;
use crate::data_plane::agent::hand::Hand;
use crate::domain::id::TaskId;
use crate::supervision::Address;

/// The mailbox.
pub enum PlanMessage {
    /// From its own run: the plan has ended, or cannot go on.
    Done(Result<(), String>),
    /// From whoever dispatches: is anybody there?
    Ping(RpcReplyPort<()>),
}

/// What the actor is started with.
#[derive(Clone)]
pub(super) struct PlanArguments {
    pub(super) task: TaskId,
    pub(super) orchestrator: Weak<Inner>,
    pub(super) address: Address<PlanMessage>,
}

pub(super) struct PlanActor;

pub(super) struct State {
    arguments: PlanArguments,
    _at_hand: Hand,
}

impl Actor for PlanActor {
    type Msg = PlanMessage;
    type State = State;
    type Arguments = PlanArguments;

    async fn pre_start(
        &self,
        myself: ActorRef<PlanMessage>,
        arguments: PlanArguments,
    ) -> Result<State, ActorProcessingErr> {
        let (task, weak) = (arguments.task, arguments.orchestrator.clone());
        let run = async move {
            match weak.upgrade().and_then(|inner| PlanRun::of(&Orchestrator(inner), task)) {
                Some(plan) => plan.run().await,
                // The task has ended already.
                None => Ok(()),
            }
        };
        let hand = Hand::take(task, run, move |ended| {
            // An actor that has ended meanwhile needs no answer.
            let _gone = myself.cast(PlanMessage::Done(ended)).is_err();
        });
        Ok(State { arguments, _at_hand: hand })
    }

    async fn handle(
        &self,
        myself: ActorRef<PlanMessage>,
        message: PlanMessage,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            PlanMessage::Ping(heard) => {
                // Whoever asked may have given up waiting.
                let _gone = heard.send(()).is_err();
            }
            PlanMessage::Done(Ok(())) => myself.stop(None),
            PlanMessage::Done(Err(fault)) => return Err(format!("run plan {}: {fault}", state.arguments.task).into()),
        }
        Ok(())
    }

    async fn post_stop(&self, _myself: ActorRef<PlanMessage>, state: &mut State) -> Result<(), ActorProcessingErr> {
        if let Some(inner) = state.arguments.orchestrator.upgrade() {
            inner.plans.remove(&state.arguments.task, &state.arguments.address);
            if inner.environment.journal.watch(state.arguments.task).is_some() {
                // It failed and was reopened while this actor still answered for it.
                Orchestrator(inner).sweep_later();
            }
        }
        Ok(())
    }
}
