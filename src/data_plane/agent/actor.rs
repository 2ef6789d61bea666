//! The agent's actor: takes its open tasks up one after the other, each in a task of the runtime that ends with the actor.

use std::collections::VecDeque;
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::environment::Environment;
use super::hand::Hand;
use super::message::Message;
use super::pulse::{Life, Pulse, Resident};
use super::turn::Turn;
use crate::domain::id::TaskId;

/// Told when an agent leaves in good order, so that the factory forgets it.
pub type OnLeave = Arc<dyn Fn(&Resident) + Send + Sync>;

/// What an agent is started with.
#[derive(Clone)]
pub struct Arguments {
    /// What it works with.
    pub environment: Environment,
    /// Who it is, and what others see of it.
    pub pulse: Arc<Pulse>,
    /// Whom it tells that it leaves.
    pub on_leave: OnLeave,
}

/// An agent.
pub struct Agent;

/// An agent's state: all that matters is in the journal.
pub struct State {
    arguments: Arguments,
    waiting: VecDeque<TaskId>,
    at_hand: Option<Hand>,
    /// Whether it ends because it decided to, not because it or its supervisor is being ended.
    leaves: bool,
}

impl State {
    fn take(&mut self, task: TaskId, myself: &ActorRef<Message>) {
        let known = self.waiting.contains(&task) || self.at_hand.as_ref().is_some_and(|hand| hand.holds(task));
        if !known {
            self.waiting.push_back(task);
        }
        self.go_on(myself);
    }

    fn go_on(&mut self, myself: &ActorRef<Message>) {
        while self.at_hand.is_none()
            && let Some(task) = self.waiting.pop_front()
        {
            let Some(turn) = Turn::of(&self.arguments.environment, task) else { continue };
            let myself = myself.clone();
            self.at_hand = Some(Hand::take(task, turn.run(), move |ended| {
                // An agent that has ended meanwhile needs no answer.
                let _gone = myself.cast(Message::Done(task, ended)).is_err();
            }));
        }
        self.arguments.pulse.set(self.at_hand.as_ref().map(Hand::task));
    }

    /// Leaves where there is nothing to do and nothing to wait for.
    fn leave_if_idle(&mut self, myself: &ActorRef<Message>) {
        if self.at_hand.is_none() && self.waiting.is_empty() {
            self.leaves = true;
            // Before its mailbox is closed, so that whoever waits for an answer does not wait for another incarnation.
            self.arguments.pulse.leave();
            myself.stop(None);
        }
    }
}

impl Actor for Agent {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Message>, arguments: Arguments) -> Result<State, ActorProcessingErr> {
        arguments.pulse.start();
        let resident = arguments.pulse.resident();
        let waiting = arguments.environment.journal.open_tasks_of(resident.agent).into();
        let mut state = State { arguments, waiting, at_hand: None, leaves: false };
        state.go_on(&myself);
        if state.at_hand.is_none() && state.arguments.pulse.resident().life == Life::OneTask {
            // Its task ended before it could start.
            myself.cast(Message::Passivate)?;
        }
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Run(task, heard) => {
                state.take(task, &myself);
                // Whoever asked may have given up waiting; the task is taken all the same.
                let _gone = heard.send(()).is_err();
            }
            Message::Done(task, Ok(())) => {
                if state.at_hand.as_ref().is_some_and(|hand| hand.holds(task)) {
                    state.at_hand = None;
                }
                state.go_on(&myself);
                if state.arguments.pulse.resident().life == Life::OneTask {
                    state.leave_if_idle(&myself);
                }
            }
            Message::Done(task, Err(fault)) => return Err(format!("run {task}: {fault}").into()),
            Message::Passivate => state.leave_if_idle(&myself),
        }
        Ok(())
    }

    async fn post_stop(&self, _myself: ActorRef<Message>, state: &mut State) -> Result<(), ActorProcessingErr> {
        if state.leaves {
            (state.arguments.on_leave)(state.arguments.pulse.resident());
        }
        Ok(())
    }
}
