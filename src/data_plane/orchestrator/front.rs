//! The orchestrator's own actor: dispatches every open task when the daemon starts, and again when a part of the tree that ran
//! tasks has started anew.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::stream::{self, StreamExt};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::handle::{Inner, Orchestrator};
use crate::data_plane::agent::Environment;
use crate::data_plane::factory::Factory;
use crate::data_plane::factory::registry::Registry;
use crate::store::Health;
use crate::supervision::{Address, ChildSpec, Strategy, SupervisorHandle, SupervisorSpec};

/// How often open tasks are dispatched again although nothing is known to have happened to them: whatever kept one from being
/// brought to its agent, it waits no longer than this.
const SWEEP_PERIOD: Duration = Duration::from_secs(15);
/// Tasks that one sweep dispatches at once.
const DISPATCHED_AT_ONCE: usize = 64;

/// The mailbox.
pub enum Message {
    /// From itself at its start and from time to time, from the factory's shards and the plans' supervisor at theirs: open tasks may be unserved.
    Sweep,
    /// From its own sweep: it is done.
    Swept,
}

pub(super) struct Front;

/// Whether a sweep runs, and whether another was asked for meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sweeping {
    No,
    Once,
    Again,
}

pub(super) struct State {
    orchestrator: Weak<Inner>,
    sweeping: Sweeping,
}

impl Orchestrator {
    /// Makes the orchestrator: its handle, the spec of its own actor, and the spec of the supervisor of running plans.
    #[must_use]
    pub fn start(environment: Environment, factory: Factory) -> (Self, [ChildSpec; 2]) {
        let supervisor = SupervisorHandle::new("orchestrators");
        let front = Address::new("orchestrator");
        let inner = Inner { environment, factory, plans: Registry::new(), supervisor: supervisor.clone(), front };
        let orchestrator = Self(Arc::new(inner));
        let own = orchestrator.clone();
        let plans = ChildSpec::supervisor(&supervisor, move || {
            let own = own.clone();
            SupervisorSpec::new("orchestrators", Strategy::Dynamic).on_start(Arc::new(move || {
                own.forget_plans();
                own.sweep_later();
            }))
        });
        let weak = Arc::downgrade(&orchestrator.0);
        let front = ChildSpec::worker(&orchestrator.0.front, move || (Front, weak.clone()));
        (orchestrator, [plans, front])
    }
}

impl State {
    fn sweep(&mut self, myself: &ActorRef<Message>) {
        if self.sweeping != Sweeping::No {
            self.sweeping = Sweeping::Again;
            return;
        }
        let Some(orchestrator) = self.orchestrator.upgrade().map(Orchestrator) else { return };
        if matches!(orchestrator.journal().store().health(), Health::Unwell { .. }) {
            // Nothing can go on; dispatching would only start what fails at once.
            return;
        }
        self.sweeping = Sweeping::Once;
        let myself = myself.clone();
        tokio::spawn(async move {
            let mut open = orchestrator.journal().open_tasks();
            open.sort_unstable_by_key(|task| task.order.task);
            tracing::debug!(open = open.len(), "dispatching open tasks");
            stream::iter(open)
                .for_each_concurrent(DISPATCHED_AT_ONCE, |task| {
                    let orchestrator = orchestrator.clone();
                    async move { orchestrator.dispatch_again(Arc::clone(&task.order)).await }
                })
                .await;
            // If this actor has ended, its successor sweeps again.
            let _gone = myself.cast(Message::Swept).is_err();
        });
    }
}

impl Actor for Front {
    type Msg = Message;
    type State = State;
    type Arguments = Weak<Inner>;

    async fn pre_start(&self, myself: ActorRef<Message>, inner: Weak<Inner>) -> Result<State, ActorProcessingErr> {
        myself.cast(Message::Sweep)?;
        myself.send_interval(SWEEP_PERIOD, || Message::Sweep);
        Ok(State { orchestrator: inner, sweeping: Sweeping::No })
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Sweep => state.sweep(&myself),
            Message::Swept => {
                let again = state.sweeping == Sweeping::Again;
                state.sweeping = Sweeping::No;
                if again {
                    state.sweep(&myself);
                }
            }
        }
        Ok(())
    }
}
