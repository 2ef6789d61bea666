//! The actor that deletes ended tasks when they are old enough, in the background and a few at a time.

use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::domain::clock::Timestamp;
use crate::journal::Journal;
use crate::journal::events::Event;
use crate::store::Health;
use crate::supervision::{Address, ChildSpec};
use crate::telemetry::names;

/// How long after its start the first sweep begins: what the daemon was started for goes first.
const START_PAUSE: Duration = Duration::from_secs(5);
/// How often it sweeps.
const PERIOD: Duration = Duration::from_secs(60 * 60);
/// How long it pauses between two rounds, so that it never takes the store for itself.
const ROUND_PAUSE: Duration = Duration::from_millis(100);

enum Message {
    /// From itself.
    Sweep,
    /// From its own sweep: it is done.
    Swept,
}

struct Sweeper;

struct State {
    journal: Journal,
    keep: Duration,
    sweeping: bool,
}

/// The spec of the actor; none where nothing is ever deleted.
pub(super) fn spec(journal: &Journal, keep: Option<Duration>) -> Option<ChildSpec> {
    let (journal, keep) = (journal.clone(), keep?);
    let address: Address<Message> = Address::new("retention");
    Some(ChildSpec::worker(&address, move || (Sweeper, (journal.clone(), keep))))
}

impl Actor for Sweeper {
    type Msg = Message;
    type State = State;
    type Arguments = (Journal, Duration);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (journal, keep): (Journal, Duration),
    ) -> Result<State, ActorProcessingErr> {
        myself.send_after(START_PAUSE, || Message::Sweep);
        myself.send_interval(PERIOD, || Message::Sweep);
        Ok(State { journal, keep, sweeping: false })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Swept => state.sweeping = false,
            // A sweep that takes longer than the period is not doubled.
            Message::Sweep if state.sweeping => {}
            Message::Sweep => {
                state.sweeping = true;
                let (journal, keep) = (state.journal.clone(), state.keep);
                tokio::spawn(async move {
                    sweep(&journal, keep).await;
                    // If this actor has ended, its successor sweeps again.
                    let _gone = myself.cast(Message::Swept).is_err();
                });
            }
        }
        Ok(())
    }
}

/// Goes through all tasks that are old enough, in rounds.
async fn sweep(journal: &Journal, keep: Duration) {
    let (mut deleted, mut after) = (0_u64, None);
    loop {
        if matches!(journal.store().health(), Health::Unwell { .. }) {
            break;
        }
        match journal.retire(after, Timestamp::now(), keep).await {
            Ok(round) => {
                metrics::counter!(names::TASKS_DELETED_TOTAL).increment(round.deleted);
                deleted = deleted.saturating_add(round.deleted);
                after = round.next;
            }
            Err(error) => {
                tracing::warn!(%error, "old tasks are not deleted now; the next sweep tries again");
                break;
            }
        }
        if after.is_none() {
            break;
        }
        tokio::time::sleep(ROUND_PAUSE).await;
    }
    if deleted > 0 {
        let kept = humantime::format_duration(keep).to_string();
        tracing::info!(deleted, %kept, "tasks that ended longer ago than they are kept were deleted");
        journal.events().publish(Event::new("tasks_deleted").with("count", deleted).with("kept", kept));
    }
}
