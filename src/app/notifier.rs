//! The actor that speaks to systemd: readiness, status and the watchdog (sd_notify(3)). Without systemd it is silent.

use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use sd_notify::NotifyState;

use crate::api::Readiness;
use crate::supervision::{Address, ChildSpec};

/// How often the status is told where systemd sets no watchdog.
const PERIOD_DEFAULT: Duration = Duration::from_secs(10);

enum Message {
    /// From itself.
    Tell,
}

struct Notifier;

struct State {
    readiness: Readiness,
    told_ready: bool,
}

/// The spec of the actor.
pub(super) fn spec(readiness: Readiness) -> ChildSpec {
    let address: Address<Message> = Address::new("systemd");
    ChildSpec::worker(&address, move || (Notifier, readiness.clone()))
}

/// Says that the daemon stops.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

impl Actor for Notifier {
    type Msg = Message;
    type State = State;
    type Arguments = Readiness;

    async fn pre_start(&self, myself: ActorRef<Message>, readiness: Readiness) -> Result<State, ActorProcessingErr> {
        // A watchdog is fed twice as often as it bites.
        let period = sd_notify::watchdog_enabled().map_or(PERIOD_DEFAULT, |bites| bites.div_f64(2.0));
        myself.cast(Message::Tell)?;
        myself.send_interval(period, || Message::Tell);
        Ok(State { readiness, told_ready: false })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let Message::Tell = message;
        let reasons = (state.readiness)();
        let status = if reasons.is_empty() { "serving".to_owned() } else { reasons.join("; ") };
        if reasons.is_empty() && !state.told_ready {
            notify(&[NotifyState::Ready]);
            state.told_ready = true;
        }
        // That this actor was scheduled shows that the runtime is not stuck, which is what the watchdog is for.
        notify(&[NotifyState::Watchdog, NotifyState::Status(&status)]);
        Ok(())
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not told");
    }
}
