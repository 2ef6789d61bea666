//! The agent's actor: takes its open tasks up one after the other, each in a task of the runtime that ends with the actor.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::environment::Environment;
use super::hand::Hand;
use super::message::Message;
use super::turn::Turn;
use crate::domain::clock::Timestamp;
use crate::domain::id::{AgentId, TaskId};

/// What others may see of a living agent without asking it.
#[derive(Debug)]
pub struct Pulse {
    active: AtomicBool,
    idle_since_micros: AtomicI64,
}

impl Pulse {
    /// The pulse of an agent that is about to start.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let now = Timestamp::now().micros();
        Arc::new(Self { active: AtomicBool::new(false), idle_since_micros: AtomicI64::new(now) })
    }

    /// Whether it works on a task.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// Since when it does not, if it does not.
    #[must_use]
    pub fn idle_since(&self) -> Option<Timestamp> {
        let since = self.idle_since_micros.load(Ordering::Relaxed);
        (!self.is_active()).then_some(Timestamp::from_micros(since))
    }

    fn set(&self, active: bool) {
        self.idle_since_micros.store(Timestamp::now().micros(), Ordering::Relaxed);
        self.active.store(active, Ordering::Relaxed);
    }
}

/// Told when an agent has ended in good order, so that the factory forgets it.
pub type OnEnd = Arc<dyn Fn(AgentId) + Send + Sync>;

/// How long an agent lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// As long as its one task.
    OneTask,
    /// Until it is passivated.
    Registered,
}

/// What an agent is started with.
#[derive(Clone)]
pub struct Arguments {
    /// Which agent.
    pub agent: AgentId,
    /// How long it lives.
    pub life: Life,
    /// What it works with.
    pub environment: Environment,
    /// What others see of it.
    pub pulse: Arc<Pulse>,
    /// Whom it tells of its end.
    pub on_end: OnEnd,
}

/// An agent.
pub struct Agent;

/// An agent's state: all that matters is in the journal.
pub struct State {
    arguments: Arguments,
    waiting: VecDeque<TaskId>,
    at_hand: Option<Hand>,
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
            self.arguments.pulse.set(true);
            self.at_hand = Some(Hand::take(task, turn.run(), move |ended| {
                // An agent that has ended meanwhile needs no answer.
                let _gone = myself.cast(Message::Done(task, ended)).is_err();
            }));
        }
    }
}

impl Actor for Agent {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, myself: ActorRef<Message>, arguments: Arguments) -> Result<State, ActorProcessingErr> {
        let waiting = arguments.environment.journal.open_tasks_of(arguments.agent).into();
        let mut state = State { arguments, waiting, at_hand: None };
        state.go_on(&myself);
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
                if state.at_hand.is_none() {
                    state.arguments.pulse.set(false);
                    if state.arguments.life == Life::OneTask {
                        myself.stop(None);
                    }
                }
            }
            Message::Done(task, Err(fault)) => return Err(format!("run {task}: {fault}").into()),
            Message::Passivate => {
                if state.at_hand.is_none() && state.waiting.is_empty() {
                    myself.stop(None);
                }
            }
        }
        Ok(())
    }

    async fn post_stop(&self, _myself: ActorRef<Message>, state: &mut State) -> Result<(), ActorProcessingErr> {
        (state.arguments.on_end)(state.arguments.agent);
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Message>,
        _event: SupervisionEvent,
        _state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}
