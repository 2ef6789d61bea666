//! Admission's actor: forgets idempotency keys that are past their lifetime.
//!
//! Decisions do not pass its mailbox; what it does can be late without harm.

use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tracing::warn;

use super::handle::{Admission, Means};
use super::repeat;
use crate::domain::clock::Timestamp;
use crate::supervision::{Address, ChildSpec};

/// How often keys are looked through.
const SWEEP_PERIOD: Duration = Duration::from_secs(600);
/// How soon a sweep that did not come to its end goes on.
const SWEEP_PAUSE: Duration = Duration::from_millis(100);

/// The mailbox.
pub(super) enum Message {
    /// From itself: look through the keys behind this one.
    Sweep(Option<Vec<u8>>),
}

struct Sweeper;

struct State {
    admission: Admission,
}

impl Admission {
    /// Makes admission and the spec of its actor.
    #[must_use]
    pub fn start(means: Means) -> (Self, ChildSpec) {
        let admission = Self::new(means);
        let address = Address::new("admission");
        let own = admission.clone();
        let spec = ChildSpec::worker(&address, move || (Sweeper, own.clone()));
        (admission, spec)
    }
}

impl Actor for Sweeper {
    type Msg = Message;
    type State = State;
    type Arguments = Admission;

    async fn pre_start(&self, myself: ActorRef<Message>, admission: Admission) -> Result<State, ActorProcessingErr> {
        myself.send_after(SWEEP_PERIOD, || Message::Sweep(None));
        Ok(State { admission })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let Message::Sweep(after) = message;
        let store = state.admission.journal().store().clone();
        tokio::spawn(async move {
            let swept = repeat::sweep(&store, after, Timestamp::now()).await;
            if let Err(error) = &swept {
                warn!(%error, "idempotency keys could not be looked through");
            }
            match swept.unwrap_or(None) {
                Some(key) => myself.send_after(SWEEP_PAUSE, || Message::Sweep(Some(key))),
                None => myself.send_after(SWEEP_PERIOD, || Message::Sweep(None)),
            };
        });
        Ok(())
    }
}
