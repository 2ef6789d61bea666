//! The factory's actor: passivates agents that are idle for long, or while memory is pressed. Activation does not pass its mailbox.
//!
//! A round is: give the memory of those that have left back, and look how much there is, on a thread that may block; decide; ask
//! agents to leave; then plan the next one. So there is never more than one message in the mailbox.

use std::time::Duration;

use metrics::{counter, gauge};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::handle::Factory;
use super::memory::{self, Memory};
use super::policy::{self, Pressure, Reading, Round};
use super::state::Census;
use crate::domain::clock::Timestamp;
use crate::telemetry::names::{AGENT_PASSIVATIONS_TOTAL, AGENTS, MEMORY_PRESSED};

/// The mailbox.
pub(super) enum Message {
    /// From itself: time for a round.
    Look,
    /// From its own look at memory: what is known.
    Known(Vec<Reading>),
}

pub(super) struct Janitor;

pub(super) struct State {
    factory: Factory,
    memory: Memory,
    pressure: Pressure,
    /// Agents that were asked to leave since memory was last given back.
    left: usize,
}

impl State {
    pub(super) fn new(factory: Factory) -> Self {
        let memory = Memory::of_this_process(factory.0.settings.memory_max);
        Self { factory, memory, pressure: Pressure::default(), left: 0 }
    }

    /// Passivates whom this round passivates; returns how long it is to the next.
    pub(super) fn round(&mut self, readings: &[Reading], now: Timestamp) -> Duration {
        let round = policy::judge(self.pressure, readings);
        self.tell(round, readings);
        self.pressure = round.pressure;
        let idle_max = self.factory.0.settings.idle_max;
        let idle = self.factory.passivate_idle(now.before(idle_max), policy::ROUND_AGENTS_MAX, "idle");
        let more = round.dismissed.saturating_sub(idle);
        let pressed = self.factory.passivate_idle(now, more, "memory");
        self.left = self.left.saturating_add(idle).saturating_add(pressed);
        policy::pause(round, idle.max(pressed))
    }

    fn tell(&self, round: Round, readings: &[Reading]) {
        gauge!(MEMORY_PRESSED).set(if round.pressure == Pressure::Pressed { 1.0 } else { 0.0 });
        match (self.pressure, round.pressure) {
            (Pressure::Relaxed, Pressure::Pressed) => {
                let Census { at_work, idle, .. } = self.factory.census();
                tracing::warn!(?readings, at_work, idle, "memory is pressed; idle agents are passivated");
            }
            (Pressure::Pressed, Pressure::Relaxed) => tracing::info!(?readings, "memory is no longer pressed"),
            (Pressure::Relaxed, Pressure::Relaxed) | (Pressure::Pressed, Pressure::Pressed) => {}
        }
    }
}

impl Actor for Janitor {
    type Msg = Message;
    type State = State;
    type Arguments = Factory;

    async fn pre_start(&self, myself: ActorRef<Message>, factory: Factory) -> Result<State, ActorProcessingErr> {
        myself.cast(Message::Look)?;
        Ok(State::new(factory))
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Look => {
                let memory = state.memory.clone();
                // Whom the round before asked has left by now.
                let gives_back = policy::gives_back(state.pressure, state.left);
                if gives_back {
                    state.left = 0;
                }
                tokio::task::spawn_blocking(move || {
                    if gives_back {
                        memory::give_back();
                    }
                    // If this actor has ended, its successor looks again.
                    let _gone = myself.cast(Message::Known(memory.read())).is_err();
                });
            }
            Message::Known(readings) => {
                let pause = state.round(&readings, Timestamp::now());
                myself.send_after(pause, || Message::Look);
            }
        }
        Ok(())
    }
}

impl Factory {
    /// Asks up to `most` agents that are idle since `until` or longer to leave; returns how many.
    pub(super) fn passivate_idle(&self, until: Timestamp, most: usize, reason: &'static str) -> usize {
        let asked = self.residency().dismiss(until, most);
        let count = asked.len();
        if count > 0 {
            counter!(AGENT_PASSIVATIONS_TOTAL, "reason" => reason).increment(u64::try_from(count).unwrap_or(u64::MAX));
            self.ask_to_leave(asked);
        }
        count
    }

    /// Brings the gauges of agents up to date.
    #[expect(clippy::cast_precision_loss, reason = "a gauge of agents needs no more than 52 bits")]
    pub fn count(&self) {
        let Census { at_work, idle, waiting } = self.census();
        gauge!(AGENTS, "state" => "active").set(at_work as f64);
        gauge!(AGENTS, "state" => "idle").set(idle as f64);
        gauge!(AGENTS, "state" => "waiting").set(waiting as f64);
    }
}
