//! The actor that keeps metrics small and gauges fresh while nobody scrapes them.

use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::data_plane::factory::Factory;
use crate::journal::Journal;
use crate::supervision::{Address, ChildSpec};
use crate::telemetry::metrics::Metrics;

/// How often.
const PERIOD: Duration = Duration::from_secs(5);

enum Message {
    /// From itself.
    Round,
}

struct Upkeep;

/// The spec of the actor.
pub(super) fn spec(metrics: Metrics, factory: Factory, journal: Journal) -> ChildSpec {
    let address: Address<Message> = Address::new("metrics");
    ChildSpec::worker(&address, move || (Upkeep, (metrics.clone(), factory.clone(), journal.clone())))
}

impl Actor for Upkeep {
    type Msg = Message;
    type State = (Metrics, Factory, Journal);
    type Arguments = (Metrics, Factory, Journal);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        arguments: (Metrics, Factory, Journal),
    ) -> Result<(Metrics, Factory, Journal), ActorProcessingErr> {
        myself.send_interval(PERIOD, || Message::Round);
        Ok(arguments)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        (metrics, factory, journal): &mut (Metrics, Factory, Journal),
    ) -> Result<(), ActorProcessingErr> {
        let Message::Round = message;
        metrics.upkeep();
        factory.count();
        journal.show_doubts().await;
        Ok(())
    }
}
