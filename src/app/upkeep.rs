//! The actor that keeps metrics small and gauges fresh while nobody scrapes them.

use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::data_plane::factory::Factory;
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
pub(super) fn spec(metrics: Metrics, factory: Factory) -> ChildSpec {
    let address: Address<Message> = Address::new("metrics");
    ChildSpec::worker(&address, move || (Upkeep, (metrics.clone(), factory.clone())))
}

impl Actor for Upkeep {
    type Msg = Message;
    type State = (Metrics, Factory);
    type Arguments = (Metrics, Factory);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        arguments: (Metrics, Factory),
    ) -> Result<(Metrics, Factory), ActorProcessingErr> {
        myself.send_interval(PERIOD, || Message::Round);
        Ok(arguments)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        (metrics, factory): &mut (Metrics, Factory),
    ) -> Result<(), ActorProcessingErr> {
        let Message::Round = message;
        metrics.upkeep();
        factory.count();
        Ok(())
    }
}
