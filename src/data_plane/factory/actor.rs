//! The factory's actor: passivates idle agents. Activation does not pass its mailbox.

use std::time::Duration;

use metrics::gauge;
use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::handle::Factory;
use crate::domain::clock::Timestamp;

/// How often idle agents are looked for.
const ROUND_PERIOD: Duration = Duration::from_secs(5);
/// How long a registered agent stays in memory without a task.
pub const IDLE_MAX: Duration = Duration::from_secs(60);

/// The mailbox.
pub(super) enum Message {
    /// From itself: time for a round.
    Round,
}

pub(super) struct Janitor;

impl Actor for Janitor {
    type Msg = Message;
    type State = Factory;
    type Arguments = Factory;

    async fn pre_start(&self, myself: ActorRef<Message>, factory: Factory) -> Result<Factory, ActorProcessingErr> {
        myself.send_interval(ROUND_PERIOD, || Message::Round);
        Ok(factory)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        factory: &mut Factory,
    ) -> Result<(), ActorProcessingErr> {
        let Message::Round = message;
        factory.passivate_idle(IDLE_MAX, Timestamp::now());
        Ok(())
    }
}

impl Factory {
    /// Brings the gauges of agents up to date.
    #[expect(clippy::cast_precision_loss, reason = "a gauge of agents needs no more than 52 bits")]
    pub fn count(&self) {
        let (active, idle) = self.census();
        gauge!("factory_agents", "state" => "active").set(active as f64);
        gauge!("factory_agents", "state" => "idle").set(idle as f64);
    }
}
