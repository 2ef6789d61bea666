//! The actor that carries erasures out, one after the other, and tries again what failed.

use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::handle::Erasures;

/// After how long an erasure that failed is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// What it is told.
#[derive(Debug)]
pub enum Message {
    /// From itself at its start, and from the handle: there is something to do.
    Work,
    /// From its own work: it is done; whether all of it is.
    Worked {
        /// Whether something is left.
        is_left: bool,
    },
}

pub(super) struct Eraser;

pub(super) struct State {
    erasures: Erasures,
    working: bool,
    /// Somebody asked meanwhile.
    asked: bool,
}

impl Actor for Eraser {
    type Msg = Message;
    type State = State;
    type Arguments = Erasures;

    async fn pre_start(&self, myself: ActorRef<Message>, erasures: Erasures) -> Result<State, ActorProcessingErr> {
        myself.cast(Message::Work)?;
        Ok(State { erasures, working: false, asked: false })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Work if state.working => state.asked = true,
            Message::Work => {
                state.working = true;
                let erasures = state.erasures.clone();
                tokio::spawn(async move {
                    let is_left = erasures.carry_out().await;
                    // If this actor has ended, its successor begins again.
                    let _gone = myself.cast(Message::Worked { is_left }).is_err();
                });
            }
            Message::Worked { is_left } => {
                state.working = false;
                if std::mem::take(&mut state.asked) {
                    myself.cast(Message::Work)?;
                } else if is_left {
                    myself.send_after(AGAIN, || Message::Work);
                }
            }
        }
        Ok(())
    }
}
